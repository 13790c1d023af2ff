//! The course of a data transfer: RETR, STOR, STOU, APPE, the listings, and ABOR.
//!
//! Each passes the same stages: [`Preparing`](Stage::Preparing) the file,
//! [`Connecting`](Stage::Connecting), 150, [`Moving`](Stage::Moving), for an upload
//! [`Finishing`](Stage::Finishing), and the last reply. Whatever goes wrong leaves nothing behind:
//! neither an open file nor a data connection.

use crate::action::{Action, Filter, Plan};
use crate::event::{RequestId, TransferEnd};
use crate::path::{PathError, VirtualPath};
use crate::permissions::Permissions;
use crate::reply::Text;
use crate::storage::{Disposition, Opened, StorageAnswer, StorageError, StorageRequest, WriteMode};
use crate::time::{Instant, Now};

use super::listing::Listing;
use super::state::{Data, Work};
use super::{Session, failure, store_failure};

/// A data transfer under way.
#[derive(Debug)]
pub(crate) struct Transfer {
    /// Names it towards the driver.
    id: RequestId,
    what: What,
    stage: Stage,
    /// Bytes over the data connection.
    bytes: u64,
    /// Why it was told to stop.
    stop: Option<Stop>,
}

/// What moves where.
#[derive(Debug)]
enum What {
    Retrieve { filter: Filter, offset: u64, size: u64 },
    Store { filter: Filter, opened: Opened },
    List(Listing),
}

#[derive(Debug)]
enum Stage {
    /// The storage is asked.
    Preparing(RequestId),
    /// All is ready but for the data connection. The file is open under this id, where there is
    /// one.
    Connecting { file: Option<RequestId>, until: Instant },
    /// Bytes move; every progress puts the deadline off.
    Moving { file: Option<RequestId>, until: Instant },
    /// The driver has been told to stop.
    Stopping { file: Option<RequestId> },
    /// The uploaded file is put in its place, or away.
    Finishing { request: RequestId, end: TransferEnd },
}

/// Why a transfer is told to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// ABOR.
    Aborted,
    /// No byte has moved for too long.
    Stalled,
    /// The server cannot wait any longer.
    Shutdown,
    /// The client is gone.
    ControlClosed,
}

impl Transfer {
    /// Tells whether 150 has been sent and the transfer goes on by itself.
    pub(super) fn is_announced(&self) -> bool {
        self.stop.is_none() && matches!(self.stage, Stage::Moving { .. } | Stage::Finishing { .. })
    }

    /// Tells whether ABOR has something to break off.
    pub(super) fn can_abort(&self) -> bool {
        matches!(self.stage, Stage::Connecting { .. } | Stage::Moving { .. })
    }

    /// When the client has taken too long.
    pub(super) fn deadline(&self) -> Option<Instant> {
        match self.stage {
            Stage::Connecting { until, .. } | Stage::Moving { until, .. } => Some(until),
            _ => None,
        }
    }

    /// A line for STAT.
    pub(super) fn status(&self) -> Text {
        let bytes = self.bytes;
        match &self.what {
            What::Retrieve { filter: Filter::Identity, offset, size } => {
                Text::from(format_args!("Sending a file: {bytes} of {} bytes", size - offset))
            }
            What::Retrieve { .. } => Text::from(format_args!("Sending a file: {bytes} bytes")),
            What::Store { .. } => Text::from(format_args!("Receiving a file: {bytes} bytes")),
            What::List(_) => Text::from(format_args!("Sending a listing: {bytes} bytes")),
        }
    }
}

impl Session {
    /// RETR.
    pub(super) fn retr(&mut self, argument: &[u8]) {
        let Parameters { filter, restart: offset } = self.take_parameters();
        if let Some(path) = self.resolve_for_transfer(argument) {
            let what = What::Retrieve { filter, offset, size: 0 };
            self.prepare(what, StorageRequest::OpenRead(path));
        }
    }

    /// STOR. Behind REST it adds to a file that is there, and needs the permission to append.
    pub(super) fn stor(&mut self, argument: &[u8]) {
        let Parameters { filter, restart } = self.take_parameters();
        let Some(path) = self.resolve_for_transfer(argument) else { return };
        let mode = match restart {
            0 => WriteMode::Replace { atomic: self.config.atomic_uploads },
            offset => WriteMode::ResumeAt(offset),
        };
        if restart > 0 && filter == Filter::Ascii {
            return self.fail_transfer(554, "Resuming an upload needs TYPE I.");
        }
        let may_append = self.permissions().unwrap_or_default().contains(Permissions::APPEND);
        if restart > 0 && !may_append {
            return self.fail_transfer(550, "Permission denied.");
        }
        self.store(path, mode, filter);
    }

