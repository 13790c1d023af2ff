//! Where clients come in.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use rustix::io::Errno;
use socket2::{Domain, Protocol, Socket, Type};

/// How long to leave off accepting when the system is [exhausted](Accepted::Exhausted).
pub const EXHAUSTION_PAUSE: Duration = Duration::from_millis(250);

/// How many connections the system keeps until they are accepted.
const BACKLOG: i32 = 1024;

/// A listening TCP socket that does not block.
#[derive(Debug)]
pub struct Listener {
    socket: Socket,
    address: SocketAddr,
    implicit_tls: bool,
}

/// What came of accepting.
#[derive(Debug)]
pub enum Accepted {
    /// A client.
    Client(Arrival),
    /// Nobody is waiting.
    Nobody,
    /// The system is short of file descriptors or memory: try again a little later, and not before.
    Exhausted(io::Error),
}

/// A connection that has been accepted.
#[derive(Debug)]
pub struct Arrival {
    pub(crate) socket: Socket,
    pub(crate) peer: SocketAddr,
    pub(crate) implicit_tls: bool,
}

impl Listener {
    /// Opens a listening socket; port 0 stands for any free one. With `dual`, `[::]` takes IPv4
    /// clients too.
    pub fn bind(address: SocketAddr, dual: bool) -> io::Result<Self> {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        if address.is_ipv6() {
            socket.set_only_v6(!(dual && address.ip().is_unspecified()))?;
        }
        // So that a server can start again at once where another has just ended.
        socket.set_reuse_address(true)?;
        socket.bind(&address.into())?;
        socket.listen(BACKLOG)?;
        Self::from_std(socket.into())
    }

    /// Takes a listener that somebody else has opened.
    pub fn from_std(listener: TcpListener) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        Ok(Self { socket: listener.into(), address, implicit_tls: false })
    }

    /// Lets each connection begin with a TLS handshake (implicit FTPS).
    pub fn with_implicit_tls(self) -> Self {
        Self { implicit_tls: true, ..self }
    }

    /// Returns the address, with the port that the system chose.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Accepts the next client.
    pub fn accept(&self) -> Accepted {
        match accept(&self.socket) {
            Accepted::Client(arrival) => {
                Accepted::Client(Arrival { implicit_tls: self.implicit_tls, ..arrival })
            }
            other => other,
        }
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// Accepts the next connection; it does not block either.
pub(crate) fn accept(listener: &Socket) -> Accepted {
    loop {
        let error = match listener.accept() {
            Ok((socket, address)) => match (socket.set_nonblocking(true), address.as_socket()) {
                (Ok(()), Some(address)) => {
                    return Accepted::Client(Arrival {
                        socket,
                        peer: address,
                        implicit_tls: false,
                    });
                }
                _ => continue,
            },
            Err(error) => error,
        };
        match error.kind() {
            io::ErrorKind::WouldBlock => return Accepted::Nobody,
            _ if is_exhaustion(&error) => return Accepted::Exhausted(error),
            // Whatever went wrong concerns that one connection (accept(2), "Error handling").
            _ => log::debug!("a connection went away before it was accepted: {error}"),
        }
        if error.raw_os_error() == Some(Errno::INVAL.raw_os_error()) {
            return Accepted::Nobody;
        }
    }
}

fn is_exhaustion(error: &io::Error) -> bool {
    [Errno::MFILE, Errno::NFILE, Errno::NOBUFS, Errno::NOMEM]
        .iter()
        .any(|errno| error.raw_os_error() == Some(errno.raw_os_error()))
}
