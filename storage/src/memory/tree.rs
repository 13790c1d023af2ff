//! A tree of nodes in memory.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use wharf_core::{Access, Entry, Kind, Metadata, StorageError, VirtualPath, WallTime};

use super::file::{Attributes, File, SharedFile, Space, lock_file};

/// Longest name in bytes, as on most disks.
const LONGEST_NAME: usize = 255;

/// A file or a directory.
#[derive(Debug)]
pub(super) enum Node {
    File(SharedFile),
    Directory(Directory),
}

/// Names, and what they stand for.
#[derive(Debug)]
pub(super) struct Directory {
    children: BTreeMap<Vec<u8>, Node>,
    attributes: Attributes,
}

impl Directory {
    fn new(number: u64) -> Self {
        Self { children: BTreeMap::new(), attributes: Attributes::new(number, 0o755) }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.children.is_empty()
    }

    /// Finds what is called `name`, where the directory can be entered.
    fn child(&self, name: &[u8]) -> Result<&Node, StorageError> {
        if !self.attributes.allows(0o100) {
            return Err(StorageError::PermissionDenied);
        }
        self.children.get(name).ok_or(StorageError::NotFound)
    }

    /// Returns `true` if entries can be created and removed.
    fn changeable(&self) -> bool {
        self.attributes.allows(0o300)
    }
}

/// The root and everything below.
#[derive(Debug)]
pub(super) struct Tree {
    root: Node,
    last_number: u64,
    space: Arc<Space>,
}

impl Default for Tree {
    fn default() -> Self {
        let root = Node::Directory(Directory::new(1));
        Self { root, last_number: 1, space: Arc::default() }
    }
}

impl Tree {
    pub(super) fn space(&self) -> &Space {
        &self.space
    }

    /// Returns a number that was not given before.
    pub(super) fn next_number(&mut self) -> u64 {
        self.last_number += 1;
        self.last_number
    }

    pub(super) fn find(&self, path: &VirtualPath) -> Result<&Node, StorageError> {
        path.components().try_fold(&self.root, |node, name| match node {
            Node::Directory(directory) => directory.child(name),
            Node::File(_) => Err(StorageError::NotADirectory),
        })
    }

    pub(super) fn find_file(&self, path: &VirtualPath) -> Result<&SharedFile, StorageError> {
        match self.find(path)? {
            Node::File(file) => Ok(file),
            Node::Directory(_) => Err(StorageError::IsADirectory),
        }
    }

    pub(super) fn find_directory(&self, path: &VirtualPath) -> Result<&Directory, StorageError> {
        match self.find(path)? {
            Node::Directory(directory) => Ok(directory),
            Node::File(_) => Err(StorageError::NotADirectory),
        }
    }

    pub(super) fn exists(&self, path: &VirtualPath) -> bool {
        self.find(path).is_ok()
    }

    /// Checks that an entry can be created at, or removed from, `path`.
    pub(super) fn check_change(&self, path: &VirtualPath) -> Result<(), StorageError> {
        if !self.find_directory(&path.parent())?.changeable() {
            return Err(StorageError::PermissionDenied);
        }
        match path.file_name() {
            Some(name) if name.len() > LONGEST_NAME => Err(StorageError::BadName),
            Some(_) => Ok(()),
            None => Err(StorageError::PermissionDenied),
        }
    }

    /// Makes an empty file with the mode of `like`, or that of a new one, that has no name yet.
    pub(super) fn nameless_file(&mut self, like: Option<&SharedFile>) -> SharedFile {
        let mode = like.map_or(0o644, |file| lock_file(file).attributes.mode);
        let attributes = Attributes::new(self.next_number(), mode);
        Arc::new(Mutex::new(File::new(attributes, Arc::clone(&self.space))))
    }

    /// Creates an empty file where nothing stands.
    pub(super) fn create_file(&mut self, path: &VirtualPath) -> Result<SharedFile, StorageError> {
        if self.exists(path) {
            return Err(StorageError::AlreadyExists);
        }
        let file = self.nameless_file(None);
        self.attach(path, Node::File(Arc::clone(&file)))?;
        Ok(file)
    }

    /// Puts a file at `path`, in the place of another if there is one.
    pub(super) fn attach_file(
        &mut self,
        path: &VirtualPath,
        file: SharedFile,
    ) -> Result<(), StorageError> {
        match self.find_file(path) {
            Ok(_) | Err(StorageError::NotFound) => self.attach(path, Node::File(file)),
            Err(error) => Err(error),
        }
    }

    pub(super) fn create_directory(&mut self, path: &VirtualPath) -> Result<(), StorageError> {
        if self.exists(path) {
            return Err(StorageError::AlreadyExists);
        }
        let directory = Directory::new(self.next_number());
        self.attach(path, Node::Directory(directory))
    }

    /// Creates the directories that are missing above `path`.
    pub(super) fn create_parents(&mut self, path: &VirtualPath) -> Result<(), StorageError> {
        let parent = path.parent();
        if self.exists(&parent) {
            return Ok(());
        }
        self.create_parents(&parent)?;
        self.create_directory(&parent)
    }

