//! A control connection and everything that belongs to it, over sockets that do not block.
//!
//! This is what the drivers have in common: it carries out what Session decides. A driver is left
//! with three things: to wait until a socket is ready, to give [`Job`]s to the workers, and to call
//! [`Connection::turn`] when something has happened.

mod control;
mod data;
pub(crate) mod job;
mod login;
mod security;
mod sockets;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use wharf_core::{
    Action, Admission, DigestEnd, Endpoint, Event, Instant, Now, Session, StorageError, TransferEnd,
};

use crate::connection::job::{Done, Job, Outcome, no_site_reply};
use crate::server::Service;
use crate::server::admission::{Eviction, Permit};
use crate::server::listener::{Arrival, network_address};
use crate::server::site::SiteRequest;
use crate::server::stop::StopWhenDropped;
use crate::tls::Owner;
use crate::transfer::digest::{DigestStep, Digesting};
use crate::transfer::files::{Files, OpenFile, StorageDone};
use crate::wire::Readiness;
use crate::workers::{JobOwner, Presence};
use wharf_accounts::Account;

use control::Control;
use data::DataChannel;

pub use data::DataSocket;
pub use sockets::SocketHandle;

/// How often a turn goes round before others have theirs.
const ROUNDS: usize = 8;

/// One client's session: its sockets, its open files, and the [`Session`] that decides.
///
/// A connection never waits. A driver waits for it: for its sockets, its jobs and its deadline. Any
/// driver, of any number of threads, keeps one rule.
///
/// <div class="warning">
///
/// **The turn invariant.** Between two waits a driver ends with a [`turn`](Self::turn), and after
/// each turn it does all of the following before it waits again: it [takes the jobs](Self::next_job)
/// until there are none, and it looks at the turn's outcome, the sockets, the interest and the
/// deadline anew. What it has looked at before the turn may be out of date: a socket may be gone, or
/// another.
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
///    hold files: [discard](Done::discard) them where that may block.
/// 4. **Sockets.** Watch the [control socket](Self::control_socket), the same all the time, and the
///    [data socket](Self::data_socket), another one whenever its generation differs.
/// 5. **Wait**, unless the turn was [`Turn::Again`], for the first of: readiness of a socket in the
///    interest that it has now, the outcome of a job, the [`deadline`](Self::deadline), the stop of
///    the server. After [`Turn::Again`] only ask what has happened, and give other sessions their
///    turn.
/// 6. **Tell** the connection what has happened, in any order, any number of times:
///    [`control_ready`](Self::control_ready), [`data_ready`](Self::data_ready),
///    [`complete`](Self::complete), [`shut_down`](Self::shut_down). A deadline needs no telling, and a
///    false alarm does no harm. Then step 1.
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
/// #     unimplemented!()
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
    /// What the workers know of this session.
    job_owner: Arc<JobOwner>,
    implicit_tls: bool,
    /// Stops the server when its last connection is gone.
    _stops: Option<Arc<StopWhenDropped>>,
}

