//! The threaded driver of wharf: one blocking thread a session.
//!
//! The simplest of the drivers, for systems where threads are cheap and few clients come. A session
//! sleeps in poll(2); an idle one costs one thread, and nothing else. Blocking work is for
//! [`Workers`](wharf_host::Workers), so that a session sees its client go whatever it waits for. The others are
//! `wharf-mio` and `wharf-smol`; all three behave alike.

#![forbid(unsafe_code)]
#![warn(missing_debug_implementations)]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod accept;
mod session;
mod threads;
mod workers;

use std::io;
use std::sync::Arc;

use wharf_host::{Listener, Service, Stop};

use threads::Threads;

/// Serves clients until `stop` is called, and returns when the last session has ended, or at the
/// server's [last call](Service::last_call).
pub fn run(service: Arc<Service>, listeners: Vec<Listener>, stop: Stop) -> io::Result<()> {
    let threads = Threads::new(service.clone(), stop.clone())?;
    let outcome = accept::until_stopped(&service, &listeners, &stop, &threads);
    drop(listeners);
    // Where accepting has failed, nothing else has stopped the sessions.
    stop.call();
    threads.wait_for_none();
    outcome
}
