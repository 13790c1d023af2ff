//! Few logins at once: the others wait in a queue, where they take no thread.

use async_channel::{Receiver, Sender};
use async_executor::Executor;
use wharf_host::{Done, Job};

/// The queue of those who want to log in.
#[derive(Clone)]
pub(crate) struct Logins(Sender<Waiting>);

/// A login, and who wants to hear of it.
struct Waiting {
    job: Job,
    outcome: Sender<Done>,
}

impl Logins {
    /// Starts as many tasks as logins may run at once; they end when the last of these is dropped.
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
