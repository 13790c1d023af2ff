//! The server under test, as far as the checks may know it.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use crate::check::{Failure, Why};
use crate::data::other_loopback;
use crate::patience::LIMIT;
use crate::tls::TlsVersion;

/// A server, or several of one make, that the checks run against.
///
/// Only [`address`](Self::address) for [`Profile::Standard`] is needed; what else is missing is not
/// checked, and the dialogue says so.
pub trait Target: Send + Sync {
    /// Returns where the server of this profile listens, or `None` where there is none.
    fn address(&self, profile: Profile) -> Option<SocketAddr>;

    /// Returns what the server of this profile was started with.
    fn settings(&self, profile: Profile) -> Settings;

    /// Returns how to log in as this account, or `None` where there is none.
    fn credentials(&self, account: Account) -> Option<Credentials> {
        Some(match account {
            Account::Full => Credentials { user: "user".into(), password: "password".into() },
            Account::Anonymous => {
                Credentials { user: "anonymous".into(), password: "guest@example.org".into() }
            }
            Account::Powerless | Account::TlsOnly => return None,
        })
    }

    /// Returns the path of a file of more than 4 GiB (it may be sparse) that the checks may read
    /// and whose last bytes they may overwrite.
    fn large_file(&self) -> Option<String> {
        None
    }

    /// Returns the directory below which each check makes a folder of its own: a whole path, such
    /// as PWD shows it, without a `/` at the end.
    fn root(&self) -> String {
        String::new()
    }

    /// Returns `true` if a reply that is not the best one is a failure. Else it is a note.
    fn is_strict(&self) -> bool {
        true
    }

    /// Returns `true` if the folders of the checks are to be removed.
    fn cleans_up(&self) -> bool {
        false
    }

    /// Returns how connections are made for the checks to which that is all the same.
    fn protection(&self) -> Protection {
        Protection::None
    }

    /// Returns the versions of TLS that the server speaks.
    fn tls_versions(&self) -> Vec<TlsVersion> {
        TlsVersion::ALL.to_vec()
    }

    /// Says why AUTH TLS cannot be looked at, where the server may well have it.
    fn hides_tls(&self) -> Option<&'static str> {
        None
    }

    /// Returns the longest that anything waits for the server.
    fn limit(&self) -> Duration {
        LIMIT
    }

    /// Returns an address of this machine that is not `own`, from which a stranger may connect to
    /// the server's passive ports, and which may be named to the server in PORT and EPRT.
    fn other_address(&self, own: IpAddr) -> Option<IpAddr> {
        other_loopback(own)
    }
}

/// How a connection is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Protection {
    /// Not at all.
    None,
    /// By AUTH TLS, then PBSZ 0 and PROT P.
    Explicit,
    /// From the first byte.
    Implicit,
}

/// Which of a target's servers is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Profile {
    /// On an IPv4 address, with generous timeouts and no delay after a failed login. It offers TLS,
    /// asks no client for it, and has no CCC.
    Standard,
    /// As [`Standard`](Self::Standard), on an IPv6 address.
    Ipv6,
    /// On an IPv4 address, with every timeout as short as can be: see [`Settings::impatient`].
    Impatient,
    /// The server of [`Standard`](Self::Standard), on a port where TLS begins with the first byte.
    Implicit,
    /// As [`Standard`](Self::Standard), and asks every client for TLS: see [`Settings::strict`].
    Strict,
    /// As [`Standard`](Self::Standard), and lets clients leave TLS with CCC.
    Ccc,
    /// As [`Standard`](Self::Standard), without TLS.
    Clear,
    /// As [`Clear`](Self::Clear), with room for few sessions: see [`Settings::crowded`].
    Crowded,
}

impl Profile {
    /// Says what is not checked where there is no such server.
    pub(crate) fn missing(self) -> &'static str {
        match self {
            Self::Standard => "no server",
            Self::Ipv6 => "the server on IPv6 (--ipv6)",
            Self::Impatient => "the server's timeouts (--idle-timeout)",
            Self::Implicit => "implicit FTPS (--implicit)",
            Self::Strict => "a server that requires TLS (--tls-required)",
            Self::Ccc => "a server that allows CCC (--ccc)",
            Self::Clear => "a server without TLS",
            Self::Crowded => "the limits of sessions (--max-sessions)",
        }
    }
}

/// An account that the server knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Account {
    /// May do everything.
    Full,
    /// The anonymous login: sees the same tree, and may list and read it but not change it.
    Anonymous,
    /// May log in, and nothing else.
    Powerless,
    /// May do everything, and logs in within TLS only.
    TlsOnly,
}

