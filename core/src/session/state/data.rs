//! The data connection, and what protects connections.

use core::net::SocketAddr;

use crate::event::{DataProof, RequestId};
use crate::time::Instant;

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

/// How the control connection travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Security {
    /// In clear: TLS was never begun, or REIN has ended it.
    Clear,
    /// Within TLS.
    Protected {
        /// The client has shown a certificate.
        certificate: bool,
    },
    /// In clear again after CCC; data connections may still be protected.
    Cleared,
}

/// What protects the data connections.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Protection {
    /// Nothing, and PROT needs PBSZ first.
    #[default]
    Unsized,
    /// PROT C: nothing.
    Clear,
    /// PROT P: TLS.
    Private,
}
