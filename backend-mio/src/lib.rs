//! The mio driver of wharf: reactor threads over edge-triggered readiness.
//!
//! The default: thousands of sessions on as many threads as there are cores; blocking work is for
//! [`Workers`]. The others are `wharf-smol` and `wharf-threaded`; all three behave alike.

#![forbid(unsafe_code)]
#![warn(missing_debug_implementations)]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod accept;
mod reactor;
mod session;
mod workers;

use std::io;
use std::sync::Arc;
use std::thread;

use wharf_host::{Listener, Service, Stop, Workers};

use accept::Acceptor;
use reactor::Reactor;

/// Serves clients until `stop` is called, and returns when the last session has ended, or at the
/// server's [last call](Service::last_call).
pub fn run(service: Arc<Service>, listeners: Vec<Listener>, stop: Stop) -> io::Result<()> {
    let workers = Arc::new(Workers::start(&service)?);
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let mut reactors = Vec::new();
    for _ in 0..threads {
        reactors.push(Reactor::new(service.clone(), workers.clone(), stop.clone())?);
    }
    let Some(first) = reactors.pop() else { return Ok(()) };
    let others = reactors.iter().map(Reactor::mailbox).collect();
    let acceptor = Acceptor::new(listeners, first.mailbox(), others);
    thread::scope(|scope| {
        // No reactor goes without the others: one that fails, or cannot even start, would leave
        // clients waiting for ever.
        let all = stop.when_dropped();
        let mut others = Vec::new();
        for reactor in reactors {
            let (thread, all) = (thread::Builder::new(), stop.when_dropped());
            others.push(thread.name("wharf-mio".into()).spawn_scoped(scope, move || {
                let _all = all;
                reactor.run(None)
            }));
        }
        let mut outcome = first.run(Some(acceptor));
        drop(all);
        for other in others {
            match other.map(thread::ScopedJoinHandle::join) {
                Ok(Ok(ended)) => outcome = outcome.and(ended),
                Ok(Err(_)) => outcome = Err(io::Error::other("a reactor panicked")),
                Err(error) => {
                    let text = format!("cannot start a thread: {error}");
                    outcome = Err(io::Error::new(error.kind(), text));
                }
            }
        }
        outcome
    })
}
