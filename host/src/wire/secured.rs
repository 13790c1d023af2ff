//! TLS over a socket that does not block.

use std::io::{self, Read, Write};

use crate::tls::ServerConnection;

use super::flow::{Flow, Progress, Readiness};
use super::link::Link;
use super::records::{Next, Records};

/// How many records are looked at in a turn, in case none brings a byte.
const RECORDS_AT_ONCE: usize = 16;

/// How much is encrypted before the socket has taken it.
const BUFFER: usize = 64 * 1024;

/// The TLS layer of a wire.
pub(super) struct Secured {
    connection: ServerConnection,
    records: Records,
    /// The peer's close_notify has come.
    peer_closed: bool,
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

impl Secured {
    /// `early` has been read from the socket already; further reads take up to `portion` bytes.
    pub(super) fn new(mut connection: ServerConnection, early: Vec<u8>, portion: usize) -> Self {
        connection.set_buffer_limit(Some(BUFFER));
        let records = Records::new(early, portion);
        Self { connection, records, peer_closed: false, side: Side::Open }
    }

    /// Sets how much is encrypted before the socket has taken it.
    pub(super) fn set_buffer(&mut self, most: usize) {
        self.connection.set_buffer_limit(Some(most));
    }

    pub(super) fn connection(&self) -> &ServerConnection {
        &self.connection
    }

    /// What TLS itself waits for, whatever the layer above wants.
    pub(super) fn interest(&self) -> Readiness {
        Readiness {
            readable: self.connection.is_handshaking(),
            writable: self.connection.wants_write(),
        }
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
            self.pull(link)?;
            if self.peer_closed {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }

    pub(super) fn read(&mut self, link: &mut Link<'_>, buffer: &mut [u8]) -> Flow {
        if self.is_leaving() {
            // Our own end comes before what the peer says in clear.
            let _ = self.push(link);
        }
        for _ in 0..RECORDS_AT_ONCE {
            match self.connection.reader().read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Ok(0) if self.is_leaving() => return Flow::Blocked,
                // 0 is the peer's close_notify, and an end without it an error.
                outcome => return outcome.into(),
            }
            if let Err(error) = self.pull(link) {
                return Err(error).into();
            }
        }
        Flow::Moved(0)
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
        let taken = self.connection.writer().write(bytes);
        match (self.push(link), taken) {
            (Err(error), _) if error.kind() != io::ErrorKind::WouldBlock => Flow::Broken(error),
            (_, Ok(0)) => Flow::Blocked,
            (_, taken) => taken.into(),
        }
    }

    /// Sends what has been encrypted; an error of the kind WouldBlock when not all of it went.
    pub(super) fn push(&mut self, link: &mut Link<'_>) -> io::Result<()> {
        while self.connection.wants_write() {
            if self.connection.write_tls(link)? == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
        }
        Ok(())
    }

    /// Sends close_notify, once all before it has left. Only what was before it can be missed: a
    /// peer need not wait for close_notify.
    pub(super) fn close(&mut self, link: &mut Link<'_>) -> Progress {
        if self.side == Side::Open {
            match self.push(link).into() {
                Progress::Done => {}
                unfinished => return unfinished,
            }
            self.side = Side::Closed;
            self.connection.send_close_notify();
        }
        match self.push(link).into() {
            Progress::Broken(_) => Progress::Done,
            progress => progress,
        }
    }

    /// Ends TLS, on a connection that goes on in clear.
    pub(super) fn leave(&mut self) {
        self.side = Side::Leaving;
        self.connection.send_close_notify();
    }

    /// Returns `true` if both sides have left TLS: the peer by its close_notify, or by speaking in
    /// clear, as some clients do after CCC.
    pub(super) fn has_left(&self) -> bool {
        self.is_leaving()
            && !self.connection.wants_write()
            && (self.peer_closed || self.is_foreign())
    }

    /// Returns what the peer has sent after TLS.
    pub(super) fn into_rest(self) -> Vec<u8> {
        self.records.into_rest()
    }

    fn is_leaving(&self) -> bool {
        self.side == Side::Leaving
    }

    fn is_foreign(&self) -> bool {
        matches!(self.records.next(), Next::Foreign(_))
    }

    /// Processes what is at hand of one record, or reads.
    fn pull(&mut self, link: &mut Link<'_>) -> io::Result<()> {
        if self.is_leaving() && self.is_foreign() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        match self.records.next() {
            Next::Record(mut bytes) => {
                let taken = self.connection.read_tls(&mut bytes)?;
                self.records.took(taken);
            }
            // TLS has the words for it.
            Next::Foreign(mut bytes) => {
                self.connection.read_tls(&mut bytes)?;
            }
            Next::Nothing => return self.fill(link),
        }
        match self.connection.process_new_packets() {
            Ok(state) => {
                self.peer_closed |= state.peer_has_closed();
                Ok(())
            }
            Err(error) => {
                if self.side == Side::Open {
                    self.side = Side::Closed;
                }
                // The peer is told by an alert, if it still listens.
                let _ = self.push(link);
                Err(io::Error::new(io::ErrorKind::InvalidData, error))
            }
        }
    }

    /// Reads more records.
    fn fill(&mut self, link: &mut Link<'_>) -> io::Result<()> {
        if self.records.fill(link)? > 0 {
            return Ok(());
        }
        if self.connection.is_handshaking() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if self.records.is_within_one() {
            let error = "the connection ended within a TLS record";
            return Err(io::Error::new(io::ErrorKind::ConnectionAborted, error));
        }
        // An end without close_notify is for `read` to tell.
        self.connection.read_tls(&mut io::empty()).map(drop)
    }
}
