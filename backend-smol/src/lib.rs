//! The smol driver of wharf: one task a session, on smol's executor.
//!
//! For programs that use smol's family already, and for those who want to read a driver as plain
//! sequential code. Blocking work is for [`Workers`]: the threads of the `blocking` crate belong to
//! the whole program. The others are `wharf-mio` and `wharf-threaded`; all three behave alike.

#![forbid(unsafe_code)]

mod accept;
mod session;
mod workers;

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::thread;

use async_channel::{Receiver, Sender};
use async_executor::Executor;
use async_io::{Async, Timer, block_on};
use futures_lite::future;

use wharf_host::{Listener, Service, Stop, Workers};
/// Serves clients until `stop` is called, and returns when the last session has ended, or at the
/// server's [last call](Service::last_call).
pub fn run(service: Arc<Service>, listeners: Vec<Listener>, stop: Stop) -> io::Result<()> {
    let executor = Arc::new(Executor::new());
    let (finished, finish) = async_channel::bounded::<Infallible>(1);
    let helpers = thread::available_parallelism().map_or(1, usize::from) - 1;
    thread::scope(|scope| {
        // Whoever waits on a channel that closes wakes up: dropped here, however this ends, it lets
        // the helpers go.
        let _finished = finished;
        for _ in 0..helpers {
            let thread = thread::Builder::new().name("wharf-smol".into());
            let started = thread.spawn_scoped(scope, || {
                let _ = block_on(executor.run(finish.recv()));
            });
            started.map_err(|error| {
                io::Error::new(error.kind(), format!("cannot start a thread: {error}"))
            })?;
        }
        block_on(executor.run(serve(&executor, service, listeners, stop)))
    })
}

/// What a session holds of the service.
#[derive(Clone)]
struct Membership {
    service: Arc<Service>,
    workers: Arc<Workers>,
    /// Closed when the server stops.
    stopped: Receiver<Infallible>,
    /// Closed when the last holder is gone.
    _alive: Sender<Infallible>,
}

async fn serve(
    executor: &Arc<Executor<'static>>,
    service: Arc<Service>,
    listeners: Vec<Listener>,
    stop: Stop,
) -> io::Result<()> {
    let (stopper, stopped) = async_channel::bounded(1);
    let (alive, all_gone) = async_channel::bounded::<Infallible>(1);
    let workers = Arc::new(Workers::start(&service)?);
    let membership = Membership { service: service.clone(), workers, stopped, _alive: alive };
    let mut acceptors = Vec::new();
    for listener in listeners {
        let listener = Async::new_nonblocking(listener)?;
        let clients = accept::for_ever(executor.clone(), listener, membership.clone());
        acceptors.push(executor.spawn(clients));
    }
    drop(membership);
    Async::new_nonblocking(stop)?.readable().await?;
    for acceptor in acceptors {
        acceptor.cancel().await;
    }
    stopper.close();
    let all_gone = async {
        let _ = all_gone.recv().await;
    };
    let last_call = async {
        Timer::after(service.clock.until(service.last_call())).await;
        log::warn!("sessions left behind at shutdown");
    };
    future::or(all_gone, last_call).await;
    Ok(())
}
