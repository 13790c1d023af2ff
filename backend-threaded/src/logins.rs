//! Few logins at once: the others stand in line, each on its session's own thread.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// The line of those who want to log in.
pub(crate) struct Logins {
    line: Mutex<Line>,
    moved: Condvar,
}

/// Like numbered tickets at a counter.
struct Line {
    /// The ticket that the next one takes.
    next: u64,
    /// Tickets below this may go in; each who leaves lets one more in.
    called: u64,
    closed: bool,
}

impl Logins {
    pub(crate) fn new(at_once: usize) -> Arc<Self> {
        let line = Line { next: 0, called: at_once.max(1) as u64, closed: false };
        Arc::new(Self { line: Mutex::new(line), moved: Condvar::new() })
    }

    /// Waits for its turn, in the order in which they come; `None` when the server is gone before.
    pub(crate) fn enter(&self) -> Option<Turn<'_>> {
        let mut line = self.lock();
        let ticket = line.next;
        line.next += 1;
        while ticket >= line.called && !line.closed {
            line = self.moved.wait(line).unwrap_or_else(PoisonError::into_inner);
        }
        if line.closed { None } else { Some(Turn(self)) }
    }

    /// Sends away whoever waits.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.moved.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Lets the next one in when it is dropped.
pub(crate) struct Turn<'a>(&'a Logins);

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.lock().called += 1;
        self.0.moved.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::thread;

    use super::*;

    #[test]
    fn few_at_once_and_all_in_the_end() {
        let logins = Logins::new(3);
        let (inside, all) = (AtomicUsize::new(0), AtomicUsize::new(0));
        thread::scope(|scope| {
            for _ in 0..20 {
                scope.spawn(|| {
                    let _turn = logins.enter().unwrap();
                    assert!(inside.fetch_add(1, Ordering::SeqCst) < 3);
                    thread::yield_now();
                    inside.fetch_sub(1, Ordering::SeqCst);
                    all.fetch_add(1, Ordering::SeqCst);
                });
            }
        });
        assert_eq!(all.into_inner(), 20);
    }

    #[test]
    fn closing_sends_them_away() {
        let logins = Logins::new(0);
        let turn = logins.enter().unwrap();
        thread::scope(|scope| {
            let waiting = scope.spawn(|| logins.enter().is_none());
            logins.close();
            assert!(waiting.join().unwrap());
        });
        drop(turn);
        assert!(logins.enter().is_none());
    }
}
