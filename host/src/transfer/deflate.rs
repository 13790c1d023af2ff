//! MODE Z: zlib streams (RFC 1950), in portions.

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};
use wharf_core::{Mode, StorageError, TransferEnd};

/// Returns `true` if transfers in this mode can be had.
pub(super) fn is_built_in(_: Mode) -> bool {
    true
}

/// Returns what gives bytes the form of a mode, where it has one.
pub(super) fn deflate(mode: Mode) -> Option<Deflate> {
    match mode {
        Mode::Stream => None,
        Mode::Deflate { level } => Some(Deflate::new(level)),
    }
}

/// Returns what takes the form of a mode away, where it has one.
pub(super) fn inflate(mode: Mode) -> Option<Inflate> {
    (mode != Mode::Stream).then(Inflate::new)
}

/// Makes a zlib stream, a portion at a time.
pub(crate) struct Deflate {
    stream: Compress,
}

impl Deflate {
    fn new(level: u8) -> Self {
        Self { stream: Compress::new(Compression::new(level.into()), true) }
    }

    /// Appends what becomes of the next bytes, which may be nothing yet: `portion` bytes at a time, or
    /// so. Without `more` to come it ends the stream.
    pub(super) fn append(
        &mut self,
        plain: &[u8],
        more: bool,
        portion: usize,
        buffer: &mut Vec<u8>,
    ) -> Result<(), StorageError> {
        let flush = if more { FlushCompress::None } else { FlushCompress::Finish };
        let (begin, mut taken) = (self.stream.total_in(), 0);
        loop {
            buffer.reserve_exact(portion);
            let status = self.stream.compress_vec(&plain[taken..], buffer, flush);
            taken = (self.stream.total_in() - begin) as usize;
            // With room on either side it has taken what it could, and given what it would.
            let has_room = buffer.len() < buffer.capacity();
            match status {
                Ok(Status::StreamEnd) => return Ok(()),
                Ok(_) if more && taken == plain.len() && has_room => return Ok(()),
                Ok(_) => {}
                Err(error) => {
                    wharf_storage::log_limited!(Error, "compressing failed: {error}");
                    return Err(StorageError::Other);
                }
            }
        }
    }
}

/// Takes a zlib stream apart, a portion at a time: a small one may expand to a thousand times its
/// length.
pub(crate) struct Inflate {
    stream: Decompress,
    /// The end of the zlib stream has come.
    ended: bool,
}

impl Inflate {
    pub(super) fn new() -> Self {
        Self { stream: Decompress::new(true), ended: false }
    }

    /// Fills the spare room of `plain`, and takes what it needs for that off the front of `bytes`.
    /// When room is left, there is nothing more to be had without further bytes.
    pub(super) fn fill(
        &mut self,
        bytes: &mut &[u8],
        plain: &mut Vec<u8>,
    ) -> Result<(), TransferEnd> {
        while !self.ended && plain.len() < plain.capacity() {
            let (taken, given) = (self.stream.total_in(), self.stream.total_out());
            let status = self.stream.decompress_vec(bytes, plain, FlushDecompress::None);
            let taken = self.stream.total_in() - taken;
            *bytes = &bytes[taken as usize..];
            match status {
                Ok(Status::StreamEnd) => self.ended = true,
                Ok(_) if taken == 0 && self.stream.total_out() == given => break,
                Ok(_) => {}
                Err(error) => {
                    log::debug!("MODE Z: {error}");
                    return Err(TransferEnd::Damaged);
                }
            }
        }
        if self.ended && !bytes.is_empty() {
            log::debug!("MODE Z: bytes after the end of the stream");
            return Err(TransferEnd::Damaged);
        }
        Ok(())
    }

    /// Returns `true` if the end of the zlib stream has come.
    pub(super) fn is_complete(&self) -> bool {
        self.ended
    }
}
