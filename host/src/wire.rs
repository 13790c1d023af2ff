//! The bytes of one TCP connection, and what the operating system last said of them.

use std::fs::File;
use std::io::{self, Read, Write};
use std::net::Shutdown;

use socket2::Socket;

/// One TCP connection's way in and out. It never owns the socket.
///
/// It remembers whether the socket was ready when last asked, and does not ask again before the
/// driver has [told it so](Self::set_ready): right for edge-triggered and level-triggered drivers
/// alike.
#[derive(Debug)]
pub(crate) struct Wire {
    ready: Readiness,
}

/// Which directions can move without blocking, or are waited for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Readiness {
    /// Bytes, a connection or the end can be read.
    pub readable: bool,
    /// Bytes can be written, or a connection stands.
    pub writable: bool,
}

impl Readiness {
    /// Both directions.
    pub const BOTH: Self = Self { readable: true, writable: true };
    /// The way in.
    pub const READABLE: Self = Self { readable: true, writable: false };
    /// Neither direction.
    pub const NEITHER: Self = Self { readable: false, writable: false };

    /// Tells whether there is any.
    pub fn any(self) -> bool {
        self.readable || self.writable
    }

    /// Adds what `other` has.
    pub fn add(&mut self, other: Self) {
        self.readable |= other.readable;
        self.writable |= other.writable;
    }
}

/// What came of moving bytes.
#[derive(Debug)]
pub(crate) enum Flow {
    /// So many bytes moved, at least one.
    Moved(usize),
    /// Nothing can move before the driver says so.
    Blocked,
    /// The peer sends no more.
    Ended,
    /// The connection is broken.
    Broken(io::Error),
}

impl Wire {
    /// A wire over a connection that stands: ready until the contrary shows.
    pub(crate) fn new() -> Self {
        Self { ready: Readiness::BOTH }
    }

    /// Takes note of what the driver has been told.
    pub(crate) fn set_ready(&mut self, ready: Readiness) {
        self.ready.add(ready);
    }

    /// Returns what of `wanted` has to be waited for.
    pub(crate) fn not_ready(&self, wanted: Readiness) -> Readiness {
        Readiness {
            readable: wanted.readable && !self.ready.readable,
            writable: wanted.writable && !self.ready.writable,
        }
    }

    /// Reads what there is, as much as fits.
    pub(crate) fn read(&mut self, mut socket: &Socket, buffer: &mut [u8]) -> Flow {
        if !self.ready.readable {
            return Flow::Blocked;
        }
        let flow = flow(|| socket.read(buffer));
        self.ready.readable = !matches!(flow, Flow::Blocked);
        flow
    }

    /// Writes as much of `bytes` as fits; they must not be empty.
    pub(crate) fn write(&mut self, mut socket: &Socket, bytes: &[u8]) -> Flow {
        if !self.ready.writable {
            return Flow::Blocked;
        }
        let flow = flow(|| socket.write(bytes));
        self.ready.writable = !matches!(flow, Flow::Blocked);
        flow
    }

    /// Sends at most `count` bytes of a file from `offset` on, within the kernel; it moves `offset`.
    #[cfg(target_os = "linux")]
    pub(crate) fn send_file(
        &mut self,
        socket: &Socket,
        file: &File,
        offset: &mut u64,
        count: usize,
    ) -> Flow {
        if !self.ready.writable {
            return Flow::Blocked;
        }
        let flow = flow(|| {
            rustix::fs::sendfile(socket, file, Some(offset), count).map_err(io::Error::from)
        });
        self.ready.writable = !matches!(flow, Flow::Blocked);
        flow
    }

    /// Says that no more will be written.
    pub(crate) fn close(&mut self, socket: &Socket) {
        // A peer that is gone already needs no goodbye.
        let _ = socket.shutdown(Shutdown::Write);
    }
}

/// Tells whether the peer has closed its side, or the connection broke, even where unread bytes
/// stand before the end.
pub(crate) fn has_ended(socket: &Socket) -> bool {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    #[cfg(target_os = "linux")]
    let half_closed = PollFlags::RDHUP;
    #[cfg(not(target_os = "linux"))]
    let half_closed = PollFlags::empty();
    let mut watched = [PollFd::new(socket, half_closed)];
    let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
    let end = half_closed | PollFlags::HUP | PollFlags::ERR;
    poll(&mut watched, Some(&at_once)).is_ok() && watched[0].revents().intersects(end)
}

fn flow(mut attempt: impl FnMut() -> io::Result<usize>) -> Flow {
    loop {
        return match attempt() {
            Ok(0) => Flow::Ended,
            Ok(count) => Flow::Moved(count),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Flow::Blocked,
            Err(error) => Flow::Broken(error),
        };
    }
}
