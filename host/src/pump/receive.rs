//! From the socket to a file, through two buffers.

use socket2::Socket;
use wharf_core::{Filter, RequestId, StorageError, TransferEnd, ascii};

use crate::files::OpenFile;
use crate::job::{Job, Outcome};
use crate::storage::WriteFile;
use crate::wire::{Flow, Wire};

use super::{Pumped, Step};

/// The first buffer, in bytes: enough for a client that is not fast.
const SMALLEST: usize = 64 * 1024;

/// The largest buffer, in bytes: handing it to another thread costs little beside writing it.
const LARGEST: usize = 256 * 1024;

/// Fills a buffer from the socket while a job writes the other.
///
/// When the client is fast, a job gets a whole buffer, and the next one is twice as large; when it is
/// slow, what there is.
pub(crate) struct Receive {
    id: RequestId,
    /// The file, while no job has it.
    sink: Option<Sink>,
    /// `filled` bytes, and room behind them.
    buffer: Vec<u8>,
    filled: usize,
    /// The other buffer, while no job has it.
    spare: Vec<u8>,
    /// How many bytes may still come, where that is limited.
    left: Option<u64>,
    /// How large a buffer is made.
    capacity: usize,
    /// How it ends, once all that came has been written.
    end: Option<TransferEnd>,
    /// The filter has given out what it held back.
    flushed: bool,
}

/// Something that empties buffers. Its calls may block.
pub(crate) struct Sink {
    file: Box<dyn WriteFile>,
    /// The conversion of TYPE A, and its output.
    ascii: Option<(ascii::FromNetwork, Vec<u8>)>,
}

impl Receive {
    pub(super) fn new(
        id: RequestId,
        file: Box<dyn WriteFile>,
        filter: Filter,
        most: Option<u64>,
    ) -> Self {
        let ascii = (filter == Filter::Ascii).then(Default::default);
        Self {
            id,
            sink: Some(Sink { file, ascii }),
            buffer: Vec::new(),
            filled: 0,
            spare: Vec::new(),
            left: most,
            capacity: SMALLEST,
            end: None,
            flushed: false,
        }
    }

    pub(super) fn step(&mut self, wire: &mut Wire, socket: &Socket) -> Step {
        if self.wants_more() {
            if self.filled == 0 && self.buffer.len() < self.capacity {
                self.buffer.resize(self.capacity, 0);
            }
            match wire.read(socket, &mut self.buffer[self.filled..]) {
                Flow::Moved(count) => {
                    self.take(count);
                    return Step::Moved(count);
                }
                Flow::Blocked if self.filled == 0 => return Step::Blocked,
                Flow::Blocked => {}
                Flow::Ended => {
                    self.end = Some(TransferEnd::Complete);
                    // A client may wait for our end within TLS. There is room for it: nothing else
                    // has been sent.
                    wire.close(socket);
                }
                Flow::Broken(error) => {
                    log::debug!("data connection lost: {error}");
                    self.end = Some(TransferEnd::DataLost);
                }
            }
        }
        match self.end {
            Some(end) if self.flushed && self.sink.is_some() => Step::Ended(end),
            _ => self.write(),
        }
    }

    /// Takes note of bytes that have come; those beyond the limit are dropped, and the last.
    fn take(&mut self, count: usize) {
        let left = self.left.map_or(count, |left| usize::try_from(left).unwrap_or(usize::MAX));
        let kept = count.min(left);
        self.left = self.left.map(|left| left - kept as u64);
        self.filled += kept;
        if kept < count {
            self.end = Some(TransferEnd::Excess);
        }
    }

    /// Tells whether bytes from the client have a place to go.
    pub(super) fn wants_more(&self) -> bool {
        self.end.is_none() && (self.buffer.is_empty() || self.filled < self.buffer.len())
    }

    /// Makes the job that writes what is in the buffer, and at the end what the filter holds.
    fn write(&mut self) -> Step {
        let Some(mut sink) = self.sink.take() else { return Step::Waiting };
        if self.filled == self.capacity {
            self.capacity = LARGEST.min(self.capacity * 2);
        }
        let buffer = std::mem::replace(&mut self.buffer, std::mem::take(&mut self.spare));
        let filled = std::mem::take(&mut self.filled);
        let last = self.end.is_some();
        self.flushed = last;
        Step::Job(Job::new(move || {
            let outcome = sink.write(&buffer[..filled], last);
            Outcome::Pumped(Pumped::Emptied(sink, buffer, outcome))
        }))
    }

    pub(super) fn emptied(
        &mut self,
        sink: Sink,
        buffer: Vec<u8>,
        outcome: Result<(), StorageError>,
    ) {
        self.sink = Some(sink);
        self.spare = buffer;
        if let Err(error) = outcome {
            // Even a transfer that was stopped meanwhile: that the disk is full says more.
            self.end = Some(TransferEnd::Storage(error));
            self.flushed = true;
        }
    }

    pub(super) fn stop(&mut self) {
        self.end.get_or_insert(TransferEnd::Stopped);
    }

    pub(super) fn take_written(&mut self) -> Option<(RequestId, OpenFile)> {
        Some((self.id, OpenFile::Write(self.sink.take()?.file)))
    }
}

impl Sink {
    fn write(&mut self, bytes: &[u8], last: bool) -> Result<(), StorageError> {
        let Some((filter, converted)) = &mut self.ascii else {
            return if bytes.is_empty() { Ok(()) } else { self.file.write(bytes) };
        };
        converted.clear();
        filter.convert(bytes, converted);
        if last {
            filter.finish(converted);
        }
        if converted.is_empty() { Ok(()) } else { self.file.write(converted) }
    }
}
