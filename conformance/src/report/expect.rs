//! What is expected to fail, and whether it does.

use std::collections::BTreeMap;

use super::{Report, Verdict};
use crate::requirements::requirements;

/// The ids of the checks that a server is known to fail, each with the reason.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expectations(BTreeMap<String, String>);

impl Expectations {
    /// Reads one id a line with the reason after it. Empty lines, and what follows a `#` at the
    /// beginning of a line, are for people.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut expected = BTreeMap::new();
        for (number, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let number = number + 1;
            let (id, reason) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
            if !requirements().iter().any(|row| row.id == id) {
                return Err(format!("line {number}: {id} is no id, see --list"));
            }
            if reason.trim().is_empty() {
                return Err(format!("line {number}: no reason why {id} fails"));
            }
            if expected.insert(id.to_owned(), reason.trim().to_owned()).is_some() {
                return Err(format!("line {number}: {id} is there twice"));
            }
        }
        Ok(Self(expected))
    }

    /// Returns why this check is known to fail.
    pub fn reason(&self, id: &str) -> Option<&str> {
        self.0.get(id).map(String::as_str)
    }

    /// Returns a line for each check that failed and is not listed, or is listed and did not fail.
    /// What was not run at all is neither.
    pub fn differences(&self, report: &Report) -> Vec<String> {
        let difference = |outcome: &super::Outcome| {
            let id = outcome.id;
            match (&outcome.verdict, self.reason(id)) {
                (Verdict::Failed(failure), None) => Some(format!("{id} fails: {failure}")),
                (Verdict::Failed(_), Some(_)) | (_, None) => None,
                (Verdict::Passed, Some(reason)) => {
                    Some(format!("{id} passes, and was expected to fail: {reason}"))
                }
                (Verdict::Skipped(..), Some(reason)) => {
                    Some(format!("{id} is skipped, and was expected to fail: {reason}"))
                }
            }
        };
        report.outcomes.iter().filter_map(difference).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::Outcome;
    use super::*;

    fn report(id: &'static str, verdict: Verdict) -> Report {
        Report { outcomes: vec![Outcome { verdict, ..Outcome::failed(id, String::new()) }] }
    }

    #[test]
    fn what_differs() {
        let expected = Expectations::parse("# why\n\nrfc959.user  it is odd\n").unwrap();
        assert_eq!(expected.reason("rfc959.user"), Some("it is odd"));
        let failed = || Verdict::Failed(crate::Failure::new("no"));
        assert!(expected.differences(&report("rfc959.user", failed())).is_empty());
        assert!(expected.differences(&report("rfc959.pass", Verdict::Passed)).is_empty());
        assert_eq!(
            expected.differences(&report("rfc959.pass", failed())),
            ["rfc959.pass fails: no"]
        );
        assert_eq!(expected.differences(&report("rfc959.user", Verdict::Passed)).len(), 1);
    }

    #[test]
    fn mistakes() {
        for wrong in ["no.such x", "rfc959.user", "rfc959.user x\nrfc959.user y"] {
            assert!(Expectations::parse(wrong).is_err(), "{wrong}");
        }
    }
}
