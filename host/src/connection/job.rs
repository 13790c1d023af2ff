//! Blocking work of a connection: what may not run where others wait.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use wharf_core::{Denial, RequestId, SiteReply, StorageError};

use super::data::Slice;
use super::login::LoggedIn;
use crate::transfer::digest::Reading;
use crate::transfer::files::{CallKind, StorageCall, StorageDone};
use crate::workers::{JobOwner, Lane, Need, Presence, Task, Verdict, Workers};

/// A piece of work that may block: a storage call, a login, a SITE command.
///
/// The driver gives it to the [`Workers`], and hands the outcome to
/// [`Connection::complete`](crate::Connection::complete).
#[must_use = "the session waits for its outcome: submit it to the workers"]
pub struct Job {
    lane: Lane,
    need: Need,
    /// The session, as the workers know it.
    owner: Option<Arc<JobOwner>>,
    work: Box<dyn FnOnce() -> Outcome + Send>,
    /// What it comes to when the program's code panics.
    panicked: Outcome,
    /// What it comes to when there is no room for it. Only a [`Need::Request`] has it.
    refused: Outcome,
}

/// The outcome of a [`Job`].
#[must_use = "the session waits for it: hand it to `Connection::complete`"]
pub struct Done {
    pub(super) outcome: Outcome,
    /// The work panicked.
    pub(super) panicked: bool,
}

/// What a job comes to.
pub(super) enum Outcome {
    /// There is nothing to tell.
    Nothing,
    /// A login succeeded, or did not.
    LoggedIn(RequestId, Result<LoggedIn, Denial>),
    /// A storage call is done.
    Stored(StorageDone),
    /// A SITE command has been answered.
    Site(RequestId, SiteReply),
    /// The transfer comes back from a worker.
    Moved(Box<Slice>),
    /// The digest goes on: the file comes back, a portion of it read.
    Digested(Box<Reading>, Result<(), StorageError>),
    /// The storage panicked while a digest read from it: the file is gone.
    DigestLost,
}

impl Job {
    fn new(need: Need, panicked: Outcome, work: impl FnOnce() -> Outcome + Send + 'static) -> Self {
        let (work, refused) = (Box::new(work), Outcome::Nothing);
        Self { lane: Lane::Storage, need, owner: None, work, panicked, refused }
    }

    /// Makes a job that carries out a storage call.
    pub(super) fn storage(call: StorageCall) -> Self {
        let need = match call.kind() {
            CallKind::Question => Need::Request { changes: false },
            CallKind::Change => Need::Request { changes: true },
            CallKind::QuestionOfDirectory => Need::AnswerFromFile,
            CallKind::End => Need::Always,
        };
        let id = call.id;
        let failed = |error| Outcome::Stored(StorageDone::new(id, Err(error)));
        let job =
            Self::new(need, failed(StorageError::Panicked), move || Outcome::Stored(call.run()));
        Self { refused: failed(StorageError::Busy), ..job }
    }

    /// Makes a job that carries on a transfer.
    pub(super) fn slice(mut slice: Box<Slice>) -> Self {
        let need = if slice.is_upload() { Need::Always } else { Need::AnswerFromFile };
        // What may panic in it is caught there.
        let job = Self::new(need, Outcome::Nothing, move || {
            slice.run();
            Outcome::Moved(slice)
        });
        Self { lane: Lane::Transfer, ..job }
    }

    /// Makes a job that takes in a portion of a file for a digest.
    pub(super) fn digest(mut reading: Box<Reading>) -> Self {
        let job = Self::new(Need::AnswerFromFile, Outcome::DigestLost, move || {
            let outcome = reading.read();
            Outcome::Digested(reading, outcome)
        });
        Self { lane: Lane::Digest, ..job }
    }

