//! Where the bytes that are received go: through the filters, into a file.

use std::ops::Range;

use wharf_core::{Filter, Mode, TransferEnd, ascii};

use crate::transfer::memory::DEFLATED_AT_ONCE;
use wharf_storage::WriteFile;

use super::deflate::{Inflate, inflate};

/// Something that empties chunks. Its calls may block.
pub(crate) struct Sink {
    file: Box<dyn WriteFile>,
    /// MODE Z, and its output.
    inflate: Option<(Inflate, Vec<u8>)>,
    /// The conversion of TYPE A, and its output.
    ascii: Option<(ascii::FromNetwork, Vec<u8>)>,
}

/// What came from the client, on its way through a sink.
#[derive(Default)]
pub(crate) struct Chunk {
    pub(super) buffer: Vec<u8>,
    /// What of the buffer is still to be taken.
    pub(super) left: Range<usize>,
    /// Nothing comes after it.
    pub(super) is_last: bool,
    /// The sink has to have it again: it makes more than a portion.
    pub(super) has_more: bool,
    /// How many bytes more than it took the sink made of it, the last time.
    pub(super) gained: u64,
}

impl Sink {
    pub(super) fn new(file: Box<dyn WriteFile>, filter: Filter, mode: Mode) -> Self {
        let inflate = inflate(mode);
        Self {
            file,
            inflate: inflate.map(|inflate| (inflate, Vec::with_capacity(DEFLATED_AT_ONCE))),
            ascii: (filter == Filter::Ascii).then(Default::default),
        }
    }

    /// Returns `true` if [`write`](Self::write) waits for nothing, and takes no more time than a copy.
    pub(super) fn is_at_hand(&self) -> bool {
        self.inflate.is_none() && self.file.is_in_memory()
    }

    /// Returns the file, where bytes go into it as they are.
    #[cfg(target_os = "linux")]
    pub(super) fn plain_file(&mut self) -> Option<&mut dyn WriteFile> {
        let is_plain = self.inflate.is_none() && self.ascii.is_none();
        is_plain.then_some(&mut *self.file)
    }

    pub(super) fn into_file(self) -> Box<dyn WriteFile> {
        self.file
    }

    /// Writes a chunk, or as much of it as expands to a portion. A zlib stream has to be whole at
    /// the end of the last.
    pub(super) fn write(&mut self, chunk: &mut Chunk) -> Result<(), TransferEnd> {
        let Chunk { buffer, left, is_last, has_more, gained } = chunk;
        let mut bytes = &buffer[left.clone()];
        let Some((inflate, plain)) = &mut self.inflate else {
            (*has_more, *gained) = (false, 0);
            return store(&mut *self.file, &mut self.ascii, bytes, *is_last);
        };
        plain.clear();
        inflate.fill(&mut bytes, plain)?;
        let taken = left.len() - bytes.len();
        left.start += taken;
        *gained = plain.len().saturating_sub(taken) as u64;
        *has_more = plain.len() == plain.capacity();
        let ends = *is_last && !*has_more;
        store(&mut *self.file, &mut self.ascii, plain, ends)?;
        if ends && !inflate.is_complete() {
            log::debug!("MODE Z: the stream is cut off");
            return Err(TransferEnd::DataLost);
        }
        Ok(())
    }
}

/// Converts what TYPE A converts, and writes it.
fn store(
    file: &mut dyn WriteFile,
    ascii: &mut Option<(ascii::FromNetwork, Vec<u8>)>,
    bytes: &[u8],
    is_last: bool,
) -> Result<(), TransferEnd> {
    let bytes = match ascii {
        None => bytes,
        Some((filter, converted)) => {
            converted.clear();
            filter.convert(bytes, converted);
            if is_last {
                filter.finish(converted);
            }
            converted
        }
    };
    if bytes.is_empty() { Ok(()) } else { file.write(bytes).map_err(TransferEnd::Storage) }
}
