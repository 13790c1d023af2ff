//! What of a file can be read without waiting for a disk.

use std::fs::File;
use std::io;

use rustix::io::Errno;

/// Whether one can know what of a file is in the page cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PageCache {
    /// The kernel tells.
    Known,
    /// The file is nowhere else.
    All,
    /// This file system does not tell; a network's, often.
    Unknown,
}

impl PageCache {
    /// Finds out what can be known at once.
    pub(super) fn of(file: Option<&File>) -> Self {
        match file.and_then(|file| is_cached(file, 0)) {
            Some(_) => Self::Known,
            None => Self::Unknown,
        }
    }

    /// Finds out more. Even this question a network mount may answer slowly.
    pub(super) fn look_closer(self, file: Option<&File>) -> Self {
        match self {
            Self::Unknown if file.is_some_and(is_in_memory) => Self::All,
            known => known,
        }
    }

    /// Returns `true` if the byte at `offset` can be read without waiting.
    pub(super) fn holds(self, file: &File, offset: u64) -> bool {
        match self {
            Self::Known => is_cached(file, offset).unwrap_or(false),
            Self::All => true,
            Self::Unknown => false,
        }
    }
}

/// The type of tmpfs, statfs(2).
const TMPFS_MAGIC: rustix::fs::FsWord = 0x0102_1994;

/// Returns `true` if the file lives in memory alone.
fn is_in_memory(file: &File) -> bool {
    rustix::fs::fstatfs(file).is_ok_and(|system| system.f_type == TMPFS_MAGIC)
}

/// Returns `true` if the byte at `offset` could be read without waiting; `None` when the kernel does
/// not say.
fn is_cached(file: &File, offset: u64) -> Option<bool> {
    let mut byte = [0];
    let wanted = &mut [io::IoSliceMut::new(&mut byte)];
    match rustix::io::preadv2(file, wanted, offset, rustix::io::ReadWriteFlags::NOWAIT) {
        // Beyond the end there is nothing to wait for.
        Ok(_) => Some(true),
        Err(Errno::AGAIN) => Some(false),
        Err(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_in_memory_needs_no_warming() {
        let shared = std::path::Path::new("/dev/shm");
        if let Ok(file) = tempfile::tempfile_in(shared) {
            assert!(is_in_memory(&file) || is_cached(&file, 0).is_some());
        }
    }
}
