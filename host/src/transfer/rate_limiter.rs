//! Holding a transfer back to the rate that its account may have.
//!
//! The algorithm is the *generic cell rate algorithm* (GCRA, ITU-T I.371), which does what a token
//! bucket does and keeps one instant instead of a level: the *theoretical arrival time*, at which the
//! next byte would come if all before it had come evenly, at the rate. It moves on as bytes move, and
//! may be ahead of the clock by a burst.

use std::num::NonZeroU64;
use std::time::Duration;

use wharf_core::Instant;

/// The burst: how much time's worth of bytes may move at once. Short enough to be even, and to show
/// progress.
const BURST: Duration = Duration::from_millis(250);

/// How long it waits without looking at the clock again.
const NAP: Duration = Duration::from_millis(500);

/// The rate limiter of one transfer.
#[derive(Debug)]
pub(crate) struct RateLimiter {
    rate: NonZeroU64,
    /// When the next byte would come, had all before it moved at the rate.
    theoretical_arrival: Instant,
    /// When to ask again, where no byte may move.
    next: Option<Instant>,
}

impl RateLimiter {
    /// Begins with a burst.
    pub(crate) fn new(rate: NonZeroU64, now: Instant) -> Self {
        Self { rate, theoretical_arrival: now, next: None }
    }

    /// Returns how many bytes may move now.
    pub(crate) fn budget(&mut self, now: Instant) -> u64 {
        // Time in which nothing moved is not saved up.
        let ahead = self.theoretical_arrival.saturating_since(now);
        if ahead.is_zero() {
            self.theoretical_arrival = now;
        }
        let most = self.bytes_in(BURST).max(1);
        let budget = if ahead >= BURST { 0 } else { self.bytes_in(BURST - ahead).min(most) };
        // A single byte may take longer than a burst.
        let budget = if ahead.is_zero() { budget.max(1) } else { budget };
        // Where half a burst is not even a byte, all that has moved has to be paid for first.
        let rest = if self.bytes_in(BURST / 2) > 0 { BURST / 2 } else { Duration::ZERO };
        self.next = (budget == 0).then(|| now + ahead.saturating_sub(rest).min(NAP));
        budget
    }

    /// Moves the theoretical arrival time on, by bytes that have moved.
    pub(crate) fn moved(&mut self, count: u64) {
        let nanoseconds = u128::from(count) * 1_000_000_000 / u128::from(self.rate.get());
        let seconds = u64::try_from(nanoseconds / 1_000_000_000).unwrap_or(u64::MAX);
        self.theoretical_arrival =
            self.theoretical_arrival + Duration::new(seconds, (nanoseconds % 1_000_000_000) as u32);
    }

    /// Returns when to ask again, where no byte may move now.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.next
    }

    fn bytes_in(&self, time: Duration) -> u64 {
        let bytes = u128::from(self.rate.get()) * time.as_nanos() / 1_000_000_000;
        u64::try_from(bytes).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Moves what may move, from one permission to the next; returns how long `total` bytes took.
    fn pass(rate: u64, total: u64, portion: u64) -> Duration {
        let begin = Instant::from_epoch(Duration::from_secs(10));
        let mut rate_limiter = RateLimiter::new(NonZeroU64::new(rate).unwrap(), begin);
        let (mut now, mut left) = (begin, total);
        while left > 0 {
            match rate_limiter.budget(now).min(left).min(portion) {
                0 => {
                    let next = rate_limiter.next().unwrap();
                    assert!(next > now, "time goes on");
                    now = next;
                }
                count => {
                    rate_limiter.moved(count);
                    left -= count;
                }
            }
        }
        now.saturating_since(begin)
    }

    #[test]
    fn transfers_take_their_time() {
        for (rate, total) in [(1000, 10_000), (1, 5), (3, 20), (1_000_000, 5_000_000), (999_983, 7)]
        {
            for portion in [1, 100, u64::MAX] {
                if portion == 1 && total > 100_000 {
                    continue;
                }
                let due = Duration::from_secs_f64(total as f64 / rate as f64);
                let took = pass(rate, total, portion);
                let slack = BURST + Duration::from_secs_f64(1.0 / rate as f64);
                assert!(took <= due, "{rate}, {total}, {portion}: {took:?}");
                assert!(took + slack >= due, "{rate}, {total}, {portion}: {took:?}");
            }
        }
    }

    #[test]
    fn idle_time_is_not_saved_up() {
        let begin = Instant::from_epoch(Duration::ZERO);
        let mut rate_limiter = RateLimiter::new(NonZeroU64::new(1000).unwrap(), begin);
        assert_eq!(rate_limiter.budget(begin), 250);
        assert_eq!(rate_limiter.budget(begin + Duration::from_secs(100)), 250);
        rate_limiter.moved(250);
        assert_eq!(rate_limiter.budget(begin + Duration::from_secs(100)), 0);
        assert_eq!(rate_limiter.budget(begin + Duration::from_secs(101)), 250);
    }
}
