//! TLS over a socket that does not block.
//!
//! It is done by rustls' connections without buffers: they decrypt where a record was read. The usual
//! ones copy each byte four times on its way in, and hold a buffer while nothing happens.

mod sending;

use std::io::{self, Write};

use rustls::Error;
use rustls::unbuffered::{ConnectionState, UnbufferedStatus};

use crate::tls::ServerConnection;

use super::flow::{Flow, Progress, Readiness};
use super::link::Link;
use super::records::{Next, Records};

use sending::{Outgoing, Sending};

/// How many records are looked at in a turn, in case none brings a byte.
const RECORDS_AT_ONCE: usize = 16;

/// The TLS layer of a wire.
pub(super) struct Secured {
    connection: ServerConnection,
    records: Records,
    /// What has been decrypted and not read yet.
    plain: Vec<u8>,
    sending: Sending,
    /// The peer's close_notify has come.
    peer_closed: bool,
    /// What the peer, or the handshake, has done wrong: it is over.
    failed: Option<Error>,
    side: Side,
}

/// How far our own side of TLS has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Open,
    /// close_notify has been sent, or an alert: nothing more is.
    Closed,
    /// close_notify has been sent, and the connection is to go on in clear.
    Leaving,
}

/// Where decrypted bytes go.
#[derive(Default)]
struct Room<'a> {
    buffer: &'a mut [u8],
    /// How many bytes of the buffer have been filled.
    count: usize,
}

impl Secured {
    /// `early` has been read from the socket already; further reads take up to `portion` bytes.
    pub(super) fn new(connection: ServerConnection, early: Vec<u8>, portion: usize) -> Self {
        Self {
            connection,
            records: Records::new(early, portion),
            plain: Vec::new(),
            sending: Sending::default(),
            peer_closed: false,
            failed: None,
            side: Side::Open,
        }
    }

    /// Sets how much is encrypted before the socket has taken it.
    pub(super) fn set_buffer(&mut self, most: usize) {
        self.sending.keep(most);
    }

    /// Sets how much is read at once, when the peer is fast.
    pub(super) fn set_portion(&mut self, most: usize) {
        self.records.set_most(most);
    }

    pub(super) fn connection(&self) -> &ServerConnection {
        &self.connection
    }

    /// What TLS itself waits for, whatever the layer above wants.
    pub(super) fn interest(&self) -> Readiness {
        Readiness { readable: self.connection.is_handshaking(), writable: !self.sending.is_empty() }
    }

    /// Goes on with the handshake, until its last byte has left.
    pub(super) fn handshake(&mut self, link: &mut Link<'_>) -> Progress {
        self.shake_hands(link).into()
    }

