//! Accepting clients: one thread watches all listeners.

use std::io;
use std::sync::{Arc, mpsc};
use std::thread;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use wharf_host::{Accepted, Connection, EXHAUSTION_PAUSE, Listener, Service, Stop, Workers};

use crate::{Live, session};

/// Enough for a session, whose buffers are on the heap.
const STACK: usize = 256 * 1024;

/// Starts a thread for each client, until `stop` is called.
pub(crate) fn until_stopped(
    service: &Arc<Service>,
    listeners: &[Listener],
    stop: &Stop,
    live: &Arc<Live>,
    workers: &Arc<Workers>,
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
                        start(connection, service, stop, live, workers);
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

fn start(
    connection: Connection,
    service: &Arc<Service>,
    stop: &Stop,
    live: &Arc<Live>,
    workers: &Arc<Workers>,
) {
    let (service, stop, workers) = (service.clone(), stop.clone(), workers.clone());
    let alive = live.enter();
    let thread = thread::Builder::new().name("wharf-session".into()).stack_size(STACK);
    // What a thread that cannot be started was given would be lost with it.
    let (hand_over, taken) = mpsc::sync_channel(1);
    let started = thread.spawn(move || {
        if let Ok(connection) = taken.recv() {
            session::serve(connection, &service, &stop, &workers);
        }
        drop(alive);
    });
    if started.is_ok() {
        // It fails where the thread is gone, and with it everything.
        let _ = hand_over.send(connection);
    } else {
        connection.turn_away();
    }
    if let Err(error) = started {
        wharf_host::log_limited!(Warn, "no thread for another session: {error}");
    }
}
