//! Where a session stands: everything that it remembers between two calls.

mod data;
mod parameters;
mod transfer;

use alloc::boxed::Box;
use alloc::vec::Vec;

use crate::event::{Denial, Grant, RequestId};
use crate::listing::{Allowance, ListingFormat};
use crate::notice::Notice;
use crate::path::VirtualPath;
use crate::reply::Text;
use crate::time::Instant;

pub(crate) use data::{Data, EarlyTls, Protection, Security};
pub(crate) use parameters::{DEFAULT_LEVEL, Parameters, Range};
pub(crate) use transfer::{
    DigestStage, Digesting, Form, Found, Listing, Naming, Part, Stage, Transfer, Upload, What,
};

/// How far the login has come.
#[derive(Debug)]
pub(crate) enum Login {
    /// USER has not come.
    None,
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
    /// The control connection goes over to TLS.
    Securing { cause: TlsCause, handshake: Handshake },
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

/// Why the control connection goes over to TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TlsCause {
    /// AUTH.
    Auth,
    /// The connection begins with TLS (implicit FTPS): the greeting follows it.
    Implicit,
}

/// How far the handshake of the control connection has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Handshake {
    /// It is withheld until the reply to AUTH has left.
    Withheld,
    /// The driver does it.
    UnderWay,
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
    /// The reply of the embedding program to its SITE command of this index.
    Site(usize),
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
    pub(crate) fn site(self) -> Result<usize, Box<Self>> {
        match self {
            Self::Site(command) => Ok(command),
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
    /// Just a reply, and what is told of it: MKD, RMD, DELE.
    Reply(u16, Text, Option<Box<Notice>>),
    /// RNTO, and what is told of it.
    RenameTo(Option<Box<Notice>>),
    /// MFMT, MFF, SITE CHMOD, SITE UTIME, and what is told of it.
    Changed(Changed, Option<Box<Notice>>),
    /// AVBL.
    Space,
    /// STAT with a path, until the directory is open.
    StatLook(Box<Listing>),
    /// STAT with a path: the directory's lines, as they come.
    StatLines(Box<StatLines>),
}

/// How STAT goes on with the lines of a directory.
#[derive(Debug)]
pub(crate) struct StatLines {
    /// The directory that is open.
    pub(crate) directory: RequestId,
    pub(crate) format: Box<ListingFormat>,
    /// How much more there is room for.
    pub(crate) allowance: Allowance,
}

/// Which command's reply is to tell what has been changed.
#[derive(Debug)]
pub(crate) enum Changed {
    /// MFMT and MFF: these facts, of what the client called so.
    Facts { modified: bool, mode: bool, name: Vec<u8> },
    /// SITE UTIME.
    Time,
    /// SITE CHMOD.
    Mode,
}
