//! Setting a server up.
//!
//! | file | has |
//! |---|---|
//! | `mod` | the settings, a method each |
//! | `tls` | those of TLS |
//! | `observers` | those of what hears what happens |
//! | `check` | which make no sense |
//! | `start` | from settings to a running server, or to its parts |

mod check;
mod observers;
mod start;
#[cfg(feature = "tls")]
mod tls;

pub use start::{Bound, Parts};

use std::fmt;
use std::net::{SocketAddr, TcpListener, ToSocketAddrs};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use wharf_host::proto::{
    ListBounds, Networks, OnHangup, Permissions, SiteCommand, SiteReply, TlsPolicy,
};
use wharf_host::tls::Tls;
use wharf_host::{
    Accounts, ListenerRules, PassivePorts, PublicAddress, ServiceSettings, SiteRequest, Storage,
};

use crate::backend::Backend;
use crate::error::StartError;

/// The settings of a server that has not been started yet.
///
/// A setting that makes no sense is a mistake, and is reported by name when the server is started,
/// before anything is opened: see [`StartError::Setting`].
#[must_use = "a server runs only after `spawn`"]
pub struct ServerBuilder {
    listen: Vec<Socket>,
    listen_implicit: Vec<Socket>,
    connections: Vec<OwnedFd>,
    /// What holds for the clients of all listeners, and what is different for some.
    rules: ListenerRules,
    rules_at: Vec<(SocketAddr, ListenerRules)>,
    tls: Option<Tls>,
    tls_policy: TlsPolicy,
    backend: Backend,
    storage: Option<Arc<dyn Storage>>,
    anonymous: Option<Permissions>,
    users: Vec<(String, String, Permissions)>,
    accounts: Option<Arc<dyn Accounts>>,
    /// The rest; TLS is added at the start.
    service: ServiceSettings,
    /// The first mistake; reported when the server is started.
    mistake: Option<StartError>,
}

/// Where a server listens.
#[derive(Debug)]
enum Socket {
    /// At an address that is yet to be opened.
    Address(SocketAddr),
    /// At a socket of the program's own.
    Open(TcpListener),
}

impl ServerBuilder {
    pub(crate) fn new() -> Self {
        Self {
            listen: Vec::new(),
            listen_implicit: Vec::new(),
            connections: Vec::new(),
            rules: ListenerRules::new(),
            rules_at: Vec::new(),
            tls: None,
            tls_policy: TlsPolicy::default(),
            backend: Backend::default(),
            storage: None,
            anonymous: None,
            users: Vec::new(),
            accounts: None,
            service: ServiceSettings::default(),
            mistake: None,
        }
    }

    /// Listens on this address too; port 0 stands for any free one. `[::]` stands for all
    /// addresses, IPv4 too, unless an IPv4 address is given for the same port.
    pub fn listen(mut self, address: impl ToSocketAddrs + fmt::Debug) -> Self {
        let addresses = self.resolve("listen", address);
        self.listen.extend(addresses.into_iter().map(Socket::Address));
        self
    }

    /// Listens on this socket too, which the program has bound and opened: by socket activation, or
    /// before it gave up root.
    pub fn listener(mut self, listener: TcpListener) -> Self {
        self.listen.push(Socket::Open(listener));
        self
    }

    /// Serves this connected socket too, such as standard input of a program that inetd starts, or
    /// systemd with `Accept=yes`: `stdin().as_fd().try_clone_to_owned()?`. Takes TCP streams, Unix
    /// streams and other descriptors of them; a Unix socket counts as a connection from 127.0.0.1.
    /// All descriptors of the socket stop blocking.
    ///
    /// Where no address is given, the server listens nowhere, and stops when the last of these
    /// connections has ended.
    ///
    /// ```
    /// use std::io::{BufRead, BufReader};
    /// use std::os::unix::net::UnixStream;
    /// use wharf::{Memory, Permissions, Server};
    ///
    /// let (client, socket) = UnixStream::pair()?;
    /// let server = Server::builder().storage(Memory::new()).anonymous(Permissions::READ_ONLY);
    /// let server = server.connection(socket).spawn()?;
    /// let mut greeting = String::new();
    /// BufReader::new(client).read_line(&mut greeting)?;
    /// assert!(greeting.starts_with("220 "));
    /// server.wait()?; // The client has gone: returns.
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn connection(mut self, stream: impl Into<OwnedFd>) -> Self {
        self.connections.push(stream.into());
        self
    }

