//! A TCP connection, in clear or within TLS.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use rustls::{ClientConnection, Stream};
use socket2::{Domain, Socket, Type};

use crate::data::End;
use crate::patience::{Deadline, is_over, limit, note_timeout};
use crate::tls::{Handshake, Tls};

/// Connects, from the address `from` where it matters; `prepare` sets options before.
pub(crate) fn connect(
    to: SocketAddr,
    from: Option<IpAddr>,
    prepare: impl FnOnce(&Socket) -> io::Result<()>,
) -> io::Result<TcpStream> {
    let socket = Socket::new(Domain::for_address(to), Type::STREAM, None)?;
    if let Some(ip) = from {
        socket.bind(&SocketAddr::from((ip, 0)).into())?;
    }
    prepare(&socket)?;
    socket.connect_timeout(&to.into(), limit())?;
    Ok(socket.into())
}

/// A connection that can be protected and, where both ends agree, go back to clear text.
#[derive(Debug)]
pub(crate) struct Channel {
    socket: TcpStream,
    tls: Option<Box<ClientConnection>>,
}

impl Channel {
    /// Takes a connection, in clear.
    pub(crate) fn new(socket: TcpStream) -> Self {
        Self { socket, tls: None }
    }

    /// Returns the connection below.
    pub(crate) fn socket(&self) -> &TcpStream {
        &self.socket
    }

    /// Returns `true` if TLS is in force.
    pub(crate) fn is_protected(&self) -> bool {
        self.tls.is_some()
    }

    /// Returns how the handshake went.
    pub(crate) fn handshake(&self) -> Option<Handshake> {
        Handshake::of(self.tls.as_deref()?)
    }

    /// Returns the certificate that the server showed, in DER.
    pub(crate) fn certificate(&self) -> Option<Vec<u8>> {
        let chain = self.tls.as_deref()?.peer_certificates()?;
        chain.first().map(|certificate| certificate.to_vec())
    }

    /// Does a handshake, as the client.
    pub(crate) fn start_tls(&mut self, tls: &Tls) -> io::Result<()> {
        let connection = tls.connection(self.socket.peer_addr()?.ip());
        let mut connection = connection.map_err(|error| io::Error::other(error.to_string()))?;
        let mut socket = Timed { socket: &self.socket, until: Deadline::new() };
        while connection.is_handshaking() {
            connection.complete_io(&mut socket)?;
        }
        self.tls = Some(Box::new(connection));
        Ok(())
    }

    /// Sends close_notify.
    pub(crate) fn notify(&mut self) -> io::Result<()> {
        match &mut self.tls {
            None => Ok(()),
            Some(tls) => {
                tls.send_close_notify();
                let mut socket = Timed { socket: &self.socket, until: Deadline::new() };
                Stream::new(&mut **tls, &mut socket).flush()
            }
        }
    }

    /// Sends close_notify, waits for the server's, and goes on in clear. Fails when anything else
    /// comes before it.
    pub(crate) fn end_tls(&mut self) -> io::Result<()> {
        self.notify()?;
        let mut more = Vec::new();
        match self.receive_all(&mut more) {
            End::Eof => {}
            end => return Err(io::Error::other(end.to_string())),
        }
        self.tls = None;
        if more.is_empty() {
            return Ok(());
        }
        Err(io::Error::other(format!("before close_notify: {}", more.escape_ascii())))
    }

    /// Receives all that the far side sends until it ends the connection. What comes slowly, or
    /// without an end, is bounded by time and by [`MOST`].
    pub(crate) fn receive_all(&mut self, bytes: &mut Vec<u8>) -> End {
        let mut piece = vec![0; 64 << 10];
        loop {
            if bytes.len() > MOST {
                return End::Endless;
            }
            let read = match is_over() {
                true => Err(ErrorKind::TimedOut.into()),
                false => self.read(&mut piece, Deadline::new()),
            };
            match read {
                Ok(0) => return End::Eof,
                Ok(count) => bytes.extend_from_slice(&piece[..count]),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return end_of(&error),
            }
        }
    }

