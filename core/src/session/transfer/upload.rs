//! What is particular to uploads: the file is checked before there is a data connection, and opened
//! only when there is one; and it is synced before it gets its name.

use alloc::vec::Vec;

use crate::action::{Action, Filter, Plan};
use crate::config::OnHangup;
use crate::event::{RequestId, TransferEnd};
use crate::notice::CutOff;
use crate::path::VirtualPath;
use crate::reply::Text;
use crate::session::failure::{Refusal, store_failure};
use crate::session::state::{LastWord, Naming, NotAwaited, Stage, Transfer, Upload, What, Work};
use crate::session::stop::StopReason;
use crate::session::{Session, StorageOutcome};
use crate::storage::{Disposition, Opened, StorageAnswer, StorageError, StorageRequest, WriteMode};
use crate::time::Now;

use super::plan::Next;

/// How often STOU has a name invented until others must be at work on purpose.
const NAMES: u8 = 8;

/// The reply where they are, and where one takes the name after a 150 that has told it.
const NAME_TAKEN: (u16, &str) = (450, "Another file has come to stand under that name; try again.");

impl Naming {
    fn request(&self) -> StorageRequest {
        StorageRequest::UniqueName { directory: self.directory.clone(), hint: self.hint.clone() }
    }
}

impl Upload {
    /// Stores a file under the client's name for it.
    pub(super) fn to(
        path: VirtualPath,
        mode: WriteMode,
        filter: Filter,
        length: Option<u64>,
    ) -> Self {
        Self { path, mode, filter, length, naming: None, existed: false }
    }

    /// Stores a file under a name that is still to be invented. It is taken when the file is
    /// opened: the client has been told it.
    pub(super) fn unique(directory: VirtualPath, hint: Vec<u8>, filter: Filter) -> Self {
        let mode = WriteMode::Create { atomic: false };
        let naming = Naming { directory: directory.clone(), hint, left: NAMES };
        Self { naming: Some(naming), ..Self::to(directory, mode, filter, None) }
    }

    /// Returns what the storage is asked first.
    pub(super) fn first_request(&self) -> StorageRequest {
        match &self.naming {
            Some(naming) => naming.request(),
            None => StorageRequest::CheckWrite(self.path.clone(), self.mode.clone()),
        }
    }

    /// Takes an answer while there is no data connection: nothing has been created or changed.
    pub(super) fn checked(&mut self, outcome: StorageOutcome) -> Next {
        match outcome {
            Ok(StorageAnswer::Name(name)) if self.take_name(&name) => {
                Next::Ask(StorageRequest::CheckWrite(self.path.clone(), self.mode.clone()))
            }
            Ok(StorageAnswer::Done) => Next::Connect(None),
            outcome => {
                let error = outcome.err().unwrap_or(StorageError::Other);
                self.other_name(error).map_or_else(|| Next::fail(self.failure(error)), Next::Ask)
            }
        }
    }

    /// Takes an answer once there is a data connection: the file is open, there is more to ask, or
    /// nothing comes of it.
    fn opened(
        &mut self,
        outcome: StorageOutcome,
        announced: bool,
    ) -> Result<Option<StorageRequest>, StorageError> {
        match outcome {
            Ok(StorageAnswer::Opened(Opened { existed, .. })) => {
                self.existed = existed;
                Ok(None)
            }
            Ok(StorageAnswer::Name(name)) if !announced && self.take_name(&name) => {
                Ok(Some(self.open()))
            }
            outcome => {
                let error = outcome.err().unwrap_or(StorageError::Other);
                let other_name = self.other_name(error).filter(|_| !announced);
                other_name.map(Some).ok_or(error)
            }
        }
    }

    fn open(&self) -> StorageRequest {
        StorageRequest::OpenWrite(self.path.clone(), self.mode.clone())
    }

    /// Takes a name that has been invented, if it is one.
    fn take_name(&mut self, name: &[u8]) -> bool {
        let odd = matches!(name, b"" | b"." | b"..") || name.iter().any(|&b| b == b'/' || b == 0);
        match &self.naming {
            Some(naming) if !odd => {
                self.path = naming.directory.join(name);
                true
            }
            _ => false,
        }
    }

