//! A storage that lives in memory.

mod file;
mod handles;
mod tree;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use wharf_core::{Metadata, StorageError, VirtualPath, WallTime, WriteMode};

use self::file::{SharedFile, lock_file};
use self::handles::{Aside, Listing, Place, Snapshot, Writer};
use self::tree::{Node, Tree};
use super::{Entries, ReadFile, Storage, WriteFile};

/// A tree of files in memory, for tests and for programs that have no disk to offer.
///
/// It begins with an empty root. Cloning gives another handle on the same tree. Modes are obeyed
/// as if the process owned every file and were not root; there are no symbolic links. A file
/// being read keeps the content that it had when it was opened, and so does a directory being
/// listed.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    tree: Arc<Mutex<Tree>>,
}

impl Memory {
    /// Makes a tree that holds nothing but its root.
    pub fn new() -> Self {
        Self::default()
    }

    /// Limits how many bytes all files hold together; whatever exceeds it is
    /// [`StorageError::QuotaExceeded`]. Names and directories cost nothing.
    pub fn with_capacity_bytes(self, limit: u64) -> Self {
        self.lock().space().limit(limit);
        self
    }

    /// Adds a file; see [`write`](Self::write).
    pub fn with_file(self, path: &str, content: impl Into<Vec<u8>>) -> Self {
        self.write(path, content);
        self
    }

    /// Creates or replaces a file, and the directories on the way to it.
    ///
    /// # Panics
    ///
    /// Panics where that is not possible: the path is the root or a directory, leads through a
    /// file, or the capacity is too small.
    pub fn write(&self, path: &str, content: impl Into<Vec<u8>>) {
        let path = resolve(path).unwrap_or_else(|| panic!("{path:?} is not a path"));
        let mut tree = self.lock();
        let file = tree.nameless_file(None);
        let written = lock_file(&file).write(0, &content.into());
        let result = written
            .and_then(|()| tree.create_parents(&path))
            .and_then(|()| tree.attach_file(&path, file));
        if let Err(error) = result {
            panic!("cannot write {path}: {error:?}");
        }
    }

