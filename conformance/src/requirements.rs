//! The specification: the rows of `requirements.csv`.

use std::sync::LazyLock;

/// A row of `requirements.csv`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requirement {
    /// Names the row, and the check that belongs to it, such as `rfc959.user`.
    pub id: String,
    /// The document that demands it.
    pub section: String,
    /// The command or behaviour.
    pub name: String,
    /// MUST, SHOULD or MAY.
    pub level: String,
    /// What the server has to do.
    pub expect: String,
}

/// Returns every row, in the order of the file.
pub fn requirements() -> &'static [Requirement] {
    static ROWS: LazyLock<Vec<Requirement>> =
        LazyLock::new(|| rows(include_str!("../requirements.csv")));
    &ROWS
}

fn rows(csv: &str) -> Vec<Requirement> {
    let mut records = records(csv).into_iter();
    let header = records.next().unwrap_or_default();
    assert_eq!(header, ["id", "section", "name", "level", "expect"], "header of requirements.csv");
    records
        .map(|record| {
            let fields = <[String; 5]>::try_from(record);
            let [id, section, name, level, expect] =
                fields.unwrap_or_else(|record| panic!("requirements.csv: {record:?}"));
            Requirement { id, section, name, level, expect }
        })
        .collect()
}

/// Returns the rows by section, in the order in which either first comes.
pub(crate) fn by_section() -> Vec<(&'static str, Vec<&'static Requirement>)> {
    let mut sections: Vec<(&str, Vec<_>)> = Vec::new();
    for row in requirements() {
        match sections.iter_mut().find(|(name, _)| *name == row.section) {
            Some((_, rows)) => rows.push(row),
            None => sections.push((&row.section, vec![row])),
        }
    }
    sections
}

/// Parses CSV as RFC 4180 has it: fields in quotes may hold commas, line ends and doubled quotes.
pub(crate) fn records(csv: &str) -> Vec<Vec<String>> {
    let mut records = Vec::new();
    let mut record = Vec::new();
    let mut field = String::new();
    let mut quoted = false;
    let mut characters = csv.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '"' if quoted && characters.peek() == Some(&'"') => {
                characters.next();
                field.push('"');
            }
            '"' => quoted = !quoted,
            ',' if !quoted => record.push(std::mem::take(&mut field)),
            '\r' if !quoted => {}
            '\n' if !quoted => {
                record.push(std::mem::take(&mut field));
                records.push(std::mem::take(&mut record));
            }
            other => field.push(other),
        }
    }
    if !field.is_empty() || !record.is_empty() {
        record.push(field);
        records.push(record);
    }
    records
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoted_fields() {
        let parsed = records("a,\"b, \"\"c\"\"\nd\",\r\n1,,2");
        assert_eq!(parsed, [vec!["a", "b, \"c\"\nd", ""], vec!["1", "", "2"]]);
    }

    #[test]
    fn the_file_has_unique_ids() {
        let mut ids: Vec<_> = requirements().iter().map(|row| &row.id).collect();
        assert!(ids.len() > 80);
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), requirements().len());
    }
}
