//! What is wrong with an accounts file, so that it can be mended.

use std::error::Error;
use std::fmt;
use std::ops::Range;
use std::path::Path;

/// What is wrong with an accounts file.
///
/// It shows the first mistake in one line that names the file, the line, the field and what would
/// be right; [`mistakes`](Self::mistakes) has them all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountsError {
    /// Never empty.
    mistakes: Vec<String>,
}

impl AccountsError {
    /// Makes the error of a file that cannot be used as a whole.
    pub(super) fn whole(file: &Path, what: impl fmt::Display) -> Self {
        Self { mistakes: vec![one_line(&format!("{}: {what}", file.display()))] }
    }

    /// Returns all that is wrong, one line each, from the top of the file to its end. What cannot
    /// be read as TOML, or has a field too many, is told alone.
    pub fn mistakes(&self) -> &[String] {
        &self.mistakes
    }
}

impl fmt::Display for AccountsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [first, rest @ ..] = self.mistakes.as_slice() else { return Ok(()) };
        match rest.len() {
            0 => f.write_str(first),
            1 => write!(f, "{first} (and another mistake)"),
            more => write!(f, "{first} (and {more} other mistakes)"),
        }
    }
}

impl Error for AccountsError {}

/// The text of an accounts file, and the mistakes found in it so far.
pub(super) struct Source<'a> {
    file: &'a Path,
    text: &'a str,
    found: Vec<(usize, String)>,
}

impl<'a> Source<'a> {
    pub(super) fn new(file: &'a Path, text: &'a str) -> Self {
        Self { file, text, found: Vec::new() }
    }

    /// Records a mistake at this place.
    pub(super) fn mistake(&mut self, at: &Range<usize>, what: impl fmt::Display) {
        let (line, file) = (self.line(at.start), self.file.display());
        self.found.push((line, one_line(&format!("{file}:{line}: {what}"))));
    }

    /// Makes an error of one mistake at this place.
    pub(super) fn one(mut self, at: &Range<usize>, what: impl fmt::Display) -> AccountsError {
        self.mistake(at, what);
        AccountsError { mistakes: self.found.into_iter().map(|(_, mistake)| mistake).collect() }
    }

    /// Returns the mistakes, if there are any.
    pub(super) fn finish(mut self) -> Result<(), AccountsError> {
        self.found.sort_by_key(|(line, _)| *line);
        let mistakes: Vec<_> = self.found.into_iter().map(|(_, mistake)| mistake).collect();
        if mistakes.is_empty() { Ok(()) } else { Err(AccountsError { mistakes }) }
    }

    /// Returns the number of the line that holds this byte, from 1.
    pub(super) fn line(&self, offset: usize) -> usize {
        1 + self.before(offset).matches('\n').count()
    }

    /// Makes an error of what the TOML parser reports, with what it leaves out: whose field it is.
    pub(super) fn toml(self, error: &toml::de::Error) -> AccountsError {
        let Some(span) = error.span() else {
            return AccountsError::whole(self.file, error.message());
        };
        let before = self.before(span.start);
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let line = self.text[line_start..].lines().next().unwrap_or_default();
        let field = line.split_once('=').map(|(key, _)| key.trim());
        let field = field.filter(|_| line_start + line.find('=').unwrap_or(0) < span.start);
        let what = match (error.message(), field) {
            // A password that lost its quotes is not to be seen in a log.
            (message, Some("password")) if message.starts_with("invalid type") => {
                "a hash in quotes is wanted; make one with \"wharf passwd\"".to_string()
            }
            (message, None) if message.contains("map, expected a sequence") => {
                let table = line.trim_matches(['[', ']', ' ']);
                format!("there may be several: [[{table}]], with two brackets, is wanted")
            }
            (message, _) => message.to_string(),
        };
        let mut place = format!("{}:{}", self.file.display(), self.line(span.start));
        let mut owner = self.owner(line_start).unwrap_or_default();
        match field {
            Some(field) => owner += &format!("{field}: "),
            None => place += &format!(":{}", 1 + self.text[line_start..span.start].chars().count()),
        }
        AccountsError { mistakes: vec![one_line(&format!("{place}: {owner}{what}"))] }
    }

    /// Looks up whose fields stand in this line, by the header of its table: `user "anna": `.
    fn owner(&self, line_start: usize) -> Option<String> {
        let is_owner =
            |line: &&str| matches!(line.trim(), "[[user]]" | "[[host.user]]" | "[[host]]");
        let header = self.before(line_start).lines().rev().find(is_owner)?;
        let from = self.before(line_start).rfind(header)? + header.len();
        let body = self.text[from..].split("[[").next()?;
        let mut fields = body.lines().filter_map(|line| line.split_once('='));
        let (_, name) = fields.find(|(key, _)| key.trim() == "name")?;
        let kind = if header.trim() == "[[host]]" { "host" } else { "user" };
        let name = name.trim().strip_prefix('"')?.split('"').next()?;
        Some(format!("{kind} {name:?}: "))
    }

    fn before(&self, offset: usize) -> &'a str {
        self.text.get(..offset).unwrap_or(self.text)
    }
}

/// Keeps what was quoted from a file from making lines of its own, or worse on a terminal.
fn one_line(text: &str) -> String {
    text.replace('\n', " ").chars().filter(|c| !c.is_control()).collect()
}