    /// Makes a job that asks the accounts.
    pub(super) fn login(
        id: RequestId,
        ask: impl FnOnce() -> Result<LoggedIn, Denial> + Send + 'static,
    ) -> Self {
        let panicked = Outcome::LoggedIn(id, Err(Denial::Failed));
        let job = Self::new(Need::Answer, panicked, move || Outcome::LoggedIn(id, ask()));
        Self { lane: Lane::Login, ..job }
    }

    /// Makes a job that carries out a SITE command of the embedding program.
    pub(super) fn site(id: RequestId, answer: impl FnOnce() -> SiteReply + Send + 'static) -> Self {
        let panicked = Outcome::Site(id, no_site_reply());
        Self::new(Need::Always, panicked, move || Outcome::Site(id, answer()))
    }

    /// Makes the job that drops something of the storage's: even that may block.
    pub(super) fn drop(something: impl Send + 'static) -> Self {
        Self::new(Need::Always, Outcome::Nothing, move || {
            drop(something);
            Outcome::Nothing
        })
    }

    /// Drops something of the storage's: here if that waits for nothing, else by the job that is
    /// returned.
    pub(super) fn drop_unless<T: Send + 'static>(
        something: T,
        is_at_once: impl FnOnce(&T) -> bool,
    ) -> Option<Self> {
        let at_once = catch_unwind(AssertUnwindSafe(|| is_at_once(&something))).unwrap_or(false);
        let job = Self::drop(something);
        if at_once {
            let _ = job.run();
            return None;
        }
        Some(job)
    }

    /// Names the session that it belongs to.
    pub(super) fn of(self, owner: &Arc<JobOwner>) -> Self {
        Self { owner: Some(owner.clone()), ..self }
    }

    /// Does the work. It does not panic: what goes wrong in a program's own code is that request's
    /// failure.
    pub(super) fn run(self) -> Done {
        match catch_unwind(AssertUnwindSafe(self.work)) {
            Ok(outcome) => Done { outcome, panicked: false },
            Err(_) => Done { outcome: self.panicked, panicked: true },
        }
    }

    /// Leaves the work out, and drops what it holds, where that may block.
    fn skip(self) {
        let _ = Job::drop(self.work).run();
    }

    /// Does the work as the worker pool says, and delivers what it comes to.
    fn settle(self, verdict: Verdict, deliver: impl FnOnce(Done)) {
        if verdict == Verdict::Refuse {
            // Dropped first, as before an answer that follows the work.
            drop(self.work);
            return deliver(Done { outcome: self.refused, panicked: false });
        }
        let owner = self.owner.clone();
        let has_gone = || owner.as_ref().is_some_and(|owner| owner.presence() == Presence::Gone);
        if has_gone() && self.need.ends_with_client() {
            return self.skip();
        }
        let done = self.run();
        if has_gone() {
            // What it holds may be a file: to let go of that may block, and here it may.
            let _ = Job::drop(done).run();
        } else {
            deliver(done);
        }
    }
}

impl Done {
    /// Returns `true` if a storage call could not be made without waiting; it has done nothing.
    pub(super) fn would_block(&self) -> bool {
        let blocked = Err(StorageError::WouldBlock);
        matches!(&self.outcome, Outcome::Stored(done) if done.outcome == blocked)
    }

    /// Returns the job that drops an outcome that no session waits for any more, where it holds
    /// more than a word.
    pub(super) fn discard(self) -> Option<Job> {
        match self.outcome {
            Outcome::Nothing
            | Outcome::Site(..)
            | Outcome::LoggedIn(_, Err(_))
            | Outcome::Stored(StorageDone { file: None, .. })
            | Outcome::DigestLost => None,
            held => Some(Job::drop(held)),
        }
    }
}

/// What core answers where a SITE command has no reply: any code that is none becomes 451.
pub(super) fn no_site_reply() -> SiteReply {
    SiteReply { code: 0, text: Vec::new() }
}

