//! Where the users of an accounts file stand in its text.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// A text in TOML, taken apart by where things begin and end.
#[derive(Default)]
pub(super) struct Layout {
    pub(super) users: Vec<Written>,
    pub(super) hosts: Vec<WrittenHost>,
    /// The top level's users are an array in brackets, here.
    pub(super) bracketed: Option<Range<usize>>,
    /// Where tables have their headers, in order.
    headers: Vec<Range<usize>>,
    /// Where values end, in order.
    ends: Vec<usize>,
}

/// A user, as written.
pub(super) struct Written {
    /// The virtual host, in small letters.
    pub(super) host: Option<String>,
    pub(super) name: String,
    /// Where the name's value stands.
    pub(super) name_at: Range<usize>,
    /// Where the password's value stands.
    pub(super) password_at: Option<Range<usize>>,
    /// Where the headers of its tables begin; none for a table in braces.
    pub(super) headers: Vec<usize>,
}

/// A virtual host, as written.
pub(super) struct WrittenHost {
    /// In small letters.
    pub(super) name: String,
    pub(super) at: Range<usize>,
    /// Where the headers of its tables begin, those of its users among them; none for a table in
    /// braces.
    pub(super) headers: Vec<usize>,
    /// Its users are an array in brackets, here.
    pub(super) bracketed: Option<Range<usize>>,
}

impl Layout {
    /// Takes the text apart. What has another shape than an accounts file is passed over.
    pub(super) fn of(text: &str) -> Result<Self, toml::de::Error> {
        let root = DeTable::parse(text)?;
        let root = root.get_ref();
        let mut layout = Self::default();
        layout.measure(text, root);
        layout.headers.sort_by_key(|header| header.start);
        layout.ends.sort_unstable();
        layout.bracketed = layout.users_of(text, None, root);
        for host in entries(root, "host") {
            let Some(table) = host.get_ref().as_table() else { continue };
            let Some((name, _)) = string(table, "name") else { continue };
            let name = name.to_ascii_lowercase();
            let bracketed = layout.users_of(text, Some(&name), table);
            let headers = headers(text, host);
            layout.hosts.push(WrittenHost { name, at: host.span(), headers, bracketed });
        }
        Ok(layout)
    }

    /// Finds the user of this name.
    pub(super) fn user(&self, host: Option<&str>, name: &str) -> Option<&Written> {
        self.users.iter().find(|user| user.host.as_deref() == host && user.name == name)
    }

    /// Returns where the table whose header begins at `header` ends: after the line of its last
    /// value, and the comments that follow at once.
    pub(super) fn end_of_table(&self, text: &str, header: usize) -> usize {
        let next = self.headers.iter().find(|other| other.start > header);
        let next = next.map_or(text.len(), |other| other.start);
        let own = self.headers.iter().find(|own| own.start == header);
        let last = self.ends.partition_point(|end| *end <= next);
        let last = last.checked_sub(1).map_or(0, |last| self.ends[last]);
        let content = line_end(text, last.max(own.map_or(header, |own| own.end)));
        let mut end = content;
        while end < text.len() && is_comment(line(text, end)) {
            end = line_end(text, end);
        }
        // A comment right above the next table is that one's.
        if end < text.len() && !is_blank(line(text, end)) { content } else { end }
    }

    /// Returns where the table whose header begins at `header` begins: with the comment right above
    /// it, but for one at the top of the file, which is about the file.
    pub(super) fn start_of_table(&self, text: &str, header: usize) -> usize {
        let last = self.ends.partition_point(|end| *end <= header);
        let last = last.checked_sub(1).map_or(0, |last| line_end(text, self.ends[last]));
        let begin = line_start(text, header);
        let mut start = begin;
        while start > last && is_comment(line(text, line_start(text, start - 1))) {
            start = line_start(text, start - 1);
        }
        if start == 0 { begin } else { start }
    }

    /// Collects the users of a table; returns where they are an array in brackets.
    fn users_of(
        &mut self,
        text: &str,
        host: Option<&str>,
        table: &DeTable<'_>,
    ) -> Option<Range<usize>> {
        for user in entries(table, "user") {
            let Some(fields) = user.get_ref().as_table() else { continue };
            let Some((name, name_at)) = string(fields, "name") else { continue };
            self.users.push(Written {
                host: host.map(str::to_string),
                name: name.to_string(),
                name_at,
                password_at: string(fields, "password").map(|(_, at)| at),
                headers: headers(text, user),
            });
        }
        let users = table.get("user").filter(|users| users.get_ref().is_array())?;
        let first = entries(table, "user").next();
        let is_bracketed = first.is_none_or(|user| !has_header(text, user));
        is_bracketed.then(|| users.span())
    }

    /// Collects the headers and the ends of values of a table, and of all that is in it.
    fn measure(&mut self, text: &str, table: &DeTable<'_>) {
        for value in table.values() {
            self.measure_value(text, value);
        }
    }

    fn measure_value(&mut self, text: &str, value: &Spanned<DeValue<'_>>) {
        match value.get_ref() {
            DeValue::Table(table) if has_header(text, value) => {
                self.headers.push(value.span());
                self.measure(text, table);
            }
            // By dotted keys, or in braces.
            DeValue::Table(table) => {
                self.ends.push(value.span().end);
                self.measure(text, table);
            }
            DeValue::Array(array) if array.iter().any(|entry| has_header(text, entry)) => {
                array.iter().for_each(|entry| self.measure_value(text, entry));
            }
            _ => self.ends.push(value.span().end),
        }
    }
}

/// Returns the entries of an array.
fn entries<'a, 'i>(
    table: &'a DeTable<'i>,
    key: &str,
) -> impl Iterator<Item = &'a Spanned<DeValue<'i>>> + use<'a, 'i> {
    let array = table.get(key).and_then(|value| value.get_ref().as_array());
    array.into_iter().flat_map(|array| array.iter())
}

fn string<'a>(table: &'a DeTable<'_>, key: &str) -> Option<(&'a str, Range<usize>)> {
    let value = table.get(key)?;
    Some((value.get_ref().as_str()?, value.span()))
}

/// Returns `true` if this is a table with a header in brackets.
fn has_header(text: &str, value: &Spanned<DeValue<'_>>) -> bool {
    value.get_ref().is_table() && text[value.span().start..].starts_with('[')
}

/// Returns where the headers of a table, and of those in it, begin.
fn headers(text: &str, value: &Spanned<DeValue<'_>>) -> Vec<usize> {
    let mut part = Layout::default();
    if has_header(text, value) {
        part.measure_value(text, value);
    }
    let mut starts: Vec<_> = part.headers.iter().map(|header| header.start).collect();
    starts.sort_unstable();
    starts
}

/// Returns the line that begins at `at`, with its end.
pub(super) fn line(text: &str, at: usize) -> &str {
    &text[at..line_end(text, at)]
}

/// Returns where the line with the byte `at` begins.
pub(super) fn line_start(text: &str, at: usize) -> usize {
    text[..at].rfind('\n').map_or(0, |end| end + 1)
}

/// Returns where the line with the byte `at` ends, after its LF.
pub(super) fn line_end(text: &str, at: usize) -> usize {
    text[at..].find('\n').map_or(text.len(), |end| at + end + 1)
}

pub(super) fn is_blank(line: &str) -> bool {
    line.trim().is_empty()
}

fn is_comment(line: &str) -> bool {
    line.trim_start().starts_with('#')
}