    /// Lets clients in these networks alone connect, and those of further calls; all clients may when
    /// unset. Others get 421, or are closed at once where TLS comes first (implicit FTPS), and count
    /// among no sessions.
    ///
    /// ```
    /// use wharf::{Memory, Permissions, Server};
    ///
    /// let server = Server::builder().storage(Memory::new()).anonymous(Permissions::READ_ONLY);
    /// let server = server.allow("127.0.0.0/8,10.0.0.0/8".parse()?).deny("10.0.0.9".parse()?);
    /// server.spawn()?.shutdown()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn allow(mut self, networks: Networks) -> Self {
        self.rules = self.rules.allow(networks);
        self
    }

    /// Lets no client in these networks connect, be it in [allowed](Self::allow) ones or not.
    pub fn deny(mut self, networks: Networks) -> Self {
        self.rules = self.rules.deny(networks);
        self
    }

    /// Expects each connection to come from a proxy in these networks, such as HAProxy or a load
    /// balancer, and to begin with a header that names the client: PROXY protocol, version 1 or 2,
    /// before TLS where that comes first. Limits, networks, logs and PORT's checks then go by the
    /// client's own address. Other connections are closed, and so are those that send anything else,
    /// or no header within [`login_timeout`](Self::login_timeout).
    ///
    /// Data connections come without a header: see [`public_address`](Self::public_address) for
    /// clients that reach the server itself, and [`allow_foreign_data`](Self::allow_foreign_data) for
    /// proxies that pass data connections on too.
    pub fn proxy_protocol(mut self, proxies: Networks) -> Self {
        self.rules = self.rules.proxy_protocol(proxies);
        self
    }

    /// Sets what holds for the clients of all listeners, in place of what has been set by
    /// [`allow`](Self::allow), [`deny`](Self::deny), [`public_address`](Self::public_address) and
    /// [`proxy_protocol`](Self::proxy_protocol).
    pub fn rules(mut self, rules: ListenerRules) -> Self {
        self.rules = rules;
        self
    }

    /// Sets what is different for the clients of the listener with this address, as it was given to
    /// [`listen`](Self::listen), [`listen_implicit`](Self::listen_implicit) or
    /// [`listener`](Self::listener). What these rules say nothing of is as for all.
    pub fn listener_rules(mut self, address: SocketAddr, rules: ListenerRules) -> Self {
        self.rules_at.push((address, rules));
        self
    }

    fn resolve(
        &mut self,
        method: &str,
        address: impl ToSocketAddrs + fmt::Debug,
    ) -> Vec<SocketAddr> {
        match address.to_socket_addrs() {
            Ok(addresses) => addresses.collect(),
            Err(error) => {
                let address = format!("{address:?}");
                self.mistake.get_or_insert(if error.kind() == std::io::ErrorKind::InvalidInput {
                    let wanted = "an address and a port are wanted, such as \"127.0.0.1:2121\"";
                    StartError::setting(format!("{method}({address})"), wanted)
                } else {
                    StartError::listen(address, error)
                });
                Vec::new()
            }
        }
    }

    /// Lets other accounts decide for clients that name this host (HOST, RFC 7151). Its certificate
    /// is for [`Tls::host`].
    pub fn host(mut self, name: impl Into<String>, accounts: impl Accounts + 'static) -> Self {
        let name = name.into().to_ascii_lowercase();
        let name = name.strip_suffix('.').unwrap_or(&name).to_string();
        self.service.hosts.push((name, Arc::new(accounts)));
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

    /// Lets all clients in that log in as `anonymous` or `ftp`, with any password.
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

    /// Lets `accounts` decide which clients come in and what they see. It takes the place of
    /// [`storage`](Self::storage), [`anonymous`](Self::anonymous) and [`user`](Self::user), which
    /// cannot be set besides.
    pub fn accounts(mut self, accounts: impl Accounts + 'static) -> Self {
        self.accounts = Some(Arc::new(accounts));
        self
    }

    /// Answers `SITE name argument` for clients that have logged in; SITE HELP shows `syntax`. The
    /// handler may block. It may take the place of CHMOD and UTIME, and has to look after permissions
    /// itself.
    pub fn site_command(
        mut self,
        name: &str,
        syntax: &str,
        handler: impl Fn(&SiteRequest) -> SiteReply + Send + Sync + 'static,
    ) -> Self {
        let command = SiteCommand { name: name.to_ascii_uppercase(), syntax: syntax.to_string() };
        self.service.site_commands.push((command, Arc::new(handler)));
        self
    }

    /// Sets whether MODE Z is to be had, which compresses what travels; it is when unset. It takes
    /// the processor's time.
    #[cfg(feature = "mode-z")]
    pub fn mode_z(mut self, offer: bool) -> Self {
        self.service.session.mode_z = offer;
        self
    }

    /// Sets the text of the greeting.
    pub fn greeting(mut self, text: impl Into<String>) -> Self {
        self.service.session.greeting = text.into();
        self
    }

    /// Sets how long a session may sit without a command; 300 s when unset.
    pub fn idle_timeout(mut self, timeout: Duration) -> Self {
        self.service.session.idle_timeout = timeout;
        self
    }

    /// Sets how long a client may take to log in; 60 s when unset.
    pub fn login_timeout(mut self, timeout: Duration) -> Self {
        self.service.session.login_timeout = timeout;
        self
    }

    /// Sets how long a data connection may take to come, and may stand still; 60 s when unset. A
    /// passive port, or the connection to it, that no command has used by then is closed.
    pub fn data_timeout(mut self, timeout: Duration) -> Self {
        self.service.session.data_timeout = timeout;
        self
    }

    /// Sets how late a failed login is answered; 3 s when unset.
    pub fn login_delay(mut self, delay: Duration) -> Self {
        self.service.session.login_delay = delay;
        self
    }

    /// Sets after how many failed logins a session is closed; 3 when unset.
    pub fn max_login_attempts(mut self, attempts: u32) -> Self {
        self.service.session.max_login_attempts = attempts;
        self
    }

    /// Sets where passive ports are opened; 49152 to 65535 when unset, and where many of those are
    /// taken, what the system gives.
    ///
    /// When all are taken, the oldest that no command uses is closed, of the client that has most of
    /// them, and its next transfer command answered 425.
    pub fn passive_ports(mut self, ports: PassivePorts) -> Self {
        self.service.passive_ports = ports;
        self
    }

    /// Sets the address that PASV names, for servers behind NAT: an [`Ipv4Addr`](std::net::Ipv4Addr),
    /// or a [`PublicAddress`] that is not for all clients, or is a host name. A name that cannot be
    /// looked up when the server is started is a mistake.
    ///
    /// ```no_run
    /// use wharf::{Memory, Permissions, PublicAddress, Server};
    ///
    /// let server = Server::builder().storage(Memory::new()).anonymous(Permissions::READ_ONLY);
    /// let address: PublicAddress = "ftp.example.org,!192.168.0.0/16".parse()?;
    /// server.public_address(address).spawn()?.wait()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn public_address(mut self, address: impl Into<PublicAddress>) -> Self {
        self.rules = self.rules.public_address(address);
        self
    }

    /// Allows data connections from and to other addresses than the client's (RFC 2577 section 3
    /// says why not).
    pub fn allow_foreign_data(mut self, allow: bool) -> Self {
        self.service.session.allow_foreign_data = allow;
        self
    }

    /// Allows PORT and EPRT to name ports below 1024.
    pub fn allow_privileged_ports(mut self, allow: bool) -> Self {
        self.service.session.allow_privileged_ports = allow;
        self
    }

    /// Sets whether readers of a file that is replaced see the old content until the new one is
    /// whole; they do when unset.
    pub fn atomic_uploads(mut self, atomic: bool) -> Self {
        self.service.session.atomic_uploads = atomic;
        self
    }

    /// Sets what becomes of an upload whose client closes the control connection without QUIT;
    /// [`OnHangup::Keep`] when unset.
    pub fn on_hangup(mut self, on_hangup: OnHangup) -> Self {
        self.service.session.on_hangup = on_hangup;
        self
    }

    /// Sets how many minutes east of UTC the times of LIST are; 0 when unset.
    pub fn list_utc_offset_minutes(mut self, minutes: i16) -> Self {
        self.service.session.list_utc_offset_minutes = minutes;
        self
    }

    /// Sets how far LIST and NLST go with `-R`, and how much memory they take to sort a directory
    /// with `-t`, `-S` and `-r`; see [`ListBounds`] for what holds when unset.
    pub fn list_bounds(mut self, bounds: ListBounds) -> Self {
        self.service.session.list_bounds = bounds;
        self
    }

    /// Sets how many sessions there may be in all; 1000 when unset. There are fewer, and a warning
    /// says so, where the process's limit of open files leaves no room for so many; it is raised as
    /// far as the system allows. A session has one open, and a transfer seven more while it lasts: one
    /// for which none are left is told 425 or 450.
    pub fn max_sessions(mut self, most: usize) -> Self {
        self.service.max_sessions = most;
        self
    }

    /// Sets how many sessions a client address may have; 250 when unset.
    pub fn max_sessions_per_address(mut self, most: usize) -> Self {
        self.service.max_sessions_per_address = most;
        self
    }

    /// Sets how many logins may fail from a client address within ten minutes; 100 when unset, and 0
    /// stands for any number. After that many it has to [stay away](Self::login_cool_down) for a
    /// while: its connections and logins are answered 421. An IPv6 network of 64 bits counts as one
    /// address.
    pub fn max_login_failures(mut self, max: u32) -> Self {
        self.service.max_login_failures = max;
        self
    }

    /// Sets how long an address has to stay away from which too many logins have failed; 300 s when
    /// unset.
    pub fn login_cool_down(mut self, cool_down: Duration) -> Self {
        self.service.login_cool_down = cool_down;
        self
    }

    /// Sets how many logins are checked at once, at least one; 4 when unset. Checking a password
    /// takes memory by intention, so a flood of logins waits in line.
    pub fn logins_at_once(mut self, most: usize) -> Self {
        self.service.logins_at_once = most;
        self
    }

    /// Sets how many storage calls are at work at once, and how many large transfers, at least one; 64
    /// when unset. A call that has
    /// not come back after 0.1 s, such as on a network disk that does not answer, no longer counts:
    /// see [`max_stuck_calls`](Self::max_stuck_calls).
    pub fn storage_threads(mut self, most: usize) -> Self {
        self.service.storage_threads = most;
        self
    }

    /// Sets how many calls may be stuck at once; 1024 when unset. Each keeps a thread. A client
    /// address may leave a quarter of them and a tree half of them: what goes beyond is answered 450,
    /// and all other clients are served.
    pub fn max_stuck_calls(mut self, most: usize) -> Self {
        self.service.max_stuck_calls = most;
        self
    }

    /// Sets how many lines a minute a session may log of what it was refused, and how many of failed
    /// logins; 60 when unset, twenty times as many of what is no trouble, and 0 stands for any
    /// number. What is left out is counted, and the count logged.
    pub fn log_lines_per_minute(mut self, most: u32) -> Self {
        self.service.session.log_lines_per_minute = most;
        self
    }

    /// Sets how many bytes of memory all transfers together may take; 256 MiB when unset. Buffers
    /// are smaller when much of it is taken, and a transfer for which none is left is answered 450.
    pub fn max_transfer_memory(mut self, bytes: u64) -> Self {
        self.service.max_transfer_memory = bytes;
        self
    }

    /// Sets how long transfers may go on when the server is told to stop; 30 s when unset. A server
    /// that is dropped gives no grace.
    pub fn shutdown_timeout(mut self, grace: Duration) -> Self {
        self.service.shutdown_timeout = grace;
        self
    }

    /// Sets how long a connection stays open after the last reply on it, until the client has closed
    /// its side (lingering close); by default 2 seconds. Closed at once, it could be reset before
    /// the client has read that reply. Where the server stops, this counts within
    /// [`shutdown_timeout`](Self::shutdown_timeout).
    pub fn lingering_time(mut self, time: Duration) -> Self {
        self.service.lingering_time = time;
        self
    }
}

impl fmt::Debug for ServerBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerBuilder")
            .field("listen", &self.listen)
            .field("listen_implicit", &self.listen_implicit)
            .field("rules", &self.rules)
            .field("rules_at", &self.rules_at)
            .field("tls", &self.tls)
            .field("tls_policy", &self.tls_policy)
            .field("backend", &self.backend)
            .field("anonymous", &self.anonymous)
            .field("service", &self.service)
            .finish_non_exhaustive()
    }
}
