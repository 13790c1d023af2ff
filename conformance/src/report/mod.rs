//! What came of the checks, and the forms in which it is written.

mod expect;
mod json;
mod junit;
mod markdown;
mod page;
mod text;

use std::fmt;

use crate::check::{Failure, Why};
use crate::journal::{Note, normalised};
use crate::requirements::{Requirement, by_section};

pub use expect::Expectations;
pub use json::{Saved, SavedRow};
pub use page::page;

/// How a check ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The server meets the requirement, as far as the check reaches.
    Passed,
    /// It does not.
    Failed(Failure),
    /// It could not be tried, for this reason.
    Skipped(Why, String),
}

/// What came of one check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The id of the check and of its row.
    pub id: &'static str,
    /// How it ended.
    pub verdict: Verdict,
    /// What it left out, and what could be better.
    pub notes: Vec<Note>,
    /// What was said, in order; FOLDER is the name of the check's folder.
    pub dialogue: Vec<String>,
    /// What varies in it from run to run, besides ports and times, and what is to stand for that.
    pub varying: Vec<(String, String)>,
}

/// What came of all checks, in the order of the requirements. Displayed, it is a list by section
/// with the reasons of failures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// One for each check.
    pub outcomes: Vec<Outcome>,
}

/// What a report says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Header {
    /// The server's name.
    pub name: String,
    /// The checks were strict.
    pub strict: bool,
}

impl Outcome {
    /// Makes the outcome of a check that failed before anything was said.
    pub(crate) fn failed(id: &'static str, why: String) -> Self {
        let verdict = Verdict::Failed(Failure::new(why));
        let (notes, dialogue, varying) = (Vec::new(), Vec::new(), Vec::new());
        Self { id, verdict, notes, dialogue, varying }
    }
}

impl Verdict {
    /// Returns a word or a few, as they stand in a table.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Passed => "pass",
            Self::Failed(_) => "fail",
            Self::Skipped(Why::NotOffered, _) => "not offered",
            Self::Skipped(Why::DoesNotApply, _) => "does not apply",
            Self::Skipped(..) => "not checked",
        }
    }

    /// Returns why it is not [`Passed`](Self::Passed).
    pub fn reason(&self) -> Option<String> {
        match self {
            Self::Passed => None,
            Self::Failed(failure) => Some(failure.to_string()),
            Self::Skipped(Why::NotOffered, why) => Some(why.clone()),
            Self::Skipped(kind, why) => Some(format!("{kind}: {why}")),
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Passed => f.write_str("passed"),
            Self::Failed(failure) => write!(f, "FAILED: {failure}"),
            Self::Skipped(why, reason) => write!(f, "skipped, {why}: {reason}"),
        }
    }
}

impl Report {
    /// Returns the outcomes that are failures.
    pub fn failures(&self) -> impl Iterator<Item = &Outcome> {
        self.outcomes.iter().filter(|outcome| matches!(outcome.verdict, Verdict::Failed(_)))
    }

    /// Returns every dialogue and verdict as one text, with what may vary from run to run replaced:
    /// servers that behave alike have equal ones, byte by byte.
    pub fn dialogues(&self) -> String {
        let mut text = String::new();
        for outcome in &self.outcomes {
            text.extend(["\n== ", outcome.id, "\n"]);
            let verdict = outcome.verdict.to_string();
            for line in outcome.dialogue.iter().chain([&verdict]) {
                text.extend([&normalised(line, &outcome.varying), "\n"]);
            }
        }
        text
    }

    /// Returns how many checks passed, failed and were skipped.
    pub fn counts(&self) -> [usize; 3] {
        let mut counts = [0; 3];
        for outcome in &self.outcomes {
            counts[match outcome.verdict {
                Verdict::Passed => 0,
                Verdict::Failed(_) => 1,
                Verdict::Skipped(..) => 2,
            }] += 1;
        }
        counts
    }

    /// Returns the rows that were checked, in the order of the requirements, by section.
    fn sections(&self) -> Vec<(&'static str, Vec<(&'static Requirement, &Outcome)>)> {
        let outcome = |row: &Requirement| self.outcomes.iter().find(|it| it.id == row.id);
        let with_outcome = |row| outcome(row).map(|outcome| (row, outcome));
        let sections = by_section().into_iter();
        let sections = sections
            .map(|(name, rows)| (name, rows.into_iter().filter_map(with_outcome).collect()));
        sections.filter(|(_, rows): &(_, Vec<_>)| !rows.is_empty()).collect()
    }
}
