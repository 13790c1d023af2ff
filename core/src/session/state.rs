//! Where a session stands: everything that it remembers between two calls.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::net::SocketAddr;

use crate::action::{Filter, Mode};
use crate::digest::DigestAlgorithm;
use crate::event::{DataProof, Denial, Grant, RequestId};
use crate::facts::Facts;
use crate::listing::{Allowance, ListingFormat};
use crate::path::VirtualPath;
use crate::reply::Text;
use crate::time::Instant;

use super::digest::Digesting;
use super::listing::Listing;
use super::modify::Changed;
use super::security::Security;
use super::transfer::Transfer;

/// Who is there.
#[derive(Debug)]
pub(crate) enum Login {
    /// Nobody yet.
    Nobody,
    /// USER has come, PASS has not.
    Named { user: Vec<u8> },
    /// Logged in.
    In { user: Vec<u8>, grant: Grant },
}

/// What is to be heard from the client on the control connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Input {
    /// More may come.
    Open,
    /// It has closed its side in order; what it sent before is still to be read.
    Ending,
    /// It has closed its side in order, and may still read.
    Ended,
    /// The connection is lost.
    Lost(LastWord),
}

impl Input {
    /// Returns `true` if there may be more to read.
    pub(crate) fn is_open(self) -> bool {
        matches!(self, Self::Open | Self::Ending)
    }
}

/// What had come before the control connection was lost, and not been executed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LastWord {
    /// Nothing of importance.
    None,
    /// QUIT.
    Quit,
    /// ABOR.
    Abor,
}

/// What the session is doing. One command at a time: the next is taken when this is `Idle`, but
/// for the few that overtake a transfer.
#[derive(Debug)]
pub(crate) enum Work {
    /// Nothing: the next command may come.
    Idle,
    /// A command waits for the outcome of a request.
    Waiting { id: RequestId, awaiting: Awaiting },
    /// AUTH has been answered, or the connection begins with TLS: 234 leaves, then the handshake is
    /// `started`. The greeting comes behind it where it `opens` the session.
    Securing { started: bool, opens: bool },
    /// TLS ends once the last reply has left.
    Clearing { to: Security },
    /// A failed login is answered late.
    Delaying { until: Instant, why: Denial },
    /// A data transfer, from its command to its last reply.
    Transferring(Transfer),
    /// A digest is computed, from its command to its reply.
    Digesting(Digesting),
    /// The last reply is on its way; closed when it has left, or at `until`.
    Ending { until: Instant },
    /// Closed.
    Ended,
}

/// What a command waits for, and how it goes on then.
#[derive(Debug)]
pub(crate) enum Awaiting {
    /// The accounts' word on a login as `user`.
    Accounts { user: Vec<u8>, by: LoginStep },
    /// The outcome of a storage request.
    Storage(Continuation),
    /// A passive port.
    Port(PassiveReply),
    /// The reply of the embedding program to its SITE command.
    Site,
}

impl Awaiting {
    /// Takes apart what waits for accounts; gives anything else back.
    pub(crate) fn accounts(self) -> Result<(Vec<u8>, LoginStep), Box<Self>> {
        match self {
            Self::Accounts { user, by } => Ok((user, by)),
            other => Err(Box::new(other)),
        }
    }

    /// Takes apart what waits for the storage; gives anything else back.
    pub(crate) fn storage(self) -> Result<Continuation, Box<Self>> {
        match self {
            Self::Storage(then) => Ok(then),
            other => Err(Box::new(other)),
        }
    }

    /// Takes apart what waits for a passive port; gives anything else back.
    pub(crate) fn port(self) -> Result<PassiveReply, Box<Self>> {
        match self {
            Self::Port(reply) => Ok(reply),
            other => Err(Box::new(other)),
        }
    }

    /// Takes what waits for the embedding program; gives anything else back.
    pub(crate) fn site(self) -> Result<(), Box<Self>> {
        match self {
            Self::Site => Ok(()),
            other => Err(Box::new(other)),
        }
    }
}

/// Nothing waits for the request with this id: it was given up, or never made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NotAwaited(pub(crate) RequestId);

/// Which command wants to log in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LoginStep {
    /// PASS.
    Password,
    /// USER, where the client has shown a certificate.
    Certificate,
}

/// Which command asked for a passive port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PassiveReply {
    /// PASV.
    Address,
    /// EPSV.
    PortOnly,
}

