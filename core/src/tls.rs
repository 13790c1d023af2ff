//! What a session asks of TLS (RFC 4217).

/// What a client has to protect.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum TlsRequired {
    /// Nothing.
    #[default]
    None,
    /// The control connection, before it logs in.
    Login,
    /// The data connections.
    Data,
    /// Both, and the control connection to the end: no CCC.
    All,
}

impl TlsRequired {
    /// Returns `true` if a login needs a protected control connection.
    pub fn login(self) -> bool {
        matches!(self, Self::Login | Self::All)
    }

    /// Returns `true` if files and listings need a protected data connection.
    pub fn data(self) -> bool {
        matches!(self, Self::Data | Self::All)
    }

    /// Returns what satisfies both.
    pub fn and(self, other: Self) -> Self {
        match (self.login() || other.login(), self.data() || other.data()) {
            _ if self == Self::All || other == Self::All => Self::All,
            (false, false) => Self::None,
            (true, false) => Self::Login,
            (false, true) => Self::Data,
            (true, true) => Self::All,
        }
    }
}

/// Whether a data connection has to resume the TLS session of its control connection, which proves
/// that it is the same client's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Resumption {
    /// It need not, and cannot.
    Off,
    /// It may; one that does not is judged by its address alone.
    #[default]
    Prefer,
    /// It must: 522 otherwise.
    Require,
}

/// How an upload within TLS may end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum UploadEnd {
    /// With close_notify: without it, a file that was cut off looks like a whole one.
    #[default]
    Strict,
    /// Also with the mere end of the connection (FIN, not RST), for clients that never send
    /// close_notify. An attacker in the network can cut an upload short unseen.
    Lenient,
}

/// What a server that has a certificate asks of its clients.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TlsPolicy {
    /// What all clients have to protect; an account may ask for more.
    pub required: TlsRequired,
    /// Whether data connections resume.
    pub resumption: Resumption,
    /// Lets clients go back to clear text on the control connection (CCC, RFC 4217 section 5).
    pub allow_ccc: bool,
    /// How uploads may end; an account may differ.
    pub upload_end: UploadEnd,
}
