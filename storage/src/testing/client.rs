//! Whole FTP dialogues with a storage, without sockets.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use wharf_core::ascii::{FromNetwork, ToNetwork};
use wharf_core::testing::{Answers, ScriptedClient};
use wharf_core::{
    Detail, Entry, Filter, Lines, ListedTree, Lister, ListingFormat, Opened, Plan, RequestId,
    StorageAnswer, StorageError, StorageRequest, TransferEnd, VirtualPath,
};

use crate::{Entries, ReadFile, Storage, WriteFile};

/// Connects a client whose files are those of `storage`, and logs it in with all permissions.
///
/// ```
/// use wharf_storage::{Memory, testing};
///
/// let files = Memory::new();
/// let mut client = testing::client(files.clone());
/// assert_eq!(client.upload("STOR hello.txt", "Hello from the harbour.\n"), 226);
/// assert_eq!(client.download("NLST"), Ok(b"hello.txt\r\n".to_vec()));
/// assert_eq!(client.send("MKD hello.txt"), 550);
/// assert_eq!(files.read("/hello.txt").unwrap(), b"Hello from the harbour.\n");
/// ```
pub fn client<S: Storage>(storage: S) -> ScriptedClient<Files<S>> {
    let mut client = ScriptedClient::new(Files::new(storage));
    client.log_in("anna", "harbour");
    client.send("TYPE I");
    client
}

/// Answers a [`ScriptedClient`] with the files of a storage; every login has all permissions.
pub struct Files<S> {
    storage: S,
    open: BTreeMap<RequestId, Open>,
}

enum Open {
    Directory(Box<dyn Entries>),
    Read(Box<dyn ReadFile>),
    Write(Box<dyn WriteFile>),
}

impl<S> fmt::Debug for Files<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Files").field("open", &self.open.keys()).finish_non_exhaustive()
    }
}

impl<S: Storage> Files<S> {
    /// Makes answers in which nothing is open yet.
    pub fn new(storage: S) -> Self {
        Self { storage, open: BTreeMap::new() }
    }

    fn directory(&mut self, id: RequestId) -> &mut dyn Entries {
        match self.open.get_mut(&id) {
            Some(Open::Directory(entries)) => &mut **entries,
            _ => panic!("{id:?} is no open directory"),
        }
    }

    fn written(&mut self, id: RequestId) -> &mut dyn WriteFile {
        match self.open.get_mut(&id) {
            Some(Open::Write(file)) => &mut **file,
            _ => panic!("{id:?} is no file open for writing"),
        }
    }

    /// Reads a file to this end, as it travels.
    fn read(
        &mut self,
        file: RequestId,
        filter: Filter,
        end: Option<u64>,
    ) -> Result<Vec<u8>, StorageError> {
        let Some(Open::Read(mut file)) = self.open.remove(&file) else {
            panic!("{file:?} is no file open for reading")
        };
        let (mut content, mut piece) = (Vec::new(), [0; 4096]);
        loop {
            match file.read_at(content.len() as u64, &mut piece)? {
                0 => break,
                count => content.extend_from_slice(&piece[..count]),
            }
        }
        content.truncate(end.map_or(content.len(), |end| end as usize));
        if filter == Filter::Ascii {
            let file = std::mem::take(&mut content);
            ToNetwork::default().convert(&file, &mut content);
        }
        Ok(content)
    }

    fn list(
        &mut self,
        directory: RequestId,
        format: &ListingFormat,
        data: &mut Vec<u8>,
    ) -> Result<(), StorageError> {
        let Some(Open::Directory(entries)) = self.open.remove(&directory) else {
            panic!("{directory:?} is no open directory")
        };
        let mut tree = Tree { storage: &self.storage, entries };
        let mut lister = Lister::new(Box::new(format.clone()));
        while lister.write_portion(&mut tree, usize::MAX, data)? {}
        Ok(())
    }
}

/// A directory that is listed, and where others are opened. There is always time.
struct Tree<'a, S> {
    storage: &'a S,
    entries: Box<dyn Entries>,
}

impl<S: Storage> ListedTree for Tree<'_, S> {
    fn next(&mut self, entry: &mut Entry, detail: Detail) -> Result<bool, StorageError> {
        self.entries.next_into(entry, detail)
    }

    fn open(&mut self, path: &VirtualPath) -> Result<(), StorageError> {
        self.entries = self.storage.open_directory(path)?;
        Ok(())
    }

    fn time_spent(&self) -> Duration {
        Duration::ZERO
    }
}

