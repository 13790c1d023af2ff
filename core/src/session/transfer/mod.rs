//! The course of a data transfer. Its commands are in `commands`, its data connection in `connect`,
//! what it moves in `plan`, and what is particular to uploads in `upload`.
//!
//! Each passes the same stages: [`Preparing`](Stage::Preparing) the file,
//! [`Connecting`](Stage::Connecting), 150, with TLS [`Securing`](Stage::Securing),
//! [`Moving`](Stage::Moving), then [`Closing`](Stage::Closing), and the last reply.
//!
//! A file to be received is only looked at while it is prepared. It comes into being when its data
//! connection stands and is secure: [`Opening`](Stage::Opening), in clear before the 150. At its end
//! follow [`Syncing`](Stage::Syncing), [`Checking`](Stage::Checking) and
//! [`Finishing`](Stage::Finishing). Whatever goes wrong leaves nothing behind: neither an open file
//! nor a data connection, nor a file that was not there.

mod commands;
mod connect;
mod plan;
mod upload;

use core::time::Duration;

use crate::action::{Action, Mode};
use crate::event::{RequestId, TransferEnd};
use crate::notice::CutOff;
use crate::reply::Text;
use crate::storage::StorageError;
use crate::time::{Instant, Now};

use super::failure::{failure, store_failure};
use super::state::{Data, Input, NotAwaited, Stage, Transfer, Work};
use super::stop::{StopReason, Stopped};
use super::{Session, StorageOutcome};

use plan::Next;

/// The text of 522 where the data connection's handshake fails.
pub(super) const HANDSHAKE_FAILED: &str = "TLS handshake failed on the data connection.";

/// How long 226 waits for the client to close the data connection, once all has been sent.
const CLOSING: Duration = Duration::from_millis(200);

impl Transfer {
    /// Returns `true` if 150 has been sent and the transfer goes on by itself.
    pub(super) fn is_announced(&self) -> bool {
        self.stop.is_none() && !matches!(self.stage, Stage::Stopping { .. }) && self.was_announced()
    }

    /// Returns `true` if 150 has been sent.
    pub(super) fn was_announced(&self) -> bool {
        !matches!(
            self.stage,
            Stage::Preparing(_)
                | Stage::Connecting { .. }
                | Stage::Opening { announced: false, .. }
        )
    }

    /// Returns `true` if ABOR has something to break off.
    pub(super) fn can_abort(&self) -> bool {
        matches!(
            self.stage,
            Stage::Connecting { .. } | Stage::Securing { .. } | Stage::Moving { .. }
        )
    }

    /// Returns `true` if it waits for its data connection.
    pub(super) fn is_connecting(&self) -> bool {
        matches!(self.stage, Stage::Connecting { .. })
    }

    /// When the client has taken too long.
    pub(super) fn deadline(&self) -> Option<Instant> {
        match self.stage {
            Stage::Connecting { until, .. }
            | Stage::Securing { until, .. }
            | Stage::Moving { until, .. }
            | Stage::Closing { until } => Some(until),
            _ => None,
        }
    }

    /// Returns `true` if it waits for the storage alone, and for its client's sake.
    pub(super) fn waits_for_storage(&self) -> bool {
        match self.stage {
            Stage::Preparing(_) | Stage::Opening { .. } => true,
            Stage::Stopping { .. } => self.what.sends(),
            _ => false,
        }
    }

    /// Returns `true` if what has been received comes to its end, which needs no client.
    pub(super) fn is_ending_upload(&self) -> bool {
        match self.stage {
            Stage::Stopping { .. } => !self.what.sends(),
            Stage::Syncing { .. } | Stage::Checking { .. } | Stage::Finishing { .. } => true,
            _ => false,
        }
    }

    /// Returns `true` if the driver moves bytes, or has been told to stop.
    pub(super) fn is_in_motion(&self) -> bool {
        matches!(self.stage, Stage::Moving { .. } | Stage::Closing { .. } | Stage::Stopping { .. })
    }

