//! How many sessions each thread of a driver has.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The count of the sessions that a thread has, or is about to have.
#[derive(Debug, Default)]
pub struct Seats(Arc<AtomicUsize>);

/// A session's place in the count of its thread, until this is dropped.
#[derive(Debug)]
pub struct Seat(Arc<AtomicUsize>);

impl Seats {
    /// Counts one more session.
    pub fn take(&self) -> Seat {
        self.0.fetch_add(1, Ordering::Relaxed);
        Seat(self.0.clone())
    }

    /// Returns how many sessions there are.
    pub fn taken(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
