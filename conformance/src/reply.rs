//! Replies (RFC 959 section 4.2), and the Telnet layer below them (RFC 854).

use crate::check::Failure;

/// A complete reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The three digits.
    pub code: u16,
    /// Every line as it came, the digits included, without CRLF and with Telnet's doubled 0xFF
    /// undone.
    pub lines: Vec<Vec<u8>>,
    /// What it is a reply to, for messages.
    pub command: String,
}

impl Reply {
    /// Returns the text after the code of the first line; bytes that are not UTF-8 are replaced.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.lines[0][4..]).into_owned()
    }

    /// Returns the lines between the first and the last.
    pub fn inner(&self) -> &[Vec<u8>] {
        let end = self.lines.len().saturating_sub(1).max(1);
        &self.lines[1..end]
    }

    /// Returns all lines as one text; bytes that are not UTF-8 are replaced.
    pub fn whole(&self) -> String {
        let lines: Vec<_> = self.lines.iter().map(|line| String::from_utf8_lossy(line)).collect();
        lines.join("\n")
    }

    /// Returns the reply when its code is one of `codes`, else a failure that says so.
    pub fn expect(self, codes: &[u16]) -> Result<Self, Failure> {
        if codes.contains(&self.code) { Ok(self) } else { Err(self.unexpected(codes)) }
    }

    pub(crate) fn unexpected(&self, codes: &[u16]) -> Failure {
        let codes: Vec<_> = codes.iter().map(u16::to_string).collect();
        let whole = self.whole();
        Failure::new(format!("{}: expected {}, got {whole}", self.command, codes.join(" or ")))
    }

    /// Returns what stands in the first pair of quotes, with doubled quotes undone, and fails when
    /// there is none.
    pub fn quoted(&self) -> Result<Vec<u8>, Failure> {
        let line = &self.lines[0];
        let none = || Failure::new(format!("{}: no quoted path in {}", self.command, self.whole()));
        let start = line.iter().position(|&byte| byte == b'"').ok_or_else(none)? + 1;
        let mut path = Vec::new();
        let mut bytes = line[start..].iter().peekable();
        while let Some(&byte) = bytes.next() {
            match byte {
                b'"' if bytes.peek() == Some(&&b'"') => {
                    bytes.next();
                    path.push(b'"');
                }
                b'"' => return Ok(path),
                other => path.push(other),
            }
        }
        Err(none())
    }
}

/// More lines than any reply has.
const MOST_LINES: usize = 20_000;

/// Puts a reply together from its lines.
#[derive(Debug, Default)]
pub(crate) struct Assembly {
    code: u16,
    lines: Vec<Vec<u8>>,
}

impl Assembly {
    /// Takes a line, and returns the reply when it is complete.
    pub(crate) fn push(&mut self, line: Vec<u8>, command: &str) -> Result<Option<Reply>, Failure> {
        let code = code_of(&line);
        let separator = line.get(3).copied();
        let last = if self.lines.is_empty() {
            let wrong = || Failure::new(format!("{command}: not a reply: {}", line.escape_ascii()));
            self.code = code.filter(|code| (100..600).contains(code)).ok_or_else(wrong)?;
            match separator {
                Some(b' ') => true,
                Some(b'-') => false,
                _ => return Err(wrong()),
            }
        } else {
            code == Some(self.code) && separator == Some(b' ')
        };
        self.lines.push(line);
        if self.lines.len() > MOST_LINES {
            return Err(Failure::new(format!("{command}: a reply without an end")));
        }
        Ok(last.then(|| Reply {
            code: self.code,
            lines: std::mem::take(&mut self.lines),
            command: command.to_owned(),
        }))
    }
}

/// Returns the number that the line's first three bytes are, if they are digits.
pub(crate) fn code_of(line: &[u8]) -> Option<u16> {
    let digits = line.get(..3)?;
    let all = digits.iter().all(u8::is_ascii_digit);
    all.then(|| digits.iter().fold(0, |code, digit| code * 10 + u16::from(digit - b'0')))
}

/// Takes Telnet commands out of what the server sends.
#[derive(Debug, Default)]
pub(crate) struct Telnet {
    state: State,
    /// Verbs (WILL, WONT, DO, DONT) and options that were taken out.
    pub(crate) options: Vec<(u8, u8)>,
}

#[derive(Clone, Copy, Debug, Default)]
enum State {
    #[default]
    Text,
    Iac,
    Verb(u8),
}

pub(crate) const IAC: u8 = 255;
pub(crate) const DONT: u8 = 254;
pub(crate) const DO: u8 = 253;
pub(crate) const WONT: u8 = 252;
pub(crate) const WILL: u8 = 251;
pub(crate) const NOP: u8 = 241;
pub(crate) const DATA_MARK: u8 = 242;
pub(crate) const INTERRUPT: u8 = 244;

impl Telnet {
    /// Takes a byte, and returns the byte of text that it completes.
    pub(crate) fn push(&mut self, byte: u8) -> Result<Option<u8>, Failure> {
        let (next, text) = match (self.state, byte) {
            (State::Text, IAC) => (State::Iac, None),
            (State::Text, byte) => (State::Text, Some(byte)),
            (State::Iac, IAC) => (State::Text, Some(IAC)),
            (State::Iac, WILL..=DONT) => (State::Verb(byte), None),
            (State::Iac, NOP..WILL) => (State::Text, None),
            (State::Iac, byte) => {
                return Err(Failure::new(format!("0xFF 0x{byte:02X}: 0xFF was not doubled")));
            }
            (State::Verb(verb), option) => {
                self.options.push((verb, option));
                (State::Text, None)
            }
        };
        self.state = next;
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(lines: &[&str]) -> Option<Reply> {
        let mut assembly = Assembly::default();
        let push = |line: &&str| assembly.push(line.as_bytes().to_vec(), "x").unwrap();
        let mut replies: Vec<_> = lines.iter().map(push).collect();
        let last = replies.pop().flatten();
        assert!(replies.iter().all(Option::is_none));
        last
    }

    #[test]
    fn multi_line() {
        assert_eq!(parse(&["200 ok"]).unwrap().code, 200);
        let reply = parse(&["211-a", "b", "212 c", "211-d", " 211 e", "211 f"]).unwrap();
        assert_eq!((reply.code, reply.lines.len(), reply.inner().len()), (211, 6, 4));
        assert_eq!(parse(&["211-a", "200 b"]), None);
        for line in ["", "20", "200", "2000 x", "900 x", "abc x"] {
            assert!(Assembly::default().push(line.into(), "x").is_err(), "{line}");
        }
    }

    #[test]
    fn quoted_paths() {
        let reply = parse(&["257 \"/a\"\"b\" is \"it\""]).unwrap();
        assert_eq!(reply.quoted().unwrap(), b"/a\"b");
        assert!(parse(&["257 \"/a"]).unwrap().quoted().is_err());
    }

    #[test]
    fn telnet_is_taken_out() {
        let mut telnet = Telnet::default();
        let bytes = [b'a', IAC, IAC, IAC, WONT, b'\n', IAC, NOP, b'b'];
        let out: Vec<u8> = bytes.iter().filter_map(|&b| telnet.push(b).unwrap()).collect();
        assert_eq!(out, [b'a', IAC, b'b']);
        assert_eq!(telnet.options, [(WONT, b'\n')]);
    }
}
