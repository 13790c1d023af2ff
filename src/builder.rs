//! Setting a server up.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use wharf_host::core::{
    Permissions, Resumption, SessionConfig, SiteCommand, SiteReply, TlsPolicy, TlsRequired,
};
use wharf_host::tls::Tls;
use wharf_host::{
    Accounts, Clock, Failures, Listener, PassivePorts, Sessions, SimpleAccounts, SiteHandler, Stop,
    Storage,
};

use crate::backend::Backend;
use crate::handle::Handle;

/// How long failed logins of an address are added up.
const FAILURES_WINDOW: Duration = Duration::from_secs(600);

/// An FTP server; the beginning of everything. See [`Server::builder`].
#[derive(Debug)]
pub struct Server(());

impl Server {
    /// Begins to set a server up.
    ///
    /// What is not set is safe: it listens on a free port of 127.0.0.1 only, and nobody can log in
    /// before [`anonymous`](Builder::anonymous), [`user`](Builder::user) or
    /// [`accounts`](Builder::accounts) has been called.
    pub fn builder() -> Builder {
        Builder::new()
    }
}

/// The settings of a server that has not been started yet.
#[must_use]
pub struct Builder {
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
    login_failures_per_address: u32,
    login_cool_down: Duration,
    shutdown_grace: Duration,
    /// The first mistake; reported when the server is started.
    mistake: Option<io::Error>,
}

