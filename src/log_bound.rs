//! Rate limits of the log: for each client address, for each part of the program, and in all.

use std::collections::HashMap;
use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use log::{Level, Record};
use wharf::proto::{Instant, LogLimiter};

use crate::event_log::TARGET;

/// How many clients have a limit of their own, for each kind of lines.
const MOST_SOURCES: usize = 4096;

/// How often limits that are not used up are removed.
const TIDY_EVERY: Duration = Duration::from_secs(1);

/// What a log line is about. Each kind has a limit of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Kind {
    /// A login that failed: `contrib/fail2ban` counts these.
    Login,
    /// Something that was refused, or went wrong.
    Trouble,
    /// What is no trouble: logins and the like.
    Ordinary,
    /// What clients transfer and change.
    Event,
}

/// How many kinds there are.
const KINDS: usize = 4;

/// Where a log line comes from.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Source {
    /// A client; an IPv6 network of 64 bits counts as one.
    Client(IpAddr),
    /// No client in particular: the module that logs it.
    Module(String),
}

/// The rate limits of all sources.
pub(crate) struct LogBound {
    lines_per_minute: u32,
    /// By kind, so that many lines of one kind do not displace those of another.
    clients: [HashMap<Source, LogLimiter>; KINDS],
    /// A program has few modules: this needs no bound.
    modules: [HashMap<Source, LogLimiter>; KINDS],
    /// When unused limits were last removed.
    tidied: Instant,
    /// Shared by clients beyond [`MOST_SOURCES`].
    others: [LogLimiter; KINDS],
    /// Shared by all clients.
    all: [LogLimiter; KINDS],
    left_out: HashMap<Source, u64>,
    left_out_in_all: u64,
}

/// How many lines were left out, and which source had the most of them.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct LeftOut {
    lines: u64,
    most: Option<(Source, u64)>,
}

impl LogBound {
    /// Allows a client so many lines a minute about failed logins, and as many about other trouble;
    /// 0 stands for any number.
    pub(crate) fn new(lines_per_minute: u32) -> Self {
        let of_kind = |kind: Kind, times| LogLimiter::new(kind.lines(lines_per_minute) * times);
        let each = |[login, trouble, ordinary, event]: [u32; KINDS]| {
            let kinds = [
                (Kind::Login, login),
                (Kind::Trouble, trouble),
                (Kind::Ordinary, ordinary),
                (Kind::Event, event),
            ];
            kinds.map(|(kind, times)| of_kind(kind, times))
        };
        Self {
            lines_per_minute,
            clients: Default::default(),
            modules: Default::default(),
            tidied: Instant::default(),
            others: each([10, 1, 1, 1]),
            // Guesses from a hundred addresses do not hide those from one more.
            all: each([100, 10, 10, 10]),
            left_out: HashMap::new(),
            left_out_in_all: 0,
        }
    }

    /// Returns `true` if this line may be written now; otherwise it counts as left out.
    pub(crate) fn admits(&mut self, record: &Record<'_>, text: &str, now: Instant) -> bool {
        let kind = Kind::of(record);
        let source = Source::of(record.target(), text);
        let of_client = matches!(source, Source::Client(_));
        let admitted = self.source(&source, kind, now).admit(now).is_some()
            && (!of_client || self.all[kind as usize].admit(now).is_some());
        if !admitted {
            self.left_out_in_all += 1;
            if self.left_out.len() < MOST_SOURCES || self.left_out.contains_key(&source) {
                *self.left_out.entry(source).or_default() += 1;
            }
        }
        admitted
    }

    /// Returns what has been left out since this was last asked, if anything was.
    pub(crate) fn take_left_out(&mut self) -> Option<LeftOut> {
        let lines = std::mem::take(&mut self.left_out_in_all);
        let most = self.left_out.drain().max_by_key(|(_, lines)| *lines);
        (lines > 0).then_some(LeftOut { lines, most })
    }

    fn source(&mut self, source: &Source, kind: Kind, now: Instant) -> &mut LogLimiter {
        let (clients, modules) =
            (&mut self.clients[kind as usize], &mut self.modules[kind as usize]);
        let sources = match source {
            Source::Client(_) => clients,
            Source::Module(_) => modules,
        };
        let is_full = matches!(source, Source::Client(_)) && sources.len() >= MOST_SOURCES;
        if is_full && !sources.contains_key(source) {
            // Not for each line of a flood.
            if now.saturating_since(self.tidied) >= TIDY_EVERY {
                self.tidied = now;
                sources.retain(|_, pace| !is_whole(pace, now));
            }
            if sources.len() >= MOST_SOURCES {
                return &mut self.others[kind as usize];
            }
        }
        let lines = kind.lines(self.lines_per_minute);
        sources.entry(source.clone()).or_insert_with(|| LogLimiter::new(lines))
    }
}

/// Returns `true` if a new limiter would be the same.
fn is_whole(pace: &mut LogLimiter, now: Instant) -> bool {
    // What it left out is counted elsewhere.
    pace.take_left_out();
    pace.is_fresh(now)
}

