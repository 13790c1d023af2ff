//! Times as MDTM, MFMT and the fact `modify` have them (RFC 3659 section 2.3).

use alloc::vec::Vec;

use crate::digits::{pair, year};
use crate::time::{Civil, WallTime};

/// Appends a time as `YYYYMMDDHHMMSS` in UTC: the `time-val` of RFC 3659 section 2.3, for MDTM and
/// the `modify` fact alike.
///
/// It has whole seconds and always 14 digits: a year outside 0 to 9999 is shown as the nearer of
/// the two.
pub(crate) fn timestamp(time: WallTime, out: &mut Vec<u8>) {
    let date = time.civil();
    out.extend_from_slice(&year(date.year));
    for part in [date.month, date.day, date.hour, date.minute, date.second] {
        out.extend_from_slice(&pair(part));
    }
}

/// Reads a `time-val` (RFC 3659 section 2.3): `YYYYMMDDHHMMSS` in UTC, and perhaps a fraction, which
/// is dropped: no reply could tell it.
pub(crate) fn parse_timestamp(text: &[u8]) -> Option<WallTime> {
    let digits = match memchr::memchr(b'.', text) {
        Some(point) => {
            let (digits, fraction) = (&text[..point], &text[point + 1..]);
            let proper = !fraction.is_empty() && fraction.iter().all(u8::is_ascii_digit);
            proper.then_some(digits)?
        }
        None => text,
    };
    let proper = digits.len() == 14 && digits.iter().all(u8::is_ascii_digit);
    let pair = |at: usize| (digits[at] - b'0') * 10 + (digits[at + 1] - b'0');
    let [century, year, month, day, hour, minute, second] =
        proper.then(|| core::array::from_fn(|index| pair(2 * index)))?;
    // A leap second is the first of the next minute: the Unix epoch does not know it.
    let leap = i64::from(second == 60);
    let year = i64::from(century) * 100 + i64::from(year);
    let civil = Civil { year, month, day, hour, minute, second: second - leap as u8 };
    Some(WallTime::from_seconds(civil.to_seconds()? + leap))
}

#[cfg(test)]
mod tests {
    use alloc::string::String;

    use super::*;

    #[test]
    fn timestamps_have_fourteen_digits() {
        let shown = |seconds| {
            let mut out = Vec::new();
            timestamp(WallTime::from_seconds(seconds), &mut out);
            String::from_utf8(out).unwrap()
        };
        assert_eq!(shown(1_709_251_199), "20240229235959");
        assert_eq!(shown(-1), "19691231235959");
        assert!(shown(i64::MIN).len() == 14 && shown(i64::MIN).starts_with("0000"));
        assert!(shown(i64::MAX).len() == 14 && shown(i64::MAX).starts_with("9999"));
    }

    #[test]
    fn timestamps_are_read() {
        let read = |text: &str| parse_timestamp(text.as_bytes()).map(|time| time.seconds);
        assert_eq!(read("20240229235959"), Some(1_709_251_199));
        assert_eq!(read("20240229235959.9"), Some(1_709_251_199));
        assert_eq!(read("20240229235960"), Some(1_709_251_200));
        assert_eq!(read("19691231235959.000"), Some(-1));
        assert!(read("00000101000000").is_some() && read("99991231235959").is_some());
        for wrong in [
            "",
            "2024022923595",
            "202402292359599",
            "20240229235959.",
            "20240229235959.1x",
            "20240229235959.1.2",
            "20230229000000",
            "20241301000000",
            "20240101240000",
            "20240101006000",
            "20240101000061",
            "2024010100000a",
            "+2024010100000",
            "-0240101000000",
        ] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }
}
