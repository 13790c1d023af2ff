//! When something takes too long: the one place that knows all timers of a session.

use crate::event::Denial;
use crate::notice::Parting;
use crate::time::{Instant, Now};

use super::Session;
use super::state::{Login, Work};
use super::stop::StopReason;

/// What happens when a deadline passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Deadline {
    /// A failed login is answered.
    LoginDelay(Denial),
    /// The client does not go on with TLS.
    Handshake,
    /// The client has not logged in.
    Login,
    /// The client has sent no command.
    Idle,
    /// The data connection has not come, or stands still.
    Data,
    /// No command uses the passive port, or the connection to it.
    Unused,
    /// The server waits no longer for the transfer or digest.
    Shutdown,
    /// The storage, the accounts or the embedding program do not answer.
    Answer,
    /// The last reply has not left.
    LastReply,
}

impl Session {
    /// Returns when [`Event::Timeout`](crate::Event::Timeout) is due; `None` when nothing is.
    #[must_use = "without the timeout nothing ends that takes too long"]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.next_deadline().map(|(at, _)| at)
    }

    fn next_deadline(&self) -> Option<(Instant, Deadline)> {
        let unused = match self.work {
            Work::Transferring(_) => None,
            _ => self.data.deadline().map(|at| (at, Deadline::Unused)),
        };
        let deadlines = [self.deadline_of_work(), unused];
        deadlines.into_iter().flatten().min_by_key(|(at, _)| *at)
    }

    fn deadline_of_work(&self) -> Option<(Instant, Deadline)> {
        match &self.work {
            Work::Idle => {
                let idle = (self.active + self.config.idle_timeout, Deadline::Idle);
                let login = (self.login_deadline, Deadline::Login);
                match self.login {
                    Login::In { .. } => Some(idle),
                    _ => Some(if login.0 <= idle.0 { login } else { idle }),
                }
            }
            Work::Delaying { until, why } => Some((*until, Deadline::LoginDelay(*why))),
            Work::Transferring(transfer) => match (self.transfer_deadline(transfer), self.shutdown)
            {
                (Some(data), Some(shutdown)) if shutdown < data => {
                    Some((shutdown, Deadline::Shutdown))
                }
                (Some(data), _) => Some((data, Deadline::Data)),
                (None, _) => self.answer_deadline().map(|at| (at, Deadline::Answer)),
            },
            Work::Digesting(digesting) => {
                let shutdown = digesting.deadline(self.shutdown);
                let shutdown = shutdown.map(|at| (at, Deadline::Shutdown));
                shutdown.or_else(|| self.answer_deadline().map(|at| (at, Deadline::Answer)))
            }
            Work::Waiting { .. } => self.answer_deadline().map(|at| (at, Deadline::Answer)),
            Work::Ending { until } => Some((*until, Deadline::LastReply)),
            Work::Securing { .. } => Some((self.login_deadline, Deadline::Handshake)),
            Work::Clearing { .. } => {
                Some((self.active + self.config.idle_timeout, Deadline::Handshake))
            }
            Work::Ended => None,
        }
    }

    /// Acts on the deadline that has passed, if one has.
    pub(super) fn check_deadlines(&mut self, now: Now) {
        let Some((at, deadline)) = self.next_deadline() else { return };
        if now.instant < at {
            return;
        }
        if let Deadline::Data | Deadline::Shutdown = deadline {
            // The driver has some time for what it is told to.
            self.active = now.instant;
        }
        match deadline {
            Deadline::LoginDelay(why) => self.login_failed(why, now),
            Deadline::Handshake => {
                self.journal.ordinary(format_args!("TLS handshake timed out"));
                self.part(Parting::HandshakeTimeout);
                self.abandon_handshake(now);
            }
            Deadline::Login => self.end(Parting::LoginTimeout, 421, "Login timed out.", now),
            Deadline::Idle => self.end(Parting::IdleTimeout, 421, "Idle for too long.", now),
            Deadline::Data if self.data.stands() => self.stop_transfer(StopReason::Stalled),
            Deadline::Data => self.connecting_timed_out(),
            Deadline::Unused => self.data_unused(),
            Deadline::Shutdown => self.break_off(StopReason::Shutdown),
            Deadline::Answer => self.unanswered(now),
            Deadline::LastReply => self.replies.shut(),
        }
    }
}
