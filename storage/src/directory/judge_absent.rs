//! Elsewhere than on Linux, each entry is asked about.

use std::ffi::OsStr;

use rustix::fs::Dir;
use rustix::io::Errno;
use wharf_core::Metadata;

use super::metadata;

/// Looks at the entries of one folder.
pub(super) struct Judge {
    /// Entries can be removed from the folder.
    removable: bool,
}

impl Judge {
    pub(super) fn new(dir: &Dir) -> Result<Self, Errno> {
        Ok(Self { removable: metadata::can_change(&dir.fd()?, OsStr::new(".")) })
    }

    /// Looks at the entry `name` of the folder, access included. Where a link leads stays open.
    pub(super) fn look(&mut self, dir: &Dir, name: &OsStr) -> Result<Metadata, Errno> {
        let dir = dir.fd()?;
        let mut entry = metadata::look(&dir, name)?;
        entry.access = metadata::access(&dir, name, &entry.kind, self.removable);
        Ok(entry)
    }
}
