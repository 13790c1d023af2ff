//! From a file to the socket within the kernel.

use std::io;

use socket2::Socket;
use wharf_core::{Filter, StorageError, TransferEnd};

use crate::storage::ReadFile;
use crate::storage::errors::storage_error;
use crate::wire::{Flow, Wire};

use super::{BUFFER, Source, Step};

/// Bytes that never come up from the kernel.
///
/// The call runs where the driver runs: it blocks only as long as the disk takes for one portion,
/// which the kernel reads ahead.
pub(crate) struct SendFile {
    file: Option<Box<dyn ReadFile>>,
    offset: u64,
    /// What 150 has announced: not a byte more is sent, and not one less passes for all.
    end: u64,
    stopped: bool,
}

impl SendFile {
    pub(super) fn new(file: Box<dyn ReadFile>, offset: u64) -> Self {
        let end = file.size();
        Self { file: Some(file), offset, end, stopped: false }
    }

    /// Returns `None` where the kernel cannot do it for this file.
    pub(super) fn step(&mut self, wire: &mut Wire, socket: &Socket) -> Option<Step> {
        if self.stopped {
            return Some(Step::Ended(TransferEnd::Stopped));
        }
        let left = self.end.saturating_sub(self.offset);
        if left == 0 {
            return Some(Step::Sent);
        }
        let file = self.file.as_ref()?.as_file()?;
        let portion = usize::try_from(left).map_or(BUFFER, |left| left.min(BUFFER));
        Some(match wire.send_file(socket, file, &mut self.offset, portion) {
            Flow::Moved(count) => Step::Moved(count),
            Flow::Blocked => Step::Blocked,
            Flow::Ended => {
                log::warn!("a file became shorter while it was sent");
                Step::Ended(TransferEnd::Storage(StorageError::Other))
            }
            Flow::Broken(error) if is_unsupported(&error) => return None,
            Flow::Broken(error) if is_of_network(&error) => {
                log::debug!("data connection lost: {error}");
                Step::Ended(TransferEnd::DataLost)
            }
            Flow::Broken(error) => {
                log::warn!("reading a file failed: {error}");
                Step::Ended(TransferEnd::Storage(storage_error(&error)))
            }
        })
    }

    pub(super) fn stop(&mut self) {
        self.stopped = true;
    }

    /// Gives the file up, to go on from where it stands.
    pub(super) fn take_source(&mut self) -> Option<Source> {
        Some(Source::file(self.file.take()?, Filter::Identity, self.offset))
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
    use rustix::io::Errno;
    [Errno::INVAL, Errno::NOSYS, Errno::OPNOTSUPP]
        .iter()
        .any(|errno| error.raw_os_error() == Some(errno.raw_os_error()))
}
