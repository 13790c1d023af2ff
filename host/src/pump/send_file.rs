//! From a file to the socket within the kernel.

use std::io;

use socket2::Socket;
use wharf_core::{Filter, TransferEnd};

use crate::storage::ReadFile;
use crate::wire::{Flow, Wire};

use super::{BUFFER, Source, Step};

/// Bytes that never come up from the kernel.
///
/// The call runs where the driver runs: it blocks only as long as the disk takes for one portion,
/// which the kernel reads ahead.
pub(crate) struct SendFile {
    file: Option<Box<dyn ReadFile>>,
    offset: u64,
    stopped: bool,
}

impl SendFile {
    pub(super) fn new(file: Box<dyn ReadFile>, offset: u64) -> Self {
        Self { file: Some(file), offset, stopped: false }
    }

    /// Returns `None` where the kernel cannot do it for this file.
    pub(super) fn step(&mut self, wire: &mut Wire, socket: &Socket) -> Option<Step> {
        if self.stopped {
            return Some(Step::Ended(TransferEnd::Stopped));
        }
        let file = self.file.as_ref()?.as_file()?;
        Some(match wire.send_file(socket, file, &mut self.offset, BUFFER) {
            Flow::Moved(count) => Step::Moved(count),
            Flow::Blocked => Step::Blocked,
            Flow::Ended => Step::Sent,
            Flow::Broken(error) if is_unsupported(&error) => return None,
            Flow::Broken(error) => {
                log::debug!("data connection lost: {error}");
                Step::Ended(TransferEnd::DataLost)
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

fn is_unsupported(error: &io::Error) -> bool {
    use rustix::io::Errno;
    [Errno::INVAL, Errno::NOSYS, Errno::OPNOTSUPP]
        .iter()
        .any(|errno| error.raw_os_error() == Some(errno.raw_os_error()))
}
