//! The directories that a listing is made of.

use std::sync::Arc;
use std::time::{Duration, Instant};

use wharf_core::{Detail, Entry, ListedTree, StorageError, VirtualPath};
use wharf_storage::{Entries, Storage};

/// A directory that is open, and the storage in which a recursive listing opens others.
pub(crate) struct OpenTree {
    entries: Box<dyn Entries>,
    recursion: Option<Recursion>,
}

struct Recursion {
    storage: Arc<dyn Storage>,
    /// How long its calls took before those that are made now.
    spent: Duration,
    /// When these began.
    begin: Instant,
}

impl OpenTree {
    /// Begins with this directory; without a storage it is the only one.
    pub(super) fn new(entries: Box<dyn Entries>, storage: Option<Arc<dyn Storage>>) -> Self {
        let recursion = storage.map(|storage| Recursion {
            storage,
            spent: Duration::ZERO,
            begin: Instant::now(),
        });
        Self { entries, recursion }
    }

    /// Counts the time from now on. [`end`](Self::end) counts it up to then: what comes between two
    /// portions is the client's.
    pub(super) fn begin(&mut self) {
        if let Some(recursion) = &mut self.recursion {
            recursion.begin = Instant::now();
        }
    }

    /// See [`begin`](Self::begin).
    pub(super) fn end(&mut self) {
        if let Some(recursion) = &mut self.recursion {
            recursion.spent += recursion.begin.elapsed();
        }
    }
}

impl ListedTree for OpenTree {
    fn next(&mut self, entry: &mut Entry, detail: Detail) -> Result<bool, StorageError> {
        self.entries.next_into(entry, detail)
    }

    fn open(&mut self, path: &VirtualPath) -> Result<(), StorageError> {
        let recursion = self.recursion.as_ref().ok_or(StorageError::Unsupported)?;
        self.entries = recursion.storage.open_directory(path)?;
        Ok(())
    }

    fn time_spent(&self) -> Duration {
        self.recursion.as_ref().map_or(Duration::ZERO, |one| one.spent + one.begin.elapsed())
    }
}
