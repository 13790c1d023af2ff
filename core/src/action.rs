//! What comes out of a [`Session`](crate::Session) besides reply bytes.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;
use core::net::SocketAddr;
use core::num::NonZeroU64;

use crate::digest::DigestAlgorithm;
use crate::event::RequestId;
use crate::listing::ListingFormat;
use crate::notice::Notice;
use crate::path::VirtualPath;
use crate::storage::StorageRequest;

/// Something the driver must do, in the order in which it is given.
///
/// Not `#[non_exhaustive]`, on purpose, and no more is [`Plan`]: a driver that passes over an action
/// hangs, so the compiler is to name a new one.
#[must_use = "an action that is not carried out leaves the session waiting for ever"]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Begin TLS on the control connection, as its server; answer with
    /// [`Event::TlsStarted`](crate::Event::TlsStarted). Bytes that Session has not consumed belong
    /// to the handshake.
    StartTls {
        /// The virtual host whose certificate is shown where the client names none in the
        /// handshake: an index into [`SessionConfig::hosts`](crate::SessionConfig::hosts).
        host: Option<usize>,
    },
    /// End TLS on the control connection with close_notify and go on in clear; what the client
    /// sends is handed over again when its own close_notify has come. No answer.
    EndTls,
    /// Check a name and what shows that it is the client's; answer with [`Event::Authenticated`](crate::Event::Authenticated).
    Authenticate {
        /// The request.
        id: RequestId,
        /// The name, as the client gave it.
        user: Vec<u8>,
        /// What shows that it is theirs.
        method: LoginMethod,
        /// The virtual host that HOST chose: an index into
        /// [`SessionConfig::hosts`](crate::SessionConfig::hosts).
        host: Option<usize>,
    },
    /// Forget the account: the session is as before its login.
    Logout,
    /// Carry out a file operation; answer with [`Event::Storage`](crate::Event::Storage).
    Storage {
        /// The request.
        id: RequestId,
        /// The operation.
        request: StorageRequest,
    },
    /// Drop the file or directory that was opened under this id. No answer. A file opened for
    /// writing is treated as with [`Disposition::Discard`](crate::Disposition::Discard).
    Release(RequestId),
    /// Run a SITE command of the embedding program; answer with [`Event::Site`](crate::Event::Site).
    Site {
        /// The request.
        id: RequestId,
        /// The command's index in [`SessionConfig::site_commands`](crate::SessionConfig).
        command: usize,
        /// What stood after the command's name.
        argument: Vec<u8>,
        /// The argument of USER.
        user: Vec<u8>,
        /// The working directory.
        directory: VirtualPath,
    },
    /// Open a passive port on the control connection's own address; answer with
    /// [`Event::Listening`](crate::Event::Listening), then
    /// [`Event::DataArrived`](crate::Event::DataArrived) for each connection.
    Listen {
        /// The request.
        id: RequestId,
    },
    /// Take the connection that arrived as the data connection, and close the passive port.
    AcceptData,
    /// Drop the connection that arrived, and go on listening.
    RefuseData,
    /// Connect to the client, from the control connection's own address; answer with
    /// [`Event::Connected`](crate::Event::Connected).
    Connect {
        /// The request.
        id: RequestId,
        /// Where to.
        to: SocketAddr,
    },
    /// Close whatever there is of passive port and data connection. No answer.
    CloseData(DataEnd),
    /// Do the TLS handshake on the data connection that stands, as its server, with the control
    /// connection's certificate; answer with
    /// [`Event::DataProtected`](crate::Event::DataProtected).
    ProtectData {
        /// The request.
        id: RequestId,
        /// Session tickets may be sent: the client is going to read, and resumption is not off.
        tickets: bool,
    },
    /// Move bytes over the data connection that stands; report
    /// [`Event::Progress`](crate::Event::Progress), for what is sent
    /// [`Event::Sent`](crate::Event::Sent), and at last
    /// [`Event::TransferEnded`](crate::Event::TransferEnded).
    Transfer {
        /// Names the transfer.
        id: RequestId,
        /// What moves where.
        plan: Plan,
        /// In what form it travels.
        mode: Mode,
        /// How many bytes a second at most.
        rate: Option<NonZeroU64>,
    },
    /// Break the transfer off and close its data connection; answer with
    /// [`Event::TransferEnded`](crate::Event::TransferEnded) and
    /// [`TransferEnd::Stopped`](crate::TransferEnd::Stopped), or, where all bytes had been handed
    /// over already, [`TransferEnd::Complete`](crate::TransferEnd::Complete).
    StopTransfer,
    /// Look at the control connection once more, whatever the operating system last said of it: hand
    /// over what has come, and report its end, as always; then answer with
    /// [`Event::ControlChecked`](crate::Event::ControlChecked).
    CheckControl {
        /// The request.
        id: RequestId,
    },
    /// Compute the digest of a file, beside which everything else goes on; report
    /// [`Event::DigestProgress`](crate::Event::DigestProgress), and at last
    /// [`Event::DigestEnded`](crate::Event::DigestEnded). The file is dropped then.
    Digest {
        /// The request.
        id: RequestId,
        /// The open file: the id of the request that opened it.
        file: RequestId,
        /// How.
        algorithm: DigestAlgorithm,
        /// The first byte that counts.
        start: u64,
        /// The first byte after it that does not; no less than `start`, nor beyond the file's end.
        end: u64,
    },
    /// Read no more for the digest; answer with
    /// [`Event::DigestEnded`](crate::Event::DigestEnded) and
    /// [`DigestEnd::Stopped`](crate::DigestEnd::Stopped), or, where all had been read already, the
    /// digest.
    StopDigest,
    /// Tell what watches the session what has happened; only where
    /// [`SessionConfig::notices`](crate::SessionConfig::notices) asks for it. No answer.
    Notice(Box<Notice>),
    /// Give back the session's place among the others, and the account's: the client has gone, and
    /// only an upload comes to its end. No answer.
    Vacate,
    /// Close the control connection and everything that belongs to it. Nothing follows.
    Close,
}

