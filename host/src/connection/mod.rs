//! A control connection and everything that belongs to it, over sockets that do not block.
//!
//! This is what the drivers have in common: it carries out what Session decides. A driver is left
//! with three things: to wait until a socket is ready, to give [`Job`]s to the workers, and to call
//! [`Connection::turn`] when something has happened.
//!
//! | file | has |
//! |---|---|
//! | `mod` | what a driver sees: [`Connection`], and its turn |
//! | `actions` | what Session wants, carried out |
//! | `job`, `outcomes` | work that may block, and what comes of it |
//! | `control`, `data` | the two channels, and what they work with: `context` |
//! | `descriptors` | the open files that it may have |
//! | `login`, `security` | accounts; TLS |
//! | `entrance` | which clients are let in |
//! | `proxied` | the beginning of a connection that comes by a proxy |
//! | `end` | the end of the client, of the server and of the session |
//! | `sockets` | how a driver holds them, and how they are opened |

mod actions;
mod context;
mod control;
mod data;
mod descriptors;
mod end;
mod entrance;
pub(crate) mod job;
mod login;
mod outcomes;
mod proxied;
mod security;
mod sockets;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use wharf_accounts::Account;
use wharf_core::{Admission, Endpoint, Event, Instant, Now, Session};
use wharf_storage::Storage;

use crate::observers::Teller;
use crate::server::Service;
use crate::server::admission::Permit;
use crate::server::descriptors::Taken;
use crate::server::listener::{Arrival, network_address};
use crate::server::rules::ListenerRules;
use crate::server::stop::StopWhenDropped;
use crate::tls::Owner;
use crate::transfer::digest::Digesting;
use crate::transfer::files::Files;
use crate::wire::Readiness;
use crate::workers::{JobOwner, Presence};

use context::Context;
use control::Control;
use data::DataChannel;
use end::{LOOK_AGAIN, Life};
use job::{Done, Job};

pub use data::DataSocket;
pub use sockets::SocketHandle;

/// How often a turn goes round before others have theirs.
const ROUNDS: usize = 8;

