//! The clock that sessions are told.

use std::time::{Duration, Instant, SystemTime};

use wharf_core::Now;

use wharf_storage::wall_time;

/// A clock that gives the time in core's terms; its epoch is its own creation.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    epoch: Instant,
}

impl Clock {
    /// Starts a clock.
    pub fn start() -> Self {
        Self { epoch: Instant::now() }
    }

    /// Returns the time by both clocks.
    pub fn now(&self) -> Now {
        Now {
            instant: wharf_core::Instant::from_epoch(self.epoch.elapsed()),
            wall: wall_time(SystemTime::now()),
        }
    }

    /// Returns how long it is until `deadline`; zero when it has passed.
    pub fn until(&self, deadline: wharf_core::Instant) -> Duration {
        deadline.since_epoch().saturating_sub(self.epoch.elapsed())
    }
}
