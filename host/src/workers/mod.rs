//! The worker pool, where blocking work runs: threads that come when there is work and go when there
//! is none.
//!
//! A call that has not come back after a tenth of a second no longer counts against the threads that
//! there may be: another thread takes its place. So a disk that does not answer holds up the sessions
//! that wait for it, and no others, even on the same tree. After a second it counts as stuck. How
//! many calls may be stuck is bounded, in all and for each session, client address and tree; what
//! comes beyond is refused at once.
//!
//! | file | has |
//! |---|---|
//! | `task` | a piece of work: where it may run, and how much it is needed |
//! | `lane` | what runs and waits of one kind of work |
//! | `queue` | which task is next: client addresses take turns |
//! | `owner` | the session that a task belongs to, and whether its client still waits |
//! | `shares` | how many calls are stuck, of which client and tree |

mod lane;
mod owner;
mod queue;
mod shares;
mod task;
#[cfg(test)]
mod tests;

use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::server::Service;
use crate::tls::Tls;

use lane::LaneQueue;
pub(crate) use owner::{JobOwner, Presence};
use shares::Shares;
pub(crate) use task::{Lane, Need, Task, Verdict};

/// How long a thread waits for work before it goes.
const PATIENCE: Duration = Duration::from_secs(10);

/// How often tasks that wait for a thread are looked after.
const WATCH: Duration = Duration::from_millis(100);

/// Enough for storage calls, whose buffers are on the heap, and for an embedding program's.
const STACK: usize = 1024 * 1024;

/// The worker pool: the threads for blocking work. Dropped, it ends them once they have nothing to
/// do.
pub struct Workers {
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<State>,
    /// Work for a thread of each lane.
    work: [Condvar; 4],
    /// Work that no thread is there for.
    watch: Condvar,
}

struct State {
    lanes: [LaneQueue; 4],
    shares: Shares,
    closed: bool,
}

impl Workers {
    /// Starts the thread that looks after the others, which come with the work, and those of the
    /// observers. The first is to
    /// prepare TLS, where there is any.
    pub fn start(service: &Service) -> io::Result<Self> {
        service.observers.start()?;
        let processors = thread::available_parallelism().map_or(1, usize::from);
        let lanes = [
            LaneQueue::storage(service.storage_threads),
            LaneQueue::logins(service.logins_at_once),
            LaneQueue::storage(service.storage_threads),
            LaneQueue::digests(processors),
        ];
        let workers = Self::with(lanes, service.max_stuck_calls)?;
        if let Some(prepare) = service.tls.as_ref().map(Tls::preparation) {
            workers.run(Task::new(Lane::Login, Need::Always, None, |_| prepare()));
        }
        Ok(workers)
    }

    fn with(lanes: [LaneQueue; 4], most_stuck: usize) -> io::Result<Self> {
        let state = State { lanes, shares: Shares::new(most_stuck), closed: false };
        let work = [const { Condvar::new() }; 4];
        let shared = Arc::new(Shared { state: Mutex::new(state), work, watch: Condvar::new() });
        let watched = shared.clone();
        let watcher = thread::Builder::new().name("wharf-watch".into()).stack_size(STACK);
        watcher.spawn(move || watched.watch())?;
        Ok(Self { shared })
    }

    /// Lets a thread run the task, now or when it is its turn. Where there is no room for it, it is
    /// refused on this thread.
    pub(crate) fn run(&self, task: Task) {
        let kind = task.lane();
        let mut state = self.shared.lock();
        state.sweep(Instant::now());
        if task.can_be_refused() && state.shares.refuses(&task) {
            drop(state);
            return task.refuse();
        }
        state.lanes[kind as usize].queue.push(task);
        self.shared.staff(state, kind);
    }
}

impl Drop for Workers {
    /// No session is left, or waited for: logins that have not begun, and answers without a client to
    /// wait for them, are dropped, while storage calls that tidy up are still made.
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.closed = true;
        let mut dropped = Vec::new();
        for lane in &mut state.lanes {
            dropped.extend(lane.queue.take_idle_questions());
        }
        drop(state);
        self.shared.work.iter().for_each(Condvar::notify_all);
        self.shared.watch.notify_all();
        drop(dropped);
    }
}

