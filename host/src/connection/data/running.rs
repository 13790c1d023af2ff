//! A transfer over a data connection that stands: bytes, the end, and the wait for the client's.

use std::num::NonZeroU64;
use std::panic::{AssertUnwindSafe, catch_unwind};

use socket2::Socket;
use wharf_core::{Event, Instant, RequestId, StorageError, TransferEnd};

use crate::transfer::pump::Pump;
use crate::transfer::rate_limiter::RateLimiter;
use crate::transfer::step::{PumpStep, Thread};
use crate::wire::{Flow, Progress, Readiness, Wire};

/// How much moves on the driver's thread before a worker goes on, in bytes: a small file is not worth
/// the way to another thread, and a large one would hold up other sessions.
const BULK: u64 = 256 * 1024;

/// A transfer on its way.
pub(super) struct RunningTransfer {
    pub(super) id: RequestId,
    pub(super) pump: Pump,
    /// Over the data connection so far.
    pub(super) bytes: u64,
    phase: Phase,
    rate_limiter: Option<RateLimiter>,
}

/// How far a transfer has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Bytes move.
    Pumping,
    /// It was broken off: what has come is still written.
    Stopping,
    /// All has been handed over, but our end has not been sent.
    Ending,
    /// Our side is closed (half-close); the client closes its own when it has read all.
    Sent,
    /// Session waits no longer for that.
    WaitedEnough,
}

impl RunningTransfer {
    pub(super) fn new(id: RequestId, pump: Pump, rate: Option<NonZeroU64>, now: Instant) -> Self {
        let rate_limiter = rate.map(|rate| RateLimiter::new(rate, now));
        Self { id, pump, bytes: 0, phase: Phase::Pumping, rate_limiter }
    }

    /// Goes one step on. [`PumpStep::Sent`] comes once, when our end has left.
    pub(super) fn step(
        &mut self,
        wire: &mut Wire,
        socket: &Socket,
        on: Thread,
        now: Instant,
    ) -> PumpStep {
        let step = match self.phase {
            Phase::Pumping | Phase::Stopping => self.move_bytes(wire, socket, on, now),
            Phase::Ending => PumpStep::Sent,
            Phase::Sent => await_end(wire, socket),
            Phase::WaitedEnough => PumpStep::Ended(TransferEnd::Complete),
        };
        if !matches!(step, PumpStep::Sent) {
            return step;
        }
        self.phase = Phase::Ending;
        // What is left to say is not to be held back.
        self.rate_limiter = None;
        wire.set_budget(None);
        match wire.close(socket) {
            Progress::Blocked => PumpStep::Blocked,
            Progress::Done => {
                self.phase = Phase::Sent;
                PumpStep::Sent
            }
            // All has been taken from the file, but not all has left.
            Progress::Broken(error) => {
                log::debug!("data connection lost: {error}");
                PumpStep::Ended(TransferEnd::DataLost)
            }
        }
    }

    fn move_bytes(
        &mut self,
        wire: &mut Wire,
        socket: &Socket,
        on: Thread,
        now: Instant,
    ) -> PumpStep {
        if let Some(rate_limiter) = &mut self.rate_limiter {
            if self.phase == Phase::Pumping && rate_limiter.next().is_some_and(|next| now < next) {
                return PumpStep::Blocked;
            }
            let budget = rate_limiter.budget(now);
            wire.set_budget(Some(budget));
            if budget == 0 && self.pump.is_expanding() {
                return PumpStep::Blocked;
            }
        }
        // What goes wrong in a program's own storage ends this transfer, and nothing else.
        let step = catch_unwind(AssertUnwindSafe(|| match on {
            Thread::Driver if self.is_bulk() => PumpStep::File,
            _ => self.pump.step(wire, socket, on),
        }));
        let step = step.unwrap_or_else(|_| {
            let lost = std::mem::replace(&mut self.pump, Pump::Lost);
            // It may panic once more.
            let _ = catch_unwind(AssertUnwindSafe(|| drop(lost)));
            PumpStep::Ended(TransferEnd::Storage(StorageError::Panicked))
        });
        let moved = match step {
            // A worker could only wait, too.
            PumpStep::File if self.pump.waits_for(wire) => return PumpStep::Blocked,
            PumpStep::Moved(count) => {
                self.bytes += count as u64;
                count as u64
            }
            // A rate is one of what is stored, too.
            PumpStep::Written { gained } => gained,
            _ => 0,
        };
        if let Some(rate_limiter) = &mut self.rate_limiter {
            rate_limiter.moved(moved);
        }
        step
    }

