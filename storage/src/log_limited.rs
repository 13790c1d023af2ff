//! Log lines that a client, or a fault of the machine, may cause again and again: so many a minute
//! from each place in the code that says one.

use std::fmt;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Instant;

use log::Level;
use wharf_core::LogLimiter;

/// How many lines a minute a place in the code may log.
const LINES_PER_MINUTE: u32 = 60;

/// A place in the code that logs; see [`log_limited!`](crate::log_limited).
#[derive(Debug)]
#[doc(hidden)]
pub struct LogSite(Mutex<LogLimiter>);

impl LogSite {
    /// Makes one from which nothing has been logged yet.
    #[allow(clippy::new_without_default, reason = "it is for the macro alone")]
    pub const fn new() -> Self {
        Self(Mutex::new(LogLimiter::new(LINES_PER_MINUTE)))
    }

    /// Logs a line, or counts it.
    pub fn log(&self, level: Level, target: &str, text: fmt::Arguments<'_>) {
        // What is not to be seen is not to be counted either.
        if !log::log_enabled!(target: target, level) {
            return;
        }
        let now = wharf_core::Instant::from_epoch(since_start());
        let admitted = self.0.lock().unwrap_or_else(PoisonError::into_inner).admit(now);
        let Some(left_out) = admitted else { return };
        match left_out {
            0 => log::log!(target: target, level, "{text}"),
            _ => log::log!(target: target, level, "{text} ({left_out} more like it left out)"),
        }
    }
}

/// Returns the time since this was first asked for.
fn since_start() -> std::time::Duration {
    static START: OnceLock<Instant> = OnceLock::new();
    START.get_or_init(Instant::now).elapsed()
}

/// Logs a line that may be repeated without end, such as by a client that does the same again:
/// 60 a minute from where this stands, and how many were left out.
///
/// ```
/// wharf_storage::log_limited!(Warn, "no thread for another session: {}", "the reason");
/// ```
#[macro_export]
macro_rules! log_limited {
    ($level:ident, $($text:tt)+) => {{
        static SITE: $crate::LogSite = $crate::LogSite::new();
        SITE.log($crate::Level::$level, ::core::module_path!(), ::core::format_args!($($text)+));
    }};
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_place_has_its_own_allowance() {
        let (one, other) = (LogSite::new(), LogSite::new());
        let left = |place: &LogSite| {
            let mut pace = place.0.lock().unwrap();
            let now = wharf_core::Instant::default();
            std::iter::from_fn(|| pace.admit(now)).count()
        };
        assert_eq!((left(&one), left(&one)), (LINES_PER_MINUTE as usize, 0));
        assert_eq!(left(&other), LINES_PER_MINUTE as usize);
    }
}
