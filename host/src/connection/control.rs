//! The control connection's bytes.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;

use socket2::Socket;
use wharf_accounts::ClientCertificate;
use wharf_core::{Event, Session};

use super::context::Context;
use crate::server::admission::Eviction;
use crate::tls::{ServerConnection, client_certificate};
use crate::wire::{End, Flow, Progress, Readiness, Wire, look_for_end};

/// How much is read at once; commands are short.
const READ: usize = 4096;

/// How many portions are read in one go, from a client that sends without end.
const PORTIONS_AT_ONCE: usize = 64;

/// How much a client may send after its session's end.
const MOST_DRAINED: usize = 256 * 1024;

/// The control connection, and what was read from it too early.
pub(super) struct Control {
    socket: Arc<Socket>,
    /// For the log.
    peer: IpAddr,
    wire: Wire,
    state: State,
    /// What the client has shown in the handshake; CCC leaves it.
    certificate: Option<ClientCertificate>,
    /// What Session did not consume yet.
    unread: Vec<u8>,
    drained: usize,
}

/// Which ways are open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Both.
    Open,
    /// Both, and a TLS handshake goes on: neither commands nor replies move.
    Handshaking,
    /// The client has closed its side (half-close); it may still read.
    HalfClosed,
    /// Replies cannot be sent any more. What the client sent before is still worth reading: be it
    /// only QUIT.
    Mute,
    /// Neither. `refused`: because of what the client did to TLS.
    Lost { refused: bool },
}

impl Control {
    pub(super) fn new(socket: Socket, peer: IpAddr) -> Self {
        Self {
            socket: Arc::new(socket),
            peer,
            wire: Wire::unheard(),
            state: State::Open,
            certificate: None,
            unread: Vec::new(),
            drained: 0,
        }
    }

    pub(super) fn socket(&self) -> &Arc<Socket> {
        &self.socket
    }

    pub(super) fn set_ready(&mut self, ready: Readiness) {
        self.wire.set_ready(ready);
    }

    /// Reads what has come before there is a session; it will be given that first.
    pub(super) fn read_ahead(&mut self) -> Flow {
        let mut buffer = [0; READ];
        let flow = self.wire.read(&self.socket, &mut buffer);
        if let Flow::Moved(count) = flow {
            self.unread.extend_from_slice(&buffer[..count]);
        }
        flow
    }

    /// Returns what has been [read ahead](Self::read_ahead).
    pub(super) fn unread(&self) -> &[u8] {
        &self.unread
    }

    /// Drops a header that was read ahead, which has named the client.
    pub(super) fn pass_header(&mut self, length: usize, client: IpAddr) {
        self.peer = client;
        self.unread = self.unread.split_off(length);
    }

    /// Returns `true` if the client has closed its side in order; it may still read.
    pub(super) fn has_ended(&self) -> bool {
        self.state == State::HalfClosed
    }

    /// Returns `true` if there is no point in a lingering close. A client that broke TLS has been
    /// told so by an alert, and has a while to read it.
    pub(super) fn is_broken(&self) -> bool {
        matches!(self.state, State::Mute | State::Lost { refused: false })
    }

    /// Returns `true` if the client sends no more: it has closed its side, or the connection is lost.
    pub(super) fn is_over(&self) -> bool {
        !matches!(self.state, State::Open | State::Handshaking)
    }

    /// Returns `true` if a loss of the connection would not show by reading: commands are left unread
    /// while Session has enough, or the client has sent its end.
    pub(super) fn is_blind(&self, session: &Session) -> bool {
        !matches!(self.state, State::Lost { .. }) && !session.wants_read()
    }

    /// What has to happen on the socket before anything can go on.
    pub(super) fn interest(&self, session: &Session) -> Readiness {
        self.wire.not_ready(Readiness {
            readable: matches!(self.state, State::Open | State::Mute) && session.wants_read(),
            writable: !self.is_broken() && !session.transmit().is_empty(),
        })
    }

    /// Hands Session what the client has sent, once; returns `true` if anything came.
    pub(super) fn receive(&mut self, cx: &mut Context<'_>) -> bool {
        if self.state == State::Handshaking {
            return self.handshake(cx);
        }
        if !cx.session.wants_read() {
            return false;
        }
        if !self.unread.is_empty() {
            let consumed = cx.session.receive(&self.unread, cx.now);
            self.unread.drain(..consumed);
            if self.unread.is_empty() {
                // Many sessions are idle: they hold no buffer.
                self.unread = Vec::new();
            }
            return consumed > 0;
        }
        if !matches!(self.state, State::Open | State::Mute) {
            return false;
        }
        let mut buffer = [0; READ];
        let mut fresh: &[u8] = &[];
        match self.wire.read(&self.socket, &mut buffer) {
            Flow::Moved(count) => fresh = &buffer[..count],
            Flow::Blocked => return false,
            // An end is one also where TLS has not announced it: nothing depends on what might have
            // been cut off after a whole line.
            Flow::Ended => self.ended(cx),
            Flow::Broken(error) if error.kind() == io::ErrorKind::UnexpectedEof => self.ended(cx),
            Flow::Broken(error) => self.lost(&error, cx),
        }
        let consumed = cx.session.receive(fresh, cx.now);
        self.unread.extend_from_slice(&fresh[consumed..]);
        consumed > 0 || self.unread.is_empty()
    }

