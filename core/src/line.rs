//! Command lines out of control bytes, with Telnet taken out (RFC 959 section 5.3, RFC 854).

use alloc::vec::Vec;
use core::{fmt, mem};

const CR: u8 = b'\r';
const LF: u8 = b'\n';

// Telnet commands (RFC 854).
const SE: u8 = 240;
const SB: u8 = 250;
const WILL: u8 = 251;
const WONT: u8 = 252;
const DO: u8 = 253;
const DONT: u8 = 254;
const IAC: u8 = 255;

/// Waiting answers, in bytes, at which reading stops: a client that negotiates without end, and
/// never reads, must not fill the memory.
const MOST_ANSWERS: usize = 64;

/// How much memory stays for the next line, in bytes.
const KEPT: usize = 128;

/// What a line came to.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Line {
    /// The line without its end. NUL bytes in it still mean what [`name`](crate::name) says.
    Command(Vec<u8>),
    /// A line with more bytes than allowed, passed over up to its end.
    TooLong,
}

impl fmt::Debug for Line {
    /// Shows no content: it may be a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Command(line) => write!(f, "Command({} bytes)", line.len()),
            Self::TooLong => f.write_str("TooLong"),
        }
    }
}

/// Assembles command lines from bytes that arrive in any portions.
pub(crate) struct LineReader {
    /// Longest line in bytes, its end not counted.
    longest: usize,
    line: Vec<u8>,
    /// A CR that belongs to the line's end if LF follows, else to the line.
    held_cr: bool,
    /// The line was too long: what still comes of it is dropped.
    skipping: bool,
    telnet: Telnet,
    answers: Vec<u8>,
}

/// Where in a Telnet command the last byte was.
#[derive(Clone, Copy, Debug)]
enum Telnet {
    /// In none.
    Text,
    /// After IAC.
    Iac,
    /// After IAC and WILL, WONT, DO or DONT: the option follows.
    Verb(u8),
    /// In a subnegotiation.
    Subnegotiation,
    /// In a subnegotiation, after IAC.
    SubnegotiationIac,
}

impl LineReader {
    /// Makes a reader that takes lines of at most `longest` bytes, their ends not counted.
    pub(crate) fn new(longest: usize) -> Self {
        Self {
            longest,
            line: Vec::new(),
            held_cr: false,
            skipping: false,
            telnet: Telnet::Text,
            answers: Vec::new(),
        }
    }

    /// Takes bytes up to and with the LF of the first line that ends in them; returns how many it
    /// took, and the line.
    ///
    /// Without a line all bytes were taken, except when too many answers wait: then
    /// [`take_answers`](Self::take_answers) comes first.
    pub(crate) fn feed(&mut self, bytes: &[u8]) -> (usize, Option<Line>) {
        for (index, &byte) in bytes.iter().enumerate() {
            if self.answers.len() >= MOST_ANSWERS {
                return (index, None);
            }
            if let Some(line) = self.push(byte) {
                return (index + 1, Some(line));
            }
        }
        (bytes.len(), None)
    }

    /// Takes back the memory of a line that has been used, unless that is much.
    pub(crate) fn reuse(&mut self, line: Line) {
        if let Line::Command(mut line) = line
            && line.capacity() <= KEPT
            && self.line.capacity() == 0
        {
            line.clear();
            self.line = line;
        }
    }

    /// Returns the Telnet answers that are to be sent as they are, and forgets them.
    ///
    /// Every option is refused: DO with WONT, WILL with DONT.
    pub(crate) fn take_answers(&mut self) -> Vec<u8> {
        mem::take(&mut self.answers)
    }

