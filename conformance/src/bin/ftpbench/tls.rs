//! A connection within TLS, of either side.
//!
//! rustls' usual connections take 4 KiB at a time, and copy each byte four times on its way in. Those
//! without buffers decrypt where a record was read, and take half the processor time to receive.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};

use rustls::client::{ClientConnectionData, UnbufferedClientConnection};
use rustls::server::{ServerConnectionData, UnbufferedServerConnection};
use rustls::unbuffered::{
    AppDataRecord, ConnectionState, EncodeError, EncryptError, UnbufferedStatus,
};

/// More than any flight of a handshake.
const MOST_HELD: usize = 1 << 20;

/// A side of TLS. rustls has the same method for both, and no trait.
pub(crate) trait Side {
    /// What rustls knows of a side.
    type Data;

    /// Has rustls process what has come.
    fn process<'c, 'i>(&'c mut self, come: &'i mut [u8]) -> UnbufferedStatus<'c, 'i, Self::Data>;
}

impl Side for UnbufferedClientConnection {
    type Data = ClientConnectionData;

    fn process<'c, 'i>(&'c mut self, come: &'i mut [u8]) -> UnbufferedStatus<'c, 'i, Self::Data> {
        self.process_tls_records(come)
    }
}

impl Side for UnbufferedServerConnection {
    type Data = ServerConnectionData;

    fn process<'c, 'i>(&'c mut self, come: &'i mut [u8]) -> UnbufferedStatus<'c, 'i, Self::Data> {
        self.process_tls_records(come)
    }
}

/// Room for one connection after another.
#[derive(Debug, Default)]
pub(crate) struct Buffers {
    /// Records as they came.
    received: Vec<u8>,
    /// Records to send.
    sending: Vec<u8>,
    /// Decrypted, and not read yet.
    plain: Vec<u8>,
}

impl Buffers {
    /// Makes buffers that take so much from the socket at a time.
    pub(crate) fn new(portion: usize) -> Self {
        Self { received: vec![0; portion], ..Self::default() }
    }
}

/// A connection within TLS.
pub(crate) struct TlsWire<S> {
    socket: TcpStream,
    tls: S,
    buffers: Buffers,
    /// Which part of what was received is still to be processed.
    begin: usize,
    end: usize,
    /// How much is to be sent of the handshake.
    waiting: usize,
}

/// What to send, when that is possible.
#[derive(Clone, Copy)]
enum Outgoing<'a> {
    Nothing,
    Bytes(&'a [u8]),
    CloseNotify,
}

/// What came of processing.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    /// There is more to process.
    More,
    /// All is processed, and what was to be sent is sent.
    Ready,
    /// The handshake waits for the peer.
    Blocked,
    /// The peer has sent close_notify.
    Ended,
}

impl<S: Side> TlsWire<S> {
    /// Does the handshake.
    pub(crate) fn handshake(socket: TcpStream, tls: S, buffers: Buffers) -> io::Result<Box<Self>> {
        let mut wire = Box::new(Self { socket, tls, buffers, begin: 0, end: 0, waiting: 0 });
        wire.buffers.plain.clear();
        wire.send(Outgoing::Nothing)?;
        Ok(wire)
    }

    /// Returns the buffers, for the next connection.
    pub(crate) fn into_buffers(self) -> Buffers {
        self.buffers
    }

    /// Shows `see` all that comes until the end, and returns how much that was.
    pub(crate) fn receive(&mut self, see: &mut dyn FnMut(&[u8])) -> io::Result<u64> {
        // What came together with the handshake.
        let plain = std::mem::take(&mut self.buffers.plain);
        see(&plain);
        let mut total = plain.len() as u64;
        let mut count = |bytes: &[u8]| {
            see(bytes);
            total += bytes.len() as u64;
        };
        while self.advance(&mut count)? {}
        Ok(total)
    }

    /// Sends close_notify and FIN.
    pub(crate) fn end(&mut self) -> io::Result<()> {
        self.send(Outgoing::CloseNotify)?;
        self.socket.shutdown(Shutdown::Write)
    }

    /// Processes what has come, or waits for more; returns `false` at the end. An end without
    /// close_notify is one too: the bytes are counted.
    fn advance(&mut self, see: &mut dyn FnMut(&[u8])) -> io::Result<bool> {
        match self.step(Outgoing::Nothing, see)? {
            Step::More => Ok(true),
            Step::Ready | Step::Blocked => self.fill(),
            Step::Ended => Ok(false),
        }
    }

