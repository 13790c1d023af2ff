//! A file that is written beside the one whose place it takes in the end.

use std::fs::File;
use std::io::{self, Seek, Write};
use std::os::fd::BorrowedFd;

use rustix::fs::OFlags;
use rustix::io::Errno;
use wharf_core::{Disposition, StorageError};

use super::super::attributes::{carry, set_mode};
use super::super::durable::Durability;
use super::super::read::open_regular;
use super::super::stat::{Stamp, Stat};
use super::super::temporary::{PRIVATE, Temporary};
use super::super::{Spot, errno, storage_error};
use super::{is_for_want_of_space, splice};
use crate::WriteFile;

/// How often a name is looked at anew that others change at the same time.
const ATTEMPTS: usize = 8;

/// An upload whose name shows nothing of it before it is whole.
pub(super) struct Beside {
    temporary: Temporary,
    target: Spot,
    durability: Durability,
    existed: bool,
    /// Nothing may stand under the name in the end.
    fresh: bool,
    is_empty: bool,
    is_synced: bool,
    /// How many bytes more can be written, and freed again, without waiting.
    room: u64,
    /// Whose attributes the new file has, and as of when.
    carried: Option<Stamp>,
    /// What went wrong. A second attempt to sync may succeed though bytes are lost.
    failed: Option<StorageError>,
}

impl Beside {
    pub(super) fn create(
        target: Spot,
        durability: Durability,
        old: Option<&Stat>,
        fresh: bool,
        room: u64,
    ) -> Result<Self, StorageError> {
        let old_mode = old.map(|old| old.mode);
        let temporary = Temporary::create(target.dir.clone(), &target.name, old_mode)?;
        Ok(Self {
            temporary,
            target,
            durability,
            existed: old.is_some(),
            fresh,
            is_empty: true,
            is_synced: false,
            room,
            carried: None,
            failed: None,
        })
    }

    /// Counts what was written.
    fn wrote(&mut self, count: usize) {
        self.room = self.room.saturating_sub(count as u64);
        self.is_empty &= count == 0;
        self.is_synced = false;
    }

    /// Remembers what went wrong.
    fn note<T>(&mut self, outcome: Result<T, StorageError>) -> Result<T, StorageError> {
        outcome.inspect_err(|error| self.failed = Some(*error))
    }

    /// Returns what stands at the name now: a regular file, or a link, which is replaced like one.
    fn there(&self, spot: &Spot) -> Result<Option<Stat>, StorageError> {
        match spot.stat() {
            Ok(stat) if stat.is_dir() => Err(StorageError::IsADirectory),
            Ok(stat) if stat.is_file() || stat.is_symlink() => Ok(Some(stat)),
            Ok(_) => Err(StorageError::NotRegular),
            Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(errno(error)),
        }
    }

    /// Gives the new file the attributes of the one that stands there. Returns `true` if all could
    /// be kept and a rename loses nothing.
    fn carry(&mut self, spot: &Spot, stat: &Stat) -> bool {
        if !stat.is_file() {
            return true;
        }
        // A file of several names would have one less, and the others the old content.
        if stat.links > 1 {
            return false;
        }
        if self.carried == Some(stat.stamp()) {
            return true;
        }
        self.is_synced = false;
        self.carried = None;
        let mut old = [OFlags::RDONLY, OFlags::WRONLY].into_iter();
        let Some((old, facts)) = old.find_map(|access| open_regular(spot, access).ok()) else {
            return false;
        };
        match carry(&old, &facts, &self.temporary.file) {
            Ok(()) => {
                // As of before it was read: what has changed since is another state.
                self.carried = Some(facts.stamp());
                true
            }
            Err(error) => {
                log::debug!("a replaced file is written in place, to keep what it has: {error}");
                false
            }
        }
    }

    /// Leaves the file to the process's user alone where it does not have the attributes of the one
    /// that stood there: a user that could not read the old content is not to read the new one.
    fn conceal(&mut self) {
        if !self.existed || self.carried.is_some() {
            return;
        }
        self.is_synced = false;
        if let Err(error) = set_mode(&self.temporary.file, PRIVATE) {
            log::debug!("the file system keeps the mode of a new file: {error}");
        }
    }

    fn synced(&mut self) -> Result<(), StorageError> {
        if !self.is_synced && !self.is_in_memory() {
            let outcome = self.durability.sync_file(&self.temporary.file);
            self.note(outcome)?;
            self.is_synced = true;
        }
        Ok(())
    }

    fn sync_names(&self) -> Result<(), StorageError> {
        if self.is_in_memory() {
            return Ok(());
        }
        self.durability.sync_directory(&self.target.dir, &self.target.name)
    }

