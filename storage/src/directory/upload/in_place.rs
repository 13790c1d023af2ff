//! A file that is written where it stands.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::os::fd::BorrowedFd;
use std::sync::Arc;

use cap_std::fs::Dir;
use rustix::fs::OFlags;
use wharf_core::{Disposition, StorageError, WriteMode};

use super::super::durable::Durability;
use super::super::read::open_regular;
use super::super::stat::Stat;
use super::super::temporary::remove_own;
use super::super::{Spot, storage_error};
use super::{EMPTIED_AT_ONCE, is_for_want_of_space, splice};
use crate::WriteFile;

/// How often a file is opened that comes and goes.
const ATTEMPTS: usize = 8;

/// An upload whose bytes are seen as they come.
///
/// What was written into a file that was there stays, however the transfer ends. A file that came
/// into being for this goes unless it is kept.
pub(super) struct InPlace {
    file: File,
    /// As of when it was opened.
    opened: Stat,
    dir: Arc<Dir>,
    name: OsString,
    durability: Durability,
    /// The file came into being for this, and nothing has been decided yet.
    is_new: bool,
    existed: bool,
    /// Where the next byte goes; `None` for the end, wherever that is by then.
    position: Option<u64>,
    written: u64,
    is_synced: bool,
    /// How many bytes more can be written, and freed again, without waiting.
    room: u64,
    failed: Option<StorageError>,
}

impl InPlace {
    pub(super) fn open(
        spot: Spot,
        mode: &WriteMode,
        durability: Durability,
        existed: bool,
        room: u64,
    ) -> Result<Self, StorageError> {
        let (file, opened, is_new) = open(&spot, mode, existed)?;
        let before = opened.size;
        if room > 0 && before > EMPTIED_AT_ONCE && matches!(mode, WriteMode::Replace { .. }) {
            return Err(StorageError::WouldBlock);
        }
        let position = match *mode {
            WriteMode::Append { .. } => None,
            WriteMode::ResumeAt(offset) if offset > before => return Err(StorageError::BadOffset),
            WriteMode::ResumeAt(offset) => Some(offset),
            WriteMode::Replace { .. } | WriteMode::Create { .. } => Some(0),
        };
        let Spot { dir, name } = spot;
        let mut upload = Self {
            file,
            opened,
            dir,
            name,
            durability,
            is_new,
            existed: !is_new,
            position,
            written: 0,
            is_synced: false,
            room,
            failed: None,
        };
        let outcome = match *mode {
            WriteMode::Replace { .. } if !is_new => upload.file.set_len(0),
            WriteMode::ResumeAt(offset) => upload.file.seek(SeekFrom::Start(offset)).map(drop),
            _ => Ok(()),
        };
        outcome.map_err(storage_error)?;
        Ok(upload)
    }

    fn note<T>(&mut self, outcome: Result<T, StorageError>) -> Result<T, StorageError> {
        outcome.inspect_err(|error| {
            self.failed = Some(*error);
            if is_for_want_of_space(*error) {
                self.give_room_back();
            }
        })
    }

    /// Makes a file that was there no longer than it was: a full disk is not kept full by what is
    /// of no use. Where others have written meanwhile, all stays.
    fn give_room_back(&self) {
        let end = match self.position {
            None => self.opened.size + self.written,
            Some(position) => position.max(self.opened.size),
        };
        if !self.is_new
            && end > self.opened.size
            && self.file.metadata().is_ok_and(|stat| stat.len() <= end)
            && let Err(error) = self.file.set_len(self.opened.size)
        {
            log::debug!("what a failed upload has written stays: {error}");
        }
    }

    fn synced(&mut self) -> Result<(), StorageError> {
        if let Some(failed) = self.failed {
            return Err(failed);
        }
        if !self.is_synced && !self.is_in_memory() {
            let outcome = self.durability.sync_file(&self.file);
            self.note(outcome)?;
            self.is_synced = true;
        }
        Ok(())
    }

    /// Syncs the name of a new file, which stays from now on.
    fn keep(&mut self) -> Result<(), StorageError> {
        self.synced()?;
        if std::mem::take(&mut self.is_new) && !self.is_in_memory() {
            self.durability.sync_directory(&self.dir, &self.name)?;
        }
        Ok(())
    }

    /// Counts what was written.
    fn wrote(&mut self, count: usize) {
        self.written += count as u64;
        self.room = self.room.saturating_sub(count as u64);
        self.position = self.position.map(|position| position + count as u64);
    }

    fn write_all(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            match self.file.write(bytes) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => {
                    bytes = &bytes[count..];
                    self.wrote(count);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

impl WriteFile for InPlace {
    fn existed(&self) -> bool {
        self.existed
    }

    fn is_in_memory(&self) -> bool {
        self.room > 0
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), StorageError> {
        self.is_synced = false;
        let written = self.write_all(bytes).map_err(storage_error);
        self.note(written)
    }

    fn write_from_pipe(
        &mut self,
        pipe: BorrowedFd<'_>,
        count: usize,
    ) -> Option<Result<usize, StorageError>> {
        self.is_synced = false;
        let outcome = splice(&self.file, pipe, count)?;
        self.wrote(*outcome.as_ref().unwrap_or(&0));
        Some(self.note(outcome))
    }

    fn sync(&mut self) -> Result<(), StorageError> {
        self.synced()
    }

    fn finish(mut self: Box<Self>, disposition: Disposition) -> Result<(), StorageError> {
        match disposition {
            Disposition::Publish => {
                self.keep()?;
                match Stat::at(&self.dir, &self.name) {
                    Ok(there) if there.is_same_file(&self.opened) => Ok(()),
                    _ => Err(StorageError::Displaced),
                }
            }
            Disposition::KeepPartial
                if self.written == 0 || self.failed.is_some_and(is_for_want_of_space) =>
            {
                Ok(())
            }
            Disposition::KeepPartial => {
                let kept = self.keep();
                // Better what came than nothing, though the disk has its troubles.
                self.is_new = false;
                kept
            }
            Disposition::Discard => Ok(()),
        }
    }
}

impl Drop for InPlace {
    fn drop(&mut self) {
        if self.is_new {
            remove_own(&self.dir, &self.name, &self.file, self.written);
        }
    }
}

/// Opens the file, or creates it; returns `true` if it was created. What is tried first is what fits
/// whether it `existed` a moment ago.
fn open(spot: &Spot, mode: &WriteMode, existed: bool) -> Result<(File, Stat, bool), StorageError> {
    let append = matches!(mode, WriteMode::Append { .. });
    let flags = OFlags::WRONLY | if append { OFlags::APPEND } else { OFlags::empty() };
    let must_be_new = matches!(mode, WriteMode::Create { .. });
    let mut exists = existed && !must_be_new;
    for _ in 0..ATTEMPTS {
        if exists {
            match open_regular(spot, flags) {
                Err(StorageError::NotFound) if mode.may_create() => {}
                outcome => return outcome.map(|(file, stat)| (file, stat, false)),
            }
        }
        match open_regular(spot, flags | OFlags::CREATE | OFlags::EXCL) {
            Ok((file, stat)) => return Ok((file, stat, true)),
            Err(StorageError::AlreadyExists) if !must_be_new => exists = true,
            Err(StorageError::NotFound) => return Err(spot.refused()),
            Err(error) => return Err(error),
        }
    }
    Err(StorageError::Busy)
}
