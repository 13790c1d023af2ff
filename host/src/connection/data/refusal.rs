//! A data connection that is refused: how long it stays open, and how it ends.

use std::collections::VecDeque;
use std::net::Shutdown;
use std::sync::Arc;

use wharf_core::{Instant, Now};

use super::{DataChannel, Refused, State};
use crate::connection::job::Job;
use crate::server::listener::{Accepted, Arrival, accept};

impl DataChannel {
    /// Closes a port at once, and a connection by a lingering close, which begins when the reply has
    /// [left](Self::reply_has_left) and ends when the client goes on. After a 150 (`announced`) our
    /// side is closed at once.
    ///
    /// Closing it at once resets it where its bytes have not been read, be they only the first of
    /// TLS. Clients that find this before the reply that says why give up the session (basic-ftp of
    /// npm) or misread the reply (curl).
    pub(in crate::connection) fn refuse(&mut self, jobs: &mut VecDeque<Job>, announced: bool) {
        let connection = match &mut self.state {
            State::Listening { offered: offered @ Some(_), .. } => offered.take().map(Arc::new),
            State::Listening { port, .. } => match accept(port.socket()) {
                Accepted::Client(Arrival { socket, .. }) => Some(Arc::new(socket)),
                _ => None,
            },
            State::Open { socket, .. } => Some(socket.clone()),
            _ => None,
        };
        if let (true, Some(socket)) = (announced, &connection) {
            // No close_notify: nothing is not an empty file. A client that is gone needs no end.
            let _ = socket.shutdown(Shutdown::Write);
        }
        self.close(jobs);
        self.refused = connection.map(|socket| Refused { _socket: socket, until: None });
    }

    /// Returns `true` if a lingering close waits for its reply to leave.
    pub(in crate::connection) fn awaits_reply(&self) -> bool {
        self.refused.as_ref().is_some_and(|refused| refused.until.is_none())
    }

    /// Begins the lingering close: the reply has left.
    pub(in crate::connection) fn reply_has_left(&mut self, until: Instant) {
        if let Some(refused) = &mut self.refused {
            refused.until = Some(until);
        }
    }

    /// Closes what was refused: the client goes on.
    pub(in crate::connection) fn close_refused(&mut self) {
        self.refused = None;
    }

    /// Closes what was refused, if that is due.
    pub(in crate::connection) fn close_refused_in_time(&mut self, now: Now) {
        self.refused = self
            .refused
            .take()
            .filter(|refused| refused.until.is_none_or(|until| now.instant < until));
    }
}
