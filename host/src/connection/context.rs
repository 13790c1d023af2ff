//! What the parts of a connection work with in a turn.

use std::collections::VecDeque;
use std::net::IpAddr;

use wharf_core::{Event, Now, Session};

use super::job::Job;
use crate::server::admission::Permit;
use crate::transfer::files::Files;

/// The session, and what a part of its connection may use or leave behind in a turn.
pub(super) struct Context<'a> {
    pub(super) session: &'a mut Session,
    pub(super) files: &'a mut Files,
    /// Where blocking work goes.
    pub(super) jobs: &'a mut VecDeque<Job>,
    pub(super) permit: &'a Permit,
    /// For the log.
    pub(super) peer: IpAddr,
    pub(super) now: Now,
}

impl Context<'_> {
    /// Tells the session what has happened.
    pub(super) fn handle(&mut self, event: Event) {
        self.session.handle(event, self.now);
    }
}
