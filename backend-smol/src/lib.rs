//! The smol driver of wharf: one task a session, on smol's executor.
//!
//! For programs that use smol already, and to read a driver as plain sequential code.
//! [`serve`] runs inside a smol program, on the program's executor; [`run`] brings an executor and
//! threads of its own. Blocking work is for [`Workers`]: the threads of smol's `unblock` belong to
//! the whole program. The others are `wharf-mio` and `wharf-threaded`; all three behave alike.

#![forbid(unsafe_code)]
#![warn(missing_debug_implementations)]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod accept;
mod session;
mod spawn;
mod threads;
mod workers;

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::thread;

use async_io::{Async, Timer, block_on};
use smol::channel::{self, Receiver, Sender};
use smol::future;
use wharf_host::{Listener, Service, Stop, Workers};

pub use spawn::{Global, Spawn};
use threads::Threads;

/// Serves clients until `stop` is called, and returns when the last session has ended, or at the
/// server's [last call](Service::last_call).
///
/// It brings as many threads as there are processors, with an executor each. A program that has an
/// executor uses [`serve`] instead.
pub fn run(service: Arc<Service>, listeners: Vec<Listener>, stop: Stop) -> io::Result<()> {
    let threads = Threads::new(thread::available_parallelism().map_or(1, usize::from));
    let (finished, finish) = channel::bounded::<Infallible>(1);
    thread::scope(|scope| {
        // A channel that closes wakes up all that wait on it: dropped here, however this ends, it
        // lets the other threads go.
        let _finished = finished;
        let mut executors = threads.executors();
        let Some(first) = executors.next() else { return Ok(()) };
        for executor in executors {
            let thread = thread::Builder::new().name("wharf-smol".into());
            // Not async-io's `block_on`: where all threads contend for the sockets, one wakes up
            // another for nearly every event.
            let started = thread.spawn_scoped(scope, || {
                let _ = future::block_on(executor.run(finish.recv()));
            });
            started.map_err(|error| {
                io::Error::new(error.kind(), format!("cannot start a thread: {error}"))
            })?;
        }
        block_on(first.run(serve(&threads, service, listeners, stop)))
    })
}

/// Serves clients on `executor` until `stop` is called, and is ready when the last session has
/// ended, or at the server's [last call](Service::last_call).
///
/// This future accepts clients, and spawns one task for each of them on `executor`. It starts no
/// threads but those of [`Workers`], where calls of storage and accounts run. To stop the server
/// without blocking a thread, call [`Stop::call`] and await this future to the end. Where it is
/// dropped before, its sessions are dropped too, and their clients hear nothing: what an upload under
/// way has brought is discarded. Call the stop and await this instead.
///
/// Fails when a listener cannot be watched, or the first thread of the worker pool not be started.
///
/// ```
/// # use std::sync::Arc;
/// # use wharf_host::{Listener, Service, Stop};
/// async fn serve(service: Arc<Service>, listeners: Vec<Listener>) -> std::io::Result<()> {
///     let stop = Stop::new()?;
///     let server = wharf_smol::serve(wharf_smol::Global, service, listeners, stop.clone());
///     let server = smol::spawn(server);
///     // Here the program does what else it has to do.
///     stop.call();
///     server.await
/// }
/// ```
pub async fn serve(
    executor: impl Spawn,
    service: Arc<Service>,
    listeners: Vec<Listener>,
    stop: Stop,
) -> io::Result<()> {
    let (stopper, stopped) = channel::bounded(1);
    let (_present, dropped) = channel::bounded(1);
    let (alive, all_gone) = channel::bounded::<Infallible>(1);
    let workers = Arc::new(Workers::start(&service)?);
    let membership =
        Membership { service: service.clone(), workers, stopped, dropped, _alive: alive };
    let watched: io::Result<Vec<_>> = listeners.into_iter().map(Async::new_nonblocking).collect();
    let listeners = watched?;
    let stop = Async::new_nonblocking(stop)?;
    future::or(stop.readable(), accept::for_ever(&executor, &listeners, membership)).await?;
    drop(listeners);
    stopper.close();
    let all_gone = async {
        let _ = all_gone.recv().await;
    };
    let last_call = async {
        Timer::after(service.clock().until(service.last_call())).await;
        log::warn!("sessions dropped at shutdown");
    };
    future::or(all_gone, last_call).await;
    Ok(())
}

/// What a session holds of the service.
#[derive(Clone)]
struct Membership {
    service: Arc<Service>,
    workers: Arc<Workers>,
    /// Closed when the server stops.
    stopped: Receiver<Infallible>,
    /// Closed when [`serve`] ends, or is dropped.
    dropped: Receiver<Infallible>,
    /// Closed when the last holder is gone.
    _alive: Sender<Infallible>,
}
