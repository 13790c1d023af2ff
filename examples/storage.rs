//! A program that brings its own storage: reports that are written when a client asks for them, and
//! a wrapper that counts the downloads of whatever storage it is given.
//!
//! `cargo run --example storage`, then `curl ftp://…/` and `curl ftp://…/Lisbon.txt`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::SystemTime;

use wharf::{
    Entries, Entry, Metadata, Permissions, ReadFile, Server, Storage, StorageError, VirtualPath,
    wall_time,
};

/// A directory with a report on each harbour: how many metres it is deep.
///
/// It can only be read, so three methods are enough: what would change it is refused.
pub(crate) struct Reports(pub(crate) BTreeMap<&'static str, u32>);

impl Reports {
    /// Writes the report that is asked for.
    fn render(&self, path: &VirtualPath) -> Result<Vec<u8>, StorageError> {
        let asked = |name: &str| path.as_bytes() == format!("/{name}.txt").as_bytes();
        let (name, metres) =
            self.0.iter().find(|(name, _)| asked(name)).ok_or(StorageError::NotFound)?;
        Ok(format!("The harbour of {name} is {metres} m deep.\n").into_bytes())
    }
}

impl Storage for Reports {
    fn metadata(&self, path: &VirtualPath) -> Result<Metadata, StorageError> {
        if path.is_root() {
            return Ok(Metadata::directory().read_only());
        }
        let size = self.render(path)?.len() as u64;
        Ok(Metadata::file(size, wall_time(SystemTime::now())).read_only())
    }

    fn open_directory(&self, path: &VirtualPath) -> Result<Box<dyn Entries>, StorageError> {
        if !path.is_root() {
            self.render(path)?;
            return Err(StorageError::NotADirectory);
        }
        let names = self.0.keys().map(|name| format!("{name}.txt").into_bytes());
        let entry = |name: Vec<u8>| Ok(Entry { metadata: self.metadata(&path.join(&name))?, name });
        Ok(names.map(entry).collect::<Result<Vec<_>, StorageError>>()?.into())
    }

    fn open_read(&self, path: &VirtualPath) -> Result<Box<dyn ReadFile>, StorageError> {
        if path.is_root() {
            return Err(StorageError::IsADirectory);
        }
        Ok(self.render(path)?.into())
    }
}

/// Counts the downloads from another storage, which clients can read and not change.
pub(crate) struct Counted<S> {
    inner: S,
    downloads: AtomicUsize,
}

impl<S: Storage> Counted<S> {
    pub(crate) fn new(inner: S) -> Self {
        Self { inner, downloads: AtomicUsize::new(0) }
    }

    pub(crate) fn downloads(&self) -> usize {
        self.downloads.load(Ordering::Relaxed)
    }
}

impl<S: Storage> Storage for Counted<S> {
    fn metadata(&self, path: &VirtualPath) -> Result<Metadata, StorageError> {
        self.inner.metadata(path)
    }

    fn link_metadata(&self, path: &VirtualPath) -> Result<Metadata, StorageError> {
        self.inner.link_metadata(path)
    }

    fn open_directory(&self, path: &VirtualPath) -> Result<Box<dyn Entries>, StorageError> {
        self.inner.open_directory(path)
    }

    fn open_read(&self, path: &VirtualPath) -> Result<Box<dyn ReadFile>, StorageError> {
        let file = self.inner.open_read(path)?;
        self.downloads.fetch_add(1, Ordering::Relaxed);
        Ok(file)
    }
}

fn main() -> std::io::Result<()> {
    let reports = Reports(BTreeMap::from([("Lisbon", 16), ("Oslo", 11)]));
    // The server has one handle on the storage, the program another.
    let storage = Arc::new(Counted::new(reports));
    let server = Server::builder()
        .storage(Arc::clone(&storage))
        .anonymous(Permissions::READ_ONLY)
        .spawn()?;
    println!("{}/Lisbon.txt", server.url());
    server.wait()?;
    println!("{} downloads", storage.downloads());
    Ok(())
}