    /// APPE: at the end, whatever REST said.
    pub(super) fn appe(&mut self, argument: &[u8]) {
        let Parameters { filter, .. } = self.take_parameters();
        if let Some(path) = self.resolve_for_transfer(argument) {
            self.store(path, WriteMode::Append, filter);
        }
    }

    /// STOU: the name given, if any, is a hint.
    pub(super) fn stou(&mut self, argument: &[u8]) {
        let Parameters { filter, .. } = self.take_parameters();
        let Some(path) = self.resolve_for_transfer(argument) else { return };
        let (directory, hint) = match path.file_name() {
            Some(name) if !argument.is_empty() => (path.parent(), name.to_vec()),
            _ => (path, alloc::vec![]),
        };
        self.store(directory, WriteMode::Unique { hint }, filter);
    }

    fn store(&mut self, path: VirtualPath, mode: WriteMode, filter: Filter) {
        let what = What::Store { filter, opened: Opened::default() };
        self.prepare(what, StorageRequest::OpenWrite(path, mode));
    }

    /// LIST, NLST, MLSD.
    pub(super) fn send_listing(&mut self, listing: Result<Listing, PathError>) {
        self.take_parameters();
        let Ok(listing) = listing else {
            return self.fail_transfer(550, "File name not allowed.");
        };
        let request = listing.first_request();
        self.prepare(What::List(listing), request);
    }

    /// Asks the storage, unless there can be no data connection.
    fn prepare(&mut self, what: What, request: StorageRequest) {
        if self.data == Data::None {
            return self.reply(425, "Use PASV, EPSV, PORT or EPRT first.");
        }
        if self.input_ended {
            return self.fail_transfer(426, "The control connection is closed.");
        }
        let id = self.next_id();
        let stage = Stage::Preparing(self.request(request));
        self.work = Work::Transferring(Transfer { id, what, stage, bytes: 0, stop: None });
    }

    /// The storage has answered one of the transfer's requests.
    pub(super) fn transfer_storage_answered(
        &mut self,
        id: RequestId,
        outcome: Result<StorageAnswer, StorageError>,
        now: Now,
    ) {
        let Work::Transferring(transfer) = &self.work else { return };
        match transfer.stage {
            Stage::Preparing(request) if request == id => self.prepared(id, outcome, now),
            Stage::Finishing { request, end } if request == id => {
                let failed = outcome.err().filter(|_| end == TransferEnd::Complete);
                self.conclude(failed.map_or(end, TransferEnd::Storage), now);
            }
            _ => {}
        }
    }

    /// The file is open, or something more is to be asked, or nothing will come of it.
    fn prepared(&mut self, id: RequestId, outcome: Result<StorageAnswer, StorageError>, now: Now) {
        let Work::Transferring(transfer) = &mut self.work else { return };
        let file = match (&mut transfer.what, outcome) {
            (What::Retrieve { filter, offset, size }, Ok(StorageAnswer::Opened(opened))) => {
                *size = opened.size;
                // A converted file is at most twice as long; the pump finds out the rest.
                let longest = match filter {
                    Filter::Identity => opened.size,
                    Filter::Ascii => opened.size.saturating_mul(2),
                };
                if *offset > longest {
                    self.actions.push_back(Action::Release(id));
                    let (code, text) = failure(StorageError::BadOffset);
                    return self.fail_transfer(code, text);
                }
                Some(id)
            }
            (What::Store { opened: slot, .. }, Ok(StorageAnswer::Opened(opened))) => {
                *slot = opened;
                Some(id)
            }
            (What::List(listing), outcome) => match listing.answered(id, outcome) {
                Ok(Some(request)) => {
                    let stage = Stage::Preparing(self.request(request));
                    self.set_stage(stage);
                    return;
                }
                Ok(None) => listing.directory(),
                Err((code, text)) => return self.fail_transfer(code, text),
            },
            (What::Store { .. }, outcome) => {
                let (code, text) = store_failure(outcome.err().unwrap_or(StorageError::Other));
                return self.fail_transfer(code, text);
            }
            (What::Retrieve { .. }, outcome) => {
                let (code, text) = failure(outcome.err().unwrap_or(StorageError::Other));
                return self.fail_transfer(code, text);
            }
        };
        let until = now.instant + self.config.data_timeout;
        self.set_stage(Stage::Connecting { file, until });
        match self.data {
            Data::Active(to) => {
                let id = self.next_id();
                self.actions.push_back(Action::Connect { id, to });
                self.data = Data::Connecting(id);
            }
            _ => self.data_established(now),
        }
    }

