//! A piece of work, as the worker pool sees it.

use std::sync::Arc;

use super::owner::{JobOwner, Presence};
use crate::server::client_address::ClientAddress;

/// Where blocking work may run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lane {
    /// Beside as many others as the driver bears: it mostly waits for a disk.
    Storage,
    /// Beside no more than [`logins_at_once`](crate::ServiceSettings::logins_at_once) of its kind:
    /// hashing a password takes much memory and a processor, as it should. Those that wait take no
    /// thread from storage calls.
    Login,
    /// Beside as many others as storage calls, none of which it holds up: it may wait for a client a
    /// moment.
    Transfer,
    /// Where sessions share threads, on few of them: it takes a processor for about a millisecond,
    /// again and again, and storage calls are to find theirs.
    Digest,
}

/// What becomes of a task when its client has gone, or when there is no room for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    /// It is carried out all the same.
    Always,
    /// It only serves to answer the client: it is left out when that has gone.
    Answer,
    /// Likewise, but it holds a file: to drop it may block.
    AnswerFromFile,
    /// A storage call, which can be refused. One that changes nothing is left out when the client
    /// has gone.
    Request {
        /// It changes something.
        changes: bool,
    },
}

/// What a task is called with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Do the work; this thread may block.
    Run,
    /// There is no room for it: tell the session so. This thread may not block.
    Refuse,
}

/// Work that waits for a thread. What comes of it is for its own code to deliver.
pub(crate) struct Task {
    lane: Lane,
    need: Need,
    /// The session, where there is one.
    owner: Option<Arc<JobOwner>>,
    work: Box<dyn FnOnce(Verdict) + Send>,
}

impl Task {
    pub(crate) fn new(
        lane: Lane,
        need: Need,
        owner: Option<Arc<JobOwner>>,
        work: impl FnOnce(Verdict) + Send + 'static,
    ) -> Self {
        Self { lane, need, owner, work: Box::new(work) }
    }

    pub(super) fn lane(&self) -> Lane {
        self.lane
    }

    pub(super) fn owner(&self) -> Option<&Arc<JobOwner>> {
        self.owner.as_ref()
    }

    pub(super) fn client(&self) -> Option<ClientAddress> {
        self.owner.as_ref().map(|owner| owner.client())
    }

    pub(super) fn presence(&self) -> Presence {
        self.owner.as_ref().map_or(Presence::Here, |owner| owner.presence())
    }

    /// Returns `true` if it can be dropped at once when the server stops.
    pub(super) fn is_idle_question(&self) -> bool {
        matches!(self.need, Need::Answer | Need::Request { changes: false })
    }

    /// Returns `true` if it may be called with [`Verdict::Refuse`].
    pub(super) fn can_be_refused(&self) -> bool {
        matches!(self.need, Need::Request { .. })
    }

    pub(super) fn run(self) {
        (self.work)(Verdict::Run);
    }

    pub(super) fn refuse(self) {
        (self.work)(Verdict::Refuse);
    }
}

impl Need {
    /// Returns `true` if the work is pointless once the client has gone.
    pub(crate) fn ends_with_client(self) -> bool {
        match self {
            Self::Answer | Self::AnswerFromFile => true,
            Self::Request { changes } => !changes,
            Self::Always => false,
        }
    }
}
