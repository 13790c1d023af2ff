//! The bytes of one TCP connection, in clear or within TLS, and what the operating system last said
//! of them.

#[cfg(not(feature = "tls"))]
mod absent;
mod end;
mod flow;
mod link;
#[cfg(feature = "tls")]
mod records;
#[cfg(feature = "tls")]
mod secured;
#[cfg(all(test, feature = "tls"))]
mod tests;

use std::fs::File;
use std::io::{self, Read, Write};
use std::net::Shutdown;
#[cfg(target_os = "linux")]
use std::os::fd::BorrowedFd;

#[cfg(target_os = "linux")]
use rustix::pipe::SpliceFlags;
use socket2::Socket;

use crate::tls::ServerConnection;

#[cfg(not(feature = "tls"))]
use absent::Secured;
use link::Link;
#[cfg(feature = "tls")]
use secured::Secured;

pub(crate) use end::{End, look_for_end};
pub use flow::Readiness;
pub(crate) use flow::{Flow, Progress};

/// One TCP connection's way in and out. It never owns the socket.
///
/// It remembers whether the socket was ready when last asked, and does not ask again before the
/// driver has [told it so](Self::set_ready): right for edge-triggered and level-triggered drivers
/// alike.
pub(crate) struct Wire {
    ready: Readiness,
    layer: Layer,
    /// How many bytes may still move, where that is limited.
    budget: Option<u64>,
    /// Our end has been sent.
    shut: bool,
}

/// What the bytes travel in.
enum Layer {
    /// Nothing. What was read within TLS and stood after its end comes first.
    Clear {
        early: Vec<u8>,
    },
    Secured(Box<Secured>),
}

impl Wire {
    /// A wire over a connection that stands: in clear, and ready until the contrary shows.
    pub(crate) fn new() -> Self {
        let layer = Layer::Clear { early: Vec::new() };
        Self { ready: Readiness::BOTH, layer, budget: None, shut: false }
    }

    /// A wire over a connection that stands, and whose peer speaks second: to read is useless before
    /// the driver says that something has come.
    pub(crate) fn unheard() -> Self {
        let ready = Readiness { readable: false, writable: true };
        Self { ready, ..Self::new() }
    }

    /// Begins TLS; [`handshake`](Self::handshake) comes next. `early` has been read from the socket
    /// already; further reads take up to `portion` bytes, or what
    /// [`set_tls_portion`](Self::set_tls_portion) says.
    pub(crate) fn start_tls(
        &mut self,
        connection: ServerConnection,
        early: Vec<u8>,
        portion: usize,
    ) {
        self.layer = Layer::Secured(Box::new(Secured::new(connection, early, portion)));
    }

    /// Sets how many bytes TLS takes before the socket does.
    pub(crate) fn set_tls_buffer(&mut self, most: usize) {
        if let Layer::Secured(tls) = &mut self.layer {
            tls.set_buffer(most);
        }
    }

    /// Sets how much TLS reads at once, when the peer is fast.
    pub(crate) fn set_tls_portion(&mut self, most: usize) {
        if let Layer::Secured(tls) = &mut self.layer {
            tls.set_portion(most);
        }
    }

    /// Returns `true` if something can be read, or the end; it stays unread.
    pub(crate) fn has_input(&mut self, socket: &Socket) -> bool {
        Link { socket, ready: &mut self.ready }.has_input()
    }

    /// Goes on with the handshake.
    pub(crate) fn handshake(&mut self, socket: &Socket) -> Progress {
        match &mut self.layer {
            Layer::Clear { .. } => Progress::Done,
            Layer::Secured(tls) => tls.handshake(&mut Link { socket, ready: &mut self.ready }),
        }
    }

    /// Ends TLS on a connection that goes on in clear: what is written from now on is in clear, and
    /// what is read once the peer has ended it too.
    pub(crate) fn end_tls(&mut self) {
        if let Layer::Secured(tls) = &mut self.layer {
            tls.leave();
        }
    }

    /// Returns the TLS connection, where there is one.
    pub(crate) fn tls(&self) -> Option<&ServerConnection> {
        match &self.layer {
            Layer::Clear { .. } => None,
            Layer::Secured(tls) => Some(tls.connection()),
        }
    }

    /// Adds what the driver has been told.
    pub(crate) fn set_ready(&mut self, ready: Readiness) {
        self.ready.add(ready);
    }

    /// Lets so many bytes move from now on, or as many as can.
    pub(crate) fn set_budget(&mut self, budget: Option<u64>) {
        self.budget = budget;
    }

    /// Returns what has to be waited for, to do what is `wanted` and what TLS has to do besides.
    pub(crate) fn not_ready(&self, mut wanted: Readiness) -> Readiness {
        if self.budget == Some(0) {
            wanted = Readiness::NEITHER;
        }
        if let Layer::Secured(tls) = &self.layer {
            wanted.add(tls.interest());
        }
        Readiness {
            readable: wanted.readable && !self.ready.readable,
            writable: wanted.writable && !self.ready.writable,
        }
    }

