//! The report for a person at a terminal.

use std::fmt;

use super::{Outcome, Report, Verdict};
use crate::check::Why;
use crate::citations::citation;
use crate::journal::Note;
use crate::requirements::Requirement;
use crate::wire::escaped;

/// How much of the dialogue is shown before a failure.
const LINES: usize = 24;

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (section, rows) in self.sections() {
            writeln!(f, "{section}")?;
            for (row, outcome) in rows {
                write_row(f, row, outcome)?;
            }
            writeln!(f)?;
        }
        self.write_left_out(f)?;
        let [passed, failed, skipped] = self.counts();
        let count = |kind: Why| {
            let is = |outcome: &&Outcome| matches!(outcome.verdict, Verdict::Skipped(why, _) if why == kind);
            self.outcomes.iter().filter(is).count()
        };
        write!(f, "{passed} passed, {failed} failed, {skipped} skipped")?;
        if skipped > 0 {
            let kinds = [Why::NotOffered, Why::DoesNotApply, Why::NeedsOption, Why::Unsafe];
            let kinds = kinds.map(|kind| (kind, count(kind)));
            let kinds = kinds.iter().filter(|(_, count)| *count > 0);
            let kinds: Vec<_> = kinds.map(|(kind, count)| format!("{count} {kind}")).collect();
            write!(f, " ({})", kinds.join(", "))?;
        }
        Ok(())
    }
}

impl Report {
    /// Lists what parts of checks were left out for, each with how many checks miss it.
    fn write_left_out(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut reasons: Vec<(&str, usize)> = Vec::new();
        let ran = self.outcomes.iter().filter(|one| !matches!(one.verdict, Verdict::Skipped(..)));
        for note in ran.flat_map(|outcome| &outcome.notes) {
            let Note::NotChecked(why) = note else { continue };
            match reasons.iter_mut().find(|(known, _)| known == why) {
                Some((_, count)) => *count += 1,
                None => reasons.push((why, 1)),
            }
        }
        if reasons.is_empty() {
            return Ok(());
        }
        writeln!(f, "Parts left out, and of how many checks")?;
        for (why, count) in reasons {
            writeln!(f, "  {count:4}  {}", escaped(why))?;
        }
        writeln!(f)
    }
}

fn write_row(f: &mut fmt::Formatter<'_>, row: &Requirement, outcome: &Outcome) -> fmt::Result {
    let word = match &outcome.verdict {
        Verdict::Passed => "pass",
        Verdict::Failed(_) => "FAIL",
        Verdict::Skipped(..) => "skip",
    };
    writeln!(f, "  {word}  {:<26} {:<6}  {}", row.id, row.level, row.name)?;
    let mut say =
        |text: &str| escaped(text).lines().try_for_each(|line| writeln!(f, "        {line}"));
    match &outcome.verdict {
        Verdict::Passed => {}
        Verdict::Skipped(why, reason) => say(&format!("{why}: {reason}"))?,
        Verdict::Failed(failure) => {
            say(&failure.to_string())?;
            say(&format!("{}: {}", citation(row), row.expect))?;
            let left_out = outcome.dialogue.len().saturating_sub(LINES);
            if left_out > 0 {
                say(&format!("| ({left_out} lines before)"))?;
            }
            for line in &outcome.dialogue[left_out..] {
                say(&format!("| {line}"))?;
            }
        }
    }
    // What was left out is told once for all of them.
    let others = outcome.notes.iter().filter(|note| !matches!(note, Note::NotChecked(_)));
    others.into_iter().try_for_each(|note| say(&format!("({note})")))
}
