//! The threads of [`run`](crate::run), each with an executor of its own.

use std::future::Future;

use smol::Executor;
use wharf_host::Seats;

use crate::Spawn;

/// Executors with one thread each, and how many sessions each of them has.
///
/// An executor with several threads wakes up another with each task that it runs, in case there is
/// more to do: two system calls and a context switch for each command.
pub(crate) struct Threads(Vec<Thread>);

struct Thread {
    executor: Executor<'static>,
    sessions: Seats,
}

impl Threads {
    pub(crate) fn new(count: usize) -> Self {
        let thread = || Thread { executor: Executor::new(), sessions: Seats::default() };
        Self((0..count).map(|_| thread()).collect())
    }

    pub(crate) fn executors(&self) -> impl Iterator<Item = &Executor<'static>> {
        self.0.iter().map(|thread| &thread.executor)
    }
}

/// How many sessions the first thread has before another one gets any. It waits for the sockets of
/// all, and has to wake up the others: a session there is half as fast. One that follows on another
/// may find that it has not gone yet.
const AHEAD: usize = 2;

/// Sessions go where there are fewest, and rather to the first thread.
impl Spawn for Threads {
    fn spawn_session(&self, session: impl Future<Output = ()> + Send + 'static) {
        let threads = self.0.iter().enumerate();
        let fewest = threads.min_by_key(|(index, thread)| {
            let ahead = if *index == 0 { 0 } else { AHEAD };
            thread.sessions.taken() + ahead
        });
        let Some((_, Thread { executor, sessions })) = fewest else { return };
        let seat = sessions.take();
        executor.spawn_session(async move {
            let _seat = seat;
            session.await;
        });
    }
}
