//! Accepting clients: one future watches all listeners.

use std::future::poll_fn;
use std::io;
use std::task::Poll;

use async_io::{Async, Timer};
use smol::future;
use wharf_host::{Accepted, Connection, EXHAUSTION_PAUSE, Listener};

use crate::{Membership, Spawn, session};

/// Starts a task for each client, until it is dropped.
pub(crate) async fn for_ever(
    executor: &impl Spawn,
    listeners: &[Async<Listener>],
    membership: Membership,
) -> io::Result<()> {
    loop {
        let (mut came, mut exhausted) = (false, false);
        for listener in listeners {
            match listener.get_ref().accept() {
                Accepted::Client(arrival) => {
                    came = true;
                    if let Some(connection) = Connection::open(&membership.service, arrival) {
                        let session = session::serve(Box::new(connection), membership.clone());
                        executor.spawn_session(session);
                    }
                }
                Accepted::NoClient => {}
                Accepted::Exhausted(error) => {
                    wharf_host::log_limited!(Warn, "cannot accept clients for now: {error}");
                    exhausted = true;
                }
            }
        }
        if exhausted {
            Timer::after(EXHAUSTION_PAUSE).await;
        } else if came {
            future::yield_now().await;
        } else if let Err(error) = any_readable(listeners).await {
            wharf_host::log_limited!(Error, "listener: {error}");
            Timer::after(EXHAUSTION_PAUSE).await;
        }
    }
}

async fn any_readable(listeners: &[Async<Listener>]) -> io::Result<()> {
    poll_fn(|cx| {
        let mut polled = listeners.iter().map(|listener| listener.poll_readable(cx));
        polled.find(Poll::is_ready).unwrap_or(Poll::Pending)
    })
    .await
}
