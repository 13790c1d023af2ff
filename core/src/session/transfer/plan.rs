//! What a transfer moves: how it is prepared, announced and described.

use crate::action::{Filter, Mode, Plan};
use crate::event::RequestId;
use crate::reply::Text;
use crate::session::StorageOutcome;
use crate::session::failure::{Refusal, failure};
use crate::session::state::What;
use crate::storage::{StorageAnswer, StorageError, StorageRequest};

/// How far into a file a transfer in TYPE A may begin, in bytes: all before it has to be converted
/// to find the place, which costs time, and the client sees no byte.
const LONGEST_SKIP: u64 = 64 * 1024 * 1024;

/// What follows on the storage's answer while a transfer is prepared.
pub(super) enum Next {
    /// Something more is to be asked.
    Ask(StorageRequest),
    /// All is there; the file is open under this id, where there is one.
    Connect(Option<RequestId>),
    /// Nothing comes of it.
    Fail { opened: Option<RequestId>, code: u16, text: &'static str },
}

impl Next {
    pub(super) fn fail((code, text): Refusal) -> Self {
        Self::Fail { opened: None, code, text }
    }
}

impl What {
    /// Takes the storage's answer to the request `id`.
    pub(super) fn answered(&mut self, id: RequestId, outcome: StorageOutcome) -> Next {
        match (self, outcome) {
            (What::Retrieve { filter, offset, end, size }, Ok(StorageAnswer::Opened(opened))) => {
                *size = opened.size;
                if let Some(end) = end {
                    // Of a range comes what there is of it (draft-bryan-ftp-range-08 section 4.3).
                    *end = opened.size.min(*end);
                    *offset = opened.size.min(*offset);
                }
                // A converted file is at most twice as long; the pump finds out the rest.
                let longest = match filter {
                    Filter::Identity => opened.size,
                    Filter::Ascii => opened.size.saturating_mul(2),
                };
                if *offset > longest {
                    let (code, text) = failure(StorageError::BadOffset);
                    return Next::Fail { opened: Some(id), code, text };
                }
                if *filter == Filter::Ascii && *offset > LONGEST_SKIP {
                    let text = "Restart position is too far for TYPE A; send TYPE I first.";
                    return Next::Fail { opened: Some(id), code: 554, text };
                }
                Next::Connect(Some(id))
            }
            (What::List(listing), outcome) => match listing.answered(id, outcome) {
                Ok(Some(request)) => Next::Ask(request),
                Ok(None) => Next::Connect(listing.directory()),
                Err(failure) => Next::fail(failure),
            },
            (What::Store(upload), outcome) => upload.checked(outcome),
            (What::Retrieve { .. }, outcome) => {
                Next::fail(failure(outcome.err().unwrap_or(StorageError::Other)))
            }
        }
    }

    /// Returns `true` if bytes go to the client.
    pub(in crate::session) fn sends(&self) -> bool {
        !matches!(self, What::Store(_))
    }

    /// The text of 150.
    pub(super) fn announcement(&self) -> Text {
        match self {
            What::Retrieve { filter: Filter::Identity, offset, end, size } => {
                let size = end.map_or(*size, |end| end - offset);
                Text::from("Opening BINARY mode data connection ({} bytes).").with(size)
            }
            What::Store(upload) => upload.announcement(),
            What::Retrieve { .. } => Text::from("Opening ASCII mode data connection."),
            What::List(_) => Text::from("Opening ASCII mode data connection for the listing."),
        }
    }

    /// Makes the plan, for the file that is open under this id, where there is one.
    pub(super) fn plan(&mut self, file: Option<RequestId>) -> Plan {
        // Only a listing of a single line needs no file.
        let file = file.unwrap_or(RequestId(0));
        match self {
            What::Retrieve { filter, offset, end, .. } => {
                Plan::Send { file, filter: *filter, offset: *offset, end: *end }
            }
            What::Store(upload) => upload.plan(file),
            What::List(listing) => listing.plan(),
        }
    }

    /// A line for STAT.
    pub(super) fn status(&self, bytes: u64, mode: Mode) -> Text {
        match self {
            What::Retrieve { filter: Filter::Identity, offset, end, size }
                if mode == Mode::Stream =>
            {
                let whole = end.unwrap_or(*size).saturating_sub(*offset);
                Text::from("Sending a file: {} of {} bytes").with(bytes).with(whole)
            }
            What::Retrieve { .. } => Text::from("Sending a file: {} bytes").with(bytes),
            What::Store(upload) => upload.status(bytes),
            What::List(_) => Text::from("Sending a listing: {} bytes").with(bytes),
        }
    }
}
