//! TCP sockets, as this crate wants them from the start: closed for other programs, and not blocking.

use std::io;

use socket2::{Domain, Protocol, SockAddr, Socket, Type};

/// Opens a TCP socket that does not block.
pub(crate) fn tcp_socket(domain: Domain) -> io::Result<Socket> {
    #[cfg(target_os = "linux")]
    return Socket::new(domain, Type::STREAM.nonblocking(), Some(Protocol::TCP));
    #[cfg(not(target_os = "linux"))]
    {
        let socket = Socket::new(domain, Type::STREAM, Some(Protocol::TCP))?;
        socket.set_nonblocking(true)?;
        Ok(socket)
    }
}

/// Takes a connection, which does not block either.
pub(crate) fn accept_from(listener: &Socket) -> io::Result<(Socket, SockAddr)> {
    #[cfg(target_os = "linux")]
    {
        use rustix::net::SocketFlags;
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        listener.accept4(flags.bits() as i32)
    }
    #[cfg(not(target_os = "linux"))]
    {
        let (socket, peer) = listener.accept()?;
        socket.set_nonblocking(true)?;
        Ok((socket, peer))
    }
}

/// Sets the options of a control connection. Urgent data (Telnet's Synch) stays in its place among
/// the bytes, RFC 1123 section 4.1.2.12; replies are small and waited for; a client that vanished is
/// noticed some day.
pub(crate) fn carry_commands(socket: &Socket) {
    for outcome in [
        socket.set_out_of_band_inline(true),
        socket.set_tcp_nodelay(true),
        socket.set_keepalive(true),
    ] {
        if let Err(error) = outcome {
            log::debug!("control connection: socket option refused: {error}");
        }
    }
}
