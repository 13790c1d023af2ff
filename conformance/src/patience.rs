//! How long a check waits: every wait is bounded, and so is the sum of all waits of a check.

use std::cell::Cell;
use std::time::{Duration, Instant};

/// The longest that anything waits for the server, unless a [`Target`](crate::Target) says
/// otherwise. Generous: it is there to end a check that has failed, not to tell fast from slow.
pub const LIMIT: Duration = Duration::from_secs(20);

/// How many single waits a check may take altogether.
const WAITS: u32 = 12;

#[derive(Clone, Copy)]
struct Patience {
    limit: Duration,
    /// When the check as a whole has taken too long.
    end: Option<Instant>,
    /// A single wait has lasted as long as it may, and nothing came.
    in_vain: bool,
}

impl Patience {
    /// The patience of who runs no check.
    const NONE: Self = Self { limit: LIMIT, end: None, in_vain: false };
}

thread_local! {
    // A check runs on one thread, and everything that waits there waits for it.
    static PATIENCE: Cell<Patience> = const { Cell::new(Patience::NONE) };
}

/// Begins a check, each of whose waits may last this long.
pub(crate) fn begin(limit: Duration) {
    PATIENCE.set(Patience { limit, end: Some(Instant::now() + limit * WAITS), in_vain: false });
}

/// Ends a check: the next begins anew.
pub(crate) fn forget() {
    PATIENCE.set(Patience::NONE);
}

/// Has a single wait, and the check as a whole, take so much longer than usual: for a server whose
/// own timeouts are waited for.
pub(crate) fn extend(by: Duration) {
    let Patience { limit, end, in_vain } = PATIENCE.get();
    PATIENCE.set(Patience { limit: limit + by, end: end.map(|end| end + by), in_vain });
}

/// Returns how long a wait that begins now may last; never nothing at all.
pub(crate) fn limit() -> Duration {
    let Patience { limit, end, .. } = PATIENCE.get();
    let left = end.map_or(limit, |end| end.saturating_duration_since(Instant::now()));
    limit.min(left).max(Duration::from_millis(1))
}

/// Returns `true` if the check as a whole has taken too long.
pub(crate) fn is_over() -> bool {
    PATIENCE.get().end.is_some_and(|end| Instant::now() >= end)
}

/// Remembers that a wait ended and nothing had come, unless all time was over anyway.
pub(crate) fn note_timeout() {
    let patience = PATIENCE.get();
    PATIENCE.set(Patience { in_vain: patience.in_vain || !is_over(), ..patience });
}

/// Returns `true` if a single wait has lasted as long as it may, and nothing came.
pub(crate) fn was_in_vain() -> bool {
    PATIENCE.get().in_vain
}

/// A moment up to which something is waited for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline(Instant);

impl Deadline {
    /// Returns the end of a wait that begins now.
    pub(crate) fn new() -> Self {
        Self(Instant::now() + limit())
    }

    /// Returns what is left, never nothing at all, as a socket's timeout must not be zero.
    pub(crate) fn left(self) -> Duration {
        self.0.saturating_duration_since(Instant::now()).max(Duration::from_millis(1))
    }

    /// Returns `true` if it has passed.
    pub(crate) fn has_passed(self) -> bool {
        Instant::now() >= self.0
    }
}
