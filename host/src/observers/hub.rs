//! Which observers there are, and what a session adds to a notice.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use wharf_core::{Endpoint, Notice};
use wharf_storage::Storage;

use super::queue::Queue;
use super::{Observer, SessionEvent, Wanted};

/// For how long the end of observers is waited for where no bound is wanted.
const LONGEST_PATIENCE: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// The observers of a server.
pub(crate) struct Observers {
    observers: Vec<(Wanted, Arc<Queue>)>,
    last_session: AtomicU64,
    patience: Duration,
}

impl Observers {
    /// Makes a queue of `most` events for each observer; it is told what its function returns `true`
    /// for. No thread is started yet.
    pub(crate) fn new(
        observers: Vec<(Wanted, Arc<dyn Observer>)>,
        most: usize,
        patience: Duration,
    ) -> Self {
        let queue = |(wants, observer)| (wants, Queue::new(observer, most));
        let observers = observers.into_iter().map(queue).collect();
        Self { observers, last_session: AtomicU64::new(0), patience }
    }

    /// Returns `true` if there is none: then nothing is told.
    pub(crate) fn is_empty(&self) -> bool {
        self.observers.is_empty()
    }

    /// Starts a thread for each observer, unless it has one.
    pub(crate) fn start(&self) -> io::Result<()> {
        self.observers.iter().try_for_each(|(_, queue)| queue.start())
    }

    /// Makes what a session tells by, where there are observers.
    pub(crate) fn teller(&self, endpoint: Endpoint) -> Option<Box<Teller>> {
        if self.is_empty() {
            return None;
        }
        let session = self.last_session.fetch_add(1, Ordering::Relaxed) + 1;
        Some(Box::new(Teller { session, endpoint, user: None, host: None }))
    }

    /// Tells of a client that is not admitted, and is not even told so: it has no session.
    pub(crate) fn refused(&self, endpoint: Endpoint) {
        if let Some(mut teller) = self.teller(endpoint) {
            teller.tell(self, Notice::Refused { why: endpoint.admission() }, None);
        }
    }

    /// Lets no more events in, and returns when the observers have heard those that wait, or have
    /// taken too long for it.
    pub(crate) fn finish(&self) {
        self.close();
        let deadline = Instant::now() + self.patience.min(LONGEST_PATIENCE);
        self.observers.iter().for_each(|(_, queue)| queue.wait(deadline));
    }

    fn close(&self) {
        self.observers.iter().for_each(|(_, queue)| queue.close());
    }
}

impl Drop for Observers {
    /// Ends the threads, once they have nothing to tell any more.
    fn drop(&mut self) {
        self.close();
    }
}

impl fmt::Debug for Observers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Observers").field("count", &self.observers.len()).finish_non_exhaustive()
    }
}

/// What a session adds to its notices.
pub(crate) struct Teller {
    session: u64,
    endpoint: Endpoint,
    user: Option<Arc<[u8]>>,
    host: Option<Arc<str>>,
}

impl Teller {
    /// Tells the observers that want to know.
    pub(crate) fn tell(
        &mut self,
        observers: &Observers,
        notice: Notice,
        storage: Option<&Arc<dyn Storage>>,
    ) {
        let at = SystemTime::now();
        if let Notice::LoggedIn { user, host, .. } = &notice {
            self.user = Some(user.as_slice().into());
            self.host = host.as_deref().map(Arc::from);
        }
        let is_logout = matches!(notice, Notice::LoggedOut { .. });
        let wants = |(wants, _): &&(Wanted, Arc<Queue>)| wants(&notice);
        let queues: Vec<_> = observers.observers.iter().filter(wants).map(|(_, q)| q).collect();
        if !queues.is_empty() {
            let event = Arc::new(SessionEvent {
                notice,
                session: self.session,
                peer: self.endpoint.peer(),
                local: self.endpoint.local(),
                user: self.user.clone(),
                host: self.host.clone(),
                storage: storage.cloned(),
                at,
                lost: 0,
            });
            queues.into_iter().for_each(|queue| queue.push(event.clone()));
        }
        if is_logout {
            (self.user, self.host) = (None, None);
        }
    }
}
