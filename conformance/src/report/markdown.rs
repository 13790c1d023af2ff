//! Reports as Markdown: a table for each section.

use std::fmt::Write as _;

use super::{Header, Report};

impl Report {
    /// Returns the report as Markdown.
    pub fn markdown(&self, header: &Header) -> String {
        let [passed, failed, skipped] = self.counts();
        let mut text = format!(
            "# {}\n\n{passed} passed, {failed} failed, {skipped} skipped.\n",
            cell(&header.name)
        );
        for (section, rows) in self.sections() {
            let _ = write!(text, "\n## {section}\n\n| | id | level | |\n|---|---|---|---|\n");
            for (row, outcome) in rows {
                let mut remarks: Vec<_> = outcome.verdict.reason().into_iter().collect();
                remarks.extend(outcome.notes.iter().map(|note| format!("({note})")));
                let remarks = cell(&remarks.join("\n"));
                let (word, name) = (outcome.verdict.word(), cell(&row.name));
                let word = if word == "fail" { "**fail**" } else { word };
                let colon = if remarks.is_empty() { "" } else { ": " };
                let (id, level) = (&row.id, &row.level);
                let _ = writeln!(text, "| {word} | {id} | {level} | {name}{colon}{remarks} |");
            }
        }
        text
    }
}

/// Writes a text so that it stays within its cell, and is no markup.
pub(super) fn cell(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.trim_end().chars() {
        match character {
            '\n' => out.push_str("<br>"),
            '<' => out.push_str("&lt;"),
            '&' => out.push_str("&amp;"),
            '|' | '\\' | '*' | '_' | '`' | '[' | ']' => out.extend(['\\', character]),
            '\t' => out.push(' '),
            other if other.is_control() => {}
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_hold_together() {
        assert_eq!(cell("a|b\n*c*\t<d>\r"), "a\\|b<br>\\*c\\* &lt;d>");
    }
}