    /// Does what comes before, and sends this.
    fn send(&mut self, outgoing: Outgoing<'_>) -> io::Result<()> {
        let mut plain = std::mem::take(&mut self.buffers.plain);
        loop {
            match self.step(outgoing, &mut |bytes| plain.extend_from_slice(bytes))? {
                Step::More => {}
                Step::Blocked if self.fill()? => {}
                Step::Ready => break,
                Step::Blocked | Step::Ended => return Err(io::ErrorKind::UnexpectedEof.into()),
            }
        }
        self.buffers.plain = plain;
        Ok(())
    }

    fn step(&mut self, outgoing: Outgoing<'_>, see: &mut dyn FnMut(&[u8])) -> io::Result<Step> {
        let Buffers { received, sending, .. } = &mut self.buffers;
        let status = self.tls.process(&mut received[self.begin..self.end]);
        let UnbufferedStatus { mut discard, state, .. } = status;
        let step = match state.map_err(io::Error::other)? {
            ConnectionState::ReadTraffic(mut traffic) => {
                while let Some(record) = traffic.next_record() {
                    let AppDataRecord { discard: more, payload, .. } =
                        record.map_err(io::Error::other)?;
                    discard += more;
                    see(payload);
                }
                Step::More
            }
            ConnectionState::EncodeTlsData(mut data) => {
                self.waiting += fit(sending, self.waiting, |room| match data.encode(room) {
                    Err(EncodeError::InsufficientSize(error)) => {
                        Err(Fit::Needs(error.required_size))
                    }
                    encoded => encoded.map_err(|error| Fit::Fails(io::Error::other(error))),
                })?;
                Step::More
            }
            ConnectionState::TransmitTlsData(data) => {
                self.socket.write_all(&sending[..self.waiting])?;
                self.waiting = 0;
                data.done();
                Step::More
            }
            ConnectionState::WriteTraffic(mut traffic) => {
                let count = fit(sending, 0, |room| {
                    let encrypted = match outgoing {
                        Outgoing::Nothing => Ok(0),
                        Outgoing::Bytes(bytes) => traffic.encrypt(bytes, room),
                        Outgoing::CloseNotify => traffic.queue_close_notify(room),
                    };
                    match encrypted {
                        Err(EncryptError::InsufficientSize(error)) => {
                            Err(Fit::Needs(error.required_size))
                        }
                        encrypted => encrypted.map_err(|error| Fit::Fails(io::Error::other(error))),
                    }
                })?;
                self.socket.write_all(&sending[..count])?;
                Step::Ready
            }
            ConnectionState::BlockedHandshake => Step::Blocked,
            ConnectionState::PeerClosed | ConnectionState::Closed => Step::Ended,
            other => return Err(io::Error::other(format!("unexpected: {other:?}"))),
        };
        self.begin += discard;
        Ok(step)
    }

    /// Reads from the socket, once; returns `false` at the end.
    fn fill(&mut self) -> io::Result<bool> {
        let received = &mut self.buffers.received;
        received.copy_within(self.begin..self.end, 0);
        self.end -= self.begin;
        self.begin = 0;
        if self.end == received.len() {
            if received.len() >= MOST_HELD {
                return Err(io::Error::other("a record or a flight without an end"));
            }
            received.resize((received.len() * 2).max(4096), 0);
        }
        let count = self.socket.read(&mut received[self.end..])?;
        self.end += count;
        Ok(count > 0)
    }
}

/// Why something does not fit.
enum Fit {
    Needs(usize),
    Fails(io::Error),
}

/// Has `write` write to the buffer from `begin` on, and lets the buffer grow until it fits.
fn fit(
    buffer: &mut Vec<u8>,
    begin: usize,
    mut write: impl FnMut(&mut [u8]) -> Result<usize, Fit>,
) -> io::Result<usize> {
    loop {
        match write(&mut buffer[begin..]) {
            Ok(count) => return Ok(count),
            Err(Fit::Needs(size)) => buffer.resize(begin + size, 0),
            Err(Fit::Fails(error)) => return Err(error),
        }
    }
}

impl<S: Side> Read for TlsWire<S> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut plain = std::mem::take(&mut self.buffers.plain);
        while plain.is_empty() && self.advance(&mut |bytes| plain.extend_from_slice(bytes))? {}
        let count = plain.len().min(buffer.len());
        buffer[..count].copy_from_slice(&plain[..count]);
        plain.drain(..count);
        self.buffers.plain = plain;
        Ok(count)
    }
}

impl<S: Side> Write for TlsWire<S> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.send(Outgoing::Bytes(bytes))?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
