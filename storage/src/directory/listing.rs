//! Listing a folder.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::{io, mem};

use cap_std::fs::{Dir, ReadDir};
use rustix::fs::AtFlags;
use wharf_core::{Entry, StorageError, VirtualPath};

use super::{Directory, errno, is_reserved, metadata, storage_error};
use crate::Entries;

/// How many names are held in memory, and sorted.
const SORTED_AT_MOST: usize = 10_000;

/// How many bytes these names may have. Many clients may let a listing stand still.
const BYTES_AT_MOST: usize = 128 * 1024;

/// The entries of an open folder.
///
/// Up to [`SORTED_AT_MOST`] names, or as many as have [`BYTES_AT_MOST`], are read at once and come
/// sorted by their bytes. A larger folder
/// goes on from there in the file system's own order, one name at a time. What a name stands for
/// is asked only when it is its turn.
pub(super) struct Listing {
    tree: Directory,
    path: VirtualPath,
    dir: Dir,
    sorted: Names,
    rest: ReadDir,
    removable: bool,
}

impl Listing {
    /// Begins the listing of `dir`, which is at `path` in the tree.
    pub(super) fn new(tree: Directory, path: VirtualPath, dir: Dir) -> Result<Self, StorageError> {
        // Where names can be read but nothing can be looked at, an empty listing would be a lie.
        rustix::fs::statat(&dir, ".", AtFlags::SYMLINK_NOFOLLOW).map_err(errno)?;
        let mut rest = dir.entries().map_err(storage_error)?;
        let mut sorted = Names::default();
        while !sorted.is_full()
            && let Some(entry) = rest.next()
        {
            sorted.add(entry.map_err(storage_error)?.file_name().as_bytes());
        }
        sorted.sort();
        let removable = metadata::can_change(&dir, OsStr::new("."));
        Ok(Self { tree, path, dir, sorted, rest, removable })
    }

    fn next_name(&mut self) -> Result<Option<OsString>, StorageError> {
        if let Some(name) = self.sorted.next() {
            return Ok(Some(OsStr::from_bytes(name).to_owned()));
        }
        match self.rest.next() {
            Some(entry) => Ok(Some(entry.map_err(storage_error)?.file_name())),
            None => Ok(None),
        }
    }
}

/// Names in one piece of memory.
#[derive(Default)]
struct Names {
    bytes: Vec<u8>,
    /// Where each begins and ends, the next one last.
    places: Vec<(u32, u32)>,
}

impl Names {
    fn is_full(&self) -> bool {
        self.places.len() >= SORTED_AT_MOST || self.bytes.len() >= BYTES_AT_MOST
    }

    fn add(&mut self, name: &[u8]) {
        let start = self.bytes.len() as u32;
        self.bytes.extend_from_slice(name);
        self.places.push((start, self.bytes.len() as u32));
    }

    /// Sorts them; no more are added.
    fn sort(&mut self) {
        let mut places = mem::take(&mut self.places);
        places.sort_unstable_by(|one, other| self.at(*other).cmp(self.at(*one)));
        places.shrink_to_fit();
        self.places = places;
        self.bytes.shrink_to_fit();
    }

    fn at(&self, (start, end): (u32, u32)) -> &[u8] {
        &self.bytes[start as usize..end as usize]
    }

    fn next(&mut self) -> Option<&[u8]> {
        let place = self.places.pop()?;
        Some(self.at(place))
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
