//! A connection, in clear or within TLS, with timeouts, and buffers that are made once.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use rustls::Connection;
use socket2::{Domain, Socket, Type};

/// Connects, from this address if there is one. The timeout is that of every operation.
pub(crate) fn connect(
    to: SocketAddr,
    from: Option<IpAddr>,
    timeout: Duration,
) -> io::Result<TcpStream> {
    let socket = Socket::new(Domain::for_address(to), Type::STREAM, None)?;
    // On Linux the timeout of sending is that of connect(2) too, which takes fewer system calls than
    // a socket that does not block.
    socket.set_write_timeout(Some(timeout))?;
    socket.set_read_timeout(Some(timeout))?;
    if let Some(from) = from {
        socket.bind(&SocketAddr::new(from, 0).into())?;
    }
    socket.connect(&to.into()).map_err(|error| match error.raw_os_error() {
        Some(libc_einprogress) if libc_einprogress == EINPROGRESS => io::ErrorKind::TimedOut.into(),
        _ => error,
    })?;
    Ok(socket.into())
}

/// What connect(2) says when its timeout is over.
const EINPROGRESS: i32 = rustix::io::Errno::INPROGRESS.raw_os_error();

/// A connection.
pub(crate) enum Wire {
    /// In clear.
    Clear(TcpStream),
    /// Within TLS.
    Tls(Box<TlsWire>),
}

impl Wire {
    /// Says that nothing more is sent: close_notify where there is TLS, and FIN.
    pub(crate) fn end(&mut self) -> io::Result<()> {
        match self {
            Self::Clear(socket) => socket.shutdown(Shutdown::Write),
            Self::Tls(wire) => {
                wire.tls.send_close_notify();
                wire.flush()?;
                wire.socket.shutdown(Shutdown::Write)
            }
        }
    }
}

impl Read for Wire {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Clear(socket) => socket.read(buffer),
            Self::Tls(wire) => wire.read(buffer),
        }
    }
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Clear(socket) => socket.write(bytes),
            Self::Tls(wire) => wire.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Clear(socket) => socket.flush(),
            Self::Tls(wire) => wire.flush(),
        }
    }
}

/// A connection within TLS, of either side.
pub(crate) struct TlsWire {
    socket: TcpStream,
    tls: Connection,
    /// Records as they came: rustls itself would read 4 KiB at a time.
    received: Vec<u8>,
    begin: usize,
    end: usize,
}

impl TlsWire {
    /// Does the handshake. `buffer` is where records are read into, and must not be empty.
    pub(crate) fn handshake(
        socket: TcpStream,
        mut tls: Connection,
        buffer: Vec<u8>,
    ) -> io::Result<Box<Self>> {
        tls.set_buffer_limit(Some(256 * 1024));
        let mut wire = Box::new(Self { socket, tls, received: buffer, begin: 0, end: 0 });
        wire.flush()?;
        while wire.tls.is_handshaking() {
            if !wire.receive()? {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(wire)
    }

    /// Returns the buffer, for the next connection.
    pub(crate) fn into_buffer(self) -> Vec<u8> {
        self.received
    }

    /// Gives rustls what has come, or waits for more; returns `false` at the end.
    fn receive(&mut self) -> io::Result<bool> {
        if self.begin == self.end {
            self.begin = 0;
            self.end = self.socket.read(&mut self.received)?;
        }
        let mut come = &self.received[self.begin..self.end];
        let count = self.tls.read_tls(&mut come)?;
        self.begin += count;
        let processed = self.tls.process_new_packets();
        // A handshake's next flight, or the alert that says what is wrong.
        self.flush()?;
        processed.map_err(io::Error::other)?;
        Ok(count > 0)
    }
}

impl Read for TlsWire {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.tls.reader().read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.receive()?,
                // An end without close_notify; who reads counts the bytes.
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(0),
                read => return read,
            };
        }
    }
}

impl Write for TlsWire {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.tls.writer().write(bytes)?;
        self.flush()?;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        while self.tls.wants_write() {
            self.tls.write_tls(&mut self.socket)?;
        }
        Ok(())
    }
}
