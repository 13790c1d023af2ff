//! What the system says of processes: who used the processors, and who has how much memory.

use std::collections::HashSet;
use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::process::{Resource, getrlimit, setrlimit};
use rustix::time::{ClockId, clock_gettime};

use crate::control::Result;

/// A line of `/proc/PID/stat`.
struct Process {
    pid: u32,
    parent: u32,
    /// Its processor time, and that of its children that have ended, in ticks.
    ticks: u64,
}

/// Returns all processes.
fn processes() -> Vec<Process> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    // One that has just ended is left out.
    pids.filter_map(|pid| parse(pid, &fs::read_to_string(format!("/proc/{pid}/stat")).ok()?))
        .collect()
}

fn parse(pid: u32, stat: &str) -> Option<Process> {
    // The name is in brackets, and may have any character.
    let (_, fields) = stat.rsplit_once(") ")?;
    let fields: Vec<&str> = fields.split_ascii_whitespace().collect();
    let number = |at: usize| fields.get(at)?.parse::<u64>().ok();
    // utime, stime, cutime, cstime: fields 14 to 17 of proc_pid_stat(5), where 3 is our first.
    let ticks = number(11)? + number(12)? + number(13)? + number(14)?;
    Some(Process { pid, parent: number(1)? as u32, ticks })
}

/// Returns the pids of a process and all its descendants, this process and its own aside.
fn tree(root: u32, all: &[Process]) -> HashSet<u32> {
    let mut tree = HashSet::from([root]);
    let mut next = vec![root];
    let own = std::process::id();
    while let Some(parent) = next.pop() {
        for process in all.iter().filter(|it| it.parent == parent && it.pid != own) {
            if tree.insert(process.pid) {
                next.push(process.pid);
            }
        }
    }
    tree
}

/// How much processor time was used, in seconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Usage {
    /// By the server's processes.
    pub(crate) server: Option<f64>,
    /// By this program.
    pub(crate) own: f64,
    /// By all others.
    pub(crate) others: f64,
}

/// The sums up to now.
///
/// When a process ends, its parent's sum of ended children grows by what it had. So the sum over a
/// tree counts sessions that a server forked and that are gone.
struct Reading {
    processes: usize,
    server: Option<u64>,
    others: u64,
    own: f64,
}

impl Reading {
    fn take(pid: Option<u32>) -> Result<Self> {
        let all = processes();
        let tree = pid.map(|pid| tree(pid, &all)).unwrap_or_default();
        if let Some(pid) = pid.filter(|pid| !all.iter().any(|process| process.pid == *pid)) {
            return Err(format!("there is no process {pid}"));
        }
        let own = std::process::id();
        let ticks = |of_server: bool| {
            let of = all.iter().filter(|it| it.pid != own && tree.contains(&it.pid) == of_server);
            of.map(|process| process.ticks).sum()
        };
        Ok(Self {
            processes: tree.len(),
            server: pid.map(|_| ticks(true)),
            others: ticks(false),
            own: own_seconds(),
        })
    }
}

/// Measures who uses the processors, from its start on.
pub(crate) struct Meter {
    pid: Option<u32>,
    start: Reading,
}

impl Meter {
    /// Starts. `pid` is the server's first process.
    pub(crate) fn start(pid: Option<u32>) -> Result<Self> {
        Ok(Self { pid, start: Reading::take(pid)? })
    }

    /// Returns what was used. Sessions that the server forked and that are about to end are waited
    /// for, half a second at most, as they count when their parent knows of their end.
    pub(crate) fn stop(self) -> Result<Usage> {
        let give_up = Instant::now() + Duration::from_millis(500);
        let mut end = Reading::take(self.pid)?;
        while end.processes > self.start.processes && Instant::now() < give_up {
            thread::sleep(Duration::from_millis(10));
            end = Reading::take(self.pid)?;
        }
        let ticks = rustix::param::clock_ticks_per_second() as f64;
        let seconds = |end: u64, start: u64| end.saturating_sub(start) as f64 / ticks;
        Ok(Usage {
            server: end.server.zip(self.start.server).map(|(end, start)| seconds(end, start)),
            own: end.own - self.start.own,
            others: seconds(end.others, self.start.others),
        })
    }
}

/// Returns the processor time of this program, in seconds.
fn own_seconds() -> f64 {
    seconds(ClockId::ProcessCPUTime)
}

