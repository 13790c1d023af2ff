//! Where workers leave what they have done for a session's thread.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use wharf_host::{Connection, Done, Job, Workers};

/// How long a thread waits for nothing but its jobs: most take less, and it is much cheaper than
/// to be waked in poll(2).
const AT_FIRST: Duration = Duration::from_millis(1);

/// How long it waits at a time where it cannot be waked in poll(2).
const WITHOUT_BELL: Duration = Duration::from_millis(20);

/// The jobs of a session that are out, and those that have come back.
pub(crate) struct CompletionQueue {
    shared: Arc<Shared>,
    workers: Arc<Workers>,
    /// How many are out.
    out: usize,
    /// Becomes readable when a job has come back; made when it is wanted for the first time.
    bell: Option<UnixStream>,
    /// The bell may have rung.
    slept: bool,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    came: Condvar,
}

#[derive(Default)]
struct State {
    done: Vec<Done>,
    /// The other end of the bell.
    bell: Option<UnixStream>,
    /// The thread sleeps in poll(2).
    asleep: bool,
}

impl CompletionQueue {
    pub(crate) fn new(workers: Arc<Workers>) -> Self {
        Self { shared: Arc::default(), workers, out: 0, bell: None, slept: false }
    }

    /// Gives a job to the workers.
    pub(crate) fn submit(&mut self, job: Job) {
        self.out += 1;
        let shared = self.shared.clone();
        self.workers.submit(job, move |done| shared.put(done));
    }

    /// Hands the connection what has come back, after a moment where nothing has; returns `true` if
    /// anything had.
    pub(crate) fn collect(&mut self, connection: &mut Connection, patient: bool) -> bool {
        if self.out == 0 {
            return false;
        }
        let mut state = self.shared.lock();
        if state.done.is_empty() && patient {
            let waited = self.shared.came.wait_timeout(state, AT_FIRST);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        let done = std::mem::take(&mut state.done);
        self.out -= done.len().min(self.out);
        if self.out == 0 {
            // Many sessions are idle: they hold no bell.
            (self.bell, state.bell) = (None, None);
        }
        drop(state);
        let any = !done.is_empty();
        done.into_iter().for_each(|done| connection.complete(done));
        any
    }

    /// Says that the thread is about to sleep in poll(2); returns how long it may at the most. Then
    /// [`bell`](Self::bell) becomes readable when a job comes back, and the sleeper has to
    /// [`wake`](Self::wake).
    pub(crate) fn fall_asleep(&mut self) -> Option<Duration> {
        if self.out == 0 {
            return None;
        }
        let mut state = self.shared.lock();
        if !state.done.is_empty() {
            return Some(Duration::ZERO);
        }
        if self.bell.is_none() {
            match bell() {
                Ok((ours, theirs)) => (self.bell, state.bell) = (Some(ours), Some(theirs)),
                // There are no descriptors: it has to look again and again.
                Err(_) => return Some(WITHOUT_BELL),
            }
        }
        state.asleep = true;
        self.slept = true;
        None
    }

    /// Returns what becomes readable when a job comes back.
    pub(crate) fn bell(&self) -> Option<&UnixStream> {
        self.bell.as_ref().filter(|_| self.out > 0)
    }

    /// Says that the thread sleeps no more.
    pub(crate) fn wake(&mut self) {
        if !std::mem::take(&mut self.slept) {
            return;
        }
        let rung = !std::mem::replace(&mut self.shared.lock().asleep, false);
        if let (Some(mut bell), true) = (self.bell.as_ref(), rung) {
            let _ = bell.read(&mut [0; 8]);
        }
    }
}

impl Drop for CompletionQueue {
    fn drop(&mut self) {
        let done = std::mem::take(&mut self.shared.lock().done);
        done.into_iter().for_each(|done| self.workers.discard(done));
    }
}

impl Shared {
    fn put(&self, done: Done) {
        let mut state = self.lock();
        state.done.push(done);
        if std::mem::replace(&mut state.asleep, false)
            && let Some(bell) = &mut state.bell
        {
            // It does not block: there is never more in it than one byte.
            let _ = bell.write(&[1]);
        }
        drop(state);
        self.came.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn bell() -> io::Result<(UnixStream, UnixStream)> {
    let (ours, theirs) = UnixStream::pair()?;
    ours.set_nonblocking(true)?;
    theirs.set_nonblocking(true)?;
    Ok((ours, theirs))
}
