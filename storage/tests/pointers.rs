//! What points at a storage is one, call by call; and what a storage does that implements the least.

use std::fs::File;
use std::sync::{Arc, Mutex};

use wharf_core::{
    Detail, Disposition, Entry, Metadata, StorageError, VirtualPath, WallTime, WriteMode,
};
use wharf_storage::{Entries, ReadFile, Storage, WriteFile};

/// Answers each call with an error or value of its own, and remembers its name.
#[derive(Clone, Default)]
struct Recorder(Arc<Mutex<Vec<&'static str>>>);

impl Recorder {
    fn note<T>(&self, call: &'static str, answer: T) -> T {
        self.0.lock().unwrap().push(call);
        answer
    }
}

impl Storage for Recorder {
    fn metadata(&self, _: &VirtualPath) -> Result<Metadata, StorageError> {
        self.note("metadata", Err(StorageError::NotFound))
    }

    fn link_metadata(&self, _: &VirtualPath) -> Result<Metadata, StorageError> {
        self.note("link_metadata", Err(StorageError::PermissionDenied))
    }

    fn open_directory(&self, _: &VirtualPath) -> Result<Box<dyn Entries>, StorageError> {
        self.note("open_directory", Ok(Box::new(self.clone())))
    }

    fn open_read(&self, _: &VirtualPath) -> Result<Box<dyn ReadFile>, StorageError> {
        self.note("open_read", Ok(Box::new(self.clone())))
    }

    fn check_write(&self, _: &VirtualPath, _: &WriteMode) -> Result<(), StorageError> {
        self.note("check_write", Ok(()))
    }

    fn unique_name(&self, _: &VirtualPath, hint: &[u8]) -> Result<Vec<u8>, StorageError> {
        self.note("unique_name", Ok(hint.to_vec()))
    }

    fn open_write(
        &self,
        _: &VirtualPath,
        _: &WriteMode,
    ) -> Result<Box<dyn WriteFile>, StorageError> {
        self.note("open_write", Ok(Box::new(self.clone())))
    }

    fn create_directory(&self, _: &VirtualPath) -> Result<(), StorageError> {
        self.note("create_directory", Ok(()))
    }

    fn remove_file(&self, _: &VirtualPath) -> Result<(), StorageError> {
        self.note("remove_file", Ok(()))
    }

    fn remove_directory(&self, _: &VirtualPath) -> Result<(), StorageError> {
        self.note("remove_directory", Ok(()))
    }

    fn rename(&self, _: &VirtualPath, _: &VirtualPath, replace: bool) -> Result<(), StorageError> {
        self.note("rename", if replace { Ok(()) } else { Err(StorageError::AlreadyExists) })
    }

    fn set_modified(&self, _: &VirtualPath, _: WallTime) -> Result<(), StorageError> {
        self.note("set_modified", Ok(()))
    }

    fn set_mode(&self, _: &VirtualPath, _: u32) -> Result<(), StorageError> {
        self.note("set_mode", Ok(()))
    }

    fn space_left(&self, _: &VirtualPath) -> Result<Option<u64>, StorageError> {
        self.note("space_left", Ok(Some(7)))
    }
}

impl Entries for Recorder {
    fn next(&mut self) -> Result<Option<Entry>, StorageError> {
        self.note("Entries::next", Ok(None))
    }

    fn next_into(&mut self, _: &mut Entry, _: Detail) -> Result<bool, StorageError> {
        self.note("Entries::next_into", Ok(false))
    }
}

impl ReadFile for Recorder {
    fn size(&self) -> u64 {
        self.note("ReadFile::size", 5)
    }

    fn read_at(&mut self, _: u64, _: &mut [u8]) -> Result<usize, StorageError> {
        self.note("ReadFile::read_at", Ok(3))
    }

    fn as_file(&self) -> Option<&File> {
        self.note("ReadFile::as_file", None)
    }
}

impl WriteFile for Recorder {
    fn existed(&self) -> bool {
        self.note("WriteFile::existed", true)
    }

    fn write(&mut self, _: &[u8]) -> Result<(), StorageError> {
        self.note("WriteFile::write", Ok(()))
    }

    fn sync(&mut self) -> Result<(), StorageError> {
        self.note("WriteFile::sync", Err(StorageError::NoSpace))
    }

    fn finish(self: Box<Self>, _: Disposition) -> Result<(), StorageError> {
        self.note("WriteFile::finish", Ok(()))
    }
}

const APPEND: WriteMode = WriteMode::Append { create: true };

/// Calls everything there is; generic, so that it is the pointer's own implementation that is asked.
fn call_all<S: Storage>(storage: S) {
    let root = VirtualPath::root();
    assert_eq!(storage.metadata(&root), Err(StorageError::NotFound));
    assert_eq!(storage.link_metadata(&root), Err(StorageError::PermissionDenied));
    list_all(storage.open_directory(&root).unwrap());
    read_all(storage.open_read(&root).unwrap());
    assert_eq!(storage.check_write(&root, &APPEND), Ok(()));
    assert_eq!(storage.unique_name(&root, b"hint"), Ok(b"hint".to_vec()));
    write_all(storage.open_write(&root, &APPEND).unwrap());
    assert_eq!(storage.create_directory(&root), Ok(()));
    assert_eq!(storage.remove_file(&root), Ok(()));
    assert_eq!(storage.remove_directory(&root), Ok(()));
    assert_eq!(storage.rename(&root, &root, true), Ok(()));
    assert_eq!(storage.set_modified(&root, WallTime::default()), Ok(()));
    assert_eq!(storage.set_mode(&root, 0o600), Ok(()));
    assert_eq!(storage.space_left(&root), Ok(Some(7)));
}

fn list_all<E: Entries>(mut entries: E) {
    assert_eq!(entries.next(), Ok(None));
    let mut entry = Entry { name: Vec::new(), metadata: Metadata::directory() };
    assert_eq!(entries.next_into(&mut entry, Detail::Access), Ok(false));
}

fn read_all<F: ReadFile>(mut file: F) {
    assert_eq!(file.size(), 5);
    assert_eq!(file.read_at(0, &mut []), Ok(3));
    assert!(file.as_file().is_none());
}

fn write_all<F: WriteFile>(mut file: F) {
    assert!(file.existed());
    assert_eq!(file.write(b""), Ok(()));
    assert_eq!(file.sync(), Err(StorageError::NoSpace));
    assert_eq!(Box::new(file).finish(Disposition::Discard), Ok(()));
}

#[test]
fn every_call_goes_through() {
    let all = Recorder::default();
    call_all(all.clone());
    let all = all.0.lock().unwrap().clone();
    assert_eq!(all.len(), 23);
    for wrap in [
        |recorder: Recorder| call_all(Arc::new(recorder)),
        |recorder| call_all(Box::new(recorder)),
        |recorder| call_all(Arc::new(recorder) as Arc<dyn Storage>),
        |recorder| call_all(Box::new(recorder) as Box<dyn Storage>),
        |recorder| call_all(Arc::new(Box::new(recorder) as Box<dyn Storage>)),
    ] {
        let recorder = Recorder::default();
        wrap(recorder.clone());
        assert_eq!(*recorder.0.lock().unwrap(), all);
    }
}

/// The least that a storage can be: a directory with a file in it.
struct Least;

impl Storage for Least {
    fn metadata(&self, path: &VirtualPath) -> Result<Metadata, StorageError> {
        match path.as_bytes() {
            b"/" => Ok(Metadata::directory()),
            b"/file" => Ok(Metadata::file(5, WallTime::default()).read_only()),
            _ => Err(StorageError::NotFound),
        }
    }

    fn open_directory(&self, _: &VirtualPath) -> Result<Box<dyn Entries>, StorageError> {
        Err(StorageError::PermissionDenied)
    }

    fn open_read(&self, _: &VirtualPath) -> Result<Box<dyn ReadFile>, StorageError> {
        Err(StorageError::PermissionDenied)
    }
}

#[test]
fn what_is_not_implemented_is_read_only() {
    let [file, new]: [VirtualPath; 2] = ["/file", "/new"].map(|path| path.parse().unwrap());
    let read_only = Some(StorageError::ReadOnly);
    for mode in [
        APPEND,
        WriteMode::Append { create: false },
        WriteMode::ResumeAt(0),
        WriteMode::ResumeAt(9),
        WriteMode::Replace { atomic: true },
        WriteMode::Replace { atomic: false },
        WriteMode::Create { atomic: true },
        WriteMode::Create { atomic: false },
    ] {
        // What is refused in the end is refused before there is a data connection.
        assert_eq!(Least.check_write(&new, &mode).err(), read_only);
        assert_eq!(Least.open_write(&new, &mode).err(), read_only);
    }
    assert_eq!(Least.create_directory(&new).err(), read_only);
    assert_eq!(Least.remove_file(&file).err(), read_only);
    assert_eq!(Least.remove_directory(&file).err(), read_only);
    assert_eq!(Least.rename(&file, &new, true).err(), read_only);
    assert_eq!(Least.set_modified(&file, WallTime::default()), Err(StorageError::Unsupported));
    assert_eq!(Least.set_mode(&file, 0o600), Err(StorageError::Unsupported));
    assert_eq!(Least.space_left(&file), Ok(None));
    assert_eq!(Least.link_metadata(&file), Least.metadata(&file));
    assert_eq!(Least.unique_name(&VirtualPath::root(), b"new"), Ok(b"new".to_vec()));
    let other = Least.unique_name(&VirtualPath::root(), b"file").unwrap();
    assert!(other.starts_with(b"file."), "{}", other.escape_ascii());
}