    /// Returns how to get another name where the one that was invented has been taken since.
    fn other_name(&mut self, error: StorageError) -> Option<StorageRequest> {
        let naming = self.naming.as_mut().filter(|_| error == StorageError::AlreadyExists)?;
        naming.left = naming.left.checked_sub(1)?;
        Some(naming.request())
    }

    fn failure(&self, error: StorageError) -> Refusal {
        match error {
            // The client has no part in it.
            StorageError::AlreadyExists if self.naming.is_some() => NAME_TAKEN,
            error => store_failure(error),
        }
    }

    /// The text of 150.
    pub(super) fn announcement(&self) -> Text {
        match (&self.naming, self.path.file_name()) {
            // RFC 1123 section 4.1.2.9 fixes this form.
            (Some(_), Some(name)) => Text::verbatim([b"FILE: ", name].concat()),
            _ if self.filter == Filter::Identity => {
                Text::from("Opening BINARY mode data connection.")
            }
            _ => Text::from("Opening ASCII mode data connection."),
        }
    }

    pub(super) fn plan(&self, file: RequestId) -> Plan {
        Plan::Receive { file, filter: self.filter, most: self.length }
    }

    /// A line for STAT.
    pub(super) fn status(&self, bytes: u64) -> Text {
        match self.length {
            Some(length) => Text::from("Receiving a file: {} of {} bytes").with(bytes).with(length),
            None => Text::from("Receiving a file: {} bytes").with(bytes),
        }
    }

    /// Returns how it ended, of which so many bytes came. In stream mode an end that comes too early
    /// looks like any other.
    fn end(&self, bytes: u64, end: TransferEnd) -> TransferEnd {
        match end {
            TransferEnd::Complete if self.length.is_some_and(|length| bytes < length) => {
                TransferEnd::DataLost
            }
            end => end,
        }
    }

    /// Returns what becomes of the file that ended so, when so many bytes had come.
    fn disposition(&self, bytes: u64, end: TransferEnd) -> Disposition {
        match end {
            TransferEnd::Complete => Disposition::Publish,
            // Not even its beginning can be trusted: the checksum comes last, and so do the errors
            // of a disk. One that is full is not to stay so.
            TransferEnd::Damaged | TransferEnd::Storage(_) | TransferEnd::NoMemory => {
                Disposition::Discard
            }
            _ if self.existed || bytes == 0 => Disposition::Discard,
            _ => Disposition::KeepPartial,
        }
    }
}

impl Session {
    /// The data connection stands, and is secure where it has to be: the file is opened.
    pub(super) fn open_upload(&mut self, announced: bool) {
        let Work::Transferring(Transfer { what: What::Store(upload), .. }) = &self.work else {
            return;
        };
        let request = self.request(upload.open());
        self.set_stage(Stage::Opening { request, announced });
    }

    /// The storage has opened the file, or has not. `announced`: 150 has been sent.
    pub(super) fn upload_opened(
        &mut self,
        id: RequestId,
        outcome: StorageOutcome,
        announced: bool,
        now: Now,
    ) {
        let Work::Transferring(Transfer { what: What::Store(upload), .. }) = &mut self.work else {
            return;
        };
        match upload.opened(outcome, announced) {
            Ok(None) => {
                let announcement = upload.announcement();
                if !announced {
                    self.reply(150, announcement);
                }
                self.start_moving(Some(id), now);
            }
            Ok(Some(request)) => {
                let request = self.request(request);
                self.set_stage(Stage::Opening { request, announced });
            }
            Err(error) => {
                let (code, text) = upload.failure(error);
                self.tell_cut_off(CutOff::Storage(error));
                self.fail_transfer(code, text);
            }
        }
    }