/// What a command does once its storage request has been carried out.
#[derive(Debug)]
pub(crate) enum Continuation {
    /// CWD, CDUP.
    ChangeDirectory(VirtualPath),
    /// SIZE.
    Size(VirtualPath),
    /// MDTM.
    ModificationTime(VirtualPath),
    /// MLST.
    Facts(VirtualPath),
    /// RNFR.
    RenameFrom(VirtualPath),
    /// Just a reply: MKD, RMD, DELE.
    Reply(u16, Text),
    /// RNTO.
    RenameTo,
    /// MFMT, MFF, SITE CHMOD, SITE UTIME.
    Changed(Changed),
    /// AVBL.
    Space,
    /// STAT with a path, until the directory is open.
    StatLook(Listing),
    /// STAT with a path: the directory's lines, as they come.
    StatLines { directory: RequestId, format: ListingFormat, allowance: Allowance },
}

/// Whence the data connection comes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Data {
    /// No PASV, EPSV, PORT or EPRT yet.
    None,
    /// What there was came to nothing before a command used it: the reply to the next that needs it.
    Lost(u16, &'static str),
    /// A passive port is open, until then if no command uses it.
    Listening { port: RequestId, until: Instant },
    /// The client has connected to it, and the connection stands until then likewise.
    Arrived { port: RequestId, until: Instant, early: EarlyTls },
    /// PORT or EPRT has named an address.
    Active(SocketAddr),
    /// That address is being connected to.
    Connecting(RequestId),
    /// The connection to it stands.
    Connected,
}

/// How far TLS has come on a passive data connection before a command uses it: some clients send
/// their command only when the handshake is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EarlyTls {
    /// It has not begun: the client waits for 150, or the connection is in clear.
    NotBegun,
    /// The handshake goes on.
    Securing(RequestId),
    /// The handshake is done.
    Secured(DataProof),
}

impl Data {
    /// Returns `true` if the data connection stands.
    pub(crate) fn stands(&self) -> bool {
        matches!(self, Self::Arrived { .. } | Self::Connected)
    }

    /// Returns when it is given up if no command uses it.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        match self {
            Self::Listening { until, .. } | Self::Arrived { until, .. } => Some(*until),
            _ => None,
        }
    }
}

/// Which bytes of its file the next transfer covers: what REST or RANG said last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Range {
    /// All.
    Whole,
    /// REST: those from here on. Never all.
    From(u64),
    /// RANG: those from `start` on, up to but not including `end`, which is greater.
    Between { start: u64, end: u64 },
}

/// How hard MODE Z compresses where the client does not say: zlib's own middle way.
pub(super) const DEFAULT_LEVEL: u8 = 6;

/// What transfer parameters the client has chosen.
#[derive(Debug)]
pub(crate) struct Parameters {
    /// TYPE.
    pub(crate) filter: Filter,
    /// REST and RANG: what the next transfer covers.
    pub(crate) range: Range,
    /// OPTS HASH.
    pub(crate) hash: DigestAlgorithm,
    /// MODE: deflate (Z), or stream.
    pub(crate) deflate: bool,
    /// OPTS MODE Z LEVEL.
    pub(crate) level: u8,
    /// OPTS MLST.
    pub(crate) facts: Facts,
    /// EPSV ALL: no other data port command from now on (RFC 2428 section 4).
    pub(crate) epsv_all: bool,
    /// The working directory.
    pub(crate) directory: VirtualPath,
    /// The path of RNFR, when that was the command just before.
    pub(crate) rename_from: Option<VirtualPath>,
}

impl Parameters {
    /// What a new session starts with (RFC 959 section 5.1: ASCII Non-print, Stream, File).
    pub(crate) fn new() -> Self {
        Self {
            filter: Filter::Ascii,
            range: Range::Whole,
            hash: DigestAlgorithm::Sha256,
            deflate: false,
            level: DEFAULT_LEVEL,
            facts: Facts::default(),
            epsv_all: false,
            directory: VirtualPath::root(),
            rename_from: None,
        }
    }

    /// In what form bytes travel.
    pub(crate) fn mode(&self) -> Mode {
        if self.deflate { Mode::Deflate { level: self.level } } else { Mode::Stream }
    }

    /// Tells whether files travel byte by byte as they are.
    pub(crate) fn is_plain(&self) -> bool {
        self.filter == Filter::Identity && !self.deflate
    }
}
