//! Where clients come in.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustix::io::Errno;
use socket2::{Domain, Socket, Type};

use crate::server::rules::ListenerRules;
use crate::server::sockets::{accept_from, carry_commands, tcp_socket};
use crate::server::stop::StopWhenDropped;

/// How long to leave off accepting when the system is [exhausted](Accepted::Exhausted).
pub const EXHAUSTION_PAUSE: Duration = Duration::from_millis(250);

/// An accepted connection has the options of the socket that listens: they need no calls for each.
const OPTIONS_ARE_INHERITED: bool = cfg!(target_os = "linux");

/// How many connections the system keeps until they are accepted.
const BACKLOG: i32 = 1024;

/// Where clients come in: a listening TCP socket that does not block, or connections that the
/// program has accepted already.
///
/// Its descriptor becomes readable when a client waits.
#[derive(Debug)]
pub struct Listener {
    source: Source,
    address: SocketAddr,
    implicit_tls: bool,
    rules: Option<Arc<ListenerRules>>,
}

#[derive(Debug)]
enum Source {
    Socket(Socket),
    Connected(Connected),
}

/// Connections that wait for a driver.
#[derive(Debug)]
struct Connected {
    waiting: Mutex<VecDeque<Arrival>>,
    /// Holds one byte for each of them, so that the other end is readable.
    _writer: UnixStream,
    reader: UnixStream,
}

/// What came of accepting.
#[derive(Debug)]
pub enum Accepted {
    /// A client.
    Client(Arrival),
    /// No client waits.
    NoClient,
    /// The system is short of file descriptors or memory: try again a little later, and not before.
    Exhausted(io::Error),
}

/// A connection that has been accepted.
#[derive(Debug)]
pub struct Arrival {
    pub(crate) socket: Socket,
    pub(crate) peer: SocketAddr,
    pub(crate) implicit_tls: bool,
    /// What its listener asks of it.
    pub(crate) rules: Option<Arc<ListenerRules>>,
    /// Dropped with the session.
    pub(crate) stops: Option<Arc<StopWhenDropped>>,
}

impl Listener {
    /// Opens a listening socket; port 0 stands for any free one. With `dual`, `[::]` takes IPv4
    /// clients too.
    pub fn bind(address: SocketAddr, dual: bool) -> io::Result<Self> {
        let socket = tcp_socket(Domain::for_address(address))?;
        if address.is_ipv6() {
            socket.set_only_v6(!(dual && address.ip().is_unspecified()))?;
        }
        // So that a server can start again at once where another has just ended.
        socket.set_reuse_address(true)?;
        socket.bind(&address.into())?;
        socket.listen(BACKLOG)?;
        Self::from_std(socket.into())
    }

    /// Makes a listener of a socket that listens already.
    pub fn from_std(listener: TcpListener) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let socket = Socket::from(listener);
        if OPTIONS_ARE_INHERITED {
            carry_commands(&socket);
        }
        Ok(Self { source: Source::Socket(socket), address, implicit_tls: false, rules: None })
    }

    /// Makes a listener of connections that have been accepted: the driver is given each of them
    /// once, and then no more.
    pub fn from_connected(arrivals: Vec<Arrival>) -> io::Result<Self> {
        let (mut writer, reader) = UnixStream::pair()?;
        reader.set_nonblocking(true)?;
        writer.write_all(&vec![0; arrivals.len()])?;
        let waiting = Mutex::new(arrivals.into());
        let source = Source::Connected(Connected { waiting, _writer: writer, reader });
        Ok(Self { source, address: NO_ADDRESS, implicit_tls: false, rules: None })
    }

    /// Lets each connection begin with a TLS handshake (implicit FTPS).
    pub fn with_implicit_tls(self) -> Self {
        Self { implicit_tls: true, ..self }
    }

    /// Sets what holds for its clients.
    pub fn with_rules(self, rules: ListenerRules) -> Self {
        Self { rules: rules.shared(), ..self }
    }

    /// Returns the address, with the port that the system chose; port 0 of 127.0.0.1 where it does
    /// not listen.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Accepts the next client. It does not block.
    pub fn accept(&self) -> Accepted {
        let accepted = match &self.source {
            Source::Socket(socket) => accept(socket),
            Source::Connected(connected) => connected.next(),
        };
        match accepted {
            Accepted::Client(mut arrival) => {
                arrival.implicit_tls |= self.implicit_tls;
                arrival.rules.clone_from(&self.rules);
                if !OPTIONS_ARE_INHERITED {
                    carry_commands(&arrival.socket);
                }
                Accepted::Client(arrival)
            }
            other => other,
        }
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match &self.source {
            Source::Socket(socket) => socket.as_fd(),
            Source::Connected(connected) => connected.reader.as_fd(),
        }
    }
}

