//! Data connections.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use socket2::{Domain, SockRef, Socket, Type};

use crate::channel::{Channel, connect, end_of, is_timeout};
use crate::check::Failure;
use crate::patience::{Deadline, note_timeout};
use crate::reply::Reply;
use crate::tls::{Handshake, Tls};

/// How the far side's bytes came to an end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// It closed the connection in order; within TLS, with close_notify.
    Eof,
    /// It closed the connection within TLS without close_notify: there may have been more.
    Truncated,
    /// It broke the connection, or TLS on it.
    Reset,
    /// Nothing came for as long as a check waits (see [`LIMIT`](crate::LIMIT)).
    Timeout,
    /// More and more came, without an end.
    Endless,
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Eof => "an orderly end of the connection",
            Self::Truncated => "an end of the connection without TLS close_notify",
            Self::Reset => "a broken connection (reset)",
            Self::Timeout => "silence until the time limit",
            Self::Endless => "more than any answer has, without an end",
        })
    }
}

/// An established data connection. Where it is to be protected, the handshake comes with the first
/// byte or the end, as most servers begin it after their 1xx reply.
#[derive(Debug)]
pub struct Data {
    channel: Channel,
    /// The handshake that is still to come.
    tls: Option<Tls>,
}

/// What came of a command that opened a data connection.
#[derive(Clone, Debug)]
pub struct Transfer {
    /// The 1xx reply.
    pub opening: Reply,
    /// What the server sent over the data connection.
    pub bytes: Vec<u8>,
    /// How the server ended the data connection; after an upload in clear it is not looked at.
    pub end: End,
    /// How the data connection's handshake went; `None` where it was not protected.
    pub handshake: Option<Handshake>,
    /// The reply after the transfer.
    pub closing: Reply,
}

impl Transfer {
    /// Returns the bytes, or fails when the transfer was not successful.
    pub fn complete(self) -> Result<Vec<u8>, Failure> {
        let command = self.closing.command.clone();
        self.closing.expect(&[226, 250])?;
        if self.end != End::Eof {
            return Err(Failure::new(format!("{command}: the data ended with {}", self.end)));
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
        let narrow = |socket: &Socket| match dial.narrow {
            true => socket.set_recv_buffer_size(16 << 10),
            false => Ok(()),
        };
        Self::new(connect(address, dial.from, narrow)?)
    }

    pub(crate) fn new(stream: TcpStream) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        Ok(Self { channel: Channel::new(stream), tls: None })
    }

    /// Has the connection protected; nothing is sent yet.
    pub(crate) fn with_tls(self, tls: Option<Tls>) -> Self {
        Self { tls, ..self }
    }

    /// Does the handshake that is due, and returns how it went; `None` in clear.
    pub fn handshake(&mut self) -> Result<Option<Handshake>, Failure> {
        let done = self.protect();
        done.map_err(|error| {
            let end = end_of(&error);
            Failure::new(format!("TLS on the data connection: {end} ({error})"))
        })?;
        Ok(self.channel.handshake())
    }

    fn protect(&mut self) -> io::Result<()> {
        self.tls.take().map_or(Ok(()), |tls| self.channel.start_tls(&tls))
    }

    /// Sends bytes; with the connection open, this waits until the system has taken them all.
    pub fn send(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        let sent = self.protect().and_then(|()| self.channel.send_all(bytes));
        sent.map_err(|error| {
            let end = end_of(&error);
            Failure::new(format!("sending on the data connection: {end} ({error})"))
        })
    }

    /// Receives until the server ends the connection, and answers its close_notify.
    pub fn receive(&mut self) -> (Vec<u8>, End) {
        let mut bytes = Vec::new();
        let end = match self.protect() {
            Ok(()) => self.channel.receive_all(&mut bytes),
            Err(error) => end_of(&error),
        };
        // Who has said all need not hear the answer.
        let _ = self.channel.notify();
        (bytes, end)
    }

    /// Receives this many bytes.
    pub fn receive_exactly(&mut self, count: usize) -> Result<Vec<u8>, Failure> {
        let mut bytes = vec![0; count];
        let received = self.protect().and_then(|()| self.channel.read_exact(&mut bytes));
        received.map_err(|error| Failure::new(format!("reading the data connection: {error}")))?;
        Ok(bytes)
    }

    /// Closes in order: the end of an upload. Within TLS it sends close_notify and says how the
    /// server ended the connection; in clear it does not wait for that.
    pub fn finish(mut self) -> End {
        let finished = self.protect().and_then(|()| self.channel.notify());
        match finished {
            Ok(()) if self.channel.is_protected() => self.wait(),
            Ok(()) => End::Eof,
            Err(error) => end_of(&error),
        }
    }

    /// Ends what is sent over a connection in clear, in order; it stays open for reading.
    pub(crate) fn end_sending(&mut self) -> Result<(), Failure> {
        Ok(self.channel.shut_down()?)
    }

    /// Closes the TCP connection in order, without the close_notify that belongs before it.
    pub fn cut(mut self) -> End {
        self.wait()
    }

    /// Ends what is sent, and waits for the server to end the connection. What it still sends is
    /// read, as closing would else break the connection.
    fn wait(&mut self) -> End {
        match self.channel.shut_down() {
            Ok(()) => self.channel.receive_all(&mut Vec::new()),
            Err(error) => end_of(&error),
        }
    }

    /// Breaks the connection: the server sees a reset, not an end.
    pub fn reset(self) -> Result<(), Failure> {
        Ok(SockRef::from(self.channel.socket()).set_linger(Some(Duration::ZERO))?)
    }
}

/// A port of the client's, for the server to connect to (PORT, EPRT).
#[derive(Debug)]
pub struct Offer {
    listener: TcpListener,
    tls: Option<Tls>,
}

impl Offer {
    /// Listens on a free port of this address.
    pub fn listen(ip: IpAddr) -> Result<Self, Failure> {
        let listener = TcpListener::bind((ip, 0))?;
        listener.set_nonblocking(true)?;
        Ok(Self { listener, tls: None })
    }

    /// Has what is accepted protected.
    pub(crate) fn with_tls(self, tls: Option<Tls>) -> Self {
        Self { tls, ..self }
    }

    /// Returns the address and port.
    pub fn address(&self) -> Result<SocketAddr, Failure> {
        Ok(self.listener.local_addr()?)
    }

    /// Waits for the server to connect.
    pub fn accept(&self) -> Result<Data, Failure> {
        let deadline = Deadline::new();
        while !deadline.has_passed() {
            match self.listener.accept() {
                Ok((stream, _)) => {
                    stream.set_nonblocking(false)?;
                    return Ok(Data::new(stream)?.with_tls(self.tls.clone()));
                }
                Err(error) if is_timeout(&error) => std::thread::sleep(Duration::from_millis(1)),
                Err(error) => return Err(error.into()),
            }
        }
        note_timeout();
        Err(Failure::new("the server did not connect to the client's port"))
    }

    /// Returns `true` if the server has connected, without waiting.
    pub fn was_approached(&self) -> bool {
        self.listener.accept().is_ok()
    }
}

/// A port that is taken, but on which nothing listens: connecting to it fails.
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
