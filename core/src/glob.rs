//! File name patterns, as a shell reads them.
//!
//! | in a pattern | matches |
//! |---|---|
//! | `*` | any run of characters, also none |
//! | `?` | any one character |
//! | `[abc]`, `[a-z]` | one of the characters named |
//! | `[!abc]`, `[^abc]` | any one character but those |
//! | `\x` | `x`, whatever it means else |
//! | anything else | itself |
//!
//! A character is a UTF-8 sequence; where the bytes are not valid UTF-8, each is a character of
//! its own that equals only itself. A `]` that stands first in brackets is one of the characters
//! named. A `[` that is never closed stands for itself. A dot at the beginning of a name is matched
//! only by a dot that is written out.
//!
//! ```
//! use wharf_core::glob::matches;
//!
//! assert!(matches(b"*.tx?", b"notes.txt"));
//! assert!(!matches(b"*", b".hidden"));
//! ```

use memchr::{memchr, memchr3};

/// Returns `true` if `name` holds a `*`, a `?` or a `[`, and so may be meant as a pattern.
pub fn has_wildcards(name: &[u8]) -> bool {
    memchr3(b'*', b'?', b'[', name).is_some()
}

/// Returns `true` if `pattern` matches the whole of `name`.
///
/// Takes time in proportion to the product of both lengths at the worst, and no memory.
pub fn matches(pattern: &[u8], name: &[u8]) -> bool {
    let written_first = pattern.strip_prefix(b"\\").unwrap_or(pattern).first();
    if name.first() == Some(&b'.') && written_first != Some(&b'.') {
        return false;
    }
    let pattern = Pattern::new(pattern);
    let (mut at, mut name) = (0, name);
    // The latest `*`: where the pattern goes on after it, and what of the name it left over.
    // Earlier ones need no second chance: the later `*` can take whatever they would have taken.
    let mut star = None;
    while !name.is_empty() {
        let (character, width) = character(name);
        match pattern.atom(at) {
            Some((Atom::Star, next)) => {
                star = Some((next, name));
                at = next;
            }
            Some((atom, next)) if atom.matches(character) => {
                at = next;
                name = &name[width..];
            }
            _ => {
                let Some((next, left)) = star else { return false };
                let left = &left[self::character(left).1..];
                let Some(left) = pattern.skip(next, left) else { return false };
                star = Some((next, left));
                (at, name) = (next, left);
            }
        }
    }
    pattern.bytes[at..].iter().all(|&byte| byte == b'*')
}

/// A pattern that is taken apart as it is walked.
struct Pattern<'a> {
    bytes: &'a [u8],
    /// Index of the last `]` without a backslash. A `[` learns from it at once that it is never
    /// closed; to search each time would make `[[[[…` quadratic.
    last_close: usize,
}

/// What matches one character, or a run of them.
enum Atom<'a> {
    Star,
    Any,
    One(u32),
    Class { negated: bool, members: &'a [u8] },
}

impl<'a> Pattern<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        let (mut at, mut last_close) = (0, 0);
        while at < bytes.len() {
            if bytes[at] == b']' {
                last_close = at;
            }
            at += if bytes[at] == b'\\' { 2 } else { 1 };
        }
        Self { bytes, last_close }
    }

    /// Returns the atom at an index and the index after it, or `None` at the end.
    fn atom(&self, at: usize) -> Option<(Atom<'a>, usize)> {
        match self.bytes.get(at)? {
            b'*' => return Some((Atom::Star, at + 1)),
            b'?' => return Some((Atom::Any, at + 1)),
            b'[' => {
                if let Some(class) = self.class(at + 1) {
                    return Some(class);
                }
            }
            _ => {}
        }
        let (one, width) = escaped(&self.bytes[at..]);
        Some((Atom::One(one), at + width))
    }

    /// Leaves out of `name` what the atom at an index cannot match; `None` where it matches nothing
    /// in it.
    fn skip<'n>(&self, at: usize, name: &'n [u8]) -> Option<&'n [u8]> {
        match self.atom(at) {
            // Such a byte is a character wherever it stands.
            Some((Atom::One(one @ ..=0x7F), _)) => Some(&name[memchr(one as u8, name)?..]),
            _ => Some(name),
        }
    }

    /// Reads a class from after its `[`; `None` when it is not closed.
    fn class(&self, start: usize) -> Option<(Atom<'a>, usize)> {
        let negated = matches!(self.bytes.get(start), Some(b'!' | b'^'));
        let start = start + usize::from(negated);
        if self.last_close <= start {
            return None;
        }
        let mut end = start;
        while end == start || self.bytes[end] != b']' {
            end += if self.bytes[end] == b'\\' { 2 } else { 1 };
        }
        Some((Atom::Class { negated, members: &self.bytes[start..end] }, end + 1))
    }
}

