//! The files that a session has open, and the storage calls that concern them.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use wharf_core::{
    Allowance, Lines, ListingFormat, Opened, RequestId, StorageAnswer, StorageError,
    StorageRequest as Request, VirtualPath, WallTime,
};

use wharf_storage::{Entries, ReadFile, Storage, WriteFile};

/// How much of a listing is made ready at once for the control connection, in bytes.
const ENOUGH: usize = 16 * 1024;

/// A file or directory that is open.
pub(crate) enum OpenFile {
    Read(Box<dyn ReadFile>),
    Write(Box<dyn WriteFile>),
    Directory(Box<dyn Entries>),
}

impl OpenFile {
    /// Returns `true` if dropping it waits for nothing.
    pub(crate) fn closes_at_once(&self) -> bool {
        match self {
            Self::Read(file) => file.closes_at_once(),
            Self::Write(file) => file.is_in_memory(),
            Self::Directory(_) => false,
        }
    }
}

/// Returns `true` if a file is written that says so, without a panic.
fn is_in_memory(file: &OpenFile) -> bool {
    let OpenFile::Write(file) = file else { return false };
    catch_unwind(AssertUnwindSafe(|| file.is_in_memory())).unwrap_or(false)
}

/// The open files of a session by the id of the request that opened them; seldom more than one.
#[derive(Default)]
pub(crate) struct Files(Vec<(RequestId, OpenFile)>);

impl Files {
    pub(crate) fn insert(&mut self, id: RequestId, file: OpenFile) {
        self.0.push((id, file));
    }

    pub(crate) fn take(&mut self, id: RequestId) -> Option<OpenFile> {
        let at = self.0.iter().position(|(held, _)| *held == id)?;
        Some(self.0.swap_remove(at).1)
    }

    /// Returns `true` if there are none.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns `true` if the call opens a file or a directory that stays open after it.
    pub(crate) fn are_opened_by(request: &Request) -> bool {
        matches!(request, Request::OpenRead(_) | Request::OpenWrite(..) | Request::OpenDirectory(_))
    }

    /// Gives all of them up.
    pub(crate) fn take_all(&mut self) -> Vec<OpenFile> {
        std::mem::take(&mut self.0).into_iter().map(|(_, file)| file).collect()
    }

    /// Returns `true` if a storage may be able to make this call without waiting: those that
    /// [`Storage::at_once`] tells of. One that changes names, or reads a directory, takes its time.
    pub(crate) fn can_be_at_once(&self, request: &Request) -> bool {
        match request {
            Request::Metadata(_)
            | Request::LinkMetadata(_)
            | Request::OpenRead(_)
            | Request::CheckWrite(..)
            | Request::OpenWrite(..) => true,
            Request::Sync { file } | Request::Finish { file, .. } => {
                let held = self.0.iter().find(|(id, _)| id == file);
                held.is_some_and(|(_, file)| is_in_memory(file))
            }
            _ => false,
        }
    }

    /// Returns the id of the open file that the call takes out, if it does.
    pub(crate) fn used_by(request: &Request) -> Option<RequestId> {
        match request {
            Request::Sync { file: used }
            | Request::Finish { file: used, .. }
            | Request::NextLines { directory: used, .. } => Some(*used),
            _ => None,
        }
    }

    /// Prepares a storage call, for which a file that it uses is taken out.
    pub(crate) fn call(
        &mut self,
        storage: Arc<dyn Storage>,
        id: RequestId,
        request: Request,
    ) -> StorageCall {
        let used = Self::used_by(&request).and_then(|used| self.take(used));
        StorageCall { storage, id, request, used }
    }
}

/// A storage call, which may block.
#[must_use = "the session waits for its outcome"]
pub(crate) struct StorageCall {
    storage: Arc<dyn Storage>,
    pub(crate) id: RequestId,
    request: Request,
    used: Option<OpenFile>,
}

/// What becomes of a storage call that the client no longer waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CallKind {
    /// It tells the client something, and can be refused.
    Question,
    /// It tells the client something of a directory that it holds.
    QuestionOfDirectory,
    /// It changes something, and can be refused.
    Change,
    /// It brings what has been written to its end, and cannot be refused.
    End,
}

/// What a [`StorageCall`] comes to.
pub(crate) struct StorageDone {
    pub(crate) id: RequestId,
    pub(crate) outcome: Result<StorageAnswer, StorageError>,
    /// A file that has been opened, or comes back from being used, and its id.
    pub(crate) file: Option<(RequestId, OpenFile)>,
}

impl StorageDone {
    /// Answers without a file.
    pub(crate) fn new(id: RequestId, outcome: Result<StorageAnswer, StorageError>) -> Self {
        Self { id, outcome, file: None }
    }

    /// Answers with a file that has been opened for the request.
    fn opened(id: RequestId, opened: Result<(Opened, OpenFile), StorageError>) -> Self {
        match opened {
            Ok((opened, file)) => {
                let outcome = Ok(StorageAnswer::Opened(opened));
                Self { id, outcome, file: Some((id, file)) }
            }
            Err(error) => Self::new(id, Err(error)),
        }
    }
}

