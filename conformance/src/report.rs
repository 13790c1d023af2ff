//! Running the checks, and what came of it.

use std::fmt;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::check::{Check, Context, Failure};
use crate::requirements::requirements;
use crate::target::Target;

/// How a check ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The server meets the requirement, as far as the check reaches.
    Passed,
    /// It does not.
    Failed(Failure),
}

/// What came of one check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The id of the check and of its row.
    pub id: &'static str,
    /// How it ended.
    pub verdict: Verdict,
    /// What was said, in order, with what may vary replaced.
    pub dialogue: Vec<String>,
}

/// What came of all checks, in the order of the requirements. Displayed, it is a list by section
/// with the reasons of failures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// One for each check.
    pub outcomes: Vec<Outcome>,
}

/// Runs a check.
pub fn run_one(target: &dyn Target, check: &Check) -> Outcome {
    let mut context = Context::new(target, check.id);
    let result = (check.run)(&mut context);
    let journal = context.journal();
    let verdict = match result {
        Ok(()) => Verdict::Passed,
        Err(failure) => Verdict::Failed(Failure::new(journal.normalised(&failure.to_string()))),
    };
    Outcome { id: check.id, verdict, dialogue: journal.lines() }
}

/// Runs every check, this many at a time.
pub fn run(target: &dyn Target, at_a_time: usize) -> Report {
    let checks: Vec<_> = crate::all().collect();
    let next = AtomicUsize::new(0);
    let outcomes = Mutex::new(vec![None; checks.len()]);
    std::thread::scope(|scope| {
        for _ in 0..at_a_time.max(1) {
            scope.spawn(|| {
                while let Some((index, check)) = {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    checks.get(index).map(|check| (index, check))
                } {
                    let outcome = run_one(target, check);
                    outcomes.lock().expect("no check panics with the lock held")[index] =
                        Some(outcome);
                }
            });
        }
    });
    let outcomes = outcomes.into_inner().expect("all checks have ended");
    Report { outcomes: outcomes.into_iter().flatten().collect() }
}

impl Report {
    /// Returns the outcomes that are failures.
    pub fn failures(&self) -> impl Iterator<Item = &Outcome> {
        self.outcomes.iter().filter(|outcome| outcome.verdict != Verdict::Passed)
    }

    /// Returns every dialogue as one text, for comparing.
    pub fn dialogues(&self) -> String {
        let mut text = String::new();
        for outcome in &self.outcomes {
            text.extend(["\n== ", outcome.id, "\n"]);
            for line in &outcome.dialogue {
                text.extend([line, "\n"]);
            }
            text.extend([&outcome.verdict.to_string(), "\n"]);
        }
        text
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Passed => f.write_str("passed"),
            Self::Failed(failure) => write!(f, "FAILED: {failure}"),
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut section = "";
        for row in requirements() {
            let mut found = self.outcomes.iter().filter(|outcome| outcome.id == row.id).peekable();
            if found.peek().is_some() && section != row.section {
                section = &row.section;
                writeln!(f, "{section}")?;
            }
            for outcome in found {
                let verdict = outcome.verdict.to_string().replace('\n', "\n      ");
                writeln!(f, "  {:24} {:6} {}: {verdict}", row.id, row.level, row.name)?;
            }
        }
        let failed = self.failures().count();
        writeln!(f, "{} passed, {failed} failed", self.outcomes.len() - failed)
    }
}
