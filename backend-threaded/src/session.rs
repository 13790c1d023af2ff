//! One session on one thread.

use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use wharf_host::{Connection, Done, Job, Lane, Readiness, Server, Stop, Turn};

use crate::logins::Logins;

/// Serves one client to the end.
pub(crate) fn serve(mut connection: Connection, server: &Server, stop: &Stop, logins: &Logins) {
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
            match run(job, logins) {
                Some(done) => connection.complete(done),
                None => return,
            }
        }
        match turn {
            Turn::Over => return,
            // Whoever always finds something to do still has to hear the client.
            Turn::Again => wait(&mut connection, stop, stopping, Some(Duration::ZERO)),
            Turn::Wait if worked => wait(&mut connection, stop, stopping, Some(Duration::ZERO)),
            Turn::Wait => {
                let left = connection.deadline().map(|deadline| server.clock.until(deadline));
                wait(&mut connection, stop, stopping, left);
            }
        }
    }
}

/// Does blocking work, a login when it is its turn; `None` when that will not come.
fn run(job: Job, logins: &Logins) -> Option<Done> {
    match job.lane() {
        Lane::Storage | Lane::Digest => Some(job.run()),
        Lane::Login => {
            let _turn = logins.enter()?;
            Some(job.run())
        }
    }
}

/// Sleeps until a socket is ready, the server stops, or so much time has passed.
fn wait(connection: &mut Connection, stop: &Stop, stopping: bool, patience: Option<Duration>) {
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
    // What does not fit into a timespec is as good as never.
    let timeout = patience.and_then(|patience| Timespec::try_from(patience).ok());
    match poll(&mut watched, timeout.as_ref()) {
        Ok(_) | Err(Errno::INTR) => {}
        Err(error) => wharf_host::say!(Error, "poll: {error}"),
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