impl Account {
    /// Says what is not checked where there is no such account.
    pub(crate) fn missing(self) -> &'static str {
        match self {
            Self::Full => "no account to log in as",
            Self::Anonymous => "an anonymous login that may only read (--anonymous)",
            Self::Powerless => "an account without permissions (--powerless)",
            Self::TlsOnly => "an account that has to use TLS (--tls-only)",
        }
    }
}

/// A user's name and password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    /// The argument of USER.
    pub user: String,
    /// The argument of PASS.
    pub password: String,
}

impl Credentials {
    /// Ends a check that is about wrong passwords, where any password is right.
    pub(crate) fn have_a_password(&self) -> Result<(), Failure> {
        if !["anonymous", "ftp"].contains(&self.user.to_lowercase().as_str()) {
            return Ok(());
        }
        let why = format!("{} is let in with any password", self.user);
        Err(Failure::skip(Why::DoesNotApply, why))
    }
}

/// What a server was started with, where a check must know. `None` is not known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// How long a session may sit without a command.
    pub idle_timeout: Option<Duration>,
    /// How long a client may take to log in.
    pub login_timeout: Option<Duration>,
    /// How long a data connection may take to come, and may stand still.
    pub data_timeout: Option<Duration>,
    /// How late a failed login is answered.
    pub login_delay: Option<Duration>,
    /// Failed logins until the session is closed.
    pub login_attempts: Option<u32>,
    /// An upload takes the place of the old file only once it is whole.
    pub atomic_uploads: Option<bool>,
    /// A line feed in a name is carried as NUL, on the control connection and in listings.
    pub newline_as_nul: bool,
    /// A SITE command that the embedding program added, and that answers 200 and its argument.
    pub site_echo: Option<String>,
    /// TLS is to be had.
    pub tls: bool,
    /// A login needs a protected control connection, and a transfer a protected data connection.
    pub tls_required: bool,
    /// Data connections have to resume the TLS session of their control connection.
    pub resumption_required: Option<bool>,
    /// How many sessions there may be at a time, and how many of them from one address.
    pub sessions: Option<[usize; 2]>,
    /// A virtual host, chosen by HOST.
    pub host: Option<VirtualHost>,
}

/// A host beside the default one, with accounts, a tree and a certificate of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VirtualHost {
    /// The argument of HOST, and of SNI.
    pub name: String,
    /// How to log in there. The default host does not know this account.
    pub credentials: Credentials,
}

impl Default for Settings {
    /// Returns the settings of the profiles that have none of their own, such as
    /// [`Standard`](Profile::Standard).
    fn default() -> Self {
        Self {
            idle_timeout: Some(Duration::from_secs(300)),
            login_timeout: Some(Duration::from_secs(60)),
            data_timeout: Some(Duration::from_secs(60)),
            login_delay: Some(Duration::ZERO),
            login_attempts: Some(3),
            atomic_uploads: Some(true),
            newline_as_nul: false,
            site_echo: None,
            tls: true,
            tls_required: false,
            resumption_required: Some(false),
            sessions: None,
            host: None,
        }
    }
}

impl Settings {
    /// Returns how long the server waits for a command and for data; `None` where that is not known.
    pub(crate) fn patience(&self) -> Option<(Duration, Duration)> {
        let idle = self.idle_timeout?;
        Some((idle, self.data_timeout.unwrap_or(idle)))
    }

    /// Returns what is known of a stranger: nothing.
    pub fn unknown() -> Self {
        Self {
            idle_timeout: None,
            login_timeout: None,
            data_timeout: None,
            login_delay: None,
            login_attempts: None,
            atomic_uploads: None,
            tls: false,
            resumption_required: None,
            ..Self::default()
        }
    }

    /// Returns the settings of the profile [`Impatient`](Profile::Impatient): a second for each
    /// timeout and for the delay, two for the login.
    pub fn impatient() -> Self {
        Self {
            idle_timeout: Some(Duration::from_secs(1)),
            login_timeout: Some(Duration::from_secs(2)),
            data_timeout: Some(Duration::from_secs(1)),
            login_delay: Some(Duration::from_secs(1)),
            ..Self::default()
        }
    }

    /// Returns the settings of the profile [`Strict`](Profile::Strict): TLS is required for
    /// everything, and data connections have to resume.
    pub fn strict() -> Self {
        Self { tls_required: true, resumption_required: Some(true), ..Self::default() }
    }

    /// Returns the settings of the profile [`Clear`](Profile::Clear).
    pub fn clear() -> Self {
        Self { tls: false, ..Self::default() }
    }

    /// Returns the settings of the profile [`Crowded`](Profile::Crowded): five sessions, of which
    /// three may be of one address.
    pub fn crowded() -> Self {
        Self { sessions: Some([5, 3]), ..Self::clear() }
    }
}