    fn push(&mut self, byte: u8) -> Option<Line> {
        let (next, text) = match (self.telnet, byte) {
            (Telnet::Text, IAC) => (Telnet::Iac, false),
            (Telnet::Text, _) => (Telnet::Text, true),
            (Telnet::Iac, SB) => (Telnet::Subnegotiation, false),
            (Telnet::Iac, WILL..=DONT) => (Telnet::Verb(byte), false),
            (Telnet::Iac, SE..WILL) => (Telnet::Text, false),
            (Telnet::Iac, IAC) => (Telnet::Text, true),
            (Telnet::Iac, _) => {
                // No command: the IAC was a 0xFF of a client that does not double it.
                self.text(IAC);
                (Telnet::Text, true)
            }
            (Telnet::Verb(verb), option) => {
                self.answer(verb, option);
                (Telnet::Text, false)
            }
            (Telnet::Subnegotiation, IAC) => (Telnet::SubnegotiationIac, false),
            (Telnet::SubnegotiationIac, SE) => (Telnet::Text, false),
            (Telnet::Subnegotiation | Telnet::SubnegotiationIac, _) => {
                (Telnet::Subnegotiation, false)
            }
        };
        self.telnet = next;
        if text { self.text(byte) } else { None }
    }

    /// WONT and DONT are not answered: they ask for what is the case anyway, and an answer to them
    /// could go back and forth for ever.
    fn answer(&mut self, verb: u8, option: u8) {
        match verb {
            DO => self.answers.extend_from_slice(&[IAC, WONT, option]),
            WILL => self.answers.extend_from_slice(&[IAC, DONT, option]),
            _ => {}
        }
    }

    fn text(&mut self, byte: u8) -> Option<Line> {
        let at_head = self.line.is_empty() && !self.held_cr && !self.skipping;
        match byte {
            LF => return Some(self.end()),
            // What remains of a Telnet Synch that was sent as urgent data, where the network or
            // the socket has lost or reordered bytes. No command begins like this.
            SE..=IAC if at_head => return None,
            _ => {}
        }
        if self.held_cr {
            self.keep(CR);
        }
        self.held_cr = byte == CR;
        if !self.held_cr {
            self.keep(byte);
        }
        None
    }

    fn keep(&mut self, byte: u8) {
        if self.line.len() < self.longest && !self.skipping {
            self.line.push(byte);
        } else {
            self.skipping = true;
            self.line = Vec::new();
        }
    }

    fn end(&mut self) -> Line {
        self.held_cr = false;
        let line = mem::take(&mut self.line);
        if mem::take(&mut self.skipping) { Line::TooLong } else { Line::Command(line) }
    }
}

impl fmt::Debug for LineReader {
    /// Shows no content: it may be a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LineReader")
            .field("line_bytes", &self.line.len())
            .field("skipping", &self.skipping)
            .field("telnet", &self.telnet)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;
    use proptest::prelude::*;

    /// Feeds all chunks; returns all lines and all answers.
    fn read(longest: usize, chunks: &[&[u8]]) -> (Vec<Line>, Vec<u8>) {
        let (mut reader, mut lines, mut answers) = (LineReader::new(longest), vec![], vec![]);
        for mut chunk in chunks.iter().copied() {
            while !chunk.is_empty() {
                let (taken, line) = reader.feed(chunk);
                assert!(taken > 0 && reader.line.len() <= longest);
                assert!(reader.answers.len() < MOST_ANSWERS + 3);
                assert!(line.is_none() || chunk[taken - 1] == LF && reader.line.is_empty());
                answers.extend(reader.take_answers());
                lines.extend(line);
                chunk = &chunk[taken..];
            }
        }
        (lines, answers)
    }

    #[track_caller]
    fn check(bytes: &[u8], commands: &[&[u8]], expected_answers: &[u8]) {
        let (lines, answers) = read(16, &[bytes]);
        let commands: Vec<Line> =
            commands.iter().map(|line| Line::Command(line.to_vec())).collect();
        assert_eq!((lines, &answers[..]), (commands, expected_answers));
    }

    #[test]
    fn lines_end_in_lf() {
        check(b"USER a\r\nPASS b\n\r\nNOOP", &[b"USER a", b"PASS b", b""], b"");
        check(b"a\rb\r\r\n\0\r\0\n", &[b"a\rb\r", b"\0\r\0"], b"");
    }

    #[test]
    fn feeding_stops_after_a_line() {
        let mut reader = LineReader::new(16);
        let (taken, line) = reader.feed(b"AUTH TLS\r\n\x16\x03\x01");
        assert_eq!((taken, line), (10, Some(Line::Command(b"AUTH TLS".to_vec()))));
        assert_eq!(reader.feed(b"abc"), (3, None));
        assert_eq!(reader.line, b"abc");
    }