    /// The connection that PORT or EPRT named stands, or cannot be.
    pub(super) fn connected(&mut self, id: RequestId, established: bool, now: Now) {
        if self.data != Data::Connecting(id) {
            return;
        }
        if established {
            self.data = Data::Arrived;
            self.data_established(now);
        } else {
            self.fail_transfer(425, "Can't open data connection.");
        }
    }

    /// If the data connection stands and a transfer waits for it, the bytes begin to move.
    pub(super) fn data_established(&mut self, now: Now) {
        let Work::Transferring(transfer) = &mut self.work else { return };
        let Stage::Connecting { file, .. } = transfer.stage else { return };
        if self.data != Data::Arrived {
            return;
        }
        let until = now.instant + self.config.data_timeout;
        transfer.stage = Stage::Moving { file, until };
        let id = transfer.id;
        let (plan, text) = transfer.what.announce(file);
        self.actions.push_back(Action::Transfer { id, plan });
        self.reply(150, text);
    }

    pub(super) fn transfer_progressed(&mut self, id: RequestId, bytes: u64, now: Now) {
        let Work::Transferring(transfer) = &mut self.work else { return };
        if let Stage::Moving { until, .. } = &mut transfer.stage
            && transfer.id == id
            && bytes > transfer.bytes
        {
            transfer.bytes = bytes;
            *until = now.instant + self.config.data_timeout;
        }
    }

    /// ABOR (RFC 959 section 4.1.3).
    pub(super) fn abor(&mut self, now: Now) {
        match &self.work {
            Work::Transferring(_) => self.stop_transfer(Stop::Aborted, now),
            _ if self.data != Data::None => {
                self.close_data();
                self.reply(225, "ABOR command successful; data connection closed.");
            }
            _ => self.reply(225, "No transfer to abort."),
        }
    }

    /// The client is gone: whatever it wanted stops.
    pub(super) fn abandon_transfer(&mut self, now: Now) {
        self.inbox.clear();
        self.stop_transfer(Stop::ControlClosed, now);
    }

    /// Breaks the transfer off, if it has not come to its end by itself.
    pub(super) fn stop_transfer(&mut self, why: Stop, now: Now) {
        let Work::Transferring(transfer) = &mut self.work else { return };
        match transfer.stage {
            Stage::Moving { file, .. } => {
                transfer.stop = Some(why);
                transfer.stage = Stage::Stopping { file };
                self.actions.push_back(Action::StopTransfer);
            }
            Stage::Connecting { .. } => {
                transfer.stop = Some(why);
                self.release_transfer();
                self.conclude(TransferEnd::Stopped, now);
            }
            // The storage is at work; when it has answered, there is nobody left to serve.
            Stage::Preparing(_) if why == Stop::ControlClosed => {
                self.fail_transfer(426, "The control connection is closed.");
            }
            _ => {}
        }
    }

    /// The driver has moved the last byte, or will move no more.
    pub(super) fn transfer_ended(&mut self, id: RequestId, bytes: u64, end: TransferEnd, now: Now) {
        let Work::Transferring(transfer) = &mut self.work else { return };
        let (Stage::Moving { file, .. } | Stage::Stopping { file }) = transfer.stage else {
            return;
        };
        if transfer.id != id {
            return;
        }
        transfer.bytes = bytes;
        self.data = Data::None;
        let (What::Store { opened, .. }, Some(file)) = (&transfer.what, file) else {
            return self.conclude(end, now);
        };
        let disposition = match end {
            TransferEnd::Complete => Disposition::Publish,
            _ if opened.existed => Disposition::Discard,
            _ => Disposition::KeepPartial,
        };
        let request = self.request(StorageRequest::Finish { file, disposition });
        self.set_stage(Stage::Finishing { request, end });
    }

