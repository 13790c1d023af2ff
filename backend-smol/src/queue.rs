//! Few jobs of a kind at once: the others wait in a queue, where they take no thread.

use async_channel::{Receiver, Sender};
use async_executor::Executor;
use wharf_host::{Done, Job};

/// The queue of those jobs.
#[derive(Clone)]
pub(crate) struct Queue(Sender<Waiting>);

/// A job, and who wants to hear of it.
struct Waiting {
    job: Job,
    outcome: Sender<Done>,
}

impl Queue {
    /// Starts as many tasks as jobs may run at once; they end when the last of these is dropped.
    pub(crate) fn start(at_once: usize, executor: &Executor<'static>) -> Self {
        let (sender, queue) = async_channel::unbounded();
        for _ in 0..at_once.max(1) {
            executor.spawn(work(queue.clone())).detach();
        }
        Self(sender)
    }

    /// Lets the job run when it is its turn. If the outcome is dropped before, it never runs.
    pub(crate) fn submit(&self, job: Job) -> Receiver<Done> {
        let (outcome, receiver) = async_channel::bounded(1);
        // There is always room. It fails once the tasks are gone, and the server with them.
        let _ = self.0.try_send(Waiting { job, outcome });
        receiver
    }
}

async fn work(queue: Receiver<Waiting>) {
    while let Ok(Waiting { job, outcome }) = queue.recv().await {
        if outcome.is_closed() {
            // What it holds may be a file.
            blocking::unblock(move || drop(job)).detach();
            continue;
        }
        let done = blocking::unblock(move || job.run()).await;
        if let Err(nobody) = outcome.try_send(done)
            && let Some(job) = nobody.into_inner().discard()
        {
            blocking::unblock(move || job.run()).detach();
        }
    }
}
