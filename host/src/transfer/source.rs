//! Where the bytes that are sent come from: a file, or the lines of a listing.

use wharf_core::{Filter, Lister, Mode, StorageError, ascii};

use wharf_storage::ReadFile;

use super::deflate::{Deflate, deflate};
use super::listed::OpenTree;
use super::memory::DEFLATED_AT_ONCE;

/// Something that fills buffers. Its calls may block.
pub(crate) struct Source {
    plain: Plain,
    /// MODE Z, and its input.
    deflate: Option<(Deflate, Vec<u8>)>,
}

/// What is sent, before the form of a MODE.
enum Plain {
    /// A file.
    File {
        /// The open file.
        file: Box<dyn ReadFile>,
        /// Where the next read begins.
        offset: u64,
        /// Where the last one ends: the size that the file had when it was opened, or before.
        end: u64,
        /// What happens to the bytes; `None` in TYPE I.
        ascii: Option<Ascii>,
    },
    /// A listing.
    Listing {
        /// Lines that go first.
        head: Vec<u8>,
        /// The directory, if any, and what makes lines of it.
        rest: Option<(OpenTree, Box<Lister>)>,
    },
}

/// The conversion of TYPE A.
#[derive(Default)]
pub(crate) struct Ascii {
    filter: ascii::ToNetwork,
    /// How many converted bytes are still to be left out.
    skip: u64,
    /// Bytes as they are in the file.
    raw: Vec<u8>,
}

impl Source {
    /// A file from `offset` on, up to `end` or its own; with ASCII the offset counts converted
    /// bytes.
    pub(super) fn file(
        file: Box<dyn ReadFile>,
        filter: Filter,
        offset: u64,
        end: Option<u64>,
    ) -> Self {
        let end = end.map_or(file.size(), |end| end.min(file.size()));
        Self::of(match filter {
            Filter::Identity => Plain::File { file, offset, end, ascii: None },
            Filter::Ascii => {
                let ascii = Ascii { skip: offset, ..Ascii::default() };
                Plain::File { file, offset: 0, end, ascii: Some(ascii) }
            }
        })
    }

    /// A listing: lines, then a directory's entries.
    pub(super) fn listing(head: Vec<u8>, rest: Option<(OpenTree, Box<Lister>)>) -> Self {
        Self::of(Plain::Listing { head, rest })
    }

    fn of(plain: Plain) -> Self {
        Self { plain, deflate: None }
    }

    /// This source, in the form of a MODE.
    pub(super) fn in_mode(self, mode: Mode) -> Self {
        Self { deflate: deflate(mode).map(|deflate| (deflate, Vec::new())), ..self }
    }

    /// Returns `true` if a [`fill`](Self::fill) with `most` bytes waits for nothing, and takes no more
    /// time than a copy.
    pub(super) fn is_at_hand(&self, most: usize) -> bool {
        self.deflate.is_none() && self.plain.is_at_hand(most)
    }

    /// Returns `true` if dropping it waits for nothing.
    pub(super) fn closes_at_once(&self) -> bool {
        match &self.plain {
            Plain::File { file, .. } => file.closes_at_once(),
            Plain::Listing { rest, .. } => rest.is_none(),
        }
    }

    /// Fills the buffer with about `most` bytes, in place of what it held; returns whether there is
    /// more to come. An empty buffer need not mean the end.
    pub(super) fn fill(&mut self, buffer: &mut Vec<u8>, most: usize) -> Result<bool, StorageError> {
        let Some((deflate, plain)) = &mut self.deflate else {
            return self.plain.fill(buffer, most);
        };
        buffer.clear();
        let most = most.min(DEFLATED_AT_ONCE);
        let more = self.plain.fill(plain, most)?;
        deflate.append(plain, more, most / 4, buffer)?;
        Ok(more)
    }
}

impl Plain {
    fn is_at_hand(&self, most: usize) -> bool {
        match self {
            Self::File { file, offset, end, .. } => {
                let length = end.saturating_sub(*offset).min(most as u64);
                length == 0 || file.is_at_hand(*offset, length)
            }
            Self::Listing { rest, .. } => rest.is_none(),
        }
    }

    fn fill(&mut self, buffer: &mut Vec<u8>, most: usize) -> Result<bool, StorageError> {
        match self {
            Self::File { file, offset, end, ascii: None } => {
                Ok(read(&mut **file, offset, *end, buffer, most)? > 0)
            }
            Self::File { file, offset, end, ascii: Some(Ascii { filter, skip, raw }) } => {
                let count = read(&mut **file, offset, *end, raw, most / 2)?;
                buffer.clear();
                filter.convert(raw, buffer);
                let left_out = usize::try_from(*skip).map_or(buffer.len(), |n| n.min(buffer.len()));
                buffer.drain(..left_out);
                *skip -= left_out as u64;
                if count == 0 && *skip > 0 {
                    return Err(StorageError::BadOffset);
                }
                Ok(count > 0)
            }
            Self::Listing { head, rest } => {
                buffer.clear();
                buffer.append(head);
                let Some((tree, lister)) = rest else { return Ok(false) };
                tree.begin();
                let more = lister.write_portion(tree, most / 2, buffer);
                tree.end();
                more
            }
        }
    }
}

/// Reads up to `most` bytes, but not beyond `end`, into the buffer, in place of what it held.
fn read(
    file: &mut dyn ReadFile,
    offset: &mut u64,
    end: u64,
    buffer: &mut Vec<u8>,
    most: usize,
) -> Result<usize, StorageError> {
    let left = end.saturating_sub(*offset);
    buffer.resize(usize::try_from(left).map_or(most, |left| left.min(most)), 0);
    if buffer.is_empty() {
        return Ok(0);
    }
    let count = file.read_at(*offset, buffer)?;
    if count == 0 {
        wharf_storage::log_limited!(Warn, "a file became shorter while it was sent");
        return Err(StorageError::Other);
    }
    buffer.truncate(count);
    *offset += count as u64;
    Ok(count)
}