impl Shared {
    /// Starts threads for what waits, as far as there may be threads.
    fn staff<'a>(self: &'a Arc<Self>, mut state: MutexGuard<'a, State>, kind: Lane) {
        loop {
            let State { lanes, shares, .. } = &mut *state;
            let lane = &mut lanes[kind as usize];
            let waiting = lane.queue.len();
            if waiting == 0 || lane.idle >= waiting {
                // Else the thread that wakes up would find the lock taken, and sleep again.
                drop(state);
                if waiting > 0 {
                    self.work[kind as usize].notify_one();
                }
                return;
            }
            if lane.idle > 0 {
                self.work[kind as usize].notify_all();
            }
            if !lane.may_grow(shares) {
                return self.watch.notify_one();
            }
            lane.threads += 1;
            lane.coming += 1;
            drop(state);
            let shared = self.clone();
            let thread = thread::Builder::new().name("wharf-work".into()).stack_size(STACK);
            let started = thread.spawn(move || shared.work(kind));
            state = self.lock();
            if let Err(error) = started {
                let lane = &mut state.lanes[kind as usize];
                lane.threads -= 1;
                lane.coming -= 1;
                lane.starved(&error);
                // It is tried again.
                return self.watch.notify_one();
            }
        }
    }

    /// What a thread does.
    fn work(self: Arc<Self>, kind: Lane) {
        let mut state = self.lock();
        state.lanes[kind as usize].coming -= 1;
        loop {
            let State { lanes, shares, closed } = &mut *state;
            let lane = &mut lanes[kind as usize];
            if let Some((task, ticket)) = lane.begin(shares, Instant::now()) {
                drop(state);
                task.run();
                state = self.lock();
                let State { lanes, shares, .. } = &mut *state;
                lanes[kind as usize].end(ticket, shares);
                continue;
            }
            if *closed && lane.queue.is_empty() {
                break;
            }
            if !lane.queue.is_empty() {
                // It may not run yet: the watcher sees when it may.
                self.watch.notify_one();
            }
            lane.idle += 1;
            let waited = self.work[kind as usize].wait_timeout(state, PATIENCE);
            let (guard, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
            state = guard;
            let lane = &mut state.lanes[kind as usize];
            lane.idle -= 1;
            if timeout.timed_out() && lane.queue.is_empty() {
                break;
            }
        }
        state.lanes[kind as usize].threads -= 1;
    }

    /// Looks after tasks that wait while all threads are at work: calls get stuck meanwhile, and a
    /// thread that could not be had may be there now.
    fn watch(self: Arc<Self>) {
        const KINDS: [Lane; 4] = [Lane::Storage, Lane::Login, Lane::Transfer, Lane::Digest];
        let mut state = self.lock();
        loop {
            let waiting = state.lanes.iter().any(|lane| !lane.queue.is_empty());
            if state.closed && !waiting {
                return;
            }
            state = if waiting {
                let waited = self.watch.wait_timeout(state, WATCH);
                waited.unwrap_or_else(PoisonError::into_inner).0
            } else {
                self.watch.wait(state).unwrap_or_else(PoisonError::into_inner)
            };
            state.sweep(Instant::now());
            for kind in KINDS {
                self.staff(state, kind);
                state = self.lock();
                let State { lanes, shares, .. } = &mut *state;
                let refused = lanes[kind as usize].refuse_in_vain(shares);
                if !refused.is_empty() {
                    drop(state);
                    refused.into_iter().for_each(Task::refuse);
                    state = self.lock();
                }
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Finds the calls that have been out for too long.
    fn sweep(&mut self, now: Instant) {
        for lane in &mut self.lanes {
            lane.sweep(&mut self.shares, now);
        }
    }
}

impl std::fmt::Debug for Workers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Workers")
    }
}
