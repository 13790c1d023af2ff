//! Taking clients in: one task a listener.

use std::sync::Arc;

use async_executor::Executor;
use async_io::{Async, Timer};
use futures_lite::future;
use wharf_host::{Accepted, Connection, EXHAUSTION_PAUSE, Listener};

use crate::{Membership, session};

/// Starts a task for each client, until this one is cancelled.
pub(crate) async fn for_ever(
    executor: Arc<Executor<'static>>,
    listener: Async<Listener>,
    membership: Membership,
) {
    loop {
        match listener.get_ref().accept() {
            Accepted::Client(arrival) => {
                if let Some(connection) = Connection::open(&membership.service, arrival) {
                    executor.spawn(session::serve(connection, membership.clone())).detach();
                }
                future::yield_now().await;
            }
            Accepted::Nobody => {
                if let Err(error) = listener.readable().await {
                    wharf_host::log_limited!(Error, "listener: {error}");
                    Timer::after(EXHAUSTION_PAUSE).await;
                }
            }
            Accepted::Exhausted(error) => {
                wharf_host::log_limited!(Warn, "cannot accept clients for now: {error}");
                Timer::after(EXHAUSTION_PAUSE).await;
            }
        }
    }
}