    fn publish(&mut self) -> Result<(), StorageError> {
        // Where nothing stood before, most likely nothing stands there now: the link says so.
        if self.fresh || !self.existed && self.temporary.is_unnamed() {
            self.synced()?;
            match self.temporary.take_free(&self.target.name) {
                Err(Errno::EXIST) if !self.fresh => {}
                Err(error) => return Err(errno(error)),
                Ok(()) => return self.sync_names(),
            }
        }
        let spot = self.target.clone();
        for _ in 0..ATTEMPTS {
            let there = self.there(&spot)?;
            if let Some(stat) = &there
                && !self.carry(&spot, stat)
            {
                return self.copy(&spot);
            }
            self.conceal();
            // Syncing takes its time: what was carried may have changed.
            let now = if self.is_synced || self.is_in_memory() {
                there
            } else {
                self.synced()?;
                self.there(&spot)?
            };
            if there.map(|stat| stat.stamp()) != now.map(|stat| stat.stamp()) {
                continue;
            }
            return match self.temporary.replace(&self.target.name, now.is_some()) {
                Ok(()) => self.sync_names(),
                // Another's file in a sticky directory, a mount point, an attribute: what cannot be
                // replaced may still be written to.
                Err(Errno::PERM | Errno::ACCESS | Errno::BUSY | Errno::XDEV)
                    if now.is_some_and(|stat| stat.is_file()) =>
                {
                    self.copy(&spot)
                }
                Err(error) => Err(errno(error)),
            };
        }
        Err(StorageError::Busy)
    }

    /// Writes the content, which is whole by now, over that of the file that stands there.
    fn copy(&mut self, spot: &Spot) -> Result<(), StorageError> {
        let (mut old, stat) = open_regular(spot, OFlags::WRONLY)?;
        let new = &mut self.temporary.file;
        let length = new.metadata().map_err(storage_error)?.len();
        new.rewind().map_err(storage_error)?;
        // A disk that becomes full is to say so before anything is overwritten.
        reserve(&old, length).inspect_err(|_| {
            let _ = old.set_len(stat.size);
        })?;
        let copied = io::copy(new, &mut old).and_then(|_| old.set_len(length));
        copied.map_err(storage_error)?;
        self.durability.sync_file(&old)
    }
}

impl WriteFile for Beside {
    fn existed(&self) -> bool {
        self.existed
    }

    fn is_in_memory(&self) -> bool {
        self.room > 0
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), StorageError> {
        let written = self.temporary.file.write_all(bytes).map_err(storage_error);
        self.wrote(bytes.len());
        self.note(written)
    }

    fn write_from_pipe(
        &mut self,
        pipe: BorrowedFd<'_>,
        count: usize,
    ) -> Option<Result<usize, StorageError>> {
        let outcome = splice(&self.temporary.file, pipe, count)?;
        self.wrote(*outcome.as_ref().unwrap_or(&0));
        Some(self.note(outcome))
    }

    fn sync(&mut self) -> Result<(), StorageError> {
        if let Some(failed) = self.failed {
            return Err(failed);
        }
        if self.is_in_memory() {
            return Ok(());
        }
        // Attributes first, so that they are synced with the content. That they cannot all be kept,
        // or that something odd has come to stand there, is for the end to say.
        if !self.fresh {
            let spot = self.target.clone();
            if let Ok(Some(stat)) = self.there(&spot) {
                self.carry(&spot, &stat);
            }
        }
        self.synced()
    }

    fn finish(mut self: Box<Self>, disposition: Disposition) -> Result<(), StorageError> {
        match disposition {
            Disposition::Publish => match self.failed {
                Some(failed) => Err(failed),
                None => self.publish(),
            },
            // What is left of an upload that filled the disk would keep it full.
            Disposition::KeepPartial
                if self.is_empty || self.failed.is_some_and(is_for_want_of_space) =>
            {
                Ok(())
            }
            Disposition::KeepPartial => {
                self.conceal();
                self.synced()?;
                match self.temporary.take_free(&self.target.name) {
                    Ok(()) => self.sync_names(),
                    Err(Errno::EXIST) => Ok(()),
                    Err(error) => Err(errno(error)),
                }
            }
            Disposition::Discard => Ok(()),
        }
    }
}

/// Makes sure of the room for so many bytes, where the file system can.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn reserve(file: &File, length: u64) -> Result<(), StorageError> {
    if length == 0 {
        return Ok(());
    }
    match rustix::fs::fallocate(file, rustix::fs::FallocateFlags::KEEP_SIZE, 0, length) {
        Err(error) if is_for_want_of_space(errno(error)) => Err(errno(error)),
        _ => Ok(()),
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn reserve(_: &File, _: u64) -> Result<(), StorageError> {
    Ok(())
}