    /// Returns the storage request that it waits for.
    pub(super) fn awaits_storage(&self) -> Option<RequestId> {
        match self.stage {
            Stage::Preparing(request)
            | Stage::Opening { request, .. }
            | Stage::Syncing { request, .. }
            | Stage::Finishing { request, .. } => Some(request),
            _ => None,
        }
    }

    /// A line for STAT.
    pub(super) fn status(&self, mode: Mode) -> Text {
        self.what.status(self.bytes, mode)
    }
}

impl Session {
    /// The storage has answered the transfer's request.
    pub(super) fn transfer_storage_answered(
        &mut self,
        id: RequestId,
        outcome: StorageOutcome,
        now: Now,
    ) {
        let Work::Transferring(transfer) = &self.work else { return };
        match transfer.stage {
            Stage::Preparing(_) => self.prepared(id, outcome, now),
            Stage::Opening { announced, .. } => {
                self.upload_opened(id, outcome, announced, now);
            }
            Stage::Syncing { file, .. } => self.upload_synced(file, outcome),
            Stage::Finishing { end, .. } => {
                let failed = outcome.err().filter(|_| end == TransferEnd::Complete);
                self.conclude(failed.map_or(end, TransferEnd::Storage));
            }
            _ => {}
        }
    }

    /// The storage has answered while the file was prepared.
    fn prepared(&mut self, id: RequestId, outcome: StorageOutcome, now: Now) {
        let Work::Transferring(transfer) = &mut self.work else { return };
        match transfer.what.answered(id, outcome) {
            Next::Ask(request) => {
                let stage = Stage::Preparing(self.request(request));
                self.set_stage(stage);
            }
            Next::Connect(file) => {
                let until = now.instant + self.config.data_timeout;
                self.set_stage(Stage::Connecting { file, until });
                self.connect_data(now);
            }
            Next::Fail { opened, code, text } => {
                self.actions.extend(opened.map(Action::Release));
                self.fail_transfer(code, text);
            }
        }
    }

    fn start_moving(&mut self, file: Option<RequestId>, now: Now) {
        let rates = self.grant().map(|grant| grant.rates).unwrap_or_default();
        let mode = self.parameters.mode();
        let Work::Transferring(transfer) = &mut self.work else { return };
        let until = now.instant + self.config.data_timeout;
        transfer.stage = Stage::Moving { file, until };
        let rate = if transfer.what.sends() { rates.download } else { rates.upload };
        let (id, plan) = (transfer.id, transfer.what.plan(file));
        self.actions.push_back(Action::Transfer { id, plan, mode, rate });
        self.note_motion();
    }

    pub(super) fn transfer_progressed(
        &mut self,
        id: RequestId,
        bytes: u64,
        now: Now,
    ) -> Result<(), NotAwaited> {
        // What a lost client has sent is read to its end, but not without end.
        let is_lost = matches!(self.input, Input::Lost(_));
        let put_off = now.instant + self.config.data_timeout;
        let transfer = self.moving(id)?;
        if let Stage::Moving { until, .. } = &mut transfer.stage {
            transfer.bytes = bytes;
            *until = if is_lost { *until } else { put_off };
        }
        Ok(())
    }

    /// Returns the transfer that the driver carries out under this id.
    fn moving(&mut self, id: RequestId) -> Result<&mut Transfer, NotAwaited> {
        match &mut self.work {
            Work::Transferring(transfer) if transfer.id == id && transfer.is_in_motion() => {
                Ok(transfer)
            }
            _ => Err(NotAwaited(id)),
        }
    }

    /// All has been sent. 226 waits a little for the client to close its side: then it has read
    /// everything, and not only been sent it. Some clients (aria2) lose a 226 that they read together
    /// with the 150, after however small a file, and wait for it in vain.
    pub(super) fn transfer_sent(&mut self, id: RequestId, now: Now) -> Result<(), NotAwaited> {
        let transfer = self.moving(id)?;
        if let Stage::Moving { .. } = transfer.stage {
            transfer.stage = Stage::Closing { until: now.instant + CLOSING };
        }
        Ok(())
    }

