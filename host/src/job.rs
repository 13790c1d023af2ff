//! Blocking work: what may not run where others wait.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use wharf_core::{Event, StorageError};

use crate::accounts::Account;
use crate::digest::Reading;
use crate::files::OpenFile;
use crate::pump::Pumped;

/// A piece of work that may block: a storage call, a login, a SITE command.
///
/// The driver runs it where that harms nobody, and hands the outcome to
/// [`Connection::complete`](crate::Connection::complete).
pub struct Job {
    lane: Lane,
    work: Box<dyn FnOnce() -> Outcome + Send>,
}

/// Where a [`Job`] may run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lane {
    /// Beside as many others as the driver bears: it mostly waits for a disk.
    Storage,
    /// Beside no more than [`Server::logins_at_once`](crate::Server::logins_at_once) of its kind,
    /// in the order in which they came: hashing a password takes much memory and a processor, as
    /// it should. Those that wait take no thread from storage calls.
    Login,
    /// Where sessions share threads, on few of them: it takes a processor for about a millisecond,
    /// again and again, and storage calls are to find theirs.
    Digest,
}

/// The outcome of a [`Job`].
pub struct Done(pub(crate) Outcome);

pub(crate) enum Outcome {
    /// Session hears of it.
    Event(Event),
    /// A login succeeded.
    LoggedIn(Event, Account),
    /// A file was opened, or comes back from being used.
    File(Event, wharf_core::RequestId, OpenFile),
    /// The transfer goes on.
    Pumped(Pumped),
    /// The digest goes on: the file comes back, a portion of it read.
    Digested(Reading, Result<(), StorageError>),
    /// Nobody waits for it.
    Nothing,
    /// The storage, the accounts or the SITE command panicked.
    Panicked,
}

impl Job {
    pub(crate) fn new(work: impl FnOnce() -> Outcome + Send + 'static) -> Self {
        Self { lane: Lane::Storage, work: Box::new(work) }
    }

    /// Makes a job that asks the accounts.
    pub(crate) fn login(work: impl FnOnce() -> Outcome + Send + 'static) -> Self {
        Self { lane: Lane::Login, work: Box::new(work) }
    }

    /// Makes a job that takes in a portion of a file for a digest.
    pub(crate) fn digest(work: impl FnOnce() -> Outcome + Send + 'static) -> Self {
        Self { lane: Lane::Digest, work: Box::new(work) }
    }

    /// Returns where it may run.
    pub fn lane(&self) -> Lane {
        self.lane
    }

    /// Makes the job that drops something of the storage's: even that may block.
    pub(crate) fn drop(something: impl Send + 'static) -> Self {
        Self::new(move || {
            drop(something);
            Outcome::Nothing
        })
    }

    /// Does the work. It does not panic: what an embedding program's code does to itself ends its
    /// session, and no other.
    pub fn run(self) -> Done {
        Done(catch_unwind(AssertUnwindSafe(self.work)).unwrap_or(Outcome::Panicked))
    }
}

impl Done {
    /// Returns the job that drops what nobody waits for any more, where it is more than a word.
    pub fn discard(self) -> Option<Job> {
        match self.0 {
            Outcome::Event(_) | Outcome::Nothing | Outcome::Panicked => None,
            held @ (Outcome::LoggedIn(..)
            | Outcome::File(..)
            | Outcome::Pumped(_)
            | Outcome::Digested(..)) => Some(Job::drop(held)),
        }
    }
}

impl fmt::Debug for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Job").field("lane", &self.lane).finish_non_exhaustive()
    }
}

impl fmt::Debug for Done {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Done")
    }
}
