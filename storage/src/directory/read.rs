//! Reading a file of a folder.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use rustix::fs::{Mode, OFlags};
use wharf_core::StorageError;

use super::{Spot, errno, storage_error};
use crate::ReadFile;

/// A regular file open for reading.
pub(super) struct Reader {
    file: File,
    size: u64,
}

impl Reader {
    /// Opens the file at `spot`, where a regular file was seen a moment ago.
    ///
    /// Should something else have come there since, it is not followed, does not block, and is
    /// refused.
    pub(super) fn open(spot: &Spot) -> Result<Self, StorageError> {
        let flags = OFlags::RDONLY | OFlags::CLOEXEC;
        let file = open_regular(spot, flags)?;
        let size = file.metadata().map_err(storage_error)?.len();
        // Only advice: the file is as good without it.
        #[cfg(target_os = "linux")]
        let _ = rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::Sequential);
        Ok(Self { file, size })
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
}

/// Opens a regular file, and nothing else: a link is not followed, a FIFO not waited for, a
/// terminal not taken over. A new file gets the mode that the process's umask leaves of `0o666`.
pub(super) fn open_regular(spot: &Spot, flags: OFlags) -> Result<File, StorageError> {
    let flags = flags | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = rustix::fs::openat(&spot.dir, &spot.name, flags, Mode::from_raw_mode(0o666))
        .map_err(errno)?;
    let file = File::from(file);
    let kind = file.metadata().map_err(storage_error)?.file_type();
    if kind.is_dir() {
        Err(StorageError::IsADirectory)
    } else if !kind.is_file() {
        Err(StorageError::NotRegular)
    } else {
        Ok(file)
    }
}
