//! From a file or a directory to the socket, through a buffer.

use std::sync::Arc;

use socket2::Socket;
use wharf_core::TransferEnd;

use crate::transfer::memory::Share;
use crate::wire::{Flow, Wire};

use super::source::Source;
use super::step::{PumpStep, Thread};

/// Fills a buffer, sends it, and so on.
pub(crate) struct Send {
    source: Source,
    buffer: Vec<u8>,
    /// How many bytes of the buffer have been sent.
    sent: usize,
    /// How it ends, once the buffer is empty.
    end: Option<TransferEnd>,
    share: Arc<Share>,
}

impl Send {
    pub(super) fn new(source: Source, share: Arc<Share>) -> Self {
        Self { source, buffer: Vec::new(), sent: 0, end: None, share }
    }

    pub(super) fn step(&mut self, wire: &mut Wire, socket: &Socket, on: Thread) -> PumpStep {
        if !self.has_bytes() && self.end.is_none() {
            if on == Thread::Driver && !self.source.is_at_hand(self.share.buffer()) {
                return PumpStep::File;
            }
            self.fill();
        }
        match self.end {
            _ if self.has_bytes() => match wire.write(socket, &self.buffer[self.sent..]) {
                Flow::Moved(count) => {
                    self.sent += count;
                    PumpStep::Moved(count)
                }
                Flow::Blocked => PumpStep::Blocked,
                Flow::Ended | Flow::Broken(_) => PumpStep::Ended(TransferEnd::DataLost),
            },
            // A filter has kept what it got.
            None => PumpStep::Moved(0),
            Some(TransferEnd::Complete) => PumpStep::Sent,
            Some(end) => PumpStep::Ended(end),
        }
    }

    fn fill(&mut self) {
        self.sent = 0;
        match self.source.fill(&mut self.buffer, self.share.buffer()) {
            Ok(true) => {}
            Ok(false) => self.end = Some(TransferEnd::Complete),
            Err(error) => {
                self.buffer.clear();
                self.end = Some(TransferEnd::Storage(error));
            }
        }
    }

    pub(super) fn closes_at_once(&self) -> bool {
        self.source.closes_at_once()
    }

    fn has_bytes(&self) -> bool {
        self.sent < self.buffer.len()
    }

    pub(super) fn stop(&mut self) {
        self.buffer.clear();
        self.sent = 0;
        self.end = Some(TransferEnd::Stopped);
    }
}
