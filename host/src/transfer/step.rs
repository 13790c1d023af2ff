//! How a transfer goes on: step by step, and by work that may block.

use wharf_core::{StorageError, TransferEnd};
use wharf_storage::ReadFile;

#[cfg(target_os = "linux")]
use super::page_cache::PageCache;
use super::sink::{Chunk, Sink};
use super::source::Source;

/// What a step came to.
pub(crate) enum PumpStep {
    /// So many bytes moved over the wire; there may be more to do.
    Moved(usize),
    /// The wire cannot move: wait for the driver.
    Blocked,
    /// The file is to be read or written: wait for the outcome.
    Job(PumpJob),
    /// A job is out: wait for it.
    Waiting,
    /// The last byte of what is sent has been handed over.
    Sent,
    /// It is over otherwise.
    Ended(TransferEnd),
}

/// The part of a transfer that may block; its outcome goes to [`Pump::complete`].
///
/// [`Pump::complete`]: super::pump::Pump::complete
#[must_use = "the transfer waits for its outcome"]
pub(crate) enum PumpJob {
    /// Reads what is sent to the client.
    Read(PumpWork),
    /// Writes what has come from it.
    Write(PumpWork),
}

type PumpWork = Box<dyn FnOnce() -> Pumped + Send>;

/// What a [`PumpJob`] comes back with.
pub(crate) enum Pumped {
    /// The source, the buffer it filled, and whether there is more to come.
    Filled(Source, Vec<u8>, Result<bool, StorageError>),
    /// The file whose next bytes are in the page cache now.
    #[cfg(target_os = "linux")]
    Warmed(Box<dyn ReadFile>, PageCache, Result<(), StorageError>),
    /// The sink, and what it has left of what it was given.
    Emptied(Sink, Chunk, Result<(), TransferEnd>),
    /// Nothing: the storage panicked, and the file is gone.
    Lost,
}

impl PumpStep {
    pub(super) fn read(work: impl FnOnce() -> Pumped + Send + 'static) -> Self {
        Self::Job(PumpJob::Read(Box::new(work)))
    }

    pub(super) fn write(work: impl FnOnce() -> Pumped + Send + 'static) -> Self {
        Self::Job(PumpJob::Write(Box::new(work)))
    }
}

#[cfg(all(test, any(feature = "mode-z", feature = "directory")))]
impl PumpJob {
    pub(super) fn run(self) -> Pumped {
        let (Self::Read(work) | Self::Write(work)) = self;
        work()
    }
}
