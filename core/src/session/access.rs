//! Coming and going: HOST, USER, PASS, ACCT, REIN, QUIT (RFC 959 section 4.1.1, RFC 2577 section
//! 5, RFC 7151).

use alloc::vec::Vec;
use core::fmt;

use crate::action::{Action, LoginMethod, Password};
use crate::event::{Denial, Grant, RequestId};
use crate::language::ENGLISH;
use crate::notice::{LoginFailure, Parting};
use crate::time::Now;

use super::state::{
    Awaiting, Login, LoginStep, NotAwaited, Parameters, Protection, Range, Security, Work,
};
use super::{COOLING_DOWN, LOG_IN_FIRST, Session, trim};

/// The text of 421 where the accounts broke down.
const LOGIN_FAILED: &str = "The login could not be checked.";

/// The text of 530 where an account has all its sessions.
const TOO_MANY_SESSIONS: &str = "Too many sessions for this account; try later.";

/// The text of 530 where the password would travel in clear.
const TLS_TO_LOG_IN: &str = "TLS is required to log in; send AUTH TLS first.";

impl Session {
    /// Sends 220. Its text is the operator's, in whatever language that may be.
    ///
    /// A client that is greeted has not asked for a language: HOST and REIN undo LANG (RFC 2640 section 4.1).
    pub(super) fn greet(&mut self) {
        self.replies.set_language(&ENGLISH);
        let config = self.config.clone();
        self.replies.lines(220, config.greeting.as_bytes());
    }

    /// HOST (RFC 7151): before the login, and as often as the client likes.
    pub(crate) fn choose_host(&mut self, argument: &[u8]) {
        if let Login::In { .. } = self.login {
            return self.reply(503, "HOST has to come before the login.");
        }
        let name = trim(argument).to_ascii_lowercase();
        let name = name.strip_suffix(b".").unwrap_or(&name);
        let known = self.config.hosts.iter().position(|host| host.as_bytes() == name);
        if known.is_none() && !self.is_own_address(name) {
            return self.reply(504, "Unknown host.");
        }
        self.login = Login::None;
        self.host = known;
        self.greet();
    }

    /// Returns `true` if an address such as `192.0.2.1` or `[2001:db8::1]` is the server's own.
    fn is_own_address(&self, text: &[u8]) -> bool {
        let bare = text.strip_prefix(b"[").and_then(|text| text.strip_suffix(b"]"));
        let address = core::str::from_utf8(bare.unwrap_or(text)).ok();
        let address = address.and_then(|text| text.parse::<core::net::IpAddr>().ok());
        address.is_some_and(|ip| ip == self.endpoint.local().ip() && ip.is_ipv6() == bare.is_some())
    }

    /// USER: every name gets the same answer, known or not, unless a certificate speaks for it.
    pub(crate) fn user(&mut self, name: &[u8], now: Now) {
        self.log_out(now);
        if self.is_too_open_for(self.tls_required()) {
            self.tell_login_failure(name, LoginFailure::TlsRequired);
            return self.reply(530, TLS_TO_LOG_IN);
        }
        let user = name.to_vec();
        if self.security == (Security::Protected { certificate: true }) {
            self.authenticate(user, LoginMethod::Certificate);
        } else {
            self.ask_for_password(user);
        }
    }

    fn ask_for_password(&mut self, user: Vec<u8>) {
        self.login = Login::Named { user };
        self.reply(331, "Password required.");
    }

    fn authenticate(&mut self, user: Vec<u8>, method: LoginMethod) {
        let by = match method {
            LoginMethod::Password(_) => LoginStep::Password,
            LoginMethod::Certificate => LoginStep::Certificate,
        };
        let (id, host) = (self.next_id(), self.host);
        self.work = Work::Waiting { id, awaiting: Awaiting::Accounts { user: user.clone(), by } };
        self.actions.push_back(Action::Authenticate { id, user, method, host });
    }

    /// The accounts have answered the request `id`.
    pub(super) fn authenticated(
        &mut self,
        id: RequestId,
        outcome: Result<Grant, Denial>,
        now: Now,
    ) -> Result<(), NotAwaited> {
        match self.take_awaiting(id, Awaiting::accounts)? {
            (user, LoginStep::Password) => self.logged_in(user, outcome, now),
            (user, LoginStep::Certificate) => self.identified(user, outcome, now),
        }
        Ok(())
    }

    /// The accounts have said whether the certificate stands for the password.
    fn identified(&mut self, user: Vec<u8>, outcome: Result<Grant, Denial>, now: Now) {
        match outcome {
            Ok(grant) => {
                self.journal.ordinary(format_args!("login as {} by certificate", ForLog(&user)));
                self.tell_login(&user, true);
                self.login = Login::In { user, grant };
                self.reply(232, "User logged in, authorized by certificate.");
            }
            // The password's answer tells why it failed, once.
            Err(Denial::Refused | Denial::WrongNetwork) => self.ask_for_password(user),
            Err(denial) => {
                self.tell_denial(denial, &user);
                match denial {
                    Denial::TooManySessions => self.reply(530, TOO_MANY_SESSIONS),
                    Denial::Failed => self.end(Parting::AccountsFailed, 421, LOGIN_FAILED, now),
                    _ => self.ask_for_password(user),
                }
            }
        }
    }

