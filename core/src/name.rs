//! Names on the wire: a file name may hold CR and LF, but must never end a line.
//!
//! CR travels as CR NUL, as the Telnet NVT has it (RFC 854, RFC 2640 section 3.1). LF has no such
//! form, and travels as NUL, as other servers do it: file names hold no NUL of their own.

use alloc::vec::Vec;

use memchr::memchr2;

/// Appends `name` to `out` with CR made CR NUL and LF made NUL; all else byte for byte.
pub(crate) fn encode(mut name: &[u8], out: &mut Vec<u8>) {
    while let Some(at) = memchr2(b'\r', b'\n', name) {
        out.extend_from_slice(&name[..at]);
        out.extend_from_slice(if name[at] == b'\r' { b"\r\0" } else { b"\0" });
        name = &name[at + 1..];
    }
    out.extend_from_slice(name);
}

/// Returns what a command's argument names: the inverse of [`encode`].
///
/// CR NUL becomes CR, any other NUL becomes LF, and a CR without NUL stays. The result holds no
/// NUL.
pub(crate) fn decode(mut argument: &[u8]) -> Vec<u8> {
    let mut name = Vec::with_capacity(argument.len());
    while let Some(at) = memchr2(b'\r', b'\0', argument) {
        name.extend_from_slice(&argument[..at]);
        let (byte, taken) = match &argument[at..] {
            [b'\r', b'\0', ..] => (b'\r', 2),
            [b'\r', ..] => (b'\r', 1),
            _ => (b'\n', 1),
        };
        name.push(byte);
        argument = &argument[at + taken..];
    }
    name.extend_from_slice(argument);
    name
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn encoded(name: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        encode(name, &mut out);
        out
    }

    #[test]
    fn line_ends_are_taken_apart() {
        assert_eq!(encoded(b"plain \"name\" \xff"), b"plain \"name\" \xff");
        assert_eq!(encoded(b"a\nb\rc\r\n"), b"a\0b\r\0c\r\0\0");
    }

    #[test]
    fn arguments_are_put_together() {
        assert_eq!(decode(b"a\0b\r\0c\rd\r"), b"a\nb\rc\rd\r");
        assert_eq!(decode(b""), b"");
    }

    /// Bytes in which CR and `other` are frequent.
    fn bytes(other: u8, lowest: u8) -> impl Strategy<Value = Vec<u8>> {
        prop::collection::vec(prop_oneof![Just(b'\r'), Just(other), lowest..=255u8], 0..32)
    }

    proptest! {
        #[test]
        fn decode_undoes_encode(name in bytes(b'\n', 1)) {
            let wire = encoded(&name);
            prop_assert!(!wire.contains(&b'\n'));
            prop_assert_eq!(decode(&wire), name);
        }

        #[test]
        fn decoded_names_hold_no_nul(argument in bytes(b'\0', 0)) {
            prop_assert!(!decode(&argument).contains(&0));
        }
    }
}
