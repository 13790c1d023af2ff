//! Numbers as text without `fmt`, which took two thirds of the time of a listing's line.

use alloc::vec::Vec;

/// The digits of a number.
pub(crate) struct Digits {
    /// They stand at the end; the largest number fits in.
    bytes: [u8; 20],
    start: usize,
}

impl Digits {
    pub(crate) fn decimal(number: impl Into<u64>) -> Self {
        Self::of::<10>(number.into())
    }

    /// Lower case, and no `0x`.
    pub(crate) fn hexadecimal(number: u64) -> Self {
        Self::of::<16>(number)
    }

    fn of<const RADIX: u64>(mut number: u64) -> Self {
        let mut digits = Self { bytes: [0; 20], start: 20 };
        loop {
            digits.start -= 1;
            digits.bytes[digits.start] = b"0123456789abcdef"[(number % RADIX) as usize];
            number /= RADIX;
            if number == 0 {
                return digits;
            }
        }
    }

    fn as_bytes(&self) -> &[u8] {
        &self.bytes[self.start..]
    }

    /// Appends the digits.
    pub(crate) fn append(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.as_bytes());
    }

    /// Appends the digits, and spaces before them up to `width`.
    pub(crate) fn append_right(&self, width: usize, out: &mut Vec<u8>) {
        pad(self.as_bytes(), width, out);
        self.append(out);
    }

    /// Appends the digits, and spaces after them up to `width`.
    pub(crate) fn append_left(&self, width: usize, out: &mut Vec<u8>) {
        self.append(out);
        pad(self.as_bytes(), width, out);
    }
}

fn pad(digits: &[u8], width: usize, out: &mut Vec<u8>) {
    let spaces = width.saturating_sub(digits.len());
    out.resize(out.len() + spaces, b' ');
}

/// Returns the two decimal digits of a number below 100.
pub(crate) const fn pair(number: u8) -> [u8; 2] {
    [b'0' + number / 10, b'0' + number % 10]
}

/// Returns the four decimal digits of a year; one outside 0 to 9999 is shown as the nearer of the
/// two.
pub(crate) fn year(year: i64) -> [u8; 4] {
    let year = year.clamp(0, 9999) as u16;
    let ([a, b], [c, d]) = (pair((year / 100) as u8), pair((year % 100) as u8));
    [a, b, c, d]
}

/// Returns the lowest twelve bits as four octal digits.
pub(crate) const fn mode(mode: u32) -> [u8; 4] {
    [digit(mode >> 9), digit(mode >> 6), digit(mode >> 3), digit(mode)]
}

const fn digit(bits: u32) -> u8 {
    b'0' + (bits & 0o7) as u8
}

#[cfg(test)]
mod tests {
    use alloc::format;
    use alloc::string::String;

    use proptest::prelude::*;

    use super::*;

    fn shown(append: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        append(&mut out);
        String::from_utf8(out).unwrap()
    }

    proptest! {
        /// As `fmt` writes them.
        #[test]
        fn numbers(number: u64, drop in 0..64, width in 0..24_usize) {
            let number = number >> drop;
            let decimal = Digits::decimal(number);
            prop_assert_eq!(shown(|out| decimal.append(out)), format!("{number}"));
            prop_assert_eq!(shown(|out| decimal.append_left(width, out)), format!("{number:<width$}"));
            prop_assert_eq!(shown(|out| decimal.append_right(width, out)), format!("{number:>width$}"));
            let hexadecimal = Digits::hexadecimal(number);
            prop_assert_eq!(shown(|out| hexadecimal.append(out)), format!("{number:x}"));
        }

        #[test]
        fn fixed_widths(number in 0..100_u8, four in 0..10_000_i64, bits: u32) {
            let text = |digits: &[u8]| String::from_utf8(digits.to_vec()).unwrap();
            prop_assert_eq!(text(&pair(number)), format!("{number:02}"));
            prop_assert_eq!(text(&year(four)), format!("{four:04}"));
            prop_assert_eq!(text(&mode(bits)), format!("{:04o}", bits & 0o7777));
        }
    }

    #[test]
    fn the_ends() {
        assert_eq!(shown(|out| Digits::decimal(0_u8).append(out)), "0");
        assert_eq!(shown(|out| Digits::decimal(u64::MAX).append(out)), "18446744073709551615");
        assert_eq!(shown(|out| Digits::hexadecimal(u64::MAX).append(out)), "ffffffffffffffff");
        assert_eq!((year(-1), year(i64::MAX)), (*b"0000", *b"9999"));
    }
}
