//! A driver that is not one of wharf's: all sessions in one loop, on one thread, over poll(2).
//!
//! Its aim is to show all that a driver has to do, in the fewest lines. It gives each session a turn
//! whenever anything happens, so it is for dozens of clients and not for thousands.
//!
//! `cargo run --example driver`, then `curl ftp://…/hello.txt`. `conformance/tests/conformance.rs`
//! runs all checks against it.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use wharf::host::proto::Instant;
use wharf::host::{
    Accepted, Connection, Done, EXHAUSTION_PAUSE, Job, Listener, Readiness, Service, Turn, Workers,
};
use wharf::{Memory, Permissions, Server, Stop};

fn main() -> io::Result<()> {
    let files = Memory::new().with_file("/hello.txt", "Hello from a driver of its own.\n");
    let server = Server::builder().storage(files).anonymous(Permissions::READ_ONLY);
    let server = server.run_with(run)?;
    println!("{}/hello.txt", server.url());
    server.wait()
}

/// Serves clients until `stop` is called, and returns when the last session has ended, or at the
/// server's last call.
pub(crate) fn run(service: Arc<Service>, listeners: Vec<Listener>, stop: Stop) -> io::Result<()> {
    let (workers, sessions) = (Workers::start(&service)?, BTreeMap::new());
    let (bell, clapper) = UnixStream::pair()?;
    bell.set_nonblocking(true)?;
    clapper.set_nonblocking(true)?;
    let (sender, outcomes) = mpsc::channel();
    let pool = Pool { workers, sender, outcomes, clapper: Arc::new(clapper) };
    let mut driver =
        Driver { service, listeners, stop, pool, bell, sessions, last_id: 0, last_call: None };
    loop {
        let exhausted = driver.accept();
        driver.take_outcomes();
        let again = driver.give_turns();
        let late = |last_call| driver.service.clock().until(last_call).is_zero();
        if driver.last_call.is_some_and(|call| driver.sessions.is_empty() || late(call)) {
            return Ok(());
        }
        driver.wait(again, exhausted)?;
    }
}

struct Driver {
    service: Arc<Service>,
    listeners: Vec<Listener>,
    stop: Stop,
    pool: Pool,
    /// Becomes readable when the pool has done a job.
    bell: UnixStream,
    /// By a number that is never used again: the outcome of a job may come after its session's end.
    sessions: BTreeMap<u64, Connection>,
    last_id: u64,
    /// When the driver returns whatever sessions there are; known once the server stops.
    last_call: Option<Instant>,
}

impl Driver {
    /// Accepts the clients that wait; returns `true` if the system is short of descriptors.
    fn accept(&mut self) -> bool {
        for listener in &self.listeners {
            loop {
                match listener.accept() {
                    Accepted::Client(arrival) => {
                        self.last_id += 1;
                        let connection = Connection::open(&self.service, arrival);
                        self.sessions.extend(connection.map(|one| (self.last_id, one)));
                    }
                    Accepted::NoClient => break,
                    Accepted::Exhausted(_) => return true,
                }
            }
        }
        false
    }

    /// Hands sessions what the pool has done for them.
    fn take_outcomes(&mut self) {
        while let Ok((id, done)) = self.pool.outcomes.try_recv() {
            match self.sessions.get_mut(&id) {
                Some(connection) => connection.complete(done),
                // The session has ended.
                None => self.pool.workers.discard(done),
            }
        }
    }

    /// Lets each session do what it can; returns `true` if one of them can do more at once.
    fn give_turns(&mut self) -> bool {
        if self.last_call.is_none() && self.stop.is_called() {
            self.listeners.clear();
            self.last_call = Some(self.service.last_call());
            let deadline = self.service.transfer_deadline();
            self.sessions.values_mut().for_each(|connection| connection.shut_down(deadline));
        }
        let mut again = false;
        self.sessions.retain(|&id, connection| {
            let turn = connection.turn();
            while let Some(job) = connection.next_job() {
                self.pool.submit(id, job);
            }
            again |= turn == Turn::Again;
            turn != Turn::Over
        });
        again
    }

    /// Sleeps until something happens, and tells sessions which of their sockets are ready.
    fn wait(&mut self, again: bool, exhausted: bool) -> io::Result<()> {
        let mut sockets = Vec::new();
        for connection in self.sessions.values() {
            sockets.push((connection.control_socket(), connection.control_interest()));
            sockets.extend(connection.data_socket().map(|data| (data.socket, data.interest)));
        }
        // A socket that nothing is wanted from is left out: poll(2) reports errors unasked.
        let wanted = sockets.iter().filter(|(_, interest)| interest.any());
        let mut watched: Vec<_> =
            wanted.map(|(socket, interest)| PollFd::new(socket, flags(*interest))).collect();
        watched.push(PollFd::new(&self.bell, PollFlags::IN));
        if self.last_call.is_none() {
            // Once the stop has been called, it is readable for ever.
            watched.push(PollFd::new(&self.stop, PollFlags::IN));
        }
        if !exhausted {
            watched.extend(self.listeners.iter().map(|one| PollFd::new(one, PollFlags::IN)));
        }
        let timeout = self.timeout(again, exhausted).map(Timespec::try_from);
        match poll(&mut watched, timeout.and_then(Result::ok).as_ref()) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let events: Vec<_> = watched.iter().map(PollFd::revents).collect();
        // A session may close a socket in its turn: no handle of it may be left here then.
        drop(watched);
        drop(sockets);
        let mut events = events.into_iter().map(readiness);
        let mut next = |interest: Readiness| interest.any().then(|| events.next()).flatten();
        for connection in self.sessions.values_mut() {
            let control = next(connection.control_interest());
            let data = connection.data_socket().and_then(|data| next(data.interest));
            connection.control_ready(control.unwrap_or_default());
            connection.data_ready(data.unwrap_or_default());
        }
        while self.bell.read(&mut [0; 64]).is_ok_and(|length| length > 0) {}
        Ok(())
    }

    fn timeout(&self, again: bool, exhausted: bool) -> Option<Duration> {
        if again {
            return Some(Duration::ZERO);
        }
        let deadlines = self.sessions.values().filter_map(Connection::deadline);
        let deadline = deadlines.chain(self.last_call).min();
        let deadline = deadline.map(|deadline| self.service.clock().until(deadline));
        deadline.into_iter().chain(exhausted.then_some(EXHAUSTION_PAUSE)).min()
    }
}

/// The worker pool, and what it has done.
struct Pool {
    workers: Workers,
    sender: mpsc::Sender<(u64, Done)>,
    outcomes: mpsc::Receiver<(u64, Done)>,
    /// Rings the driver's bell.
    clapper: Arc<UnixStream>,
}

impl Pool {
    fn submit(&self, id: u64, job: Job) {
        let (sender, clapper) = (self.sender.clone(), self.clapper.clone());
        self.workers.submit(job, move |done| {
            // They fail when the driver has returned, or the bell has not been heard yet.
            let _ = sender.send((id, done));
            let _ = (&*clapper).write(&[1]);
        });
    }
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
