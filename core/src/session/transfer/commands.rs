//! The commands that begin a transfer, and the one that breaks it off.

use alloc::boxed::Box;

use crate::action::Filter;
use crate::path::VirtualPath;
use crate::permissions::Permissions;
use crate::session::failure::{Refusal, store_failure};
use crate::session::state::{Listing, Range, Stage, Transfer, Upload, What, Work};
use crate::session::stop::StopReason;
use crate::session::{NO_RANGE_HERE, Session};
use crate::storage::{StorageError, StorageRequest, WriteMode};

/// The text of 503 where a command for which a range means nothing comes after RANG.
const NO_RANGE: &str = "Only RETR, STOR and HASH take a range.";

impl Session {
    /// RETR.
    pub(crate) fn retr(&mut self, argument: &[u8]) {
        let (filter, range) = self.take_parameters();
        let Some(path) = self.resolve_for_transfer(argument, Permissions::RETRIEVE) else { return };
        let (offset, end) = match range {
            Range::Whole => (0, None),
            Range::From(offset) => (offset, None),
            Range::Between { .. } if !self.parameters.is_plain() => {
                return self.fail_transfer(551, NO_RANGE_HERE);
            }
            Range::Between { start, end } => (start, Some(end)),
        };
        self.note_download(&path);
        let what = What::Retrieve { filter, offset, end, size: 0 };
        self.prepare(what, StorageRequest::OpenRead(path));
    }

    /// STOR. After REST and RANG it changes a file that is there, and needs the permission to
    /// append. An account that may only create finds no file there, neither now nor when it is whole.
    pub(crate) fn stor(&mut self, argument: &[u8]) {
        let (filter, range) = self.take_parameters();
        let wanted = match range {
            Range::Whole => Permissions::CREATE,
            _ => Permissions::STORE | Permissions::APPEND,
        };
        let Some(path) = self.resolve_for_transfer(argument, wanted) else { return };
        let atomic = self.config.atomic_uploads;
        let (mode, length) = match range {
            Range::Whole if self.may(Permissions::STORE, &path) => {
                (WriteMode::Replace { atomic }, None)
            }
            Range::Whole => (WriteMode::Create { atomic }, None),
            Range::From(_) if filter == Filter::Ascii => {
                return self.fail_transfer(554, "Resuming an upload needs TYPE I.");
            }
            Range::Between { .. } if !self.parameters.is_plain() => {
                return self.fail_transfer(551, NO_RANGE_HERE);
            }
            Range::From(offset) => (WriteMode::ResumeAt(offset), None),
            Range::Between { start, end } => (WriteMode::ResumeAt(start), Some(end - start)),
        };
        self.store(Upload::to(path, mode, filter, length));
    }

    /// APPE: at the end, whatever REST said. A range it would have to obey; it takes none.
    pub(crate) fn appe(&mut self, argument: &[u8]) {
        let (filter, range) = self.take_parameters();
        if let Range::Between { .. } = range {
            return self.fail_transfer(503, NO_RANGE);
        }
        if let Some(path) = self.resolve_for_transfer(argument, Permissions::APPEND) {
            let create = self.may(Permissions::CREATE, &path);
            self.store(Upload::to(path, WriteMode::Append { create }, filter, None));
        }
    }

    /// STOU: the name given, if any, is a hint.
    pub(crate) fn stou(&mut self, argument: &[u8]) {
        let (filter, range) = self.take_parameters();
        if let Range::Between { .. } = range {
            return self.fail_transfer(503, NO_RANGE);
        }
        let Some(path) = self.resolve_for_transfer(argument, Permissions::CREATE) else { return };
        let (directory, hint) = match path.file_name() {
            Some(name) if !argument.is_empty() => (path.parent(), name.to_vec()),
            _ => (path, alloc::vec![]),
        };
        // The name is the storage's to choose, so the directory has to allow it too.
        if !self.may(Permissions::CREATE, &directory) {
            let (code, text) = store_failure(StorageError::PermissionDenied);
            return self.fail_transfer(code, text);
        }
        self.store(Upload::unique(directory, hint, filter));
    }

    fn store(&mut self, upload: Upload) {
        let request = upload.first_request();
        self.prepare(What::Store(Box::new(upload)), request);
    }

    /// LIST, NLST, MLSD.
    pub(in crate::session) fn send_listing(&mut self, listing: Result<Box<Listing>, Refusal>) {
        self.take_parameters();
        match listing {
            Ok(listing) => {
                let request = listing.first_request();
                self.prepare(What::List(listing), request);
            }
            Err((code, text)) => self.fail_transfer(code, text),
        }
    }

    /// Asks the storage, unless it is clear already that there is no data connection.
    fn prepare(&mut self, what: What, request: StorageRequest) {
        if let Some((code, text)) = self.missing_data()
            && !judges_a_file(&request)
        {
            return self.fail_transfer(code, text);
        }
        let id = self.next_id();
        let stage = Stage::Preparing(self.request(request));
        self.work = Work::Transferring(Transfer { id, what, stage, bytes: 0, stop: None });
    }

    /// ABOR (RFC 959 section 4.1.3).
    ///
    /// It is 226 also where there is nothing to abort: the client cannot know whether the transfer
    /// has ended before, and waits for the same reply in either case.
    pub(crate) fn abor(&mut self) {
        match &self.work {
            Work::Transferring(_) | Work::Digesting(_) => self.break_off(StopReason::Aborted),
            _ if self.missing_data().is_none() => {
                self.close_data();
                self.reply(226, "ABOR command successful; data connection closed.");
            }
            _ => self.reply(226, "No transfer to abort."),
        }
    }

    /// Returns TYPE and the range, which a transfer command takes with it.
    fn take_parameters(&mut self) -> (Filter, Range) {
        (self.parameters.filter, core::mem::replace(&mut self.parameters.range, Range::Whole))
    }

    /// Resolves a path name for a transfer command that needs a permission there, or answers it.
    fn resolve_for_transfer(
        &mut self,
        argument: &[u8],
        wanted: Permissions,
    ) -> Option<VirtualPath> {
        let located = self.locate(argument, wanted);
        let replied = located.map_err(|error| {
            let (code, text) = store_failure(error);
            self.fail_transfer(code, text);
        });
        replied.ok()
    }
}

/// Returns `true` if the answer is worth having without a data connection: it may be that the file
/// cannot be had anyway, or not from that offset.
fn judges_a_file(request: &StorageRequest) -> bool {
    use StorageRequest::{CheckWrite, OpenRead};
    matches!(request, OpenRead(_) | CheckWrite(..))
}
