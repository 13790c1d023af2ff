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

use super::page_cache::PageCache;
use super::source::Source;
use super::step::{PumpStep, Pumped};

/// Bytes that never come up from the kernel.
///
/// The call runs where the driver runs, so it must not wait for a disk: what is not in the page
/// cache is read into it by a job first.
pub(crate) struct SendFile {
    /// The file, while no job has it.
    file: Option<Box<dyn ReadFile>>,
    offset: u64,
    /// Up to here the bytes are in the page cache, as far as one can know.
    warm: u64,
    cache: PageCache,
    /// What 150 has announced: not a byte more is sent, and not one less passes for all.
    end: u64,
    /// How it ends, when not by sending all.
    over: Option<TransferEnd>,
    /// What it takes to go on by hand, or to fill the page cache.
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
        let cache = PageCache::of(file.as_file());
        Self { file: Some(file), offset, warm: offset, cache, end, over: None, share }
    }

    /// Returns `None` where the kernel cannot do it for this file.
    pub(super) fn step(&mut self, wire: &mut Wire, socket: &Socket) -> Option<PumpStep> {
        let Some(file) = &self.file else { return Some(PumpStep::Waiting) };
        if let Some(end) = self.over {
            return Some(PumpStep::Ended(end));
        }
        if self.offset >= self.end {
            return Some(PumpStep::Sent);
        }
        let file = file.as_file()?;
        if self.offset >= self.warm {
            self.warm = self.end.min(self.offset + LARGEST as u64);
            if !self.cache.holds(file, self.warm - 1) {
                return Some(self.warm_up());
            }
        }
        let portion = (self.warm - self.offset) as usize;
        Some(match wire.send_file(socket, file, &mut self.offset, portion) {
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

    /// Makes the job that reads the next portion, to no other end than that the kernel has it.
    fn warm_up(&mut self) -> PumpStep {
        let Some(mut file) = self.file.take() else { return PumpStep::Waiting };
        let (mut offset, end, cache) = (self.offset, self.warm, self.cache);
        let share = self.share.clone();
        PumpStep::read(move || {
            let mut buffer = vec![0; share.buffer()];
            let outcome = loop {
                let left = buffer.len().min((end - offset) as usize);
                match file.read_at(offset, &mut buffer[..left]) {
                    Ok(count @ 1..) if offset + (count as u64) < end => offset += count as u64,
                    Ok(_) => break Ok(()),
                    Err(error) => break Err(error),
                }
            };
            let cache = cache.look_closer(file.as_file());
            Pumped::Warmed(file, cache, outcome)
        })
    }

    pub(super) fn warmed(
        &mut self,
        file: Box<dyn ReadFile>,
        cache: PageCache,
        outcome: Result<(), StorageError>,
    ) {
        self.file = Some(file);
        self.cache = cache;
        if let Err(error) = outcome {
            self.over.get_or_insert(TransferEnd::Storage(error));
        }
    }

    /// Returns `true` if there is something to send at once.
    pub(super) fn has_bytes(&self) -> bool {
        self.file.is_some()
    }

    pub(super) fn stop(&mut self) {
        self.over.get_or_insert(TransferEnd::Stopped);
    }

    /// Gives the file up, to go on from where it stands.
    pub(super) fn take_source(&mut self) -> Option<(Source, Arc<Share>)> {
        let file = self.file.take()?;
        let source = Source::file(file, Filter::Identity, self.offset, Some(self.end));
        Some((source, self.share.clone()))
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
        cache: PageCache,
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
        let mut send = SendFile { cache, ..SendFile::new(file, offset, end, share) };
        let (ours, mut theirs) = Socket::pair(Domain::UNIX, Type::STREAM, None).unwrap();
        ours.set_nonblocking(true).unwrap();
        let (mut wire, mut arrived, mut jobs) = (Wire::new(), Vec::new(), 0);
        let end = loop {
            match send.step(&mut wire, &ours).unwrap() {
                PumpStep::Moved(count) => {
                    let start = arrived.len();
                    arrived.resize(start + count, 0);
                    theirs.read_exact(&mut arrived[start..]).unwrap();
                }
                PumpStep::Blocked => wire.set_ready(crate::Readiness::BOTH),
                PumpStep::Job(job) => {
                    jobs += 1;
                    let Pumped::Warmed(file, cache, outcome) = job.run() else {
                        panic!("another outcome");
                    };
                    send.warmed(file, cache, outcome);
                }
                PumpStep::Sent => break None,
                PumpStep::Ended(end) => break Some(end),
                PumpStep::Waiting => panic!("it waits for nothing"),
            }
        };
        assert!(cache != PageCache::Unknown || arrived.is_empty() || jobs > 0);
        (arrived, end)
    }

    #[test]
    fn every_byte_comes_whatever_is_known_of_the_cache() {
        let content: Vec<u8> = (0..700_001_u32).map(|n| (n * 7 + n / 256) as u8).collect();
        for cache in [PageCache::Known, PageCache::All, PageCache::Unknown] {
            for offset in [0, 1, 262_144, 700_000] {
                for until in [700_001, 700_000, 300_000, 262_144, 1] {
                    let (arrived, end) = send(&content, cache, offset, Some(until));
                    assert_eq!(end, None);
                    let expected = content.get(offset as usize..until as usize);
                    assert!(arrived == expected.unwrap_or_default(), "{cache:?}, {offset}-{until}");
                }
                let (arrived, end) = send(&content, cache, offset, None);
                assert_eq!(end, None);
                assert!(arrived == content[offset as usize..], "{cache:?}, {offset}");
            }
        }
        assert_eq!(send(b"", PageCache::All, 0, None), (Vec::new(), None));
        assert_eq!(send(b"abc", PageCache::All, 1, Some(9)), (b"bc".to_vec(), None));
    }
}