/// How passive port and data connection are closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DataEnd {
    /// At once.
    Plain,
    /// A transfer that was to have used the connection is refused: the connection stays open for a
    /// while after the reply has left, in which the client can read why. Some clients take the end of
    /// the data connection, also within a TLS handshake, for that of the session.
    Refused,
    /// Likewise, but 150 has been sent: our side is closed at once, since the client may wait for the
    /// end of the data before it reads the reply.
    Announced,
}

/// What a transfer moves. The file named is the id of the request that opened it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Plan {
    /// From a file to the data connection. The file is dropped at the end.
    Send {
        /// The open file.
        file: RequestId,
        /// TYPE: binary is the identity, ASCII converts line ends.
        filter: Filter,
        /// Bytes to leave out at the beginning; counted as they would travel, that is, after the
        /// filter.
        offset: u64,
        /// Where to end in the file, if not at its end; only with [`Filter::Identity`].
        end: Option<u64>,
    },
    /// From the data connection to a file. The file stays open.
    Receive {
        /// The open file.
        file: RequestId,
        /// TYPE: binary is the identity, ASCII converts line ends.
        filter: Filter,
        /// How many bytes may come; one more is [`TransferEnd::Excess`](crate::TransferEnd::Excess)
        /// and not written. Only with [`Filter::Identity`].
        most: Option<u64>,
    },
    /// A listing to the data connection, as a [`Lister`](crate::Lister) writes it. The directory is
    /// dropped at the end.
    List {
        /// Lines that Session wrote itself; they go first.
        head: Vec<u8>,
        /// The open directory whose entries follow, each as a line.
        directory: Option<RequestId>,
        /// How a line looks, and which entries are listed.
        format: Box<ListingFormat>,
    },
}

impl Plan {
    /// Returns the id of the file or directory that is dropped at the end, where there is one.
    pub const fn dropped(&self) -> Option<RequestId> {
        match self {
            Self::Send { file, .. } => Some(*file),
            Self::Receive { .. } => None,
            Self::List { directory, .. } => *directory,
        }
    }
}

/// What happens to file bytes on their way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filter {
    /// TYPE I: nothing.
    Identity,
    /// TYPE A: line ends are LF in the file and CRLF on the wire.
    Ascii,
}

/// In what form bytes travel over the data connection, after the [`Filter`] and within TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// MODE S: as they are.
    Stream,
    /// MODE Z: as a zlib stream (RFC 1950, draft-preston-ftpext-deflate).
    Deflate {
        /// How hard what is sent is compressed, 0 to 9 as zlib has it.
        level: u8,
    },
}

/// What shows that a name is the client's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LoginMethod {
    /// A password, as the client gave it.
    Password(Password),
    /// The certificate of the control connection's TLS handshake.
    Certificate,
}

/// A password: bytes that no log shows. Comparing it takes a time that tells nothing of the other.
#[derive(Clone, Eq)]
pub struct Password(Vec<u8>);

impl PartialEq for Password {
    fn eq(&self, other: &Self) -> bool {
        is_same(&self.0, &other.0)
    }
}

/// Compares what a client gave with a secret, in a time that only what it gave decides.
#[doc(hidden)]
pub fn is_same(given: &[u8], secret: &[u8]) -> bool {
    let mut different = given.len() ^ secret.len();
    // Going around stays within the secret, and takes as long however short it is.
    let mut wrapped = secret.iter().cycle();
    for &byte in given {
        let other = wrapped.next().copied().unwrap_or(0);
        different |= usize::from(byte ^ other);
        different = core::hint::black_box(different);
    }
    different == 0
}

impl Password {
    /// Makes a password of the bytes that a client sent.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self(bytes.into())
    }

    /// Returns the bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}
