//! From a file to the socket within the kernel.

use std::io;
use std::sync::Arc;

use rustix::io::Errno;
use socket2::Socket;
use wharf_core::{Filter, StorageError, TransferEnd};

use crate::transfer::memory::{LARGEST, Share};
use crate::wire::{Flow, Wire};
use wharf_storage::ReadFile;
use wharf_storage::storage_error;

use super::send::Send;
use super::source::Source;
use super::step::{PumpStep, Thread};

/// How much is sent at once where other sessions wait, in bytes.
const PORTION: u64 = LARGEST as u64;

/// How much is sent at once where none does, in bytes.
///
/// A call that sends more than a segment of 64 KiB wakes up the client several times, and cuts the
/// bytes where memory pages do not end: on the loopback of Linux 6.18, one client gets 4.5 GiB/s by
/// 48 KiB and 1.8 by 1 MiB, for less than half of the processor's time. Sixteen clients, who wait for
/// each other anyway, lose 6 %.
const SEGMENT: u64 = 48 * 1024;

/// Bytes that never come up from the kernel.
///
/// On the driver's thread the call must not wait for a disk: what is not at hand is sent on a
/// worker's.
pub(crate) struct SendFile {
    file: Box<dyn ReadFile>,
    offset: u64,
    /// Up to here the bytes are at hand.
    warm: u64,
    /// What 150 has announced: not a byte more is sent, and not one less passes for all.
    end: u64,
    stopped: bool,
    /// What it takes to go on by hand.
    share: Arc<Share>,
}

impl SendFile {
    pub(super) fn new(
        file: Box<dyn ReadFile>,
        offset: u64,
        end: Option<u64>,
        share: Arc<Share>,
    ) -> Self {
        let end = end.map_or(file.size(), |end| end.min(file.size()));
        Self { file, offset, warm: offset, end, stopped: false, share }
    }

    /// Returns `None` where the kernel cannot do it for this file.
    pub(super) fn step(
        &mut self,
        wire: &mut Wire,
        socket: &Socket,
        on: Thread,
    ) -> Option<PumpStep> {
        if self.stopped {
            return Some(PumpStep::Ended(TransferEnd::Stopped));
        }
        if self.offset >= self.end {
            return Some(PumpStep::Sent);
        }
        let file = self.file.as_file()?;
        let portion = match on {
            Thread::Worker => SEGMENT.min(self.end - self.offset),
            Thread::Driver if self.offset < self.warm => self.warm - self.offset,
            Thread::Driver => {
                let portion = PORTION.min(self.end - self.offset);
                if !self.file.is_at_hand(self.offset, portion) {
                    return Some(PumpStep::File);
                }
                self.warm = self.offset + portion;
                portion
            }
        };
        Some(match wire.send_file(socket, file, &mut self.offset, portion as usize) {
            Flow::Moved(count) => PumpStep::Moved(count),
            Flow::Blocked => PumpStep::Blocked,
            Flow::Ended => {
                wharf_storage::log_limited!(Warn, "a file became shorter while it was sent");
                PumpStep::Ended(TransferEnd::Storage(StorageError::Other))
            }
            Flow::Broken(error) if is_unsupported(&error) => return None,
            Flow::Broken(error) if is_of_network(&error) => {
                log::debug!("data connection lost: {error}");
                PumpStep::Ended(TransferEnd::DataLost)
            }
            Flow::Broken(error) => {
                wharf_storage::log_limited!(Warn, "reading a file failed: {error}");
                PumpStep::Ended(TransferEnd::Storage(storage_error(&error)))
            }
        })
    }

    pub(super) fn stop(&mut self) {
        self.stopped = true;
    }

    pub(super) fn closes_at_once(&self) -> bool {
        self.file.closes_at_once()
    }

    /// Goes on from where it stands by hand.
    pub(super) fn into_send(self) -> Send {
        let source = Source::file(self.file, Filter::Identity, self.offset, Some(self.end));
        Send::new(source, self.share)
    }
}

fn is_of_network(error: &io::Error) -> bool {
    use io::ErrorKind::*;
    matches!(
        error.kind(),
        BrokenPipe
            | ConnectionReset
            | ConnectionAborted
            | NotConnected
            | TimedOut
            | HostUnreachable
            | NetworkUnreachable
            | NetworkDown
    )
}

fn is_unsupported(error: &io::Error) -> bool {
    [Errno::INVAL, Errno::NOSYS, Errno::OPNOTSUPP]
        .iter()
        .any(|errno| error.raw_os_error() == Some(errno.raw_os_error()))
}

#[cfg(all(test, feature = "directory"))]
mod tests {
    use std::io::Read;

    use socket2::{Domain, Type};
    use wharf_core::{Mode, Plan, RequestId, VirtualPath};

    use super::*;
    use crate::transfer::memory::{Needs, TransferMemory};
    use wharf_storage::{Directory, Storage};

    /// Sends a file from `offset` on, up to `end`; returns what arrived, and how it ended.
    fn send(
        content: &[u8],
        on: Thread,
        offset: u64,
        end: Option<u64>,
    ) -> (Vec<u8>, Option<TransferEnd>) {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("file"), content).unwrap();
        let path = VirtualPath::root().join(b"file");
        let file = Directory::open(folder.path()).unwrap().open_read(&path).unwrap();
        let plan = Plan::Receive { file: RequestId(1), filter: Filter::Identity, most: None };
        let needs = Needs::of(&plan, Mode::Stream, false);
        let share = TransferMemory::new(1 << 30).share(needs).unwrap();
        let mut send = SendFile::new(file, offset, end, share);
        let (ours, mut theirs) = Socket::pair(Domain::UNIX, Type::STREAM, None).unwrap();
        ours.set_nonblocking(true).unwrap();
        let (mut wire, mut arrived, mut on) = (Wire::new(), Vec::new(), on);
        let end = loop {
            match send.step(&mut wire, &ours, on).unwrap() {
                PumpStep::Moved(count) => {
                    let start = arrived.len();
                    arrived.resize(start + count, 0);
                    theirs.read_exact(&mut arrived[start..]).unwrap();
                }
                PumpStep::Blocked => wire.set_ready(crate::Readiness::BOTH),
                PumpStep::File => {
                    assert_eq!(on, Thread::Driver);
                    on = Thread::Worker;
                }
                PumpStep::Sent => break None,
                PumpStep::Ended(end) => break Some(end),
                PumpStep::Written { .. } => panic!("it writes to no file"),
            }
        };
        (arrived, end)
    }

    #[test]
    fn every_byte_comes_on_either_thread() {
        let content: Vec<u8> = (0..700_001_u32).map(|n| (n * 7 + n / 256) as u8).collect();
        for on in [Thread::Driver, Thread::Worker] {
            for offset in [0, 1, 262_144, 700_000] {
                for until in [700_001, 700_000, 300_000, 262_144, 1] {
                    let (arrived, end) = send(&content, on, offset, Some(until));
                    assert_eq!(end, None);
                    let expected = content.get(offset as usize..until as usize);
                    assert!(arrived == expected.unwrap_or_default(), "{on:?}, {offset}-{until}");
                }
                let (arrived, end) = send(&content, on, offset, None);
                assert_eq!(end, None);
                assert!(arrived == content[offset as usize..], "{on:?}, {offset}");
            }
            assert_eq!(send(b"", on, 0, None), (Vec::new(), None));
            assert_eq!(send(b"abc", on, 1, Some(9)), (b"bc".to_vec(), None));
        }
    }
}
