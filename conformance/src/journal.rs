//! The dialogue of a check, and how to compare it with that of another run.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

/// A record of what was sent and received, in order; clones share it.
#[derive(Clone, Debug, Default)]
pub struct Journal(Arc<Mutex<Inner>>);

/// A remark on what a check saw, or did not look at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Note {
    /// A part of the check was left out, for this reason.
    NotChecked(String),
    /// The server may do so, but another way would be better. Where the checks are strict this is a
    /// failure instead.
    Advice(String),
    /// This is left on the server, and why.
    Left(String),
}

impl Note {
    /// Returns the note with its text changed.
    pub(crate) fn map(&self, change: impl Fn(&str) -> String) -> Self {
        match self {
            Self::NotChecked(why) => Self::NotChecked(change(why)),
            Self::Advice(what) => Self::Advice(change(what)),
            Self::Left(what) => Self::Left(change(what)),
        }
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotChecked(why) => write!(f, "not checked: {why}"),
            Self::Advice(what) => write!(f, "better: {what}"),
            Self::Left(what) => write!(f, "left behind: {what}"),
        }
    }
}

#[derive(Debug, Default)]
struct Inner {
    lines: Vec<String>,
    notes: Vec<Note>,
    hidden: Vec<(String, String)>,
}

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

impl Journal {
    /// Returns an empty journal.
    pub fn new() -> Self {
        Self::default()
    }

    /// Has `text`, which varies from run to run, stand as `placeholder` where dialogues are compared.
    pub fn hide(&self, text: &str, placeholder: &str) {
        if !text.is_empty() {
            self.with(|inner| inner.hidden.push((text.to_owned(), placeholder.to_owned())));
        }
    }

    /// Appends a line.
    pub fn record(&self, line: &str) {
        self.with(|inner| inner.lines.push(line.to_owned()));
    }

    /// Appends lines that have no order of their own, sorted by what does not vary in them.
    pub fn record_unordered(&self, mut lines: Vec<String>) {
        self.with(|inner| {
            lines.sort_by_cached_key(|line| normalised(line, &inner.hidden));
            inner.lines.append(&mut lines);
        });
    }

    /// Appends a note, once, also as a line.
    pub fn note(&self, note: Note) {
        self.with(|inner| {
            inner.lines.push(format!("({note})"));
            if !inner.notes.contains(&note) {
                inner.notes.push(note);
            }
        });
    }

    /// Returns the notes so far.
    pub fn notes(&self) -> Vec<Note> {
        self.with(|inner| inner.notes.clone())
    }

    /// Returns what [`hide`](Self::hide) was told: each text with what stands for it.
    pub fn hidden(&self) -> Vec<(String, String)> {
        self.with(|inner| inner.hidden.clone())
    }

    /// Forgets all but the first `count` lines.
    pub fn truncate(&self, count: usize) {
        self.with(|inner| inner.lines.truncate(count));
    }

    /// Returns the lines so far.
    pub fn lines(&self) -> Vec<String> {
        self.with(|inner| inner.lines.clone())
    }

    fn with<T>(&self, action: impl FnOnce(&mut Inner) -> T) -> T {
        action(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Returns a line for comparing: with these texts, passive ports, times and the `unique` fact
/// replaced.
pub(crate) fn normalised(line: &str, hidden: &[(String, String)]) -> String {
    let mut line = line.to_owned();
    for (text, placeholder) in hidden {
        line = line.replace(text, placeholder);
    }
    let line = replace_numbers(&line);
    let line = replace_after(&line, "unique=", ";", "ID");
    replace_dates(&line)
}

/// Replaces the address and port of 227, the port of 229, and time values of 14 digits.
fn replace_numbers(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(start) = rest.find(|c: char| c.is_ascii_digit()) {
        out.push_str(&rest[..start]);
        rest = &rest[start..];
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != ',').unwrap_or(rest.len());
        let (number, behind) = rest.split_at(end);
        let six = number.split(',').filter(|part| !part.is_empty()).count() == 6;
        if six && out.ends_with('(') {
            out.push_str("ADDRESS");
        } else if out.ends_with("|||") && behind.starts_with('|') {
            out.push_str("PORT");
        } else if number.len() == 14 && !number.contains(',') {
            out.push_str("TIME");
            let fraction = behind.strip_prefix('.').map_or("", |tail| {
                &tail[..tail.find(|c: char| !c.is_ascii_digit()).unwrap_or(tail.len())]
            });
            if !fraction.is_empty() {
                rest = &behind[1 + fraction.len()..];
                continue;
            }
        } else {
            out.push_str(number);
        }
        rest = behind;
    }
    out + rest
}

/// Replaces what stands between `before` and `after`, wherever `before` occurs.
fn replace_after(line: &str, before: &str, after: &str, with: &str) -> String {
    let mut parts = line.split(before);
    let mut out = parts.next().unwrap_or("").to_owned();
    for part in parts {
        let end = part.find(after).unwrap_or(part.len());
        out.extend([before, with, &part[end..]]);
    }
    out
}

/// Replaces the date of an `ls -l` line: a month, a day, and a time or a year.
fn replace_dates(line: &str) -> String {
    for month in MONTHS {
        let Some(start) = line.find(&format!(" {month} ")) else { continue };
        let behind = &line[start + 5..];
        let day = behind.trim_start();
        let Some((day, clock)) = day.split_once(' ') else { continue };
        let clock = clock.trim_start();
        let end = clock.find(' ').unwrap_or(clock.len());
        let is_clock = clock[..end].bytes().all(|b| b.is_ascii_digit() || b == b':') && end >= 4;
        if is_clock && day.bytes().all(|b| b.is_ascii_digit()) {
            return format!("{} DATE{}", &line[..start], &clock[end..]);
        }
    }
    line.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_varies_is_replaced() {
        for (line, expected) in [
            ("227 Entering (127,0,0,1,4,210).", "227 Entering (ADDRESS)."),
            ("229 Entering (|||40001|)", "229 Entering (|||PORT|)"),
            ("213 20240229123456.789", "213 TIME"),
            (
                "type=file;modify=20240229123456;unique=8g1;x=1; a",
                "type=file;modify=TIME;unique=ID;x=1; a",
            ),
            ("-rw-r--r-- 1 0 0 12 Jan  3 12:04 a b", "-rw-r--r-- 1 0 0 12 DATE a b"),
            ("200 ok 12, and 13", "200 ok 12, and 13"),
        ] {
            assert_eq!(normalised(line, &[]), expected);
        }
    }

    #[test]
    fn hidden_text_is_replaced_for_comparing_alone() {
        let journal = Journal::new();
        journal.hide("folder-17", "FOLDER");
        let line = "257 \"/folder-17/a\"";
        journal.record(line);
        assert_eq!(journal.lines(), [line]);
        assert_eq!(normalised(line, &journal.hidden()), "257 \"/FOLDER/a\"");
    }

    #[test]
    fn unordered_lines_are_sorted_by_what_stays() {
        let journal = Journal::new();
        let lines = ["unique=2;type=file; a", "unique=1;type=file; b"].map(str::to_owned);
        journal.record_unordered(lines.iter().rev().cloned().collect());
        assert_eq!(journal.lines(), lines);
    }
}
