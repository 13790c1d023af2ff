//! The control connection's bytes.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;

use rustls::ServerConnection;
use socket2::Socket;
use wharf_core::{Event, Now, Session};

use crate::tls::{ClientCertificate, client_certificate};
use crate::wire::{Flow, Progress, Readiness, Wire, has_ended};

/// How much is read at once; commands are short.
const READ: usize = 4096;

/// How much a client may send behind its session's end.
const MOST_DRAINED: usize = 256 * 1024;

/// The control connection, and what was read from it too early.
pub(super) struct Control {
    socket: Arc<Socket>,
    /// For the log.
    peer: IpAddr,
    wire: Wire,
    /// TLS has begun, but its handshake is not done.
    handshaking: bool,
    /// What the client has shown in the handshake; CCC leaves it.
    certificate: Option<ClientCertificate>,
    /// What Session did not consume yet.
    unread: Vec<u8>,
    /// The client has sent its end.
    ended: bool,
    broken: bool,
    drained: usize,
}

impl Control {
    pub(super) fn new(socket: Socket, peer: IpAddr) -> Self {
        // Urgent data (Telnet's Synch) stays in its place among the bytes, RFC 1123 section 4.1.2.12;
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
            peer,
            wire: Wire::new(),
            handshaking: false,
            certificate: None,
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
        let reads = session.wants_read() && !self.handshaking;
        self.wire.not_ready(Readiness {
            readable: !self.ended && reads,
            writable: !session.transmit().is_empty(),
        })
    }

    /// Hands Session what the client has sent, once; tells whether anything came.
    pub(super) fn receive(&mut self, session: &mut Session, now: Now) -> bool {
        if self.handshaking {
            return self.handshake(session, now);
        }
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
                Flow::Broken(error) => {
                    self.lost(&error, session, now);
                    return true;
                }
            }
        }
        let consumed = session.receive(&self.unread, now);
        self.unread.drain(..consumed);
        consumed > 0 || self.unread.is_empty()
    }

    /// Hands Session all that has come, whatever is known of the socket.
    pub(super) fn check(&mut self, session: &mut Session, now: Now) {
        self.wire.set_ready(Readiness::READABLE);
        while self.receive(session, now) {}
        if self.is_blind(session) {
            self.look_for_end(session, now);
        }
    }

    /// Begins TLS. What Session has not consumed can only be the client's part of the handshake.
    pub(super) fn start_tls(&mut self, connection: ServerConnection) {
        self.wire.start_tls(connection, std::mem::take(&mut self.unread), READ);
        self.handshaking = true;
        self.certificate = None;
    }

    /// Goes back to clear text.
    pub(super) fn end_tls(&mut self) {
        self.wire.end_tls();
    }

    /// Tells whether TLS has begun, but its handshake is not done.
    pub(super) fn is_handshaking(&self) -> bool {
        self.handshaking
    }

    fn handshake(&mut self, session: &mut Session, now: Now) -> bool {
        match self.wire.handshake(&self.socket) {
            Progress::Blocked => return false,
            Progress::Done => {
                self.handshaking = false;
                self.certificate = self.wire.tls().and_then(client_certificate);
                let certificate = self.certificate.is_some();
                session.handle(Event::TlsStarted { certificate }, now);
            }
            Progress::Broken(error) => {
                self.handshaking = false;
                self.lost(&error, session, now);
            }
        }
        true
    }

    /// Returns the certificate that the client has shown, if any.
    pub(super) fn client_certificate(&self) -> Option<&ClientCertificate> {
        self.certificate.as_ref()
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
        let flow = if session.transmit().is_empty() {
            match self.wire.flush(&self.socket) {
                Progress::Done | Progress::Blocked => Flow::Blocked,
                Progress::Broken(error) => Flow::Broken(error),
            }
        } else {
            self.wire.write(&self.socket, session.transmit())
        };
        match flow {
            Flow::Moved(count) => session.transmitted(count, now),
            Flow::Blocked => return false,
            Flow::Ended => self.lost(&io::ErrorKind::WriteZero.into(), session, now),
            Flow::Broken(_) if self.broken => return false,
            Flow::Broken(error) => self.lost(&error, session, now),
        }
        true
    }

    /// Nothing can be said or heard any more. Who breaks TLS has been told so by an alert, and has
    /// a while to read it.
    fn lost(&mut self, error: &io::Error, session: &mut Session, now: Now) {
        if self.wire.tls().is_some() && error.kind() == io::ErrorKind::InvalidData {
            crate::say!(Info, "{}: TLS broken: {error}", self.peer);
        }
        self.ended = true;
        self.broken = error.kind() != io::ErrorKind::InvalidData;
        self.unread.clear();
        session.handle(Event::ControlLost, now);
    }

    /// Says that no more replies come, and forgets what the client still sends; tells whether its
    /// end has come.
    pub(super) fn finish(&mut self) -> bool {
        let said = !matches!(self.wire.close(&self.socket), Progress::Blocked);
        while self.drained < MOST_DRAINED {
            match self.wire.discard(&self.socket) {
                Flow::Moved(count) => self.drained += count,
                Flow::Blocked => return false,
                Flow::Ended | Flow::Broken(_) => return said,
            }
        }
        true
    }

    /// What has to happen on the socket before [`finish`](Self::finish) can go on.
    pub(super) fn last_interest(&self) -> Readiness {
        self.wire.not_ready(Readiness::READABLE)
    }
}