impl Connected {
    fn next(&self) -> Accepted {
        // Where there is nothing to read, nothing waits either.
        let _ = (&self.reader).read(&mut [0]);
        match self.waiting.lock().unwrap_or_else(PoisonError::into_inner).pop_front() {
            Some(arrival) => Accepted::Client(arrival),
            None => Accepted::NoClient,
        }
    }
}

/// What a socket without an address of the network counts as: its peer is on this machine.
const NO_ADDRESS: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

impl Arrival {
    /// Makes a client of a connected socket, such as inetd's, systemd's with `Accept=yes`, or one
    /// end of a socket pair.
    ///
    /// A Unix socket has no address that FTP could name: both its ends count as 127.0.0.1, and so
    /// do data connections. Fails when it is no connected stream socket.
    pub fn from_stream(stream: impl Into<OwnedFd>) -> io::Result<Self> {
        let socket = Socket::from(stream.into());
        if socket.r#type()? != Type::STREAM {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a stream socket"));
        }
        let peer = network_address(&socket.peer_addr()?)?;
        socket.set_nonblocking(true)?;
        carry_commands(&socket);
        Ok(Self { socket, peer, implicit_tls: false, rules: None, stops: None })
    }

    /// Lets the connection begin with a TLS handshake (implicit FTPS).
    pub fn with_implicit_tls(self) -> Self {
        Self { implicit_tls: true, ..self }
    }

    /// Keeps this until the session has ended: with a share of it in each connection, the server
    /// stops when the last of them has.
    pub fn stops_at_end(self, stop: Arc<StopWhenDropped>) -> Self {
        Self { stops: Some(stop), ..self }
    }

    /// Returns the client's address.
    pub fn peer(&self) -> SocketAddr {
        self.peer
    }
}

/// Returns what an address counts as; see [`Arrival::from_stream`].
pub(crate) fn network_address(address: &socket2::SockAddr) -> io::Result<SocketAddr> {
    match address.as_socket() {
        Some(address) => Ok(address),
        None if address.is_unix() => Ok(NO_ADDRESS),
        None => Err(io::Error::new(io::ErrorKind::InvalidInput, "neither TCP nor a Unix socket")),
    }
}

/// Accepts the next connection. It does not block.
pub(crate) fn accept(listener: &Socket) -> Accepted {
    loop {
        let error = match accept_from(listener) {
            Ok((socket, address)) => match address.as_socket() {
                Some(peer) => {
                    let (implicit_tls, rules, stops) = (false, None, None);
                    let arrival = Arrival { socket, peer, implicit_tls, rules, stops };
                    return Accepted::Client(arrival);
                }
                None => continue,
            },
            Err(error) => error,
        };
        match error.kind() {
            io::ErrorKind::WouldBlock => return Accepted::NoClient,
            _ if is_exhaustion(&error) => return Accepted::Exhausted(error),
            // Whatever went wrong concerns that one connection (accept(2), "Error handling").
            _ => log::debug!("a connection went away before it was accepted: {error}"),
        }
        if error.raw_os_error() == Some(Errno::INVAL.raw_os_error()) {
            return Accepted::NoClient;
        }
    }
}

fn is_exhaustion(error: &io::Error) -> bool {
    [Errno::MFILE, Errno::NFILE, Errno::NOBUFS, Errno::NOMEM]
        .iter()
        .any(|errno| error.raw_os_error() == Some(errno.raw_os_error()))
}

#[cfg(test)]
mod tests {
    use std::net::TcpStream;
    use std::os::unix::net::UnixDatagram;

    use super::*;

    #[test]
    fn connected_sockets_are_given_out_once() {
        let (one, _peer) = UnixStream::pair().unwrap();
        let other = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(other.local_addr().unwrap()).unwrap();
        let (server, from) = other.accept().unwrap();
        let arrivals =
            vec![Arrival::from_stream(one).unwrap(), Arrival::from_stream(server).unwrap()];
        let listener = Listener::from_connected(arrivals).unwrap();
        for peer in [NO_ADDRESS, from] {
            let Accepted::Client(arrival) = listener.accept() else { panic!("{peer}") };
            assert_eq!(arrival.peer(), peer);
        }
        assert!(matches!(listener.accept(), Accepted::NoClient));
        drop(client);
    }

    #[test]
    fn what_is_no_connection_is_refused() {
        let (datagrams, _peer) = UnixDatagram::pair().unwrap();
        assert!(Arrival::from_stream(datagrams).is_err());
        let listening = TcpListener::bind("127.0.0.1:0").unwrap();
        assert!(Arrival::from_stream(listening).is_err());
        assert!(Arrival::from_stream(std::fs::File::open("/dev/null").unwrap()).is_err());
    }
}
