//! What reaches a reactor from other threads: new clients, and what workers have done.

use std::sync::{Arc, Mutex, PoisonError};

use mio::Waker;
use wharf_host::{Arrival, Done, Job, Seat, Seats, Workers};

/// The messages of other threads to a reactor.
pub(crate) struct Mailbox {
    messages: Mutex<Vec<Message>>,
    waker: Waker,
    /// How many sessions the reactor has, or is about to have.
    pub(crate) sessions: Seats,
}

/// What a reactor is told by other threads.
pub(crate) enum Message {
    /// A new client.
    Client(Arrival, Seat),
    /// Blocking work is done.
    Done { slot: usize, serial: u64, done: Done },
}

impl Mailbox {
    pub(crate) fn new(waker: Waker) -> Self {
        Self { messages: Mutex::default(), waker, sessions: Seats::default() }
    }

    pub(crate) fn send(&self, message: Message) {
        self.messages.lock().unwrap_or_else(PoisonError::into_inner).push(message);
        if let Err(error) = self.waker.wake() {
            wharf_host::log_limited!(Error, "cannot wake a reactor: {error}");
        }
    }

    pub(crate) fn take(&self) -> Vec<Message> {
        std::mem::take(&mut *self.messages.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Lets the worker pool run the job, whose outcome becomes a message.
pub(crate) fn submit(
    workers: &Workers,
    mailbox: &Arc<Mailbox>,
    job: Job,
    slot: usize,
    serial: u64,
) {
    let mailbox = mailbox.clone();
    workers.submit(job, move |done| mailbox.send(Message::Done { slot, serial, done }));
}
