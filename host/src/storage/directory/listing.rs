//! Listing a folder.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::{io, vec};

use cap_std::fs::{Dir, ReadDir};
use rustix::fs::AtFlags;
use wharf_core::{Entry, StorageError, VirtualPath};

use super::{Directory, errno, is_reserved, metadata, storage_error};
use crate::storage::Entries;

/// How many names are held in memory, and sorted.
const SORTED_AT_MOST: usize = 10_000;

/// The entries of an open folder.
///
/// Up to [`SORTED_AT_MOST`] names are read at once and come sorted by their bytes. A larger folder
/// goes on from there in the file system's own order, one name at a time. What a name stands for
/// is asked only when it is its turn.
pub(super) struct Listing {
    tree: Directory,
    path: VirtualPath,
    dir: Dir,
    sorted: vec::IntoIter<OsString>,
    rest: ReadDir,
    removable: bool,
}

impl Listing {
    /// Begins the listing of `dir`, which is at `path` in the tree.
    pub(super) fn new(tree: Directory, path: VirtualPath, dir: Dir) -> Result<Self, StorageError> {
        // Where names can be read but nothing can be looked at, an empty listing would be a lie.
        rustix::fs::statat(&dir, ".", AtFlags::SYMLINK_NOFOLLOW).map_err(errno)?;
        let mut rest = dir.entries().map_err(|e| storage_error(&e))?;
        let mut sorted = Vec::new();
        while sorted.len() < SORTED_AT_MOST
            && let Some(entry) = rest.next()
        {
            sorted.push(entry.map_err(|e| storage_error(&e))?.file_name());
        }
        sorted.sort_unstable();
        let removable = metadata::can_change(&dir, OsStr::new("."));
        Ok(Self { tree, path, dir, sorted: sorted.into_iter(), rest, removable })
    }

    fn next_name(&mut self) -> Result<Option<OsString>, StorageError> {
        if let Some(name) = self.sorted.next() {
            return Ok(Some(name));
        }
        match self.rest.next() {
            Some(entry) => Ok(Some(entry.map_err(|e| storage_error(&e))?.file_name())),
            None => Ok(None),
        }
    }
}

impl Entries for Listing {
    fn next(&mut self) -> Result<Option<Entry>, StorageError> {
        while let Some(name) = self.next_name()? {
            if is_reserved(name.as_bytes()) {
                continue;
            }
            let path = self.path.join(name.as_bytes());
            match metadata::unfollowed(&self.tree, &path, &self.dir, &name, self.removable) {
                Ok(metadata) => return Ok(Some(Entry { name: name.into_vec(), metadata })),
                // It went between being named and being looked at.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => log::debug!("listing leaves out {path}: {error}"),
            }
        }
        Ok(None)
    }
}
