//! From the socket to a file within the kernel, by way of a pipe (splice(2)).
//!
//! It takes a quarter to a third less of the processor than to read and to write.

use std::cell::RefCell;
use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};

use rustix::pipe::{PipeFlags, fcntl_setpipe_size, pipe_with};
use socket2::Socket;
use wharf_core::StorageError;
use wharf_storage::WriteFile;

use crate::wire::{Flow, Wire};

/// How much a pipe may hold, in bytes; the kernel may give less.
pub(super) const ROOM: usize = 1024 * 1024;

thread_local! {
    /// A worker's pipe, which is empty between two portions: so transfers need no more descriptors.
    static PIPE: RefCell<Option<Pipe>> = const { RefCell::new(None) };
}

struct Pipe {
    out: OwnedFd,
    into: OwnedFd,
}

/// What came of a portion.
pub(super) enum Spliced {
    /// So many bytes have been written.
    Written(usize),
    /// Nothing has come over the wire, and this is why.
    Not(Flow),
    /// So many bytes have come, and could not be written.
    Failed(usize, StorageError),
    /// The file takes none from a pipe; these bytes have come, and are to be written.
    Came(Vec<u8>),
    /// There is no pipe.
    NoPipe,
}

/// Moves up to `most` bytes from the wire, which is in clear, to the file.
pub(super) fn splice(
    wire: &mut Wire,
    socket: &Socket,
    file: &mut dyn WriteFile,
    most: usize,
) -> Spliced {
    PIPE.with_borrow_mut(|kept| {
        let Some(pipe) = kept.take().or_else(Pipe::new) else { return Spliced::NoPipe };
        let spliced = pipe.splice(wire, socket, file, most);
        // What may still hold bytes is not used again.
        *kept = (!matches!(spliced, Spliced::Failed(..))).then_some(pipe);
        spliced
    })
}

impl Pipe {
    fn new() -> Option<Self> {
        let (out, into) = pipe_with(PipeFlags::CLOEXEC).ok()?;
        // Else it holds less.
        let _ = fcntl_setpipe_size(&into, ROOM);
        Some(Self { out, into })
    }

    fn splice(
        &self,
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
                Some(Ok(_)) => return Spliced::Failed(count, StorageError::Other),
                Some(Err(error)) => return Spliced::Failed(count, error),
                None => return self.take_out(count, held),
            }
        }
        Spliced::Written(count)
    }

    fn take_out(&self, count: usize, held: usize) -> Spliced {
        let mut bytes = vec![0; held];
        match self
            .out
            .try_clone()
            .map(std::fs::File::from)
            .and_then(|mut out| out.read_exact(&mut bytes))
        {
            Ok(()) => Spliced::Came(bytes),
            Err(_) => Spliced::Failed(count, StorageError::Other),
        }
    }
}
