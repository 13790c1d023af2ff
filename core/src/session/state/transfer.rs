//! What goes on beside the commands: a transfer, a listing, or the digest of a file.

use alloc::boxed::Box;
use alloc::vec::Vec;

use crate::action::Filter;
use crate::digest::DigestAlgorithm;
use crate::event::{RequestId, TransferEnd};
use crate::listing::ListingFormat;
use crate::path::VirtualPath;
use crate::permissions::Permissions;
use crate::session::stop::StopReason;
use crate::storage::WriteMode;
use crate::time::Instant;

/// A data transfer under way.
#[derive(Debug)]
pub(crate) struct Transfer {
    /// Names it towards the driver.
    pub(crate) id: RequestId,
    pub(crate) what: What,
    pub(crate) stage: Stage,
    /// Bytes over the data connection.
    pub(crate) bytes: u64,
    /// Why it was told to stop.
    pub(crate) stop: Option<StopReason>,
}

#[derive(Debug)]
pub(crate) enum Stage {
    /// The storage is asked.
    Preparing(RequestId),
    /// All is ready but for the data connection. The file to be sent is open under this id, where
    /// there is one.
    Connecting { file: Option<RequestId>, until: Instant },
    /// The data connection's TLS handshake goes on.
    Securing { request: RequestId, file: Option<RequestId>, until: Instant },
    /// The file to be received is opened; after the 150 where that is `announced`.
    Opening { request: RequestId, announced: bool },
    /// Bytes move; every progress puts the deadline off.
    Moving { file: Option<RequestId>, until: Instant },
    /// All bytes have been handed over; the client is to close the data connection too.
    Closing { until: Instant },
    /// The driver has been told to stop.
    Stopping { file: Option<RequestId> },
    /// All has been received, and is made to last.
    Syncing { request: RequestId, file: RequestId },
    /// The control connection is looked at once more.
    Checking { request: RequestId, file: RequestId },
    /// The uploaded file is put in its place, or away.
    Finishing { request: RequestId, end: TransferEnd },
}

/// What moves where.
#[derive(Debug)]
pub(crate) enum What {
    Retrieve { filter: Filter, offset: u64, end: Option<u64>, size: u64 },
    Store(Box<Upload>),
    List(Box<Listing>),
}

/// A file to be received: where it goes, and how.
#[derive(Debug)]
pub(crate) struct Upload {
    /// Of STOU the directory, until a name has been invented.
    pub(crate) path: VirtualPath,
    pub(crate) mode: WriteMode,
    pub(crate) filter: Filter,
    /// How many bytes are to come, where a range says so.
    pub(crate) length: Option<u64>,
    pub(crate) naming: Option<Naming>,
    /// A file stood there when this one was opened.
    pub(crate) existed: bool,
}

/// What the name of STOU is made of.
#[derive(Debug)]
pub(crate) struct Naming {
    pub(crate) directory: VirtualPath,
    pub(crate) hint: Vec<u8>,
    /// How many more names may be tried.
    pub(crate) left: u8,
}

/// What is listed, from the path name to the lines.
#[derive(Debug)]
pub(crate) struct Listing {
    /// The path name as the client gave it.
    pub(crate) given: Vec<u8>,
    pub(crate) path: VirtualPath,
    /// The permissions in the directory above.
    pub(crate) parent: Permissions,
    /// What names in a listed directory are preceded by.
    pub(crate) directory_prefix: Vec<u8>,
    /// The option -d: the entry itself, not what is in it.
    pub(crate) itself: bool,
    /// The option -a: `.` and `..` are listed, too.
    pub(crate) all: bool,
    pub(crate) format: ListingFormat,
    pub(crate) found: Found,
}

#[derive(Debug)]
pub(crate) enum Found {
    /// The storage is asked what stands there.
    Nothing,
    /// A directory whose parent is being looked at, for MLSD.
    Parent { head: Vec<u8> },
    /// A directory, being opened; these lines go before its entries.
    Directory { head: Vec<u8> },
    /// A directory, open.
    Open { head: Vec<u8>, directory: RequestId },
    /// A single entry.
    One { line: Vec<u8> },
}

/// The bytes of a file that count.
pub(crate) type Part = core::ops::Range<u64>;

/// A digest under way, from its command to its reply.
#[derive(Debug)]
pub(crate) struct Digesting {
    pub(crate) algorithm: DigestAlgorithm,
    pub(crate) form: Form,
    pub(crate) stage: DigestStage,
    /// Why it was told to stop.
    pub(crate) stop: Option<StopReason>,
}

/// How it is asked for and answered.
#[derive(Debug)]
pub(crate) enum Form {
    /// HASH, with the path name as the client gave it, and the range of RANG.
    Hash { given: Vec<u8>, part: Option<Part> },
    /// XCRC and the like, which have a range of their own.
    Bare { part: Option<Part> },
}

#[derive(Debug)]
pub(crate) enum DigestStage {
    /// The storage is asked for the file.
    Opening(RequestId),
    /// It is read.
    Reading { id: RequestId, part: Part, bytes: u64 },
}
