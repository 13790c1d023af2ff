//! From the socket to a file, through two buffers.

use std::io;
use std::sync::Arc;

use socket2::Socket;
use wharf_core::{Mode, RequestId, TransferEnd};

use crate::transfer::files::OpenFile;
use crate::transfer::memory::{SMALLEST, Share};
use crate::wire::{Flow, Wire};

use super::sink::{Chunk, Sink};
use super::step::{PumpStep, Pumped};

/// The first buffer, in bytes: enough for a client that is not fast.
const FIRST: usize = SMALLEST;

/// Fills a buffer from the socket while a job writes the other.
///
/// When the client is fast, a job gets a whole buffer, and the next one is twice as large; when it is
/// slow, what there is. In MODE Z a buffer may expand to a thousand times its length: it stays small,
/// and a job writes a portion of it, so that this takes no more memory, holds up no other, and stops
/// when it is told to.
pub(crate) struct Receive {
    id: RequestId,
    /// The file, while no job has it.
    sink: Option<Sink>,
    /// `filled` bytes, and then room.
    buffer: Vec<u8>,
    filled: usize,
    /// The other buffer, while no job has it.
    other: Chunk,
    /// How many bytes may still come, where that is limited.
    left: Option<u64>,
    /// How large a buffer is made.
    capacity: usize,
    /// What comes may expand: MODE Z.
    expands: bool,
    /// How it ends, once all that came has been written.
    end: Option<TransferEnd>,
    /// What came has been written, and what the filters held back; or is not to be.
    flushed: bool,
    share: Arc<Share>,
}

impl Receive {
    /// Makes one that takes `most` bytes at the most, where that is limited.
    pub(super) fn new(
        id: RequestId,
        sink: Sink,
        mode: Mode,
        most: Option<u64>,
        share: Arc<Share>,
    ) -> Self {
        Self {
            id,
            sink: Some(sink),
            buffer: Vec::new(),
            filled: 0,
            other: Chunk::default(),
            left: most,
            capacity: FIRST,
            expands: mode != Mode::Stream,
            end: None,
            flushed: false,
            share,
        }
    }

    pub(super) fn step(&mut self, wire: &mut Wire, socket: &Socket) -> PumpStep {
        if self.other.has_more && self.sink.is_some() {
            return self.write();
        }
        if self.wants_more() {
            if self.filled == 0 && self.buffer.len() < self.capacity {
                self.buffer.resize(self.capacity, 0);
            }
            match wire.read(socket, &mut self.buffer[self.filled..]) {
                Flow::Moved(count) => {
                    self.take(count);
                    return PumpStep::Moved(count);
                }
                Flow::Blocked if self.filled == 0 => return PumpStep::Blocked,
                Flow::Blocked => {}
                Flow::Ended => {
                    self.end = Some(TransferEnd::Complete);
                    // A client may wait for our end within TLS. There is room for it: nothing else
                    // has been sent.
                    wire.close(socket);
                }
                Flow::Broken(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                    self.end = Some(TransferEnd::Unannounced);
                }
                Flow::Broken(error) => {
                    log::debug!("data connection lost: {error}");
                    self.end = Some(TransferEnd::DataLost);
                }
            }
        }
        match self.end {
            Some(end) if self.flushed && self.sink.is_some() => PumpStep::Ended(end),
            _ => self.write(),
        }
    }

    /// Counts bytes that have come; those beyond the limit are dropped, and the last.
    fn take(&mut self, count: usize) {
        let left = self.left.map_or(count, |left| usize::try_from(left).unwrap_or(usize::MAX));
        let kept = count.min(left);
        self.left = self.left.map(|left| left - kept as u64);
        self.filled += kept;
        if kept < count {
            self.end = Some(TransferEnd::Excess);
        }
    }

    /// Returns `true` if a buffer expands to more than has been written of it.
    pub(super) fn is_expanding(&self) -> bool {
        self.other.has_more
    }

    /// Returns `true` if bytes from the client have a place to go; else backpressure holds them up.
    pub(super) fn wants_more(&self) -> bool {
        self.end.is_none() && (self.buffer.is_empty() || self.filled < self.buffer.len())
    }

    /// Makes the job that writes what is in the buffer, and at the end what the filters hold; before
    /// that, what is left of the other.
    fn write(&mut self) -> PumpStep {
        let Some(mut sink) = self.sink.take() else { return PumpStep::Waiting };
        let mut chunk = std::mem::take(&mut self.other);
        if !chunk.has_more {
            if self.filled == self.capacity && !self.expands {
                self.capacity = self.share.buffer().min(self.capacity * 2);
            }
            std::mem::swap(&mut chunk.buffer, &mut self.buffer);
            chunk.left = 0..std::mem::take(&mut self.filled);
            chunk.is_last = self.end.is_some();
        }
        let share = self.share.clone();
        PumpStep::write(move || {
            let _share = share;
            let outcome = sink.write(&mut chunk);
            Pumped::Emptied(sink, chunk, outcome)
        })
    }

    pub(super) fn emptied(&mut self, sink: Sink, chunk: Chunk, outcome: Result<(), TransferEnd>) {
        self.sink = Some(sink);
        self.other = chunk;
        self.flushed |= self.other.is_last && !self.other.has_more;
        if let Err(end) = outcome {
            // Even a transfer that was stopped meanwhile: that the disk is full says more.
            self.end = Some(end);
            self.flushed = true;
        }
        self.other.has_more &= !self.flushed;
    }

    pub(super) fn stop(&mut self) {
        if self.expands && !self.flushed {
            // What has come is not to be expanded any more.
            self.end = Some(TransferEnd::Stopped);
            self.flushed = true;
            self.other.has_more = false;
        }
        self.end.get_or_insert(TransferEnd::Stopped);
    }

    pub(super) fn take_written(&mut self) -> Option<(RequestId, OpenFile)> {
        Some((self.id, OpenFile::Write(self.sink.take()?.into_file())))
    }
}
