//! One session as one task.

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

use async_io::{Async, Timer};
use smol::channel::Recv;
use smol::future;
use wharf_host::proto::Instant;
use wharf_host::{Connection, Readiness, SocketHandle, Turn};

use crate::Membership;
use crate::workers::CompletionQueue;

/// Serves one client to the end, or until the server is dropped.
///
/// The connection is boxed, as each future around this one holds room for it.
pub(crate) async fn serve(connection: Box<Connection>, membership: Membership) {
    let dropped = membership.dropped.clone();
    let dropped = async move {
        let _ = dropped.recv().await;
    };
    future::or(serve_to_the_end(connection, membership), dropped).await;
}

async fn serve_to_the_end(connection: Box<Connection>, membership: Membership) {
    let done = CompletionQueue::new(membership.workers.clone());
    let timer = (None, Timer::never());
    let session = SessionTask { connection, control: None, data: None, done, timer };
    if let Err(error) = session.run(&membership).await {
        wharf_host::log_limited!(Warn, "session dropped: {error}");
    }
}

/// A connection, and what it waits for.
struct SessionTask {
    connection: Box<Connection>,
    /// The control socket, once it is waited for.
    control: Option<Async<SocketHandle>>,
    /// The data socket, with its generation, once it is waited for: most data connections are done
    /// before.
    data: Option<(u64, Async<SocketHandle>)>,
    /// Where the outcome of blocking work arrives.
    done: CompletionQueue,
    /// The timer, and what it is set to: the deadline or before.
    timer: (Option<Instant>, Timer),
}

impl SessionTask {
    async fn run(mut self, membership: &Membership) -> io::Result<()> {
        let service = &membership.service;
        let mut stopped = pin!(membership.stopped.recv());
        let mut stopping = false;
        loop {
            let turn = self.connection.turn();
            while let Some(job) = self.connection.next_job() {
                self.done.submit(job);
            }
            if turn == Turn::Over {
                return Ok(());
            }
            self.let_go();
            let again = turn == Turn::Again;
            if again {
                future::yield_now().await;
            } else {
                self.watch()?;
                self.set_timer(membership);
            }
            let news = poll_fn(|cx| match self.poll_news(cx, stopped.as_mut(), stopping) {
                // A session that always finds something to do still has to hear its client.
                Poll::Pending if again => Poll::Ready(false),
                news => news,
            });
            let called = news.await;
            if called {
                stopping = true;
                self.connection.shut_down(service.transfer_deadline());
            }
        }
    }

    /// Lets go of a data socket that the connection has given up.
    fn let_go(&mut self) {
        let generation = self.connection.data_socket().map(|data| data.generation);
        self.data.take_if(|(watched, _)| Some(*watched) != generation);
    }

    /// Registers the sockets that are waited for and have not been before.
    fn watch(&mut self) -> io::Result<()> {
        if self.control.is_none() && self.connection.control_interest().any() {
            self.control = Some(Async::new_nonblocking(self.connection.control_socket())?);
        }
        if self.data.is_none()
            && let Some(data) = self.connection.data_socket()
            && data.interest.any()
        {
            self.data = Some((data.generation, Async::new_nonblocking(data.socket)?));
        }
        Ok(())
    }

    /// Sees that the timer goes off at the deadline or before. Most deadlines only move back, with
    /// each command: a timer that is due earlier stays, as to set it wakes up the reactor.
    fn set_timer(&mut self, membership: &Membership) {
        let Some(deadline) = self.connection.deadline() else { return };
        if self.timer.0.is_none_or(|at| deadline < at) {
            self.timer.0 = Some(deadline);
            self.timer.1.set_after(membership.service.clock().until(deadline));
        }
    }

    /// Ready when anything has happened; `true` says that the server stops.
    fn poll_news(
        &mut self,
        cx: &mut Context<'_>,
        stopped: Pin<&mut Recv<'_, Infallible>>,
        stopping: bool,
    ) -> Poll<bool> {
        let mut news = false;
        if let Some(watched) = &self.control {
            let control = poll_socket(watched, self.connection.control_interest(), cx);
            self.connection.control_ready(control);
            news |= control.any();
        }
        if let (Some(interest), Some((_, watched))) =
            (self.connection.data_socket().map(|data| data.interest), &self.data)
        {
            let data = poll_socket(watched, interest, cx);
            self.connection.data_ready(data);
            news |= data.any();
        }
        if let Poll::Ready(done) = self.done.poll_done(cx) {
            done.into_iter().for_each(|done| self.connection.complete(done));
            news = true;
        }
        if Pin::new(&mut self.timer.1).poll(cx).is_ready() {
            self.timer.0 = None;
            news = true;
        }
        if !stopping && stopped.poll(cx).is_ready() {
            return Poll::Ready(true);
        }
        if news { Poll::Ready(false) } else { Poll::Pending }
    }
}

/// Asks the reactor; what goes wrong there shows when the socket is used.
fn poll_socket(
    socket: &Async<SocketHandle>,
    interest: Readiness,
    cx: &mut Context<'_>,
) -> Readiness {
    Readiness {
        readable: interest.readable && socket.poll_readable(cx).is_ready(),
        writable: interest.writable && socket.poll_writable(cx).is_ready(),
    }
}