/// One client's session: its sockets, its open files, and the [`Session`] that decides.
///
/// A connection never waits. A driver waits for it: for its sockets, its jobs and its deadline. Every
/// driver keeps one rule.
///
/// <div class="warning">
///
/// **The turn invariant.** Whatever a driver has told a connection, a [`turn`](Self::turn) comes
/// before the next wait; and after a turn it takes all [jobs](Self::next_job), and looks at the
/// sockets, their interest and the deadline anew. What it has seen before the turn is out of date: a
/// socket may be gone, or another.
///
/// </div>
///
/// The steps, in order:
///
/// 1. **Turn.** Call [`turn`](Self::turn). It does what can be done without waiting, up to a bound.
/// 2. **Jobs.** Call [`next_job`](Self::next_job) until it returns `None`, whatever the turn was, and
///    give each job to the [`Workers`](crate::Workers). A job that is dropped leaves its session
///    waiting for ever.
/// 3. **Over?** If the turn was [`Turn::Over`], drop the connection. Outcomes that come back later
///    hold files: [discard](crate::Workers::discard) them.
/// 4. **Sockets.** Watch the [control socket](Self::control_socket), the same all the time, and the
///    [data socket](Self::data_socket), another one whenever its generation differs, none while a
///    worker has it. Keep no handle of a data socket over the turn that gives it up: it would stay open.
/// 5. **Wait**, unless the turn was [`Turn::Again`], for the first of: readiness of a socket in the
///    interest that it has now, the outcome of a job, the [`deadline`](Self::deadline), the stop of
///    the server, until the connection has been told of that. An error or a hang-up counts as
///    readable and writable; a socket without interest is left out where the system reports them
///    unasked, as poll(2) does. After [`Turn::Again`] only ask what has happened, and give other
///    sessions their turn.
/// 6. **Tell** the connection what has happened, in any order, any number of times:
///    [`control_ready`](Self::control_ready), [`data_ready`](Self::data_ready),
///    [`complete`](Self::complete), [`shut_down`](Self::shut_down). A deadline needs no telling, and a
///    false alarm does no harm. Then step 1.
///
/// When the stop is called a driver accepts no more and drops its listeners; it returns when the last
/// session is over, or at the [last call](Service::last_call).
///
/// As code; [`poll`] stands for the driver's own way of waiting:
///
/// ```
/// use std::sync::mpsc::{Receiver, channel};
/// use std::time::Duration;
///
/// use wharf_host::{Connection, DataSocket, Done, Readiness, Service, SocketHandle, Turn, Workers};
/// # fn poll(
/// #     control: (SocketHandle, Readiness),
/// #     data: Option<DataSocket>,
/// #     done: &Receiver<Done>,
/// #     patience: Option<Duration>,
/// # ) -> News {
/// #     let _ = (control, data, patience);
/// #     let (ready, done) = (Readiness::BOTH, done.try_iter().collect());
/// #     News { control: ready, data: ready, done, stop: false }
/// # }
/// # struct News { control: Readiness, data: Readiness, done: Vec<Done>, stop: bool }
///
/// fn serve(mut connection: Connection, service: &Service, workers: &Workers) {
///     let (sender, done) = channel();
///     loop {
///         let turn = connection.turn(); // 1
///         while let Some(job) = connection.next_job() { // 2
///             let sender = sender.clone();
///             workers.submit(job, move |done| drop(sender.send(done)));
///         }
///         let patience = match turn {
///             Turn::Over => return, // 3
///             Turn::Again => Some(Duration::ZERO),
///             Turn::Wait => connection.deadline().map(|at| service.clock().until(at)),
///         };
///         let control = (connection.control_socket(), connection.control_interest()); // 4
///         let news = poll(control, connection.data_socket(), &done, patience); // 5
///         connection.control_ready(news.control); // 6
///         connection.data_ready(news.data);
///         news.done.into_iter().for_each(|done| connection.complete(done));
///         if news.stop {
///             connection.shut_down(service.transfer_deadline());
///         }
///     }
/// }
/// ```
///
/// The three drivers of wharf are this loop over mio, smol and threads.
///
/// [`poll`]: https://man7.org/linux/man-pages/man2/poll.2.html
#[must_use = "a client waits: give it turns"]
pub struct Connection {
    service: Arc<Service>,
    session: Session,
    control: Control,
    data: DataChannel,
    files: Files,
    digest: Option<Digesting>,
    account: Option<Account>,
    /// The account's storage, as far as its calls wait for nothing.
    at_once: Option<Arc<dyn Storage>>,
    /// Whose TLS sessions data connections may resume, and for which virtual host.
    owner: Option<(Owner, Option<usize>)>,
    peer: SocketAddr,
    local: SocketAddr,
    jobs: VecDeque<Job>,
    /// How many jobs the driver has taken and not brought back.
    out: usize,
    life: Life,
    /// When the server stops: until when lingering closes may take.
    shut_down_by: Option<Instant>,
    /// When to look again whether a client is still there whose commands are left unread.
    look_again: Option<Instant>,
    permit: Permit,
    /// What a transfer may open, while the session has any of it.
    for_transfer: Option<Taken>,
    /// What the workers know of this session.
    job_owner: Arc<JobOwner>,
    implicit_tls: bool,
    /// The rules of its listener, while the header of a proxy has not come.
    awaited_by: Option<Arc<ListenerRules>>,
    /// Where there are observers.
    teller: Option<Box<Teller>>,
    /// Stops the server when its last connection is gone.
    _stops: Option<Arc<StopWhenDropped>>,
}

