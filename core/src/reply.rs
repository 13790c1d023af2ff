//! Replies on their way to the client (RFC 959 section 4.2).

use alloc::format;
use alloc::vec::Vec;
use core::fmt;

use memchr::memchr3;

use crate::language::{ENGLISH, Language, VERBATIM};
use crate::name;

/// How much memory stays for the next replies when all have been sent, in bytes.
const KEPT: usize = 128;

/// The bytes that wait to be sent on the control connection.
///
/// Everything that goes in is made safe: a text cannot end its line, and Telnet's IAC is doubled.
#[derive(Debug)]
pub(crate) struct Replies {
    /// What texts are written in.
    language: &'static Language,
    bytes: Vec<u8>,
    /// How many of `bytes` have been sent.
    sent: usize,
    /// The client reads no more.
    shut: bool,
}

impl Replies {
    pub(crate) fn new() -> Self {
        Self { language: &ENGLISH, bytes: Vec::new(), sent: 0, shut: false }
    }

    /// The language of what is written from now on.
    pub(crate) fn language(&self) -> &'static Language {
        self.language
    }

    pub(crate) fn set_language(&mut self, language: &'static Language) {
        self.language = language;
    }

    /// What is to be sent.
    pub(crate) fn pending(&self) -> &[u8] {
        &self.bytes[self.sent..]
    }

    /// Drops the first `count` pending bytes, which have been sent.
    pub(crate) fn sent(&mut self, count: usize) {
        self.sent = self.sent.saturating_add(count).min(self.bytes.len());
        if self.sent == self.bytes.len() {
            self.bytes.clear();
            self.bytes.shrink_to(KEPT);
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
        self.write(code, b' ', text.into());
    }

    /// The first line of a reply of several.
    pub(crate) fn open(&mut self, code: u16, text: impl Into<Text>) {
        self.write(code, b'-', text.into());
    }

    /// A line within a reply of several: a leading space keeps it from being read as the last.
    pub(crate) fn inner(&mut self, text: impl Into<Text>) {
        self.put(b" ");
        self.put_text(&text.into());
        self.put(b"\r\n");
    }

    /// A reply of as many lines as `text` has, parted by LF or CRLF. The text is not one of ours,
    /// and stays as it is.
    pub(crate) fn lines(&mut self, code: u16, text: &[u8]) {
        let line = |line: &[u8]| Text::verbatim(line.strip_suffix(b"\r").unwrap_or(line));
        let mut lines = text.split(|&byte| byte == b'\n').map(line);
        let last = lines.next_back().unwrap_or_else(|| Text::verbatim(""));
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

    fn write(&mut self, code: u16, separator: u8, text: Text) {
        debug_assert!((100..=599).contains(&code));
        let digits = [code / 100, code / 10 % 10, code % 10];
        self.put(&digits.map(|digit| b'0' + digit as u8));
        self.put(&[separator]);
        self.put_text(&text);
        self.put(b"\r\n");
    }

    fn put_text(&mut self, text: &Text) {
        let language = self.language;
        text.write_in(language, |part| self.escape(part));
    }

    fn escape(&mut self, text: &[u8]) {
        if memchr3(b'\r', b'\n', IAC, text).is_none() {
            return self.put(text);
        }
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

/// The text of a reply line: English words, and what is put in for each `{}` in them once they have
/// been translated.
#[derive(Clone, Debug)]
pub(crate) struct Text {
    words: &'static str,
    values: Vec<Value>,
}

#[derive(Clone, Debug)]
enum Value {
    /// A name or a number: the same in every language.
    Bytes(Vec<u8>),
    /// Words, to be translated by themselves.
    Words(&'static str),
}

impl Text {
    /// A text that no language changes: the form is the protocol's, or the words are not ours.
    pub(crate) fn verbatim(text: impl Into<Vec<u8>>) -> Self {
        Self { words: VERBATIM, values: Vec::from([Value::Bytes(text.into())]) }
    }

    /// Puts in a number or a word of the protocol.
    pub(crate) fn with(self, value: impl fmt::Display) -> Self {
        self.with_value(Value::Bytes(format!("{value}").into_bytes()))
    }

    /// Puts in a name, of whatever bytes.
    pub(crate) fn with_name(self, name: &[u8]) -> Self {
        self.with_value(Value::Bytes(name.to_vec()))
    }

    /// Puts in a path that stands between quotes, so quotes within it are doubled (RFC 959 Appendix
    /// II).
    pub(crate) fn with_path(self, path: &[u8]) -> Self {
        let mut doubled = Vec::with_capacity(path.len());
        for part in path.split_inclusive(|&byte| byte == b'"') {
            doubled.extend_from_slice(part);
            if part.ends_with(b"\"") {
                doubled.push(b'"');
            }
        }
        self.with_value(Value::Bytes(doubled))
    }

    /// Puts in words that have a translation of their own.
    pub(crate) fn with_words(self, words: &'static str) -> Self {
        self.with_value(Value::Words(words))
    }

    fn with_value(mut self, value: Value) -> Self {
        self.values.push(value);
        self
    }

    /// Gives the text in a language to `write`, part by part.
    fn write_in(&self, language: &Language, mut write: impl FnMut(&[u8])) {
        debug_assert_eq!(self.words.matches("{}").count(), self.values.len(), "{}", self.words);
        let mut values = self.values.iter();
        for (index, part) in language.translate(self.words).split("{}").enumerate() {
            if index > 0 {
                match values.next() {
                    Some(Value::Bytes(bytes)) => write(bytes),
                    Some(Value::Words(words)) => write(language.translate(words).as_bytes()),
                    None => {}
                }
            }
            write(part.as_bytes());
        }
    }
}

/// Only what stands in the source has a translation: anything else is [`Text::verbatim`].
impl From<&'static str> for Text {
    fn from(words: &'static str) -> Self {
        Self { words, values: Vec::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn written(write: impl FnOnce(&mut Replies)) -> Vec<u8> {
        let mut replies = Replies::new();
        write(&mut replies);
        replies.pending().to_vec()
    }

    #[test]
    fn quotes_are_doubled_and_line_ends_hidden() {
        let path = b"/a\"b\r\nc\xFF";
        let bytes = written(|r| r.line(257, Text::from("\"{}\" created.").with_path(path)));
        assert_eq!(bytes, b"257 \"/a\"\"b\r\0\0c\xFF\xFF\" created.\r\n");
    }

    #[test]
    fn several_lines() {
        assert_eq!(written(|r| r.lines(200, b"one")), b"200 one\r\n");
        assert_eq!(written(|r| r.lines(214, b"a\n214 b\nc")), b"214-a\r\n 214 b\r\n214 c\r\n");
    }

    #[test]
    fn sending_in_pieces() {
        let mut replies = Replies::new();
        replies.line(200, "OK");
        replies.sent(5);
        assert_eq!(replies.pending(), b"K\r\n");
        replies.sent(1);
        replies.sent(usize::MAX);
        assert_eq!(replies.pending(), b"");
    }

    #[test]
    fn what_nobody_reads_is_not_kept() {
        let mut replies = Replies::new();
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
            let bytes = written(|r| r.line(200, Text::verbatim(text.clone())));
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
