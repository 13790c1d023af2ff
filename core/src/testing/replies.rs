//! Replies as a client reads them.

use std::format;
use std::string::String;
use std::vec::Vec;
/// One reply, of one line or several.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The reply code.
    pub code: u16,
    /// The lines with their codes, without their ends.
    pub lines: Vec<Vec<u8>>,
}

impl Reply {
    /// Returns `true` if another reply to the same command follows.
    pub fn is_preliminary(&self) -> bool {
        self.code < 200
    }

    /// Reads all that the server sent. A reply that is not at its end yet is left out.
    ///
    /// A line is `ddd text` or `ddd-text`, or begins with a space within a reply of several lines,
    /// and ends in CRLF.
    ///
    /// # Errors
    ///
    /// The error says what is no reply.
    pub fn read(bytes: &[u8]) -> Result<Vec<Self>, String> {
        read_clean(&without_telnet(bytes)?)
    }

    /// Reads what was sent until the connection broke, maybe within a line.
    ///
    /// # Errors
    ///
    /// As with [`read`](Self::read).
    pub fn read_cut(bytes: &[u8]) -> Result<Vec<Self>, String> {
        // Telnet may have been cut too.
        let whole = (bytes.len().saturating_sub(2)..=bytes.len()).rev();
        let clean = whole.map(|end| without_telnet(&bytes[..end])).find(Result::is_ok);
        let clean = clean.unwrap_or_else(|| without_telnet(bytes))?;
        let end = clean.windows(2).rposition(|pair| pair == b"\r\n").map_or(0, |at| at + 2);
        read_clean(&clean[..end])
    }
}

fn read_clean(bytes: &[u8]) -> Result<Vec<Reply>, String> {
    let mut replies: Vec<Reply> = Vec::new();
    let mut open: Option<Reply> = None;
    for line in bytes.split_inclusive(|&byte| byte == b'\n') {
        let shown = line.escape_ascii();
        let Some(text) = line.strip_suffix(b"\r\n") else {
            return Err(format!("no CRLF at the end of {shown}"));
        };
        if text.first() == Some(&b' ') {
            let reply = open.as_mut().ok_or_else(|| format!("within no reply: {shown}"))?;
            reply.lines.push(text.to_vec());
            continue;
        }
        let (code, last) = head(text).ok_or_else(|| format!("no reply line: {shown}"))?;
        let mut reply = match open.take() {
            Some(reply) if reply.code == code && last => reply,
            Some(_) => return Err(format!("within a reply: {shown}")),
            None => Reply { code, lines: Vec::new() },
        };
        reply.lines.push(text.to_vec());
        if last { replies.push(reply) } else { open = Some(reply) }
    }
    Ok(replies)
}

/// Reads `ddd ` or `ddd-`; returns the code, and `true` if the line is the last.
fn head(text: &[u8]) -> Option<(u16, bool)> {
    let (digits, rest) = text.split_at_checked(3)?;
    let code: u16 = std::str::from_utf8(digits).ok()?.parse().ok()?;
    let last = match rest.first()? {
        b' ' => true,
        b'-' => false,
        _ => return None,
    };
    (100..600).contains(&code).then_some((code, last))
}

/// Takes out Telnet's answers, and the doubling of IAC.
fn without_telnet(bytes: &[u8]) -> Result<Vec<u8>, String> {
    let mut clean = Vec::new();
    let mut rest = bytes;
    while let Some((&byte, after)) = rest.split_first() {
        rest = match (byte, after) {
            (0xFF, [0xFF, after @ ..]) => {
                clean.push(0xFF);
                after
            }
            (0xFF, [0xFC | 0xFE, _, after @ ..]) => after,
            (0xFF, _) => return Err(format!("bad Telnet: {}", rest.escape_ascii())),
            _ => {
                clean.push(byte);
                after
            }
        };
    }
    Ok(clean)
}