/// What a driver does after a [`turn`](Connection::turn) and its [jobs](Connection::next_job).
#[must_use = "it says whether to wait, to go on or to drop the connection"]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Give others their turn, then call again without waiting.
    Again,
    /// Wait for one of: readiness of a socket in its interest, a finished job, the deadline.
    Wait,
    /// Drop the connection.
    Over,
}

impl Connection {
    /// Opens a session for a client that has been accepted; `None` where it is not even to be told
    /// why not.
    pub fn open(service: &Arc<Service>, arrival: Arrival) -> Option<Self> {
        let Arrival { socket, peer, implicit_tls, rules, stops } = arrival;
        let now = service.clock.now();
        let local = network_address(&socket.local_addr().ok()?).ok()?;
        let mut endpoint = Endpoint::new(local, peer, Admission::Welcome);
        let awaited_by = rules.as_ref().filter(|rules| rules.expect_header()).cloned();
        let (mut permit, life, teller);
        if let Some(rules) = &awaited_by {
            if !rules.proxies.contains(peer.ip()) {
                entrance::refuse_stranger(service, endpoint);
                return None;
            }
            let Some(place) = service.sessions.wait_outside() else {
                entrance::refuse_proxy(service, endpoint);
                return None;
            };
            permit = place;
            // Until the header is there, the session is a placeholder.
            (life, teller) =
                (Life::AwaitingHeader(now.instant + service.session.login_timeout), None);
        } else {
            (endpoint, permit) =
                entrance::enter(service, &socket, endpoint, implicit_tls, rules.as_deref())?;
            (life, teller) = (Life::Alive, service.observers.teller(endpoint));
        }
        let session = Session::new(service.session.clone(), endpoint, now);
        let control = Control::new(socket, endpoint.peer().ip());
        permit.await_login(control.socket());
        Some(Self {
            service: service.clone(),
            session,
            control,
            data: DataChannel::new(service.transfer_memory.clone(), service.clock),
            files: Files::default(),
            digest: None,
            account: None,
            at_once: None,
            owner: None,
            peer: endpoint.peer(),
            local: endpoint.local(),
            jobs: VecDeque::new(),
            out: 0,
            life,
            shut_down_by: None,
            look_again: None,
            permit,
            for_transfer: None,
            job_owner: Arc::new(JobOwner::new(peer.ip())),
            implicit_tls,
            awaited_by,
            teller,
            _stops: stops,
        })
    }

    /// Does all that can be done without waiting, up to a bound: step 1 of the
    /// [contract](Connection).
    pub fn turn(&mut self) -> Turn {
        let now = self.service.clock.now();
        if let Life::AwaitingHeader(until) = self.life
            && let Some(turn) = self.read_header(until, now)
        {
            return turn;
        }
        if self.life != Life::Alive {
            return self.linger(now);
        }
        if self.session.poll_timeout().is_some_and(|deadline| deadline <= now.instant) {
            self.session.handle(Event::Timeout, now);
        }
        if self.make_room(now) {
            return Turn::Over;
        }
        self.data.close_refused_in_time(now);
        self.look_for_end(now);
        for _ in 0..ROUNDS {
            let moved = self.go_round(now);
            if self.life != Life::Alive || self.data.take_replaced() {
                return Turn::Again;
            }
            let (control, _, mut cx) = self.parts(now);
            let moved = control.transmit(&mut cx) | moved;
            if self.data.awaits_reply() && self.session.transmit().is_empty() {
                let until = self.lingering_until(self.service.clock.now());
                self.data.reply_has_left(until);
            }
            if self.control.is_over() {
                self.job_owner.set_presence(Presence::Ended);
            }
            if !moved {
                // What has just begun is watched from now on.
                self.look_again = self.is_blind().then(|| now.instant + LOOK_AGAIN);
                self.give_descriptors_back();
                return Turn::Wait;
            }
        }
        Turn::Again
    }

