//! Command lines that have come and wait for their turn.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use crate::command::{self, Argument, Command, Verb};
use crate::line::{Line, LineReader};

/// Longest command line, in bytes. Room for the longest path and a command before it.
const LONGEST_LINE: usize = 8 * 1024;

/// Command lines wait here up to about this many bytes; then the client has to.
const CAPACITY: usize = 16 * 1024;

/// What a waiting line counts besides its bytes, so that many empty lines fill the inbox too.
const LINE_OVERHEAD: usize = 32;

/// A bounded queue of command lines.
#[derive(Debug)]
pub(crate) struct Inbox {
    reader: LineReader,
    lines: VecDeque<Line>,
    /// What the waiting lines count together.
    weight: usize,
    /// The last waiting line, or the one in execution, is such that nothing behind it may be read.
    barrier: bool,
}

impl Inbox {
    pub(crate) fn new() -> Self {
        Self {
            reader: LineReader::new(LONGEST_LINE),
            lines: VecDeque::new(),
            weight: 0,
            barrier: false,
        }
    }

    /// Tells whether [`feed`](Self::feed) may be called.
    pub(crate) fn has_room(&self) -> bool {
        !self.barrier && self.weight < CAPACITY
    }

    /// Takes control bytes up to the end of one line; returns how many.
    pub(crate) fn feed(&mut self, bytes: &[u8]) -> usize {
        let (consumed, line) = self.reader.feed(bytes);
        if let Some(line) = line {
            self.barrier = is_barrier(&line);
            self.weight += weight(&line);
            self.lines.push_back(line);
        }
        consumed
    }

    /// Returns what Telnet owes the client.
    pub(crate) fn take_telnet_answers(&mut self) -> Vec<u8> {
        self.reader.take_answers()
    }

    pub(crate) fn front(&self) -> Option<&Line> {
        self.lines.front()
    }

    pub(crate) fn pop(&mut self) -> Option<Line> {
        let line = self.lines.pop_front()?;
        self.weight -= weight(&line);
        Some(line)
    }

    /// Tells whether ABOR waits behind other commands for a transfer or digest that goes on now, and
    /// not for one that is to begin before it.
    pub(crate) fn aborts(&self) -> bool {
        let mut verbs = self.lines.iter().filter_map(|line| match line {
            Line::Command(bytes) => match command::parse(bytes) {
                Command::Known(spec, argument) if spec.verb.takes_long() => {
                    // Without an argument that it needs it comes to nothing.
                    let begins = argument.is_some() || spec.argument != Argument::Required;
                    begins.then_some(spec.verb)
                }
                Command::Known(spec, None) => Some(spec.verb),
                _ => None,
            },
            Line::TooLong => None,
        });
        verbs.find(|verb| *verb == Verb::Abor || verb.takes_long()) == Some(Verb::Abor)
    }

    /// Returns `true` if QUIT waits, behind whatever other commands.
    pub(crate) fn has_quit(&self) -> bool {
        self.lines.iter().any(|line| match line {
            Line::Command(bytes) => {
                matches!(command::parse(bytes), Command::Known(spec, None) if spec.verb == Verb::Quit)
            }
            Line::TooLong => false,
        })
    }

    /// Forgets the lines that wait, but not the beginning of one that has not come whole.
    pub(crate) fn drop_lines(&mut self) {
        self.lines.clear();
        (self.weight, self.barrier) = (0, false);
    }

    /// Tells whether no whole line waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// The barrier command has been answered: reading goes on.
    pub(crate) fn lift_barrier(&mut self) {
        self.barrier = false;
    }
}

fn weight(line: &Line) -> usize {
    LINE_OVERHEAD
        + match line {
            Line::Command(bytes) => bytes.len(),
            Line::TooLong => 0,
        }
}

fn is_barrier(line: &Line) -> bool {
    match line {
        Line::Command(bytes) => {
            matches!(command::parse(bytes), Command::Known(spec, _) if spec.barrier)
        }
        Line::TooLong => false,
    }
}
