//! Time as the caller tells it: core has no clock of its own.

use core::time::Duration;

/// A point on the driver's monotonic clock, as the time since an epoch of the driver's choice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(Duration);

impl Instant {
    /// Makes the instant that lies `since_epoch` after the driver's epoch.
    pub const fn from_epoch(since_epoch: Duration) -> Self {
        Self(since_epoch)
    }

    /// Returns the time since the driver's epoch.
    pub const fn since_epoch(self) -> Duration {
        self.0
    }

    /// Returns how long `self` lies after `earlier`; zero when it does not.
    pub fn saturating_since(self, earlier: Instant) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

impl core::ops::Add<Duration> for Instant {
    type Output = Instant;

    /// Saturates at the far end of time, so that an "infinite" timeout is merely a very long one.
    fn add(self, delay: Duration) -> Instant {
        Instant(self.0.saturating_add(delay))
    }
}

/// The wall clock: seconds and nanoseconds since 1970-01-01 00:00:00 UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WallTime {
    /// Whole seconds since the Unix epoch; negative before it.
    pub seconds: i64,
    /// Nanoseconds past `seconds`, below 1 000 000 000.
    pub nanoseconds: u32,
}

impl WallTime {
    /// Makes a wall time of whole seconds since the Unix epoch.
    pub const fn from_seconds(seconds: i64) -> Self {
        Self { seconds, nanoseconds: 0 }
    }

    /// Breaks the time into a UTC calendar date and time of day.
    pub fn civil(self) -> Civil {
        Civil::from_seconds(self.seconds)
    }
}

/// The current time on both clocks, handed in with every call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Now {
    /// The monotonic clock: deadlines are measured by it.
    pub instant: Instant,
    /// The wall clock: listings compare file times with it.
    pub wall: WallTime,
}

/// A date and time of day in the proleptic Gregorian calendar, UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Civil {
    /// The year; astronomical numbering.
    pub year: i64,
    /// The month, 1 to 12.
    pub month: u8,
    /// The day of the month, 1 to 31.
    pub day: u8,
    /// The hour, 0 to 23.
    pub hour: u8,
    /// The minute, 0 to 59.
    pub minute: u8,
    /// The second, 0 to 59.
    pub second: u8,
}

impl Civil {
    /// Converts seconds since the Unix epoch; total over all of `i64`.
    pub fn from_seconds(seconds: i64) -> Self {
        let days = seconds.div_euclid(86_400);
        let of_day = seconds.rem_euclid(86_400);
        // Days counted from 0000-03-01, so that the leap day is the last of its year; eras of 400
        // years all have 146 097 days. Source: Howard Hinnant, "chrono-compatible low-level date
        // algorithms", civil_from_days.
        let shifted = days + 719_468;
        let era = shifted.div_euclid(146_097);
        let day_of_era = shifted.rem_euclid(146_097);
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted_month = (5 * day_of_year + 2) / 153;
        let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
        Self {
            year: year_of_era + era * 400 + i64::from(month <= 2),
            month: month as u8,
            day: (day_of_year - (153 * shifted_month + 2) / 5 + 1) as u8,
            hour: (of_day / 3_600) as u8,
            minute: (of_day / 60 % 60) as u8,
            second: (of_day % 60) as u8,
        }
    }

    /// Converts to seconds since the Unix epoch; `None` where the calendar has no such day, or the
    /// day no such time.
    pub(crate) fn to_seconds(self) -> Option<i64> {
        // The inverse of the above, `days_from_civil` of the same source.
        let month = i64::from(self.month);
        let shifted_year = self.year.checked_sub(i64::from(month <= 2))?;
        let era = shifted_year.div_euclid(400);
        let year_of_era = shifted_year.rem_euclid(400);
        let shifted_month = (month + 9) % 12;
        let day_of_year = (153 * shifted_month + 2) / 5 + i64::from(self.day) - 1;
        let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
        let days = era.checked_mul(146_097)?.checked_add(day_of_era - 719_468)?;
        let of_day =
            i64::from(self.hour) * 3_600 + i64::from(self.minute) * 60 + i64::from(self.second);
        let seconds = days.checked_mul(86_400)?.checked_add(of_day)?;
        // What is out of its range has become another date.
        (Self::from_seconds(seconds) == self).then_some(seconds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn civil_dates_match_known_ones() {
        let date = |seconds| {
            let c = Civil::from_seconds(seconds);
            (c.year, c.month, c.day, c.hour, c.minute, c.second)
        };
        assert_eq!(date(0), (1970, 1, 1, 0, 0, 0));
        assert_eq!(date(-1), (1969, 12, 31, 23, 59, 59));
        assert_eq!(date(951_782_400), (2000, 2, 29, 0, 0, 0));
        assert_eq!(date(1_709_251_199), (2024, 2, 29, 23, 59, 59));
        assert_eq!(date(4_107_542_400), (2100, 3, 1, 0, 0, 0));
    }

    #[test]
    fn dates_that_do_not_exist_have_no_seconds() {
        let seconds = |(year, month, day), (hour, minute, second)| {
            Civil { year, month, day, hour, minute, second }.to_seconds()
        };
        assert_eq!(seconds((2024, 2, 29), (23, 59, 59)), Some(1_709_251_199));
        for wrong in [(2023, 2, 29), (2100, 2, 29), (2024, 4, 31), (2024, 0, 1), (2024, 13, 1)] {
            assert_eq!(seconds(wrong, (0, 0, 0)), None, "{wrong:?}");
        }
        assert_eq!(seconds((2024, 1, 0), (0, 0, 0)), None);
        for wrong in [(24, 0, 0), (0, 60, 0), (0, 0, 60), (255, 255, 255)] {
            assert_eq!(seconds((2024, 1, 1), wrong), None, "{wrong:?}");
        }
        assert_eq!(seconds((i64::MIN, 1, 1), (0, 0, 0)), None);
        assert_eq!(seconds((i64::MAX, 1, 1), (0, 0, 0)), None);
    }

    proptest! {
        #[test]
        fn civil_there_and_back(seconds in -1_000_000_000_000_i64..1_000_000_000_000) {
            prop_assert_eq!(Civil::from_seconds(seconds).to_seconds(), Some(seconds));
        }
    }

    #[test]
    fn civil_is_total() {
        for seconds in [i64::MIN, i64::MIN + 1, i64::MAX - 1, i64::MAX] {
            let civil = Civil::from_seconds(seconds);
            assert!((1..=12).contains(&civil.month) && (1..=31).contains(&civil.day));
        }
    }
}