    /// Returns `true` if a worker goes on with it.
    fn is_bulk(&self) -> bool {
        self.phase == Phase::Pumping && self.bytes >= BULK && self.rate_limiter.is_none()
    }

    /// Says how far it has come, and that it does not stand still.
    pub(super) fn progress(&self) -> Event {
        Event::Progress { id: self.id, bytes: self.bytes }
    }

    /// Breaks it off, or where all has been sent already, waits no longer for the client.
    pub(super) fn stop(&mut self) {
        if self.phase == Phase::Sent {
            self.phase = Phase::WaitedEnough;
        } else {
            self.phase = Phase::Stopping;
            self.pump.stop();
        }
    }

    /// Returns what the next step waits for on the wire.
    pub(super) fn interest(&self) -> Readiness {
        match self.phase {
            Phase::Pumping | Phase::Stopping => self.pump.interest(),
            Phase::Sent => Readiness::READABLE,
            Phase::Ending | Phase::WaitedEnough => Readiness::NEITHER,
        }
    }

    /// Returns when to look again, where it is held back by its rate.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.rate_limiter.as_ref()?.next()
    }
}

/// Looks whether the client has closed its side of a connection over which all has been sent.
fn await_end(wire: &mut Wire, socket: &Socket) -> PumpStep {
    match wire.read(socket, &mut [0; 4096]) {
        // A client that is to receive has nothing to say here.
        Flow::Moved(_) => PumpStep::Moved(0),
        Flow::Blocked => PumpStep::Blocked,
        Flow::Ended => PumpStep::Ended(TransferEnd::Complete),
        // After our close_notify nothing can be cut off. A client that has counted the bytes may close
        // without reading it, which resets the connection.
        Flow::Broken(_) if wire.tls().is_some() => PumpStep::Ended(TransferEnd::Complete),
        Flow::Broken(error) => {
            log::debug!("data connection lost: {error}");
            PumpStep::Ended(TransferEnd::DataLost)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use socket2::{Domain, Type};
    use wharf_core::{Filter, Mode, Plan};
    use wharf_storage::ReadFile;

    use super::*;
    use crate::transfer::files::{Files, OpenFile};
    use crate::transfer::memory::{Needs, TransferMemory};

    /// A file that has to be waited for.
    struct Slow;

    impl ReadFile for Slow {
        fn size(&self) -> u64 {
            1 << 20
        }

        fn read_at(&mut self, _: u64, buffer: &mut [u8]) -> Result<usize, StorageError> {
            buffer.fill(7);
            Ok(buffer.len())
        }
    }

    #[test]
    fn what_its_rate_holds_back_goes_to_no_other_thread() {
        let file = RequestId(1);
        let mut files = Files::default();
        files.insert(file, OpenFile::Read(Box::new(Slow)));
        let plan = Plan::Send { file, filter: Filter::Identity, offset: 0, end: None };
        let needs = Needs::of(&plan, Mode::Stream, false);
        let share = TransferMemory::new(1 << 30).share(needs).unwrap();
        let pump = Pump::new(plan, Mode::Stream, &mut files, None, false, share).unwrap();
        let now = Instant::from_epoch(Duration::from_secs(10));
        let mut transfer = RunningTransfer::new(file, pump, NonZeroU64::new(1000), now);
        let (ours, _theirs) = Socket::pair(Domain::UNIX, Type::STREAM, None).unwrap();
        ours.set_nonblocking(true).unwrap();
        let mut wire = Wire::new();
        let mut step = |on, now| transfer.step(&mut wire, &ours, on, now);
        assert!(matches!(step(Thread::Driver, now), PumpStep::File));
        while let PumpStep::Moved(_) = step(Thread::Worker, now) {}
        for on in [Thread::Driver, Thread::Worker] {
            assert!(matches!(step(on, now), PumpStep::Blocked), "{on:?}");
        }
        assert!(transfer.deadline().is_some_and(|deadline| deadline > now));
    }
}