impl Workers {
    /// Lets a thread run the job, now or when it is its turn, and hands the outcome to `deliver`:
    /// on that thread, or on this one where the job is refused.
    ///
    /// Nothing is delivered when the session has gone meanwhile.
    pub fn submit(&self, job: Job, deliver: impl FnOnce(Done) + Send + 'static) {
        let (lane, need, owner) = (job.lane, job.need, job.owner.clone());
        self.run(Task::new(lane, need, owner, move |verdict| job.settle(verdict, deliver)));
    }

    /// Drops an outcome that came too late for its session, on a thread if that may block: it may
    /// hold a file.
    pub fn discard(&self, done: Done) {
        if let Some(job) = done.discard() {
            self.submit(job, drop);
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

#[cfg(test)]
mod tests {
    use std::net::IpAddr;
    use std::sync::mpsc::channel;

    use wharf_core::{StorageAnswer, StorageRequest, VirtualPath};
    use wharf_storage::{Memory, Storage};

    use super::*;
    use crate::transfer::files::Files;

    const ID: RequestId = RequestId(7);

    fn owner() -> Arc<JobOwner> {
        Arc::new(JobOwner::new(IpAddr::from([192, 0, 2, 1])))
    }

    fn make_directory(storage: &Memory) -> Job {
        let path = VirtualPath::root().join(b"new");
        let request = StorageRequest::CreateDirectory(path);
        Job::storage(Files::default().call(Arc::new(storage.clone()), ID, request))
    }

    fn exists(storage: &Memory) -> bool {
        storage.metadata(&VirtualPath::root().join(b"new")).is_ok()
    }

    #[test]
    fn a_refused_call_is_answered_and_not_made() {
        let storage = Memory::new();
        let mut answers = Vec::new();
        make_directory(&storage).settle(Verdict::Refuse, |done| answers.push(done.outcome));
        assert!(matches!(
            answers[..],
            [Outcome::Stored(StorageDone { id: ID, outcome: Err(StorageError::Busy), .. })]
        ));
        assert!(!exists(&storage));
    }

    #[test]
    fn what_changes_something_is_done_though_the_client_has_gone() {
        let (storage, owner) = (Memory::new(), owner());
        owner.set_presence(Presence::Gone);
        let job = make_directory(&storage).of(&owner);
        job.settle(Verdict::Run, |_| panic!("no session waits for it"));
        assert!(exists(&storage));
    }

    #[test]
    fn a_login_whose_client_has_gone_costs_nothing() {
        let (owner, (ask, asked)) = (owner(), channel());
        owner.set_presence(Presence::Gone);
        let job = Job::login(ID, move || {
            ask.send(()).unwrap();
            Err(Denial::Refused)
        });
        job.of(&owner).settle(Verdict::Run, |_| panic!("no session waits for it"));
        assert!(asked.recv().is_err());
    }

    #[test]
    fn an_outcome_that_comes_too_late_is_dropped_where_it_came() {
        let (owner, (held, dropped)) = (owner(), channel::<()>());
        let gone = owner.clone();
        let job = Job::site(ID, move || {
            gone.set_presence(Presence::Gone);
            drop(held);
            no_site_reply()
        });
        job.of(&owner).settle(Verdict::Run, |_| panic!("no session waits for it"));
        assert!(dropped.recv().is_err());
    }

    #[test]
    fn a_panic_is_that_requests_failure() {
        let done = Job::login(ID, || panic!("as the test wants it to")).run();
        assert!(done.panicked);
        assert!(matches!(done.outcome, Outcome::LoggedIn(ID, Err(Denial::Failed))));
        let done = Job::site(ID, || panic!("as the test wants it to")).run();
        assert!(matches!(done.outcome, Outcome::Site(ID, SiteReply { code: 0, .. })));
        let done = make_directory(&Memory::new()).run();
        assert!(!done.panicked);
        let Outcome::Stored(StorageDone { outcome, .. }) = done.outcome else {
            panic!("no answer")
        };
        assert_eq!(outcome, Ok(StorageAnswer::Done));
    }
}
