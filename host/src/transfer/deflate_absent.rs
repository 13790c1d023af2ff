//! What stands in the place of MODE Z where it was not built in (feature `mode-z`): there is no value
//! of these types, since no transfer begins in a mode that was not built in.

use wharf_core::{Mode, StorageError, TransferEnd};

pub(crate) struct Deflate(Never);

pub(crate) struct Inflate(Never);

/// Returns `true` if transfers in this mode can be had.
pub(super) fn is_built_in(mode: Mode) -> bool {
    mode == Mode::Stream
}

pub(super) fn deflate(_: Mode) -> Option<Deflate> {
    None
}

pub(super) fn inflate(_: Mode) -> Option<Inflate> {
    None
}

impl Deflate {
    pub(super) fn append(
        &mut self,
        _: &[u8],
        _: bool,
        _: usize,
        _: &mut Vec<u8>,
    ) -> Result<(), StorageError> {
        match self.0 {}
    }
}

impl Inflate {
    pub(super) fn fill(&mut self, _: &mut &[u8], _: &mut Vec<u8>) -> Result<(), TransferEnd> {
        match self.0 {}
    }

    pub(super) fn is_complete(&self) -> bool {
        match self.0 {}
    }
}

/// Hidden in the types above, so that code beyond this file does not count as unreachable.
enum Never {}
