//! The threaded driver of wharf: one blocking thread a session.
//!
//! The simplest of the drivers, for systems where threads are cheap and few clients come. A session
//! sleeps in poll(2); an idle one costs one thread, and nothing else. Blocking work is for
//! [`Workers`], so that a session sees its client go whatever it waits for. The others are
//! `wharf-mio` and `wharf-smol`; all three behave alike.

#![forbid(unsafe_code)]
#![warn(missing_debug_implementations)]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod accept;
mod session;
mod workers;

use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use wharf_host::{Listener, Service, Stop, Workers};

/// Serves clients until `stop` is called, and returns when the last session has ended, or at the
/// server's [last call](Service::last_call).
pub fn run(service: Arc<Service>, listeners: Vec<Listener>, stop: Stop) -> io::Result<()> {
    let live = Arc::new(Live::default());
    let workers = Arc::new(Workers::start(&service)?);
    let outcome = accept::until_stopped(&service, &listeners, &stop, &live, &workers);
    drop(listeners);
    // Where accepting has failed, nothing else has stopped the sessions.
    stop.call();
    live.wait_for_none(&service);
    outcome
}

/// Counts the session threads.
#[derive(Default)]
struct Live {
    count: Mutex<usize>,
    changed: Condvar,
}

impl Live {
    /// Counts one more, until the returned value is dropped.
    fn enter(self: &Arc<Self>) -> LiveOne {
        *self.lock() += 1;
        LiveOne(self.clone())
    }

    fn wait_for_none(&self, service: &Service) {
        let last_call = service.last_call();
        let mut count = self.lock();
        while *count > 0 {
            let left = service.clock().until(last_call);
            if left.is_zero() {
                log::warn!("{} sessions left to themselves at shutdown", *count);
                return;
            }
            let waited = self.changed.wait_timeout(count, left);
            count = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn lock(&self) -> MutexGuard<'_, usize> {
        self.count.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct LiveOne(Arc<Live>);

impl Drop for LiveOne {
    fn drop(&mut self) {
        *self.0.lock() -= 1;
        self.0.changed.notify_all();
    }
}
