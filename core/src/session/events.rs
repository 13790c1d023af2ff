//! Which event goes to what: each finds its owner by what waits for its id.

use alloc::boxed::Box;

use crate::event::{Event, RequestId};
use crate::time::Now;

use super::state::{Awaiting, NotAwaited, Work};
use super::{Session, StorageOutcome};

impl Session {
    /// Gives an event to what waits for it.
    pub(super) fn take(&mut self, event: Event, now: Now) -> Result<(), NotAwaited> {
        match event {
            Event::Timeout => self.check_deadlines(now),
            Event::ControlEnding => self.control_ending(now),
            Event::ControlClosed => self.control_closed(now),
            Event::ControlLost => self.control_lost(now),
            Event::Evicted => self.evicted(now),
            Event::Dropped => self.dropped(now),
            Event::Shutdown { deadline } => {
                self.shutdown = Some(self.shutdown.map_or(deadline, |first| first.min(deadline)));
            }
            Event::TlsStarted { certificate } => self.tls_started(certificate, now),
            Event::DataProtected { id, proof } => return self.data_protected(id, proof, now),
            Event::Authenticated { id, outcome } => return self.authenticated(id, outcome, now),
            Event::Storage { id, outcome } => return self.stored(id, outcome, now),
            Event::Site { id, reply } => return self.site_answered(id, &reply),
            Event::Listening { id, port } => return self.listening(id, port, now),
            Event::DataArrived { id, peer } => return self.data_arrived(id, peer, now),
            Event::DataReadable { id } => return self.data_readable(id),
            Event::PortLost { id, why } => return self.port_lost(id, why),
            Event::Connected { id, established } => return self.connected(id, established, now),
            Event::Progress { id, bytes } => return self.transfer_progressed(id, bytes, now),
            Event::Sent { id } => return self.transfer_sent(id, now),
            Event::TransferEnded { id, bytes, end } => return self.transfer_ended(id, bytes, end),
            Event::ControlChecked { id } => return self.control_checked(id),
            Event::DigestProgress { id, bytes } => return self.digest_progressed(id, bytes, now),
            Event::DigestEnded { id, end } => return self.digest_ended(id, end),
        }
        Ok(())
    }

    /// The storage has answered the request `id`: of a command, a transfer or a digest.
    fn stored(
        &mut self,
        id: RequestId,
        outcome: StorageOutcome,
        now: Now,
    ) -> Result<(), NotAwaited> {
        match &self.work {
            Work::Transferring(transfer) if transfer.awaits_storage() == Some(id) => {
                self.transfer_storage_answered(id, outcome, now);
            }
            Work::Digesting(digesting) if digesting.awaits_storage() == Some(id) => {
                self.digest_opened(id, outcome);
            }
            _ => {
                let then = self.take_awaiting(id, Awaiting::storage)?;
                self.storage_answered(then, outcome, id);
            }
        }
        Ok(())
    }

    /// Returns what waits for the answer `id`, if it is of the sort that `pick` takes, and goes
    /// idle.
    pub(super) fn take_awaiting<T>(
        &mut self,
        id: RequestId,
        pick: impl FnOnce(Awaiting) -> Result<T, Box<Awaiting>>,
    ) -> Result<T, NotAwaited> {
        let work = match core::mem::replace(&mut self.work, Work::Idle) {
            Work::Waiting { id: waiting, awaiting } if waiting == id => match pick(awaiting) {
                Ok(awaited) => return Ok(awaited),
                Err(awaiting) => Work::Waiting { id, awaiting: *awaiting },
            },
            other => other,
        };
        self.work = work;
        Err(NotAwaited(id))
    }
}