    #[test]
    fn a_long_line_is_skipped_whole() {
        let exact = Line::Command(vec![b'x'; 16]);
        let (lines, _) = read(16, &[b"xxxxxxxxxxxxxxxx\r\nxxxxxxxxxxxxxxxx\n"]);
        assert_eq!(lines, [exact.clone(), exact]);
        let (lines, _) = read(16, &[b"xxxxxxxxxxxxxxxxQUIT\r\nxxxxxxxxxxxxxxxx\r\r\nNOOP\r\n"]);
        assert_eq!(lines, [Line::TooLong, Line::TooLong, Line::Command(b"NOOP".to_vec())]);
    }

    #[test]
    fn telnet_is_taken_out() {
        check(b"a\xFF\xFFb\n", &[b"a\xFFb"], b"");
        check(b"NO\xFF\xF1OP\xFF\xF6\n", &[b"NOOP"], b"");
        check(b"N\xFF\xFA\x18\nxyz\xFF\xFF\xF0\xFF\xF0OOP\n", &[b"NOOP"], b"");
        check(
            b"N\xFF\xFD\x06\xFF\xFB\x01\xFF\xFC\x01\xFF\xFE\nOOP\n",
            &[b"NOOP"],
            b"\xFF\xFC\x06\xFF\xFE\x01",
        );
    }

    #[test]
    fn a_single_iac_may_be_a_byte() {
        check(b"DELE \xFFa\n", &[b"DELE \xFFa"], b"");
        check(b"DELE \xFF\r\nNOOP\xFF\n", &[b"DELE \xFF", b"NOOP\xFF"], b"");
    }

    #[test]
    fn a_torn_synch_leaves_the_command() {
        for head in [
            &b"\xFF\xF4\xFF\xF2"[..],
            b"\xF4\xFF",
            b"\xF2",
            b"\xFF\xF4\xFF",
            b"\xFF\xF4\xF2",
            b"\xFF\xFF",
        ] {
            check(&[head, b"ABOR\r\n"].concat(), &[b"ABOR"], b"");
        }
        check(b"DELE \xF4\xF2\n", &[b"DELE \xF4\xF2"], b"");
    }

    #[test]
    fn answers_that_nobody_takes_stop_the_reading() {
        let flood = b"\xFF\xFD\x01".repeat(100);
        let mut reader = LineReader::new(16);
        assert_eq!(reader.feed(&flood), (66, None));
        assert_eq!(reader.feed(&flood[66..]), (0, None));
        assert_eq!(reader.take_answers(), b"\xFF\xFC\x01".repeat(22));
        assert_eq!(reader.feed(&flood[66..]), (66, None));
    }

    /// Bytes in which line ends and Telnet are frequent.
    fn control() -> impl Strategy<Value = Vec<u8>> {
        let byte =
            prop_oneof![Just(CR), Just(LF), Just(IAC), Just(0), SE..=IAC, b'a'..b'd', any::<u8>()];
        prop::collection::vec(byte, 0..128)
    }

    proptest! {
        #[test]
        fn chunks_do_not_matter(
            bytes in control(),
            cuts in prop::collection::vec(0..129usize, 0..16),
            longest in 0..16usize,
        ) {
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(bytes.len())).collect();
            cuts.extend([0, bytes.len()]);
            cuts.sort_unstable();
            let chunks: Vec<&[u8]> = cuts.windows(2).map(|cut| &bytes[cut[0]..cut[1]]).collect();
            let singles: Vec<&[u8]> = bytes.chunks(1).collect();
            let whole = read(longest, &[&bytes]);
            prop_assert_eq!(read(longest, &chunks), whole.clone());
            prop_assert_eq!(read(longest, &singles), whole);
        }

        #[test]
        fn lines_hold_no_lf_and_fit(bytes in control(), longest in 0..16usize) {
            for line in read(longest, &[&bytes]).0 {
                if let Line::Command(line) = line {
                    prop_assert!(line.len() <= longest && !line.contains(&LF));
                }
            }
        }
    }
}
