//! Blocking work: what may not run where others wait.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use wharf_core::{Event, StorageError};

use crate::transfer::digest::Reading;
use crate::transfer::files::OpenFile;
use crate::transfer::pump::Pumped;
use crate::workers::JobOwner;
use wharf_accounts::Account;

/// A piece of work that may block: a storage call, a login, a SITE command.
///
/// The driver gives it to the [`Workers`](crate::Workers), and hands the outcome to
/// [`Connection::complete`](crate::Connection::complete).
pub struct Job {
    lane: Lane,
    kind: Kind,
    /// Whose it is.
    owner: Option<Arc<JobOwner>>,
    work: Box<dyn FnOnce() -> Outcome + Send>,
}

/// What becomes of a job that nobody waits for any more, or that there is no room for.
enum Kind {
    /// It is done all the same.
    Needed,
    /// It only serves to tell the client something: it is left out when that has gone.
    Question,
    /// Likewise, but it holds a file: to drop it may block.
    QuestionOfFile,
    /// A storage call that can be refused, by this event. It is left out when the client has gone,
    /// where it is a question.
    Request { refusal: Event, question: bool },
}

/// Where a [`Job`] may run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lane {
    /// Beside as many others as the driver bears: it mostly waits for a disk.
    Storage,
    /// Beside no more than [`logins_at_once`](crate::ServiceSettings::logins_at_once) of its kind:
    /// hashing a password takes much memory and a processor, as it should. Those that wait take no
    /// thread from storage calls.
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
    #[cfg_attr(not(feature = "digests"), expect(dead_code, reason = "none is computed"))]
    Digested(Box<Reading>, Result<(), StorageError>),
    /// Nobody waits for it.
    Nothing,
    /// The storage, the accounts or the SITE command panicked.
    Panicked,
}

impl Job {
    pub(crate) fn new(work: impl FnOnce() -> Outcome + Send + 'static) -> Self {
        Self { lane: Lane::Storage, kind: Kind::Needed, owner: None, work: Box::new(work) }
    }

    /// Makes a job that asks the accounts.
    pub(crate) fn login(work: impl FnOnce() -> Outcome + Send + 'static) -> Self {
        Self { lane: Lane::Login, kind: Kind::Question, ..Self::new(work) }
    }

    /// Makes a job that takes in a portion of a file for a digest.
    #[cfg(feature = "digests")]
    pub(crate) fn digest(work: impl FnOnce() -> Outcome + Send + 'static) -> Self {
        Self { lane: Lane::Digest, kind: Kind::QuestionOfFile, ..Self::new(work) }
    }

    /// Makes a job that reads what is sent to the client.
    pub(crate) fn read(work: impl FnOnce() -> Outcome + Send + 'static) -> Self {
        Self { kind: Kind::QuestionOfFile, ..Self::new(work) }
    }

    /// Makes a job that carries out a request, which `refusal` answers where there is no room for
    /// it. A `question` changes nothing.
    pub(crate) fn request(
        refusal: Event,
        question: bool,
        work: impl FnOnce() -> Outcome + Send + 'static,
    ) -> Self {
        Self { kind: Kind::Request { refusal, question }, ..Self::new(work) }
    }

    /// Makes the job that drops something of the storage's: even that may block.
    pub(crate) fn drop(something: impl Send + 'static) -> Self {
        Self::new(move || {
            drop(something);
            Outcome::Nothing
        })
    }

    /// Says whose it is.
    pub(crate) fn of(mut self, owner: &Arc<JobOwner>) -> Self {
        self.owner = Some(owner.clone());
        self
    }

    pub(crate) fn owner(&self) -> Option<Arc<JobOwner>> {
        self.owner.clone()
    }

    pub(crate) fn owner_ref(&self) -> Option<&JobOwner> {
        self.owner.as_deref()
    }

    /// Returns where it may run.
    pub fn lane(&self) -> Lane {
        self.lane
    }

    /// Returns `true` if it is pointless once the client has gone.
    pub(crate) fn is_question(&self) -> bool {
        match self.kind {
            Kind::Question | Kind::QuestionOfFile => true,
            Kind::Request { question, .. } => question,
            Kind::Needed => false,
        }
    }

    /// Returns `true` if dropping it drops a file.
    pub(crate) fn holds_file(&self) -> bool {
        matches!(self.kind, Kind::QuestionOfFile | Kind::Needed)
    }

    pub(crate) fn can_be_refused(&self) -> bool {
        matches!(self.kind, Kind::Request { .. })
    }

    /// Returns what it comes to where there is no room for it; `None` where it has to be done.
    pub(crate) fn refusal(&self) -> Option<Done> {
        match &self.kind {
            Kind::Request { refusal, .. } => Some(Done(Outcome::Event(refusal.clone()))),
            _ => None,
        }
    }

    /// Does the work. It does not panic: what an embedding program's code does to itself ends its
    /// session, and no other.
    pub fn run(self) -> Done {
        Done(catch_unwind(AssertUnwindSafe(self.work)).unwrap_or(Outcome::Panicked))
    }

    /// Leaves the work out, and drops what it holds, where that may block.
    pub(crate) fn skip(self) -> Done {
        let work = self.work;
        Job::drop(work).run()
    }
}

impl Done {
    /// Drops what nobody waits for any more, where that may block.
    pub(crate) fn forget(self) {
        // It does not panic.
        Job::drop(self.0).run();
    }

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