    fn shake_hands(&mut self, link: &mut Link<'_>) -> io::Result<()> {
        loop {
            self.push(link)?;
            if !self.connection.is_handshaking() {
                return Ok(());
            }
            self.pull(link, &mut Room::default())?;
            if self.peer_closed {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }

    /// Reads what there is, as much as fits.
    pub(super) fn read(&mut self, link: &mut Link<'_>, buffer: &mut [u8]) -> Flow {
        if self.is_leaving() {
            // Our own end comes before what the peer says in clear.
            let _ = self.push(link);
        }
        let mut room = Room { buffer, count: 0 };
        room.take_from(&mut self.plain);
        for _ in 0..RECORDS_AT_ONCE {
            if room.is_full() || room.count > 0 && self.records.next() == Next::Nothing {
                break;
            }
            let outcome = match self.peer_closed {
                true if self.is_leaving() => Err(io::ErrorKind::WouldBlock.into()),
                true => return Ok(room.count).into(),
                false => self.pull(link, &mut room),
            };
            match outcome {
                Ok(()) => {}
                // What came before comes first.
                Err(_) if room.count > 0 => break,
                Err(error) => return Err(error).into(),
            }
        }
        Flow::Moved(room.count)
    }

    pub(super) fn write(&mut self, link: &mut Link<'_>, bytes: &[u8]) -> Flow {
        match self.push(link) {
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => return Flow::Broken(error),
            Err(_) if self.is_leaving() => return Flow::Blocked,
            Ok(()) if self.is_leaving() => return link.write(bytes).into(),
            // Bytes are taken as others leave, and not only when all have left: where a client is
            // slow, that something moves at all has to show.
            _ => {}
        }
        if self.connection.is_handshaking() {
            return Flow::Blocked;
        }
        let taken = self.sending.room().min(bytes.len());
        let written = self.process(&mut Room::default(), Outgoing::Bytes(&bytes[..taken]));
        match (written.and_then(|()| self.push(link)), taken) {
            (Err(error), _) if error.kind() != io::ErrorKind::WouldBlock => Flow::Broken(error),
            (_, 0) => Flow::Blocked,
            (_, taken) => Flow::Moved(taken),
        }
    }

    /// Sends what has been encrypted; an error of the kind WouldBlock when not all of it went.
    pub(super) fn push(&mut self, link: &mut Link<'_>) -> io::Result<()> {
        self.sending.push(link)
    }

    /// Sends close_notify, once all before it has left. Only what was before it can be missed: a
    /// peer need not wait for close_notify.
    pub(super) fn close(&mut self, link: &mut Link<'_>) -> Progress {
        if self.side == Side::Open {
            match self.push(link).into() {
                Progress::Done => {}
                unfinished => return unfinished,
            }
            self.end(Side::Closed);
        }
        match self.push(link).into() {
            Progress::Broken(_) => Progress::Done,
            progress => progress,
        }
    }

    /// Ends TLS, on a connection that goes on in clear.
    pub(super) fn leave(&mut self) {
        self.end(Side::Leaving);
    }

    fn end(&mut self, side: Side) {
        self.side = side;
        // Where TLS is broken there is nothing to say.
        let _ = self.process(&mut Room::default(), Outgoing::CloseNotify);
    }

    /// Returns `true` if both sides have left TLS: the peer by its close_notify, or by speaking in
    /// clear, as some clients do after CCC.
    pub(super) fn has_left(&self) -> bool {
        self.is_leaving()
            && self.sending.is_empty()
            && (self.peer_closed || self.records.next() == Next::Foreign)
    }

    /// Returns what the peer has sent after TLS.
    pub(super) fn into_rest(self) -> Vec<u8> {
        self.records.into_rest()
    }

    fn is_leaving(&self) -> bool {
        self.side == Side::Leaving
    }

    /// Processes the next record, or reads.
    fn pull(&mut self, link: &mut Link<'_>, room: &mut Room<'_>) -> io::Result<()> {
        match self.records.next() {
            _ if self.failed.is_some() => {}
            Next::Foreign if self.is_leaving() => return Err(io::ErrorKind::WouldBlock.into()),
            Next::Nothing => return self.fill(link),
            // TLS has the words for what is none.
            Next::Record | Next::Foreign => self.records.show(),
        }
        let outcome = self.process(room, Outgoing::Nothing);
        if outcome.is_err() {
            // The peer is told by an alert, if it still listens.
            let _ = self.push(link);
        }
        outcome
    }

    /// Reads more records.
    fn fill(&mut self, link: &mut Link<'_>) -> io::Result<()> {
        if self.records.fill(link)? > 0 {
            return Ok(());
        }
        if !self.connection.is_handshaking() && self.records.is_within_one() {
            let error = "the connection ended within a TLS record";
            return Err(io::Error::new(io::ErrorKind::ConnectionAborted, error));
        }
        Err(io::ErrorKind::UnexpectedEof.into())
    }

    /// Has TLS process all that it has been shown, and say this if it can.
    fn process(&mut self, room: &mut Room<'_>, outgoing: Outgoing<'_>) -> io::Result<()> {
        while self.failed.is_none() {
            let status = self.connection.process_tls_records(self.records.shown());
            let UnbufferedStatus { discard, state, .. } = status;
            let mut waits = false;
            match state {
                Ok(ConnectionState::ReadTraffic(mut traffic)) => {
                    while let Some(Ok(record)) = traffic.next_record() {
                        self.plain.extend_from_slice(room.put(record.payload));
                    }
                }
                Ok(ConnectionState::EncodeTlsData(mut data)) => self.sending.encode(&mut data),
                // That they leave is our own affair.
                Ok(ConnectionState::TransmitTlsData(data)) => data.done(),
                Ok(ConnectionState::PeerClosed) => self.peer_closed = true,
                Ok(ConnectionState::WriteTraffic(mut traffic)) => {
                    self.sending.encrypt(&mut traffic, outgoing)?;
                    waits = true;
                }
                Ok(_) => waits = true,
                Err(error) => self.fail(error),
            }
            self.records.discard(discard);
            if waits {
                return Ok(());
            }
        }
        let error = self.failed.clone().expect("it has failed");
        Err(io::Error::new(io::ErrorKind::InvalidData, error))
    }

    /// Ends TLS for what the peer has done, and has the alert ready.
    fn fail(&mut self, error: Error) {
        if self.side == Side::Open {
            self.side = Side::Closed;
        }
        self.failed = Some(error);
        while self.connection.wants_write() {
            let status = self.connection.process_tls_records(&mut []);
            let Ok(ConnectionState::EncodeTlsData(mut data)) = status.state else { return };
            self.sending.encode(&mut data);
        }
    }
}

impl Room<'_> {
    fn is_full(&self) -> bool {
        self.count == self.buffer.len()
    }

    /// Takes what fits, and returns the rest.
    fn put<'b>(&mut self, bytes: &'b [u8]) -> &'b [u8] {
        let count = bytes.len().min(self.buffer.len() - self.count);
        self.buffer[self.count..][..count].copy_from_slice(&bytes[..count]);
        self.count += count;
        &bytes[count..]
    }

    /// Takes what fits out of `bytes`.
    fn take_from(&mut self, bytes: &mut Vec<u8>) {
        let rest = self.put(bytes).len();
        if rest == 0 {
            // Many sessions are idle: they hold no buffer.
            *bytes = Vec::new();
        } else {
            bytes.drain(..bytes.len() - rest);
        }
    }
}
