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

/// How many entries are looked at in a row.
///
/// The system calls stand in one loop, and no function returns between them. Where the kernel guards
/// its returns against speculation, as on AMD's processors (SRSO), the first return after a system
/// call takes a third as long as the call itself.
const LOOKED_AT_ONCE: usize = 32;

/// How many names are held in memory, and sorted.
const SORTED_AT_MOST: usize = 10_000;

/// How many bytes these names may have. Many clients may let a listing stand still.
const BYTES_AT_MOST: usize = 128 * 1024;

/// The entries of an open folder.
///
/// Up to [`SORTED_AT_MOST`] names, or as many as have [`BYTES_AT_MOST`], are read at once and come
/// sorted by their bytes. A larger folder
/// goes on from there in the file system's own order. What a name stands for is asked only shortly
/// before its turn.
pub(super) struct Listing {
    tree: Directory,
    path: VirtualPath,
    sorted: Names,
    rest: Dir,
    ahead: Ahead,
    /// `None` until access is asked for.
    judge: Option<Judge>,
}

/// Entries that have been looked at before their turn.
struct Ahead {
    entries: Vec<(Entry, Result<(), Errno>)>,
    /// Which of them is next, and how many there are.
    next: usize,
    count: usize,
    detail: Detail,
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
        let ahead = Ahead { entries: Vec::new(), next: 0, count: 0, detail: Detail::Name };
        Ok(Self { tree, path, sorted, rest, ahead, judge: None })
    }

    /// Puts the next name in the place of `name`; returns `false` after the last.
    fn next_name(&mut self, name: &mut Vec<u8>) -> Result<bool, StorageError> {
        loop {
            name.clear();
            if let Some(next) = self.sorted.next() {
                name.extend_from_slice(next);
            } else if !read_name(&mut self.rest, |next| name.extend_from_slice(next))? {
                return Ok(false);
            }
            if !is_reserved(name) {
                return Ok(true);
            }
        }
    }

    /// Reads the names of the next entries.
    fn read_ahead(&mut self) -> Result<(), StorageError> {
        let mut entries = mem::take(&mut self.ahead.entries);
        entries.resize_with(LOOKED_AT_ONCE, || (unknown(), Ok(())));
        let mut count = 0;
        while count < LOOKED_AT_ONCE && self.next_name(&mut entries[count].0.name)? {
            count += 1;
        }
        self.ahead = Ahead { entries, next: 0, count, detail: Detail::Name };
        Ok(())
    }

    /// Looks at those that have been read.
    fn look(&mut self, detail: Detail) -> Result<(), StorageError> {
        let dir = self.rest.fd().map_err(errno)?;
        let entries = &mut self.ahead.entries[self.ahead.next..self.ahead.count];
        if detail == Detail::Access {
            let judge = self.judge.get_or_insert_with(|| Judge::new(&dir));
            for (Entry { name, metadata }, outcome) in entries {
                *outcome = judge.look(&dir, OsStr::from_bytes(name), metadata);
            }
        } else {
            for (Entry { name, metadata }, outcome) in entries {
                *outcome = metadata::look(&dir, OsStr::from_bytes(name), metadata);
            }
        }
        self.ahead.detail = detail;
        Ok(())
    }
}

fn unknown() -> Entry {
    Entry { name: Vec::new(), metadata: Metadata::directory() }
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
        let mut entry = unknown();
        Ok(self.next_into(&mut entry, Detail::Access)?.then_some(entry))
    }

    fn next_into(&mut self, entry: &mut Entry, detail: Detail) -> Result<bool, StorageError> {
        loop {
            if self.ahead.next == self.ahead.count {
                if detail == Detail::Name {
                    return self.next_name(&mut entry.name);
                }
                self.read_ahead()?;
                if self.ahead.count == 0 {
                    return Ok(false);
                }
            }
            if detail > self.ahead.detail {
                self.look(detail)?;
            }
            let (next, outcome) = &mut self.ahead.entries[self.ahead.next];
            self.ahead.next += 1;
            let path = || self.path.join(&next.name);
            match outcome {
                Ok(()) => {}
                // It went between being named and being looked at.
                Err(Errno::NOENT) => continue,
                Err(error) => {
                    log::debug!("listing leaves out {}: {error}", path());
                    continue;
                }
            }
            if let Kind::Symlink { .. } = next.metadata.kind {
                let (path, dir) = (path(), self.rest.fd().map_err(errno)?);
                let name = OsStr::from_bytes(&next.name);
                metadata::add_target(&mut next.metadata, &self.tree, &path, &dir, name);
            }
            mem::swap(entry, next);
            return Ok(true);
        }
    }
}
