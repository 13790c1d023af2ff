//! Reports as JSON, written and read again.

use serde::{Deserialize, Serialize};

use super::{Header, Outcome, Report, Verdict};
use crate::citations::citation;
use crate::requirements::Requirement;

/// The longest dialogue that is written.
const LINES: usize = 1_000;

/// A report as it is kept in a file.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Saved {
    /// The version of this form.
    pub format: u32,
    /// The server's name.
    pub name: String,
    /// The checks were strict.
    pub strict: bool,
    /// How many passed.
    pub passed: usize,
    /// How many failed.
    pub failed: usize,
    /// How many were skipped.
    pub skipped: usize,
    /// What came of each check, in the order of the requirements.
    pub results: Vec<SavedRow>,
}

/// What came of one check.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SavedRow {
    /// The id of the check and its row.
    pub id: String,
    /// The document that the row is about.
    pub section: String,
    /// The command or behaviour.
    pub name: String,
    /// MUST, SHOULD or MAY.
    pub level: String,
    /// Where the documents say so.
    pub cites: String,
    /// `pass`, `fail`, `not offered`, `does not apply` or `not checked`.
    pub verdict: String,
    /// Why it is not `pass`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What was left out, and what could be better.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// What was said before the failure.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dialogue: Vec<String>,
}

impl Report {
    /// Returns the report as JSON.
    pub fn json(&self, header: &Header) -> String {
        let [passed, failed, skipped] = self.counts();
        let rows = self.sections().into_iter().flat_map(|(_, rows)| rows);
        let saved = Saved {
            format: 1,
            name: header.name.clone(),
            strict: header.strict,
            passed,
            failed,
            skipped,
            results: rows.map(|(row, outcome)| saved_row(row, outcome)).collect(),
        };
        let mut text = serde_json::to_string_pretty(&saved).expect("texts and numbers are JSON");
        text.push('\n');
        text
    }
}

fn saved_row(row: &Requirement, outcome: &Outcome) -> SavedRow {
    let dialogue = match outcome.verdict {
        Verdict::Failed(_) => {
            outcome.dialogue[outcome.dialogue.len().saturating_sub(LINES)..].to_vec()
        }
        _ => Vec::new(),
    };
    SavedRow {
        id: row.id.clone(),
        section: row.section.clone(),
        name: row.name.clone(),
        level: row.level.clone(),
        cites: citation(row).to_owned(),
        verdict: outcome.verdict.word().to_owned(),
        reason: outcome.verdict.reason(),
        notes: outcome.notes.iter().map(ToString::to_string).collect(),
        dialogue,
    }
}

impl Saved {
    /// Reads a report that [`Report::json`] has written.
    pub fn parse(json: &str) -> Result<Self, String> {
        let saved: Self = serde_json::from_str(json).map_err(|error| error.to_string())?;
        match saved.format {
            1 => Ok(saved),
            other => Err(format!("format {other} is not known")),
        }
    }
}
