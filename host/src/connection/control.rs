//! The control connection's bytes.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;

use socket2::Socket;
use wharf_core::{Event, Now, Session};

use crate::server::admission::{Eviction, Permit};
use crate::tls::{ServerConnection, client_certificate};
use crate::wire::{End, Flow, Progress, Readiness, Wire, look_for_end};
use wharf_accounts::ClientCertificate;

/// How much is read at once; commands are short.
const READ: usize = 4096;

/// How many portions are read in one go, from a client that sends without end.
const PORTIONS_AT_ONCE: usize = 64;

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
    input: Input,
    /// Replies cannot be sent any more. What the client sent before is still worth reading: be it
    /// only QUIT.
    mute: bool,
    drained: usize,
}

/// How far reading has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Input {
    /// More may come.
    Open,
    /// The client has sent its end.
    Ended,
    /// Nothing more is to be had. `refused`: because of what the client did to TLS.
    Lost { refused: bool },
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
            input: Input::Open,
            mute: false,
            drained: 0,
        }
    }

    pub(super) fn socket(&self) -> &Arc<Socket> {
        &self.socket
    }

    pub(super) fn set_ready(&mut self, ready: Readiness) {
        self.wire.set_ready(ready);
    }

    /// Returns `true` if the client has closed its side in order; it may still read.
    pub(super) fn has_ended(&self) -> bool {
        self.input == Input::Ended
    }

    /// Returns `true` if the client has no use for a goodbye. One that broke TLS has been told so by
    /// an alert, and has a while to read it.
    pub(super) fn is_broken(&self) -> bool {
        self.mute || self.input == Input::Lost { refused: false }
    }

    /// What has to happen on the socket before anything can go on.
    pub(super) fn interest(&self, session: &Session) -> Readiness {
        let reads = session.wants_read() && !self.handshaking;
        self.wire.not_ready(Readiness {
            readable: self.input == Input::Open && reads,
            writable: !self.mute && !session.transmit().is_empty(),
        })
    }

    /// Hands Session what the client has sent, once; tells whether anything came.
    pub(super) fn receive(&mut self, session: &mut Session, permit: &Permit, now: Now) -> bool {
        if self.handshaking {
            return self.handshake(session, now);
        }
        if !session.wants_read() {
            return false;
        }
        if self.unread.is_empty() {
            if self.input != Input::Open {
                return false;
            }
            let mut buffer = [0; READ];
            match self.wire.read(&self.socket, &mut buffer) {
                Flow::Moved(count) => self.unread.extend_from_slice(&buffer[..count]),
                Flow::Blocked => return false,
                // An end is one also where TLS has not announced it: nothing depends on what might
                // have been cut off behind a whole line.
                Flow::Ended => self.ended(session, permit, now),
                Flow::Broken(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                    self.ended(session, permit, now);
                }
                Flow::Broken(error) => self.lost(&error, session, now),
            }
        }
        let consumed = session.receive(&self.unread, now);
        self.unread.drain(..consumed);
        consumed > 0 || self.unread.is_empty()
    }

    /// Hands Session all that has come, whatever is known of the socket.
    pub(super) fn check(&mut self, session: &mut Session, permit: &Permit, now: Now) {
        self.wire.set_ready(Readiness::READABLE);
        self.receive_all(session, permit, now);
        self.look_for_end(session, now);
        // Session may want what it had no room for before: there may be a QUIT.
        self.receive_all(session, permit, now);
    }

    fn receive_all(&mut self, session: &mut Session, permit: &Permit, now: Now) {
        for _ in 0..PORTIONS_AT_ONCE {
            if !self.receive(session, permit, now) {
                break;
            }
        }
    }

    fn ended(&mut self, session: &mut Session, permit: &Permit, now: Now) {
        if self.mute {
            return self.lost(&io::ErrorKind::BrokenPipe.into(), session, now);
        }
        self.input = Input::Ended;
        // Where the place is taken away, that is what the end means.
        let evicted = permit.eviction() != Eviction::No;
        session.handle(if evicted { Event::Evicted } else { Event::ControlClosed }, now);
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

    /// Returns `true` if a loss of the connection would not show by reading: commands are left unread
    /// while Session has enough, or the client has sent its end.
    pub(super) fn is_blind(&self, session: &Session) -> bool {
        !matches!(self.input, Input::Lost { .. }) && !session.wants_read()
    }

    /// Looks without reading whether the connection is lost, or the client has closed its side, and
    /// tells Session of it. The commands that stand before such an end are read in their turn.
    pub(super) fn look_for_end(&mut self, session: &mut Session, now: Now) {
        if !self.is_blind(session) {
            return;
        }
        let unread = self.input == Input::Open;
        match look_for_end(&self.socket) {
            End::OfAll => {
                self.mute = true;
                if !unread {
                    self.input = Input::Lost { refused: false };
                }
                session.handle(Event::ControlLost, now);
                // What came before may still be read, and shows its own end.
                self.wire.set_ready(Readiness::READABLE);
            }
            End::OfInput if unread => session.handle(Event::ControlEnding, now),
            End::OfInput | End::None => {}
        }
    }

    /// Returns `true` if the client sends no more: it has closed its side, or the connection is lost.
    pub(super) fn is_over(&self) -> bool {
        self.mute || self.input != Input::Open
    }

    /// Sends replies; tells whether any byte went.
    pub(super) fn transmit(&mut self, session: &mut Session, now: Now) -> bool {
        if self.mute {
            let count = session.transmit().len();
            session.transmitted(count, now);
            return count > 0;
        }
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
            Flow::Ended | Flow::Broken(_) => self.fall_silent(session, now),
        }
        true
    }

    /// A reply cannot be sent. What the client sent before is heard first.
    fn fall_silent(&mut self, session: &mut Session, now: Now) {
        self.mute = true;
        match self.input {
            Input::Open if !self.handshaking => self.wire.set_ready(Readiness::READABLE),
            Input::Lost { .. } => {}
            _ => self.lost(&io::ErrorKind::BrokenPipe.into(), session, now),
        }
    }

    /// Nothing can be said or heard any more.
    fn lost(&mut self, error: &io::Error, session: &mut Session, now: Now) {
        if self.wire.tls().is_some() && error.kind() == io::ErrorKind::InvalidData {
            wharf_storage::log_limited!(Info, "{}: TLS broken: {error}", self.peer);
        }
        self.input = Input::Lost { refused: error.kind() == io::ErrorKind::InvalidData };
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
