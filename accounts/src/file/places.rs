//! How many sessions each account has.

use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

/// The counters of all accounts, by host and name. They outlive a reload of the file.
#[derive(Debug, Default)]
pub(super) struct Places {
    counters: Mutex<HashMap<(String, String), Weak<Counter>>>,
}

impl Places {
    /// Returns the account's counter, which is the same one as long as a session has it.
    pub(super) fn of(&self, host: &str, name: &str) -> Arc<Counter> {
        let mut counters = self.counters.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = counters.entry((host.to_string(), name.to_string())).or_default();
        kept.upgrade().unwrap_or_else(|| {
            let new = Arc::default();
            *kept = Arc::downgrade(&new);
            new
        })
    }

    /// Drops the counters that no session has any more.
    pub(super) fn tidy(&self) {
        let mut counters = self.counters.lock().unwrap_or_else(PoisonError::into_inner);
        counters.retain(|_, counter| counter.strong_count() > 0);
    }
}

/// How many sessions an account has.
#[derive(Debug, Default)]
pub(super) struct Counter(AtomicUsize);

impl Counter {
    /// Takes a place, where there are fewer than `most`; it is given back when dropped.
    pub(super) fn take(self: &Arc<Self>, most: Option<NonZeroUsize>) -> Option<Place> {
        let most = most.map_or(usize::MAX, NonZeroUsize::get);
        let more = |taken| (taken < most).then_some(taken + 1);
        // It counts, and orders nothing else.
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).ok()?;
        Some(Place(Arc::clone(self)))
    }
}

/// A session's place among those of its account.
#[derive(Debug)]
pub(super) struct Place(Arc<Counter>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_come_back() {
        let places = Places::default();
        let two = NonZeroUsize::new(2);
        let first = places.of("", "anna").take(two).unwrap();
        let second = places.of("", "anna").take(None).unwrap();
        assert!(places.of("", "anna").take(two).is_none());
        assert!(places.of("host", "anna").take(two).is_some());
        drop(first);
        places.tidy();
        let third = places.of("", "anna").take(two).unwrap();
        assert!(places.of("", "anna").take(two).is_none());
        drop((second, third));
        places.tidy();
        assert!(places.counters.lock().unwrap().is_empty());
    }
}