/// Returns the processor time of this thread, in seconds.
pub(crate) fn thread_seconds() -> f64 {
    seconds(ClockId::ThreadCPUTime)
}

fn seconds(clock: ClockId) -> f64 {
    let time = clock_gettime(clock);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

/// Returns the memory of a server's processes in KiB: what they share is counted once.
pub(crate) fn memory_kib(pid: u32) -> Result<u64> {
    let mut total = 0;
    for pid in tree(pid, &processes()) {
        let path = format!("/proc/{pid}/smaps_rollup");
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            // It has ended, and its parent has not asked for its exit code yet.
            Err(error) if error.raw_os_error() == Some(Errno::SRCH.raw_os_error()) => continue,
            // It has ended since, altogether.
            Err(_) if !fs::exists(format!("/proc/{pid}")).unwrap_or(true) => continue,
            Err(error) => return Err(format!("{path}: {error}; be root, or the server's user")),
        };
        let pss = text.lines().find_map(|line| line.strip_prefix("Pss:"));
        let kib = pss.and_then(|pss| pss.trim().strip_suffix(" kB")?.parse::<u64>().ok());
        // A process that is ending has no memory left.
        total += kib.unwrap_or(0);
    }
    Ok(total)
}

/// Returns how many files a process may have open: its soft limit, as far as that can be read.
pub(crate) fn open_files_of(pid: u32) -> Option<u64> {
    let limits = fs::read_to_string(format!("/proc/{pid}/limits")).ok()?;
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_ascii_whitespace().next()?.parse().ok()
}

/// Allows this program as many open files as its hard limit does; fails where that is too few.
pub(crate) fn allow_open_files(count: u64) -> Result<()> {
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current.is_none_or(|current| current >= count) {
        return Ok(());
    }
    limit.current = limit.maximum;
    let raised = setrlimit(Resource::Nofile, limit);
    match limit.maximum {
        Some(maximum) if maximum < count => Err(format!(
            "ftpbench would have {count} files open, and may have {maximum}: raise ulimit -Hn"
        )),
        _ => raised.map_err(|error| format!("raising ulimit -n: {error}")),
    }
}

/// Has this thread, and those that it starts, run on one processor.
#[cfg(target_os = "linux")]
pub(crate) fn pin(cpu: usize) -> Result<()> {
    use rustix::thread::{CpuSet, sched_setaffinity};
    if cpu >= CpuSet::MAX_CPU {
        return Err(format!("--cpu {cpu}: there is no such processor"));
    }
    let mut set = CpuSet::new();
    set.set(cpu);
    sched_setaffinity(None, &set).map_err(|error| format!("--cpu {cpu}: {error}"))
}

/// Fails: only Linux is asked.
#[cfg(not(target_os = "linux"))]
pub(crate) fn pin(_: usize) -> Result<()> {
    Err("--cpu is for Linux".to_owned())
}

#[cfg(test)]
mod tests {
    use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};

    use super::*;

    #[test]
    fn reads_a_line_of_proc() {
        let line = "7 (a) b) S 3 7 7 0 -1 4194560 1 2 3 4 100 20 3000 400 20 0 1 0 5 6 7";
        let process = parse(7, line).unwrap();
        assert_eq!((process.pid, process.parent, process.ticks), (7, 3, 3520));
        assert!(parse(7, "7 (a) S 3").is_none());
    }

    #[test]
    fn a_tree_has_all_descendants() {
        let process = |(pid, parent)| Process { pid, parent, ticks: 0 };
        let all: Vec<_> =
            [(2, 1), (3, 2), (5, 4), (4, 2), (6, 1)].into_iter().map(process).collect();
        assert_eq!(tree(2, &all), HashSet::from([2, 3, 4, 5]));
    }

    #[test]
    fn knows_this_process() {
        let meter = Meter::start(None).unwrap();
        let begin = own_seconds();
        while own_seconds() - begin < 0.01 {}
        assert!(meter.stop().unwrap().own >= 0.01);
        assert!(memory_kib(std::process::id()).unwrap() > 100);
        assert!(open_files_of(std::process::id()).is_none_or(|files| files > 0));
        assert!(Meter::start(Some(u32::MAX)).is_err());
    }

    #[test]
    fn a_process_that_has_ended_has_no_memory() {
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        waitid(WaitId::Pid(Pid::from_child(&child)), options).unwrap();
        let memory = memory_kib(child.id());
        child.wait().unwrap();
        assert_eq!(memory, Ok(0));
    }
}
