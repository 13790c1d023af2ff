//! The pumps: what moves file bytes between a file and the data connection.
//!
//! A pump goes step by step. A step moves what can move without blocking, or hands out a
//! [`PumpJob`](super::step::PumpJob) when the file is to be read or written; it holds one bounded
//! buffer.

#[cfg(all(test, feature = "mode-z"))]
mod tests;

use std::sync::Arc;

use socket2::Socket;
use wharf_core::{Filter, Mode, Plan, RequestId, StorageError, TransferEnd};

use crate::transfer::files::{Files, OpenFile};
use crate::transfer::memory::Share;
use crate::wire::{Readiness, Wire};

use super::deflate::is_built_in;
use super::receive::Receive;
use super::send::Send;
#[cfg(target_os = "linux")]
use super::send_file::SendFile;
use super::sink::Sink;
use super::source::Source;
use super::step::{PumpStep, Pumped};

/// A transfer in motion.
pub(crate) enum Pump {
    /// From a file to the socket within the kernel.
    #[cfg(target_os = "linux")]
    SendFile(SendFile),
    /// From a file or a directory to the socket.
    Send(Send),
    /// From the socket to a file.
    Receive(Receive),
    /// The storage panicked, and the file is gone.
    Lost,
}

impl Pump {
    /// Makes the pump for a plan, whose file is taken out of `files`. What is to be encrypted or
    /// deflated comes up from the kernel.
    pub(crate) fn new(
        plan: Plan,
        mode: Mode,
        files: &mut Files,
        encrypted: bool,
        share: Arc<Share>,
    ) -> Option<Self> {
        if !is_built_in(mode) {
            return None;
        }
        Some(match plan {
            Plan::Send { file, filter, offset, end } => {
                let Some(OpenFile::Read(file)) = files.take(file) else { return None };
                #[cfg(not(target_os = "linux"))]
                let _ = encrypted;
                #[cfg(target_os = "linux")]
                if !encrypted
                    && (filter, mode) == (Filter::Identity, Mode::Stream)
                    && file.as_file().is_some()
                {
                    return Some(Pump::SendFile(SendFile::new(file, offset, end, share)));
                }
                Pump::Send(Send::new(Source::file(file, filter, offset, end).in_mode(mode), share))
            }
            Plan::Receive { file, filter, most } => {
                let Some(OpenFile::Write(write)) = files.take(file) else { return None };
                Pump::Receive(Receive::new(file, Sink::new(write, filter, mode), mode, most, share))
            }
            Plan::List { head, directory, format } => {
                let entries = match directory.and_then(|id| files.take(id)) {
                    Some(OpenFile::Directory(entries)) => Some(entries),
                    _ => None,
                };
                Pump::Send(Send::new(Source::listing(head, entries, format).in_mode(mode), share))
            }
        })
    }

    /// Moves what can move without blocking, about a buffer's worth.
    pub(crate) fn step(&mut self, wire: &mut Wire, socket: &Socket) -> PumpStep {
        match self {
            #[cfg(target_os = "linux")]
            Pump::SendFile(send) => {
                let step = send.step(wire, socket);
                match step {
                    Some(step) => step,
                    // This file system cannot do it within the kernel: by hand, then.
                    None => {
                        if let Some((source, share)) = send.take_source() {
                            *self = Pump::Send(Send::new(source, share));
                        }
                        self.step(wire, socket)
                    }
                }
            }
            Pump::Send(send) => send.step(wire, socket),
            Pump::Receive(receive) => receive.step(wire, socket),
            Pump::Lost => PumpStep::Ended(TransferEnd::Storage(StorageError::Panicked)),
        }
    }

    /// Breaks the transfer off: nothing more moves over the wire.
    pub(crate) fn stop(&mut self) {
        match self {
            #[cfg(target_os = "linux")]
            Pump::SendFile(send) => send.stop(),
            Pump::Send(send) => send.stop(),
            Pump::Receive(receive) => receive.stop(),
            Pump::Lost => {}
        }
    }

    /// Takes what a job comes back with. Of an upload it returns how many bytes more have been
    /// written than were taken for it: those that MODE Z makes.
    pub(crate) fn complete(&mut self, pumped: Pumped) -> Option<u64> {
        match (self, pumped) {
            (lost, Pumped::Lost) => *lost = Pump::Lost,
            (Pump::Send(send), Pumped::Filled(source, buffer, outcome)) => {
                send.filled(source, buffer, outcome);
            }
            #[cfg(target_os = "linux")]
            (Pump::SendFile(send), Pumped::Warmed(file, cache, outcome)) => {
                send.warmed(file, cache, outcome);
            }
            (Pump::Receive(receive), Pumped::Emptied(sink, chunk, outcome)) => {
                let gained = chunk.gained;
                receive.emptied(sink, chunk, outcome);
                return Some(gained);
            }
            _ => {}
        }
        None
    }

    /// Returns `true` if more is to be written of what has come already: MODE Z.
    pub(crate) fn is_expanding(&self) -> bool {
        matches!(self, Pump::Receive(receive) if receive.is_expanding())
    }

    /// Returns what the next step waits for on the wire; nothing while it waits for a job.
    pub(crate) fn interest(&self) -> Readiness {
        let (readable, writable) = match self {
            #[cfg(target_os = "linux")]
            Pump::SendFile(send) => (false, send.has_bytes()),
            Pump::Send(send) => (false, send.has_bytes()),
            Pump::Receive(receive) => (receive.wants_more(), false),
            Pump::Lost => (false, false),
        };
        Readiness { readable, writable }
    }

    /// Gives up the file, once the pump has ended, where it is a written one: it is to be finished
    /// under its id.
    pub(crate) fn take_written(&mut self) -> Option<(RequestId, OpenFile)> {
        match self {
            Pump::Receive(receive) => receive.take_written(),
            _ => None,
        }
    }
}
