//! How a server is told to stop.

use std::io;
use std::net::Shutdown;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Tells all threads of a server to stop, whatever they wait with. Clones stop the same server.
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

    /// Stops the server. It does not wait, and further calls do nothing.
    pub fn call(&self) {
        self.shared.stopped.store(true, Ordering::Release);
        // The end of the stream is readable for all threads, for ever.
        let _ = self.shared.writer.shutdown(Shutdown::Both);
    }

    /// Returns `true` if it has been called.
    pub fn is_called(&self) -> bool {
        self.shared.stopped.load(Ordering::Acquire)
    }

    /// Returns what calls it when dropped.
    pub fn when_dropped(&self) -> StopWhenDropped {
        StopWhenDropped(self.clone())
    }
}

/// The descriptor becomes readable, and stays so, once the stop has been called.
impl AsFd for Stop {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.shared.reader.as_fd()
    }
}

/// Calls a [`Stop`] when it is dropped.
#[derive(Debug)]
#[must_use = "it calls the stop when it is dropped"]
pub struct StopWhenDropped(Stop);

impl Drop for StopWhenDropped {
    fn drop(&mut self) {
        self.0.call();
    }
}
