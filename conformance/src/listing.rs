//! Lines of listings: the shape of `/bin/ls -l`, and the facts of RFC 3659.

use crate::check::Failure;

/// A line of the shape of `/bin/ls -l`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LongLine {
    /// The first character: `-` a file, `d` a directory, `l` a symbolic link.
    pub kind: u8,
    /// Size in bytes.
    pub size: u64,
    /// Month (1 to 12) and day.
    pub date: (u8, u8),
    /// The time of day, or the year.
    pub clock: Clock,
    /// The name, all of it.
    pub name: Vec<u8>,
}

/// The last column of an `ls -l` line's date.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clock {
    /// Hour and minute: the date lies within half a year.
    Time(u8, u8),
    /// The year.
    Year(u16),
}

const MONTHS: [&[u8]; 12] = [
    b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec",
];

impl LongLine {
    /// Parses a line as the usual clients do: eight columns parted by spaces, one space, the name.
    pub fn parse(line: &[u8]) -> Result<Self, Failure> {
        Self::columns(line).ok_or_else(|| {
            Failure::new(format!("not of the shape of ls -l: {}", line.escape_ascii()))
        })
    }

    fn columns(line: &[u8]) -> Option<Self> {
        let mut rest = line;
        let mode = column(&mut rest)?;
        let (&kind, bits) = mode.split_first()?;
        let known = b"-rwxsStT";
        let proper = b"-dlbcps".contains(&kind) && bits.iter().all(|bit| known.contains(bit));
        if mode.len() != 10 || !proper {
            return None;
        }
        number(column(&mut rest)?)?;
        column(&mut rest)?;
        column(&mut rest)?;
        let size = number(column(&mut rest)?)?;
        let month = column(&mut rest)?;
        let month = MONTHS.iter().position(|&known| known == month)? as u8 + 1;
        let day = number(column(&mut rest)?)?;
        let clock = column(&mut rest)?;
        let clock = match clock.iter().position(|&byte| byte == b':') {
            Some(2) if clock.len() == 5 => {
                Clock::Time(number(&clock[..2])? as u8, number(&clock[3..])? as u8)
            }
            None if clock.len() == 4 => Clock::Year(number(clock)? as u16),
            _ => return None,
        };
        let name = rest.strip_prefix(b" ")?.to_vec();
        let sound = (1..=31).contains(&day) && !name.is_empty();
        sound.then_some(Self { kind, size, date: (month, day as u8), clock, name })
    }
}

/// Takes a column and the spaces before it; leaves what follows, its first space included.
fn column<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let start = rest.iter().position(|&byte| byte != b' ')?;
    let line = &rest[start..];
    let end = line.iter().position(|&byte| byte == b' ')?;
    *rest = &line[end..];
    Some(&line[..end])
}

fn number(digits: &[u8]) -> Option<u64> {
    let all = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    all.then(|| std::str::from_utf8(digits).ok()?.parse().ok()).flatten()
}

/// An entry of MLSD or MLST: facts, a space, a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FactLine {
    /// Names, in lower case, and values, in the order of the line.
    pub facts: Vec<(String, String)>,
    /// The name.
    pub name: Vec<u8>,
}

impl FactLine {
    /// Parses a line, as RFC 3659 section 7.2 has it: `*( fact "=" value ";" ) SP name`.
    pub fn parse(line: &[u8]) -> Result<Self, Failure> {
        Self::fields(line).ok_or_else(|| {
            Failure::new(format!("not a line of facts and a name: {}", line.escape_ascii()))
        })
    }

    fn fields(line: &[u8]) -> Option<Self> {
        let space = line.iter().position(|&byte| byte == b' ')?;
        let text = std::str::from_utf8(&line[..space]).ok()?;
        let mut facts = Vec::new();
        if !text.is_empty() {
            for fact in text.strip_suffix(';')?.split(';') {
                let (name, value) = fact.split_once('=')?;
                if name.is_empty() {
                    return None;
                }
                facts.push((name.to_ascii_lowercase(), value.to_owned()));
            }
        }
        let name = line[space + 1..].to_vec();
        (!name.is_empty()).then_some(Self { facts, name })
    }

