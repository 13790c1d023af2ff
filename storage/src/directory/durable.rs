//! What a change survives once it has been acknowledged.

use std::ffi::OsStr;
use std::fmt;
use std::fs::File;
use std::io;
use std::str::FromStr;

use cap_std::fs::Dir;
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use wharf_core::StorageError;

use super::storage_error;

/// What an acknowledged change of a [`Directory`](super::Directory) survives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Durability {
    /// A power cut: files and the directories that name them are synced before the reply.
    #[default]
    Full,
    /// The end of the process, not that of the machine: the system writes when it sees fit. Errors
    /// that closing a file shows (NFS) are still reported.
    None,
}

impl Durability {
    /// Brings a written file's content to the disk, and reports errors that show late.
    pub(super) fn sync_file(self, file: &File) -> Result<(), StorageError> {
        match self {
            Self::Full => tolerant(file.sync_all()),
            // Each close of a descriptor makes a network file system write what it holds back, and
            // says what came of it. The file itself stays open: it holds a lock.
            Self::None => {
                let twin = file.try_clone().map_err(storage_error)?;
                nix::unistd::close(twin).map_err(|error| storage_error(io::Error::from(error)))
            }
        }
    }

    /// Brings the names in a directory to the disk; `name` is the one that has changed there.
    pub(super) fn sync_directory(self, dir: &Dir, name: &OsStr) -> Result<(), StorageError> {
        if self == Self::None {
            return Ok(());
        }
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        match rustix::fs::openat(dir, ".", flags, Mode::empty()) {
            Ok(readable) => tolerant(File::from(readable).sync_all()),
            // A directory that may be changed but not read, such as a drop box.
            Err(Errno::ACCESS) => sync_file_system(dir, name),
            Err(error) => Err(storage_error(io::Error::from(error))),
        }
    }

    /// Brings the time and mode of what stands at `name` to the disk, as far as it can be opened.
    pub(super) fn sync_attributes(self, dir: &Dir, name: &OsStr) -> Result<(), StorageError> {
        match open_any(dir, name) {
            Some(file) if self == Self::Full => tolerant(file.sync_all()),
            _ => Ok(()),
        }
    }
}

impl fmt::Display for Durability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full => "full",
            Self::None => "none",
        })
    }
}

impl FromStr for Durability {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "full" => Ok(Self::Full),
            "none" => Ok(Self::None),
            _ => Err("full or none is wanted".to_string()),
        }
    }
}

/// Takes a file system that cannot sync for one that has nothing to sync.
fn tolerant(outcome: io::Result<()>) -> Result<(), StorageError> {
    let error = match outcome {
        Ok(()) => return Ok(()),
        Err(error) => error,
    };
    match Errno::from_io_error(&error) {
        Some(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP | Errno::ROFS) => Ok(()),
        _ => Err(storage_error(&error)),
    }
}

/// Syncs the whole file system through what stands at `name`: all that is left where the directory
/// itself cannot be opened.
fn sync_file_system(dir: &Dir, name: &OsStr) -> Result<(), StorageError> {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    if let Some(file) = open_any(dir, name) {
        return tolerant(rustix::fs::syncfs(&file).map_err(io::Error::from));
    }
    log::debug!("a directory that cannot be read was not synced after a change of {name:?}");
    Ok(())
}

/// Opens a file or directory for whatever the process may do with it, without waiting.
fn open_any(dir: &Dir, name: &OsStr) -> Option<File> {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    [OFlags::RDONLY, OFlags::WRONLY].into_iter().find_map(|access| {
        rustix::fs::openat(dir, name, flags | access, Mode::empty()).ok().map(File::from)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_what_is_read() {
        for durability in [Durability::Full, Durability::None] {
            assert_eq!(durability.to_string().parse(), Ok(durability));
        }
        assert!("half".parse::<Durability>().is_err());
    }
}
