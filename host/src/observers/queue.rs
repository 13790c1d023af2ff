//! The events that wait for an observer, and the thread that it hears them on.

use std::collections::VecDeque;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::{Observer, SessionEvent};

/// How long the thread waits for more events before it has to be woken up for the next one: else each
/// transfer of a small file would wake it up, which takes a third more of the processor.
const LULL: Duration = Duration::from_millis(10);

/// An observer, and what it has not heard yet.
pub(super) struct Queue {
    observer: Arc<dyn Observer>,
    /// How many events may wait.
    most: usize,
    state: Mutex<State>,
    /// An event has come, or no more do.
    came: Condvar,
    /// The thread has ended.
    ended: Condvar,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Waiting>,
    /// How many events have been dropped since the last that waits.
    lost: u64,
    thread: Thread,
    /// The thread sleeps.
    is_idle: bool,
    /// No more events come.
    is_closed: bool,
}

/// An event, and how many were dropped directly before it.
struct Waiting {
    lost: u64,
    event: Arc<SessionEvent>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Thread {
    #[default]
    NotStarted,
    Running,
    Ended,
}

impl Queue {
    pub(super) fn new(observer: Arc<dyn Observer>, most: usize) -> Arc<Self> {
        let (state, came, ended) = (Mutex::default(), Condvar::new(), Condvar::new());
        Arc::new(Self { observer, most, state, came, ended })
    }

    /// Starts the thread, unless it has been started.
    pub(super) fn start(self: &Arc<Self>) -> io::Result<()> {
        let mut state = self.lock();
        if state.thread == Thread::NotStarted {
            let queue = self.clone();
            let thread = thread::Builder::new().name("wharf-observer".into());
            thread.spawn(move || queue.run())?;
            state.thread = Thread::Running;
        }
        Ok(())
    }

    /// Lets the event wait for its turn; it is dropped and counted where no room is left.
    pub(super) fn push(&self, event: Arc<SessionEvent>) {
        let mut state = self.lock();
        if state.is_closed || state.thread == Thread::Ended || state.waiting.len() >= self.most {
            state.lost += 1;
            let is_closed = state.is_closed;
            drop(state);
            if !is_closed {
                wharf_storage::log_limited!(Warn, "an observer is too slow: an event is lost");
            }
            return;
        }
        let lost = std::mem::take(&mut state.lost);
        state.waiting.push_back(Waiting { lost, event });
        let is_idle = std::mem::take(&mut state.is_idle);
        drop(state);
        if is_idle {
            self.came.notify_one();
        }
    }

    /// Lets no more events in.
    pub(super) fn close(&self) {
        self.lock().is_closed = true;
        self.came.notify_one();
    }

    /// Returns when the observer has heard all, or at the deadline: then it hears no more than the
    /// event that it is at.
    pub(super) fn wait(&self, deadline: Instant) {
        let mut state = self.lock();
        while state.thread == Thread::Running {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            let waited = self.ended.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        let waiting = std::mem::take(&mut state.waiting);
        let left: u64 = state.lost + waiting.iter().map(|waiting| waiting.lost + 1).sum::<u64>();
        state.lost = 0;
        drop(state);
        if left > 0 {
            log::warn!("an observer has not heard the last {left} events");
        }
    }

    /// What the thread does.
    fn run(self: Arc<Self>) {
        let _ending = Ending(&self);
        let mut state = self.lock();
        let mut has_heard = false;
        loop {
            if let Some(Waiting { lost, mut event }) = state.waiting.pop_front() {
                drop(state);
                if lost > 0 {
                    Arc::make_mut(&mut event).lost = lost;
                }
                if catch_unwind(AssertUnwindSafe(|| self.observer.observe(&event))).is_err() {
                    wharf_storage::log_limited!(Error, "an observer panicked at {}", event.notice);
                }
                // It may hold the last share of a storage.
                drop(event);
                has_heard = true;
                state = self.lock();
            } else if state.is_closed {
                return;
            } else if std::mem::take(&mut has_heard) {
                let waited = self.came.wait_timeout(state, LULL);
                state = waited.unwrap_or_else(PoisonError::into_inner).0;
            } else {
                state.is_idle = true;
                state = self.came.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The thread's end, even by a panic.
struct Ending<'a>(&'a Queue);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.0.lock().thread = Thread::Ended;
        self.0.ended.notify_all();
    }
}
