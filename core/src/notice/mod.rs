//! What a session tells of what has happened: see [`Notice`]. How that stands as text is in `text`.

mod text;

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use crate::action::{Filter, Mode};
use crate::config::Admission;
use crate::event::Denial;
use crate::path::VirtualPath;
use crate::storage::StorageError;
use crate::time::WallTime;

use text::Fields;
pub use text::Quoted;

/// What has happened in a session, for an embedding program that watches.
///
/// A session makes notices only where [`SessionConfig::notices`](crate::SessionConfig::notices) asks
/// for them. Each comes as an [`Action::Notice`](crate::Action::Notice), in the order in which things
/// happened, and before the reply that tells the client of it has left.
///
/// - [`Connected`](Self::Connected) comes first and [`Disconnected`](Self::Disconnected) last, once
///   each; of a client that is not admitted comes [`Refused`](Self::Refused) alone.
/// - After each [`LoggedIn`](Self::LoggedIn) comes one [`LoggedOut`](Self::LoggedOut).
/// - Of each file transfer that was announced with 150 comes one [`Download`](Self::Download) or
///   [`Upload`](Self::Upload), when it has come to its end. Listings make none.
/// - A change is told when the storage has made it. What was refused or has failed makes no notice.
///
/// As text, by [`Display`](fmt::Display), a notice is its [`name`](Self::name) and its
/// [`fields`](Self::fields), such as `renamed from="/a" to="/b"`, on one line.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Notice {
    /// A client has connected, and has a session.
    Connected {
        /// The connection begins with TLS (implicit FTPS).
        implicit_tls: bool,
    },
    /// A client has connected, and there is no session for it. No other notice follows.
    Refused {
        /// Why; never [`Admission::Welcome`].
        why: Admission,
    },
    /// A login was granted.
    LoggedIn {
        /// The name, as the client gave it.
        user: Vec<u8>,
        /// The virtual host that HOST chose.
        host: Option<String>,
        /// A certificate stood for the password.
        by_certificate: bool,
        /// The control connection is within TLS.
        protected: bool,
    },
    /// A login has failed.
    LoginFailed {
        /// The name, as the client gave it.
        user: Vec<u8>,
        /// The virtual host that HOST chose.
        host: Option<String>,
        /// Why.
        why: LoginFailure,
    },
    /// The login has come to its end: by REIN, by another USER or by AUTH, or with the session.
    LoggedOut {
        /// The name, as the client gave it.
        user: Vec<u8>,
    },
    /// A file was sent to the client, whole or in part.
    Download(Transferred),
    /// A file was received from the client, whole or in part.
    Upload(Transferred),
    /// A file was removed.
    Deleted {
        /// Which.
        path: VirtualPath,
    },
    /// A file or directory was renamed.
    Renamed {
        /// What it was called.
        from: VirtualPath,
        /// What it is called now.
        to: VirtualPath,
    },
    /// A directory was made.
    DirectoryMade {
        /// Which.
        path: VirtualPath,
    },
    /// A directory was removed.
    DirectoryRemoved {
        /// Which.
        path: VirtualPath,
    },
    /// The time or the mode of a file or directory was set, or both.
    FactsChanged {
        /// Whose.
        path: VirtualPath,
        /// When its content last changed, as the client set it.
        modified: Option<WallTime>,
        /// Unix permission bits, the lowest nine, as the client set them.
        mode: Option<u32>,
    },
    /// A SITE command of the embedding program was answered. Its argument is left out: it may hold a
    /// secret.
    SiteCalled {
        /// The command's name, in capitals.
        command: String,
        /// The code of the reply.
        code: u16,
    },
    /// The session is over.
    Disconnected {
        /// What ended it.
        why: Parting,
        /// How long it took.
        duration: Duration,
    },
}

/// A file transfer that has come to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Transferred {
    /// The file. Of STOU the name that was invented.
    pub path: VirtualPath,
    /// How many bytes travelled over the data connection: in MODE Z the compressed ones, and within
    /// TLS those inside.
    pub bytes: u64,
    /// How long that took, from the first byte that could move to the end of the transfer.
    pub duration: Duration,
    /// The data connection was within TLS.
    pub protected: bool,
    /// TYPE.
    pub filter: Filter,
    /// MODE.
    pub mode: Mode,
    /// The first byte: what REST or RANG said. `None` stands for the end of the file (APPE).
    pub offset: Option<u64>,
    /// What cut it off; `None` where it is complete.
    pub cut_off: Option<CutOff>,
}

