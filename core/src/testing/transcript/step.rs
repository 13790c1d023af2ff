//! A step of a session: an input, what came of it, and whether that is right.

use std::fmt::Write as _;
use std::format;
use std::string::String;
use std::time::Duration;
use std::vec::Vec;

use super::Result;
use crate::testing::events::split;
use crate::testing::harness::Harness;
use crate::testing::{actions, events, text};

/// An input, and what is to come of it.
#[derive(Clone, Debug)]
pub struct Step {
    /// Where it stands in the file.
    pub(super) line: usize,
    pub(super) input: Input,
    pub(super) replies: Vec<Expected>,
    pub(super) actions: Vec<String>,
    pub(super) checks: Vec<String>,
}

/// What is to be read of the replies, one after the other.
#[derive(Clone, Debug)]
pub(super) enum Expected {
    /// These bytes.
    Bytes(Vec<u8>),
    /// One reply, of which some lines are given.
    Reply { with: Vec<String>, without: Vec<String> },
}

#[derive(Clone, Debug)]
pub(super) enum Input {
    /// Control bytes.
    Bytes(Vec<u8>),
    /// Its text: times in it count from when it comes.
    Event(String),
    Time(Duration),
}

/// What came of an input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The bytes of all replies.
    pub replies: Vec<u8>,
    /// The actions, as a transcript writes them.
    pub actions: Vec<String>,
}

impl Step {
    pub(super) fn new(line: usize, input: Input) -> Self {
        Self { line, input, replies: Vec::new(), actions: Vec::new(), checks: Vec::new() }
    }

    pub(super) fn expect(&mut self, bytes: &[u8]) {
        match self.replies.last_mut() {
            Some(Expected::Bytes(before)) => before.extend_from_slice(bytes),
            _ => self.replies.push(Expected::Bytes(bytes.to_vec())),
        }
    }

    /// Returns the lists of lines that the last reply has and has not.
    pub(super) fn expect_line(&mut self) -> (&mut Vec<String>, &mut Vec<String>) {
        if !matches!(self.replies.last(), Some(Expected::Reply { .. })) {
            self.replies.push(Expected::Reply { with: Vec::new(), without: Vec::new() });
        }
        match self.replies.last_mut() {
            Some(Expected::Reply { with, without }) => (with, without),
            _ => unreachable!("pushed above"),
        }
    }

    /// Returns `true` if a reply is given by some of its lines.
    pub(super) fn is_partial(&self) -> bool {
        self.replies.iter().any(|expected| matches!(expected, Expected::Reply { .. }))
    }

    /// Gives the input to a session, and returns what comes of it.
    pub fn run(&self, harness: &mut Harness) -> Outcome {
        self.run_in_portions(harness, &mut || usize::MAX)
    }

    /// Does the same with bytes in portions whose sizes the caller chooses.
    pub(super) fn run_in_portions(
        &self,
        harness: &mut Harness,
        size: &mut dyn FnMut() -> usize,
    ) -> Outcome {
        match &self.input {
            Input::Bytes(bytes) => {
                let mut rest = &bytes[..];
                while !rest.is_empty() {
                    let (portion, others) = rest.split_at(size().clamp(1, rest.len()));
                    harness.receive(portion);
                    rest = others;
                }
            }
            Input::Event(text) => {
                if let Some((id, entries)) = events::parse_entries(text) {
                    harness.read_entries(id, entries);
                } else {
                    let event = events::parse(text, harness.now().instant);
                    harness.handle(event.expect("read before"));
                }
            }
            Input::Time(time) => harness.pass(*time),
        }
        Outcome::take(harness)
    }

    /// Compares; the error shows what was expected and what came.
    pub(super) fn compare(&self, outcome: &Outcome, harness: &Harness) -> Result<()> {
        let mut error = String::new();
        self.compare_replies(&shown(&outcome.replies), &mut error);
        let shown = |actions: &[String]| -> Vec<String> {
            actions.iter().map(|action| format!("! {action}")).collect()
        };
        difference(&mut error, &shown(&self.actions), &shown(&outcome.actions));
        for check in &self.checks {
            if let Err(found) = self.check(check, harness)? {
                let _ = writeln!(error, "  expected: ? {check}\n      came: ? {found}");
            }
        }
        if error.is_empty() { Ok(()) } else { Err(error) }
    }

    fn compare_replies(&self, mut came: &[String], error: &mut String) {
        for (index, expected) in self.replies.iter().enumerate() {
            match expected {
                Expected::Bytes(bytes) => {
                    let expected = shown(bytes);
                    let last = index + 1 == self.replies.len();
                    let count = if last { came.len() } else { expected.len().min(came.len()) };
                    if came[..count] != expected {
                        return difference(error, &expected, &came[..count]);
                    }
                    came = &came[count..];
                }
                Expected::Reply { with, without } => {
                    let is_last = |line: &String| {
                        line.as_bytes().get(6) == Some(&b' ')
                            && line[3..6].bytes().all(|byte| byte.is_ascii_digit())
                    };
                    let count = came.iter().position(is_last).map_or(came.len(), |at| at + 1);
                    let reply = &came[..count];
                    for line in with.iter().filter(|line| !reply.contains(line)) {
                        let _ = writeln!(error, "  expected: S~{}", &line[2..]);
                    }
                    let has = |text: &str| reply.iter().any(|line| line[2..].contains(text));
                    for text in without.iter().filter(|text| has(text)) {
                        let _ = writeln!(error, "  expected: S! {text}");
                    }
                    if reply.is_empty() {
                        let _ = writeln!(error, "      came: no reply");
                    }
                    came = &came[count..];
                }
            }
        }
        difference(error, &[], came);
    }

    /// The inner error is what is the case instead.
    fn check(&self, check: &str, harness: &Harness) -> Result<core::result::Result<(), String>> {
        let found = match split(check).0 {
            "unread" => format!("unread {}", harness.unread()),
            "timeout" => match harness.time_left() {
                Some(left) if left.subsec_millis() == 0 => format!("timeout +{}s", left.as_secs()),
                Some(left) => format!("timeout +{}ms", left.as_millis()),
                None => "timeout none".into(),
            },
            _ => return Err(format!("unknown check: {check}")),
        };
        Ok(if found == check { Ok(()) } else { Err(found) })
    }
}

impl Outcome {
    pub(super) fn take(harness: &mut Harness) -> Self {
        let actions = harness.take_actions().iter().map(actions::show).collect();
        Self { replies: harness.take_replies(), actions }
    }
}

/// Writes reply bytes as the lines of a transcript.
pub(super) fn shown(replies: &[u8]) -> Vec<String> {
    let lines = replies.split_inclusive(|&byte| byte == b'\n');
    let show = |bytes: &[u8]| match bytes.strip_suffix(b"\r\n") {
        Some(line) => format!("S: {}", text::line(line)).trim_end().into(),
        None => format!("S< {}", text::line(bytes)),
    };
    lines.map(show).collect()
}

fn difference(error: &mut String, expected: &[String], came: &[String]) {
    if expected == came {
        return;
    }
    let same = expected.iter().zip(came).take_while(|(expected, came)| expected == came).count();
    let or_nothing = |lines: &[String]| lines.get(same).cloned().unwrap_or("nothing more".into());
    let _ = writeln!(error, "  expected: {}", or_nothing(expected));
    let _ = writeln!(error, "      came: {}", or_nothing(came));
}