    /// No more bytes come for the file: what has come in order is made to last, before it gets its
    /// name.
    pub(super) fn upload_ended(&mut self, file: RequestId, end: TransferEnd) {
        let end = self.judge_end(end);
        let Work::Transferring(Transfer { what: What::Store(upload), bytes, .. }) = &self.work
        else {
            return;
        };
        match upload.end(*bytes, end) {
            TransferEnd::Complete => {
                let request = self.request(StorageRequest::Sync { file });
                self.set_stage(Stage::Syncing { request, file });
            }
            end => self.finish_upload(file, end),
        }
    }

    /// The file is on the disk, or cannot get there. What the client has said meanwhile is heard
    /// before it replaces another.
    pub(super) fn upload_synced(&mut self, file: RequestId, outcome: StorageOutcome) {
        match outcome {
            Ok(_) => {
                let request = self.next_id();
                self.actions.push_back(Action::CheckControl { id: request });
                self.set_stage(Stage::Checking { request, file });
            }
            Err(error) => self.finish_upload(file, TransferEnd::Storage(error)),
        }
    }

    /// All that has come on the control connection has been heard.
    pub(in crate::session) fn control_checked(&mut self, id: RequestId) -> Result<(), NotAwaited> {
        let file =
            match self.work {
                Work::Transferring(Transfer {
                    stage: Stage::Checking { request, file }, ..
                }) if request == id => file,
                _ => return Err(NotAwaited(id)),
            };
        match self.reason_to_cut_off() {
            None => self.finish_upload(file, TransferEnd::Complete),
            Some(stop) => {
                if stop == StopReason::ControlClosed {
                    self.log_hangup();
                }
                if let Work::Transferring(transfer) = &mut self.work {
                    transfer.stop = Some(stop);
                }
                self.finish_upload(file, TransferEnd::Stopped);
            }
        }
        Ok(())
    }

    /// Returns what speaks against an upload whose data connection was closed in order. A client that is
    /// killed closes it so in the middle, and one that gives up often before it sends ABOR.
    fn reason_to_cut_off(&self) -> Option<StopReason> {
        match self.last_word() {
            LastWord::Abor => Some(StopReason::AbortWaits),
            // RFC 959 section 4.1.1: the transfer may finish, whether its reply is awaited or not.
            LastWord::Quit => None,
            LastWord::None => {
                let ends_well = self.input.is_open() || self.config.on_hangup == OnHangup::Publish;
                (!ends_well).then_some(StopReason::ControlClosed)
            }
        }
    }

    /// Returns `true` if an upload goes on though the control connection is lost.
    pub(in crate::session) fn upload_outlives_control(&self) -> bool {
        let Work::Transferring(transfer) = &self.work else { return false };
        match transfer.stage {
            _ if transfer.what.sends() => false,
            // No byte has been asked for. Yet a client that has taken its leave may have sent some.
            Stage::Preparing(_)
            | Stage::Connecting { .. }
            | Stage::Opening { announced: false, .. } => {
                self.data.stands() && self.last_word() == LastWord::Quit
            }
            _ => true,
        }
    }

    /// Returns `true` if a file is being received.
    pub(in crate::session) fn is_uploading(&self) -> bool {
        matches!(&self.work, Work::Transferring(transfer) if !transfer.what.sends())
    }

    fn log_hangup(&mut self) {
        let Work::Transferring(Transfer { what: What::Store(upload), bytes, .. }) = &self.work
        else {
            return;
        };
        let left = match upload.mode {
            WriteMode::Replace { atomic: true } if upload.existed => "the old file stays",
            WriteMode::Replace { .. } | WriteMode::Create { .. } if *bytes == 0 => {
                "nothing is kept"
            }
            _ => "what came is kept",
        };
        self.journal.refused(format_args!(
            "upload of {} cut off: the control connection was closed without QUIT; {left} \
             (--on-hangup keep|publish)",
            upload.path
        ));
    }

    fn finish_upload(&mut self, file: RequestId, end: TransferEnd) {
        let Work::Transferring(Transfer { what: What::Store(upload), bytes, .. }) = &self.work
        else {
            return;
        };
        let disposition = upload.disposition(*bytes, end);
        let request = self.request(StorageRequest::Finish { file, disposition });
        self.set_stage(Stage::Finishing { request, end });
    }
}