impl StorageCall {
    /// Returns what becomes of it when the client has gone, or there is no room for it.
    pub(crate) fn kind(&self) -> CallKind {
        match self.request {
            Request::NextLines { .. } => CallKind::QuestionOfDirectory,
            Request::Sync { .. } | Request::Finish { .. } => CallKind::End,
            Request::Metadata(_)
            | Request::LinkMetadata(_)
            | Request::OpenDirectory(_)
            | Request::OpenRead(_)
            | Request::CheckWrite(..)
            | Request::UniqueName { .. }
            | Request::SpaceLeft(_) => CallKind::Question,
            Request::OpenWrite(..)
            | Request::CreateDirectory(_)
            | Request::RemoveFile(_)
            | Request::RemoveDirectory(_)
            | Request::Rename { .. }
            | Request::SetFacts { .. } => CallKind::Change,
        }
    }

    /// Carries it out.
    pub(crate) fn run(self) -> StorageDone {
        let Self { storage, id, request, used } = self;
        let storage = &*storage;
        let outcome = match request {
            Request::Metadata(path) => storage.metadata(&path).map(StorageAnswer::Metadata),
            Request::LinkMetadata(path) => {
                storage.link_metadata(&path).map(StorageAnswer::Metadata)
            }
            Request::CreateDirectory(path) => done(storage.create_directory(&path)),
            Request::RemoveFile(path) => done(storage.remove_file(&path)),
            Request::RemoveDirectory(path) => done(storage.remove_directory(&path)),
            Request::Rename { from, to, replace } => done(storage.rename(&from, &to, replace)),
            Request::SetFacts { path, modified, mode } => set_facts(storage, &path, modified, mode),
            Request::SpaceLeft(path) => storage.space_left(&path).map(StorageAnswer::Space),
            Request::CheckWrite(path, mode) => done(storage.check_write(&path, &mode)),
            Request::UniqueName { directory, hint } => {
                storage.unique_name(&directory, &hint).map(StorageAnswer::Name)
            }
            Request::Sync { file } => return sync(id, file, used),
            Request::Finish { disposition, .. } => match used {
                Some(OpenFile::Write(file)) => done(file.finish(disposition)),
                _ => Err(StorageError::Other),
            },
            Request::NextLines { directory, format, allowance } => {
                return next_lines(id, directory, &format, allowance, used);
            }
            Request::OpenDirectory(path) => {
                let opened = storage.open_directory(&path);
                let opened =
                    opened.map(|entries| (Opened::default(), OpenFile::Directory(entries)));
                return StorageDone::opened(id, opened);
            }
            Request::OpenRead(path) => {
                let opened = storage.open_read(&path).map(|file| {
                    let opened = Opened { size: file.size(), ..Opened::default() };
                    (opened, OpenFile::Read(file))
                });
                return StorageDone::opened(id, opened);
            }
            Request::OpenWrite(path, mode) => {
                let opened = storage.open_write(&path, &mode).map(|file| {
                    let opened = Opened { existed: file.existed(), size: 0 };
                    (opened, OpenFile::Write(file))
                });
                return StorageDone::opened(id, opened);
            }
        };
        StorageDone::new(id, outcome)
    }
}

fn done(outcome: Result<(), StorageError>) -> Result<StorageAnswer, StorageError> {
    outcome.map(|()| StorageAnswer::Done)
}

fn set_facts(
    storage: &dyn Storage,
    path: &VirtualPath,
    modified: Option<WallTime>,
    mode: Option<u32>,
) -> Result<StorageAnswer, StorageError> {
    if let Some(modified) = modified {
        storage.set_modified(path, modified)?;
    }
    if let Some(mode) = mode {
        storage.set_mode(path, mode)?;
    }
    storage.metadata(path).map(StorageAnswer::Metadata)
}

fn sync(id: RequestId, file: RequestId, used: Option<OpenFile>) -> StorageDone {
    let Some(OpenFile::Write(mut written)) = used else {
        return StorageDone::new(id, Err(StorageError::Other));
    };
    let outcome = done(written.sync());
    StorageDone { id, outcome, file: Some((file, OpenFile::Write(written))) }
}

fn next_lines(
    id: RequestId,
    directory: RequestId,
    format: &ListingFormat,
    allowance: Allowance,
    used: Option<OpenFile>,
) -> StorageDone {
    let Some(OpenFile::Directory(mut entries)) = used else {
        return StorageDone::new(id, Err(StorageError::Other));
    };
    let mut text = Vec::new();
    let next = |entry: &mut _, detail| entries.next_into(entry, detail);
    let portion = format.write_portion(next, allowance, ENOUGH, &mut text);
    let outcome = portion.map(|(count, end)| StorageAnswer::Lines(Lines { text, count, end }));
    StorageDone { id, outcome, file: Some((directory, OpenFile::Directory(entries))) }
}
