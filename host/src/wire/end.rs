//! The end of a connection, seen without reading.

use socket2::Socket;

/// What has ended of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// Nothing.
    None,
    /// The peer has closed its side.
    OfInput,
    /// The connection broke.
    OfAll,
}

/// Looks whether a connection has ended, even where unread bytes stand before the end.
pub(crate) fn look_for_end(socket: &Socket) -> End {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    #[cfg(target_os = "linux")]
    let half_closed = PollFlags::RDHUP;
    #[cfg(not(target_os = "linux"))]
    let half_closed = PollFlags::empty();
    let mut watched = [PollFd::new(socket, half_closed)];
    let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
    if poll(&mut watched, Some(&at_once)).is_err() {
        return End::None;
    }
    match watched[0].revents() {
        events if events.intersects(PollFlags::HUP | PollFlags::ERR) => End::OfAll,
        events if events.intersects(half_closed) => End::OfInput,
        _ => End::None,
    }
}