impl Transferred {
    /// Returns `true` if the transfer is complete: of an upload, the file stands under its name.
    pub fn is_complete(&self) -> bool {
        self.cut_off.is_none()
    }
}

/// What cuts a transfer off. As text it is one word, such as `data-lost`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CutOff {
    /// The data connection was lost.
    DataLost,
    /// The data connection's TLS handshake failed, or did not show that the peer is the client.
    Handshake,
    /// An upload's data connection ended without TLS's close_notify.
    Unannounced,
    /// More came than the range of RANG allows.
    Excess,
    /// What came in MODE Z was damaged.
    Damaged,
    /// The storage failed.
    Storage(StorageError),
    /// Transfers take all the memory that they may.
    NoMemory,
    /// ABOR.
    Aborted,
    /// No byte moved for too long.
    Stalled,
    /// The server stops.
    Shutdown,
    /// The control connection ended before the upload, and no QUIT had come.
    ControlClosed,
    /// The session ended.
    SessionEnded,
}

/// Why a login failed. As text it is one word, such as `refused`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LoginFailure {
    /// The accounts denied it.
    Denied(Denial),
    /// The control connection has to be within TLS first.
    TlsRequired,
}

/// What ended a session. As text it is one word, such as `idle-timeout`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Parting {
    /// QUIT.
    Quit,
    /// The client closed the control connection in order, without QUIT.
    ClientClosed,
    /// The control connection was lost.
    Lost,
    /// The client did not log in in time.
    LoginTimeout,
    /// The client sent no command for too long.
    IdleTimeout,
    /// The control connection's TLS handshake took too long.
    HandshakeTimeout,
    /// Too many logins failed.
    LoginFailures,
    /// The accounts broke down.
    AccountsFailed,
    /// Another session needed the place of this one, which had not logged in.
    Evicted,
    /// The storage, the accounts or the embedding program did not answer.
    NoAnswer,
    /// The client spoke HTTP.
    Http,
    /// The server stops.
    Shutdown,
    /// The driver gave the session up: at the last call of a shutdown, or after a panic.
    Dropped,
}

impl Notice {
    /// Returns the name of what has happened, one word such as `upload`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Connected { .. } => "connected",
            Self::Refused { .. } => "refused",
            Self::LoggedIn { .. } => "logged-in",
            Self::LoginFailed { .. } => "login-failed",
            Self::LoggedOut { .. } => "logged-out",
            Self::Download(_) => "download",
            Self::Upload(_) => "upload",
            Self::Deleted { .. } => "deleted",
            Self::Renamed { .. } => "renamed",
            Self::DirectoryMade { .. } => "directory-made",
            Self::DirectoryRemoved { .. } => "directory-removed",
            Self::FactsChanged { .. } => "facts-changed",
            Self::SiteCalled { .. } => "site-called",
            Self::Disconnected { .. } => "disconnected",
        }
    }

    /// Returns `true` for what a client does that has logged in: transfers, changes and SITE commands.
    pub fn is_operation(&self) -> bool {
        match self {
            Self::Download(_)
            | Self::Upload(_)
            | Self::Deleted { .. }
            | Self::Renamed { .. }
            | Self::DirectoryMade { .. }
            | Self::DirectoryRemoved { .. }
            | Self::FactsChanged { .. }
            | Self::SiteCalled { .. } => true,
            Self::Connected { .. }
            | Self::Refused { .. }
            | Self::LoggedIn { .. }
            | Self::LoginFailed { .. }
            | Self::LoggedOut { .. }
            | Self::Disconnected { .. } => false,
        }
    }

    /// Returns the rest as text: each field as `name=value` after a space. What a client may have
    /// chosen stands in quotes, and escaped; paths come last.
    pub fn fields(&self) -> impl fmt::Display + '_ {
        Fields(self)
    }

    /// Returns the transfer that has come to its end, in either direction.
    pub fn transferred(&self) -> Option<&Transferred> {
        match self {
            Self::Download(transferred) | Self::Upload(transferred) => Some(transferred),
            _ => None,
        }
    }
}