/// How soon a client that died is missed while its commands are left unread during a transfer.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// How far a connection has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Life {
    /// The session goes on.
    Alive,
    /// The last reply has been sent, and the client has not closed its side: lingering close, until
    /// then. Closing at once would reset a connection with unread bytes, and destroy the last reply.
    LingeringClose(Instant),
    /// Nothing more will happen.
    Over,
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
        let Arrival { socket, peer, implicit_tls, stops } = arrival;
        let now = service.clock.now();
        let (admission, mut permit) = if service.failures.is_cooling(peer.ip(), now.instant) {
            (Admission::CoolingDown, service.sessions.refuse()?)
        } else {
            service.sessions.enter(peer.ip())?
        };
        let local = network_address(&socket.local_addr().ok()?).ok()?;
        let mut endpoint = Endpoint::new(local, peer, admission);
        if implicit_tls {
            endpoint = endpoint.with_implicit_tls();
        }
        let session = Session::new(service.session.clone(), endpoint, now);
        let control = Control::new(socket, endpoint.peer().ip());
        permit.await_login(control.socket());
        Some(Self {
            service: service.clone(),
            session,
            control,
            data: DataChannel::new(service.transfer_memory.clone()),
            files: Files::default(),
            digest: None,
            account: None,
            owner: None,
            peer: endpoint.peer(),
            local: endpoint.local(),
            jobs: VecDeque::new(),
            out: 0,
            life: Life::Alive,
            shut_down_by: None,
            look_again: None,
            permit,
            job_owner: Arc::new(JobOwner::new(peer.ip())),
            implicit_tls,
            _stops: stops,
        })
    }

    /// Tells a client that has just come 421: it cannot be served. That takes no time, so where the
    /// client would have to shake hands first, it is not told.
    pub fn turn_away(mut self) {
        if self.implicit_tls {
            return;
        }
        let endpoint = Endpoint::new(self.local, self.peer, Admission::ServerFull);
        self.session =
            Session::new(self.service.session.clone(), endpoint, self.service.clock.now());
        while self.life == Life::Alive && self.turn() == Turn::Again {}
    }

    /// Does all that can be done without waiting, up to a bound: step 1 of the
    /// [contract](Connection).
    pub fn turn(&mut self) -> Turn {
        let now = self.service.clock.now();
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
            let mut moved = false;
            if self.data.look_early() {
                let (session, files) = (&mut self.session, &mut self.files);
                moved |= self.data.advance(session, files, &mut self.jobs, now) | self.act(now);
            }
            moved |= self.control.receive(&mut self.session, &self.permit, now);
            if moved {
                self.data.close_refused();
            }
            moved |= self.act(now);
            // First 150, then the bytes. But the driver lets go of a closed socket before the client
            // hears that it is closed.
            if !self.data.was_replaced() {
                moved |= self.control.transmit(&mut self.session, now);
            }
            moved |= self.data.advance(&mut self.session, &mut self.files, &mut self.jobs, now);
            moved |= self.advance_digest(now);
            moved |= self.act(now);
            self.data.set_awaited(self.session.awaits_data());
            if self.life != Life::Alive || self.data.take_replaced() {
                return Turn::Again;
            }
            moved |= self.control.transmit(&mut self.session, now);
            if self.control.is_over() {
                self.job_owner.set_presence(Presence::Ended);
            }
            if !moved {
                // What has just begun is watched from now on.
                self.look_again = self.is_blind().then(|| now.instant + LOOK_AGAIN);
                return Turn::Wait;
            }
        }
        Turn::Again
    }

    /// Takes the next blocking work to run. There may be several.
    #[must_use = "the session waits for its outcome: submit it to the workers"]
    pub fn next_job(&mut self) -> Option<Job> {
        let job = self.jobs.pop_front()?;
        self.out += 1;
        Some(job.of(&self.job_owner))
    }

    /// Takes the outcome of a job.
    pub fn complete(&mut self, done: Done) {
        self.out = self.out.saturating_sub(1);
        if self.life != Life::Alive {
            return self.jobs.extend(done.discard());
        }
        if done.panicked {
            let peer = self.peer.ip();
            wharf_storage::log_limited!(Error, "{peer}: a storage, accounts or SITE call panicked");
        }
        let now = self.service.clock.now();
        match done.outcome {
            Outcome::Nothing => {}
            Outcome::LoggedIn(id, outcome) => self.logged_in(id, outcome, now),
            Outcome::Stored(StorageDone { id, outcome, file }) => {
                if let Some((id, file)) = file {
                    self.files.insert(id, file);
                }
                self.session.handle(Event::Storage { id, outcome }, now);
            }
            Outcome::Site(id, reply) => self.session.handle(Event::Site { id, reply }, now),
            Outcome::Pumped(pumped) => self.data.complete(pumped, &mut self.session, now),
            Outcome::Digested(reading, outcome) => {
                if let Some(digest) = &mut self.digest {
                    let (id, bytes) = (digest.id(), digest.complete(reading, outcome));
                    self.session.handle(Event::DigestProgress { id, bytes }, now);
                }
            }
            Outcome::DigestLost => {
                if let Some(digest) = self.digest.take() {
                    let end = DigestEnd::Storage(StorageError::Other);
                    self.session.handle(Event::DigestEnded { id: digest.id(), end }, now);
                }
            }
        }
    }

    /// Tells the session that the server stops; transfers, and lingering closes, may go on until
    /// `deadline`.
    pub fn shut_down(&mut self, deadline: Instant) {
        self.shut_down_by = Some(deadline);
        if let Life::LingeringClose(until) = &mut self.life {
            *until = deadline.min(*until);
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
            Life::LingeringClose(until) => Some(until),
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
            Life::LingeringClose(_) => self.control.last_interest(),
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

    /// Carries out what Session wants; tells whether there was anything.
    fn act(&mut self, now: Now) -> bool {
        let mut acted = false;
        while !self.data.was_replaced()
            && let Some(action) = self.session.poll()
        {
            acted = true;
            self.carry_out(action, now);
        }
        acted
    }

    fn carry_out(&mut self, action: Action, now: Now) {
        match action {
            Action::StartTls { host } => self.start_tls(host, now),
            Action::EndTls => self.control.end_tls(),
            Action::ProtectData { id, tickets } => {
                if !self.protect_data(id, tickets) {
                    self.session.handle(Event::DataProtected { id, proof: None }, now);
                }
            }
            Action::Authenticate { id, user, method, host } => {
                self.authenticate(id, user, method, host);
            }
            Action::Logout => self.log_out(),
            Action::Vacate => {
                self.permit.vacate();
                if let Some(account) = &mut self.account {
                    account.permit = None;
                }
            }
            Action::Storage { id, request } => match &self.account {
                Some(account) => {
                    let call = self.files.call(account.storage.clone(), id, request);
                    self.jobs.push_back(Job::storage(call));
                }
                None => {
                    let outcome = Err(StorageError::PermissionDenied);
                    self.session.handle(Event::Storage { id, outcome }, now);
                }
            },
            Action::Release(id) => self.jobs.extend(self.files.take(id).map(Job::drop)),
            Action::Site { id, command, argument, user, directory } => {
                let handler = self.service.site_handlers.get(command).cloned();
                let (Some(handler), Some(account)) = (handler, &self.account) else {
                    return self.session.handle(Event::Site { id, reply: no_site_reply() }, now);
                };
                let request = SiteRequest {
                    argument,
                    user,
                    peer: self.peer.ip(),
                    directory,
                    rights: account.grant.rights.clone(),
                    storage: account.storage.clone(),
                };
                self.jobs.push_back(Job::site(id, move || handler(&request)));
            }
            Action::Listen { id } => {
                let ports = &self.service.passive_ports;
                let port = self.data.listen(id, self.peer.ip(), self.local, ports);
                self.session.handle(Event::Listening { id, port }, now);
            }
            Action::AcceptData => self.data.accept_offered(),
            Action::RefuseData => self.data.refuse_offered(),
            Action::Connect { id, to } => {
                if !self.data.connect(id, self.local, to) {
                    self.session.handle(Event::Connected { id, established: false }, now);
                }
            }
            Action::CloseData { refused: true } => self.refuse_data(now),
            Action::CloseData { refused: false } => self.data.close(&mut self.jobs),
            Action::Transfer { id, plan, mode, rate } => {
                // A file that is written is finished under its id; all others just go.
                let read = plan.dropped();
                let started = self.data.start(id, plan, mode, rate, &mut self.files, now);
                if let Err(end) = started {
                    if end == TransferEnd::NoMemory {
                        wharf_storage::log_limited!(Warn, "transfers take all the memory they may");
                    }
                    self.refuse_data(now);
                    self.jobs.extend(read.and_then(|file| self.files.take(file)).map(Job::drop));
                    self.session.handle(Event::TransferEnded { id, bytes: 0, end }, now);
                }
            }
            Action::StopTransfer => self.data.stop(),
            Action::CheckControl { id } => {
                self.control.check(&mut self.session, &self.permit, now);
                self.session.handle(Event::ControlChecked { id }, now);
            }
            Action::Digest { id, file, algorithm, start, end } => {
                self.digest = match self.files.take(file) {
                    Some(OpenFile::Read(file)) => Digesting::begin(id, file, algorithm, start..end),
                    _ => None,
                };
                if self.digest.is_none() {
                    let end = DigestEnd::Storage(StorageError::Other);
                    self.session.handle(Event::DigestEnded { id, end }, now);
                }
            }
            Action::StopDigest => {
                if let Some(digest) = &mut self.digest {
                    digest.stop();
                }
            }
            Action::Close => {
                self.close(if self.control.is_broken() {
                    Life::Over
                } else {
                    Life::LingeringClose(self.lingering_until(now))
                });
            }
        }
    }

    /// Looks whether the client is still there, where its commands are left unread.
    fn look_for_end(&mut self, now: Now) {
        self.look_again = None;
        if self.is_blind() {
            self.control.look_for_end(&mut self.session, now);
            self.look_again = Some(now.instant + LOOK_AGAIN);
        }
    }

    /// Tells whether something goes on while commands are left unread.
    fn is_blind(&self) -> bool {
        let waits = self.out > 0 || !self.jobs.is_empty();
        let works = waits || self.data.is_transferring() || self.digest.is_some();
        (works || self.control.has_ended()) && self.control.is_blind(&self.session)
    }

    /// Closes what was to carry a transfer that is refused.
    fn refuse_data(&mut self, now: Now) {
        let until = self.lingering_until(now);
        self.data.refuse(&mut self.jobs, until);
    }

    /// Goes, where the place has been given to another; tells whether that is over already.
    fn make_room(&mut self, now: Now) -> bool {
        match self.permit.eviction() {
            Eviction::No => false,
            Eviction::ToBeTold => {
                self.session.handle(Event::Evicted, now);
                false
            }
            Eviction::Silent => {
                self.close(Life::Over);
                true
            }
        }
    }

    /// Goes on with the digest, if there is one; tells whether anything happened.
    fn advance_digest(&mut self, now: Now) -> bool {
        let Some(digest) = &mut self.digest else { return false };
        match digest.step() {
            DigestStep::Waiting => return false,
            DigestStep::Read(reading) => self.jobs.push_back(Job::digest(reading)),
            DigestStep::Ended(end, file) => {
                let id = digest.id();
                self.digest = None;
                self.jobs.push_back(Job::drop(file));
                self.session.handle(Event::DigestEnded { id, end }, now);
            }
        }
        true
    }

    /// Lets go of all but the control connection itself.
    fn close(&mut self, life: Life) {
        self.life = life;
        self.job_owner.set_presence(Presence::Gone);
        self.control.finish();
        self.data.close(&mut self.jobs);
        let files = self.files.take_all();
        self.jobs.extend((!files.is_empty()).then(|| Job::drop(files)));
        self.jobs.extend(self.digest.take().map(Job::drop));
        self.log_out();
    }

    /// Returns until when a lingering close may take.
    fn lingering_until(&self, now: Now) -> Instant {
        let until = now.instant + self.service.lingering_time;
        self.shut_down_by.map_or(until, |by| until.min(by))
    }

    /// Goes on with the lingering close: waits for the client's end.
    fn linger(&mut self, now: Now) -> Turn {
        match self.life {
            Life::LingeringClose(until) if !self.control.finish() && now.instant < until => {
                Turn::Wait
            }
            _ => Turn::Over,
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.job_owner.set_presence(Presence::Gone);
    }
}
