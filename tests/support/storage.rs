//! A storage that hangs and panics where a test wants it to.

use std::io::Write;
use std::net::{Shutdown, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use wharf::{
    Disposition, Entries, Entry, Memory, Metadata, ReadFile, Storage, StorageError, VirtualPath,
    WallTime, WriteFile, WriteMode,
};

use super::{Client, LIMIT, wait_until};

/// A gate at which callers wait until it is opened.
#[derive(Default)]
pub(crate) struct Gate {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    open: bool,
    waiting: usize,
}

impl Gate {
    pub(crate) fn new() -> Arc<Self> {
        Arc::default()
    }

    /// Passes the gate, as soon as it is open.
    pub(crate) fn pass(&self) {
        let mut state = self.lock();
        state.waiting += 1;
        while !state.open {
            // Longer than any test: then only a thread that is left behind comes to its end.
            let waited = self.changed.wait_timeout(state, LIMIT * 6);
            let (guard, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
            state = guard;
            if timeout.timed_out() {
                break;
            }
        }
        state.waiting -= 1;
    }

    /// Waits until so many stand before the gate.
    #[track_caller]
    pub(crate) fn wait_for(&self, count: usize) {
        wait_until("so many at the gate", || self.lock().waiting == count);
    }

    pub(crate) fn open(&self) {
        self.lock().open = true;
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A call of a storage, or of what it has opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Call {
    Metadata,
    OpenRead,
    ReadAt,
    DropRead,
    OpenWrite,
    Write,
    Sync,
    Finish,
    OpenDirectory,
    NextEntry,
    Remove,
}

impl Call {
    pub(crate) const ALL: [Self; 11] = [
        Self::Metadata,
        Self::OpenRead,
        Self::ReadAt,
        Self::DropRead,
        Self::OpenWrite,
        Self::Write,
        Self::Sync,
        Self::Finish,
        Self::OpenDirectory,
        Self::NextEntry,
        Self::Remove,
    ];

    /// A command that makes the storage do this, to something whose name begins with `bad`; and
    /// whether it wants a data connection.
    pub(crate) fn command(self) -> (&'static str, bool) {
        match self {
            Self::Metadata => ("SIZE bad", false),
            Self::OpenRead | Self::ReadAt | Self::DropRead => ("RETR bad", true),
            Self::OpenWrite | Self::Write | Self::Sync | Self::Finish => ("STOR bad", true),
            Self::OpenDirectory | Self::NextEntry => ("NLST bad-folder", true),
            Self::Remove => ("DELE bad", false),
        }
    }

    /// Sends that command, with what belongs to it.
    pub(crate) fn provoke(self, client: &mut Client) -> Option<TcpStream> {
        let (command, with_data) = self.command();
        let mut data = with_data.then(|| client.passive());
        client.send(command);
        if let (Some(data), "STOR bad") = (&mut data, command) {
            // The server may have closed it by then.
            let _ = data.write_all(b"New content.").and_then(|()| data.shutdown(Shutdown::Write));
        }
        data
    }
}

/// Files in memory; one call goes wrong with those at the top whose name begins with `bad`.
#[derive(Clone)]
pub(crate) struct Faulty {
    files: Memory,
    call: Call,
    gate: Option<Arc<Gate>>,
}

impl Faulty {
    /// A storage whose call waits at the gate; without one it panics.
    pub(crate) fn new(call: Call, gate: Option<Arc<Gate>>) -> Self {
        let files = Memory::new()
            .with_file("/bad", "A file.")
            .with_file("/bad-folder/entry", "A file in a folder.")
            .with_file("/good", "Another file.");
        Self { files, call, gate }
    }

    /// What it holds.
    pub(crate) fn files(&self) -> &Memory {
        &self.files
    }

    fn trap(&self, call: Call, path: &VirtualPath) -> Trap {
        let bad = path.to_string().starts_with("/bad");
        let trap = Trap { active: bad.then(|| self.clone()) };
        trap.spring(call);
        trap
    }
}

/// What goes wrong, where it does.
struct Trap {
    active: Option<Faulty>,
}

impl Trap {
    fn spring(&self, call: Call) {
        match &self.active {
            Some(faulty) if faulty.call == call => match &faulty.gate {
                Some(gate) => gate.pass(),
                None => panic!("{call:?} panics, as the test wants it to"),
            },
            _ => {}
        }
    }
}

impl Storage for Faulty {
    fn metadata(&self, path: &VirtualPath) -> Result<Metadata, StorageError> {
        self.trap(Call::Metadata, path);
        self.files.metadata(path)
    }

    fn link_metadata(&self, path: &VirtualPath) -> Result<Metadata, StorageError> {
        self.files.link_metadata(path)
    }

    fn open_directory(&self, path: &VirtualPath) -> Result<Box<dyn Entries>, StorageError> {
        let trap = self.trap(Call::OpenDirectory, path);
        Ok(Box::new(Open { inner: self.files.open_directory(path)?, trap, dropped: None }))
    }

    fn open_read(&self, path: &VirtualPath) -> Result<Box<dyn ReadFile>, StorageError> {
        let trap = self.trap(Call::OpenRead, path);
        let inner = self.files.open_read(path)?;
        Ok(Box::new(Open { inner, trap, dropped: Some(Call::DropRead) }))
    }

    fn check_write(&self, path: &VirtualPath, mode: &WriteMode) -> Result<(), StorageError> {
        self.files.check_write(path, mode)
    }

    fn open_write(
        &self,
        path: &VirtualPath,
        mode: &WriteMode,
    ) -> Result<Box<dyn WriteFile>, StorageError> {
        let trap = self.trap(Call::OpenWrite, path);
        let inner = Some(self.files.open_write(path, mode)?);
        Ok(Box::new(Open { inner, trap, dropped: None }))
    }

    fn create_directory(&self, path: &VirtualPath) -> Result<(), StorageError> {
        self.files.create_directory(path)
    }

    fn remove_file(&self, path: &VirtualPath) -> Result<(), StorageError> {
        self.trap(Call::Remove, path);
        self.files.remove_file(path)
    }

    fn remove_directory(&self, path: &VirtualPath) -> Result<(), StorageError> {
        self.files.remove_directory(path)
    }

    fn rename(
        &self,
        from: &VirtualPath,
        to: &VirtualPath,
        replace: bool,
    ) -> Result<(), StorageError> {
        self.files.rename(from, to, replace)
    }

    fn set_modified(&self, path: &VirtualPath, to: WallTime) -> Result<(), StorageError> {
        self.files.set_modified(path, to)
    }

    fn set_mode(&self, path: &VirtualPath, mode: u32) -> Result<(), StorageError> {
        self.files.set_mode(path, mode)
    }

    fn space_left(&self, path: &VirtualPath) -> Result<Option<u64>, StorageError> {
        self.files.space_left(path)
    }
}

/// Something open, whose calls may go wrong; the fields are dropped in this order.
struct Open<T> {
    /// The call that dropping it is.
    dropped: Option<Call>,
    trap: Trap,
    inner: T,
}

impl<T> Drop for Open<T> {
    fn drop(&mut self) {
        if let Some(call) = self.dropped {
            self.trap.spring(call);
        }
    }
}

impl Entries for Open<Box<dyn Entries>> {
    fn next(&mut self) -> Result<Option<Entry>, StorageError> {
        self.trap.spring(Call::NextEntry);
        self.inner.next()
    }
}

impl ReadFile for Open<Box<dyn ReadFile>> {
    fn size(&self) -> u64 {
        self.inner.size()
    }

    fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> Result<usize, StorageError> {
        self.trap.spring(Call::ReadAt);
        self.inner.read_at(offset, buffer)
    }
}

impl WriteFile for Open<Option<Box<dyn WriteFile>>> {
    fn existed(&self) -> bool {
        self.inner.as_ref().is_some_and(|inner| inner.existed())
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), StorageError> {
        self.trap.spring(Call::Write);
        match &mut self.inner {
            Some(inner) => inner.write(bytes),
            None => Err(StorageError::Other),
        }
    }

    fn sync(&mut self) -> Result<(), StorageError> {
        self.trap.spring(Call::Sync);
        self.inner.as_mut().map_or(Ok(()), |inner| inner.sync())
    }

    fn finish(mut self: Box<Self>, disposition: Disposition) -> Result<(), StorageError> {
        self.trap.spring(Call::Finish);
        match self.inner.take() {
            Some(inner) => inner.finish(disposition),
            None => Err(StorageError::Other),
        }
    }
}
