//! From the socket to a file within the kernel, by way of a pipe (splice(2)).
//!
//! It takes a quarter to a third less of the processor than to read and to write.

use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};

use rustix::pipe::{PipeFlags, fcntl_setpipe_size, pipe_with};
use socket2::Socket;
use wharf_core::StorageError;
use wharf_storage::WriteFile;

use crate::wire::{Flow, Wire};

/// How much a pipe may hold, in bytes, while there is plenty. Those who are not root get such ones for some
/// dozens of uploads.
const LARGE: usize = 1024 * 1024;

/// The same where there is not. With less it is no gain.
const SMALL: usize = 256 * 1024;

/// A pipe, which is empty between two portions.
pub(super) struct Pipe {
    out: File,
    into: OwnedFd,
    /// How much it holds, in bytes.
    pub(super) room: usize,
}

/// What came of a portion.
pub(super) enum Spliced {
    /// So many bytes have been written.
    Written(usize),
    /// Nothing has come over the wire, and this is why.
    Not(Flow),
    /// So many bytes have come, and could not be written.
    Failed(usize, StorageError),
    /// So many bytes have come, and the file takes none from a pipe: these are still to be written.
    Came(usize, Vec<u8>),
}

impl Pipe {
    /// Makes one, with room for much where there is `plenty` of memory; `None` where there is none, or
    /// the user has many already.
    pub(super) fn new(plenty: bool) -> Option<Self> {
        let (out, into) = pipe_with(PipeFlags::CLOEXEC).ok()?;
        let mut rooms = [LARGE, SMALL].into_iter().skip(usize::from(!plenty));
        let room = rooms.find(|&room| fcntl_setpipe_size(&into, room).is_ok())?;
        Some(Self { out: out.into(), into, room })
    }

    /// Moves up to `most` bytes from the wire, which is in clear, to the file.
    pub(super) fn splice(
        &mut self,
        wire: &mut Wire,
        socket: &Socket,
        file: &mut dyn WriteFile,
        most: usize,
    ) -> Spliced {
        let count = match wire.splice(socket, self.into.as_fd(), most) {
            Flow::Moved(count) => count,
            flow => return Spliced::Not(flow),
        };
        let mut held = count;
        while held > 0 {
            match file.write_from_pipe(self.out.as_fd(), held) {
                Some(Ok(written @ 1..)) => held -= written.min(held),
                Some(Ok(0)) => return Spliced::Failed(count, StorageError::Other),
                Some(Err(error)) => return Spliced::Failed(count, error),
                None => {
                    let mut bytes = vec![0; held];
                    return match self.out.read_exact(&mut bytes) {
                        Ok(()) => Spliced::Came(count, bytes),
                        Err(_) => Spliced::Failed(count, StorageError::Other),
                    };
                }
            }
        }
        Spliced::Written(count)
    }
}