    /// Breaks the transfer off, if it has not come to its end by itself.
    pub(super) fn stop_transfer(&mut self, why: StopReason) {
        let Work::Transferring(transfer) = &mut self.work else { return };
        match transfer.stage {
            Stage::Moving { file, .. } => {
                transfer.stop = Some(why);
                transfer.stage = Stage::Stopping { file };
                self.actions.push_back(Action::StopTransfer);
            }
            // Nothing is lost: the client has been sent all.
            Stage::Closing { .. } => {
                transfer.stage = Stage::Stopping { file: None };
                self.actions.push_back(Action::StopTransfer);
            }
            Stage::Connecting { .. } | Stage::Securing { .. } => {
                transfer.stop = Some(why);
                self.release_transfer();
                self.conclude(TransferEnd::Stopped);
            }
            _ => {}
        }
    }

    /// The driver has moved the last byte, or will move no more.
    pub(super) fn transfer_ended(
        &mut self,
        id: RequestId,
        bytes: u64,
        end: TransferEnd,
    ) -> Result<(), NotAwaited> {
        let transfer = self.moving(id)?;
        let file = match transfer.stage {
            Stage::Moving { file, .. } | Stage::Stopping { file } => file,
            _ => None,
        };
        transfer.bytes = bytes;
        let upload = file.filter(|_| !transfer.what.sends());
        self.data = Data::None;
        match upload {
            Some(file) => self.upload_ended(file, end),
            None => self.conclude(end),
        }
        Ok(())
    }

    /// The last reply of a transfer.
    fn conclude(&mut self, end: TransferEnd) {
        let Work::Transferring(transfer) = core::mem::replace(&mut self.work, Work::Idle) else {
            return;
        };
        let storing = !transfer.what.sends();
        let (code, text) = match end {
            TransferEnd::Complete => (226, "Transfer complete."),
            TransferEnd::DataLost => (426, "Data connection lost; transfer aborted."),
            TransferEnd::Unannounced => {
                (426, "The end came without TLS's close_notify; transfer aborted.")
            }
            TransferEnd::Excess => (552, "More came than fits the range; transfer aborted."),
            TransferEnd::NoMemory => (450, "Transfers take all the memory they may; try later."),
            TransferEnd::Damaged => (451, "The compressed data is damaged; transfer aborted."),
            // What is permanent has to be a 5yz: else a client tries again and again.
            TransferEnd::Storage(error) if storing => store_failure(error),
            TransferEnd::Storage(StorageError::BadOffset) => failure(StorageError::BadOffset),
            TransferEnd::Storage(error) => (451, failure(error).1),
            TransferEnd::Stopped => {
                (426, transfer.stop.unwrap_or(StopReason::Aborted).text(Stopped::Transfer))
            }
        };
        if !self.tell_transfer(&transfer, CutOff::of(end, transfer.stop)) {
            self.journal.ordinary(format_args!("{} bytes, {code} {text}", transfer.bytes));
        }
        self.reply(code, text);
        if transfer.stop == Some(StopReason::Aborted) {
            self.reply(226, Text::from("{} command successful.").with("ABOR"));
        }
    }

    /// Answers a transfer command that came to nothing before a byte has moved.
    pub(super) fn fail_transfer(&mut self, code: u16, text: &'static str) {
        self.release_transfer();
        self.work = Work::Idle;
        self.reply(code, text);
    }

    /// The data connection did not come in time.
    pub(super) fn connecting_timed_out(&mut self) {
        self.fail_transfer(425, "Data connection did not come in time.");
    }

    /// Lets go of the file and the data connection of a transfer that does not move.
    pub(super) fn release_transfer(&mut self) {
        if let Work::Transferring(transfer) = &self.work
            && let Stage::Connecting { file, .. } | Stage::Securing { file, .. } = transfer.stage
        {
            self.actions.extend(file.map(Action::Release));
        }
        self.refuse_data();
    }

    fn set_stage(&mut self, stage: Stage) {
        if let Work::Transferring(transfer) = &mut self.work {
            transfer.stage = stage;
        }
    }
}
