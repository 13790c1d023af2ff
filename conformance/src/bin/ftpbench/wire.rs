//! A connection, in clear or within TLS, with timeouts.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use rustls::client::UnbufferedClientConnection;
use socket2::{Domain, Socket, Type};

use crate::tls::TlsWire;

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
        Some(EINPROGRESS) => io::ErrorKind::TimedOut.into(),
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
    Tls(Box<TlsWire<UnbufferedClientConnection>>),
}

impl Wire {
    /// Shows `see` all that comes until the end, and returns how much that was.
    pub(crate) fn receive(
        &mut self,
        chunk: &mut [u8],
        see: &mut dyn FnMut(&[u8]),
    ) -> io::Result<u64> {
        let socket = match self {
            Self::Clear(socket) => socket,
            Self::Tls(wire) => return wire.receive(see),
        };
        let mut total = 0;
        loop {
            match socket.read(chunk) {
                Ok(0) => return Ok(total),
                Ok(count) => {
                    see(&chunk[..count]);
                    total += count as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Says that nothing more is sent: close_notify where there is TLS, and FIN.
    pub(crate) fn end(&mut self) -> io::Result<()> {
        match self {
            Self::Clear(socket) => socket.shutdown(Shutdown::Write),
            Self::Tls(wire) => wire.end(),
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
        Ok(())
    }
}
