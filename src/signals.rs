//! Signals that would end the whole process for what one client does.

use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::{Mutex, PoisonError};

use signal_hook::consts::{SIGPIPE, SIGXFSZ};
use signal_hook::flag;

/// Keeps SIGXFSZ and SIGPIPE from ending the process: what caused them fails with an error instead.
///
/// Rust ignores SIGPIPE from the beginning, but where the main program is written in another
/// language, nothing does. A handler is better than to ignore them: programs that are started
/// from this one begin with the usual behaviour. Handlers that were there are still called.
pub(crate) fn survive() -> io::Result<()> {
    static DONE: Mutex<bool> = Mutex::new(false);
    let mut done = DONE.lock().unwrap_or_else(PoisonError::into_inner);
    if !*done {
        for signal in [SIGXFSZ, SIGPIPE] {
            // The flag is never read: that there is a handler is enough.
            flag::register(signal, Arc::new(AtomicBool::new(false)))?;
        }
        *done = true;
    }
    Ok(())
}
