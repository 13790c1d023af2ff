//! One reactor thread: sessions in a slab, driven by edge-triggered readiness.

use std::collections::{BTreeSet, VecDeque};
use std::io;
use std::sync::Arc;
use std::time::Duration;

use mio::event::Event;
use mio::{Events, Poll, Token, Waker};
use slab::Slab;
use wharf_host::proto::Instant;
use wharf_host::{Arrival, Connection, Readiness, Seat, Service, Stop, Turn, Workers};

use crate::accept::Acceptor;
use crate::session::{Slot, Which, watch};
use crate::workers::{Mailbox, Message, submit};

const WAKER: Token = Token(usize::MAX);
const STOP: Token = Token(usize::MAX - 1);
/// Listeners count down from here; sessions count up from zero, two tokens each.
const LAST_LISTENER: usize = usize::MAX - 2;

const EVENTS_AT_ONCE: usize = 1024;

/// A reactor and its sessions.
pub(crate) struct Reactor {
    service: Arc<Service>,
    workers: Arc<Workers>,
    stop: Stop,
    poll: Poll,
    mailbox: Arc<Mailbox>,
    /// Each in a place of its own: as it grows, the slab moves what it holds.
    sessions: Slab<Box<Slot>>,
    last_serial: u64,
    /// The sessions that have a turn in this round.
    runnable: VecDeque<usize>,
    timers: BTreeSet<(Instant, usize)>,
    /// Once the server stops: when the sessions that are left are dropped.
    last_call: Option<Instant>,
}

impl Reactor {
    pub(crate) fn new(
        service: Arc<Service>,
        workers: Arc<Workers>,
        stop: Stop,
    ) -> io::Result<Self> {
        let poll = Poll::new()?;
        let waker = Waker::new(poll.registry(), WAKER)?;
        watch(poll.registry(), &stop, STOP)?;
        Ok(Self {
            service,
            workers,
            stop,
            poll,
            mailbox: Arc::new(Mailbox::new(waker)),
            sessions: Slab::new(),
            last_serial: 0,
            runnable: VecDeque::new(),
            timers: BTreeSet::new(),
            last_call: None,
        })
    }

    pub(crate) fn mailbox(&self) -> Arc<Mailbox> {
        self.mailbox.clone()
    }

    /// Runs until the server has stopped and the last session is gone, or has to go.
    pub(crate) fn run(mut self, mut acceptor: Option<Acceptor>) -> io::Result<()> {
        if let Some(acceptor) = &acceptor {
            for (index, listener) in acceptor.listeners().enumerate() {
                watch(self.poll.registry(), listener, Token(LAST_LISTENER - index))?;
            }
        }
        let mut events = Events::with_capacity(EVENTS_AT_ONCE);
        loop {
            match self.poll.poll(&mut events, self.patience(acceptor.as_ref())) {
                Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
                _ => {}
            }
            for event in &events {
                self.note(event, acceptor.as_mut());
            }
            if self.last_call.is_none() && self.stop.is_called() {
                acceptor = None;
                self.begin_stop();
            }
            for message in self.mailbox.take() {
                self.hear(message);
            }
            self.expire_timers();
            for _ in 0..self.runnable.len() {
                if let Some(slot) = self.runnable.pop_front() {
                    self.give_turn(slot);
                }
            }
            // Last, so that sessions which have just ended are not counted.
            if let Some(acceptor) = &mut acceptor {
                acceptor.accept(|arrival, seat| self.enter(arrival, seat));
            }
            if self.is_finished() {
                return Ok(());
            }
        }
    }

    /// How long to wait for events.
    fn patience(&self, acceptor: Option<&Acceptor>) -> Option<Duration> {
        if !self.runnable.is_empty() {
            return Some(Duration::ZERO);
        }
        let timer = self.timers.first().map(|(deadline, _)| *deadline);
        let deadline = [timer, self.last_call].into_iter().flatten().min();
        let session = deadline.map(|deadline| self.service.clock().until(deadline));
        let accept = acceptor.and_then(Acceptor::due);
        let accept = accept.map(|due| due.saturating_duration_since(std::time::Instant::now()));
        [session, accept].into_iter().flatten().min()
    }

