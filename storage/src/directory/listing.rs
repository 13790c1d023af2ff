//! Listing a folder.

use std::ffi::OsStr;
use std::mem;
use std::os::unix::ffi::OsStrExt;

use rustix::fd::AsFd;
use rustix::fs::{AtFlags, Dir, Mode, OFlags};
use rustix::io::Errno;
use wharf_core::{Detail, Entry, Kind, Metadata, StorageError, VirtualPath};

use super::judge::Judge;
use super::{Directory, errno, is_reserved, metadata};
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
    sorted: Names,
    rest: Dir,
    /// `None` until access is asked for.
    judge: Option<Judge>,
}

impl Listing {
    /// Begins the listing of `dir`, which is at `path` in the tree.
    pub(super) fn new(
        tree: Directory,
        path: VirtualPath,
        dir: impl AsFd,
    ) -> Result<Self, StorageError> {
        // Where names can be read but nothing can be looked at, an empty listing would be a lie.
        rustix::fs::statat(&dir, ".", AtFlags::SYMLINK_NOFOLLOW).map_err(errno)?;
        // What cap-std has opened is for paths, not for reading.
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let dir = rustix::fs::openat(dir, ".", flags, Mode::empty()).map_err(errno)?;
        let mut rest = Dir::new(dir).map_err(errno)?;
        let mut sorted = Names::default();
        while !sorted.is_full() && read_name(&mut rest, |name| sorted.add(name))? {}
        sorted.sort();
        Ok(Self { tree, path, sorted, rest, judge: None })
    }

    /// Puts the next name in the place of `name`; returns `false` after the last.
    fn next_name(&mut self, name: &mut Vec<u8>) -> Result<bool, StorageError> {
        name.clear();
        if let Some(next) = self.sorted.next() {
            name.extend_from_slice(next);
            return Ok(true);
        }
        read_name(&mut self.rest, |next| name.extend_from_slice(next))
    }

    fn look(&mut self, name: &[u8], detail: Detail) -> Result<Metadata, Errno> {
        let os_name = OsStr::from_bytes(name);
        let mut entry = match detail {
            Detail::Access => {
                let judge = match &mut self.judge {
                    Some(judge) => judge,
                    none => none.insert(Judge::new(&self.rest)?),
                };
                judge.look(&self.rest, os_name)?
            }
            _ => metadata::look(&self.rest.fd()?, os_name)?,
        };
        if let Kind::Symlink { .. } = entry.kind {
            let path = self.path.join(name);
            metadata::add_target(&mut entry, &self.tree, &path, &self.rest.fd()?, os_name);
        }
        Ok(entry)
    }
}

/// Reads the next name, of those that are not for the folder itself and the one above.
fn read_name(dir: &mut Dir, take: impl FnOnce(&[u8])) -> Result<bool, StorageError> {
    while let Some(entry) = dir.read() {
        let entry = entry.map_err(errno)?;
        let name = entry.file_name().to_bytes();
        if name != b"." && name != b".." {
            take(name);
            return Ok(true);
        }
    }
    Ok(false)
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
        let mut entry = Entry { name: Vec::new(), metadata: Metadata::directory() };
        Ok(self.next_into(&mut entry, Detail::Access)?.then_some(entry))
    }

    fn next_into(&mut self, entry: &mut Entry, detail: Detail) -> Result<bool, StorageError> {
        while self.next_name(&mut entry.name)? {
            let name = &entry.name;
            if is_reserved(name) {
                continue;
            }
            if detail == Detail::Name {
                return Ok(true);
            }
            match self.look(name, detail) {
                Ok(metadata) => {
                    entry.metadata = metadata;
                    return Ok(true);
                }
                // It went between being named and being looked at.
                Err(Errno::NOENT) => {}
                Err(error) => {
                    log::debug!("listing leaves out {}: {error}", self.path.join(name));
                }
            }
        }
        Ok(false)
    }
}
