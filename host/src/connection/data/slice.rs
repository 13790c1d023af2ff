//! A transfer on a worker's thread, for a while: it has the connection meanwhile, and comes back with
//! it.
//!
//! So neither a disk nor a fast client holds up other sessions, and a transfer goes to another thread
//! and back a few times a second, instead of with each buffer.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use socket2::Socket;
use wharf_core::RequestId;

use super::running::RunningTransfer;
use crate::server::Clock;
use crate::transfer::step::{PumpStep, Thread};
use crate::wire::{Readiness, Wire};

/// How long a worker goes on before the session hears how far the transfer has come.
const AT_MOST: Duration = Duration::from_millis(50);

/// How long it waits for a client that is not ready, before the driver does.
const PATIENCE: Timespec = Timespec { tv_sec: 0, tv_nsec: 5_000_000 };

/// A transfer, and the connection that it goes over.
pub(in crate::connection) struct Slice {
    pub(super) socket: Arc<Socket>,
    pub(super) wire: Wire,
    pub(super) transfer: Box<RunningTransfer>,
    /// What the last step came to.
    pub(super) step: PumpStep,
    /// Whether anything has moved, or was written.
    pub(super) has_moved: bool,
    stop: StopFlag,
    clock: Clock,
}

/// Tells a worker to bring a transfer back.
#[derive(Clone, Default)]
pub(super) struct StopFlag(Arc<AtomicBool>);

impl StopFlag {
    pub(super) fn raise(&self) {
        self.0.store(true, Ordering::Release);
    }

    pub(super) fn is_raised(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

impl Slice {
    pub(super) fn new(
        socket: Arc<Socket>,
        wire: Wire,
        transfer: Box<RunningTransfer>,
        stop: StopFlag,
        clock: Clock,
    ) -> Self {
        Self { socket, wire, transfer, step: PumpStep::File, has_moved: false, stop, clock }
    }

    /// Returns the transfer's id.
    pub(in crate::connection) fn id(&self) -> RequestId {
        self.transfer.id
    }

    /// Returns `true` if something of the client's is written.
    pub(in crate::connection) fn is_upload(&self) -> bool {
        self.transfer.pump.is_upload()
    }

    /// Goes on until it is over, the client is not ready, or others have their turn. It may block.
    pub(in crate::connection) fn run(&mut self) {
        let until = self.clock.now().instant + AT_MOST;
        loop {
            let now = self.clock.now().instant;
            self.step = self.transfer.step(&mut self.wire, &self.socket, Thread::Worker, now);
            let goes_on = match self.step {
                PumpStep::Moved(_) | PumpStep::Written { .. } => {
                    self.has_moved = true;
                    true
                }
                PumpStep::Blocked => self.wait(),
                PumpStep::File | PumpStep::Sent | PumpStep::Ended(_) => false,
            };
            if !goes_on || now >= until || self.stop.is_raised() {
                return;
            }
        }
    }

    /// Waits a moment for the client; returns `true` if it is ready.
    fn wait(&mut self) -> bool {
        let wanted = self.wire.not_ready(self.transfer.interest());
        if !wanted.any() {
            return false;
        }
        let mut events = PollFlags::empty();
        events.set(PollFlags::IN, wanted.readable);
        events.set(PollFlags::OUT, wanted.writable);
        let mut polled = [PollFd::new(&self.socket, events)];
        let ready = poll(&mut polled, Some(&PATIENCE)).is_ok_and(|ready| ready > 0);
        if ready {
            let came = polled[0].revents();
            let broken = came.intersects(PollFlags::ERR | PollFlags::HUP);
            self.wire.set_ready(Readiness {
                readable: broken || came.contains(PollFlags::IN),
                writable: broken || came.contains(PollFlags::OUT),
            });
        }
        ready
    }
}
