//! Coming and going: USER, PASS, ACCT, REIN, QUIT (RFC 959 section 4.1.1, RFC 2577 section 5).

use alloc::vec::Vec;

use crate::action::{Action, Password};
use crate::event::{Denial, Grant};
use crate::time::Now;

use super::state::{Login, Parameters, Then, Work};
use super::{LOG_IN_FIRST, Session, shown};

impl Session {
    pub(super) fn greet(&mut self) {
        let config = self.config.clone();
        self.replies.lines(220, config.greeting.as_bytes());
    }

    /// USER: every name gets the same answer, known or not.
    pub(super) fn user(&mut self, name: &[u8], now: Now) {
        self.log_out(now);
        self.login = Login::Named { user: name.to_vec() };
        self.reply(331, "Password required.");
    }

    /// PASS.
    pub(super) fn pass(&mut self, password: &[u8]) {
        match core::mem::replace(&mut self.login, Login::Nobody) {
            Login::Nobody => self.reply(503, "Login with USER first."),
            Login::Named { user } => {
                let id = self.next_id();
                let password = Password(password.to_vec());
                self.actions.push_back(Action::Authenticate { id, user: user.clone(), password });
                self.work = Work::Waiting(id, Then::LogIn { user });
            }
            already @ Login::In { .. } => {
                self.login = already;
                self.reply(202, "Already logged in.");
            }
        }
    }

    /// The accounts have spoken.
    pub(super) fn logged_in(&mut self, user: Vec<u8>, outcome: Result<Grant, Denial>, now: Now) {
        match outcome {
            Ok(Grant { permissions }) => {
                log::info!("{}: login as {}", self.endpoint.peer().ip(), shown(&user));
                self.login = Login::In { user, permissions };
                self.reply(230, "Login successful.");
            }
            Err(denial) => {
                log::warn!("{}: login failed as {}", self.endpoint.peer().ip(), shown(&user));
                if denial == Denial::Refused {
                    self.failed_logins += 1;
                }
                self.work = Work::Delaying { until: now.instant + self.config.login_delay };
            }
        }
    }

    /// The delay after a failed login is over.
    pub(super) fn login_failed(&mut self, now: Now) {
        if self.failed_logins >= self.config.login_attempts {
            return self.end(421, "Too many failed logins.", now);
        }
        self.work = Work::Idle;
        self.reply(530, "Authentication failed.");
    }

    /// ACCT: no account is ever needed (RFC 959 section 4.1.1).
    pub(super) fn acct(&mut self) {
        match self.login {
            Login::In { .. } => self.reply(202, "No account needed."),
            _ => self.reply(503, LOG_IN_FIRST),
        }
    }

    /// REIN: as fresh as a new connection; the count of failed logins stays.
    pub(super) fn rein(&mut self, now: Now) {
        self.log_out(now);
        self.parameters = Parameters::new();
        self.greet();
    }

    fn log_out(&mut self, now: Now) {
        if let Login::In { .. } = self.login {
            self.actions.push_back(Action::Logout);
            self.login_deadline = now.instant + self.config.login_timeout;
        }
        self.login = Login::Nobody;
        self.parameters.directory = crate::path::VirtualPath::root();
        self.parameters.restart = 0;
        self.close_data();
    }
}
