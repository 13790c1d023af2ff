//! A data connection that is refused: how long it stays open, and how it ends.

use std::collections::VecDeque;
use std::net::Shutdown;
use std::sync::Arc;

use wharf_core::{Instant, Now};

use super::{DataChannel, State};
use crate::connection::job::Job;
use crate::server::listener::{Accepted, Arrival, accept};

impl DataChannel {
    /// Closes a port at once, and a connection by a lingering close: at `until`, unless the client
    /// goes on before.
    ///
    /// Closing it at once resets it where its bytes have not been read, be they only the first of
    /// TLS. Clients that find this before the reply that says why give up the session (basic-ftp of
    /// npm) or misread the reply (curl).
    pub(in crate::connection) fn refuse(&mut self, jobs: &mut VecDeque<Job>, until: Instant) {
        let connection = match &mut self.state {
            State::Listening { offered: offered @ Some(_), .. } => offered.take().map(Arc::new),
            State::Listening { port, .. } => match accept(port.socket()) {
                Accepted::Client(Arrival { socket, .. }) => Some(Arc::new(socket)),
                _ => None,
            },
            State::Open { socket, wire, .. } => {
                // Where TLS has begun, after a 150, the client may wait for the end before it reads
                // the reply. No close_notify: nothing is not an empty file.
                if wire.tls().is_some() {
                    // A client that is gone already needs no goodbye.
                    let _ = socket.shutdown(Shutdown::Write);
                }
                Some(socket.clone())
            }
            _ => None,
        };
        self.close(jobs);
        self.refused = connection.map(|socket| (socket, until));
    }

    /// Closes what was refused: the client goes on.
    pub(in crate::connection) fn close_refused(&mut self) {
        self.refused = None;
    }

    /// Closes what was refused, if that is due.
    pub(in crate::connection) fn close_refused_in_time(&mut self, now: Now) {
        self.refused = self.refused.take().filter(|(_, until)| now.instant < *until);
    }
}