    /// PASS.
    pub(crate) fn pass(&mut self, password: &[u8]) {
        match core::mem::replace(&mut self.login, Login::None) {
            Login::None => self.reply(503, "Login with USER first."),
            // USER came within TLS, and CCC after it.
            Login::Named { user } if self.is_too_open_for(self.tls_required()) => {
                self.tell_login_failure(&user, LoginFailure::TlsRequired);
                self.reply(530, TLS_TO_LOG_IN);
            }
            Login::Named { user } => {
                let method = LoginMethod::Password(Password::new(password));
                self.authenticate(user, method);
            }
            already @ Login::In { .. } => {
                self.login = already;
                self.reply(202, "Already logged in.");
            }
        }
    }

    /// The accounts have judged the password.
    fn logged_in(&mut self, user: Vec<u8>, outcome: Result<Grant, Denial>, now: Now) {
        match outcome {
            // Only a client that knows the password learns of this.
            Ok(grant) if self.is_too_open_for(grant.tls) => {
                self.tell_login_failure(&user, LoginFailure::TlsRequired);
                self.actions.push_back(Action::Logout);
                self.reply(530, "This account requires TLS to log in; send AUTH TLS first.");
            }
            Ok(grant) => {
                self.journal.ordinary(format_args!("login as {}", ForLog(&user)));
                self.tell_login(&user, false);
                self.login = Login::In { user, grant };
                self.reply(230, "Login successful.");
            }
            Err(denial) => {
                self.tell_denial(denial, &user);
                if matches!(denial, Denial::Refused | Denial::WrongNetwork) {
                    self.failed_logins += 1;
                }
                let until = now.instant + self.config.login_delay;
                self.work = Work::Delaying { until, why: denial };
            }
        }
    }

    /// The delay after a failed login is over.
    pub(super) fn login_failed(&mut self, why: Denial, now: Now) {
        if why == Denial::CoolingDown {
            return self.end(Parting::LoginFailures, 421, COOLING_DOWN, now);
        }
        if why == Denial::Failed {
            return self.end(Parting::AccountsFailed, 421, LOGIN_FAILED, now);
        }
        if self.failed_logins >= self.config.max_login_attempts {
            return self.end(Parting::LoginFailures, 421, "Too many failed logins.", now);
        }
        self.work = Work::Idle;
        match why {
            Denial::TooManySessions => self.reply(530, TOO_MANY_SESSIONS),
            _ => self.reply(530, "Authentication failed."),
        }
    }

    /// Tells why a login failed. `contrib/fail2ban` reads the first of these lines, and
    /// [`log_cooling_down`](Self::log_cooling_down)'s: to the byte up to the name.
    fn tell_denial(&mut self, denial: Denial, user: &[u8]) {
        self.tell_login_failure(user, LoginFailure::Denied(denial));
        let (journal, user) = (&mut self.journal, ForLog(user));
        match denial {
            Denial::Refused => journal.login_failed(format_args!("login failed as {user}")),
            Denial::WrongNetwork => journal.login_failed(format_args!(
                "login failed as {user}: not from a network of the account"
            )),
            Denial::CoolingDown => self.log_cooling_down(),
            Denial::TooManySessions => journal.refused(format_args!("too many sessions as {user}")),
            Denial::Unavailable => journal.refused(format_args!("no accounts to ask for {user}")),
            Denial::Failed => journal.refused(format_args!("the accounts failed for {user}")),
        }
    }

    pub(super) fn log_cooling_down(&mut self) {
        self.journal.login_failed(format_args!("login refused, cooling down"));
    }

    /// ACCT: no account is ever needed (RFC 959 section 4.1.1).
    pub(crate) fn acct(&mut self) {
        match self.login {
            Login::In { .. } => self.reply(202, "No account needed."),
            _ => self.reply(503, LOG_IN_FIRST),
        }
    }

    /// REIN: as fresh as a new connection; the count of failed logins stays.
    pub(crate) fn rein(&mut self, now: Now) {
        self.log_out(now);
        self.parameters = Parameters::new();
        self.host = None;
        self.greet();
        self.protection = Protection::Unsized;
        match self.security {
            Security::Protected { .. } if self.endpoint.implicit_tls() => {
                self.protection = Protection::Private;
            }
            // RFC 4217 section 13: back to clear text.
            Security::Protected { .. } => self.work = Work::Clearing { to: Security::Clear },
            Security::Clear | Security::Cleared => self.security = Security::Clear,
        }
    }

    /// QUIT.
    pub(crate) fn quit(&mut self, now: Now) {
        self.end(Parting::Quit, 221, "Goodbye.", now);
    }

    pub(super) fn log_out(&mut self, now: Now) {
        if self.drop_login() {
            self.actions.push_back(Action::Logout);
            self.login_deadline = now.instant + self.config.login_timeout;
        }
        self.login = Login::None;
        self.parameters.directory = crate::path::VirtualPath::root();
        self.parameters.range = Range::Whole;
        self.close_data();
    }
}

/// Writes a name that a client gave for a log: in one line, and not for ever.
pub(super) struct ForLog<'a>(pub(super) &'a [u8]);

impl ForLog<'_> {
    const LENGTH: usize = 64;
}

impl fmt::Display for ForLog<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.get(..Self::LENGTH) {
            Some(begin) if self.0.len() > Self::LENGTH => write!(f, "{}...", begin.escape_ascii()),
            _ => self.0.escape_ascii().fmt(f),
        }
    }
}