    /// Receives what there is, or waits for it until then; nothing is the end.
    pub(crate) fn read(&mut self, bytes: &mut [u8], until: Deadline) -> io::Result<usize> {
        let mut socket = Timed { socket: &self.socket, until };
        match &mut self.tls {
            None => socket.read(bytes),
            Some(tls) => Stream::new(&mut **tls, &mut socket).read(bytes),
        }
    }

    /// Receives exactly this much.
    pub(crate) fn read_exact(&mut self, mut bytes: &mut [u8]) -> io::Result<()> {
        let until = Deadline::new();
        while !bytes.is_empty() {
            match self.read(bytes, until)? {
                0 => return Err(ErrorKind::UnexpectedEof.into()),
                count => bytes = &mut bytes[count..],
            }
        }
        Ok(())
    }

    /// Sends all of this, a piece at a time, for each of which the far side has as long as for an
    /// answer.
    pub(crate) fn send_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        for piece in bytes.chunks(64 << 10) {
            let mut socket = Timed { socket: &self.socket, until: Deadline::new() };
            match &mut self.tls {
                None => socket.write_all(piece)?,
                Some(tls) => {
                    let mut stream = Stream::new(&mut **tls, &mut socket);
                    stream.write_all(piece).and_then(|()| stream.flush())?;
                }
            }
        }
        Ok(())
    }

    /// Ends what this end sends, with no close_notify.
    pub(crate) fn shut_down(&self) -> io::Result<()> {
        self.socket.shutdown(Shutdown::Write)
    }

    /// Waits until something can be read or the end has come, or this long.
    pub(crate) fn wait_for(&self, moment: Duration) -> io::Result<()> {
        self.socket.set_read_timeout(Some(moment))?;
        match self.socket.peek(&mut [0]) {
            Err(error) if !is_timeout(&error) => Err(error),
            _ => Ok(()),
        }
    }

    /// Returns `true` if something can be read, or the end has come, without waiting.
    pub(crate) fn has_more(&mut self) -> io::Result<bool> {
        self.socket.set_nonblocking(true)?;
        let found = match &mut self.tls {
            None => self.socket.peek(&mut [0]).map(|_| true),
            Some(tls) => peek(tls, &mut self.socket),
        };
        self.socket.set_nonblocking(false)?;
        match found {
            Err(error) if is_timeout(&error) => Ok(false),
            found => found,
        }
    }
}

/// Reads what has come; returns `true` if there is text among it or the connection is at its end.
fn peek(tls: &mut ClientConnection, socket: &mut TcpStream) -> io::Result<bool> {
    loop {
        let state = tls.process_new_packets().map_err(io::Error::other)?;
        if state.plaintext_bytes_to_read() > 0 || state.peer_has_closed() {
            return Ok(true);
        }
        if tls.read_tls(socket)? == 0 {
            return Ok(true);
        }
    }
}

/// A connection on which nothing lasts longer than until then, however many pieces it comes in.
struct Timed<'a> {
    socket: &'a TcpStream,
    until: Deadline,
}

impl Timed<'_> {
    /// Prepares for one call of the system's, and carries it out unless there is no time left.
    fn carry_out(
        &self,
        set_timeout: fn(&TcpStream, Option<Duration>) -> io::Result<()>,
        call: impl FnOnce(&mut &TcpStream) -> io::Result<usize>,
    ) -> io::Result<usize> {
        let done = match self.until.has_passed() || is_over() {
            true => Err(ErrorKind::TimedOut.into()),
            false => set_timeout(self.socket, Some(self.until.left()))
                .and_then(|()| call(&mut &*self.socket)),
        };
        if done.as_ref().is_err_and(is_timeout) {
            note_timeout();
        }
        done
    }
}

impl Read for Timed<'_> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        self.carry_out(TcpStream::set_read_timeout, |socket| socket.read(bytes))
    }
}

impl Write for Timed<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.carry_out(TcpStream::set_write_timeout, |socket| socket.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// More than any check has to receive at a time.
const MOST: usize = 64 << 20;

pub(crate) fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

/// Says how a connection ended on which reading failed so.
pub(crate) fn end_of(error: &io::Error) -> End {
    match error.kind() {
        _ if is_timeout(error) => End::Timeout,
        // This is how rustls says that close_notify is missing; std does not.
        ErrorKind::UnexpectedEof => End::Truncated,
        _ => End::Reset,
    }
}
