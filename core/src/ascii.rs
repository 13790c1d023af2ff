//! TYPE A: lines end in LF in a file and in CRLF on the wire (RFC 959 section 3.1.1.1).
//!
//! The two directions are exact inverses: whatever bytes go out come back the same. That holds
//! because every LF gains a CR, even one that has a CR before it already, and because only a CR
//! right before an LF is taken away. Both work on chunks, and the result does not depend on where
//! a file was cut into chunks.
//!
//! ```
//! use wharf_core::ascii::{FromNetwork, to_network};
//!
//! let mut wire = Vec::new();
//! to_network(b"one\ntwo\n", &mut wire);
//! assert_eq!(wire, b"one\r\ntwo\r\n");
//!
//! let (mut back, mut file) = (FromNetwork::default(), Vec::new());
//! back.convert(b"one\r\ntwo\r", &mut file);
//! back.convert(b"\n", &mut file);
//! back.finish(&mut file);
//! assert_eq!(file, b"one\ntwo\n");
//! ```

use alloc::vec::Vec;

use memchr::memchr_iter;

const CR: u8 = b'\r';
const LF: u8 = b'\n';

/// Appends `input` to `out` with each LF made CRLF, and all other bytes unchanged (RFC 959
/// section 3.1.1.1).
///
/// There is no state between calls: a file may be cut anywhere. At the worst, `out` grows by twice
/// the length of `input`.
pub fn to_network(input: &[u8], out: &mut Vec<u8>) {
    out.reserve(input.len());
    let mut copied = 0;
    for lf in memchr_iter(LF, input) {
        out.extend_from_slice(&input[copied..lf]);
        out.extend_from_slice(b"\r\n");
        copied = lf + 1;
    }
    out.extend_from_slice(&input[copied..]);
}

/// Converts line ends of the wire to those of files, chunk by chunk (RFC 959 section 3.1.1.1).
///
/// CRLF becomes LF; a CR or an LF alone is left as it is.
#[derive(Clone, Debug, Default)]
pub struct FromNetwork {
    /// The last chunk ended in a CR, and only the next byte tells what it is worth.
    held_cr: bool,
}

impl FromNetwork {
    /// Appends the next chunk, converted, to `out`.
    ///
    /// A CR at its end is held back until the next chunk, or [`finish`](Self::finish), decides on
    /// it. `out` grows by one byte more than the length of `input` at the most.
    pub fn convert(&mut self, input: &[u8], out: &mut Vec<u8>) {
        let Some((&first, &last)) = input.first().zip(input.last()) else { return };
        out.reserve(input.len() + 1);
        if self.held_cr && first != LF {
            out.push(CR);
        }
        self.held_cr = last == CR;
        let body = &input[..input.len() - usize::from(self.held_cr)];
        let mut copied = 0;
        for cr in memchr_iter(CR, body) {
            if body.get(cr + 1) == Some(&LF) {
                out.extend_from_slice(&body[copied..cr]);
                copied = cr + 1;
            }
        }
        out.extend_from_slice(&body[copied..]);
    }

    /// Appends a CR that was held back: nothing follows it any more.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        if self.held_cr {
            out.push(CR);
        }
        self.held_cr = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;
    use proptest::prelude::*;

    fn from_network(chunks: &[&[u8]]) -> Vec<u8> {
        let (mut converter, mut out) = (FromNetwork::default(), Vec::new());
        chunks.iter().for_each(|chunk| converter.convert(chunk, &mut out));
        converter.finish(&mut out);
        out
    }

    /// Bytes in which line ends are frequent.
    fn text() -> impl Strategy<Value = Vec<u8>> {
        prop::collection::vec(prop_oneof![Just(CR), Just(LF), Just(b'x'), any::<u8>()], 0..64)
    }

    #[test]
    fn every_lf_gains_a_cr() {
        let mut out = Vec::new();
        to_network(b"\na\r\nb\rc", &mut out);
        assert_eq!(out, b"\r\na\r\r\nb\rc");
    }

    #[test]
    fn only_a_pair_loses_its_cr() {
        assert_eq!(from_network(&[b"a\r\nb\rc\nd\r\r\n\r"]), b"a\nb\rc\nd\r\n\r");
        assert_eq!(from_network(&[b"a\r", b"", b"\nb\r", b"c\r", b"\r", b"\n"]), b"a\nb\rc\r\n");
        assert_eq!(from_network(&[b"\r"]), b"\r");
        assert_eq!(from_network(&[]), b"");
    }

    #[test]
    fn finish_leaves_nothing_behind() {
        let (mut converter, mut out) = (FromNetwork::default(), vec![]);
        converter.convert(b"\r", &mut out);
        converter.finish(&mut out);
        converter.finish(&mut out);
        converter.convert(b"\n", &mut out);
        assert_eq!(out, b"\r\n");
    }

    proptest! {
        #[test]
        fn there_and_back(file in text(), size in 1..9usize) {
            let (mut whole, mut chunked) = (Vec::new(), Vec::new());
            to_network(&file, &mut whole);
            file.chunks(size).for_each(|chunk| to_network(chunk, &mut chunked));
            prop_assert_eq!(&whole, &chunked);
            prop_assert_eq!(from_network(&[&whole]), file);
        }

        #[test]
        fn chunks_do_not_matter(wire in text(), cuts in prop::collection::vec(0..65usize, 0..8)) {
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(wire.len())).collect();
            cuts.extend([0, wire.len()]);
            cuts.sort_unstable();
            let chunks: Vec<&[u8]> = cuts.windows(2).map(|cut| &wire[cut[0]..cut[1]]).collect();
            prop_assert_eq!(from_network(&chunks), from_network(&[&wire]));
        }
    }
}
