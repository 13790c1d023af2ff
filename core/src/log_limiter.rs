//! How often something may be said.

use core::time::Duration;

use crate::time::Instant;

const MINUTE: Duration = Duration::from_secs(60);

/// Log lines of one kind: so many a minute, all at once or one by one. What goes beyond is counted.
#[derive(Clone, Debug)]
pub struct LogLimiter {
    /// Zero stands for any number.
    per_minute: u32,
    /// When the whole minute's allowance is back.
    whole_at: Instant,
    left_out: u64,
}

impl LogLimiter {
    /// Allows `per_minute` lines a minute; 0 stands for any number.
    pub const fn new(per_minute: u32) -> Self {
        Self { per_minute, whole_at: Instant::from_epoch(Duration::ZERO), left_out: 0 }
    }

    /// Returns how many lines have been left out since the last one that was allowed, if another
    /// one is allowed now; else counts it among those, and returns `None`.
    pub fn admit(&mut self, now: Instant) -> Option<u64> {
        if let Some(interval) = MINUTE.checked_div(self.per_minute) {
            let whole_at = self.whole_at.max(now) + interval;
            if whole_at.saturating_since(now) > MINUTE {
                self.left_out = self.left_out.saturating_add(1);
                return None;
            }
            self.whole_at = whole_at;
        }
        Some(self.take_left_out())
    }

    /// Returns how many lines have been left out since the last one that was allowed, and forgets
    /// them.
    pub fn take_left_out(&mut self) -> u64 {
        core::mem::take(&mut self.left_out)
    }

    /// Returns `true` if the whole allowance is there and nothing was left out, as at the beginning.
    pub fn is_fresh(&self, now: Instant) -> bool {
        self.whole_at <= now && self.left_out == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Instant {
        Instant::from_epoch(Duration::from_secs(seconds))
    }

    #[test]
    fn a_minutes_worth_at_once_and_then_one_by_one() {
        let mut pace = LogLimiter::new(6);
        assert!((0..6).all(|_| pace.admit(at(100)) == Some(0)));
        assert!((0..50).all(|_| pace.admit(at(109)).is_none()));
        assert!(!pace.is_fresh(at(1000)));
        assert_eq!(pace.admit(at(110)), Some(50));
        assert_eq!(pace.admit(at(110)), None);
        assert_eq!(pace.take_left_out(), 1);
        assert!(!pace.is_fresh(at(169)) && pace.is_fresh(at(170)));
        assert!((0..6).all(|_| pace.admit(at(1000)) == Some(0)));
        assert_eq!(pace.admit(at(1000)), None);
    }

    #[test]
    fn none_is_any_number() {
        let mut pace = LogLimiter::new(0);
        assert!((0..10_000).all(|_| pace.admit(at(0)) == Some(0)));
    }

    #[test]
    fn time_that_ends_or_goes_back_stops_nothing() {
        let mut pace = LogLimiter::new(u32::MAX);
        let end = Instant::from_epoch(Duration::MAX);
        assert_eq!(pace.admit(end), Some(0));
        assert_eq!(LogLimiter::new(1).admit(end), Some(0));
        let mut pace = LogLimiter::new(1);
        assert_eq!((pace.admit(at(600)), pace.admit(at(0))), (Some(0), None));
    }
}
