//! TYPE A: lines end in LF in a file and in CRLF on the wire (RFC 959 section 3.1.1.1).
//!
//! A file whose lines end in CRLF already, because it came from elsewhere in TYPE I, goes out
//! unchanged: each line has one CRLF on the wire, as a client expects. So text comes back as it
//! went, in both directions. Both work on chunks, and the result does not depend on where a file
//! was cut into chunks.
//!
//! ```
//! use wharf_core::ascii::{FromNetwork, ToNetwork};
//!
//! let (mut forth, mut wire) = (ToNetwork::default(), Vec::new());
//! forth.convert(b"one\ntwo\r", &mut wire);
//! forth.convert(b"\n", &mut wire);
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

/// Converts line ends of files to those of the wire, chunk by chunk (RFC 959 section 3.1.1.1).
///
/// LF becomes CRLF, unless a CR stands before it already; all other bytes are left as they are.
#[derive(Clone, Debug, Default)]
pub struct ToNetwork {
    /// The last chunk ended in a CR: an LF at the beginning of the next has its CR.
    after_cr: bool,
}

impl ToNetwork {
    /// Appends the next chunk, converted, to `out`, which grows by twice the chunk's length at the
    /// most.
    pub fn convert(&mut self, input: &[u8], out: &mut Vec<u8>) {
        let Some(&last) = input.last() else { return };
        out.reserve(input.len());
        let mut copied = 0;
        for lf in memchr_iter(LF, input) {
            let has_cr = if lf == 0 { self.after_cr } else { input[lf - 1] == CR };
            if !has_cr {
                out.extend_from_slice(&input[copied..lf]);
                out.push(CR);
                copied = lf;
            }
        }
        out.extend_from_slice(&input[copied..]);
        self.after_cr = last == CR;
    }
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

    fn to_network(chunks: &[&[u8]]) -> Vec<u8> {
        let (mut converter, mut out) = (ToNetwork::default(), Vec::new());
        chunks.iter().for_each(|chunk| converter.convert(chunk, &mut out));
        out
    }

    /// Bytes in which line ends are frequent.
    fn text() -> impl Strategy<Value = Vec<u8>> {
        prop::collection::vec(prop_oneof![Just(CR), Just(LF), Just(b'x'), any::<u8>()], 0..64)
    }

    /// The same bytes, cut into chunks.
    fn cut<'a>(bytes: &'a [u8], cuts: &[usize]) -> Vec<&'a [u8]> {
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| *cut.min(&bytes.len())).collect();
        cuts.extend([0, bytes.len()]);
        cuts.sort_unstable();
        cuts.windows(2).map(|cut| &bytes[cut[0]..cut[1]]).collect()
    }

    #[test]
    fn every_line_ends_in_one_crlf() {
        assert_eq!(to_network(&[b"\na\r\nb\rc\n\n"]), b"\r\na\r\nb\rc\r\n\r\n");
        assert_eq!(to_network(&[b"a\r", b"", b"\nb", b"\n"]), b"a\r\nb\r\n");
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
        /// Whatever is text: lines that end in LF alone, or, on the wire, in CRLF alone.
        #[test]
        fn there_and_back(file in text()) {
            let mut file = file;
            file.retain(|&byte| byte != CR);
            prop_assert_eq!(from_network(&[&to_network(&[&file])]), file.clone());
            let wire = to_network(&[&file]);
            prop_assert_eq!(to_network(&[&from_network(&[&wire])]), wire);
        }

        #[test]
        fn no_lf_goes_out_without_its_cr(file in text()) {
            let wire = to_network(&[&file]);
            for lf in memchr_iter(LF, &wire) {
                prop_assert!(lf > 0 && wire[lf - 1] == CR);
            }
        }

        #[test]
        fn chunks_do_not_matter(bytes in text(), cuts in prop::collection::vec(0..65usize, 0..8)) {
            let chunks = cut(&bytes, &cuts);
            prop_assert_eq!(from_network(&chunks), from_network(&[&bytes]));
            prop_assert_eq!(to_network(&chunks), to_network(&[&bytes]));
        }
    }
}
