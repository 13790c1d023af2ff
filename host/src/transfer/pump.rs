//! The pumps: what moves file bytes between a file and the data connection.
//!
//! A pump goes step by step: a step moves what can move without waiting for the wire. Where the file
//! would have to be waited for, that is left to a worker's [`Thread`]. A pump holds one bounded buffer.

#[cfg(all(test, feature = "mode-z"))]
mod tests;

use std::sync::Arc;

use socket2::Socket;
use wharf_core::{Filter, Lister, Mode, Plan, StorageError, TransferEnd};
use wharf_storage::Storage;

use crate::transfer::files::{Files, OpenFile};
use crate::transfer::memory::Share;
use crate::wire::{Readiness, Wire};

use super::deflate::is_built_in;
use super::listed::OpenTree;
use super::receive::Receive;
use super::send::Send;
#[cfg(target_os = "linux")]
use super::send_file::SendFile;
use super::sink::Sink;
use super::source::Source;
use super::step::{PumpStep, Thread};

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
    /// Makes the pump for a plan, whose file is taken out of `files`; a listing opens directories in
    /// `storage`. What is to be encrypted or
    /// deflated comes up from the kernel.
    pub(crate) fn new(
        plan: Plan,
        mode: Mode,
        files: &mut Files,
        storage: Option<Arc<dyn Storage>>,
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
                let rest = match directory.and_then(|id| files.take(id)) {
                    Some(OpenFile::Directory(entries)) => {
                        let tree = OpenTree::new(entries, storage);
                        Some((tree, Box::new(Lister::new(format))))
                    }
                    _ => None,
                };
                Pump::Send(Send::new(Source::listing(head, rest).in_mode(mode), share))
            }
        })
    }

    /// Moves what can move, about a buffer's worth.
    pub(crate) fn step(&mut self, wire: &mut Wire, socket: &Socket, on: Thread) -> PumpStep {
        match self {
            #[cfg(target_os = "linux")]
            Pump::SendFile(send) => match send.step(wire, socket, on) {
                Some(step) => step,
                // This file system cannot do it within the kernel: by hand, then.
                None => {
                    if let Pump::SendFile(send) = std::mem::replace(self, Pump::Lost) {
                        *self = Pump::Send(send.into_send());
                    }
                    self.step(wire, socket, on)
                }
            },
            Pump::Send(send) => send.step(wire, socket, on),
            Pump::Receive(receive) => receive.step(wire, socket, on),
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

    /// Returns `true` if more is to be written of what has come already: MODE Z.
    pub(crate) fn is_expanding(&self) -> bool {
        matches!(self, Pump::Receive(receive) if receive.is_expanding())
    }

    /// Returns what the next step waits for on the wire, once it is [blocked](PumpStep::Blocked).
    pub(crate) fn interest(&self) -> Readiness {
        let (readable, writable) = match self {
            #[cfg(target_os = "linux")]
            Pump::SendFile(_) => (false, true),
            Pump::Send(_) => (false, true),
            Pump::Receive(receive) => (receive.wants_more(), false),
            Pump::Lost => (false, false),
        };
        Readiness { readable, writable }
    }

    /// Returns `true` if nothing can be done before the wire moves.
    pub(crate) fn waits_for(&self, wire: &Wire) -> bool {
        let holds = matches!(self, Pump::Receive(receive) if receive.holds_bytes());
        !holds && wire.not_ready(self.interest()).any()
    }

    /// Returns `true` if what moves comes from the client.
    pub(crate) fn is_upload(&self) -> bool {
        matches!(self, Pump::Receive(_))
    }

    /// Returns `true` if dropping it, and the file that it sends, waits for nothing.
    pub(crate) fn closes_at_once(&self) -> bool {
        match self {
            #[cfg(target_os = "linux")]
            Pump::SendFile(send) => send.closes_at_once(),
            Pump::Send(send) => send.closes_at_once(),
            Pump::Receive(_) => false,
            Pump::Lost => true,
        }
    }
}