    fn note(&mut self, event: &Event, acceptor: Option<&mut Acceptor>) {
        let token = event.token();
        if token == WAKER || token == STOP {
            return;
        }
        let slot = token.0 / 2;
        let which = if token.0.is_multiple_of(2) { Which::Control } else { Which::Data };
        if let Some(session) = self.sessions.get_mut(slot) {
            let broken = event.is_error();
            session.ready(
                which,
                Readiness {
                    readable: broken || event.is_readable() || event.is_read_closed(),
                    writable: broken || event.is_writable() || event.is_write_closed(),
                },
            );
            self.queue(slot);
        } else if let Some(acceptor) = acceptor {
            acceptor.set_ready(LAST_LISTENER.wrapping_sub(token.0));
        }
    }

    fn hear(&mut self, message: Message) {
        match message {
            Message::Client(arrival, seat) => {
                // A client that comes while the server stops is not even greeted.
                if self.last_call.is_none() {
                    self.enter(arrival, seat);
                }
            }
            Message::Done { slot, serial, done } => match self.sessions.get_mut(slot) {
                Some(session) if session.serial == serial => {
                    session.connection.complete(done);
                    self.queue(slot);
                }
                // The session has ended.
                _ => self.workers.discard(done),
            },
        }
    }

    fn enter(&mut self, arrival: Arrival, seat: Seat) {
        let Some(connection) = Connection::open(&self.service, arrival) else { return };
        self.last_serial += 1;
        let slot = self.sessions.insert(Box::new(Slot::new(connection, self.last_serial, seat)));
        self.give_turn(slot);
    }

    fn queue(&mut self, slot: usize) {
        if !std::mem::replace(&mut self.sessions[slot].queued, true) {
            self.runnable.push_back(slot);
        }
    }

    /// Lets a session do what it can.
    fn give_turn(&mut self, slot: usize) {
        let Some(session) = self.sessions.get_mut(slot) else { return };
        session.queued = false;
        let turn = session.connection.turn();
        while let Some(job) = session.connection.next_job() {
            submit(&self.workers, &self.mailbox, job, slot, session.serial);
        }
        if turn == Turn::Over {
            return self.drop_session(slot, None);
        }
        session.let_go(self.poll.registry());
        if turn == Turn::Again {
            return self.queue(slot);
        }
        let tokens = (Token(slot * 2), Token(slot * 2 + 1));
        if let Err(error) = session.watch(self.poll.registry(), tokens) {
            return self.drop_session(slot, Some(&error));
        }
        self.set_timer(slot);
    }

    fn drop_session(&mut self, slot: usize, why: Option<&io::Error>) {
        if let Some(error) = why {
            wharf_host::log_limited!(Warn, "session dropped: {error}");
        }
        let session = self.sessions.remove(slot);
        if let Some(timer) = session.timer {
            self.timers.remove(&(timer, slot));
        }
    }

    /// Sees that a timer goes off at the session's deadline or before. Most deadlines only move back,
    /// with each command: one that is due earlier stays, and is set again when it goes off.
    fn set_timer(&mut self, slot: usize) {
        let session = &mut self.sessions[slot];
        let Some(deadline) = session.connection.deadline() else { return };
        if session.timer.is_none_or(|timer| deadline < timer) {
            if let Some(before) = session.timer.replace(deadline) {
                self.timers.remove(&(before, slot));
            }
            self.timers.insert((deadline, slot));
        }
    }

    fn expire_timers(&mut self) {
        let now = self.service.clock().now().instant;
        while let Some(&(timer, slot)) = self.timers.first()
            && timer <= now
        {
            self.timers.pop_first();
            self.sessions[slot].timer = None;
            self.queue(slot);
        }
    }

    fn begin_stop(&mut self) {
        self.last_call = Some(self.service.last_call());
        let deadline = self.service.transfer_deadline();
        let slots: Vec<usize> = self.sessions.iter().map(|(slot, _)| slot).collect();
        for slot in slots {
            self.sessions[slot].connection.shut_down(deadline);
            self.queue(slot);
        }
    }

    fn is_finished(&self) -> bool {
        let Some(last_call) = self.last_call else { return false };
        if self.sessions.is_empty() {
            return true;
        }
        let late = self.service.clock().until(last_call).is_zero();
        if late {
            log::warn!("{} sessions dropped at shutdown", self.sessions.len());
        }
        late
    }
}
