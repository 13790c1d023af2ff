//! Where workers leave what they have done for a session's task.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use smol::channel::{self, Receiver, Sender};
use smol::stream::Stream;
use wharf_host::{Done, Job, Workers};

/// The outcomes of jobs that the worker pool has done for a session.
pub(crate) struct CompletionQueue {
    sender: Sender<Done>,
    receiver: Pin<Box<Receiver<Done>>>,
    workers: Arc<Workers>,
}

impl CompletionQueue {
    pub(crate) fn new(workers: Arc<Workers>) -> Self {
        let (sender, receiver) = channel::unbounded();
        Self { sender, receiver: Box::pin(receiver), workers }
    }

    /// Gives a job to the workers.
    pub(crate) fn submit(&self, job: Job) {
        let sender = self.sender.clone();
        self.workers.submit(job, move |done| {
            // It fails where the session has gone, and drops what nothing waits for here.
            let _ = sender.try_send(done);
        });
    }

    /// Ready with the next outcome that has come back.
    pub(crate) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Done>> {
        self.receiver.as_mut().poll_next(cx)
    }
}

impl Drop for CompletionQueue {
    fn drop(&mut self) {
        self.receiver.close();
        while let Ok(done) = self.receiver.try_recv() {
            self.workers.discard(done);
        }
    }
}
