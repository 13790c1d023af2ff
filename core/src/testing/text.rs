//! Bytes as readable text, and back.

use std::fmt::Write as _;
use std::format;
use std::string::{String, ToString};
use std::vec::Vec;

/// Writes bytes so that they stand on one line: UTF-8 as it is, the rest escaped, and so is a space
/// at the end, which would not be seen.
pub fn line(bytes: &[u8]) -> String {
    if bytes == b"\"\"" {
        return word(bytes);
    }
    let mut text = escape(bytes, "");
    if text.ends_with(' ') {
        text.pop();
        text.push_str("\\x20");
    }
    text
}

/// Writes bytes as one word: spaces and braces are escaped too; nothing is `""`.
pub fn word(bytes: &[u8]) -> String {
    match bytes {
        b"" => "\"\"".into(),
        b"\"\"" => "\\x22\\x22".into(),
        _ => escape(bytes, " {}"),
    }
}

/// Reads what [`show_line`](super::show_line) or [`show_word`](super::show_word) wrote.
///
/// # Errors
///
/// The error says which escape is unknown.
pub fn unescape(text: &str) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let mut rest = if text == "\"\"" { "" } else { text };
    while let Some(at) = rest.find('\\') {
        bytes.extend_from_slice(&rest.as_bytes()[..at]);
        let escaped = &rest[at + 1..];
        let (byte, taken) = match escaped.as_bytes() {
            [b'r', ..] => (b'\r', 1),
            [b'n', ..] => (b'\n', 1),
            [b'0', ..] => (0, 1),
            [b'\\', ..] => (b'\\', 1),
            [b'x', ..] => {
                let digits = escaped.get(1..3).ok_or("\\x wants two digits")?;
                (u8::from_str_radix(digits, 16).map_err(|error| error.to_string())?, 3)
            }
            _ => return Err(format!("unknown escape in {text:?}")),
        };
        bytes.push(byte);
        rest = &escaped[taken..];
    }
    bytes.extend_from_slice(rest.as_bytes());
    Ok(bytes)
}

fn escape(bytes: &[u8], also: &str) -> String {
    let mut text = String::new();
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '\r' => text.push_str("\\r"),
                '\n' => text.push_str("\\n"),
                '\0' => text.push_str("\\0"),
                '\\' => text.push_str("\\\\"),
                c if c.is_control() || also.contains(c) => {
                    let mut utf8 = [0; 4];
                    hex(c.encode_utf8(&mut utf8).as_bytes(), &mut text);
                }
                c => text.push(c),
            }
        }
        hex(chunk.invalid(), &mut text);
    }
    text
}

fn hex(bytes: &[u8], text: &mut String) {
    for byte in bytes {
        let _ = write!(text, "\\x{byte:02X}");
    }
}
