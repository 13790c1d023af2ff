//! From settings to a running server, or to its parts.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::thread;

use wharf_host::{
    Accounts, Arrival, Listener, ListenerRules, PublicAddress, Service, SimpleAccounts, Stop,
};

use super::{ServerBuilder, Socket};
use crate::backend::Backend;
use crate::error::StartError;
use crate::server::Server;
use crate::signals;

/// The parts of a server, for a driver that the program calls itself: `run` and `serve` of
/// [`wharf::drivers`](crate::drivers), or one of its own.
///
/// The addresses are open by now: clients that come wait until the driver accepts them.
#[derive(Debug)]
#[must_use = "no client is served before a driver is given the parts"]
#[non_exhaustive]
pub struct Parts {
    /// What all sessions share.
    pub service: Arc<Service>,
    /// Where clients come in.
    pub listeners: Vec<Listener>,
    /// Stops the server; the driver watches it.
    pub stop: Stop,
    /// The addresses that it listens on, as [`Server::addresses`].
    pub addresses: Vec<SocketAddr>,
    /// The addresses for implicit FTPS, as [`Server::implicit_addresses`].
    pub implicit_addresses: Vec<SocketAddr>,
}

/// A server that has its addresses, and serves no client yet. Dropped, it lets go of them.
#[derive(Debug)]
#[must_use = "no client is served before `spawn`"]
pub struct Bound {
    parts: Parts,
    backend: Backend,
    /// Names that are looked up while the server runs.
    names: Vec<PublicAddress>,
}

impl Bound {
    /// Returns the addresses that it listens on, as [`Server::addresses`].
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.parts.addresses
    }

    /// Returns the addresses for implicit FTPS, as [`Server::implicit_addresses`].
    pub fn implicit_addresses(&self) -> &[SocketAddr] {
        &self.parts.implicit_addresses
    }

    /// Starts to serve, on threads of its own. See [`ServerBuilder::spawn`] for what signals do then.
    pub fn spawn(self) -> Result<Server, StartError> {
        let driver = self.backend.driver();
        self.run_with(driver)
    }

    /// Starts to serve by this driver; see [`ServerBuilder::run_with`].
    pub fn run_with(
        mut self,
        driver: impl FnOnce(Arc<Service>, Vec<Listener>, Stop) -> io::Result<()> + Send + 'static,
    ) -> Result<Server, StartError> {
        let names = std::mem::take(&mut self.names);
        let Parts { service, listeners, stop, addresses, implicit_addresses } =
            self.into_parts()?;
        if !names.is_empty() {
            let (thread, stop) = (thread::Builder::new().name("wharf-names".into()), stop.clone());
            // It is not waited for: a look-up may take long.
            thread
                .spawn(move || PublicAddress::keep_up(&names, &stop))
                .map_err(StartError::system("start a thread"))?;
        }
        let (shared, stopper) = (service.clone(), stop.clone());
        let thread = thread::Builder::new().name("wharf".into());
        let thread = thread.spawn(move || {
            let outcome = driver(shared.clone(), listeners, stopper);
            shared.finish_observers();
            outcome
        });
        let thread = Some(thread.map_err(StartError::system("start a thread"))?);
        Ok(Server { addresses, implicit_addresses, service, stop, thread })
    }

    /// Returns the parts, for a driver that the program calls itself; see [`ServerBuilder::build`].
    pub fn into_parts(self) -> Result<Parts, StartError> {
        signals::survive().map_err(StartError::system("handle SIGXFSZ and SIGPIPE"))?;
        Ok(self.parts)
    }
}

impl ServerBuilder {
    /// Starts the server on threads of its own; as [`bind`](Self::bind) and [`Bound::spawn`].
    ///
    /// Fails when a setting is missing or makes no sense, or an address cannot be listened on.
    ///
    /// From then on SIGXFSZ and SIGPIPE do not end the process: an upload that goes past
    /// `RLIMIT_FSIZE` fails alone, with 552, and so does a transfer to a client that is gone.
    /// Handlers that the program has for them go on to be called.
    ///
    /// The server stops, without a grace, when what this returns is dropped.
    pub fn spawn(self) -> Result<Server, StartError> {
        self.bind()?.spawn()
    }

