//! One session in a reactor's slab.

use std::io;
use std::os::fd::{AsFd, AsRawFd};

use mio::unix::SourceFd;
use mio::{Interest, Registry, Token};
use wharf_host::proto::Instant;
use wharf_host::{Connection, Readiness, SocketHandle};

/// A connection, and how it is registered.
pub(crate) struct Slot {
    pub(crate) connection: Connection,
    /// Tells the session from those that had the same slot before: their jobs may still come back.
    pub(crate) serial: u64,
    /// It is in the queue of sessions that have a turn.
    pub(crate) queued: bool,
    /// The deadline in the reactor's timers.
    pub(crate) timer: Option<Instant>,
    /// The data socket that is registered, with its generation.
    data: Option<(u64, SocketHandle)>,
}

/// Which of a session's sockets a token means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Which {
    Control,
    Data,
}

impl Slot {
    pub(crate) fn new(connection: Connection, serial: u64) -> Self {
        Self { connection, serial, queued: false, timer: None, data: None }
    }

    pub(crate) fn watch_control(&self, registry: &Registry, token: Token) -> io::Result<()> {
        watch(registry, &self.connection.control_socket(), token)
    }

    /// Registers the present data socket in place of the one before.
    pub(crate) fn watch_data(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        let data = self.connection.data_socket();
        let generation = data.as_ref().map(|data| data.generation);
        if generation == self.data.as_ref().map(|(watched, _)| *watched) {
            return Ok(());
        }
        if let Some((_, before)) = self.data.take() {
            registry.deregister(&mut SourceFd(&before.as_fd().as_raw_fd()))?;
        }
        if let Some(data) = data {
            watch(registry, &data.socket, token)?;
            self.data = Some((data.generation, data.socket));
        }
        Ok(())
    }

    /// Tells the connection what can be done on a socket; a false alarm does no harm.
    pub(crate) fn ready(&mut self, which: Which, ready: Readiness) {
        match which {
            Which::Control => self.connection.control_ready(ready),
            Which::Data => self.connection.data_ready(ready),
        }
    }
}

/// Watches both directions, edge-triggered, once for the life of the socket.
pub(crate) fn watch(registry: &Registry, socket: &impl AsFd, token: Token) -> io::Result<()> {
    let fd = socket.as_fd().as_raw_fd();
    registry.register(&mut SourceFd(&fd), token, Interest::READABLE | Interest::WRITABLE)
}
