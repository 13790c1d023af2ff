//! A file in memory, and the space that all files share.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use wharf_core::{StorageError, WallTime};

use crate::wall_time;

/// A file; what has it open holds it even when its name is gone.
pub(super) type SharedFile = Arc<Mutex<File>>;

/// Locks a file. The tree's own lock, where it is needed too, is taken first.
pub(super) fn lock_file(file: &SharedFile) -> MutexGuard<'_, File> {
    file.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What files and directories have in common.
#[derive(Clone, Copy, Debug)]
pub(super) struct Attributes {
    /// The node's number, which no other of its tree has.
    pub(super) number: u64,
    pub(super) modified: WallTime,
    pub(super) mode: u32,
}

impl Attributes {
    pub(super) fn new(number: u64, mode: u32) -> Self {
        Self { number, modified: wall_time(SystemTime::now()), mode }
    }

    pub(super) fn touch(&mut self) {
        self.modified = wall_time(SystemTime::now());
    }

    /// Returns `true` if the owner has all the rights in `bits`, such as `0o200`.
    pub(super) fn allows(&self, bits: u32) -> bool {
        self.mode & bits == bits
    }
}

/// The bytes that all files hold together, also those whose names are gone but that are still
/// open for writing.
#[derive(Debug)]
pub(super) struct Space {
    limit: AtomicU64,
    used: AtomicU64,
}

impl Default for Space {
    fn default() -> Self {
        Self { limit: AtomicU64::new(u64::MAX), used: AtomicU64::new(0) }
    }
}

impl Space {
    pub(super) fn limit(&self, bytes: u64) {
        self.limit.store(bytes, Ordering::Relaxed);
    }

    /// Returns how many bytes are left, or `None` where there is no limit.
    pub(super) fn left(&self) -> Option<u64> {
        let limit = self.limit.load(Ordering::Relaxed);
        let used = self.used.load(Ordering::Relaxed);
        (limit != u64::MAX).then(|| limit.saturating_sub(used))
    }

    fn take(&self, bytes: u64) -> Result<(), StorageError> {
        let limit = self.limit.load(Ordering::Relaxed);
        let more = |used: u64| used.checked_add(bytes).filter(|&used| bytes == 0 || used <= limit);
        let taken = self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
        taken.map(drop).map_err(|_| StorageError::QuotaExceeded)
    }

    fn give_back(&self, bytes: u64) {
        self.used.fetch_sub(bytes, Ordering::Relaxed);
    }
}

/// A file's content and attributes.
#[derive(Debug)]
pub(super) struct File {
    pub(super) attributes: Attributes,
    content: Arc<Vec<u8>>,
    space: Arc<Space>,
}

impl File {
    /// Makes an empty file that has no name yet.
    pub(super) fn new(attributes: Attributes, space: Arc<Space>) -> Self {
        Self { attributes, content: Arc::default(), space }
    }

    pub(super) fn content(&self) -> &[u8] {
        &self.content
    }

    /// Returns the content as it is now; later writes do not change it.
    pub(super) fn share(&self) -> Arc<Vec<u8>> {
        Arc::clone(&self.content)
    }

    pub(super) fn truncate(&mut self) {
        self.space.give_back(self.content.len() as u64);
        self.content = Arc::default();
        self.attributes.touch();
    }

    /// Cuts off what is beyond so many bytes.
    pub(super) fn cut(&mut self, length: usize) {
        let beyond = self.content.len().saturating_sub(length);
        self.space.give_back(beyond as u64);
        Arc::make_mut(&mut self.content).truncate(length);
    }

    /// Writes over what is at `position` and after; a position beyond the end leaves zeros.
    /// Where the space does not suffice nothing is written.
    pub(super) fn write(&mut self, position: usize, bytes: &[u8]) -> Result<(), StorageError> {
        let end = position.checked_add(bytes.len()).ok_or(StorageError::QuotaExceeded)?;
        let size = self.content.len().max(end);
        self.space.take((size - self.content.len()) as u64)?;
        let content = Arc::make_mut(&mut self.content);
        content.resize(size, 0);
        content[position..end].copy_from_slice(bytes);
        self.attributes.touch();
        Ok(())
    }
}

impl Drop for File {
    fn drop(&mut self) {
        self.space.give_back(self.content.len() as u64);
    }
}
