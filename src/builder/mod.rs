//! Setting a server up.

mod start;
#[cfg(feature = "tls")]
mod tls;

pub use start::Bound;

use std::io;
use std::net::{Ipv4Addr, SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

use wharf_host::proto::{OnHangup, Permissions, SessionConfig, SiteCommand, SiteReply, TlsPolicy};
use wharf_host::tls::Tls;
use wharf_host::{Accounts, PassivePorts, SiteHandler, SiteRequest, Storage};

use crate::backend::Backend;

/// The settings of a server that has not been started yet.
#[must_use]
pub struct ServerBuilder {
    listen: Vec<SocketAddr>,
    listen_implicit: Vec<SocketAddr>,
    tls: Option<Tls>,
    tls_policy: TlsPolicy,
    hosts: Vec<Arc<dyn Accounts>>,
    backend: Backend,
    storage: Option<Arc<dyn Storage>>,
    anonymous: Option<Permissions>,
    users: Vec<(String, String, Permissions)>,
    accounts: Option<Arc<dyn Accounts>>,
    session: SessionConfig,
    site_handlers: Vec<SiteHandler>,
    passive_ports: PassivePorts,
    max_sessions: usize,
    max_sessions_per_address: usize,
    logins_at_once: usize,
    storage_threads: usize,
    stuck_calls: usize,
    max_transfer_memory: u64,
    login_failures_per_address: u32,
    login_cool_down: Duration,
    shutdown_grace: Duration,
    /// The first mistake; reported when the server is started.
    mistake: Option<io::Error>,
}

impl ServerBuilder {
    pub(crate) fn new() -> Self {
        Self {
            listen: Vec::new(),
            listen_implicit: Vec::new(),
            tls: None,
            tls_policy: TlsPolicy::default(),
            hosts: Vec::new(),
            backend: Backend::default(),
            storage: None,
            anonymous: None,
            users: Vec::new(),
            accounts: None,
            session: SessionConfig::default(),
            site_handlers: Vec::new(),
            passive_ports: PassivePorts::ANY,
            max_sessions: 1000,
            max_sessions_per_address: 250,
            logins_at_once: 4,
            storage_threads: 64,
            stuck_calls: 1024,
            max_transfer_memory: 256 << 20,
            login_failures_per_address: 100,
            login_cool_down: Duration::from_secs(300),
            shutdown_grace: Duration::from_secs(30),
            mistake: None,
        }
    }

    /// Listens on this address too; port 0 stands for any free one. `[::]` stands for all
    /// addresses, IPv4 too, unless an IPv4 address is given for the same port.
    pub fn listen(mut self, address: impl ToSocketAddrs) -> Self {
        let addresses = self.resolve(address);
        self.listen.extend(addresses);
        self
    }

    fn resolve(&mut self, address: impl ToSocketAddrs) -> Vec<SocketAddr> {
        let resolved = address.to_socket_addrs();
        resolved.map(Iterator::collect).unwrap_or_else(|error| {
            self.mistake.get_or_insert(error);
            Vec::new()
        })
    }

    /// Lets other accounts decide for clients that name this host (HOST, RFC 7151). Its certificate
    /// is for [`Tls::host`].
    pub fn host(mut self, name: impl Into<String>, accounts: impl Accounts + 'static) -> Self {
        let name = name.into().to_ascii_lowercase();
        self.session.hosts.push(name.strip_suffix('.').unwrap_or(&name).to_string());
        self.hosts.push(Arc::new(accounts));
        self
    }

    /// Chooses the driver; the default is the first of [`Backend::ALL`].
    pub fn backend(mut self, backend: Backend) -> Self {
        self.backend = backend;
        self
    }

    /// Serves these files to [`anonymous`](Self::anonymous) and [`user`](Self::user).
    pub fn storage(mut self, storage: impl Storage + 'static) -> Self {
        self.storage = Some(Arc::new(storage));
        self
    }

    /// Lets anybody in, as `anonymous` or `ftp`, with any password.
    pub fn anonymous(mut self, permissions: Permissions) -> Self {
        self.anonymous = Some(permissions);
        self
    }

    /// Lets this user in.
    pub fn user(
        mut self,
        name: impl Into<String>,
        password: impl Into<String>,
        permissions: Permissions,
    ) -> Self {
        self.users.push((name.into(), password.into(), permissions));
        self
    }

    /// Lets `accounts` decide who comes in and what they see, in place of
    /// [`storage`](Self::storage), [`anonymous`](Self::anonymous) and [`user`](Self::user).
    pub fn accounts(mut self, accounts: impl Accounts + 'static) -> Self {
        self.accounts = Some(Arc::new(accounts));
        self
    }

    /// Answers `SITE name argument`, of whoever has logged in; SITE HELP shows `syntax`. The handler
    /// may block. It may take the place of CHMOD and UTIME, and has to look after permissions itself.
    pub fn site_command(
        mut self,
        name: &str,
        syntax: &str,
        handler: impl Fn(&SiteRequest) -> SiteReply + Send + Sync + 'static,
    ) -> Self {
        let (name, syntax) = (name.to_ascii_uppercase(), syntax.to_string());
        let is_word = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_graphic());
        let is_taken = self.session.site_commands.iter().any(|other| other.name == name);
        if !is_word || is_taken || name == "HELP" {
            let text = format!("SITE {name:?}: a word is wanted that is no other's, nor HELP");
            self.mistake.get_or_insert(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
        self.session.site_commands.push(SiteCommand { name, syntax });
        self.site_handlers.push(Arc::new(handler));
        self
    }

    /// Sets whether MODE Z is to be had, which compresses what travels; it is when unset. It takes
    /// the processor's time.
    #[cfg(feature = "mode-z")]
    pub fn mode_z(mut self, offer: bool) -> Self {
        self.session.mode_z = offer;
        self
    }

    /// Sets the text of the greeting.
    pub fn greeting(mut self, text: impl Into<String>) -> Self {
        self.session.greeting = text.into();
        self
    }

    /// Sets how long a session may sit without a command; 300 s when unset.
    pub fn idle_timeout(mut self, timeout: Duration) -> Self {
        self.session.idle_timeout = timeout;
        self
    }

    /// Sets how long a client may take to log in; 60 s when unset.
    pub fn login_timeout(mut self, timeout: Duration) -> Self {
        self.session.login_timeout = timeout;
        self
    }

    /// Sets how long a data connection may take to come, and may stand still; 60 s when unset. A
    /// passive port, or the connection to it, that no command has used by then is closed.
    pub fn data_timeout(mut self, timeout: Duration) -> Self {
        self.session.data_timeout = timeout;
        self
    }

    /// Sets how late a failed login is answered; 3 s when unset.
    pub fn login_delay(mut self, delay: Duration) -> Self {
        self.session.login_delay = delay;
        self
    }

    /// Sets after how many failed logins a session is closed; 3 when unset.
    pub fn login_attempts(mut self, attempts: u32) -> Self {
        self.session.login_attempts = attempts;
        self
    }

    /// Sets where passive ports are opened; 49152 to 65535 when unset, and where many of those are
    /// taken, what the system gives.
    ///
    /// When all are taken, the oldest that no command uses is closed, of the client that has most of
    /// them, and its next transfer command answered 425.
    pub fn passive_ports(mut self, ports: PassivePorts) -> Self {
        self.passive_ports = ports;
        self
    }

    /// Sets the address that PASV names, for servers behind NAT.
    pub fn public_address(mut self, address: Ipv4Addr) -> Self {
        self.session.public_address = Some(address);
        self
    }

    /// Allows data connections from and to other addresses than the client's (RFC 2577 section 3
    /// says why not).
    pub fn allow_foreign_data(mut self, allow: bool) -> Self {
        self.session.allow_foreign_data = allow;
        self
    }

    /// Allows PORT and EPRT to name ports below 1024.
    pub fn allow_privileged_ports(mut self, allow: bool) -> Self {
        self.session.allow_privileged_ports = allow;
        self
    }

    /// Sets whether readers of a file that is replaced see the old content until the new one is
    /// whole; they do when unset.
    pub fn atomic_uploads(mut self, atomic: bool) -> Self {
        self.session.atomic_uploads = atomic;
        self
    }

    /// Sets what becomes of an upload whose client closes the control connection without QUIT;
    /// [`OnHangup::Keep`] when unset.
    pub fn on_hangup(mut self, on_hangup: OnHangup) -> Self {
        self.session.on_hangup = on_hangup;
        self
    }

    /// Sets how many minutes east of UTC the times of LIST are; 0 when unset.
    pub fn list_utc_offset_minutes(mut self, minutes: i16) -> Self {
        self.session.list_utc_offset_minutes = minutes;
        self
    }

    /// Sets how many sessions there may be in all; 1000 when unset. There are fewer, and a warning
    /// says so, where the process's limit of open files leaves no room for the files of so many; it
    /// is raised as far as the system allows.
    pub fn max_sessions(mut self, most: usize) -> Self {
        self.max_sessions = most;
        self
    }

    /// Sets how many sessions a client address may have; 250 when unset.
    pub fn max_sessions_per_address(mut self, most: usize) -> Self {
        self.max_sessions_per_address = most;
        self
    }

    /// Sets how many logins may fail from a client address within ten minutes; 100 when unset, and 0
    /// stands for any number. After that many it has to [stay away](Self::login_cool_down) for a
    /// while: its connections and logins are answered 421. An IPv6 network of 64 bits counts as one
    /// address.
    pub fn login_failures_per_address(mut self, max: u32) -> Self {
        self.login_failures_per_address = max;
        self
    }

    /// Sets how long an address has to stay away from which too many logins have failed; 300 s when
    /// unset.
    pub fn login_cool_down(mut self, cool_down: Duration) -> Self {
        self.login_cool_down = cool_down;
        self
    }

    /// Sets how many logins are checked at once, at least one; 4 when unset. Checking a password
    /// takes memory by intention, so a flood of logins waits in line.
    pub fn logins_at_once(mut self, most: usize) -> Self {
        self.logins_at_once = most;
        self
    }

    /// Sets how many storage calls are at work at once, at least one; 64 when unset. A call that has
    /// not come back after 0.1 s, such as on a network disk that does not answer, no longer counts:
    /// see [`stuck_calls`](Self::stuck_calls).
    pub fn storage_threads(mut self, most: usize) -> Self {
        self.storage_threads = most;
        self
    }

    /// Sets how many calls may be stuck at once; 1024 when unset. Each keeps a thread. A client
    /// address may leave a quarter of them and a tree half of them: who has to do with more is
    /// answered 450, and all others are served.
    pub fn stuck_calls(mut self, most: usize) -> Self {
        self.stuck_calls = most;
        self
    }

    /// Sets how many lines a minute a session may log of what it was refused, and how many of failed
    /// logins; 60 when unset, twenty times as many of what is no trouble, and 0 stands for any
    /// number. What is left out is counted, and the count logged.
    pub fn log_lines_per_minute(mut self, most: u32) -> Self {
        self.session.log_lines_per_minute = most;
        self
    }

    /// Sets how many bytes of memory all transfers together may take; 256 MiB when unset. Buffers
    /// are smaller when much of it is taken, and a transfer for which none is left is answered 450.
    pub fn max_transfer_memory(mut self, bytes: u64) -> Self {
        self.max_transfer_memory = bytes;
        self
    }

    /// Sets how long transfers may go on when the server is told to stop; 30 s when unset. Goodbyes
    /// may take a few seconds more.
    pub fn shutdown_grace(mut self, grace: Duration) -> Self {
        self.shutdown_grace = grace;
        self
    }
}