    /// Returns the content of a file, or `None` where no file is.
    pub fn read(&self, path: &str) -> Option<Vec<u8>> {
        match self.lock().find(&resolve(path)?).ok()? {
            Node::File(file) => Some(lock_file(file).content().to_vec()),
            Node::Directory(_) => None,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Tree> {
        // A thread that panicked has left the tree as whole as any other call would.
        self.tree.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Finds the file that is to be written, if it is there, and checks that it can be.
fn examine(
    tree: &Tree,
    path: &VirtualPath,
    mode: &WriteMode,
) -> Result<Option<SharedFile>, StorageError> {
    let old = match tree.find(path) {
        Ok(_) if matches!(mode, WriteMode::Create { .. }) => {
            return Err(StorageError::AlreadyExists);
        }
        Ok(Node::File(file)) => Arc::clone(file),
        Ok(Node::Directory(_)) => return Err(StorageError::IsADirectory),
        Err(StorageError::NotFound) if mode.may_create() => {
            tree.check_change(path)?;
            return Ok(None);
        }
        Err(error) => return Err(error),
    };
    let file = lock_file(&old);
    if !file.attributes.allows(0o200) {
        return Err(StorageError::PermissionDenied);
    }
    match mode {
        WriteMode::ResumeAt(offset) if *offset > file.content().len() as u64 => {
            return Err(StorageError::BadOffset);
        }
        WriteMode::Replace { atomic: true } => tree.check_change(path)?,
        _ => {}
    }
    drop(file);
    Ok(Some(old))
}

impl Storage for Memory {
    fn metadata(&self, path: &VirtualPath) -> Result<Metadata, StorageError> {
        self.lock().metadata(path)
    }

    fn link_metadata(&self, path: &VirtualPath) -> Result<Metadata, StorageError> {
        self.lock().metadata(path)
    }

    fn open_directory(&self, path: &VirtualPath) -> Result<Box<dyn Entries>, StorageError> {
        Ok(Box::new(Listing::new(self.lock().entries(path)?)))
    }

    fn open_read(&self, path: &VirtualPath) -> Result<Box<dyn ReadFile>, StorageError> {
        let tree = self.lock();
        let file = lock_file(tree.find_file(path)?);
        if !file.attributes.allows(0o400) {
            return Err(StorageError::PermissionDenied);
        }
        Ok(Box::new(Snapshot::new(file.share())))
    }

    fn check_write(&self, path: &VirtualPath, mode: &WriteMode) -> Result<(), StorageError> {
        examine(&self.lock(), path, mode).map(drop)
    }

    fn open_write(
        &self,
        path: &VirtualPath,
        mode: &WriteMode,
    ) -> Result<Box<dyn WriteFile>, StorageError> {
        let mut tree = self.lock();
        let old = examine(&tree, path, mode)?;
        let existed = old.is_some();
        let place = Place { tree: Arc::clone(&self.tree), path: path.clone() };
        if let WriteMode::Replace { atomic: true } | WriteMode::Create { atomic: true } = mode {
            let file = tree.nameless_file(old.as_ref());
            let only_new = matches!(mode, WriteMode::Create { .. });
            return Ok(Box::new(Aside::new(place, file, existed, only_new)));
        }
        let file = match old {
            Some(file) => file,
            None => tree.create_file(path)?,
        };
        let before = lock_file(&file).content().len();
        let position = match *mode {
            WriteMode::ResumeAt(offset) => {
                Some(usize::try_from(offset).map_err(|_| StorageError::BadOffset)?)
            }
            WriteMode::Append { .. } => None,
            _ => {
                lock_file(&file).truncate();
                Some(0)
            }
        };
        Ok(Box::new(Writer::new(file, place, position, before, existed)))
    }

    fn create_directory(&self, path: &VirtualPath) -> Result<(), StorageError> {
        self.lock().create_directory(path)
    }

    fn remove_file(&self, path: &VirtualPath) -> Result<(), StorageError> {
        let mut tree = self.lock();
        tree.find_file(path)?;
        tree.detach(path).map(drop)
    }

    fn remove_directory(&self, path: &VirtualPath) -> Result<(), StorageError> {
        if path.is_root() {
            return Err(StorageError::PermissionDenied);
        }
        let mut tree = self.lock();
        if !tree.find_directory(path)?.is_empty() {
            return Err(StorageError::NotEmpty);
        }
        tree.detach(path).map(drop)
    }

    /// Renames `from` to `to`; the same rules as with [`Directory`](super::Directory).
    fn rename(
        &self,
        from: &VirtualPath,
        to: &VirtualPath,
        replace: bool,
    ) -> Result<(), StorageError> {
        self.lock().rename(from, to, replace)
    }

    fn set_modified(&self, path: &VirtualPath, to: WallTime) -> Result<(), StorageError> {
        self.lock().set_modified(path, to)
    }

    fn set_mode(&self, path: &VirtualPath, mode: u32) -> Result<(), StorageError> {
        self.lock().set_mode(path, mode & 0o777)
    }

    fn space_left(&self, path: &VirtualPath) -> Result<Option<u64>, StorageError> {
        let tree = self.lock();
        tree.find(path)?;
        Ok(tree.space().left())
    }
}

fn resolve(path: &str) -> Option<VirtualPath> {
    VirtualPath::root().resolve(path.as_bytes()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clones_share_the_tree() {
        let memory = Memory::new().with_file("/a/b", "x");
        memory.clone().write("c", *b"y");
        assert_eq!(memory.read("/a/b").as_deref(), Some(&b"x"[..]));
        assert_eq!(memory.read("c").as_deref(), Some(&b"y"[..]));
        assert_eq!(memory.read("/a"), None);
        assert_eq!(memory.read("/d"), None);
    }

    #[test]
    fn capacity_comes_back() {
        let memory = Memory::new().with_capacity_bytes(10).with_file("a", "12345678");
        let root = VirtualPath::root();
        assert_eq!(memory.space_left(&root), Ok(Some(2)));
        let open = memory.open_read(&root.join(b"a")).unwrap();
        memory.write("a", "1");
        assert_eq!(memory.space_left(&root), Ok(Some(9)));
        memory.remove_file(&root.join(b"a")).unwrap();
        assert_eq!(memory.space_left(&root), Ok(Some(10)));
        assert_eq!(open.size(), 8);
    }
}
