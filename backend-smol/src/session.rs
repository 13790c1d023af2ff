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
pub(crate) async fn serve(connection: Connection, membership: Membership) {
    let dropped = membership.dropped.clone();
    let dropped = async move {
        let _ = dropped.recv().await;
    };
    future::or(serve_to_the_end(connection, membership), dropped).await;
}

async fn serve_to_the_end(connection: Connection, membership: Membership) {
    let watched = Async::new_nonblocking(connection.control_socket());
    let outcome = match watched {
        Ok(control) => {
            let timer = (None, Timer::never());
            let done = CompletionQueue::new(membership.workers.clone());
            let session = SessionTask { connection, control, data: None, done, timer };
            session.run(&membership).await
        }
        Err(error) => Err(error),
    };
    if let Err(error) = outcome {
        wharf_host::log_limited!(Warn, "session dropped: {error}");
    }
}

/// A connection, and what it waits for.
struct SessionTask {
    connection: Connection,
    control: Async<SocketHandle>,
    /// The data socket, with its generation.
    data: Option<(u64, Async<SocketHandle>)>,
    /// Where the outcome of blocking work arrives.
    done: CompletionQueue,
    /// The deadline, and the timer set to it.
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
            self.watch_data()?;
            let again = turn == Turn::Again;
            if again {
                future::yield_now().await;
            } else {
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

    /// Registers the present data socket in place of the one before.
    fn watch_data(&mut self) -> io::Result<()> {
        let generation = self.connection.data_socket().map(|data| data.generation);
        if generation == self.data.as_ref().map(|(watched, _)| *watched) {
            return Ok(());
        }
        self.data = None;
        if let Some(data) = self.connection.data_socket() {
            let watched = Async::new_nonblocking(data.socket)?;
            self.data = Some((data.generation, watched));
        }
        Ok(())
    }

    fn set_timer(&mut self, membership: &Membership) {
        let deadline = self.connection.deadline();
        if self.timer.0 == deadline {
            return;
        }
        let clock = membership.service.clock();
        let timer = deadline.map_or_else(Timer::never, |at| Timer::after(clock.until(at)));
        self.timer = (deadline, timer);
    }

    /// Ready when anything has happened; `true` says that the server stops.
    fn poll_news(
        &mut self,
        cx: &mut Context<'_>,
        stopped: Pin<&mut Recv<'_, Infallible>>,
        stopping: bool,
    ) -> Poll<bool> {
        let control = poll_socket(&self.control, self.connection.control_interest(), cx);
        self.connection.control_ready(control);
        let mut news = control.any();
        if let (Some(interest), Some((_, watched))) =
            (self.connection.data_socket().map(|data| data.interest), &self.data)
        {
            let data = poll_socket(watched, interest, cx);
            self.connection.data_ready(data);
            news |= data.any();
        }
        while let Poll::Ready(Some(done)) = self.done.poll_next(cx) {
            self.connection.complete(done);
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
