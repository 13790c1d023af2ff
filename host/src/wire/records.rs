//! TLS records, as they come from the socket.

use std::io::{self, Read};
use std::ops::Range;

/// The length of a record's header (RFC 8446 section 5.1).
const HEADER: usize = 5;

/// The longest record (RFC 5246 section 6.2.3); those of TLS 1.3 are shorter.
const LONGEST: usize = HEADER + (1 << 14) + 2048;

/// Record types: change_cipher_spec, alert, handshake, application_data, heartbeat. Whatever begins
/// otherwise is not TLS.
const TYPES: std::ops::RangeInclusive<u8> = 20..=24;

/// Holds what was read from the socket, and shows it to TLS one record after the other.
///
/// TLS sees no byte beyond the record that it is to process next: when it ends, what follows is
/// still here.
#[derive(Debug)]
pub(super) struct Records {
    buffer: Vec<u8>,
    /// Where in the buffer the bytes are.
    held: Range<usize>,
    /// Up to where TLS has been shown them. It is done with them when it [says so](Self::discard).
    shown: usize,
    /// How much is read at once: twice as much each time that so much has come, up to `most`.
    portion: usize,
    most: usize,
    /// The last read has brought less than there was room for: it may have been the last for long.
    was_short: bool,
}

/// What comes after all that has been shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// A record.
    Record,
    /// Something that is not TLS, or not a record that TLS allows.
    Foreign,
    /// Too little to tell.
    Nothing,
}

impl Records {
    /// Begins with bytes that have been read already.
    pub(super) fn new(early: Vec<u8>, portion: usize) -> Self {
        let held = 0..early.len();
        Self { held, buffer: early, shown: 0, portion, most: portion, was_short: true }
    }

    /// Sets how much is read at once, when the peer is fast.
    pub(super) fn set_most(&mut self, most: usize) {
        self.most = most;
    }

    /// Reads from the socket, once; 0 is the end.
    pub(super) fn fill(&mut self, socket: &mut impl Read) -> io::Result<usize> {
        let Self { buffer, held, shown, portion, most, .. } = self;
        buffer.copy_within(held.clone(), 0);
        *shown -= held.start;
        *held = 0..held.len();
        if buffer.len() < held.end + *portion {
            buffer.resize(held.end + *portion, 0);
        }
        let outcome = socket.read(&mut buffer[held.end..]);
        let count = outcome.as_ref().map_or(0, |count| *count);
        held.end += count;
        self.was_short = held.end < buffer.len();
        if !self.was_short {
            *portion = (*portion * 2).min(*most);
        }
        self.give_up_if_idle();
        outcome
    }

    /// Many sessions are idle: they hold no buffer.
    fn give_up_if_idle(&mut self) {
        if self.held.is_empty() && self.was_short {
            self.buffer = Vec::new();
            self.held = 0..0;
            self.shown = 0;
        }
    }

    /// Returns what is next, without showing it.
    pub(super) fn next(&self) -> Next {
        let fresh = &self.buffer[self.shown..self.held.end];
        match fresh {
            [] => Next::Nothing,
            [kind, ..] if !TYPES.contains(kind) => Next::Foreign,
            _ => match length(fresh) {
                Some(length) if length > LONGEST => Next::Foreign,
                Some(length) if length <= fresh.len() => Next::Record,
                _ => Next::Nothing,
            },
        }
    }

    /// Shows what is [next](Self::next): a record, or all that is foreign.
    pub(super) fn show(&mut self) {
        let fresh = &self.buffer[self.shown..self.held.end];
        self.shown += match (self.next(), length(fresh)) {
            (Next::Record, Some(length)) => length,
            _ => fresh.len(),
        };
    }

    /// Returns what TLS has been shown and is not done with; it decrypts there.
    pub(super) fn shown(&mut self) -> &mut [u8] {
        &mut self.buffer[self.held.start..self.shown]
    }

