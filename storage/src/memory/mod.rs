//! A storage that lives in memory.

mod file;
mod handles;
mod tree;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use wharf_core::{Entry, Metadata, StorageError, VirtualPath, WallTime, WriteMode};

use self::file::{SharedFile, lock_file};
use self::handles::{Aside, Place, Writer};
use self::tree::{Node, Tree};
use super::{Entries, ReadFile, Storage, WriteFile};

/// A tree of files in memory, for tests and for programs that have no disk to offer.
///
/// A test fills it, keeps a clone, and looks at it afterwards. Paths here are strings; the leading
/// `/` may be left out.
///
/// ```
/// use wharf_storage::Memory;
///
/// let files = Memory::new().with_file("/in/a.txt", "hello").with_directory("/out");
/// let seen = files.clone(); // the same tree; `files` goes to the server
/// assert_eq!(seen.list("/").unwrap(), ["in", "out"]);
/// assert_eq!(seen.read("/in/a.txt").unwrap(), b"hello");
/// assert!(seen.remove("/in") && !seen.contains("/in/a.txt"));
/// ```
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

    /// Limits how many bytes all files hold together; what exceeds it is
    /// [`StorageError::QuotaExceeded`]. Names and directories cost nothing.
    pub fn with_capacity_bytes(self, limit: u64) -> Self {
        self.lock().space().limit(limit);
        self
    }

    /// Adds a file; see [`write`](Self::write).
    ///
    /// # Panics
    ///
    /// Panics where `write` does.
    pub fn with_file(self, path: &str, content: impl Into<Vec<u8>>) -> Self {
        self.write(path, content);
        self
    }

    /// Adds a directory; see [`make_directory`](Self::make_directory).
    ///
    /// # Panics
    ///
    /// Panics where `make_directory` does.
    pub fn with_directory(self, path: &str) -> Self {
        self.make_directory(path);
        self
    }

    /// Creates or replaces a file, and the directories on the way to it.
    ///
    /// # Panics
    ///
    /// Panics where that is not possible: the path is the root or a directory, leads through a
    /// file, or the capacity is too small.
    pub fn write(&self, path: &str, content: impl Into<Vec<u8>>) {
        let path = resolve(path).unwrap_or_else(|error| panic!("cannot write {path:?}: {error}"));
        let mut tree = self.lock();
        let file = tree.nameless_file(None);
        let written = lock_file(&file).write(0, &content.into());
        let result = written
            .and_then(|()| tree.create_parents(&path))
            .and_then(|()| tree.attach_file(&path, file));
        if let Err(error) = result {
            panic!("cannot write {path}: {error}");
        }
    }

    /// Makes a directory and those on the way to it; one that is there stays as it is.
    ///
    /// # Panics
    ///
    /// Panics where that is not possible: the path is a file, leads through one, or has a name that is
    /// too long.
    pub fn make_directory(&self, path: &str) {
        let made = resolve(path).and_then(|path| {
            let mut tree = self.lock();
            tree.create_parents(&path)?;
            match tree.find_directory(&path).map(drop) {
                Err(StorageError::NotFound) => tree.create_directory(&path),
                outcome => outcome,
            }
        });
        if let Err(error) = made {
            panic!("cannot make the directory {path:?}: {error}");
        }
    }

    /// Returns the content of a file, or `None` where no file is.
    pub fn read(&self, path: &str) -> Option<Vec<u8>> {
        match self.lock().find(&resolve(path).ok()?).ok()? {
            Node::File(file) => Some(lock_file(file).content().to_vec()),
            Node::Directory(_) => None,
        }
    }

    /// Returns the names in a directory, sorted by their bytes, or `None` where no directory is. What
    /// is not UTF-8 in a name is shown as U+FFFD.
    pub fn list(&self, path: &str) -> Option<Vec<String>> {
        let entries = self.lock().entries(&resolve(path).ok()?).ok()?;
        let name = |entry: Entry| String::from_utf8_lossy(&entry.name).into_owned();
        Some(entries.into_iter().map(name).collect())
    }

    /// Returns `true` if a file or a directory stands at `path`.
    pub fn contains(&self, path: &str) -> bool {
        resolve(path).is_ok_and(|path| self.lock().exists(&path))
    }

    /// Removes a file, or a directory with all that is in it; returns `true` if something was
    /// removed. The root stays, and so does what a mode protects.
    pub fn remove(&self, path: &str) -> bool {
        resolve(path).is_ok_and(|path| self.lock().detach(&path).is_ok())
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
    fn at_once(&self) -> Option<Arc<dyn Storage>> {
        Some(Arc::new(self.clone()))
    }

    fn metadata(&self, path: &VirtualPath) -> Result<Metadata, StorageError> {
        self.lock().metadata(path)
    }

    fn open_directory(&self, path: &VirtualPath) -> Result<Box<dyn Entries>, StorageError> {
        Ok(self.lock().entries(path)?.into())
    }

    fn open_read(&self, path: &VirtualPath) -> Result<Box<dyn ReadFile>, StorageError> {
        let tree = self.lock();
        let file = lock_file(tree.find_file(path)?);
        if !file.attributes.allows(0o400) {
            return Err(StorageError::PermissionDenied);
        }
        Ok(file.share().into())
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

fn resolve(path: &str) -> Result<VirtualPath, StorageError> {
    path.parse().map_err(|_| StorageError::BadName)
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
    fn directories_are_made_listed_and_removed() {
        let memory = Memory::new().with_directory("/a/b").with_file("/a/c", "x");
        memory.make_directory("/a");
        memory.make_directory("/");
        assert_eq!(memory.list("a"), Some(vec!["b".into(), "c".into()]));
        assert_eq!(memory.list("/a/b"), Some(Vec::new()));
        assert_eq!((memory.list("/a/c"), memory.list("/d"), memory.list("\0")), (None, None, None));
        assert!(memory.contains("/") && memory.contains("/a/b") && memory.contains("a/c"));
        assert!(!memory.contains("/a/d") && !memory.contains("\0"));
        assert!(memory.remove("/a/c") && !memory.remove("/a/c"));
        assert!(memory.remove("/a") && !memory.contains("/a/b"));
        assert!(!memory.remove("/") && !memory.remove("\0"));
        assert_eq!(memory.list("/"), Some(Vec::new()));
    }

    #[test]
    #[should_panic = "cannot make the directory \"/a/b\": not a directory"]
    fn a_directory_through_a_file() {
        Memory::new().with_file("/a", "").make_directory("/a/b");
    }

    #[test]
    #[should_panic = "cannot make the directory \"/a\": not a directory"]
    fn a_directory_where_a_file_is() {
        Memory::new().with_file("/a", "").make_directory("/a");
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
