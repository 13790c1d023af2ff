//! What goes into a [`Session`](crate::Session) besides control bytes.

use alloc::vec::Vec;
use core::error::Error;
use core::fmt;
use core::net::IpAddr;
use core::num::NonZeroU64;

use crate::rights::Rights;
use crate::storage::{StorageAnswer, StorageError};
use crate::time::Instant;
use crate::tls::{TlsRequired, UploadEnd};

/// Names a request, so that its completion can be told from another's.
///
/// Session counts them up, never gives one twice, and ignores a completion that it no longer waits
/// for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub u64);

/// Something that happened outside the session.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// The instant that [`poll_timeout`](crate::Session::poll_timeout) named has come.
    Timeout,
    /// The client closed its side of the control connection in order, and commands that came before
    /// are still unread, as [`wants_read`](crate::Session::wants_read) is `false`.
    /// [`ControlClosed`](Self::ControlClosed) follows when they have been read.
    ControlEnding,
    /// The client closed its side of the control connection in order: no more commands come, but
    /// it may still read. Whatever goes on goes on.
    ControlClosed,
    /// The control connection broke: nothing can be sent any more. The session ends at once,
    /// whatever it waits for, but for an upload: that goes on to the end of its data connection. What
    /// the client sent before, and shows only now, may still be handed over.
    ControlLost,
    /// The session, which has not logged in, has to make room for another.
    Evicted,
    /// The driver gives the session up: nothing is sent or carried out any more, but for the
    /// [notices](crate::Action::Notice) of its end. A driver without observers needs no such event.
    Dropped,
    /// The server stops: idle sessions end now, transfers may go on until `deadline`.
    Shutdown {
        /// When transfers are broken off.
        deadline: Instant,
    },
    /// The TLS handshake of [`Action::StartTls`](crate::Action::StartTls) is done; what comes and
    /// goes on the control connection is protected from now on. A handshake that fails is a
    /// [`ControlLost`](Self::ControlLost).
    TlsStarted {
        /// The client has shown a certificate, and it is good.
        certificate: bool,
    },
    /// The outcome of [`Action::Authenticate`](crate::Action::Authenticate).
    Authenticated {
        /// The request.
        id: RequestId,
        /// What the account may do, or why there is none.
        outcome: Result<Grant, Denial>,
    },
    /// The outcome of [`Action::Storage`](crate::Action::Storage).
    Storage {
        /// The request.
        id: RequestId,
        /// What came of it.
        outcome: Result<StorageAnswer, StorageError>,
    },
    /// The outcome of [`Action::Site`](crate::Action::Site).
    Site {
        /// The request.
        id: RequestId,
        /// What the embedding program answers.
        reply: SiteReply,
    },
    /// The outcome of [`Action::Listen`](crate::Action::Listen): the passive port, or `None` when
    /// none is free.
    Listening {
        /// The request.
        id: RequestId,
        /// The TCP port.
        port: Option<u16>,
    },
    /// A connection came to the passive port. Session answers with
    /// [`Action::AcceptData`](crate::Action::AcceptData) or
    /// [`Action::RefuseData`](crate::Action::RefuseData); the driver holds further ones back until
    /// then.
    DataArrived {
        /// The request that opened the port.
        id: RequestId,
        /// The address that it comes from.
        peer: IpAddr,
    },
    /// The connection that was accepted at the passive port has something to be read, or its end,
    /// while no transfer goes on over it. Once at the most; nothing has been read.
    DataReadable {
        /// The request that opened the port.
        id: RequestId,
    },
    /// The passive port is closed without having served.
    PortLost {
        /// The request that opened the port.
        id: RequestId,
        /// Why.
        why: PortLoss,
    },
    /// The outcome of [`Action::Connect`](crate::Action::Connect).
    Connected {
        /// The request.
        id: RequestId,
        /// Whether the connection stands.
        established: bool,
    },
    /// The outcome of [`Action::ProtectData`](crate::Action::ProtectData): the TLS handshake of
    /// the data connection is done, or `None` when it failed.
    DataProtected {
        /// The request.
        id: RequestId,
        /// What the handshake proves of the peer.
        proof: Option<DataProof>,
    },
    /// The transfer moved bytes over the data connection, or wrote what had come over it: it does
    /// not stand still.
    Progress {
        /// The transfer.
        id: RequestId,
        /// Bytes over the data connection since its beginning.
        bytes: u64,
    },
    /// All bytes of a file or listing have been handed over, and our side of the data connection is
    /// closed: it is for the client to close its own, which shows that it has read them all.
    /// [`TransferEnded`](Self::TransferEnded) follows then, or when Session waits no longer.
    Sent {
        /// The transfer.
        id: RequestId,
    },
    /// The transfer is over and its data connection closed. A file opened for writing is still
    /// open under its id, and waits for [`StorageRequest::Finish`](crate::StorageRequest::Finish).
    TransferEnded {
        /// The transfer.
        id: RequestId,
        /// Bytes over the data connection in all.
        bytes: u64,
        /// How it ended.
        end: TransferEnd,
    },
    /// [`Action::CheckControl`](crate::Action::CheckControl) has been carried out: all that had come
    /// on the control connection by then has been handed over.
    ControlChecked {
        /// The request.
        id: RequestId,
    },
    /// The digest of [`Action::Digest`](crate::Action::Digest) has read some of its file.
    DigestProgress {
        /// The request.
        id: RequestId,
        /// Bytes since its beginning.
        bytes: u64,
    },
    /// The outcome of [`Action::Digest`](crate::Action::Digest). The file is closed.
    DigestEnded {
        /// The request.
        id: RequestId,
        /// What it came to.
        end: DigestEnd,
    },
}

