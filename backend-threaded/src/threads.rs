//! The threads of sessions. One whose session has ended waits a moment for another: to start a thread
//! costs more than a short session.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use wharf_host::{Connection, Service, Stop, Workers};

use crate::session;

/// Enough for a session, whose buffers are on the heap.
const STACK: usize = 256 * 1024;

/// How long a thread waits for another session.
const PATIENCE: Duration = Duration::from_secs(1);

/// How many threads may wait.
const MOST_IDLE: usize = 16;

/// A thread for each session.
pub(crate) struct Threads {
    shared: Arc<Shared>,
}

struct Shared {
    service: Arc<Service>,
    workers: Arc<Workers>,
    stop: Stop,
    state: Mutex<State>,
    /// A session waits for a thread, or no more come.
    came: Condvar,
    /// A session has ended.
    ended: Condvar,
}

#[derive(Default)]
struct State {
    /// Sessions that an idle thread, or a new one, is about to take.
    waiting: VecDeque<Box<Connection>>,
    /// How many threads are idle.
    idle: usize,
    /// How many sessions there are.
    live: usize,
    closed: bool,
}

impl Threads {
    pub(crate) fn new(service: Arc<Service>, stop: Stop) -> io::Result<Self> {
        let workers = Arc::new(Workers::start(&service)?);
        let (state, came, ended) = (Mutex::default(), Condvar::new(), Condvar::new());
        Ok(Self { shared: Arc::new(Shared { service, workers, stop, state, came, ended }) })
    }

    /// Lets a thread serve the client; one that cannot have a thread is turned away.
    pub(crate) fn serve(&self, connection: Connection) {
        let mut state = self.shared.lock();
        state.live += 1;
        state.waiting.push_back(Box::new(connection));
        if state.idle >= state.waiting.len() {
            drop(state);
            return self.shared.came.notify_one();
        }
        drop(state);
        let thread = thread::Builder::new().name("wharf-session".into()).stack_size(STACK);
        let shared = self.shared.clone();
        if let Err(error) = thread.spawn(move || shared.work()) {
            let left = self.shared.lock().waiting.pop_back();
            if let Some(connection) = left {
                let _ending = Ending(&self.shared);
                connection.turn_away();
            }
            wharf_host::log_limited!(Warn, "no thread for another session: {error}");
        }
    }

    /// Waits for the last session to end, or for the server's last call. No more come.
    pub(crate) fn wait_for_none(&self) {
        let shared = &self.shared;
        let last_call = shared.service.last_call();
        let mut state = shared.lock();
        state.closed = true;
        shared.came.notify_all();
        while state.live > 0 {
            let left = shared.service.clock().until(last_call);
            if left.is_zero() {
                log::warn!("{} sessions left to themselves at shutdown", state.live);
                return;
            }
            let waited = shared.ended.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

impl Shared {
    /// What a thread does.
    fn work(&self) {
        let mut state = self.lock();
        loop {
            while let Some(connection) = state.waiting.pop_front() {
                drop(state);
                let ending = Ending(self);
                session::serve(connection, &self.service, &self.stop, &self.workers);
                drop(ending);
                state = self.lock();
            }
            if state.closed || state.idle >= MOST_IDLE {
                return;
            }
            state.idle += 1;
            let nothing = |state: &mut State| state.waiting.is_empty() && !state.closed;
            let waited = self.came.wait_timeout_while(state, PATIENCE, nothing);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
            state.idle -= 1;
            if state.waiting.is_empty() {
                return;
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A session that ends when this is dropped, even by a panic.
struct Ending<'a>(&'a Shared);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.0.lock().live -= 1;
        self.0.ended.notify_all();
    }
}
