//! Data connections.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use socket2::{Domain, SockRef, Socket, Type};

use crate::check::Failure;
use crate::client::LIMIT;
use crate::reply::Reply;

/// How the far side's bytes came to an end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// It closed the connection in order.
    Eof,
    /// It broke the connection.
    Reset,
    /// Nothing came for [`LIMIT`].
    Timeout,
}

/// An established data connection.
#[derive(Debug)]
pub struct Data {
    stream: TcpStream,
}

/// What came of a command that opened a data connection.
#[derive(Clone, Debug)]
pub struct Transfer {
    /// The 1xx reply.
    pub opening: Reply,
    /// What the server sent over the data connection.
    pub bytes: Vec<u8>,
    /// How the server ended the data connection.
    pub end: End,
    /// The reply after the transfer.
    pub closing: Reply,
}

impl Transfer {
    /// Returns the bytes, or fails when the transfer was not successful.
    pub fn complete(self) -> Result<Vec<u8>, Failure> {
        let command = self.closing.command.clone();
        self.closing.expect(&[226, 250])?;
        if self.end != End::Eof {
            return Err(Failure::new(format!("{command}: the data ended with {:?}", self.end)));
        }
        Ok(self.bytes)
    }
}

/// How to make a data connection.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Dial {
    /// The local address, where it matters.
    pub(crate) from: Option<IpAddr>,
    /// Makes the receive buffer so small that a server soon has to wait for its reader.
    pub(crate) narrow: bool,
}

impl Data {
    pub(crate) fn dial(address: SocketAddr, dial: Dial) -> io::Result<Self> {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
        if let Some(ip) = dial.from {
            socket.bind(&SocketAddr::from((ip, 0)).into())?;
        }
        if dial.narrow {
            socket.set_recv_buffer_size(16 << 10)?;
        }
        socket.connect_timeout(&address.into(), LIMIT)?;
        Self::new(socket.into())
    }

    pub(crate) fn new(stream: TcpStream) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(LIMIT))?;
        stream.set_write_timeout(Some(LIMIT))?;
        Ok(Self { stream })
    }

    /// Sends bytes; with the connection open, this waits until the system has taken them all.
    pub fn send(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        let sent = self.stream.write_all(bytes);
        sent.map_err(|error| Failure::new(format!("sending on the data connection: {error}")))
    }

    /// Receives until the server ends the connection.
    pub fn receive(&mut self) -> (Vec<u8>, End) {
        let mut bytes = Vec::new();
        let end = match self.stream.read_to_end(&mut bytes) {
            Ok(_) => End::Eof,
            Err(error) if is_timeout(&error) => End::Timeout,
            Err(_) => End::Reset,
        };
        (bytes, end)
    }

    /// Receives this many bytes.
    pub fn receive_exactly(&mut self, count: usize) -> Result<Vec<u8>, Failure> {
        let mut bytes = vec![0; count];
        let received = self.stream.read_exact(&mut bytes);
        received.map_err(|error| Failure::new(format!("reading the data connection: {error}")))?;
        Ok(bytes)
    }

    /// Closes in order: the end of an upload.
    pub fn finish(self) {}

    /// Breaks the connection: the server sees a reset, not an end.
    pub fn reset(self) -> Result<(), Failure> {
        Ok(SockRef::from(&self.stream).set_linger(Some(Duration::ZERO))?)
    }
}

pub(crate) fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

/// A port of the client's, for the server to connect to (PORT, EPRT).
#[derive(Debug)]
pub struct Offer {
    listener: TcpListener,
}

impl Offer {
    /// Listens on a free port of this address.
    pub fn listen(ip: IpAddr) -> Result<Self, Failure> {
        let listener = TcpListener::bind((ip, 0))?;
        listener.set_nonblocking(true)?;
        Ok(Self { listener })
    }

    /// Returns the address and port.
    pub fn address(&self) -> Result<SocketAddr, Failure> {
        Ok(self.listener.local_addr()?)
    }

    /// Waits for the server to connect.
    pub fn accept(&self) -> Result<Data, Failure> {
        let begin = Instant::now();
        while begin.elapsed() < LIMIT {
            match self.listener.accept() {
                Ok((stream, _)) => {
                    stream.set_nonblocking(false)?;
                    return Ok(Data::new(stream)?);
                }
                Err(error) if is_timeout(&error) => std::thread::sleep(Duration::from_millis(1)),
                Err(error) => return Err(error.into()),
            }
        }
        Err(Failure::new("the server did not connect to the client's port"))
    }

    /// Tells whether somebody has connected, without waiting.
    pub fn was_approached(&self) -> bool {
        self.listener.accept().is_ok()
    }
}

/// A port that is taken, but on which nobody listens: connecting to it fails.
#[derive(Debug)]
pub(crate) struct DeadPort(Socket);

impl DeadPort {
    pub(crate) fn reserve(ip: IpAddr) -> Result<Self, Failure> {
        let address = SocketAddr::from((ip, 0));
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
        socket.bind(&address.into())?;
        Ok(Self(socket))
    }

    pub(crate) fn address(&self) -> Result<SocketAddr, Failure> {
        let address = self.0.local_addr()?.as_socket();
        address.ok_or_else(|| Failure::new("a socket without an address"))
    }
}

/// Returns the argument of PORT for an IPv4 address and port.
pub(crate) fn port_argument(ip: Ipv4Addr, port: u16) -> String {
    let [a, b, c, d] = ip.octets();
    format!("{a},{b},{c},{d},{},{}", port >> 8, port & 255)
}

/// Returns the argument of EPRT for an address, with this delimiter.
pub(crate) fn eprt_argument(address: SocketAddr, delimiter: char) -> String {
    let family = if address.is_ipv4() { 1 } else { 2 };
    let (d, ip, port) = (delimiter, address.ip(), address.port());
    format!("{d}{family}{d}{ip}{d}{port}{d}")
}

/// Returns the loopback address that is not `ip` but of its family, where there is one.
pub(crate) fn other_loopback(ip: IpAddr) -> Option<IpAddr> {
    let other = Ipv4Addr::new(127, 0, 0, 2);
    let usable = ip == Ipv4Addr::LOCALHOST && TcpListener::bind((other, 0)).is_ok();
    usable.then_some(other.into())
}

/// Returns an address of the other family.
pub(crate) fn other_family(ip: IpAddr) -> IpAddr {
    if ip.is_ipv4() { Ipv6Addr::LOCALHOST.into() } else { Ipv4Addr::LOCALHOST.into() }
}