    /// The last reply of a transfer.
    fn conclude(&mut self, end: TransferEnd, now: Now) {
        let Work::Transferring(transfer) = core::mem::replace(&mut self.work, Work::Idle) else {
            return;
        };
        self.active = now.instant;
        let storing = matches!(transfer.what, What::Store { .. });
        let (code, text) = match end {
            TransferEnd::Complete => (226, "Transfer complete."),
            TransferEnd::DataLost => (426, "Data connection lost; transfer aborted."),
            TransferEnd::Storage(error) if storing => {
                match store_failure(error) {
                    // A 550 would say that the upload had not begun.
                    (550, text) => (451, text),
                    other => other,
                }
            }
            TransferEnd::Storage(StorageError::BadOffset) => failure(StorageError::BadOffset),
            TransferEnd::Storage(error) => (451, failure(error).1),
            TransferEnd::Stopped => match transfer.stop {
                Some(Stop::Stalled) => (426, "Data connection stalled; transfer aborted."),
                Some(Stop::Shutdown) => (426, "The server is shutting down; transfer aborted."),
                _ => (426, "Transfer aborted."),
            },
        };
        log::info!("{}: {} bytes, {code} {text}", self.endpoint.peer().ip(), transfer.bytes,);
        self.reply(code, text);
        if transfer.stop == Some(Stop::Aborted) {
            self.reply(226, "ABOR command successful.");
        }
    }

    /// Answers a transfer command that came to nothing before its 150.
    pub(super) fn fail_transfer(&mut self, code: u16, text: &str) {
        self.release_transfer();
        self.work = Work::Idle;
        self.reply(code, text);
    }

    /// The data connection did not come in time.
    pub(super) fn connecting_timed_out(&mut self) {
        self.fail_transfer(425, "Data connection did not come in time.");
    }

    /// Lets go of the file and the data connection of a transfer that does not move.
    fn release_transfer(&mut self) {
        if let Work::Transferring(Transfer { stage: Stage::Connecting { file, .. }, .. }) =
            &self.work
            && let Some(file) = *file
        {
            self.actions.push_back(Action::Release(file));
        }
        self.close_data();
    }

    fn set_stage(&mut self, stage: Stage) {
        if let Work::Transferring(transfer) = &mut self.work {
            transfer.stage = stage;
        }
    }

    /// A transfer command takes the restart marker with it.
    fn take_parameters(&mut self) -> Parameters {
        let restart = core::mem::take(&mut self.parameters.restart);
        Parameters { filter: self.parameters.filter, restart }
    }

    /// Resolves a path name, or answers the transfer command that named it.
    fn resolve_for_transfer(&mut self, argument: &[u8]) -> Option<VirtualPath> {
        let resolved = self.parameters.directory.resolve(argument);
        if resolved.is_err() {
            self.fail_transfer(553, "File name not allowed.");
        }
        resolved.ok()
    }
}

/// The parameters of one transfer.
struct Parameters {
    filter: Filter,
    restart: u64,
}

impl What {
    /// Makes the plan, and the text of 150.
    fn announce(&mut self, file: Option<RequestId>) -> (Plan, Text) {
        // Only a listing of a single line needs no file.
        let open = file.unwrap_or(RequestId(0));
        match self {
            What::Retrieve { filter, offset, size } => {
                let plan = Plan::Send { file: open, filter: *filter, offset: *offset };
                let text = match filter {
                    Filter::Identity => Text::from(format_args!(
                        "Opening BINARY mode data connection ({size} bytes)."
                    )),
                    Filter::Ascii => Text::from("Opening ASCII mode data connection."),
                };
                (plan, text)
            }
            What::Store { filter, opened } => {
                let text = match (&opened.unique_name, &filter) {
                    // RFC 1123 section 4.1.2.9 fixes this form.
                    (Some(name), _) => Text::of(&[b"FILE: ", name]),
                    (None, Filter::Identity) => Text::from("Opening BINARY mode data connection."),
                    (None, Filter::Ascii) => Text::from("Opening ASCII mode data connection."),
                };
                (Plan::Receive { file: open, filter: *filter }, text)
            }
            What::List(listing) => {
                (listing.plan(), Text::from("Opening ASCII mode data connection for the listing."))
            }
        }
    }
}
