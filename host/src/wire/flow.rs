//! What came of moving bytes, and which way they can move.

use std::io;

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

    /// Returns `true` if there is any.
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
    /// So many bytes moved. None: there is more to do, but others have their turn first.
    Moved(usize),
    /// Nothing can move before the driver says so.
    Blocked,
    /// The peer sends no more, and has said so.
    Ended,
    /// The connection is broken: by the network, by a peer that breaks TLS (the error is of the kind
    /// `InvalidData`), or by an end in order that came without close_notify (`UnexpectedEof`).
    Broken(io::Error),
}

/// How far a handshake, or an ending, has come.
#[derive(Debug)]
pub(crate) enum Progress {
    Done,
    Blocked,
    Broken(io::Error),
}

impl From<io::Result<()>> for Progress {
    fn from(outcome: io::Result<()>) -> Self {
        match outcome {
            Ok(()) => Progress::Done,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Progress::Blocked,
            Err(error) => Progress::Broken(error),
        }
    }
}

impl From<io::Result<usize>> for Flow {
    fn from(outcome: io::Result<usize>) -> Self {
        match outcome {
            Ok(0) => Flow::Ended,
            Ok(count) => Flow::Moved(count),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Flow::Blocked,
            Err(error) => Flow::Broken(error),
        }
    }
}
