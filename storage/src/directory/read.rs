//! Reading a file of a folder.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use rustix::fs::{Mode, OFlags};
use wharf_core::StorageError;

use super::stat::Stat;
use super::{Medium, Spot, errno, metadata, storage_error};
use crate::ReadFile;

/// From so many bytes on a file is read further ahead.
#[cfg(target_os = "linux")]
const LARGE: u64 = 128 * 1024;

/// What the kernel holds at once, in bytes, or more.
const PAGE: u64 = 4096;

/// A regular file open for reading.
pub(super) struct Reader {
    file: File,
    size: u64,
    /// It was opened without waiting, from here.
    at_once: Option<Medium>,
}

impl Reader {
    /// Opens the file at `spot`, where a regular file was seen a moment ago.
    ///
    /// Should something else have come there since, it is not followed, does not block, and is
    /// refused.
    pub(super) fn open(spot: &Spot) -> Result<Self, StorageError> {
        let (file, stat) = open_regular(spot, OFlags::RDONLY)?;
        Ok(Self::new(file, stat.size, None))
    }

    /// Takes a file that was opened without waiting; what is no regular file is
    /// [`StorageError::WouldBlock`].
    #[cfg(target_os = "linux")]
    pub(super) fn at_once(file: File, medium: Medium) -> Result<Self, StorageError> {
        match Stat::of(&file) {
            Ok(stat) if stat.is_file() => Ok(Self::new(file, stat.size, Some(medium))),
            _ => Err(StorageError::WouldBlock),
        }
    }

    fn new(file: File, size: u64, at_once: Option<Medium>) -> Self {
        // Only advice: the file is as good without it, and a small one is read as a whole anyway.
        #[cfg(target_os = "linux")]
        if size > LARGE {
            let _ = rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::Sequential);
        }
        Self { file, size, at_once }
    }
}

impl ReadFile for Reader {
    fn size(&self) -> u64 {
        self.size
    }

    fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> Result<usize, StorageError> {
        loop {
            match self.file.read_at(buffer, offset) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => return result.map_err(storage_error),
            }
        }
    }

    fn as_file(&self) -> Option<&File> {
        Some(&self.file)
    }

    fn is_at_hand(&self, offset: u64, length: u64) -> bool {
        if let Some(Medium::Memory { .. }) = self.at_once {
            return true;
        }
        let last = offset + length - 1;
        is_cached(&self.file, last) && (length <= PAGE || is_cached(&self.file, offset))
    }

    /// The last one to close a file that has been removed frees what it took.
    fn closes_at_once(&self) -> bool {
        self.at_once.is_some() && rustix::fs::fstat(&self.file).is_ok_and(|stat| stat.st_nlink > 0)
    }
}

/// Returns `true` if the byte at `offset` can be read without waiting, as far as the kernel says. What
/// stands between two such bytes has most likely been read with them.
#[cfg(target_os = "linux")]
fn is_cached(file: &File, offset: u64) -> bool {
    let mut byte = [0];
    let wanted = &mut [io::IoSliceMut::new(&mut byte)];
    rustix::io::preadv2(file, wanted, offset, rustix::io::ReadWriteFlags::NOWAIT).is_ok()
}

#[cfg(not(target_os = "linux"))]
fn is_cached(_: &File, _: u64) -> bool {
    false
}

/// Opens a regular file, and nothing else: a link is not followed, a FIFO not waited for, a
/// terminal not taken over. Returns what is known of it too. A new file gets the mode that the process's umask leaves of `0o666`.
pub(super) fn open_regular(spot: &Spot, flags: OFlags) -> Result<(File, Stat), StorageError> {
    let flags = flags | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = rustix::fs::openat(&spot.dir, &spot.name, flags, Mode::from_raw_mode(0o666))
        .map_err(errno)?;
    let file = File::from(file);
    let stat = Stat::of(&file).map_err(errno)?;
    metadata::regular(&stat)?;
    Ok((file, stat))
}
