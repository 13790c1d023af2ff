//! The directories that a listing is made of.

use std::sync::Arc;
use std::time::{Duration, Instant};

use wharf_core::{Detail, Entry, ListedTree, StorageError, VirtualPath};
use wharf_storage::{Entries, Storage};

/// A directory that is open, and the storage in which the listing opens others.
pub(crate) struct OpenTree {
    entries: Box<dyn Entries>,
    opener: Option<Opener>,
}

/// Where directories are opened, and how long it has taken.
struct Opener {
    storage: Arc<dyn Storage>,
    /// How long its calls took before those that are made now.
    spent: Duration,
    /// When these began.
    begin: Instant,
}

impl OpenTree {
    /// Begins with this directory; without a storage it is the only one.
    pub(super) fn new(entries: Box<dyn Entries>, storage: Option<Arc<dyn Storage>>) -> Self {
        let opener =
            storage.map(|storage| Opener { storage, spent: Duration::ZERO, begin: Instant::now() });
        Self { entries, opener }
    }

    /// Counts the time from now on. [`end`](Self::end) counts it up to then: what comes between two
    /// portions is the client's.
    pub(super) fn begin(&mut self) {
        if let Some(opener) = &mut self.opener {
            opener.begin = Instant::now();
        }
    }

    /// See [`begin`](Self::begin).
    pub(super) fn end(&mut self) {
        if let Some(opener) = &mut self.opener {
            opener.spent += opener.begin.elapsed();
        }
    }
}

impl ListedTree for OpenTree {
    fn next(&mut self, entry: &mut Entry, detail: Detail) -> Result<bool, StorageError> {
        self.entries.next_into(entry, detail)
    }

    fn open(&mut self, path: &VirtualPath) -> Result<(), StorageError> {
        let opener = self.opener.as_ref().ok_or(StorageError::Unsupported)?;
        self.entries = opener.storage.open_directory(path)?;
        Ok(())
    }

    fn time_spent(&self) -> Duration {
        self.opener.as_ref().map_or(Duration::ZERO, |one| one.spent + one.begin.elapsed())
    }
}