    /// Starts the server on one thread, which runs a driver that is not one of wharf's.
    ///
    /// The driver accepts clients from the listeners and drives a
    /// [`Connection`](crate::host::Connection) for each, until the stop is called and the last
    /// session has ended. `examples/driver.rs` is one. [`backend`](Self::backend) has no effect.
    /// Signals and dropping are as after [`spawn`](Self::spawn).
    ///
    /// ```
    /// use wharf::{Memory, Permissions, Server};
    ///
    /// let server = Server::builder().storage(Memory::new()).anonymous(Permissions::READ_ONLY);
    /// # #[cfg(feature = "mio")]
    /// server.run_with(wharf::drivers::mio::run)?.shutdown()?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn run_with(
        self,
        driver: impl FnOnce(Arc<Service>, Vec<Listener>, Stop) -> io::Result<()> + Send + 'static,
    ) -> Result<Server, StartError> {
        self.bind()?.run_with(driver)
    }

    /// Listens on the addresses, and returns the parts of the server to a program that drives them
    /// itself, on threads or an executor of its own. It starts no thread.
    ///
    /// [`backend`](Self::backend) has no effect. Signals are as after [`spawn`](Self::spawn).
    pub fn build(self) -> Result<Parts, StartError> {
        self.bind()?.into_parts()
    }

    /// Listens on the addresses, and serves no client yet: those that come wait.
    ///
    /// No thread has been started by then. What was needed to get so far, such as root for port 21,
    /// can be given up before [`Bound::spawn`].
    ///
    /// ```
    /// use wharf::{Memory, Permissions, Server};
    ///
    /// let server = Server::builder().storage(Memory::new()).anonymous(Permissions::READ_ONLY);
    /// let bound = server.listen("127.0.0.1:0").bind()?;
    /// println!("about to serve at {}", bound.addresses()[0]);
    /// // Here the program becomes another user.
    /// bound.spawn()?.shutdown()?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn bind(mut self) -> Result<Bound, StartError> {
        self.check()?;
        let accounts = self.take_accounts()?;
        let names = self.look_up_names()?;
        let stop = Stop::new().map_err(StartError::system("make a pair of sockets"))?;
        if self.listen.is_empty() && self.listen_implicit.is_empty() && self.connections.is_empty()
        {
            self.listen.push(Socket::Address(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))));
        }
        let all = self.listen.iter().chain(&self.listen_implicit);
        let all: Vec<_> = all.filter_map(Socket::address).collect();
        let (listen, implicit) =
            (std::mem::take(&mut self.listen), std::mem::take(&mut self.listen_implicit));
        let mut listeners = self.open(listen, &all)?;
        let implicit = self.open(implicit, &all)?;
        let addresses: Vec<_> = listeners.iter().map(Listener::address).collect();
        let implicit_addresses: Vec<_> = implicit.iter().map(Listener::address).collect();
        listeners.extend(implicit.into_iter().map(Listener::with_implicit_tls));
        if !self.connections.is_empty() {
            let stop = listeners.is_empty().then_some(&stop);
            let connected = adopt(std::mem::take(&mut self.connections), stop)?;
            listeners.push(connected.with_rules(self.rules.clone()));
        }
        let tls = self.tls.map(|tls| tls.resumption(self.tls_policy.resumption));
        self.service.tls = tls.map(|tls| (tls, self.tls_policy));
        let service = Arc::new(Service::new(accounts, self.service));
        let parts = Parts { service, listeners, stop, addresses, implicit_addresses };
        Ok(Bound { parts, backend: self.backend, names })
    }

    /// Returns the addresses that PASV names, of all listeners.
    pub(super) fn public_addresses(&self) -> impl Iterator<Item = &PublicAddress> {
        let rules = [&self.rules].into_iter().chain(self.rules_at.iter().map(|(_, rules)| rules));
        rules.filter_map(ListenerRules::named_address)
    }

    /// Looks up the public addresses that are names, and returns those.
    fn look_up_names(&self) -> Result<Vec<PublicAddress>, StartError> {
        let mut names = Vec::new();
        for address in self.public_addresses() {
            if let Some(name) = address.name() {
                address.look_up().map_err(|error| {
                    StartError::setting(format!("public_address({name:?})"), error.to_string())
                })?;
                names.push(address.clone());
            }
        }
        Ok(names)
    }

    /// Listens on some of `all` addresses: `[::]` takes IPv4 clients too, unless they have an address
    /// of their own on the same port.
    fn open(&self, sockets: Vec<Socket>, all: &[SocketAddr]) -> Result<Vec<Listener>, StartError> {
        let open = |socket: Socket| {
            let at = socket.address();
            let own = self.rules_at.iter().find(|(address, _)| Some(*address) == at);
            let rules = own.map_or_else(ListenerRules::new, |(_, rules)| rules.clone());
            let listener = match socket {
                Socket::Address(address) => {
                    let is_other =
                        |other: &SocketAddr| other.is_ipv4() && other.port() == address.port();
                    let dual = !all.iter().any(is_other);
                    Listener::bind(address, dual)
                        .map_err(|error| StartError::listen(address, error))
                }
                Socket::Open(listener) => Listener::from_std(listener)
                    .map_err(|error| StartError::listen("the socket given", error)),
            };
            Ok(listener?.with_rules(rules.or(&self.rules)))
        };
        sockets.into_iter().map(open).collect()
    }

    fn take_accounts(&mut self) -> Result<Arc<dyn Accounts>, StartError> {
        if let Some(accounts) = self.accounts.take() {
            return Ok(accounts);
        }
        let Some(storage) = self.storage.take() else {
            let problem = "there is nothing to serve: call `storage` or `accounts`";
            return Err(StartError::setting("storage", problem));
        };
        if self.anonymous.is_none() && self.users.is_empty() {
            let problem = "no client could log in: call `anonymous`, `user` or `accounts`";
            return Err(StartError::setting("anonymous", problem));
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

impl Socket {
    pub(super) fn address(&self) -> Option<SocketAddr> {
        match self {
            Self::Address(address) => Some(*address),
            Self::Open(listener) => listener.local_addr().ok(),
        }
    }
}

/// Makes a listener of connections that there are already; `stop` is called when the last of them
/// has ended.
fn adopt(connections: Vec<OwnedFd>, stop: Option<&Stop>) -> Result<Listener, StartError> {
    let stop = stop.map(|stop| Arc::new(stop.when_dropped()));
    let arrivals = connections.into_iter().map(|stream| {
        let arrival = Arrival::from_stream(stream)?;
        Ok(match &stop {
            Some(stop) => arrival.stops_at_end(stop.clone()),
            None => arrival,
        })
    });
    let listener = arrivals.collect::<io::Result<_>>().and_then(Listener::from_connected);
    listener.map_err(StartError::system("serve the connected socket"))
}