impl<S: Storage> Answers for Files<S> {
    fn storage(
        &mut self,
        id: RequestId,
        request: &StorageRequest,
    ) -> Result<StorageAnswer, StorageError> {
        use StorageRequest::*;
        let done = |()| StorageAnswer::Done;
        let storage = &self.storage;
        match request {
            Metadata(path) => storage.metadata(path).map(StorageAnswer::Metadata),
            LinkMetadata(path) => storage.link_metadata(path).map(StorageAnswer::Metadata),
            OpenDirectory(path) => {
                let entries = storage.open_directory(path)?;
                self.open.insert(id, Open::Directory(entries));
                Ok(StorageAnswer::Opened(Opened::default()))
            }
            NextLines { directory, format, allowance } => {
                let (entries, mut text) = (self.directory(*directory), Vec::new());
                let next = |entry: &mut _, detail| entries.next_into(entry, detail);
                let (count, end) = format.write_portion(next, *allowance, usize::MAX, &mut text)?;
                Ok(StorageAnswer::Lines(Lines { text, count, end }))
            }
            OpenRead(path) => {
                let file = storage.open_read(path)?;
                let size = file.size();
                self.open.insert(id, Open::Read(file));
                Ok(StorageAnswer::Opened(Opened { size, ..Opened::default() }))
            }
            CheckWrite(path, mode) => storage.check_write(path, mode).map(done),
            OpenWrite(path, mode) => {
                let file = storage.open_write(path, mode)?;
                let existed = file.existed();
                self.open.insert(id, Open::Write(file));
                Ok(StorageAnswer::Opened(Opened { existed, ..Opened::default() }))
            }
            UniqueName { directory, hint } => {
                storage.unique_name(directory, hint).map(StorageAnswer::Name)
            }
            Sync { file } => self.written(*file).sync().map(done),
            Finish { file, disposition } => match self.open.remove(file) {
                Some(Open::Write(file)) => file.finish(*disposition).map(done),
                _ => panic!("{file:?} is no file open for writing"),
            },
            CreateDirectory(path) => storage.create_directory(path).map(done),
            RemoveFile(path) => storage.remove_file(path).map(done),
            RemoveDirectory(path) => storage.remove_directory(path).map(done),
            Rename { from, to, replace } => storage.rename(from, to, *replace).map(done),
            SetFacts { path, modified, mode } => {
                modified.map_or(Ok(()), |time| storage.set_modified(path, time))?;
                mode.map_or(Ok(()), |mode| storage.set_mode(path, mode))?;
                storage.metadata(path).map(StorageAnswer::Metadata)
            }
            SpaceLeft(path) => storage.space_left(path).map(StorageAnswer::Space),
        }
    }

    fn transfer(&mut self, plan: &Plan, data: &mut Vec<u8>) -> TransferEnd {
        let outcome = match plan {
            Plan::Send { file, filter, offset, end } => {
                self.read(*file, *filter, *end).and_then(|content| {
                    let rest = content.get(*offset as usize..).ok_or(StorageError::BadOffset)?;
                    data.extend_from_slice(rest);
                    Ok(())
                })
            }
            Plan::Receive { file, filter, most } => {
                let mut content = Vec::new();
                match filter {
                    Filter::Identity => content.extend_from_slice(data),
                    Filter::Ascii => {
                        let mut from_network = FromNetwork::default();
                        from_network.convert(data, &mut content);
                        from_network.finish(&mut content);
                    }
                }
                let most = most.map_or(usize::MAX, |most| most as usize);
                let file = self.written(*file);
                match file.write(&content[..content.len().min(most)]) {
                    Ok(()) if content.len() > most => return TransferEnd::Excess,
                    outcome => outcome,
                }
            }
            Plan::List { head, directory, format } => {
                data.extend_from_slice(head);
                directory.map_or(Ok(()), |directory| self.list(directory, format, data))
            }
        };
        outcome.map_or_else(TransferEnd::Storage, |()| TransferEnd::Complete)
    }

    fn release(&mut self, id: RequestId) {
        self.open.remove(&id);
    }
}
