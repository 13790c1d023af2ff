//! What the makers of a server say of it, row by row.

use crate::requirements::{records, requirements};

/// A server's own tables of what it implements, with the row of the requirements that each is here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claims {
    /// The server's name.
    pub server: String,
    /// Its rows, in the order of the file.
    pub rows: Vec<Claim>,
}

/// A row of such a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The document, as the table has it.
    pub section: String,
    /// The command or behaviour, as the table has it.
    pub feature: String,
    /// MUST, SHOULD or MAY, as the table has it.
    pub level: String,
    /// What the table says: YES or NO.
    pub says: String,
    /// The row of the requirements that it is about.
    pub id: String,
}

impl Claims {
    /// Reads a file in CSV whose header is `section,feature,level,SERVER_says,id`.
    pub fn parse(csv: &str) -> Result<Self, String> {
        let mut lines = records(csv).into_iter();
        let header = lines.next().unwrap_or_default();
        let server = match header.iter().map(String::as_str).collect::<Vec<_>>()[..] {
            ["section", "feature", "level", says, "id"] => says.strip_suffix("_says"),
            _ => None,
        };
        let server = server.filter(|name| !name.is_empty());
        let server = server.ok_or("the header is not section,feature,level,SERVER_says,id")?;
        let rows = lines.map(|line| {
            let fields = <[String; 5]>::try_from(line);
            let [section, feature, level, says, id] =
                fields.map_err(|line| format!("not five fields: {}", line.join(",")))?;
            if !requirements().iter().any(|row| row.id == id) {
                return Err(format!("{id:?} is no id, see --list"));
            }
            Ok(Claim { section, feature, level, says, id })
        });
        Ok(Self { server: server.to_owned(), rows: rows.collect::<Result<_, _>>()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_a_table() {
        let claims =
            Claims::parse("section,feature,level,some_says,id\nRFC 959,ABOR,MAY,YES,rfc959.abor\n")
                .unwrap();
        assert_eq!(claims.server, "some");
        assert_eq!(claims.rows.len(), 1);
        assert_eq!(claims.rows[0].id, "rfc959.abor");
    }

    #[test]
    fn mistakes() {
        let header = "section,feature,level,some_says,id";
        for wrong in [
            String::new(),
            "section,feature,level,_says,id\n".to_owned(),
            format!("{header}\na,b,c\n"),
            format!("{header}\na,b,MAY,YES,rfc959.nothing\n"),
            format!("{header}\na,b,MAY,YES,\n"),
        ] {
            assert!(Claims::parse(&wrong).is_err(), "{wrong}");
        }
    }
}
