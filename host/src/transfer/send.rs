//! From a file or a directory to the socket, through a buffer.

use std::sync::Arc;

use socket2::Socket;
use wharf_core::{StorageError, TransferEnd};

use crate::transfer::memory::Share;
use crate::wire::{Flow, Wire};

use super::source::Source;
use super::step::{PumpStep, Pumped};

/// Fills a buffer by a job, sends it, and so on.
pub(crate) struct Send {
    /// The source, while no job has it.
    source: Option<Source>,
    buffer: Vec<u8>,
    /// How many bytes of the buffer have been sent.
    sent: usize,
    /// How it ends, once the buffer is empty.
    end: Option<TransferEnd>,
    share: Arc<Share>,
}

impl Send {
    pub(super) fn new(source: Source, share: Arc<Share>) -> Self {
        Self { source: Some(source), buffer: Vec::new(), sent: 0, end: None, share }
    }

    pub(super) fn step(&mut self, wire: &mut Wire, socket: &Socket) -> PumpStep {
        if self.has_bytes() {
            return match wire.write(socket, &self.buffer[self.sent..]) {
                Flow::Moved(count) => {
                    self.sent += count;
                    PumpStep::Moved(count)
                }
                Flow::Blocked => PumpStep::Blocked,
                Flow::Ended | Flow::Broken(_) => PumpStep::Ended(TransferEnd::DataLost),
            };
        }
        if let Some(end) = self.end {
            if self.source.is_none() {
                return PumpStep::Waiting;
            }
            return if end == TransferEnd::Complete {
                PumpStep::Sent
            } else {
                PumpStep::Ended(end)
            };
        }
        let Some(mut source) = self.source.take() else { return PumpStep::Waiting };
        let mut buffer = std::mem::take(&mut self.buffer);
        self.sent = 0;
        let share = self.share.clone();
        PumpStep::read(move || {
            buffer.clear();
            let outcome = source.fill(&mut buffer, share.buffer());
            Pumped::Filled(source, buffer, outcome)
        })
    }

    /// Returns `true` if there is something to send at once.
    pub(super) fn has_bytes(&self) -> bool {
        self.sent < self.buffer.len()
    }

    pub(super) fn filled(
        &mut self,
        source: Source,
        buffer: Vec<u8>,
        outcome: Result<bool, StorageError>,
    ) {
        self.source = Some(source);
        if self.end.is_some() {
            return;
        }
        self.buffer = buffer;
        match outcome {
            Ok(true) => {}
            Ok(false) => self.end = Some(TransferEnd::Complete),
            Err(error) => {
                self.buffer.clear();
                self.end = Some(TransferEnd::Storage(error));
            }
        }
    }

    pub(super) fn stop(&mut self) {
        self.buffer.clear();
        self.sent = 0;
        self.end = Some(TransferEnd::Stopped);
    }
}
