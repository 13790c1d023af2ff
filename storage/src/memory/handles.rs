//! Files of a tree in memory that are open for writing.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use wharf_core::{Disposition, StorageError, VirtualPath};

use super::file::{SharedFile, lock_file};
use super::tree::Tree;
use crate::WriteFile;

/// Where a file is written.
pub(super) struct Place {
    pub(super) tree: Arc<Mutex<Tree>>,
    pub(super) path: VirtualPath,
}

impl Place {
    fn lock(&self) -> MutexGuard<'_, Tree> {
        self.tree.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A file that is written in place: the same rules as in a folder of the machine.
pub(super) struct Writer {
    file: SharedFile,
    place: Place,
    /// Where the next bytes go, or `None` for the end, wherever that is by then.
    position: Option<usize>,
    existed: bool,
    /// The file came into being for this, and goes unless it is kept.
    is_new: bool,
    /// How long the file was before.
    before: usize,
    written: usize,
    failed: Option<StorageError>,
}

impl Writer {
    /// Writes to a file that had so many bytes before, or that was created if it had not `existed`.
    pub(super) fn new(
        file: SharedFile,
        place: Place,
        position: Option<usize>,
        before: usize,
        existed: bool,
    ) -> Self {
        let is_new = !existed;
        Self { file, place, position, existed, is_new, before, written: 0, failed: None }
    }

    fn is_there(&self, tree: &Tree) -> bool {
        tree.find_file(&self.place.path).is_ok_and(|file| Arc::ptr_eq(file, &self.file))
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        if !self.is_new {
            return;
        }
        let mut tree = self.place.lock();
        // Where others have written meanwhile, it stays.
        if self.is_there(&tree) && lock_file(&self.file).content().len() == self.written {
            let _ = tree.detach(&self.place.path);
        }
    }
}

impl WriteFile for Writer {
    fn existed(&self) -> bool {
        self.existed
    }

    fn is_in_memory(&self) -> bool {
        true
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), StorageError> {
        let mut file = lock_file(&self.file);
        let position = self.position.unwrap_or(file.content().len());
        if let Err(error) = file.write(position, bytes) {
            // What is of no use does not keep the space full.
            let end = self.position.unwrap_or(self.before + self.written).max(self.before);
            if !self.is_new && file.content().len() == end {
                file.cut(self.before);
            }
            self.failed = Some(error);
            return Err(error);
        }
        self.written += bytes.len();
        if let Some(position) = &mut self.position {
            *position += bytes.len();
        }
        Ok(())
    }

    fn finish(mut self: Box<Self>, disposition: Disposition) -> Result<(), StorageError> {
        match disposition {
            Disposition::Publish => {
                if let Some(failed) = self.failed {
                    return Err(failed);
                }
                self.is_new = false;
                let is_there = self.is_there(&self.place.lock());
                if is_there { Ok(()) } else { Err(StorageError::Displaced) }
            }
            Disposition::KeepPartial => {
                self.is_new &= self.written == 0 || self.failed.is_some();
                Ok(())
            }
            Disposition::Discard => Ok(()),
        }
    }
}

/// A file that is written where nothing of it is seen, and put in its place in the end.
pub(super) struct Aside {
    place: Place,
    file: SharedFile,
    existed: bool,
    /// Nothing is to be replaced.
    only_new: bool,
    failed: Option<StorageError>,
}

impl Aside {
    pub(super) fn new(place: Place, file: SharedFile, existed: bool, only_new: bool) -> Self {
        Self { place, file, existed, only_new, failed: None }
    }
}

impl WriteFile for Aside {
    fn existed(&self) -> bool {
        self.existed
    }

    fn is_in_memory(&self) -> bool {
        true
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), StorageError> {
        let mut file = lock_file(&self.file);
        let end = file.content().len();
        file.write(end, bytes).inspect_err(|error| self.failed = Some(*error))
    }

    fn finish(self: Box<Self>, disposition: Disposition) -> Result<(), StorageError> {
        let Self { place, file, only_new, failed, .. } = *self;
        let mut tree = place.lock();
        let there = tree.find(&place.path).is_ok();
        match (disposition, failed) {
            (Disposition::Publish, Some(failed)) => Err(failed),
            (Disposition::Publish, None) if only_new && there => Err(StorageError::AlreadyExists),
            (Disposition::Publish, None) => {
                if let Ok(old) = tree.find_file(&place.path) {
                    let mode = lock_file(old).attributes.mode;
                    lock_file(&file).attributes.mode = mode;
                }
                tree.attach_file(&place.path, file)
            }
            (Disposition::KeepPartial, None)
                if !there && !lock_file(&file).content().is_empty() =>
            {
                tree.attach_file(&place.path, file)
            }
            (Disposition::KeepPartial | Disposition::Discard, _) => Ok(()),
        }
    }
}
