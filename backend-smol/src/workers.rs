//! Where workers leave what they have done for a session's task.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use wharf_host::{Done, Job, Workers};

/// The outcomes of jobs that the worker pool has done for a session.
pub(crate) struct CompletionQueue {
    shared: Arc<Shared>,
    workers: Arc<Workers>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    done: Vec<Done>,
    /// The session's task, where it waits for more.
    waker: Option<Waker>,
}

impl CompletionQueue {
    pub(crate) fn new(workers: Arc<Workers>) -> Self {
        Self { shared: Arc::default(), workers }
    }

    /// Gives a job to the workers.
    pub(crate) fn submit(&self, job: Job) {
        let shared = self.shared.clone();
        self.workers.submit(job, move |done| shared.put(done));
    }

    /// Ready with what has come back.
    pub(crate) fn poll_done(&mut self, cx: &mut Context<'_>) -> Poll<Vec<Done>> {
        let mut state = self.shared.lock();
        if state.done.is_empty() {
            state.waker.get_or_insert_with(|| cx.waker().clone()).clone_from(cx.waker());
            return Poll::Pending;
        }
        Poll::Ready(std::mem::take(&mut state.done))
    }
}

impl Shared {
    fn put(&self, done: Done) {
        let mut state = self.lock();
        state.done.push(done);
        let waker = state.waker.take();
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for CompletionQueue {
    fn drop(&mut self) {
        let done = std::mem::take(&mut self.shared.lock().done);
        done.into_iter().for_each(|done| self.workers.discard(done));
    }
}
