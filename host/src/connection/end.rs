//! The end of the client, of the server and of the session.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use wharf_core::{Action, Admission, Endpoint, Event, Instant, Notice, Now, Session};

use super::job::Job;
use super::{Connection, Turn};
use crate::server::admission::Eviction;
use crate::workers::Presence;

/// How soon a client that died is missed while its commands are left unread during a transfer.
pub(super) const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// How far a connection has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Life {
    /// A proxy has not named the client yet, for which there is no session so far. It may take until
    /// then.
    AwaitingHeader(Instant),
    /// The session goes on.
    Alive,
    /// The last reply has been sent, and the client has not closed its side: lingering close, until
    /// then. Closing at once would reset a connection with unread bytes, and destroy the last reply.
    LingeringClose(Instant),
    /// Nothing more will happen.
    Over,
}

impl Connection {
    /// Tells a client that has just come 421: it cannot be served. That takes no time, so where the
    /// client would have to shake hands first, it is not told.
    pub fn turn_away(mut self) {
        let endpoint = Endpoint::new(self.local, self.peer, Admission::ServerFull);
        self.session =
            Session::new(self.service.session.clone(), endpoint, self.service.clock.now());
        if self.implicit_tls {
            return;
        }
        while self.life == Life::Alive && self.turn() == Turn::Again {}
    }

    /// Looks whether the client has gone, where its commands are left unread.
    pub(super) fn look_for_end(&mut self, now: Now) {
        self.look_again = None;
        if self.is_blind() {
            let (control, _, mut cx) = self.parts(now);
            control.look_for_end(&mut cx);
            self.look_again = Some(now.instant + LOOK_AGAIN);
        }
    }

    /// Returns `true` if something goes on while commands are left unread.
    pub(super) fn is_blind(&self) -> bool {
        let waits = self.out > 0 || !self.jobs.is_empty();
        let works = waits || self.data.is_transferring() || self.digest.is_some();
        (works || self.control.has_ended()) && self.control.is_blind(&self.session)
    }

    /// Ends the session, where its place has been given to another; returns `true` if that is over
    /// already.
    pub(super) fn make_room(&mut self, now: Now) -> bool {
        match self.permit.eviction() {
            Eviction::No => false,
            Eviction::ToBeTold => {
                self.session.handle(Event::Evicted, now);
                false
            }
            Eviction::Silent => {
                self.session.handle(Event::Evicted, now);
                self.close(Life::Over);
                true
            }
        }
    }

    /// Tells the observers, where there are any.
    pub(super) fn tell(&mut self, notice: Notice) {
        if let Some(teller) = &mut self.teller {
            let storage = self.account.as_ref().map(|account| &account.storage);
            teller.tell(&self.service.observers, notice, storage);
        }
    }

    /// Tells the observers of the end of a session that has not come to its own, and is dropped.
    pub(super) fn tell_end(&mut self) {
        if self.teller.is_none() {
            return;
        }
        // It may be dropped as it has panicked, and then be in any state.
        let _ = catch_unwind(AssertUnwindSafe(|| {
            self.session.handle(Event::Dropped, self.service.clock.now());
            while let Some(action) = self.session.poll() {
                if let Action::Notice(notice) = action {
                    self.tell(*notice);
                }
            }
        }));
    }

    /// Ends lingering closes at `deadline` at the latest: the server stops.
    pub(super) fn hurry(&mut self, deadline: Instant) {
        let deadline = self.shut_down_by.map_or(deadline, |first| first.min(deadline));
        self.shut_down_by = Some(deadline);
        if let Life::LingeringClose(until) = &mut self.life {
            *until = deadline.min(*until);
        }
    }

    /// Gives up all but the control connection itself.
    pub(super) fn close(&mut self, life: Life) {
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
    pub(super) fn lingering_until(&self, now: Now) -> Instant {
        let until = now.instant + self.service.lingering_time;
        self.shut_down_by.map_or(until, |by| until.min(by))
    }

    /// Goes on with the lingering close: waits for the client's end.
    pub(super) fn linger(&mut self, now: Now) -> Turn {
        self.give_descriptors_back();
        match self.life {
            Life::LingeringClose(until) if !self.control.finish() && now.instant < until => {
                Turn::Wait
            }
            _ => Turn::Over,
        }
    }
}
