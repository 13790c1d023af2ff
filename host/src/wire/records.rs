//! TLS records, as they come from the socket.

use std::io::{self, Read};
use std::ops::Range;

/// The length of a record's header (RFC 8446 section 5.1).
const HEADER: usize = 5;

/// Record types: change_cipher_spec, alert, handshake, application_data, heartbeat. Whatever begins
/// otherwise is not TLS.
const TYPES: std::ops::RangeInclusive<u8> = 20..=24;

/// Holds what was read from the socket, and cuts it where a record ends.
///
/// TLS is given no byte beyond the record that it is to process next: when it ends, what follows
/// is still here.
#[derive(Debug)]
pub(super) struct Records {
    buffer: Vec<u8>,
    /// Where in the buffer the bytes are.
    held: Range<usize>,
    /// What is left of the record at the start.
    left: usize,
    /// How much is read at once.
    portion: usize,
    /// The last read has brought less than there was room for: it may have been the last for long.
    was_short: bool,
}

/// What stands at the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next<'a> {
    /// Bytes of one record, and not beyond it.
    Record(&'a [u8]),
    /// Something that is not TLS.
    Foreign(&'a [u8]),
    /// Too little to tell.
    Nothing,
}

impl Records {
    /// Begins with bytes that have been read already.
    pub(super) fn new(early: Vec<u8>, portion: usize) -> Self {
        Self { held: 0..early.len(), buffer: early, left: 0, portion, was_short: true }
    }

    /// Reads from the socket, once; 0 is the end.
    pub(super) fn fill(&mut self, socket: &mut impl Read) -> io::Result<usize> {
        let Self { buffer, held, portion, .. } = self;
        buffer.copy_within(held.clone(), 0);
        *held = 0..held.len();
        if buffer.len() < held.end + *portion {
            buffer.resize(held.end + *portion, 0);
        }
        let outcome = socket.read(&mut buffer[held.end..]);
        let count = outcome.as_ref().map_or(0, |count| *count);
        held.end += count;
        self.was_short = held.end < buffer.len();
        self.give_up_if_idle();
        outcome
    }

    /// Many sessions are idle: they hold no buffer.
    fn give_up_if_idle(&mut self) {
        if self.held.start == self.held.end && self.was_short {
            self.buffer = Vec::new();
            self.held = 0..0;
        }
    }

    /// Returns what is next, without taking it.
    pub(super) fn next(&self) -> Next<'_> {
        let held = &self.buffer[self.held.clone()];
        match held {
            [] => Next::Nothing,
            [kind, ..] if self.left == 0 && !TYPES.contains(kind) => Next::Foreign(held),
            _ => match self.length() {
                0 => Next::Nothing,
                length => Next::Record(&held[..held.len().min(length)]),
            },
        }
    }

    /// Returns `true` if a part of a record has been read, or taken, and not all of it.
    pub(super) fn is_within_one(&self) -> bool {
        self.left > 0 || self.held.start < self.held.end
    }

    /// How much of a record is still to be taken; 0 while its header is not whole.
    fn length(&self) -> usize {
        match &self.buffer[self.held.clone()] {
            _ if self.left > 0 => self.left,
            [_, _, _, high, low, ..] => HEADER + usize::from(u16::from_be_bytes([*high, *low])),
            _ => 0,
        }
    }

    /// Takes so many bytes of the record away.
    pub(super) fn took(&mut self, count: usize) {
        self.left = self.length() - count;
        self.held.start += count;
        self.give_up_if_idle();
    }

    /// Gives up what is left.
    pub(super) fn into_rest(mut self) -> Vec<u8> {
        self.buffer.truncate(self.held.end);
        self.buffer.split_off(self.held.start)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_cut_whatever_the_portions() {
        let stream =
            [&b"\x16\x03\x01\x00\x03abc"[..], b"\x17\x03\x03\x00\x00", b"USER joe\r\n"].concat();
        for portion in 1..stream.len() {
            let mut records = Records::new(Vec::new(), portion);
            let (mut socket, mut seen) = (&stream[..], Vec::new());
            loop {
                match records.next() {
                    Next::Record(bytes) => {
                        let count = bytes.len();
                        seen.extend_from_slice(bytes);
                        records.took(count);
                    }
                    Next::Foreign(_) => break,
                    Next::Nothing => assert!(records.fill(&mut socket).unwrap() > 0),
                }
            }
            assert_eq!(seen, stream[..13], "{portion}");
            let rest = [&records.into_rest()[..], socket].concat();
            assert_eq!(rest, b"USER joe\r\n", "{portion}");
        }
    }

    #[test]
    fn what_came_early_comes_first() {
        let mut records = Records::new(b"\x15\x03\x03\x00\x02ab\x15".to_vec(), 100);
        assert_eq!(records.next(), Next::Record(b"\x15\x03\x03\x00\x02ab"));
        records.took(7);
        assert_eq!(records.next(), Next::Nothing);
        assert_eq!(records.fill(&mut &b"\x03\x03\x00\x01"[..]).unwrap(), 4);
        assert_eq!(records.next(), Next::Record(b"\x15\x03\x03\x00\x01"));
        records.took(5);
        assert_eq!(records.next(), Next::Nothing);
        assert_eq!(records.fill(&mut &b"c"[..]).unwrap(), 1);
        assert_eq!(records.next(), Next::Record(b"c"));
        assert_eq!(Records::new(b"NOOP".to_vec(), 1).next(), Next::Foreign(b"NOOP"));
    }
}
