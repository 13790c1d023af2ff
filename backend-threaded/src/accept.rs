//! Accepting clients: one thread watches all listeners.

use std::io;
use std::sync::Arc;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use wharf_host::{Accepted, Connection, EXHAUSTION_PAUSE, Listener, Service, Stop};

use crate::threads::Threads;

/// Finds a thread for each client, until `stop` is called.
pub(crate) fn until_stopped(
    service: &Arc<Service>,
    listeners: &[Listener],
    stop: &Stop,
    threads: &Threads,
) -> io::Result<()> {
    let mut exhausted = false;
    while !stop.is_called() {
        let mut watched = vec![PollFd::new(stop, PollFlags::IN)];
        if !exhausted {
            watched.extend(listeners.iter().map(|one| PollFd::new(one, PollFlags::IN)));
        }
        let pause = Timespec::try_from(EXHAUSTION_PAUSE).ok();
        match poll(&mut watched, pause.as_ref().filter(|_| exhausted)) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        exhausted = false;
        for listener in listeners {
            match listener.accept() {
                Accepted::Client(arrival) => {
                    if let Some(connection) = Connection::open(service, arrival) {
                        threads.serve(connection);
                    }
                }
                Accepted::NoClient => {}
                Accepted::Exhausted(error) => {
                    wharf_host::log_limited!(Warn, "cannot accept clients for now: {error}");
                    exhausted = true;
                }
            }
        }
    }
    Ok(())
}
