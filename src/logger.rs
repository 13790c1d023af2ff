//! The log: bounded, in lines that hold no control characters, and written by a thread of its own.

use std::io::{self, Write};
use std::panic;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use log::{Level, LevelFilter, Log, Metadata, Record};

use crate::event_log;
use crate::log_bound::LogBound;
use crate::options::Options;
use crate::output::STDERR;

/// The longest text of a line, in bytes.
const LONGEST: usize = 2048;

static LOGGER: OnceLock<Logger> = OnceLock::new();

struct Logger {
    format: env_logger::Logger,
    bound: Mutex<LogBound>,
    start: Instant,
}

/// Installs the logger of the program. Lines wait until [`write`] or [`finish`] is called.
pub(crate) fn start(options: &Options) {
    let level = match options.verbose {
        0 => LevelFilter::Warn,
        1 => LevelFilter::Info,
        _ => LevelFilter::Debug,
    };
    let pipe = env_logger::Target::Pipe(Box::new(Lines));
    let mut format = env_logger::Builder::new();
    // What clients change and transfer is told at any level.
    format.filter_level(level).filter_module(event_log::TARGET, level.max(LevelFilter::Info));
    let format = format.target(pipe).build();
    let bound = Mutex::new(LogBound::new(options.log_lines));
    let logger = LOGGER.get_or_init(|| Logger { format, bound, start: Instant::now() });
    if log::set_logger(logger).is_ok() {
        log::set_max_level(logger.format.filter());
    }
    // The default hook waits for the reader of standard error.
    panic::set_hook(Box::new(|panic| log::error!(target: "wharf::panic", "{panic}")));
}

/// Starts the thread that writes.
pub(crate) fn write() -> io::Result<()> {
    STDERR.start(say_left_out)
}

/// Writes the lines that are left, for `bound` at most.
pub(crate) fn finish(bound: Option<Duration>) {
    say_left_out();
    STDERR.finish(bound);
}

/// Logs how many lines are missing: dropped because standard error was read too slowly, or left
/// out because there were too many.
fn say_left_out() {
    let Some(logger) = LOGGER.get() else { return };
    let dropped = STDERR.take_dropped();
    if dropped > 0 {
        let text = "lines dropped: standard error is read too slowly";
        logger.say(Level::Warn, format_args!("{dropped} {text}"));
    }
    let left_out = logger.bound.lock().unwrap_or_else(PoisonError::into_inner).take_left_out();
    if let Some(left_out) = left_out {
        logger.say(Level::Warn, format_args!("{left_out}"));
    }
}

impl Logger {
    /// Writes a line about the log itself.
    fn say(&self, level: Level, text: std::fmt::Arguments<'_>) {
        self.format.log(&Record::builder().target("wharf::log").level(level).args(text).build());
    }
}

impl Log for Logger {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        self.format.enabled(metadata)
    }

    fn log(&self, record: &Record<'_>) {
        if !self.format.matches(record) {
            return;
        }
        let text = on_one_line(&record.args().to_string());
        let now = wharf::proto::Instant::from_epoch(self.start.elapsed());
        let mut bound = self.bound.lock().unwrap_or_else(PoisonError::into_inner);
        let admitted = bound.admits(record, &text, now);
        drop(bound);
        if !admitted {
            return STDERR.remind();
        }
        let (metadata, line) = (record.metadata().clone(), format_args!("{text}"));
        self.format.log(&Record::builder().metadata(metadata).args(line).build());
    }

    fn flush(&self) {}
}

/// Escapes characters that could end the line or control a terminal, and cuts off what is too
/// long.
fn on_one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for character in text.chars() {
        if line.len() >= LONGEST {
            return line + "...";
        }
        // Unicode's line and paragraph separators: some readers end a line there.
        if character.is_control() || matches!(character, '\u{2028}' | '\u{2029}') {
            line.extend(character.escape_default());
        } else {
            line.push(character);
        }
    }
    line
}

/// Writes formatted lines to standard error, each in one piece.
struct Lines;

impl Write for Lines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        STDERR.push(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_lines() {
        assert_eq!(on_one_line("a\r\nb\u{9b}2J\u{2028}\0 ä"), "a\\r\\nb\\u{9b}2J\\u{2028}\\u{0} ä");
        let long = on_one_line(&"ä".repeat(LONGEST));
        assert!(long.ends_with("ä...") && long.len() <= LONGEST + 5);
    }
}
