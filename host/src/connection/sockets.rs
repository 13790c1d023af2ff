//! Sockets: how a driver holds them, and how those of data connections are opened.

use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;

use socket2::{Domain, Socket};

use crate::server::sockets::tcp_socket;

/// A socket that a driver watches. It stays open as long as this is held, even when the connection
/// has given it up; reading and writing is for the connection alone.
#[derive(Clone, Debug)]
pub struct SocketHandle(pub(super) Arc<Socket>);

impl SocketHandle {
    /// Returns `true` if the connection has given the socket up, and no other part of the server holds
    /// it either: dropping this closes it.
    pub fn is_last(&self) -> bool {
        Arc::strong_count(&self.0) == 1
    }
}

impl AsFd for SocketHandle {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Connects from the address `from`, whatever port that has. A link-local address is one only with
/// a scope, and EPRT has no room for one: it is that of `from`.
pub(super) fn start_connecting(
    mut from: SocketAddr,
    mut to: SocketAddr,
) -> std::io::Result<Socket> {
    if let (SocketAddr::V6(from), SocketAddr::V6(to)) = (from, &mut to) {
        to.set_scope_id(from.scope_id());
    }
    from.set_port(0);
    let socket = tcp_socket(Domain::for_address(to))?;
    send_at_once(&socket);
    socket.bind(&from.into())?;
    match socket.connect(&to.into()) {
        Err(error)
            if error.raw_os_error() != Some(rustix::io::Errno::INPROGRESS.raw_os_error()) =>
        {
            Err(error)
        }
        _ => Ok(socket),
    }
}

/// Sends every part at once: the last of a handshake or a file must not wait for the client to
/// acknowledge the one before.
pub(super) fn send_at_once(socket: &Socket) {
    if let Err(error) = socket.set_tcp_nodelay(true) {
        log::debug!("data connection: socket option refused: {error}");
    }
}

/// Acknowledges at once what a handshake has brought: until then a client that gathers small
/// writes (Nagle) holds back the data that follows, 40 ms and more.
pub(super) fn acknowledge(socket: &Socket) {
    #[cfg(target_os = "linux")]
    if let Err(error) = socket.set_tcp_quickack(true) {
        log::debug!("data connection: socket option refused: {error}");
    }
    #[cfg(not(target_os = "linux"))]
    let _ = socket;
}
