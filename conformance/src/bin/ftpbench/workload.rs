//! The workloads by name.

use std::fmt;

/// What is done, by how many clients, or with how many entries or sessions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Workload {
    /// A big file is retrieved, by so many clients at a time.
    Retr(u32),
    /// A big file is stored.
    Stor(u32),
    /// A file of 4 KiB is retrieved.
    SmallRetr(u32),
    /// A file of 4 KiB is stored.
    SmallStor(u32),
    /// Connect, log in, QUIT.
    Login(u32),
    /// NOOP, one after another.
    Noop,
    /// NOOP, 100 at a time.
    NoopPipelined,
    /// LIST of so many entries.
    List(u32),
    /// MLSD of so many entries.
    Mlsd(u32),
    /// So many sessions that do nothing, and one that does something.
    Idle(u32),
}

use Workload::{Idle, List, Login, Mlsd, Noop, NoopPipelined, Retr, SmallRetr, SmallStor, Stor};

/// What `all` is.
const ALL: [Workload; 20] = [
    Retr(1),
    Retr(4),
    Retr(16),
    Stor(1),
    Stor(4),
    Stor(16),
    SmallRetr(1),
    SmallRetr(8),
    SmallStor(1),
    SmallStor(8),
    Login(1),
    Login(8),
    Noop,
    NoopPipelined,
    List(10_000),
    List(100_000),
    Mlsd(10_000),
    Mlsd(100_000),
    Idle(1_000),
    Idle(10_000),
];

/// What a name stands for: one workload, or all.
#[derive(Clone, Debug)]
pub(crate) struct Named(pub(crate) Vec<Workload>);

/// Reads a name.
pub(crate) fn named(name: &str) -> Result<Named, String> {
    let none = || format!("there is no workload {name}");
    let one = match name {
        "all" => return Ok(Named(ALL.to_vec())),
        "noop" => Noop,
        "noop-pipelined" => NoopPipelined,
        _ => {
            let (what, count) = name.rsplit_once('-').ok_or_else(none)?;
            let count = count.parse().ok().filter(|count| (1..=1_000_000).contains(count));
            let count = count.ok_or_else(none)?;
            let workload = match what {
                "retr" => Retr,
                "stor" => Stor,
                "small-retr" => SmallRetr,
                "small-stor" => SmallStor,
                "login" => Login,
                "list" => List,
                "mlsd" => Mlsd,
                "idle" => Idle,
                _ => return Err(none()),
            };
            workload(count)
        }
    };
    Ok(Named(vec![one]))
}

impl Workload {
    /// Returns how many clients do something at a time.
    pub(crate) fn clients(self) -> u32 {
        match self {
            Retr(count) | Stor(count) | SmallRetr(count) | SmallStor(count) | Login(count) => count,
            Noop | NoopPipelined | List(_) | Mlsd(_) | Idle(_) => 1,
        }
    }
}

impl fmt::Display for Workload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Retr(count) => write!(f, "retr-{count}"),
            Stor(count) => write!(f, "stor-{count}"),
            SmallRetr(count) => write!(f, "small-retr-{count}"),
            SmallStor(count) => write!(f, "small-stor-{count}"),
            Login(count) => write!(f, "login-{count}"),
            Noop => f.write_str("noop"),
            NoopPipelined => f.write_str("noop-pipelined"),
            List(count) => write!(f, "list-{count}"),
            Mlsd(count) => write!(f, "mlsd-{count}"),
            Idle(count) => write!(f, "idle-{count}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stand_for_workloads() {
        let Named(all) = named("all").unwrap();
        for workload in all.into_iter().chain([Retr(7), Mlsd(1_000_000)]) {
            assert_eq!(named(&workload.to_string()).unwrap().0, [workload]);
        }
        for wrong in ["", "retr", "retr-", "retr-0", "retr-x", "list-1000001", "noop-2", "stat-1"] {
            assert!(named(wrong).is_err(), "{wrong}");
        }
    }
}
