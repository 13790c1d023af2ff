//! The settings that a session obeys.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use core::time::Duration;

use crate::listing::ListBounds;
use crate::tls::TlsPolicy;

/// What every session of a server has in common.
#[derive(Clone, Debug)]
pub struct SessionConfig {
    /// Text of the 220 greeting.
    pub greeting: String,
    /// How long a session may sit without a command, once logged in.
    pub idle_timeout: Duration,
    /// How long a client may take from connecting to being logged in.
    pub login_timeout: Duration,
    /// How long a data connection may take to come, and how long it may stand still; also how long
    /// a passive port, or the connection to it, may wait for a command.
    pub data_timeout: Duration,
    /// Failed logins until the session is closed.
    pub max_login_attempts: u32,
    /// How late a failed login is answered.
    pub login_delay: Duration,
    /// How many lines a minute a session may log of what it was refused, and how many of failed
    /// logins; twenty times as many of what is no trouble. Zero stands for any number.
    pub log_lines_per_minute: u32,
    /// Whether the session tells what happens in it: [`Action::Notice`](crate::Action::Notice).
    pub notices: bool,
    /// Allows data connections to and from other addresses than the client's (FXP). Opens the
    /// bounce attack of RFC 2577 section 3.
    pub allow_foreign_data: bool,
    /// Allows PORT and EPRT to name ports below 1024.
    pub allow_privileged_ports: bool,
    /// A file that is replaced keeps its old content for readers until the new one is whole.
    pub atomic_uploads: bool,
    /// What becomes of an upload whose client closes the control connection without QUIT.
    pub on_hangup: OnHangup,
    /// MODE Z is to be had: transfers that are compressed, which takes the processor's time.
    pub mode_z: bool,
    /// Digests of files are to be had (HASH, XCRC and the like), which takes the processor's time.
    pub digests: bool,
    /// Minutes east of UTC in which LIST shows times; MLSD, MLST and MDTM are in UTC always.
    pub list_utc_offset_minutes: i16,
    /// How far LIST and NLST go that sort or recurse.
    pub list_bounds: ListBounds,
    /// What is asked of TLS; `None` when the server has no certificate.
    pub tls: Option<TlsPolicy>,
    /// The names of the virtual hosts (HOST, RFC 7151), in small letters.
    pub hosts: Vec<String>,
    /// SITE commands that the embedding program brings.
    pub site_commands: Vec<SiteCommand>,
}

impl Default for SessionConfig {
    fn default() -> Self {
        Self {
            greeting: String::from("wharf FTP server ready."),
            idle_timeout: Duration::from_secs(300),
            login_timeout: Duration::from_secs(60),
            data_timeout: Duration::from_secs(60),
            max_login_attempts: 3,
            login_delay: Duration::from_secs(3),
            log_lines_per_minute: 60,
            notices: false,
            allow_foreign_data: false,
            allow_privileged_ports: false,
            atomic_uploads: true,
            on_hangup: OnHangup::Keep,
            mode_z: true,
            digests: true,
            list_utc_offset_minutes: 0,
            list_bounds: ListBounds::default(),
            tls: None,
            hosts: Vec::new(),
            site_commands: Vec::new(),
        }
    }
}

/// What becomes of an upload whose data connection ends in order, but whose control connection is
/// closed by then without QUIT: the client was killed, or is of a kind that never says QUIT.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum OnHangup {
    /// It is cut off: what came is kept where no file stood before, and an old file stays.
    #[default]
    Keep,
    /// It is whole, and takes its place.
    Publish,
}

/// A SITE command that the embedding program answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SiteCommand {
    /// Its name, in capitals: `SITE NAME argument`.
    pub name: String,
    /// Its arguments in the manner of a syntax line, such as `<path>`; may be empty.
    pub syntax: String,
}

/// The two ends of a control connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Endpoint {
    local: SocketAddr,
    peer: SocketAddr,
    admission: Admission,
    implicit_tls: bool,
    public_address: Option<Ipv4Addr>,
}

/// Whether there is room for another session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Admission {
    /// There is.
    Welcome,
    /// The server has as many sessions as it may have.
    ServerFull,
    /// The client's address has as many sessions as it may have.
    AddressFull,
    /// Too many logins have failed from the client's address.
    CoolingDown,
    /// The client's address is not of a network that may come in.
    NotAllowed,
}

/// Writes one word, such as `server-full`.
impl fmt::Display for Admission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Welcome => "welcome",
            Self::ServerFull => "server-full",
            Self::AddressFull => "address-full",
            Self::CoolingDown => "cooling-down",
            Self::NotAllowed => "not-allowed",
        })
    }
}

impl Endpoint {
    /// Names the server's and the client's address; an IPv4 address in IPv6 clothes
    /// (`::ffff:1.2.3.4`) counts as IPv4.
    pub fn new(local: SocketAddr, peer: SocketAddr, admission: Admission) -> Self {
        Self {
            local: canonical(local),
            peer: canonical(peer),
            admission,
            implicit_tls: false,
            public_address: None,
        }
    }

    /// The connection begins with a TLS handshake (implicit FTPS).
    pub fn with_implicit_tls(self) -> Self {
        Self { implicit_tls: true, ..self }
    }

    /// Sets the address that PASV names to this client, where the control connection's own is not
    /// reachable for it (NAT).
    pub fn with_public_address(self, address: Option<Ipv4Addr>) -> Self {
        Self { public_address: address, ..self }
    }

    /// Returns the address that PASV names; `None` stands for the control connection's own.
    pub fn public_address(&self) -> Option<Ipv4Addr> {
        self.public_address
    }

    /// Returns `true` if the connection begins with a TLS handshake.
    pub fn implicit_tls(&self) -> bool {
        self.implicit_tls
    }

    /// Returns the server's address.
    pub fn local(&self) -> SocketAddr {
        self.local
    }

    /// Returns the client's address.
    pub fn peer(&self) -> SocketAddr {
        self.peer
    }

    /// Says otherwise whether there is room.
    pub fn with_admission(self, admission: Admission) -> Self {
        Self { admission, ..self }
    }

    /// Returns whether there is room.
    pub fn admission(&self) -> Admission {
        self.admission
    }
}

fn canonical(address: SocketAddr) -> SocketAddr {
    match address.ip().to_canonical() {
        IpAddr::V4(ip) => SocketAddr::from((ip, address.port())),
        IpAddr::V6(_) => address,
    }
}
