//! The forms in which names, addresses and lines travel.

use std::fmt::Write as _;
use std::net::SocketAddr;

use crate::check::Failure;
use crate::reply::Reply;

/// Splits what came over a data connection into lines that end in CRLF.
pub(crate) fn split_lines(bytes: &[u8], command: &str) -> Result<Vec<Vec<u8>>, Failure> {
    let mut lines: Vec<_> = bytes.split(|&byte| byte == b'\n').map(<[u8]>::to_vec).collect();
    let tail = lines.pop().unwrap_or_default();
    if !tail.is_empty() {
        let tail = tail.escape_ascii();
        return Err(Failure::new(format!("{command}: the last line has no end: {tail}")));
    }
    for line in &mut lines {
        if line.pop() != Some(b'\r') {
            return Err(Failure::new(format!("{command}: a line ends in a bare LF")));
        }
    }
    Ok(lines)
}

/// Returns the port of a reply to EPSV, and whether it has the usual form. Any character may stand
/// for the `|` (RFC 2428 section 3).
pub(crate) fn parse_epsv(reply: &Reply) -> Result<(u16, bool), Failure> {
    let text = reply.text();
    let wrong = || Failure::new(format!("not of the form (|||port|): {text}"));
    let (_, tail) = text.split_once('(').ok_or_else(wrong)?;
    let delimiter = tail.chars().next().filter(char::is_ascii_graphic).ok_or_else(wrong)?;
    let mut fields = tail.split(delimiter);
    let three = [fields.next(), fields.next(), fields.next()] == [Some(""); 3];
    let port = fields.next().and_then(|port| port.parse().ok()).filter(|&port| port != 0);
    let ends = fields.next().is_some_and(|end| end.starts_with(')'));
    let port = port.filter(|_| three && ends).ok_or_else(wrong)?;
    Ok((port, delimiter == '|'))
}

/// Returns the address of a reply to PASV, and whether it has the usual form. Clients look for the
/// first digit (RFC 1123 section 4.1.2.6).
pub(crate) fn parse_pasv(reply: &Reply) -> Result<(SocketAddr, bool), Failure> {
    let text = reply.text();
    let wrong = || Failure::new(format!("not of the form (h1,h2,h3,h4,p1,p2): {text}"));
    let in_brackets = text.split_once('(').and_then(|(_, tail)| tail.split_once(')'));
    let numbers = in_brackets.map(|(numbers, _)| numbers).or_else(|| {
        let tail = &text[text.find(|c: char| c.is_ascii_digit())?..];
        tail.split(|c: char| !c.is_ascii_digit() && c != ',').next()
    });
    let numbers: Result<Vec<u8>, _> =
        numbers.ok_or_else(wrong)?.split(',').map(str::parse).collect();
    match numbers.map_err(|_| wrong())?[..] {
        [a, b, c, d, high, low] if (high, low) != (0, 0) => {
            let address = SocketAddr::from(([a, b, c, d], u16::from_be_bytes([high, low])));
            Ok((address, in_brackets.is_some()))
        }
        _ => Err(wrong()),
    }
}

/// Returns a name as it travels on the control connection: 0xFF is doubled (RFC 854), CR is
/// followed by NUL (RFC 2640 section 3.1), and LF is NUL.
pub fn encode_name(name: &[u8]) -> Vec<u8> {
    let mut wire = Vec::with_capacity(name.len());
    for &byte in name {
        match byte {
            0xFF => wire.extend([0xFF, 0xFF]),
            b'\r' => wire.extend(*b"\r\0"),
            b'\n' => wire.push(0),
            other => wire.push(other),
        }
    }
    wire
}

/// Returns the name that a line of a listing holds: [`encode_name`] undone, 0xFF aside, which is
/// doubled on the control connection only.
pub fn decode_name(wire: &[u8]) -> Vec<u8> {
    let mut name = Vec::with_capacity(wire.len());
    let mut bytes = wire.iter().peekable();
    while let Some(&byte) = bytes.next() {
        match byte {
            b'\r' if bytes.next_if_eq(&&0).is_some() => name.push(b'\r'),
            0 => name.push(b'\n'),
            other => name.push(other),
        }
    }
    name
}

/// Stands for a password.
const SECRET: &[u8] = b"***";

/// The password that checks make up where one has to be wrong. It is no secret.
const MADE_UP: &[u8] = b"wrong";

