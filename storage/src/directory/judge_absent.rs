//! Elsewhere than on Linux, each entry is asked about.

use std::ffi::OsStr;

use rustix::fd::BorrowedFd;
use rustix::io::Errno;
use wharf_core::Metadata;

use super::metadata;

/// Looks at the entries of one folder.
pub(super) struct Judge {
    /// Entries can be removed from the folder.
    removable: bool,
}

impl Judge {
    pub(super) fn new(dir: &BorrowedFd) -> Self {
        Self { removable: metadata::can_change(dir, OsStr::new(".")) }
    }

    /// Looks at the entry `name` of the folder, access included. Where a link leads stays open.
    pub(super) fn look(
        &mut self,
        dir: &BorrowedFd,
        name: &OsStr,
        entry: &mut Metadata,
    ) -> Result<(), Errno> {
        metadata::look(dir, name, entry)?;
        entry.access = metadata::access(dir, name, &entry.kind, self.removable);
        Ok(())
    }
}
