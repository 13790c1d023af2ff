//! One session in a reactor's slab.

use std::io;
use std::os::fd::{AsFd, AsRawFd};

use mio::unix::SourceFd;
use mio::{Interest, Registry, Token};
use wharf_host::proto::Instant;
use wharf_host::{Connection, Readiness, Seat, SocketHandle};

/// A connection, and how it is registered.
///
/// A socket is registered when a turn ends that waits for it, and for the directions that have been
/// waited for: most data connections are done before, and replies leave at once.
pub(crate) struct Slot {
    pub(crate) connection: Connection,
    /// Tells the session from those that had the same slot before: their jobs may still come back.
    pub(crate) serial: u64,
    /// It is in the queue of sessions that have a turn.
    pub(crate) queued: bool,
    /// When it is in the reactor's timers.
    pub(crate) timer: Option<Instant>,
    /// What the control connection is registered for.
    control: Readiness,
    data: Option<DataWatch>,
    _seat: Seat,
}

/// The data socket that is registered.
struct DataWatch {
    generation: u64,
    socket: SocketHandle,
    registered: Readiness,
}

/// Which of a session's sockets a token means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Which {
    Control,
    Data,
}

impl Slot {
    pub(crate) fn new(connection: Connection, serial: u64, seat: Seat) -> Self {
        Self {
            connection,
            serial,
            queued: false,
            timer: None,
            control: Readiness::NEITHER,
            data: None,
            _seat: seat,
        }
    }

    /// Lets go of a data socket that the connection has given up.
    pub(crate) fn let_go(&mut self, registry: &Registry) {
        let present = self.connection.data_socket().map(|data| data.generation);
        if let Some(before) = self.data.take_if(|data| Some(data.generation) != present) {
            // To close it is enough. It stays open where another part of the server holds it.
            if !before.socket.is_last() {
                let _ = registry.deregister(&mut SourceFd(&before.socket.as_fd().as_raw_fd()));
            }
        }
    }

    /// Watches for what the connection waits for, on the control socket and the data socket.
    pub(crate) fn watch(
        &mut self,
        registry: &Registry,
        (control, data): (Token, Token),
    ) -> io::Result<()> {
        let wanted = self.connection.control_interest();
        register(registry, &self.connection.control_socket(), control, &mut self.control, wanted)?;
        let Some(present) = self.connection.data_socket() else { return Ok(()) };
        if present.interest.any() {
            let watch = self.data.get_or_insert(DataWatch {
                generation: present.generation,
                socket: present.socket,
                registered: Readiness::NEITHER,
            });
            register(registry, &watch.socket, data, &mut watch.registered, present.interest)?;
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

/// Watches a socket for what is wanted too, beside what it is registered for. What is ready already
/// is reported once more.
fn register(
    registry: &Registry,
    socket: &SocketHandle,
    token: Token,
    registered: &mut Readiness,
    wanted: Readiness,
) -> io::Result<()> {
    let before = *registered;
    registered.add(wanted);
    let interest = match *registered {
        all if all == before => return Ok(()),
        Readiness::READABLE => Interest::READABLE,
        Readiness { readable: false, .. } => Interest::WRITABLE,
        _ => Interest::READABLE | Interest::WRITABLE,
    };
    let fd = socket.as_fd().as_raw_fd();
    if before.any() {
        registry.reregister(&mut SourceFd(&fd), token, interest)
    } else {
        registry.register(&mut SourceFd(&fd), token, interest)
    }
}

/// Watches what becomes readable, edge-triggered, once for its life.
pub(crate) fn watch(registry: &Registry, socket: &impl AsFd, token: Token) -> io::Result<()> {
    registry.register(&mut SourceFd(&socket.as_fd().as_raw_fd()), token, Interest::READABLE)
}