/// Returns what may be shown of command lines, and the passwords that may not.
pub(crate) fn without_passwords(bytes: &[u8]) -> (Vec<u8>, Vec<Vec<u8>>) {
    let (mut public, mut secrets) = (Vec::with_capacity(bytes.len()), Vec::new());
    for line in bytes.split_inclusive(|&byte| byte == b'\n') {
        let bare = line.trim_ascii_end();
        let is_password = bare.get(..5).is_some_and(|word| word.eq_ignore_ascii_case(b"PASS "));
        if !is_password || &bare[5..] == MADE_UP {
            public.extend_from_slice(line);
            continue;
        }
        secrets.push(bare[5..].to_vec());
        public.extend([&bare[..5], SECRET, &line[bare.len()..]].concat());
    }
    (public, secrets)
}

/// Returns a line of the server's, which may repeat a password, without it.
pub(crate) fn without(mut line: Vec<u8>, secrets: &[Vec<u8>]) -> Vec<u8> {
    for secret in secrets {
        let mut from = 0;
        let find = |line: &[u8], from: usize| {
            let mut windows = line[from..].windows(secret.len());
            windows.position(|window| window == secret).map(|at| from + at)
        };
        while let Some(at) = find(&line, from) {
            line.splice(at..at + secret.len(), SECRET.iter().copied());
            from = at + SECRET.len();
        }
    }
    line
}

/// Writes bytes for people: printable ASCII as it is, all else escaped.
pub(crate) fn shown(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string().replace("\\\"", "\"").replace("\\'", "'")
}

/// Writes a text for a terminal, line by line: control characters, which could do anything to one,
/// are escaped.
pub fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() && character != '\n' {
            out.extend(character.escape_default());
        } else {
            out.push(character);
        }
    }
    out
}

/// Writes bytes for a message, shortened.
pub(crate) fn excerpt(bytes: &[u8]) -> String {
    let mut text = bytes[..bytes.len().min(60)].escape_ascii().to_string();
    if bytes.len() > 60 {
        let _ = write!(text, "... ({} bytes)", bytes.len());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_there_and_back() {
        let name = b"a\nb\rc\r\nd\xff";
        let wire = encode_name(name);
        assert_eq!(wire, b"a\0b\r\0c\r\0\0d\xff\xff");
        assert_eq!(decode_name(&wire[..wire.len() - 1]), name);
    }

    #[test]
    fn passwords_are_taken_out() {
        for (sent, shown, secret) in [
            ("PASS a b", "PASS ***", "a b"),
            ("USER u\r\npass xyz\r\nMKD a\r\n", "USER u\r\npass ***\r\nMKD a\r\n", "xyz"),
        ] {
            let (public, secrets) = without_passwords(sent.as_bytes());
            assert_eq!(public, shown.as_bytes());
            assert_eq!(secrets, [secret.as_bytes()]);
        }
        for sent in ["PASS wrong", "PASSX a", "PASS", "USER PASS a"] {
            assert_eq!(without_passwords(sent.as_bytes()), (sent.into(), Vec::new()));
        }
        let echo = without(b"500 PASS xyz, xyz?".to_vec(), &[b"xyz".to_vec()]);
        assert_eq!(echo, b"500 PASS ***, ***?");
        assert_eq!(without(b"a".to_vec(), &[b"***".to_vec()]), b"a");
    }

    #[test]
    fn addresses_of_passive_ports() {
        let reply = |code, text: &str| Reply {
            code,
            lines: vec![format!("{code} {text}").into_bytes()],
            command: String::new(),
        };
        assert_eq!(parse_epsv(&reply(229, "x (|||4660|)")).unwrap(), (0x1234, true));
        assert_eq!(parse_epsv(&reply(229, "x (!!!4660!).")).unwrap(), (0x1234, false));
        for wrong in ["(||4660|)", "(|||4660)", "(|||4660|", "(|||0|)", "(   1 )", "|||4660|"] {
            assert!(parse_epsv(&reply(229, wrong)).is_err(), "{wrong}");
        }
        let address = "127.0.0.1:4660".parse().unwrap();
        for (text, is_usual) in [("x (127,0,0,1,18,52).", true), ("x 127,0,0,1,18,52.", false)] {
            assert_eq!(parse_pasv(&reply(227, text)).unwrap(), (address, is_usual));
        }
        for wrong in ["127.0.0.1.18.52", "(127,0,0,1,18)", "(127,0,0,1,18,256)", "1,2,3,4,5,", ""] {
            assert!(parse_pasv(&reply(227, wrong)).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_terminal_is_not_told_what_to_do() {
        assert_eq!(escaped("\x1b[2J\r\n\u{9b}K \u{e4}"), "\\u{1b}[2J\\r\n\\u{9b}K \u{e4}");
    }

    #[test]
    fn lines_end_in_crlf() {
        assert_eq!(split_lines(b"a\r\n\r\n", "x").unwrap(), [&b"a"[..], b""]);
        assert!(split_lines(b"a\n", "x").is_err());
        assert!(split_lines(b"a\r\nb", "x").is_err());
    }
}
