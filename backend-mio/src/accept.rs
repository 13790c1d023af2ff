//! Accepting clients: the first reactor accepts them all, and serves them, unless another has fewer.

use std::sync::Arc;
use std::time::Instant;

use wharf_host::{Accepted, Arrival, EXHAUSTION_PAUSE, Listener, Seat};

use crate::workers::{Mailbox, Message};

/// How many clients are accepted before the sessions have a turn.
const AT_ONCE: usize = 64;

/// The listeners, and the reactors that clients go to.
pub(crate) struct Acceptor {
    listeners: Vec<Watched>,
    /// Of the reactor that accepts.
    own: Arc<Mailbox>,
    /// Of the other reactors.
    others: Vec<Arc<Mailbox>>,
    /// The system is exhausted: nothing is accepted before then.
    pause: Option<Instant>,
}

struct Watched {
    listener: Listener,
    /// A client may be waiting.
    ready: bool,
}

impl Acceptor {
    pub(crate) fn new(
        listeners: Vec<Listener>,
        own: Arc<Mailbox>,
        others: Vec<Arc<Mailbox>>,
    ) -> Self {
        let listeners =
            listeners.into_iter().map(|listener| Watched { listener, ready: true }).collect();
        Self { listeners, own, others, pause: None }
    }

    pub(crate) fn listeners(&self) -> impl Iterator<Item = &Listener> {
        self.listeners.iter().map(|watched| &watched.listener)
    }

    /// Notes that a client may be waiting at this listener.
    pub(crate) fn set_ready(&mut self, index: usize) {
        if let Some(watched) = self.listeners.get_mut(index) {
            watched.ready = true;
        }
    }

    /// Returns when to call [`accept`](Self::accept) even if nothing happens; in the past: at once.
    pub(crate) fn due(&self) -> Option<Instant> {
        let waiting = self.listeners.iter().any(|watched| watched.ready);
        waiting.then(|| self.pause.unwrap_or_else(Instant::now))
    }

    /// Accepts the clients that wait, up to a bound, and calls `serve` with those that stay here.
    pub(crate) fn accept(&mut self, mut serve: impl FnMut(Arrival, Seat)) {
        if self.pause.is_some_and(|until| Instant::now() < until) {
            return;
        }
        self.pause = None;
        for watched in self.listeners.iter_mut().filter(|watched| watched.ready) {
            for _ in 0..AT_ONCE {
                match watched.listener.accept() {
                    Accepted::Client(arrival) => match freer(&self.own, &self.others) {
                        Some(other) => other.send(Message::Client(arrival, other.sessions.take())),
                        None => serve(arrival, self.own.sessions.take()),
                    },
                    Accepted::NoClient => {
                        watched.ready = false;
                        break;
                    }
                    Accepted::Exhausted(error) => {
                        wharf_host::log_limited!(Warn, "cannot accept clients for now: {error}");
                        self.pause = Some(Instant::now() + EXHAUSTION_PAUSE);
                        return;
                    }
                }
            }
        }
    }
}

/// Returns the reactor with the fewest sessions, where that is not `own`: to wake up another costs
/// more than a short session does.
fn freer<'a>(own: &Mailbox, others: &'a [Arc<Mailbox>]) -> Option<&'a Arc<Mailbox>> {
    let sessions = |mailbox: &&Arc<Mailbox>| mailbox.sessions.taken();
    others.iter().min_by_key(sessions).filter(|it| sessions(it) < own.sessions.taken())
}
