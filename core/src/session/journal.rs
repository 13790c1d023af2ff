//! What a session writes to the log, at a limited rate: a client decides how many lines there are to
//! write.

use core::fmt;
use core::net::IpAddr;

use log::Level;

use crate::log_limiter::LogLimiter;
use crate::time::Instant;

/// What is done when all is well may be logged so much more often than what is refused.
const ORDINARY: u32 = 20;

/// The log lines of one session. Each begins with the client's address.
#[derive(Debug)]
pub(super) struct Journal {
    peer: IpAddr,
    now: Instant,
    logins: LogLimiter,
    refusals: LogLimiter,
    ordinary: LogLimiter,
    ignored: LogLimiter,
    steps: LogLimiter,
}

impl Journal {
    pub(super) fn new(peer: IpAddr, per_minute: u32, now: Instant) -> Self {
        Self {
            peer,
            now,
            logins: LogLimiter::new(per_minute),
            refusals: LogLimiter::new(per_minute),
            ordinary: LogLimiter::new(per_minute.saturating_mul(ORDINARY)),
            ignored: LogLimiter::new(per_minute),
            steps: LogLimiter::new(per_minute.saturating_mul(ORDINARY)),
        }
    }

    /// Sets the time.
    pub(super) fn set_time(&mut self, now: Instant) {
        self.now = now;
    }

    /// Returns the time of what is put in.
    pub(super) fn time(&self) -> Instant {
        self.now
    }

    /// Logs that a login failed. `contrib/fail2ban` reads these: no other lines use up theirs, or
    /// a client could guess unseen.
    pub(super) fn login_failed(&mut self, text: fmt::Arguments<'_>) {
        let left_out = self.logins.admit(self.now);
        write_line(LOGINS, Level::Warn, self.peer, left_out, text);
    }

    /// Logs that the client was refused something.
    pub(super) fn refused(&mut self, text: fmt::Arguments<'_>) {
        let left_out = self.refusals.admit(self.now);
        write_line(SESSIONS, Level::Warn, self.peer, left_out, text);
    }

    /// Logs what is no trouble.
    pub(super) fn ordinary(&mut self, text: fmt::Arguments<'_>) {
        // What is not to be seen is not to be counted either.
        if log::log_enabled!(target: SESSIONS, Level::Info) {
            let left_out = self.ordinary.admit(self.now);
            write_line(SESSIONS, Level::Info, self.peer, left_out, text);
        }
    }

    /// Logs what the driver said and nothing waits for: mostly an answer that has been given up, but
    /// a mistake in a new driver shows here too.
    pub(super) fn ignored(&mut self, text: fmt::Arguments<'_>) {
        if log::log_enabled!(target: SESSIONS, Level::Debug) {
            let left_out = self.ignored.admit(self.now);
            write_line(SESSIONS, Level::Debug, self.peer, left_out, text);
        }
    }

    /// Logs a step of the state machine.
    pub(super) fn moved(&mut self, text: fmt::Arguments<'_>) {
        if log::log_enabled!(target: STATES, Level::Trace) {
            let left_out = self.steps.admit(self.now);
            write_line(STATES, Level::Trace, self.peer, left_out, text);
        }
    }
}

impl Drop for Journal {
    /// Writes how many lines have been left out, if no further line has.
    fn drop(&mut self) {
        let counts = [
            (LOGINS, Level::Warn, &mut self.logins),
            (SESSIONS, Level::Warn, &mut self.refusals),
            (SESSIONS, Level::Info, &mut self.ordinary),
            (SESSIONS, Level::Debug, &mut self.ignored),
            (STATES, Level::Trace, &mut self.steps),
        ];
        for (target, level, pace) in counts {
            write_left_out(target, level, self.peer, pace.take_left_out());
        }
    }
}

/// What `contrib/fail2ban` looks for.
const LOGINS: &str = "wharf_core::session::access";
const SESSIONS: &str = "wharf_core::session";
const STATES: &str = "wharf_core::states";

/// Writes a line for which there is room, after how many there was none for.
fn write_line(
    target: &str,
    level: Level,
    peer: IpAddr,
    left_out: Option<u64>,
    text: fmt::Arguments<'_>,
) {
    let Some(left_out) = left_out else { return };
    write_left_out(target, level, peer, left_out);
    log::log!(target: target, level, "{peer}: {text}");
}

fn write_left_out(target: &str, level: Level, peer: IpAddr, left_out: u64) {
    if left_out > 0 {
        log::log!(target: target, level, "{peer}: {left_out} more lines left out");
    }
}
