//! Starting a server that has been set up.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use wharf_host::proto::TlsRequired;
use wharf_host::{
    Accounts, AdmissionControl, Clock, Failures, Listener, OpenPorts, SimpleAccounts, Stop,
    TransferMemory, affordable_sessions,
};

use super::ServerBuilder;
use crate::backend::Backend;
use crate::server::Server;
use crate::signals;

/// How long failed logins of an address are added up.
const FAILURES_WINDOW: Duration = Duration::from_secs(600);

/// A server that has its addresses, and serves no client yet. Dropped, it lets go of them.
#[derive(Debug)]
#[must_use = "it serves nobody before `spawn`"]
pub struct Bound {
    server: Arc<wharf_host::Service>,
    listeners: Vec<Listener>,
    addresses: Vec<SocketAddr>,
    implicit_addresses: Vec<SocketAddr>,
    backend: Backend,
}

impl Bound {
    /// Returns the addresses that it listens on, as [`Server::addresses`].
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Returns the addresses for implicit FTPS, as [`Server::implicit_addresses`].
    pub fn implicit_addresses(&self) -> &[SocketAddr] {
        &self.implicit_addresses
    }

    /// Starts to serve, on threads of its own. See [`ServerBuilder::spawn`] for what signals do then.
    pub fn spawn(self) -> io::Result<Server> {
        let Self { server, listeners, addresses, implicit_addresses, backend } = self;
        signals::survive()?;
        let stop = Stop::new()?;
        let stopper = stop.clone();
        let thread = thread::Builder::new().name("wharf".into());
        let thread = thread.spawn(move || backend.run(server, listeners, stopper));
        let thread = thread.map_err(|error| {
            io::Error::new(error.kind(), format!("cannot start a thread: {error}"))
        })?;
        Ok(Server { addresses, implicit_addresses, stop, thread: Some(thread) })
    }
}

impl ServerBuilder {
    /// Starts the server on threads of its own; as [`bind`](Self::bind) and [`Bound::spawn`].
    ///
    /// Fails when a setting is missing or wrong, or an address cannot be listened on.
    ///
    /// From then on SIGXFSZ and SIGPIPE do not end the process: an upload that goes past
    /// `RLIMIT_FSIZE` fails alone, with 552, and so does a transfer to a client that is gone.
    /// Handlers that the program has for them go on to be called.
    pub fn spawn(self) -> io::Result<Server> {
        self.bind()?.spawn()
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
    pub fn bind(mut self) -> io::Result<Bound> {
        if let Some(mistake) = self.mistake.take() {
            return Err(mistake);
        }
        let accounts = self.take_accounts()?;
        self.set_up_tls()?;
        self.session.mode_z &= wharf_host::MODE_Z;
        self.session.digests &= wharf_host::DIGESTS;
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
        let server = Arc::new(wharf_host::Service {
            session: Arc::new(self.session),
            accounts,
            hosts: self.hosts,
            tls: self.tls.map(Arc::new),
            sessions: AdmissionControl::new(
                affordable_sessions(self.max_sessions),
                self.max_sessions_per_address,
            ),
            failures: Failures::new(
                self.login_failures_per_address,
                FAILURES_WINDOW,
                self.login_cool_down,
            ),
            logins_at_once: self.logins_at_once.max(1),
            storage_threads: self.storage_threads.max(1),
            stuck_calls: self.stuck_calls,
            transfer_memory: TransferMemory::new(self.max_transfer_memory),
            passive_ports: OpenPorts::new(self.passive_ports),
            site_handlers: self.site_handlers,
            shutdown_grace: self.shutdown_grace,
            clock: Clock::start(),
        });
        Ok(Bound { server, listeners, addresses, implicit_addresses, backend: self.backend })
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