    /// Returns the value of a fact, and fails when it is missing.
    pub fn fact(&self, name: &str) -> Result<&str, Failure> {
        self.find(name)
            .ok_or_else(|| Failure::new(format!("no fact {name} for {}", self.name.escape_ascii())))
    }

    /// Returns the value of a fact, if it is there.
    pub fn find(&self, name: &str) -> Option<&str> {
        let mut facts = self.facts.iter();
        facts.find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// A time value of RFC 3659 section 2.3, in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// Year, month and day.
    pub date: (u16, u8, u8),
    /// Hour, minute and second.
    pub time: (u8, u8, u8),
}

impl Stamp {
    /// Parses `YYYYMMDDHHMMSS`, with a fraction of a second or without.
    pub fn parse(text: &str) -> Result<Self, Failure> {
        Self::fields(text).ok_or_else(|| Failure::new(format!("not a time value: {text}")))
    }

    fn fields(text: &str) -> Option<Self> {
        let whole = match text.split_once('.') {
            Some((whole, fraction)) => number(fraction.as_bytes()).map(|_| whole)?,
            None => text,
        };
        number(whole.as_bytes()).filter(|_| whole.len() == 14)?;
        let part = |from: usize, to: usize| whole[from..to].parse::<u8>().ok();
        let date = (whole[..4].parse().ok()?, part(4, 6)?, part(6, 8)?);
        let time = (part(8, 10)?, part(10, 12)?, part(12, 14)?);
        let sound = (1..=12).contains(&date.1)
            && (1..=31).contains(&date.2)
            && time.0 < 24
            && time.1 < 60
            && time.2 < 61;
        sound.then_some(Self { date, time })
    }

    /// Returns the seconds since 1970.
    pub fn unix_seconds(self) -> i64 {
        // Howard Hinnant's days_from_civil.
        let (year, month, day) =
            (i64::from(self.date.0), i64::from(self.date.1), i64::from(self.date.2));
        let year = if month <= 2 { year - 1 } else { year };
        let era = year.div_euclid(400);
        let year_of_era = year.rem_euclid(400);
        let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
        let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
        let days = era * 146_097 + day_of_era - 719_468;
        let (hour, minute, second) = self.time;
        days * 86_400 + i64::from(hour) * 3600 + i64::from(minute) * 60 + i64::from(second)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lines() {
        let line = LongLine::parse(b"-rw-r--r--   1 ftp  ftp   1234 Feb  3 12:34  a b ").unwrap();
        assert_eq!((line.kind, line.size, line.date), (b'-', 1234, (2, 3)));
        assert_eq!((line.clock, &line.name[..]), (Clock::Time(12, 34), &b" a b "[..]));
        let line = LongLine::parse(b"drwxr-xr-x 2 0 0 4096 Dec 31  1999 d").unwrap();
        assert_eq!((line.kind, line.clock), (b'd', Clock::Year(1999)));
        for wrong in [&b"total 4"[..], b"-rw-r--r-- 1 a b 1 Feb 3 12:34", b"-rw-r--r-- 1 b 1 Feb 3"]
        {
            assert!(LongLine::parse(wrong).is_err());
        }
    }

    #[test]
    fn fact_lines() {
        let line = FactLine::parse(b"Type=file;Size=3; a; b").unwrap();
        assert_eq!((line.fact("type").unwrap(), line.find("perm")), ("file", None));
        assert_eq!(line.name, b"a; b");
        assert!(FactLine::parse(b" a").unwrap().facts.is_empty());
        for wrong in [&b"type=file a"[..], b"type; a", b"type=file;", b"type=file; "] {
            assert!(FactLine::parse(wrong).is_err());
        }
    }

    #[test]
    fn time_values() {
        let seconds = |text| Stamp::parse(text).map(Stamp::unix_seconds).ok();
        assert_eq!(seconds("19700101000000"), Some(0));
        assert_eq!(seconds("20240229123456.789"), Some(1_709_210_096));
        assert_eq!(seconds("20241301000000"), None);
        assert_eq!(seconds("2024010100000"), None);
    }
}
