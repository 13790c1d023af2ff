//! From the socket to a file, through a buffer.

use std::io;
use std::sync::Arc;

use socket2::Socket;
use wharf_core::{Mode, RequestId, TransferEnd};

use crate::transfer::files::OpenFile;
use crate::transfer::memory::{LARGEST, SMALLEST, Share};
use crate::wire::{Flow, Wire};

use super::sink::{Chunk, Sink};
#[cfg(target_os = "linux")]
use super::splice::{Pipe, Spliced};
use super::step::{PumpStep, Thread};

/// The first buffer, in bytes: enough for a client that is not fast.
const FIRST: usize = SMALLEST;

/// Fills a buffer from the socket, writes it, and so on.
///
/// When the client is fast, a whole buffer is written, and the next one is twice as large; when it is
/// slow, what there is. In MODE Z a buffer may expand to a thousand times its length: it stays small,
/// and a step writes a portion of it, so that this takes no more memory, holds up no other, and stops
/// when it is told to.
pub(crate) struct Receive {
    id: RequestId,
    sink: Sink,
    /// What has come, and room for more.
    chunk: Chunk,
    /// How many bytes may still come, where that is limited.
    left: Option<u64>,
    /// How large the buffer is made.
    capacity: usize,
    /// What comes may expand: MODE Z.
    expands: bool,
    /// How much the kernel moves to the file at once, in bytes; 0 where it cannot. Until it has, no more
    /// than a buffer, in case it all has to be taken back.
    #[cfg(target_os = "linux")]
    spliced_at_once: usize,
    /// What it moves them through, once it does.
    #[cfg(target_os = "linux")]
    pipe: Option<Pipe>,
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
            sink,
            chunk: Chunk::default(),
            left: most,
            capacity: FIRST,
            expands: mode != Mode::Stream,
            #[cfg(target_os = "linux")]
            spliced_at_once: FIRST,
            #[cfg(target_os = "linux")]
            pipe: None,
            end: None,
            flushed: false,
            share,
        }
    }

    pub(super) fn step(&mut self, wire: &mut Wire, socket: &Socket, on: Thread) -> PumpStep {
        #[cfg(target_os = "linux")]
        if on == Thread::Worker
            && self.may_splice(wire)
            && let Some(step) = self.splice(wire, socket)
        {
            return step;
        }
        if self.wants_more()
            && let Some(step) = self.receive(wire, socket)
        {
            return step;
        }
        match self.end {
            Some(end) if self.flushed => PumpStep::Ended(end),
            _ if on == Thread::Driver && !self.sink.is_at_hand() => PumpStep::File,
            _ => self.write(),
        }
    }

    /// Returns `true` if what comes may go to the file within the kernel. What is limited is counted
    /// here.
    #[cfg(target_os = "linux")]
    fn may_splice(&self, wire: &Wire) -> bool {
        self.spliced_at_once > 0
            && self.end.is_none()
            && self.left.is_none()
            && !self.holds_bytes()
            && wire.is_clear()
    }

    /// Moves a portion to the file within the kernel; returns `None` where that cannot be done.
    #[cfg(target_os = "linux")]
    fn splice(&mut self, wire: &mut Wire, socket: &Socket) -> Option<PumpStep> {
        let file = self.sink.plain_file()?;
        if self.pipe.is_none() {
            self.pipe = Pipe::new(self.share.buffer() == LARGEST);
        }
        let Some(pipe) = &mut self.pipe else {
            self.spliced_at_once = 0;
            return None;
        };
        match pipe.splice(wire, socket, file, self.spliced_at_once) {
            Spliced::Written(count) => {
                self.spliced_at_once = pipe.room;
                Some(PumpStep::Moved(count))
            }
            Spliced::Not(flow) => self.arrived(flow, wire, socket),
            Spliced::Failed(count, error) => {
                self.end = Some(TransferEnd::Storage(error));
                self.flushed = true;
                Some(PumpStep::Moved(count))
            }
            Spliced::Came(count, bytes) => {
                self.chunk.left = 0..bytes.len();
                self.chunk.buffer = bytes;
                self.spliced_at_once = 0;
                Some(PumpStep::Moved(count))
            }
        }
    }

    /// Reads from the wire; returns `None` when what has come is to be written.
    fn receive(&mut self, wire: &mut Wire, socket: &Socket) -> Option<PumpStep> {
        let Chunk { buffer, left: held, .. } = &mut self.chunk;
        if held.end == 0 && buffer.len() < self.capacity {
            buffer.resize(self.capacity, 0);
        }
        let flow = wire.read(socket, &mut buffer[held.end..]);
        self.arrived(flow, wire, socket)
    }

    /// Takes what came of reading; returns `None` when what has come is to be written.
    fn arrived(&mut self, flow: Flow, wire: &mut Wire, socket: &Socket) -> Option<PumpStep> {
        match flow {
            Flow::Moved(count) => {
                self.take(count);
                return Some(PumpStep::Moved(count));
            }
            Flow::Blocked if !self.holds_bytes() => return Some(PumpStep::Blocked),
            Flow::Blocked => {}
            Flow::Ended => {
                self.end = Some(TransferEnd::Complete);
                // A client may wait for our end within TLS. There is room for it: nothing else
                // has been sent.
                if wire.tls().is_some() {
                    wire.close(socket);
                }
            }
            Flow::Broken(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                self.end = Some(TransferEnd::Unannounced);
            }
            Flow::Broken(error) => {
                log::debug!("data connection lost: {error}");
                self.end = Some(TransferEnd::DataLost);
            }
        }
        None
    }

    /// Counts bytes that have come; those beyond the limit are dropped, and the last.
    fn take(&mut self, count: usize) {
        let left = self.left.map_or(count, |left| usize::try_from(left).unwrap_or(usize::MAX));
        let kept = count.min(left);
        self.left = self.left.map(|left| left - kept as u64);
        self.chunk.left.end += kept;
        if kept < count {
            self.end = Some(TransferEnd::Excess);
        }
    }

    /// Returns `true` if the buffer expands to more than has been written of it.
    pub(super) fn is_expanding(&self) -> bool {
        self.chunk.has_more
    }

    /// Returns `true` if something has come that is not written.
    pub(super) fn holds_bytes(&self) -> bool {
        self.chunk.left.end > 0
    }

    /// Returns `true` if bytes from the client have a place to go; else backpressure holds them up.
    pub(super) fn wants_more(&self) -> bool {
        let Chunk { buffer, left, has_more, .. } = &self.chunk;
        self.end.is_none() && !has_more && (buffer.is_empty() || left.end < buffer.len())
    }

    /// Writes what is in the buffer, and at the end what the filters hold.
    fn write(&mut self) -> PumpStep {
        let chunk = &mut self.chunk;
        if !chunk.has_more && chunk.left.len() == self.capacity && !self.expands {
            self.capacity = self.share.buffer().min(self.capacity * 2);
        }
        chunk.is_last = self.end.is_some();
        let outcome = self.sink.write(chunk);
        if !chunk.has_more {
            chunk.left = 0..0;
            self.flushed |= chunk.is_last;
        }
        if let Err(end) = outcome {
            // Even a transfer that was stopped meanwhile: that the disk is full says more.
            self.end = Some(end);
            self.flushed = true;
        }
        chunk.has_more &= !self.flushed;
        PumpStep::Written { gained: chunk.gained }
    }

    pub(super) fn stop(&mut self) {
        if self.expands && !self.flushed {
            // What has come is not to be expanded any more.
            self.end = Some(TransferEnd::Stopped);
            self.flushed = true;
            self.chunk.has_more = false;
        }
        self.end.get_or_insert(TransferEnd::Stopped);
    }

    /// Gives up the file, once it has ended: it is to be finished under its id.
    pub(crate) fn into_written(self) -> (RequestId, OpenFile) {
        (self.id, OpenFile::Write(self.sink.into_file()))
    }
}
