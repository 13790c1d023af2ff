//! The open files that the process's limit leaves to the sessions of a server, counted.
//!
//! Sessions are many and most of them idle, so none has a transfer's worth of descriptors set aside.
//! There is one for each session that may be let in, and what a transfer may open is taken from the rest
//! when its first part begins. So no more is open than the limit allows, and what goes on is never
//! short of any.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// What a session has open: the control connection.
const OF_A_SESSION: u64 = 1;

/// What a session may have open beside: a passive port and the client that has just connected to it;
/// for an upload a file, the folder it is in, and one that a path leads through, or the two ends of a
/// pipe; and the two ends by which a worker wakes the thread that waits for it. A listing has as many.
const OF_A_TRANSFER: u64 = 7;

/// One part in so many is for transfers only: idle sessions cannot take all.
const SHARE_OF_TRANSFERS: u64 = 3;

/// What else may be open: reactors and their wakers, clients that are only told to go, folders that
/// a storage call looks through, accounts that are read again, and what the program around this opens.
const OF_THE_SERVER: u64 = 128;

/// How many sessions may be let in, and the descriptors that are left to their transfers.
#[derive(Debug)]
pub(crate) struct Descriptors {
    sessions: usize,
    left: AtomicU64,
}

/// Descriptors that a transfer may have open; dropping this gives them back.
#[derive(Debug)]
#[must_use = "they are given back at once when this is dropped"]
pub(crate) struct Taken {
    of: Arc<Descriptors>,
}

impl Descriptors {
    /// Counts what there is for `wanted` sessions. To be called when all that the server opens once
    /// and for all is open.
    ///
    /// Raises the process's limit of open files as far as the system allows, until all of them can
    /// transfer at once. Where there is no room for so many, a warning tells the numbers.
    pub(crate) fn for_sessions(wanted: usize) -> Arc<Self> {
        let own = count_open() + OF_THE_SERVER;
        let each = OF_A_SESSION + OF_A_TRANSFER;
        let needed = own.saturating_add(each.saturating_mul(wanted as u64));
        let limit = raise(needed);
        let descriptors = Self::of(limit.map(|limit| limit.saturating_sub(own)), wanted);
        let (room, limit) = (descriptors.sessions, limit.unwrap_or(u64::MAX));
        if room < wanted {
            log::warn!(
                "room for {room} sessions instead of {wanted}: at most {limit} files may be open \
                 (ulimit -n, LimitNOFILE), and {needed} would be needed"
            );
        } else if limit < needed {
            log::info!(
                "not all of {wanted} sessions can transfer at once: at most {limit} files may be \
                 open (ulimit -n, LimitNOFILE), and {needed} would be needed"
            );
        }
        Arc::new(descriptors)
    }

    /// Divides so many among `wanted` sessions; `None` stands for any number. There is always enough
    /// for one session that transfers.
    fn of(count: Option<u64>, wanted: usize) -> Self {
        let Some(count) = count else {
            return Self { sessions: wanted, left: AtomicU64::new(u64::MAX) };
        };
        let count = count.max(OF_A_SESSION + OF_A_TRANSFER);
        let room = (count - (count / SHARE_OF_TRANSFERS).max(OF_A_TRANSFER)) / OF_A_SESSION;
        let sessions = usize::try_from(room).map_or(wanted, |room| room.min(wanted));
        Self { sessions, left: AtomicU64::new(count - OF_A_SESSION * sessions as u64) }
    }

    /// Returns how many sessions may be let in.
    pub(crate) fn sessions(&self) -> usize {
        self.sessions
    }

    /// Takes what a transfer may open; `None` where less is left.
    pub(crate) fn take(self: &Arc<Self>) -> Option<Taken> {
        let less = |left: u64| left.checked_sub(OF_A_TRANSFER);
        self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less).ok()?;
        Some(Taken { of: self.clone() })
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.of.left.fetch_add(OF_A_TRANSFER, Ordering::Relaxed);
    }
}

/// Raises the limit to what is needed, as far as that goes, and returns what it is then.
fn raise(needed: u64) -> Option<u64> {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current.is_none_or(|current| current >= needed) {
        return current;
    }
    let raised = Some(maximum.map_or(needed, |maximum| maximum.min(needed)));
    match setrlimit(Resource::Nofile, Rlimit { current: raised, maximum }) {
        Ok(()) => raised,
        Err(error) => {
            log::debug!("limit of open files stays as it is: {error}");
            current
        }
    }
}

/// Counts what the process has open, where the system shows it.
fn count_open() -> u64 {
    const UNKNOWN: u64 = 32;
    let count = |folder| std::fs::read_dir(folder).ok().map(|open| open.count() as u64);
    count("/proc/self/fd").or_else(|| count("/dev/fd")).unwrap_or(UNKNOWN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transfers_have_a_share_that_sessions_cannot_take() {
        let sessions = |count, wanted| Descriptors::of(count, wanted).sessions();
        assert_eq!(sessions(None, 1000), 1000);
        assert_eq!(sessions(Some(900), 1000), 600);
        assert_eq!(sessions(Some(19_850), 10_000), 10_000);
        assert_eq!(sessions(Some(100_000), 1000), 1000);
        assert_eq!(sessions(Some(900), 0), 0);
    }

    #[test]
    fn one_session_can_always_transfer() {
        for count in [0, 1, 8, 9, 15] {
            let descriptors = Arc::new(Descriptors::of(Some(count), 1000));
            assert!(descriptors.sessions() > 0, "{count}");
            assert!(descriptors.take().is_some(), "{count}");
        }
    }

    #[test]
    fn what_is_taken_comes_back() {
        // One for the session, and two transfers' worth.
        let descriptors = Arc::new(Descriptors::of(Some(20), 1));
        let first = descriptors.take().unwrap();
        let _second = descriptors.take().unwrap();
        assert!(descriptors.take().is_none());
        drop(first);
        assert!(descriptors.take().is_some());
    }

    #[test]
    fn without_a_limit_there_are_always_some() {
        let descriptors = Arc::new(Descriptors::of(None, 1));
        let taken: Vec<_> = (0..1000).map(|_| descriptors.take()).collect();
        assert!(taken.iter().all(Option::is_some));
    }
}
