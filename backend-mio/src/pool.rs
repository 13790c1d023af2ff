//! Where blocking work runs: a few threads that come when there is work and go when there is none.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use wharf_host::{Job, Lane, Server};

use crate::reactor::{Mailbox, Message};

/// How many threads there may be for storage calls. They mostly sleep in a system call.
const STORAGE_THREADS: usize = 64;

/// How long a thread waits for work before it goes.
const PATIENCE: Duration = Duration::from_secs(10);

/// A pool of threads for each [`Lane`].
pub(crate) struct Pools {
    storage: Arc<Pool>,
    logins: Arc<Pool>,
    digests: Arc<Pool>,
}

/// A capped pool of threads for [`Job`]s, which are begun in the order in which they came.
struct Pool {
    most_threads: usize,
    state: Mutex<State>,
    work: Condvar,
}

#[derive(Default)]
struct State {
    tasks: VecDeque<Task>,
    threads: usize,
    idle: usize,
    closed: bool,
}

/// A job, and who wants to hear of it.
pub(crate) struct Task {
    pub(crate) job: Job,
    pub(crate) mailbox: Arc<Mailbox>,
    pub(crate) slot: usize,
    pub(crate) serial: u64,
}

impl Task {
    fn run(self) {
        let done = self.job.run();
        self.mailbox.send(Message::Done { slot: self.slot, serial: self.serial, done });
    }
}

impl Pools {
    pub(crate) fn new(server: &Server) -> Arc<Self> {
        Arc::new(Self {
            storage: Pool::new(STORAGE_THREADS),
            logins: Pool::new(server.logins_at_once),
            digests: Pool::new(thread::available_parallelism().map_or(1, usize::from)),
        })
    }

    /// Lets a thread run the task, now or when one is free.
    pub(crate) fn submit(&self, task: Task) {
        match task.job.lane() {
            Lane::Storage => self.storage.submit(task),
            Lane::Login => self.logins.submit(task),
            Lane::Digest => self.digests.submit(task),
        }
    }

    /// Lets the threads go once they have nothing to do. No session is left by then: nobody waits
    /// for the logins that have not begun, while storage calls are still made, to tidy up.
    pub(crate) fn close(&self) {
        drop(self.logins.take_tasks());
        self.logins.close();
        self.digests.close();
        self.storage.close();
    }
}

impl Pool {
    fn new(most_threads: usize) -> Arc<Self> {
        let (state, work) = (Mutex::default(), Condvar::new());
        Arc::new(Self { most_threads: most_threads.max(1), state, work })
    }

    fn submit(self: &Arc<Self>, task: Task) {
        let mut state = self.lock();
        state.tasks.push_back(task);
        if state.idle >= state.tasks.len() || state.threads >= self.most_threads {
            drop(state);
            return self.work.notify_one();
        }
        state.threads += 1;
        drop(state);
        let pool = self.clone();
        let started = thread::Builder::new().name("wharf-work".into()).spawn(move || pool.work());
        if let Err(error) = started {
            wharf_host::say!(Warn, "no thread for blocking work: {error}");
            let mut state = self.lock();
            state.threads -= 1;
            // Another thread will come to it; without any, the work is done here and now.
            let orphan = if state.threads == 0 { state.tasks.pop_back() } else { None };
            drop(state);
            if let Some(task) = orphan {
                task.run();
            }
        }
    }

    fn take_tasks(&self) -> VecDeque<Task> {
        std::mem::take(&mut self.lock().tasks)
    }

    fn close(&self) {
        self.lock().closed = true;
        self.work.notify_all();
    }

    fn work(&self) {
        let mut state = self.lock();
        loop {
            if let Some(task) = state.tasks.pop_front() {
                drop(state);
                task.run();
                state = self.lock();
                continue;
            }
            if state.closed {
                break;
            }
            state.idle += 1;
            let waited = self.work.wait_timeout(state, PATIENCE);
            let (guard, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
            state = guard;
            state.idle -= 1;
            if timeout.timed_out() && state.tasks.is_empty() {
                break;
            }
        }
        state.threads -= 1;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