    /// Takes the node at `path` out of the tree.
    pub(super) fn detach(&mut self, path: &VirtualPath) -> Result<Node, StorageError> {
        self.check_change(path)?;
        let (holder, name) = self.holder(path)?;
        let node = holder.children.remove(name).ok_or(StorageError::NotFound)?;
        holder.attributes.touch();
        Ok(node)
    }

    pub(super) fn rename(
        &mut self,
        from: &VirtualPath,
        to: &VirtualPath,
        replace: bool,
    ) -> Result<(), StorageError> {
        let is_directory = matches!(self.find(from)?, Node::Directory(_));
        self.check_change(from)?;
        self.check_change(to)?;
        if from == to {
            return Ok(());
        }
        match self.find(to) {
            Ok(Node::Directory(_)) if is_directory => return Err(StorageError::AlreadyExists),
            Ok(Node::Directory(_)) => return Err(StorageError::IsADirectory),
            Ok(Node::File(_)) if is_directory => return Err(StorageError::NotADirectory),
            Ok(Node::File(_)) if !replace => return Err(StorageError::AlreadyExists),
            _ => {}
        }
        let mut below = from.as_bytes().to_vec();
        below.push(b'/');
        if to.as_bytes().starts_with(&below) {
            return Err(StorageError::BadName);
        }
        let node = self.detach(from)?;
        self.attach(to, node)
    }

    pub(super) fn set_modified(
        &mut self,
        path: &VirtualPath,
        to: WallTime,
    ) -> Result<(), StorageError> {
        self.change(path, |attributes| attributes.modified = to)
    }

    pub(super) fn set_mode(&mut self, path: &VirtualPath, mode: u32) -> Result<(), StorageError> {
        self.change(path, |attributes| attributes.mode = mode)
    }

    pub(super) fn metadata(&self, path: &VirtualPath) -> Result<Metadata, StorageError> {
        let node = self.find(path)?;
        let removable =
            !path.is_root() && self.find_directory(&path.parent()).is_ok_and(Directory::changeable);
        Ok(describe(node, removable))
    }

    /// Describes everything in a directory, sorted by name.
    pub(super) fn entries(&self, path: &VirtualPath) -> Result<Vec<Entry>, StorageError> {
        let directory = self.find_directory(path)?;
        if !directory.attributes.allows(0o500) {
            return Err(StorageError::PermissionDenied);
        }
        let removable = directory.changeable();
        let entry = |(name, node): (&Vec<u8>, &Node)| Entry {
            name: name.clone(),
            metadata: describe(node, removable),
        };
        Ok(directory.children.iter().map(entry).collect())
    }

    fn attach(&mut self, path: &VirtualPath, node: Node) -> Result<(), StorageError> {
        self.check_change(path)?;
        let (holder, name) = self.holder(path)?;
        holder.children.insert(name.to_vec(), node);
        holder.attributes.touch();
        Ok(())
    }

    fn change(
        &mut self,
        path: &VirtualPath,
        change: impl FnOnce(&mut Attributes),
    ) -> Result<(), StorageError> {
        match self.find_mut(path)? {
            Node::File(file) => change(&mut lock_file(file).attributes),
            Node::Directory(directory) => change(&mut directory.attributes),
        }
        Ok(())
    }

    fn find_mut(&mut self, path: &VirtualPath) -> Result<&mut Node, StorageError> {
        path.components().try_fold(&mut self.root, |node, name| match node {
            Node::Directory(directory) => {
                directory.child(name)?;
                directory.children.get_mut(name).ok_or(StorageError::NotFound)
            }
            Node::File(_) => Err(StorageError::NotADirectory),
        })
    }

    /// Finds the directory that holds `path`, and the name in it.
    fn holder<'p>(
        &mut self,
        path: &'p VirtualPath,
    ) -> Result<(&mut Directory, &'p [u8]), StorageError> {
        let name = path.file_name().ok_or(StorageError::PermissionDenied)?;
        match self.find_mut(&path.parent())? {
            Node::Directory(directory) => Ok((directory, name)),
            Node::File(_) => Err(StorageError::NotADirectory),
        }
    }
}

fn describe(node: &Node, remove: bool) -> Metadata {
    let (kind, size, attributes, [read, write, enter]) = match node {
        Node::File(file) => {
            let file = lock_file(file);
            (Kind::File, file.content().len() as u64, file.attributes, [0o400, 0o200, 0])
        }
        Node::Directory(directory) => {
            (Kind::Directory, 0, directory.attributes, [0o500, 0o300, 0o100])
        }
    };
    let access = Access {
        read: attributes.allows(read),
        write: attributes.allows(write),
        remove,
        enter: enter != 0 && attributes.allows(enter),
    };
    let mut metadata = Metadata::new(kind, size, attributes.modified);
    metadata.mode = attributes.mode;
    metadata.unique = Some((0, attributes.number));
    metadata.access = access;
    metadata
}