    /// Reads what there is, as much as fits.
    pub(crate) fn read(&mut self, socket: &Socket, buffer: &mut [u8]) -> Flow {
        let most = self.affordable(buffer.len());
        if most == 0 {
            return Flow::Blocked;
        }
        let link = &mut Link { socket, ready: &mut self.ready };
        let flow = match &mut self.layer {
            Layer::Clear { early } if !early.is_empty() => {
                let count = most.min(early.len());
                buffer[..count].copy_from_slice(&early[..count]);
                early.drain(..count);
                Flow::Moved(count)
            }
            Layer::Clear { .. } => link.read(&mut buffer[..most]).into(),
            Layer::Secured(tls) => tls.read(link, &mut buffer[..most]),
        };
        match flow {
            Flow::Blocked if self.leave_tls() => self.read(socket, buffer),
            flow => self.spend(flow),
        }
    }

    /// Writes as much of `bytes` as fits; they must not be empty. Within TLS what was taken need not
    /// have left before [`flush`](Self::flush) says so.
    pub(crate) fn write(&mut self, socket: &Socket, bytes: &[u8]) -> Flow {
        let bytes = &bytes[..self.affordable(bytes.len())];
        if bytes.is_empty() {
            return Flow::Blocked;
        }
        let link = &mut Link { socket, ready: &mut self.ready };
        let flow = match &mut self.layer {
            Layer::Clear { .. } => link.write(bytes).into(),
            Layer::Secured(tls) => tls.write(link, bytes),
        };
        self.spend(flow)
    }

    /// Sends at most `count` bytes of a file from `offset` on, within the kernel; it moves `offset`.
    /// Not within TLS.
    #[cfg(target_os = "linux")]
    pub(crate) fn send_file(
        &mut self,
        socket: &Socket,
        file: &File,
        offset: &mut u64,
        count: usize,
    ) -> Flow {
        debug_assert!(self.tls().is_none(), "the kernel does not encrypt");
        let count = self.affordable(count);
        if count == 0 {
            return Flow::Blocked;
        }
        let link = &mut Link { socket, ready: &mut self.ready };
        let flow = link.send_by(|| {
            rustix::fs::sendfile(socket, file, Some(offset), count).map_err(io::Error::from)
        });
        self.spend(flow.into())
    }

    /// Reads up to `count` bytes into a pipe, within the kernel. Not within TLS.
    #[cfg(target_os = "linux")]
    pub(crate) fn splice(&mut self, socket: &Socket, pipe: BorrowedFd<'_>, count: usize) -> Flow {
        debug_assert!(self.is_clear(), "the kernel does not decrypt");
        let count = self.affordable(count);
        if count == 0 {
            return Flow::Blocked;
        }
        let link = &mut Link { socket, ready: &mut self.ready };
        let flags = SpliceFlags::MOVE | SpliceFlags::NONBLOCK;
        let flow = link.receive_by(|| {
            rustix::pipe::splice(socket, None, pipe, None, count, flags).map_err(io::Error::from)
        });
        self.spend(flow.into())
    }

    /// Returns `true` if bytes travel as they are, and none has been read before.
    #[cfg(target_os = "linux")]
    pub(crate) fn is_clear(&self) -> bool {
        matches!(&self.layer, Layer::Clear { early } if early.is_empty())
    }

    /// Sends what TLS still holds.
    pub(crate) fn flush(&mut self, socket: &Socket) -> Progress {
        match &mut self.layer {
            Layer::Clear { .. } => Progress::Done,
            Layer::Secured(tls) => tls.push(&mut Link { socket, ready: &mut self.ready }).into(),
        }
    }

    /// Says that no more will be written, within TLS by close_notify; to be repeated until it is
    /// done. It is broken when bytes that were [written](Self::write) before cannot leave.
    pub(crate) fn close(&mut self, socket: &Socket) -> Progress {
        let said = match &mut self.layer {
            Layer::Clear { .. } => Progress::Done,
            Layer::Secured(tls) => tls.close(&mut Link { socket, ready: &mut self.ready }),
        };
        // Once: each time wakes drivers that wait for the edge of readiness.
        if !matches!(said, Progress::Blocked) && !std::mem::replace(&mut self.shut, true) {
            // A peer that is gone already needs no goodbye.
            let _ = socket.shutdown(Shutdown::Write);
        }
        said
    }

    /// Reads and forgets what the peer has sent, whatever it travels in.
    pub(crate) fn discard(&mut self, socket: &Socket) -> Flow {
        Link { socket, ready: &mut self.ready }.read(&mut [0; 4096]).into()
    }

    /// Goes over to clear text, if both sides have left TLS; returns `true` if they have.
    fn leave_tls(&mut self) -> bool {
        let clear = Layer::Clear { early: Vec::new() };
        match std::mem::replace(&mut self.layer, clear) {
            Layer::Secured(tls) if tls.has_left() => {
                self.layer = Layer::Clear { early: tls.into_rest() };
                true
            }
            other => {
                self.layer = other;
                false
            }
        }
    }

    fn affordable(&self, count: usize) -> usize {
        let budget = self.budget.map(|budget| usize::try_from(budget).unwrap_or(usize::MAX));
        budget.map_or(count, |budget| budget.min(count))
    }

    fn spend(&mut self, flow: Flow) -> Flow {
        if let (Some(budget), Flow::Moved(count)) = (&mut self.budget, &flow) {
            *budget -= *count as u64;
        }
        flow
    }
}
