//! Commands that have come and wait for their turn.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use crate::command::{Argument, Begins, Command, Timing};
use crate::config::SessionConfig;
use crate::line::{Line, LineReader};

/// Longest command line, in bytes. Room for the longest path and a command before it.
const LONGEST_LINE: usize = 8 * 1024;

/// Commands wait here up to about this many bytes; then the client has to.
const CAPACITY: usize = 16 * 1024;

/// For how many commands there is room all the time: most clients wait for each reply.
const KEPT: usize = 1;

/// What a waiting line counts besides its bytes, so that many empty lines fill the inbox too.
const LINE_OVERHEAD: usize = 32;

/// A bounded queue of commands. Each line is parsed when it enters.
#[derive(Debug)]
pub(crate) struct Inbox {
    reader: LineReader,
    queue: VecDeque<Queued>,
    /// What the waiting commands count together.
    weight: usize,
    /// The last waiting command, or the one in execution, is such that nothing after it may be read.
    barrier: bool,
}

/// A command that waits, and what it counts.
#[derive(Debug)]
struct Queued {
    command: Command,
    weight: usize,
}

impl Inbox {
    pub(crate) fn new() -> Self {
        Self {
            reader: LineReader::new(LONGEST_LINE),
            queue: VecDeque::new(),
            weight: 0,
            barrier: false,
        }
    }

    /// Returns `true` if [`feed`](Self::feed) may be called.
    pub(crate) fn has_room(&self) -> bool {
        !self.barrier && self.weight < CAPACITY
    }

    /// Takes control bytes up to the end of one line; returns how many.
    pub(crate) fn feed(&mut self, bytes: &[u8]) -> usize {
        let (consumed, line) = self.reader.feed(bytes);
        if let Some(line) = line {
            let queued = Queued { command: Command::parse(&line), weight: weight(&line) };
            self.barrier = matches!(queued.command, Command::Known(spec, _) if spec.barrier);
            self.weight += queued.weight;
            self.queue.push_back(queued);
            self.reader.reuse(line);
        }
        consumed
    }

    /// Returns what Telnet owes the client.
    pub(crate) fn take_telnet_answers(&mut self) -> Vec<u8> {
        self.reader.take_answers()
    }

    pub(crate) fn front(&self) -> Option<&Command> {
        self.queue.front().map(|queued| &queued.command)
    }

    pub(crate) fn pop(&mut self) -> Option<Command> {
        let queued = self.queue.pop_front()?;
        self.weight -= queued.weight;
        if self.queue.is_empty() {
            self.queue.shrink_to(KEPT);
        }
        Some(queued.command)
    }

    /// Returns `true` if ABOR waits after other commands for a transfer or digest that goes on now,
    /// and not for one that is to begin before it.
    pub(crate) fn aborts(&self, config: &SessionConfig) -> bool {
        for queued in &self.queue {
            let Command::Known(spec, argument) = &queued.command else { continue };
            // Without an argument that it needs it comes to nothing.
            if spec.takes_long()
                && spec.is_offered(config)
                && (argument.is_some() || spec.argument != Argument::Required)
            {
                return false;
            }
            if spec.timing == Timing::Aborts && argument.is_none() {
                return true;
            }
        }
        false
    }

    /// Returns `true` if QUIT waits, after whatever other commands.
    pub(crate) fn has_quit(&self) -> bool {
        let is_quit = |queued: &Queued| matches!(&queued.command, Command::Known(spec, None) if spec.begins == Begins::End);
        self.queue.iter().any(is_quit)
    }

    /// Forgets the commands that wait, but not the beginning of a line that has not come whole.
    pub(crate) fn drop_commands(&mut self) {
        self.queue.clear();
        (self.weight, self.barrier) = (0, false);
    }

    /// Returns `true` if no command waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.queue.is_empty()
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