    /// Forgets so many bytes of those that have been shown.
    pub(super) fn discard(&mut self, count: usize) {
        self.held.start += count;
        self.give_up_if_idle();
    }

    /// Returns `true` if a part of a record has been read, or of a message shown, and not all of it.
    pub(super) fn is_within_one(&self) -> bool {
        !self.held.is_empty()
    }

    /// Gives up what has not been shown.
    pub(super) fn into_rest(mut self) -> Vec<u8> {
        self.buffer.truncate(self.held.end);
        self.buffer.split_off(self.shown)
    }
}

/// How long the record is that begins here, once its header is whole.
fn length(bytes: &[u8]) -> Option<usize> {
    match bytes {
        [_, _, _, high, low, ..] => Some(HEADER + usize::from(u16::from_be_bytes([*high, *low]))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Shows what is next; returns it.
    fn shown(records: &mut Records) -> Vec<u8> {
        records.show();
        let bytes = records.shown().to_vec();
        records.discard(bytes.len());
        bytes
    }

    #[test]
    fn records_are_cut_whatever_the_portions() {
        let stream =
            [&b"\x16\x03\x01\x00\x03abc"[..], b"\x17\x03\x03\x00\x00", b"USER joe\r\n"].concat();
        for portion in 1..stream.len() {
            let mut records = Records::new(Vec::new(), portion);
            let (mut socket, mut seen) = (&stream[..], Vec::new());
            loop {
                match records.next() {
                    Next::Record => seen.push(shown(&mut records)),
                    Next::Foreign => break,
                    Next::Nothing => assert!(records.fill(&mut socket).unwrap() > 0),
                }
            }
            assert_eq!(seen, [&stream[..8], &stream[8..13]], "{portion}");
            let rest = [&records.into_rest()[..], socket].concat();
            assert_eq!(rest, b"USER joe\r\n", "{portion}");
        }
    }

    #[test]
    fn what_came_early_comes_first() {
        let mut records = Records::new(b"\x15\x03\x03\x00\x02ab\x15".to_vec(), 100);
        assert_eq!(records.next(), Next::Record);
        assert_eq!(shown(&mut records), b"\x15\x03\x03\x00\x02ab");
        assert_eq!(records.next(), Next::Nothing);
        assert_eq!(records.fill(&mut &b"\x03\x03\x00\x01"[..]).unwrap(), 4);
        assert_eq!(records.next(), Next::Nothing);
        assert!(records.is_within_one());
        assert_eq!(records.fill(&mut &b"c"[..]).unwrap(), 1);
        assert_eq!(shown(&mut records), b"\x15\x03\x03\x00\x01c");
        assert!(!records.is_within_one());
        assert_eq!(Records::new(b"NOOP".to_vec(), 1).next(), Next::Foreign);
    }

    #[test]
    fn what_is_not_done_with_stays() {
        let mut records = Records::new(b"\x16\x03\x03\x00\x02ab\x16\x03\x03\x00\x01c".to_vec(), 4);
        records.show();
        // A message goes on in the next record.
        records.discard(0);
        records.show();
        assert_eq!(records.shown(), b"\x16\x03\x03\x00\x02ab\x16\x03\x03\x00\x01c");
        records.discard(7);
        assert_eq!(records.fill(&mut &b"\x17\x03"[..]).unwrap(), 2);
        assert_eq!(records.shown(), b"\x16\x03\x03\x00\x01c");
        assert_eq!(records.into_rest(), b"\x17\x03");
    }

    #[test]
    fn a_record_that_is_too_long_is_not_waited_for() {
        let mut records = Records::new(b"\x17\x03\x03\x48\x01abc".to_vec(), 4);
        assert_eq!(records.next(), Next::Foreign);
        assert_eq!(shown(&mut records), b"\x17\x03\x03\x48\x01abc");
        assert_eq!(Records::new(b"\x17\x03\x03\x48\x00abc".to_vec(), 4).next(), Next::Nothing);
    }
}
