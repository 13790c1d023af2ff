//! The files that a session has open, and the storage calls that concern them.

use std::sync::Arc;

use wharf_core::{
    Allowance, Event, Lines, ListingFormat, Opened, RequestId, StorageAnswer, StorageError,
    StorageRequest as Request, VirtualPath, WallTime,
};

use crate::connection::job::{Job, Outcome};
use wharf_storage::{Entries, ReadFile, Storage, WriteFile};

/// How much of a listing is made ready at once for the control connection, in bytes.
const ENOUGH: usize = 16 * 1024;

/// A file or directory that is open.
pub(crate) enum OpenFile {
    Read(Box<dyn ReadFile>),
    Write(Box<dyn WriteFile>),
    Directory(Box<dyn Entries>),
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

    /// Makes the job that drops the file.
    pub(crate) fn release(&mut self, id: RequestId) -> Option<Job> {
        self.take(id).map(Job::drop)
    }

    /// Makes the job that drops all files.
    pub(crate) fn release_all(&mut self) -> Option<Job> {
        let files = std::mem::take(&mut self.0);
        (!files.is_empty()).then(|| Job::drop(files))
    }

    /// Makes the job that carries out a storage request.
    pub(crate) fn job(
        &mut self,
        storage: Arc<dyn Storage>,
        id: RequestId,
        request: Request,
    ) -> Job {
        let used = match &request {
            Request::Sync { file: used }
            | Request::Finish { file: used, .. }
            | Request::NextLines { directory: used, .. } => self.take(*used),
            _ => None,
        };
        let question = match &request {
            Request::NextLines { .. } => {
                return Job::read(move || carry_out(&*storage, id, request, used));
            }
            Request::Sync { .. } | Request::Finish { .. } => {
                return Job::new(move || carry_out(&*storage, id, request, used));
            }
            Request::Metadata(_)
            | Request::LinkMetadata(_)
            | Request::OpenDirectory(_)
            | Request::OpenRead(_)
            | Request::CheckWrite(..)
            | Request::UniqueName { .. }
            | Request::SpaceLeft(_) => true,
            Request::OpenWrite(..)
            | Request::CreateDirectory(_)
            | Request::RemoveFile(_)
            | Request::RemoveDirectory(_)
            | Request::Rename { .. }
            | Request::SetFacts { .. } => false,
        };
        let refusal = Event::Storage { id, outcome: Err(StorageError::Busy) };
        Job::request(refusal, question, move || carry_out(&*storage, id, request, used))
    }
}

fn carry_out(
    storage: &dyn Storage,
    id: RequestId,
    request: Request,
    used: Option<OpenFile>,
) -> Outcome {
    let answer = match request {
        Request::Metadata(path) => storage.metadata(&path).map(StorageAnswer::Metadata),
        Request::LinkMetadata(path) => storage.link_metadata(&path).map(StorageAnswer::Metadata),
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
        Request::Sync { file } => match used {
            Some(OpenFile::Write(mut written)) => {
                let outcome = done(written.sync());
                return Outcome::File(
                    Event::Storage { id, outcome },
                    file,
                    OpenFile::Write(written),
                );
            }
            _ => Err(StorageError::Other),
        },
        Request::Finish { disposition, .. } => match used {
            Some(OpenFile::Write(file)) => done(file.finish(disposition)),
            _ => Err(StorageError::Other),
        },
        Request::NextLines { directory, format, allowance } => {
            return next_lines(id, directory, &format, allowance, used);
        }
        Request::OpenDirectory(path) => {
            let opened = storage.open_directory(&path);
            return opened_as(
                id,
                opened.map(|entries| (Opened::default(), OpenFile::Directory(entries))),
            );
        }
        Request::OpenRead(path) => {
            let opened = storage.open_read(&path);
            return opened_as(
                id,
                opened.map(|file| {
                    let opened = Opened { size: file.size(), ..Opened::default() };
                    (opened, OpenFile::Read(file))
                }),
            );
        }
        Request::OpenWrite(path, mode) => {
            let opened = storage.open_write(&path, &mode);
            return opened_as(
                id,
                opened.map(|file| {
                    let opened = Opened { existed: file.existed(), size: 0 };
                    (opened, OpenFile::Write(file))
                }),
            );
        }
    };
    Outcome::Event(Event::Storage { id, outcome: answer })
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

fn opened_as(id: RequestId, opened: Result<(Opened, OpenFile), StorageError>) -> Outcome {
    match opened {
        Ok((opened, file)) => {
            let outcome = Ok(StorageAnswer::Opened(opened));
            Outcome::File(Event::Storage { id, outcome }, id, file)
        }
        Err(error) => Outcome::Event(Event::Storage { id, outcome: Err(error) }),
    }
}

fn next_lines(
    id: RequestId,
    directory: RequestId,
    format: &ListingFormat,
    allowance: Allowance,
    used: Option<OpenFile>,
) -> Outcome {
    let Some(OpenFile::Directory(mut entries)) = used else {
        return Outcome::Event(Event::Storage { id, outcome: Err(StorageError::Other) });
    };
    let mut text = Vec::new();
    let portion = format.write_portion(|| entries.next(), allowance, ENOUGH, &mut text);
    let outcome = portion.map(|(count, end)| StorageAnswer::Lines(Lines { text, count, end }));
    Outcome::File(Event::Storage { id, outcome }, directory, OpenFile::Directory(entries))
}
