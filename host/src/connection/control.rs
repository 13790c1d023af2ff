//! The control connection's bytes.

use std::sync::Arc;

use socket2::Socket;
use wharf_core::{Event, Now, Session};

use crate::wire::{Flow, Readiness, Wire, has_ended};

/// How much is read at once; commands are short.
const READ: usize = 4096;

/// How much a client may send behind its session's end.
const MOST_DRAINED: usize = 256 * 1024;

/// The control connection, and what was read from it too early.
pub(super) struct Control {
    socket: Arc<Socket>,
    wire: Wire,
    /// What Session did not consume yet.
    unread: Vec<u8>,
    /// The client has sent its end.
    ended: bool,
    broken: bool,
    drained: usize,
}

impl Control {
    pub(super) fn new(socket: Socket) -> Self {
        // Urgent data (Telnet's Synch) stays in its place among the bytes, RFC 1123 section 4.1.2.10;
        // replies are small and waited for; a client that vanished is noticed some day.
        for outcome in [
            socket.set_out_of_band_inline(true),
            socket.set_tcp_nodelay(true),
            socket.set_keepalive(true),
        ] {
            if let Err(error) = outcome {
                log::debug!("control connection: socket option refused: {error}");
            }
        }
        Self {
            socket: Arc::new(socket),
            wire: Wire::new(),
            unread: Vec::new(),
            ended: false,
            broken: false,
            drained: 0,
        }
    }

    pub(super) fn socket(&self) -> &Arc<Socket> {
        &self.socket
    }

    pub(super) fn set_ready(&mut self, ready: Readiness) {
        self.wire.set_ready(ready);
    }

    pub(super) fn is_broken(&self) -> bool {
        self.broken
    }

    /// What has to happen on the socket before anything can go on.
    pub(super) fn interest(&self, session: &Session) -> Readiness {
        self.wire.not_ready(Readiness {
            readable: !self.ended && session.wants_read(),
            writable: !session.transmit().is_empty(),
        })
    }

    /// Hands Session what the client has sent, once; tells whether anything came.
    pub(super) fn receive(&mut self, session: &mut Session, now: Now) -> bool {
        if !session.wants_read() {
            return false;
        }
        if self.unread.is_empty() {
            if self.ended {
                return false;
            }
            let mut buffer = [0; READ];
            match self.wire.read(&self.socket, &mut buffer) {
                Flow::Moved(count) => self.unread.extend_from_slice(&buffer[..count]),
                Flow::Blocked => return false,
                Flow::Ended => {
                    self.ended = true;
                    session.handle(Event::ControlClosed, now);
                    return true;
                }
                Flow::Broken(_) => {
                    self.lost(session, now);
                    return true;
                }
            }
        }
        let consumed = session.receive(&self.unread, now);
        self.unread.drain(..consumed);
        consumed > 0
    }

    /// Tells whether commands are left unread while Session has enough: then the end of the
    /// connection, which stands behind them, has to be looked for.
    pub(super) fn is_blind(&self, session: &Session) -> bool {
        !self.ended && !session.wants_read()
    }

    /// Looks for the end of the connection without reading, and tells Session of it.
    pub(super) fn look_for_end(&mut self, session: &mut Session, now: Now) {
        if has_ended(&self.socket) {
            self.ended = true;
            self.unread.clear();
            session.handle(Event::ControlClosed, now);
        }
    }

    /// Sends replies; tells whether any byte went.
    pub(super) fn transmit(&mut self, session: &mut Session, now: Now) -> bool {
        if session.transmit().is_empty() {
            return false;
        }
        match self.wire.write(&self.socket, session.transmit()) {
            Flow::Moved(count) => session.transmitted(count, now),
            Flow::Blocked => return false,
            Flow::Ended | Flow::Broken(_) => self.lost(session, now),
        }
        true
    }

    /// Nothing can be said or heard any more.
    fn lost(&mut self, session: &mut Session, now: Now) {
        self.ended = true;
        self.broken = true;
        self.unread.clear();
        session.handle(Event::ControlLost, now);
    }

    /// Says that no more replies come.
    pub(super) fn finish(&mut self) {
        self.wire.close(&self.socket);
    }

    /// Reads and forgets what the client still sends; tells whether its end has come.
    pub(super) fn drain(&mut self) -> bool {
        let mut buffer = [0; READ];
        while !self.ended && self.drained < MOST_DRAINED {
            match self.wire.read(&self.socket, &mut buffer) {
                Flow::Moved(count) => self.drained += count,
                Flow::Blocked => return false,
                Flow::Ended | Flow::Broken(_) => self.ended = true,
            }
        }
        true
    }
}
