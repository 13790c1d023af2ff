//! Replies on their way to the client (RFC 959 section 4.2).

use alloc::vec::Vec;
use core::fmt;

use crate::name;

/// The bytes that wait to be sent on the control connection.
///
/// Everything that goes in is made safe: a text cannot end its line, and Telnet's IAC is doubled.
#[derive(Debug, Default)]
pub(crate) struct Replies {
    bytes: Vec<u8>,
    /// How many of `bytes` have been sent.
    sent: usize,
    /// Nobody reads any more.
    shut: bool,
}

impl Replies {
    /// What is to be sent.
    pub(crate) fn pending(&self) -> &[u8] {
        &self.bytes[self.sent..]
    }

    /// Takes note that the first `count` pending bytes have been sent.
    pub(crate) fn sent(&mut self, count: usize) {
        self.sent = self.sent.saturating_add(count).min(self.bytes.len());
        if self.sent == self.bytes.len() {
            self.bytes.clear();
            self.sent = 0;
        } else if self.sent > self.bytes.len() / 2 {
            self.bytes.drain(..self.sent);
            self.sent = 0;
        }
    }

    /// Forgets what has not been sent, and whatever is still to come.
    pub(crate) fn shut(&mut self) {
        self.bytes.clear();
        self.sent = 0;
        self.shut = true;
    }

    /// A reply of one line.
    pub(crate) fn line(&mut self, code: u16, text: impl Into<Text>) {
        self.write(code, b' ', &text.into());
    }

    /// The first line of a reply of several.
    pub(crate) fn open(&mut self, code: u16, text: impl Into<Text>) {
        self.write(code, b'-', &text.into());
    }

    /// A line within a reply of several: a leading space keeps it from being read as the last.
    pub(crate) fn inner(&mut self, text: impl Into<Text>) {
        self.put(b" ");
        self.escape(&text.into().0);
        self.put(b"\r\n");
    }

    /// A reply of as many lines as `text` has, parted by LF or CRLF.
    pub(crate) fn lines(&mut self, code: u16, text: &[u8]) {
        let without_cr = |line: &[u8]| Text(line.strip_suffix(b"\r").unwrap_or(line).to_vec());
        let mut lines = text.split(|&byte| byte == b'\n').map(without_cr);
        let last = lines.next_back().unwrap_or_default();
        match lines.next() {
            None => self.line(code, last),
            Some(first) => {
                self.open(code, first);
                lines.for_each(|line| self.inner(line));
                self.line(code, last);
            }
        }
    }

    /// Lines of a listing, each with its CRLF, within a reply of several lines. Their names are
    /// safe already, see [`ListingFormat`](crate::ListingFormat).
    pub(crate) fn listing(&mut self, lines: &[u8]) {
        for line in lines.split_inclusive(|&byte| byte == b'\n') {
            self.put(b" ");
            self.double_iac(line);
        }
    }

    /// Telnet's answer to an option, as it is.
    pub(crate) fn telnet(&mut self, answer: &[u8]) {
        self.put(answer);
    }

    fn write(&mut self, code: u16, separator: u8, text: &Text) {
        debug_assert!((100..=599).contains(&code));
        let digits = [code / 100, code / 10 % 10, code % 10];
        self.put(&digits.map(|digit| b'0' + digit as u8));
        self.put(&[separator]);
        self.escape(&text.0);
        self.put(b"\r\n");
    }

    fn escape(&mut self, text: &[u8]) {
        let mut safe = Vec::with_capacity(text.len());
        name::encode(text, &mut safe);
        self.double_iac(&safe);
    }

    fn double_iac(&mut self, bytes: &[u8]) {
        for part in bytes.split_inclusive(|&byte| byte == IAC) {
            self.put(part);
            if part.ends_with(&[IAC]) {
                self.put(&[IAC]);
            }
        }
    }

    /// The one place where bytes are added.
    fn put(&mut self, bytes: &[u8]) {
        if !self.shut {
            self.bytes.extend_from_slice(bytes);
        }
    }
}

/// Telnet's "interpret as command" (RFC 854); doubled it is the byte itself.
const IAC: u8 = 0xFF;

/// The text of a reply line: raw bytes, made safe when they are written.
#[derive(Clone, Debug, Default)]
pub(crate) struct Text(Vec<u8>);

impl Text {
    /// `before "path" after`, as RFC 959 Appendix II has it: quotes within the path are doubled.
    pub(crate) fn quoting(path: &[u8], after: &str) -> Self {
        let mut text = Vec::from(*b"\"");
        for &byte in path {
            text.push(byte);
            if byte == b'"' {
                text.push(byte);
            }
        }
        text.push(b'"');
        text.extend_from_slice(after.as_bytes());
        Self(text)
    }

    /// Joins the parts.
    pub(crate) fn of(parts: &[&[u8]]) -> Self {
        Self(parts.concat())
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Self(text.as_bytes().to_vec())
    }
}

impl From<fmt::Arguments<'_>> for Text {
    fn from(text: fmt::Arguments<'_>) -> Self {
        Self(alloc::fmt::format(text).into_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn written(write: impl FnOnce(&mut Replies)) -> Vec<u8> {
        let mut replies = Replies::default();
        write(&mut replies);
        replies.pending().to_vec()
    }

    #[test]
    fn quotes_are_doubled_and_line_ends_hidden() {
        let path = b"/a\"b\r\nc\xFF";
        let bytes = written(|r| r.line(257, Text::quoting(path, " created.")));
        assert_eq!(bytes, b"257 \"/a\"\"b\r\0\0c\xFF\xFF\" created.\r\n");
    }

    #[test]
    fn several_lines() {
        assert_eq!(written(|r| r.lines(200, b"one")), b"200 one\r\n");
        assert_eq!(written(|r| r.lines(214, b"a\n214 b\nc")), b"214-a\r\n 214 b\r\n214 c\r\n");
    }

    #[test]
    fn sending_in_pieces() {
        let mut replies = Replies::default();
        replies.line(200, "OK");
        replies.sent(5);
        assert_eq!(replies.pending(), b"K\r\n");
        replies.sent(1);
        replies.sent(usize::MAX);
        assert_eq!(replies.pending(), b"");
    }

    #[test]
    fn what_nobody_reads_is_not_kept() {
        let mut replies = Replies::default();
        replies.line(200, "OK");
        replies.shut();
        replies.lines(200, b"one\ntwo\nthree");
        replies.listing(b"four\r\n");
        replies.telnet(b"five");
        assert_eq!(replies.pending(), b"");
    }

    proptest! {
        #[test]
        fn no_text_forges_a_line(text in proptest::collection::vec(any::<u8>(), 0..60)) {
            let bytes = written(|r| r.line(200, Text(text.clone())));
            prop_assert_eq!(memchr::memchr_iter(b'\n', &bytes).count(), 1);
            prop_assert!(bytes.ends_with(b"\r\n") && bytes.starts_with(b"200 "));
            let bytes = written(|r| r.lines(211, &text));
            let lines: Vec<_> = bytes.split_inclusive(|&b| b == b'\n').collect();
            let (last, before) = lines.split_last().unwrap();
            prop_assert!(last.starts_with(b"211 "));
            for (i, line) in before.iter().enumerate() {
                let start: &[u8] = if i == 0 { b"211-" } else { b" " };
                prop_assert!(line.starts_with(start));
            }
        }
    }
}