impl Atom<'_> {
    fn matches(&self, wanted: u32) -> bool {
        match *self {
            Self::Star | Self::Any => true,
            Self::One(one) => one == wanted,
            Self::Class { negated, members } => is_member(members, wanted) != negated,
        }
    }
}

fn is_member(mut members: &[u8], wanted: u32) -> bool {
    while !members.is_empty() {
        let (low, width) = escaped(members);
        members = &members[width..];
        let mut high = low;
        // A `-` that stands last is no range, but itself.
        if let [b'-', end @ ..] = members
            && !end.is_empty()
        {
            let (bound, width) = escaped(end);
            high = bound;
            members = &end[width..];
        }
        if (low..=high).contains(&wanted) {
            return true;
        }
    }
    false
}

/// Reads the first character of a part of a pattern, and its width with the backslash before it.
fn escaped(bytes: &[u8]) -> (u32, usize) {
    match bytes {
        [b'\\', rest @ ..] if !rest.is_empty() => {
            let (one, width) = character(rest);
            (one, width + 1)
        }
        _ => character(bytes),
    }
}

/// Reads the first character, and its width in bytes. `bytes` must not be empty.
///
/// A byte that begins no valid UTF-8 sequence becomes a number that is no Unicode scalar value.
fn character(bytes: &[u8]) -> (u32, usize) {
    let width = match bytes[0] {
        ascii @ ..=0x7F => return (u32::from(ascii), 1),
        0xC2..=0xDF => 2,
        0xE0..=0xEF => 3,
        0xF0..=0xF4 => 4,
        _ => 1,
    };
    let sequence = bytes.get(..width).and_then(|sequence| str::from_utf8(sequence).ok());
    match sequence.and_then(|sequence| sequence.chars().next()) {
        Some(scalar) => (u32::from(scalar), width),
        None => (0xDC00 + u32::from(bytes[0]), 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::{vec, vec::Vec};
    use proptest::prelude::*;

    /// Matches the slow and obvious way, over characters.
    fn reference(pattern: &[u8], name: &[u8]) -> bool {
        let hidden = name.first() == Some(&b'.');
        let open = pattern.starts_with(b".") || pattern.starts_with(b"\\.");
        (!hidden || open) && reference_from(&characters(pattern), &characters(name))
    }

    fn characters(mut bytes: &[u8]) -> Vec<u32> {
        let mut all = Vec::new();
        while !bytes.is_empty() {
            let (one, width) = character(bytes);
            all.push(one);
            bytes = &bytes[width..];
        }
        all
    }

    fn reference_from(pattern: &[u32], name: &[u32]) -> bool {
        let is = |at: usize, byte: u8| pattern.get(at) == Some(&u32::from(byte));
        if pattern.is_empty() {
            return name.is_empty();
        }
        if is(0, b'*') {
            return (0..=name.len()).any(|taken| reference_from(&pattern[1..], &name[taken..]));
        }
        let Some((first, rest)) = name.split_first() else { return false };
        if is(0, b'?') {
            return reference_from(&pattern[1..], rest);
        }
        if is(0, b'[') {
            let negated = is(1, b'!') || is(1, b'^');
            let (mut at, mut found) = (1 + usize::from(negated), false);
            let start = at;
            while at < pattern.len() && (at == start || !is(at, b']')) {
                at += usize::from(is(at, b'\\') && at + 1 < pattern.len());
                let low = pattern[at];
                at += 1;
                if is(at, b'-') && at + 1 < pattern.len() && !is(at + 1, b']') {
                    at += 1 + usize::from(is(at + 1, b'\\') && at + 2 < pattern.len());
                    found |= low <= *first && *first <= pattern[at];
                    at += 1;
                } else {
                    found |= low == *first;
                }
            }
            if is(at, b']') {
                return found != negated && reference_from(&pattern[at + 1..], rest);
            }
        }
        let literal = usize::from(is(0, b'\\') && pattern.len() > 1);
        pattern[literal] == *first && reference_from(&pattern[literal + 1..], rest)
    }

    #[track_caller]
    fn check(pattern: &str, yes: &[&str], no: &[&str]) {
        for name in yes {
            assert!(matches(pattern.as_bytes(), name.as_bytes()), "{pattern} {name}");
        }
        for name in no {
            assert!(!matches(pattern.as_bytes(), name.as_bytes()), "{pattern} {name}");
        }
    }

    #[test]
    fn wildcards() {
        check("*", &["", "a", "a.b"], &[".a"]);
        check("a*b*c", &["abc", "a--b--c", "abcbc"], &["ab", "abcd", "xabc"]);
        check("?", &["a", "é", "世"], &["", "ab", "."]);
        check("*??", &["ab", "é世"], &["a", "世"]);
        check("", &[""], &["a"]);
    }

    #[test]
    fn classes() {
        check("[abc]", &["a", "c"], &["d", "", "ab"]);
        check("[a-cx-]", &["b", "x", "-"], &["d", "y"]);
        check("[!a-c]", &["d", "é", "!"], &["a", "b"]);
        check("[^é]", &["e", "^"], &["é"]);
        check("[]a]", &["]", "a"], &["b"]);
        check("[!]a]", &["b"], &["]", "a"]);
        check("[\\]-a]", &["]", "a", "^"], &["\\", "-"]);
        check("[z-a]", &[], &["z", "a", "m"]);
        check("[а-я]*", &["привет"], &["hello"]);
    }

    #[test]
    fn an_open_bracket_is_itself() {
        check("[a", &["[a"], &["a"]);
        check("[]", &["[]"], &["]"]);
        check("[!]", &["[!]"], &["a"]);
        check("[a\\]", &["[a]"], &["a"]);
        check("*[", &["x[", "["], &["x"]);
    }

    #[test]
    fn a_backslash_takes_the_meaning_away() {
        check("\\*\\?\\[", &["*?["], &["abc"]);
        check("a\\", &["a\\"], &["a"]);
        check("\\é", &["é"], &["e"]);
    }

    #[test]
    fn a_leading_dot_is_written_out() {
        check(".*", &[".", ".a"], &["a"]);
        check("\\.a", &[".a"], &[]);
        check("[.]a", &[], &[".a"]);
        check("*.a", &["x.a"], &[".a"]);
    }

    #[test]
    fn bytes_that_are_no_utf8() {
        assert!(matches(b"?\xE9?", b"\xFF\xE9t"));
        assert!(matches(b"[\xE0-\xEF]", b"\xE9"));
        assert!(!matches(b"\xE9", "é".as_bytes()));
    }

    #[test]
    fn wildcards_are_seen() {
        assert!(has_wildcards(b"a*") && has_wildcards(b"?") && has_wildcards(b"[a]"));
        assert!(!has_wildcards(b"a]\\b"));
    }

    #[test]
    fn no_pattern_takes_forever() {
        let mut pattern = b"*a".repeat(500);
        pattern.push(b'b');
        assert!(!matches(&pattern, &vec![b'a'; 4096]));
        assert!(matches(&b"[".repeat(4096), &b"[".repeat(4096)));
        let mut pattern = b"*[".repeat(1000);
        pattern.push(b'x');
        assert!(!matches(&pattern, &b"[".repeat(4096)));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4096))]

        #[test]
        fn equals_the_reference(
            pattern in "[ab*?!^\\[\\]\\\\.é-]{0,9}", name in "[ab\\[\\]\\\\.é-]{0,6}"
        ) {
            let (pattern, name) = (pattern.as_bytes(), name.as_bytes());
            prop_assert_eq!(matches(pattern, name), reference(pattern, name));
        }

        #[test]
        fn total(pattern in any::<Vec<u8>>(), name in any::<Vec<u8>>()) {
            matches(&pattern, &name);
        }

        #[test]
        fn a_plain_name_matches_itself(name in any::<Vec<u8>>()) {
            let plain = !has_wildcards(&name) && !name.contains(&b'\\');
            prop_assert!(!plain || matches(&name, &name));
        }
    }
}
