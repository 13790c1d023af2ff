//! Files that may be replaced while the server runs.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::error::TlsError;

/// How long a file of certificates may be, in bytes.
const MAX_LENGTH: u64 = 4 << 20;

/// A file, and what it looked like when it was last looked at.
#[derive(Clone, Debug)]
pub(super) struct Watched {
    path: PathBuf,
    stamp: Option<Stamp>,
}

/// What changes when a file is written to or replaced; none of it tells it alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    device: u64,
    inode: u64,
    length: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Watched {
    /// Reads a file. What happens to it from now on is a change.
    pub(super) fn read(path: &Path) -> Result<(Self, Vec<u8>), TlsError> {
        // First the stamp: a change while the file is read must show afterwards.
        let watched = Self { path: path.to_owned(), stamp: Stamp::of(path) };
        let mut bytes = Vec::new();
        let unreadable = |error| TlsError::Unreadable { file: watched.name(), error };
        let file = File::open(path).map_err(unreadable)?;
        let length = file.take(MAX_LENGTH + 1).read_to_end(&mut bytes).map_err(unreadable)?;
        if length as u64 > MAX_LENGTH {
            return Err(unreadable(io::ErrorKind::FileTooLarge.into()));
        }
        Ok((watched, bytes))
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The file's name for people.
    pub(super) fn name(&self) -> String {
        self.path.display().to_string()
    }

    /// Returns `true` if something happened to the file since the last look.
    pub(super) fn has_changed(&self) -> bool {
        Stamp::of(&self.path) != self.stamp
    }

    /// Looks at the file.
    pub(super) fn look(&mut self) {
        self.stamp = Stamp::of(&self.path);
    }
}

impl Stamp {
    fn of(path: &Path) -> Option<Self> {
        let metadata = fs::metadata(path).ok()?;
        Some(Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            length: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        })
    }
}
