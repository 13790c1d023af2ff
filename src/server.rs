//! Holding a server while it runs.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::thread::JoinHandle;

use wharf_host::{Service, Stop};

use crate::builder::ServerBuilder;

/// A running server.
///
/// Dropped, it stops at once: clients are told 421, and transfers are broken off; what becomes of an
/// upload then is as for any that is cut off. The graceful shutdown is [`shutdown`](Self::shutdown).
/// One that has been stopped already, by a [`stop_handle`](Self::stop_handle), keeps its grace.
#[derive(Debug)]
#[must_use = "the server stops when this is dropped"]
pub struct Server {
    pub(crate) addresses: Vec<SocketAddr>,
    pub(crate) implicit_addresses: Vec<SocketAddr>,
    pub(crate) service: Arc<Service>,
    pub(crate) stop: Stop,
    pub(crate) thread: Option<JoinHandle<io::Result<()>>>,
}

impl Server {
    /// Begins to set a server up.
    ///
    /// What is not set is safe: it listens on a free port of 127.0.0.1 only, and no client can log in
    /// before [`anonymous`](ServerBuilder::anonymous), [`user`](ServerBuilder::user) or
    /// [`accounts`](ServerBuilder::accounts) has been called.
    pub fn builder() -> ServerBuilder {
        ServerBuilder::new()
    }

    /// Returns the addresses that it listens on, in the order of the calls of
    /// [`listen`](crate::ServerBuilder::listen), with the ports that the system chose.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Returns the addresses for implicit FTPS, as [`addresses`](Self::addresses).
    pub fn implicit_addresses(&self) -> &[SocketAddr] {
        &self.implicit_addresses
    }

    /// Returns the first address's `ftp://` URL, or `ftps://` where there is implicit FTPS only; an
    /// empty text where it listens nowhere.
    pub fn url(&self) -> String {
        let (scheme, address) = match (self.addresses.first(), self.implicit_addresses.first()) {
            (Some(address), _) => ("ftp", address),
            (None, Some(address)) => ("ftps", address),
            (None, None) => return String::new(),
        };
        let ip = match address.ip() {
            ip if !ip.is_unspecified() => ip,
            IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::LOCALHOST),
            IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::LOCALHOST),
        };
        format!("{scheme}://{}", SocketAddr::new(ip, address.port()))
    }

    /// Returns what stops it from another thread.
    #[must_use = "it stops nothing before `Stop::call`"]
    pub fn stop_handle(&self) -> Stop {
        self.stop.clone()
    }

    /// Stops accepting, lets transfers finish up to the
    /// [grace](crate::ServerBuilder::shutdown_timeout), tells idle clients 421, and returns when all
    /// sessions have ended, or 5 s after the grace: a storage call that hangs is not waited for. Observers
    /// have another [while](crate::ServerBuilder::observer_timeout). A
    /// client that keeps its socket open takes the
    /// [lingering time](crate::ServerBuilder::lingering_time), within the grace.
    pub fn shutdown(mut self) -> io::Result<()> {
        self.stop.call();
        self.join()
    }

    /// Returns when the server has been stopped by a [`stop_handle`](Self::stop_handle), or has
    /// failed.
    pub fn wait(mut self) -> io::Result<()> {
        self.join()
    }

    fn join(&mut self) -> io::Result<()> {
        match self.thread.take().map(JoinHandle::join) {
            Some(Ok(outcome)) => outcome,
            Some(Err(_)) => Err(io::Error::other("the server panicked")),
            None => Ok(()),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.service.skip_grace();
        self.stop.call();
        if let Err(error) = self.join() {
            log::error!("server: {error}");
        }
    }
}