    /// Lets each part do what it can, once; returns `true` if anything happened.
    fn go_round(&mut self, now: Now) -> bool {
        let mut moved = false;
        if self.data.look_early() {
            let (_, data, mut cx) = self.parts(now);
            moved |= data.advance(&mut cx);
            moved |= self.act(now);
        }
        let (control, data, mut cx) = self.parts(now);
        if control.receive(&mut cx) {
            moved = true;
            data.close_refused();
        }
        moved |= self.act(now);
        let (control, data, mut cx) = self.parts(now);
        // First 150, then the bytes. But the driver lets go of a closed socket before the client
        // hears that it is closed.
        if !data.was_replaced() {
            moved |= control.transmit(&mut cx);
        }
        moved |= data.advance(&mut cx);
        moved |= self.advance_digest(now);
        moved |= self.act(now);
        self.data.set_awaited(self.session.awaits_data(), self.session.protects_data());
        moved
    }

    /// Lends the two channels what they work with.
    fn parts(&mut self, now: Now) -> (&mut Control, &mut DataChannel, Context<'_>) {
        let Self { session, files, jobs, permit, .. } = self;
        let cx = Context { session, files, jobs, permit, peer: self.peer.ip(), now };
        (&mut self.control, &mut self.data, cx)
    }

    /// Takes the next blocking work to run. There may be several.
    #[must_use = "the session waits for its outcome: submit it to the workers"]
    pub fn next_job(&mut self) -> Option<Job> {
        let Some(job) = self.jobs.pop_front() else {
            // Many sessions are idle: they hold no room for jobs.
            self.jobs = VecDeque::new();
            return None;
        };
        self.out += 1;
        Some(job.of(&self.job_owner))
    }

    /// Takes the outcome of a job.
    pub fn complete(&mut self, done: Done) {
        self.out = self.out.saturating_sub(1);
        if self.life == Life::Alive {
            self.take_outcome(done);
        } else {
            self.jobs.extend(done.discard());
        }
    }

    /// Tells the session that the server stops; transfers, and lingering closes, may go on until
    /// `deadline`.
    pub fn shut_down(&mut self, deadline: Instant) {
        self.hurry(deadline);
        if let Life::AwaitingHeader(_) = self.life {
            self.life = Life::Over;
            return;
        }
        self.session.handle(Event::Shutdown { deadline }, self.service.clock.now());
    }

    /// Returns when [`turn`](Self::turn) is due, even if nothing happens until then.
    pub fn deadline(&self) -> Option<Instant> {
        match self.life {
            Life::Alive => {
                let deadlines =
                    [self.session.poll_timeout(), self.look_again, self.data.deadline()];
                deadlines.into_iter().flatten().min()
            }
            Life::AwaitingHeader(until) | Life::LingeringClose(until) => Some(until),
            Life::Over => None,
        }
    }

    /// Returns the control connection's socket; it is the same all the time.
    pub fn control_socket(&self) -> SocketHandle {
        SocketHandle(self.control.socket().clone())
    }

    /// Returns what is waited for on the control connection.
    pub fn control_interest(&self) -> Readiness {
        match self.life {
            Life::Alive => self.control.interest(&self.session),
            Life::AwaitingHeader(_) | Life::LingeringClose(_) => self.control.last_interest(),
            Life::Over => Readiness::NEITHER,
        }
    }

    /// Adds to what can be done on the control connection without waiting.
    pub fn control_ready(&mut self, ready: Readiness) {
        self.control.set_ready(ready);
    }

    /// Returns the passive port or data connection that there is at the moment.
    pub fn data_socket(&self) -> Option<DataSocket> {
        self.data.socket()
    }

    /// Adds to what can be done on the data socket without waiting.
    pub fn data_ready(&mut self, ready: Readiness) {
        self.data.set_ready(ready);
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("peer", &self.peer).finish_non_exhaustive()
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.job_owner.set_presence(Presence::Gone);
        self.tell_end();
    }
}