    /// Hands Session all that has come, whatever is known of the socket.
    pub(super) fn check(&mut self, cx: &mut Context<'_>) {
        self.wire.set_ready(Readiness::READABLE);
        self.receive_all(cx);
        self.look_for_end(cx);
        // Session may want what it had no room for before: there may be a QUIT.
        self.receive_all(cx);
    }

    fn receive_all(&mut self, cx: &mut Context<'_>) {
        for _ in 0..PORTIONS_AT_ONCE {
            if !self.receive(cx) {
                break;
            }
        }
    }

    fn ended(&mut self, cx: &mut Context<'_>) {
        if self.state == State::Mute {
            return self.lost(&io::ErrorKind::BrokenPipe.into(), cx);
        }
        self.state = State::HalfClosed;
        // Where the place is taken away, that is what the end means.
        let evicted = cx.permit.eviction() != Eviction::No;
        cx.handle(if evicted { Event::Evicted } else { Event::ControlClosed });
    }

    /// Begins TLS. What Session has not consumed can only be the client's part of the handshake.
    pub(super) fn start_tls(&mut self, connection: ServerConnection) {
        self.wire.start_tls(connection, std::mem::take(&mut self.unread), READ);
        if !matches!(self.state, State::Lost { .. }) {
            self.state = State::Handshaking;
        }
        self.certificate = None;
    }

    /// Goes back to clear text.
    pub(super) fn end_tls(&mut self) {
        self.wire.end_tls();
    }

    fn handshake(&mut self, cx: &mut Context<'_>) -> bool {
        match self.wire.handshake(&self.socket) {
            Progress::Blocked => return false,
            Progress::Done => {
                self.state = State::Open;
                self.certificate = self.wire.tls().and_then(client_certificate);
                cx.handle(Event::TlsStarted { certificate: self.certificate.is_some() });
            }
            Progress::Broken(error) => self.lost(&error, cx),
        }
        true
    }

    /// Returns the certificate that the client has shown, if any.
    pub(super) fn client_certificate(&self) -> Option<&ClientCertificate> {
        self.certificate.as_ref()
    }

    /// Looks without reading whether the connection is lost, or the client has closed its side, and
    /// tells Session of it. The commands that stand before such an end are read in their turn.
    pub(super) fn look_for_end(&mut self, cx: &mut Context<'_>) {
        if !self.is_blind(cx.session) {
            return;
        }
        match (look_for_end(&self.socket), self.state) {
            (End::OfAll, state) => {
                self.state = match state {
                    State::Open | State::Mute => State::Mute,
                    _ => State::Lost { refused: false },
                };
                cx.handle(Event::ControlLost);
                // What came before may still be read, and shows its own end.
                self.wire.set_ready(Readiness::READABLE);
            }
            (End::OfInput, State::Open | State::Handshaking | State::Mute) => {
                cx.handle(Event::ControlEnding);
            }
            (End::OfInput | End::None, _) => {}
        }
    }

    /// Sends replies; returns `true` if any byte went.
    pub(super) fn transmit(&mut self, cx: &mut Context<'_>) -> bool {
        if self.is_broken() {
            let count = cx.session.transmit().len();
            cx.session.transmitted(count, cx.now);
            return count > 0;
        }
        let flow = if cx.session.transmit().is_empty() {
            match self.wire.flush(&self.socket) {
                Progress::Done | Progress::Blocked => Flow::Blocked,
                Progress::Broken(error) => Flow::Broken(error),
            }
        } else {
            self.wire.write(&self.socket, cx.session.transmit())
        };
        match flow {
            Flow::Moved(count) => cx.session.transmitted(count, cx.now),
            Flow::Blocked => return false,
            Flow::Ended | Flow::Broken(_) => self.fall_silent(cx),
        }
        true
    }

    /// A reply cannot be sent. What the client sent before is heard first.
    fn fall_silent(&mut self, cx: &mut Context<'_>) {
        match self.state {
            State::Open | State::Mute => {
                self.state = State::Mute;
                self.wire.set_ready(Readiness::READABLE);
            }
            State::Lost { .. } => self.state = State::Lost { refused: false },
            State::Handshaking | State::HalfClosed => {
                self.lost(&io::ErrorKind::BrokenPipe.into(), cx);
            }
        }
    }

    /// Nothing can be said or heard any more.
    fn lost(&mut self, error: &io::Error, cx: &mut Context<'_>) {
        let refused = error.kind() == io::ErrorKind::InvalidData;
        if self.wire.tls().is_some() && refused {
            wharf_storage::log_limited!(Info, "{}: TLS broken: {error}", self.peer);
        }
        // An alert can only be read where something can still be sent.
        let refused = refused && self.state != State::Mute;
        self.state = State::Lost { refused };
        self.unread.clear();
        cx.handle(Event::ControlLost);
    }

    /// Goes on with the lingering close: says that no more replies come, and discards what the client
    /// still sends; returns `true` if its end has come.
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
