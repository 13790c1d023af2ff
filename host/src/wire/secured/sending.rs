//! Records on their way to the socket.

use std::io::{self, Write};
use std::ops::Range;

use rustls::server::ServerConnectionData;
use rustls::unbuffered::{EncodeError, EncodeTlsData, EncryptError, WriteTraffic};

/// How much is encrypted before the socket has taken it, on a connection without transfers.
const MOST: usize = 64 * 1024;

/// What TLS is to say, when it can.
#[derive(Clone, Copy)]
pub(super) enum Outgoing<'a> {
    Nothing,
    Bytes(&'a [u8]),
    CloseNotify,
}

/// Records that the socket has not taken yet.
#[derive(Default)]
pub(super) struct Sending {
    buffer: Vec<u8>,
    /// Where in the buffer they are.
    held: Range<usize>,
    /// How many bytes are held at the most, where a transfer says so. Its buffer is kept.
    most: Option<usize>,
}

impl Sending {
    /// Holds this much at the most, and keeps the buffer for it.
    pub(super) fn keep(&mut self, most: usize) {
        self.most = Some(most);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    /// Returns how many bytes may be encrypted.
    pub(super) fn room(&self) -> usize {
        self.most.unwrap_or(MOST).saturating_sub(self.held.len())
    }

    /// Sends them; an error of the kind WouldBlock when not all went.
    pub(super) fn push(&mut self, socket: &mut impl Write) -> io::Result<()> {
        while !self.held.is_empty() {
            match socket.write(&self.buffer[self.held.clone()])? {
                0 => return Err(io::ErrorKind::WriteZero.into()),
                count => self.held.start += count,
            }
        }
        self.held = 0..0;
        if self.most.is_none() {
            // Many sessions are idle: they hold no buffer.
            self.buffer = Vec::new();
        }
        Ok(())
    }

    /// Takes a part of a handshake, or an alert.
    pub(super) fn encode(&mut self, data: &mut EncodeTlsData<'_, ServerConnectionData>) {
        let taken = self.add(|room| match data.encode(room) {
            Err(EncodeError::InsufficientSize(error)) => Err(Some(error.required_size)),
            encoded => encoded.map_err(|_| None),
        });
        debug_assert!(taken, "nothing is encoded twice");
    }

    /// Takes what TLS is to say. It fails when the keys are used up, and TLS cannot get others.
    pub(super) fn encrypt(
        &mut self,
        traffic: &mut WriteTraffic<'_, ServerConnectionData>,
        outgoing: Outgoing<'_>,
    ) -> io::Result<()> {
        let taken = self.add(|room| {
            let encrypted = match outgoing {
                Outgoing::Nothing => Ok(0),
                Outgoing::Bytes(bytes) => traffic.encrypt(bytes, room),
                Outgoing::CloseNotify => traffic.queue_close_notify(room),
            };
            match encrypted {
                Err(EncryptError::InsufficientSize(error)) => Err(Some(error.required_size)),
                encrypted => encrypted.map_err(|_| None),
            }
        });
        if taken { Ok(()) } else { Err(io::Error::other("TLS can encrypt no more")) }
    }

    /// Has `write` write what comes next. When that fails for want of room it says how much it needs,
    /// and the buffer grows; returns `false` if it fails otherwise.
    fn add(&mut self, mut write: impl FnMut(&mut [u8]) -> Result<usize, Option<usize>>) -> bool {
        if self.held.start > self.held.len() {
            self.buffer.copy_within(self.held.clone(), 0);
            self.held = 0..self.held.len();
        }
        loop {
            match write(&mut self.buffer[self.held.end..]) {
                Ok(count) => {
                    self.held.end += count;
                    return true;
                }
                Err(Some(size)) => self.buffer.resize(self.held.end + size, 0),
                Err(None) => return false,
            }
        }
    }
}
