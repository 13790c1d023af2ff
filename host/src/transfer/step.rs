//! How a transfer goes on: step by step, on one thread or another.

use wharf_core::TransferEnd;

/// Where a step runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Thread {
    /// Where other sessions wait: no file is waited for.
    Driver,
    /// Where a storage call may block.
    Worker,
}

/// What a step came to.
#[derive(Debug)]
pub(crate) enum PumpStep {
    /// So many bytes moved over the wire; there may be more to do.
    Moved(usize),
    /// What had come was written; MODE Z has made so many bytes more of it.
    Written {
        /// In bytes.
        gained: u64,
    },
    /// The wire cannot move: wait for it.
    Blocked,
    /// The file is to be read or written, and that may block: go on on a worker's thread.
    File,
    /// The last byte of what is sent has been handed over.
    Sent,
    /// It is over otherwise.
    Ended(TransferEnd),
}