/// Why a passive port is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PortLoss {
    /// The system failed.
    Failed,
    /// All ports were taken, no command used this one, and another session needed it.
    GivenAway,
}

/// What a successful login grants.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grant {
    /// What the account may do.
    pub rights: Rights,
    /// What it has to protect, beyond what every account has to.
    pub tls: TlsRequired,
    /// How fast its transfers may be.
    pub rates: Rates,
    /// How its uploads within TLS may end; `None`: as the server has it.
    pub upload_end: Option<UploadEnd>,
}

/// How fast transfers may be, in bytes per second each; `None`: as fast as they can.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rates {
    /// Files and listings that the client receives.
    pub download: Option<NonZeroU64>,
    /// Files that the client sends.
    pub upload: Option<NonZeroU64>,
}

/// Why a login failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Denial {
    /// Unknown user or wrong password: no client learns which.
    Refused,
    /// The accounts could not be asked.
    Unavailable,
    /// The accounts failed where they should not have: they panicked. The session ends.
    Failed,
    /// All is right, but the account has as many sessions as it may have.
    TooManySessions,
    /// Too many logins have failed from the client's address; nothing was looked at.
    CoolingDown,
    /// All is right, but the account is not for the network that the client is in. It is answered,
    /// and counted, as [`Refused`](Self::Refused).
    WrongNetwork,
}

impl fmt::Display for Denial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Refused => "unknown user or wrong password",
            Self::Unavailable => "accounts unavailable",
            Self::TooManySessions => "too many sessions of the account",
            Self::CoolingDown => "too many failed logins",
            Self::Failed => "the accounts have failed",
            Self::WrongNetwork => "not from a network of the account",
        })
    }
}

impl Error for Denial {}

/// What the TLS handshake of a data connection proves of the peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DataProof {
    /// It resumed the TLS session of this session's control connection: the same client.
    Resumed,
    /// It resumed nothing.
    Fresh,
    /// It tried to resume a TLS session of another control connection.
    Foreign,
    /// It has shown another client certificate than the control connection.
    OtherCertificate,
}

/// What an embedding program answers to a SITE command of its own.
///
/// The text may have several lines, parted by LF; Session makes a proper multi-line reply of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SiteReply {
    /// A completion reply code, 200 to 599; any other becomes 451.
    pub code: u16,
    /// The text.
    pub text: Vec<u8>,
}

impl SiteReply {
    /// Makes a reply: `SiteReply::new(200, "Done.")`.
    pub fn new(code: u16, text: impl Into<Vec<u8>>) -> Self {
        Self { code, text: text.into() }
    }
}

/// How a transfer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TransferEnd {
    /// All bytes moved, and the data connection was closed in order.
    Complete,
    /// The client broke the data connection, or it failed; in MODE Z also: the client closed it
    /// before the end of its zlib stream.
    DataLost,
    /// The client closed an upload's data connection in order, but its TLS without close_notify: it
    /// may have sent all, or have been cut off. What has come is in the file.
    Unannounced,
    /// More came than [`Plan::Receive`](crate::Plan::Receive) allows; that much is in the file.
    Excess,
    /// What the client sent in MODE Z is not a zlib stream, or more than one.
    Damaged,
    /// Reading or writing the file failed.
    Storage(StorageError),
    /// It has not begun: transfers take all the memory that they may.
    NoMemory,
    /// Session stopped it with [`Action::StopTransfer`](crate::Action::StopTransfer) before all
    /// bytes had moved.
    Stopped,
}

/// What the computing of a digest came to.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DigestEnd {
    /// The digest, its bytes in the order in which they are written.
    Complete(Vec<u8>),
    /// Reading the file failed.
    Storage(StorageError),
    /// Session stopped it with [`Action::StopDigest`](crate::Action::StopDigest).
    Stopped,
}
