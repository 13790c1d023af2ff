//! Reports as JUnit XML, which most CI services show.

use std::fmt::Write as _;

use super::{Header, Report, Verdict};
use crate::citations::citation;

impl Report {
    /// Returns the report as JUnit XML: a suite for each section, a case for each check.
    pub fn junit(&self, header: &Header) -> String {
        let [_, failed, skipped] = self.counts();
        let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
        let total = self.outcomes.len();
        let name = escape(&header.name);
        let _ = writeln!(
            xml,
            "<testsuites name=\"{name}\" tests=\"{total}\" failures=\"{failed}\" \
             skipped=\"{skipped}\">"
        );
        for (section, rows) in self.sections() {
            let outcomes = rows.iter().map(|(_, outcome)| (*outcome).clone()).collect();
            let [_, failed, skipped] = Report { outcomes }.counts();
            let (section, tests) = (escape(section), rows.len());
            let _ = writeln!(
                xml,
                "  <testsuite name=\"{section}\" tests=\"{tests}\" failures=\"{failed}\" \
                 errors=\"0\" skipped=\"{skipped}\">"
            );
            for (row, outcome) in rows {
                let _ = write!(
                    xml,
                    "    <testcase classname=\"{section}\" name=\"{} {} ({})\"",
                    escape(&row.id),
                    escape(&row.name),
                    row.level
                );
                let reason = escape(&outcome.verdict.reason().unwrap_or_default());
                match &outcome.verdict {
                    Verdict::Passed => xml.push_str("/>\n"),
                    Verdict::Skipped(..) => {
                        let _ = writeln!(xml, "><skipped message=\"{reason}\"/></testcase>");
                    }
                    Verdict::Failed(_) => {
                        let cites = format!("{}: {}", citation(row), row.expect);
                        let body = format!("{cites}\n{}", outcome.dialogue.join("\n"));
                        let body = escape(&body);
                        let _ = writeln!(
                            xml,
                            "><failure message=\"{reason}\">{body}</failure></testcase>"
                        );
                    }
                }
            }
            xml.push_str("  </testsuite>\n");
        }
        xml.push_str("</testsuites>\n");
        xml
    }
}

/// Escapes a text for XML 1.0, which cannot hold control characters at all.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' => out.push_str("&#10;"),
            '\t' => out.push_str("&#9;"),
            '\0'..=' ' if character != ' ' => {
                let _ = write!(out, "\\x{:02x}", u32::from(character));
            }
            '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_a_server_says_is_xml() {
        assert_eq!(escape("a<b> & \"c\"\r\n\x01"), "a&lt;b&gt; &amp; &quot;c&quot;\\x0d&#10;\\x01");
    }
}
