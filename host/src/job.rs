//! Blocking work: what may not run where others wait.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use wharf_core::Event;

use crate::accounts::Account;
use crate::files::OpenFile;
use crate::pump::Pumped;

/// A piece of work that may block: a storage call, a login, a SITE command.
///
/// The driver runs it where that harms nobody, and hands the outcome to
/// [`Connection::complete`](crate::Connection::complete).
pub struct Job(Box<dyn FnOnce() -> Outcome + Send>);

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
    /// Nobody waits for it.
    Nothing,
    /// The storage, the accounts or the SITE command panicked.
    Panicked,
}

impl Job {
    pub(crate) fn new(work: impl FnOnce() -> Outcome + Send + 'static) -> Self {
        Self(Box::new(work))
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
        Done(catch_unwind(AssertUnwindSafe(self.0)).unwrap_or(Outcome::Panicked))
    }
}

impl Done {
    /// Returns the job that drops what nobody waits for any more, where it is more than a word.
    pub fn discard(self) -> Option<Job> {
        match self.0 {
            Outcome::Event(_) | Outcome::Nothing | Outcome::Panicked => None,
            held @ (Outcome::LoggedIn(..) | Outcome::File(..) | Outcome::Pumped(_)) => {
                Some(Job::drop(held))
            }
        }
    }
}

impl fmt::Debug for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Job")
    }
}

impl fmt::Debug for Done {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Done")
    }
}
