//! How many sessions the process's limit of open files has room for.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// What a session may have open at once: the control connection; a passive port and the client that
/// has just connected to it; and for an upload a file, the folder it is in, and one that a path leads
/// through, or the two ends of a pipe. A listing has as many.
const OF_A_SESSION: u64 = 6;

/// What else may be open: reactors and their wakers, clients that are only told to go, accounts
/// that are read again, and what the program around this opens.
const OF_THE_SERVER: u64 = 96;

/// Returns how many sessions may be let in, `wanted` at the most, so that each of them can also
/// transfer. To be called when all that the server opens once and for all is open.
///
/// Raises the process's limit of open files as far as that takes and the system allows. Where it is
/// too low even then, a warning tells the numbers.
pub(crate) fn affordable_sessions(wanted: usize) -> usize {
    let own = count_open() + OF_THE_SERVER;
    let needed = own.saturating_add(OF_A_SESSION.saturating_mul(wanted as u64));
    let limit = raise(needed);
    let affordable = sessions(limit, own, wanted);
    if affordable < wanted {
        log::warn!(
            "room for {affordable} sessions instead of {wanted}: at most {} files may be open \
             (ulimit -n, LimitNOFILE), and {needed} would be needed",
            limit.unwrap_or(u64::MAX)
        );
    }
    affordable
}

/// Divides what is left among the sessions; at least one there always is.
fn sessions(limit: Option<u64>, own: u64, wanted: usize) -> usize {
    let Some(limit) = limit else { return wanted };
    let room = limit.saturating_sub(own) / OF_A_SESSION;
    usize::try_from(room).map_or(wanted, |room| room.clamp(1, wanted.max(1)).min(wanted))
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
    fn what_is_left_is_divided() {
        assert_eq!(sessions(None, 100, 1000), 1000);
        assert_eq!(sessions(Some(1024), 124, 1000), 150);
        assert_eq!(sessions(Some(100_000), 124, 1000), 1000);
        assert_eq!(sessions(Some(64), 124, 1000), 1);
        assert_eq!(sessions(Some(1024), 124, 0), 0);
    }
}