impl Kind {
    fn of(record: &Record<'_>) -> Self {
        match record.level() {
            Level::Error | Level::Warn if record.target() == "wharf_core::session::access" => {
                Self::Login
            }
            Level::Error | Level::Warn => Self::Trouble,
            _ if record.target() == TARGET => Self::Event,
            Level::Info | Level::Debug | Level::Trace => Self::Ordinary,
        }
    }

    /// Returns how many lines of this kind a client may cause in a minute.
    fn lines(self, lines_per_minute: u32) -> u32 {
        let most = u32::MAX / 1000;
        match self {
            Self::Login | Self::Trouble => lines_per_minute.min(most),
            Self::Ordinary | Self::Event => lines_per_minute.saturating_mul(20).min(most),
        }
    }
}

impl Source {
    /// Finds the source of a line: one about a client begins with its address.
    fn of(target: &str, text: &str) -> Self {
        let address = text.split_once(": ").and_then(|(first, _)| first.parse::<IpAddr>().ok());
        match address.map(|ip| ip.to_canonical()) {
            Some(IpAddr::V6(ip)) => {
                let [a, b, c, d, ..] = ip.segments();
                Self::Client(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into())
            }
            Some(ip) => Self::Client(ip),
            None => Self::Module(target.to_string()),
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Client(IpAddr::V6(network)) => write!(f, "of {network}/64"),
            Self::Client(ip) => write!(f, "of {ip}"),
            Self::Module(target) => write!(f, "by {target}"),
        }
    }
}

impl fmt::Display for LeftOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} lines left out, more than --log-lines allows", self.lines)?;
        match &self.most {
            Some((source, lines)) => write!(f, ": {lines} of them {source}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ACCESS: &str = "wharf_core::session::access";
    const SESSION: &str = "wharf_core::session";

    /// How many of so many lines are written.
    fn written(
        bound: &mut LogBound,
        (target, level): (&str, Level),
        (seconds, lines): (u64, usize),
        text: impl Fn(usize) -> String,
    ) -> usize {
        let now = Instant::from_epoch(Duration::from_secs(seconds));
        let record = Record::builder().target(target).level(level).build();
        (0..lines).filter(|&line| bound.admits(&record, &text(line), now)).count()
    }

    #[test]
    fn noise_of_one_takes_nothing_from_others() {
        let mut bound = LogBound::new(60);
        let refused = (SESSION, Level::Warn);
        let noise = |bound: &mut LogBound| {
            written(bound, refused, (0, 10_000), |_| "192.0.2.1: PORT refused".into())
        };
        assert_eq!((noise(&mut bound), noise(&mut bound)), (60, 0));
        let failed = |_| "192.0.2.1: login failed as anna".into();
        assert_eq!(written(&mut bound, (ACCESS, Level::Warn), (0, 50), failed), 50);
        assert_eq!(written(&mut bound, refused, (0, 9), |_| "192.0.2.2: x".into()), 9);
        assert_eq!(written(&mut bound, refused, (0, 9), |_| "no address: x".into()), 9);
        let left_out = bound.take_left_out().unwrap().to_string();
        let expected =
            "19940 lines left out, more than --log-lines allows: 19940 of them of 192.0.2.1";
        assert_eq!(left_out, expected);
        assert_eq!(bound.take_left_out(), None);
    }

    #[test]
    fn all_clients_together_have_a_bound() {
        let mut bound = LogBound::new(60);
        let crowd = |line| format!("10.0.{}.{}: x", line / 250 % 200, line % 250);
        assert_eq!(written(&mut bound, (SESSION, Level::Warn), (0, 50_000), crowd), 600);
        // A guesser among a hundred others is seen.
        let hundred = |line| format!("10.1.0.{}: login failed as x", line % 99);
        assert_eq!(written(&mut bound, (ACCESS, Level::Warn), (0, 50_000), hundred), 99 * 60);
        let one = |_| "10.2.0.1: login failed as x".into();
        assert_eq!(written(&mut bound, (ACCESS, Level::Warn), (0, 50), one), 50);
        // The server itself has still something to say.
        assert_eq!(written(&mut bound, ("wharf", Level::Error), (0, 1), |_| "x".into()), 1);
    }

    #[test]
    fn networks_are_one_and_memory_is_bounded() {
        let mut bound = LogBound::new(60);
        let network = |line| format!("2001:db8::{line:x}: x");
        assert_eq!(written(&mut bound, (SESSION, Level::Warn), (0, 1000), network), 60);
        let many = |line| format!("2001:db8:{line:x}::1: x");
        written(&mut bound, (SESSION, Level::Info), (0, 10_000), many);
        let ordinary = Kind::Ordinary as usize;
        assert!(
            bound.clients[ordinary].len() <= MOST_SOURCES && bound.left_out.len() <= MOST_SOURCES
        );
        // They are forgotten when their allowance is whole again.
        written(&mut bound, (SESSION, Level::Info), (61, 1), |_| "192.0.2.9: x".into());
        assert_eq!(bound.clients[ordinary].len(), 1);
    }

    #[test]
    fn no_bound_is_none() {
        let mut bound = LogBound::new(0);
        let same = |_| "192.0.2.1: x".into();
        assert_eq!(written(&mut bound, (SESSION, Level::Warn), (0, 100_000), same), 100_000);
    }
}
