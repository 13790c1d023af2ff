//! One session on one thread.

use std::sync::Arc;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use wharf_host::{Connection, Readiness, Service, Stop, Turn, Workers};

use crate::workers::CompletionQueue;

/// Serves one client to the end.
pub(crate) fn serve(
    mut connection: Box<Connection>,
    service: &Service,
    stop: &Stop,
    workers: &Arc<Workers>,
) {
    let mut completions = CompletionQueue::new(workers.clone());
    let mut stopping = false;
    loop {
        if !stopping && stop.is_called() {
            stopping = true;
            connection.shut_down(service.transfer_deadline());
        }
        let turn = connection.turn();
        while let Some(job) = connection.next_job() {
            completions.submit(job);
        }
        if turn == Turn::Over {
            return;
        }
        let came = completions.collect(&mut connection, turn == Turn::Wait);
        // A session that always finds something to do still has to hear its client.
        let patience = if came || turn == Turn::Again {
            Some(Duration::ZERO)
        } else {
            connection.deadline().map(|deadline| service.clock().until(deadline))
        };
        wait(&mut connection, &mut completions, stop, stopping, patience);
    }
}

/// Sleeps until a socket is ready, a job is done, the server stops, or so much time has passed.
fn wait(
    connection: &mut Connection,
    completions: &mut CompletionQueue,
    stop: &Stop,
    stopping: bool,
    patience: Option<Duration>,
) {
    let at_the_most = completions.fall_asleep();
    let patience = [patience, at_the_most].into_iter().flatten().min();
    let (control, control_interest) = (connection.control_socket(), connection.control_interest());
    let data = connection.data_socket();
    let data_interest = data.as_ref().map_or(Readiness::NEITHER, |data| data.interest);
    let mut watched = Vec::with_capacity(4);
    // A socket that nothing is wanted from is left out: poll(2) reports errors unasked.
    if control_interest.any() {
        watched.push(PollFd::new(&control, flags(control_interest)));
    }
    if let Some(data) = &data
        && data_interest.any()
    {
        watched.push(PollFd::new(&data.socket, flags(data_interest)));
    }
    if let Some(bell) = completions.bell() {
        watched.push(PollFd::new(bell, PollFlags::IN));
    }
    if !stopping {
        watched.push(PollFd::new(stop, PollFlags::IN));
    }
    // What does not fit into a timespec is as good as never.
    let timeout = patience.and_then(|patience| Timespec::try_from(patience).ok());
    match poll(&mut watched, timeout.as_ref()) {
        Ok(_) | Err(Errno::INTR) => {}
        Err(error) => wharf_host::log_limited!(Error, "poll: {error}"),
    }
    let mut ready = watched.iter().map(|one| readiness(one.revents()));
    let control = if control_interest.any() { ready.next() } else { None };
    let data = if data_interest.any() { ready.next() } else { None };
    drop(ready);
    drop(watched);
    completions.wake();
    connection.control_ready(control.unwrap_or_default());
    connection.data_ready(data.unwrap_or_default());
}

fn flags(interest: Readiness) -> PollFlags {
    let mut flags = PollFlags::empty();
    flags.set(PollFlags::IN, interest.readable);
    flags.set(PollFlags::OUT, interest.writable);
    flags
}

fn readiness(events: PollFlags) -> Readiness {
    let broken = PollFlags::ERR | PollFlags::HUP | PollFlags::NVAL;
    Readiness {
        readable: events.intersects(PollFlags::IN | broken),
        writable: events.intersects(PollFlags::OUT | broken),
    }
}
