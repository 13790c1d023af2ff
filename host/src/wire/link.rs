//! A socket, and what the operating system last said of it.

use std::io::{self, Read, Write};
use std::mem::MaybeUninit;

use socket2::Socket;

use super::flow::Readiness;

/// A socket that is not asked again before the driver has said that it is ready. Otherwise it reads
/// and writes as a socket that does not block.
pub(super) struct Link<'a> {
    pub(super) socket: &'a Socket,
    pub(super) ready: &'a mut Readiness,
}

impl Link<'_> {
    /// Tries to send bytes by other means than [`Write`].
    pub(super) fn send_by(
        &mut self,
        attempt: impl FnMut() -> io::Result<usize>,
    ) -> io::Result<usize> {
        try_once(&mut self.ready.writable, attempt)
    }

    /// Tries to receive bytes by other means than [`Read`].
    #[cfg(target_os = "linux")]
    pub(super) fn receive_by(
        &mut self,
        attempt: impl FnMut() -> io::Result<usize>,
    ) -> io::Result<usize> {
        try_once(&mut self.ready.readable, attempt)
    }
}

impl Link<'_> {
    /// Returns `true` if a read would bring something, be it the end or an error.
    pub(super) fn has_input(&mut self) -> bool {
        let mut byte = [MaybeUninit::uninit()];
        let peeked = try_once(&mut self.ready.readable, || self.socket.peek(&mut byte));
        !peeked.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
    }
}

impl Read for Link<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut socket = self.socket;
        try_once(&mut self.ready.readable, || socket.read(buffer))
    }
}

impl Write for Link<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut socket = self.socket;
        try_once(&mut self.ready.writable, || socket.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn try_once(ready: &mut bool, mut attempt: impl FnMut() -> io::Result<usize>) -> io::Result<usize> {
    while *ready {
        match attempt() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => *ready = false,
            outcome => return outcome,
        }
    }
    Err(io::ErrorKind::WouldBlock.into())
}
