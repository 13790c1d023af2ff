//! Open files and directories of a tree in memory.

use std::sync::{Arc, Mutex, PoisonError};
use std::vec;

use wharf_core::{Disposition, Entry, StorageError, VirtualPath};

use super::file::{SharedFile, lock_file};
use super::tree::Tree;
use crate::storage::{Entries, ReadFile, WriteFile};

/// The entries that a directory had when it was opened.
pub(super) struct Listing(vec::IntoIter<Entry>);

impl Listing {
    pub(super) fn new(entries: Vec<Entry>) -> Self {
        Self(entries.into_iter())
    }
}

impl Entries for Listing {
    fn next(&mut self) -> Result<Option<Entry>, StorageError> {
        Ok(self.0.next())
    }
}

/// The content that a file had when it was opened.
pub(super) struct Snapshot(Arc<Vec<u8>>);

impl Snapshot {
    pub(super) fn new(content: Arc<Vec<u8>>) -> Self {
        Self(content)
    }
}

impl ReadFile for Snapshot {
    fn size(&self) -> u64 {
        self.0.len() as u64
    }

    fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> Result<usize, StorageError> {
        let offset = usize::try_from(offset).unwrap_or(usize::MAX);
        let rest = self.0.get(offset..).unwrap_or_default();
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        Ok(count)
    }
}

/// A file that is written in place.
pub(super) struct Writer {
    file: SharedFile,
    /// Where the next bytes go, or `None` for the end, wherever that is by then.
    position: Option<usize>,
    existed: bool,
    /// The file came into being for this: it goes again if it is still empty, and nothing came of
    /// it.
    placeholder: Option<Placeholder>,
}

/// Where a file was created.
pub(super) struct Placeholder {
    pub(super) tree: Arc<Mutex<Tree>>,
    pub(super) path: VirtualPath,
}

impl Writer {
    /// Writes to a file that existed, or that was created at `placeholder`.
    pub(super) fn new(
        file: SharedFile,
        position: Option<usize>,
        placeholder: Option<Placeholder>,
    ) -> Self {
        let existed = placeholder.is_none();
        Self { file, position, existed, placeholder }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        let Some(Placeholder { tree, path }) = self.placeholder.take() else { return };
        let mut tree = tree.lock().unwrap_or_else(PoisonError::into_inner);
        let still_there = tree.find_file(&path).is_ok_and(|file| Arc::ptr_eq(file, &self.file));
        if still_there && lock_file(&self.file).content().is_empty() {
            let _ = tree.detach(&path);
        }
    }
}

impl WriteFile for Writer {
    fn existed(&self) -> bool {
        self.existed
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), StorageError> {
        let mut file = lock_file(&self.file);
        let position = self.position.unwrap_or(file.content().len());
        file.write(position, bytes)?;
        if let Some(position) = &mut self.position {
            *position += bytes.len();
        }
        Ok(())
    }

    fn finish(mut self: Box<Self>, disposition: Disposition) -> Result<(), StorageError> {
        if disposition != Disposition::Discard {
            self.placeholder = None;
        }
        Ok(())
    }
}

/// A file that is written where nobody sees it, and put in its place in the end.
pub(super) struct Aside {
    tree: Arc<Mutex<Tree>>,
    path: VirtualPath,
    file: SharedFile,
    existed: bool,
    /// Nothing is to be replaced.
    only_new: bool,
}

impl Aside {
    pub(super) fn new(
        tree: Arc<Mutex<Tree>>,
        path: VirtualPath,
        file: SharedFile,
        existed: bool,
        only_new: bool,
    ) -> Self {
        Self { tree, path, file, existed, only_new }
    }
}

impl WriteFile for Aside {
    fn existed(&self) -> bool {
        self.existed
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), StorageError> {
        let mut file = lock_file(&self.file);
        let end = file.content().len();
        file.write(end, bytes)
    }

    fn finish(self: Box<Self>, disposition: Disposition) -> Result<(), StorageError> {
        let mut tree = self.tree.lock().unwrap_or_else(PoisonError::into_inner);
        match disposition {
            Disposition::Publish if self.only_new && tree.exists(&self.path) => {
                Err(StorageError::AlreadyExists)
            }
            Disposition::Publish => tree.attach_file(&self.path, self.file),
            Disposition::KeepPartial if !tree.exists(&self.path) => {
                tree.attach_file(&self.path, self.file)
            }
            Disposition::KeepPartial | Disposition::Discard => Ok(()),
        }
    }
}