impl Builder {
    fn new() -> Self {
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

    /// As [`listen`](Self::listen), for clients that begin with a TLS handshake (implicit FTPS).
    /// Needs [`tls`](Self::tls).
    pub fn listen_implicit(mut self, address: impl ToSocketAddrs) -> Self {
        let addresses = self.resolve(address);
        self.listen_implicit.extend(addresses);
        self
    }

    fn resolve(&mut self, address: impl ToSocketAddrs) -> Vec<SocketAddr> {
        let resolved = address.to_socket_addrs();
        resolved.map(Iterator::collect).unwrap_or_else(|error| {
            self.mistake.get_or_insert(error);
            Vec::new()
        })
    }

    /// Offers TLS with these certificates (RFC 4217): AUTH TLS, PROT P.
    pub fn tls(mut self, tls: Tls) -> Self {
        self.tls = Some(tls);
        self
    }

    /// Sets what everybody has to protect by TLS; nothing when unset. Needs [`tls`](Self::tls).
    pub fn tls_required(mut self, required: TlsRequired) -> Self {
        self.tls_policy.required = required;
        self
    }

    /// Sets whether data connections have to resume the TLS session of their control connection,
    /// which proves that they are the same client's; [`Resumption::Prefer`] when unset.
    pub fn tls_resumption(mut self, resumption: Resumption) -> Self {
        self.tls_policy.resumption = resumption;
        self
    }

    /// Allows clients to go back to clear text on the control connection (CCC), for a NAT that has
    /// to read along.
    pub fn allow_ccc(mut self, allow: bool) -> Self {
        self.tls_policy.allow_ccc = allow;
        self
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

    /// Answers `SITE name argument`; the handler gets the argument, and may block.
    pub fn site_command(
        mut self,
        name: &str,
        syntax: &str,
        handler: impl Fn(&[u8]) -> SiteReply + Send + Sync + 'static,
    ) -> Self {
        let (name, syntax) = (name.to_ascii_uppercase(), syntax.to_string());
        self.session.site_commands.push(SiteCommand { name, syntax });
        self.site_handlers.push(Arc::new(handler));
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

    /// Sets how long a data connection may take to come, and may stand still; 60 s when unset.
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

    /// Sets how many minutes east of UTC the times of LIST are; 0 when unset.
    pub fn list_utc_offset_minutes(mut self, minutes: i16) -> Self {
        self.session.list_utc_offset_minutes = minutes;
        self
    }

    /// Sets how many sessions there may be in all; 1000 when unset.
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

    /// Sets how long transfers may go on when the server is told to stop; 30 s when unset. Goodbyes
    /// may take a few seconds more.
    pub fn shutdown_grace(mut self, grace: Duration) -> Self {
        self.shutdown_grace = grace;
        self
    }

    /// Starts the server on threads of its own.
    ///
    /// Fails when a setting is missing or wrong, or an address cannot be listened on.
    pub fn spawn(mut self) -> io::Result<Handle> {
        if let Some(mistake) = self.mistake.take() {
            return Err(mistake);
        }
        let accounts = self.take_accounts()?;
        self.set_up_tls()?;
        if self.listen.is_empty() && self.listen_implicit.is_empty() {
            self.listen.push(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
        }
        let all = [&self.listen[..], &self.listen_implicit].concat();
        let mut listeners = Vec::new();
        for &address in &self.listen {
            listeners.push(bind(address, &all)?);
        }
        for &address in &self.listen_implicit {
            listeners.push(bind(address, &all)?.with_implicit_tls());
        }
        let mut addresses: Vec<_> = listeners.iter().map(Listener::address).collect();
        let implicit_addresses = addresses.split_off(self.listen.len());
        let server = Arc::new(wharf_host::Server {
            session: Arc::new(self.session),
            accounts,
            hosts: self.hosts,
            tls: self.tls.map(Arc::new),
            sessions: Sessions::new(self.max_sessions, self.max_sessions_per_address),
            failures: Failures::new(
                self.login_failures_per_address,
                FAILURES_WINDOW,
                self.login_cool_down,
            ),
            logins_at_once: self.logins_at_once.max(1),
            passive_ports: self.passive_ports,
            site_handlers: self.site_handlers,
            shutdown_grace: self.shutdown_grace,
            clock: Clock::start(),
        });
        let stop = Stop::new()?;
        let (backend, stopper) = (self.backend, stop.clone());
        let thread = thread::Builder::new().name("wharf".into());
        let thread = thread.spawn(move || backend.run(server, listeners, stopper))?;
        Ok(Handle { addresses, implicit_addresses, stop, thread: Some(thread) })
    }

    fn set_up_tls(&mut self) -> io::Result<()> {
        match self.tls.take() {
            Some(tls) => {
                self.tls = Some(tls.resumption(self.tls_policy.resumption));
                self.session.tls = Some(self.tls_policy);
                Ok(())
            }
            None if self.tls_policy.required != TlsRequired::None => {
                mistake("TLS is required: call `tls` with a certificate")
            }
            None if !self.listen_implicit.is_empty() => {
                mistake("implicit TLS needs a certificate: call `tls`")
            }
            None => Ok(()),
        }
    }

    fn take_accounts(&mut self) -> io::Result<Arc<dyn Accounts>> {
        if let Some(accounts) = self.accounts.take() {
            return Ok(accounts);
        }
        let Some(storage) = self.storage.take() else {
            return mistake("nothing to serve: call `storage` or `accounts`");
        };
        if self.anonymous.is_none() && self.users.is_empty() {
            return mistake("nobody could log in: call `anonymous`, `user` or `accounts`");
        }
        let mut accounts = SimpleAccounts::new(storage);
        if let Some(permissions) = self.anonymous {
            accounts = accounts.anonymous(permissions);
        }
        for (name, password, permissions) in self.users.drain(..) {
            accounts = accounts.user(name, password, permissions);
        }
        Ok(Arc::new(accounts))
    }
}

fn mistake<T>(text: &str) -> io::Result<T> {
    Err(io::Error::new(io::ErrorKind::InvalidInput, text))
}

/// Listens on one of `all` addresses: `[::]` takes IPv4 clients too, unless they have an address of
/// their own on the same port.
fn bind(address: SocketAddr, all: &[SocketAddr]) -> io::Result<Listener> {
    let dual = !all.iter().any(|other| other.is_ipv4() && other.port() == address.port());
    Listener::bind(address, dual).map_err(|error| {
        io::Error::new(error.kind(), format!("cannot listen on {address}: {error}"))
    })
}
