//! One session on one thread.

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use wharf_host::{Connection, Readiness, Server, Stop, Turn};

/// Serves one client to the end.
pub(crate) fn serve(mut connection: Connection, server: &Server, stop: &Stop) {
    let mut stopping = false;
    loop {
        if !stopping && stop.is_called() {
            stopping = true;
            connection.shut_down(server.clock.now().instant + server.shutdown_grace);
        }
        let turn = connection.turn();
        let mut worked = false;
        while let Some(job) = connection.next_job() {
            worked = true;
            connection.complete(job.run());
        }
        match turn {
            Turn::Over => return,
            Turn::Again => {}
            Turn::Wait if worked => {}
            Turn::Wait => wait(&mut connection, server, stop, stopping),
        }
    }
}

/// Sleeps until a socket is ready, the deadline has come, or the server stops.
fn wait(connection: &mut Connection, server: &Server, stop: &Stop, stopping: bool) {
    let control_interest = connection.control_interest();
    let data = connection.data_socket();
    let data_interest = data.map_or(Readiness::NEITHER, |data| data.interest);
    let mut watched = Vec::with_capacity(3);
    // A socket that nothing is wanted from is left out: poll(2) reports errors unasked.
    if control_interest.any() {
        watched.push(PollFd::new(connection.control_socket(), flags(control_interest)));
    }
    if let Some(data) = data
        && data_interest.any()
    {
        watched.push(PollFd::new(data.socket, flags(data_interest)));
    }
    if !stopping {
        watched.push(PollFd::new(stop, PollFlags::IN));
    }
    let left = connection.deadline().map(|deadline| server.clock.until(deadline));
    // What does not fit into a timespec is as good as never.
    let timeout = left.and_then(|left| Timespec::try_from(left).ok());
    match poll(&mut watched, timeout.as_ref()) {
        Ok(_) | Err(Errno::INTR) => {}
        Err(error) => log::error!("poll: {error}"),
    }
    let mut ready = watched.iter().map(|one| readiness(one.revents()));
    let control = if control_interest.any() { ready.next() } else { None };
    let data = if data_interest.any() { ready.next() } else { None };
    drop(ready);
    drop(watched);
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
