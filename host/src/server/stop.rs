//! How a server is told to stop.

use std::io;
use std::net::Shutdown;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Tells all threads of a server to stop, whatever they wait with.
#[derive(Clone, Debug)]
pub struct Stop {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    stopped: AtomicBool,
    writer: UnixStream,
    reader: UnixStream,
}

impl Stop {
    /// Makes a stop that has not been called.
    pub fn new() -> io::Result<Self> {
        let (writer, reader) = UnixStream::pair()?;
        reader.set_nonblocking(true)?;
        Ok(Self { shared: Arc::new(Shared { stopped: AtomicBool::new(false), writer, reader }) })
    }

    /// Stops the server. Further calls do nothing.
    pub fn call(&self) {
        self.shared.stopped.store(true, Ordering::Release);
        // The end of the stream is readable for everybody, for ever.
        let _ = self.shared.writer.shutdown(Shutdown::Both);
    }

    /// Tells whether it has been called.
    pub fn is_called(&self) -> bool {
        self.shared.stopped.load(Ordering::Acquire)
    }
}

/// The descriptor becomes readable, and stays so, once the stop has been called.
impl AsFd for Stop {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.shared.reader.as_fd()
    }
}
