//! The control connection: commands out, replies in, without an allocation for either.

use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use wharf_conformance::Tls;

use crate::tls::{Buffers, TlsWire};
use crate::wire::{Wire, connect};

/// What is done, or in words why not.
pub(crate) type Result<T> = std::result::Result<T, String>;

/// The server, and how to log in.
#[derive(Clone, Debug)]
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) user: String,
    pub(crate) password: String,
    pub(crate) tls: bool,
    /// How long each operation on a socket may take.
    pub(crate) timeout: Duration,
}

/// Longer than a line of a reply may be, and room for the replies to many commands at once.
const BUFFER: usize = 16 * 1024;
/// More lines than a reply has.
const MOST_LINES: usize = 10_000;

/// A control connection.
pub(crate) struct Control {
    wire: Wire,
    buffer: Vec<u8>,
    /// What has come and was not looked at.
    begin: usize,
    end: usize,
    /// The last line of the last reply, in the buffer.
    line: std::ops::Range<usize>,
}

impl Control {
    /// Connects, and waits for the greeting.
    pub(crate) fn connect(server: &Server, from: Option<IpAddr>) -> Result<Self> {
        let socket = connect(server.address, from, server.timeout);
        let socket = socket.map_err(|error| format!("connecting: {}", words(&error)))?;
        let _ = socket.set_nodelay(true);
        let wire = Wire::Clear(socket);
        let mut control = Self { wire, buffer: vec![0; BUFFER], begin: 0, end: 0, line: 0..0 };
        let code = control.reply("the greeting")?;
        control.check("the greeting", code, &[220])?;
        Ok(control)
    }

    /// Starts TLS with `AUTH TLS`.
    pub(crate) fn secure(&mut self, server: &Server, tls: &Tls) -> Result<()> {
        self.expect("AUTH TLS", &[234])?;
        let Wire::Clear(socket) = &self.wire else { return Err("TLS within TLS".to_owned()) };
        let failed = |error: String| format!("AUTH TLS: handshake: {error}");
        let socket = socket.try_clone().map_err(|error| failed(error.to_string()))?;
        let ip = server.address.ip();
        let connection = tls.unbuffered(ip).map_err(|error| failed(error.to_string()))?;
        let wire = TlsWire::handshake(socket, connection, Buffers::new(4096));
        self.wire = Wire::Tls(wire.map_err(|error| failed(words(&error)))?);
        Ok(())
    }

    /// Logs in.
    pub(crate) fn log_in(&mut self, user: &str, password: &str) -> Result<()> {
        if self.expect_one_of(&format!("USER {user}"), &[331, 230])? == 331 {
            self.send(format!("PASS {password}\r\n").as_bytes(), "PASS")?;
            let code = self.reply("PASS")?;
            self.check("PASS", code, &[230, 202])?;
        }
        Ok(())
    }

    /// Sends a command, and fails unless the reply has one of the codes.
    pub(crate) fn expect(&mut self, command: &str, codes: &[u16]) -> Result<()> {
        self.expect_one_of(command, codes).map(|_| ())
    }

    fn expect_one_of(&mut self, command: &str, codes: &[u16]) -> Result<u16> {
        let code = self.command(command)?;
        self.check(command, code, codes)?;
        Ok(code)
    }

    /// Sends a command, and returns the code of the reply.
    pub(crate) fn command(&mut self, command: &str) -> Result<u16> {
        self.send_line(command)?;
        self.reply(command)
    }

    /// Sends a command, without waiting for the reply.
    pub(crate) fn send_line(&mut self, command: &str) -> Result<()> {
        // One write, as two would be two segments.
        let mut line = [0; 512];
        let length = command.len();
        let Some(room) = line.get_mut(..length + 2) else {
            return Err(format!("{command}: too long"));
        };
        room[..length].copy_from_slice(command.as_bytes());
        room[length..].copy_from_slice(b"\r\n");
        self.send(&line[..length + 2], command)
    }

    /// Sends bytes as they are; `command` is for the message when that fails.
    pub(crate) fn send(&mut self, bytes: &[u8], command: &str) -> Result<()> {
        self.wire.write_all(bytes).map_err(|error| format!("{command}: {}", words(&error)))
    }

    /// Fails unless the code is one of those expected.
    pub(crate) fn check(&self, command: &str, code: u16, codes: &[u16]) -> Result<()> {
        if codes.contains(&code) { Ok(()) } else { Err(format!("{command}: {}", self.text())) }
    }

    /// Returns the last line of the last reply, with its code.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.buffer[self.line.clone()]).into_owned()
    }

    /// Waits for a reply, and returns its code.
    pub(crate) fn reply(&mut self, command: &str) -> Result<u16> {
        let mut multi_line = None;
        for _ in 0..MOST_LINES {
            self.read_line(command)?;
            let line = &self.buffer[self.line.clone()];
            match (multi_line, code(line), line.get(3)) {
                (None, Some(code), Some(b' ') | None) => return Ok(code),
                (None, Some(code), Some(b'-')) => multi_line = Some(code),
                (Some(begun), Some(code), Some(b' ')) if code == begun => return Ok(code),
                (Some(_), ..) => {}
                (None, ..) => return Err(format!("{command}: not a reply: {}", self.shown())),
            }
        }
        Err(format!("{command}: a reply without an end"))
    }

    fn shown(&self) -> String {
        let line = &self.buffer[self.line.clone()];
        line[..line.len().min(80)].escape_ascii().to_string()
    }

    fn read_line(&mut self, command: &str) -> Result<()> {
        let mut searched = self.begin;
        loop {
            if let Some(at) = self.buffer[searched..self.end].iter().position(|&b| b == b'\n') {
                let end = searched + at;
                let line = &self.buffer[self.begin..end];
                let length = line.strip_suffix(b"\r").unwrap_or(line).len();
                self.line = self.begin..self.begin + length;
                self.begin = end + 1;
                return Ok(());
            }
            if self.begin > 0 {
                self.buffer.copy_within(self.begin..self.end, 0);
                self.end -= self.begin;
                self.begin = 0;
            }
            searched = self.end;
            let room = &mut self.buffer[self.end..];
            if room.is_empty() {
                return Err(format!("{command}: a reply line without an end"));
            }
            match self.wire.read(room) {
                Ok(0) => return Err(format!("{command}: the server closed the connection")),
                Ok(count) => self.end += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(format!("{command}: {}", words(&error))),
            }
        }
    }

    /// Returns the connection alone, for a session that only has to be there.
    pub(crate) fn into_wire(self) -> Wire {
        self.wire
    }
}

/// Returns what the first three digits say.
fn code(line: &[u8]) -> Option<u16> {
    let digits = line.get(..3)?;
    let is_code = digits.iter().all(u8::is_ascii_digit) && (b'1'..=b'5').contains(&digits[0]);
    is_code.then(|| digits.iter().fold(0, |code, digit| code * 10 + u16::from(digit - b'0')))
}

/// Describes an error; a socket's timeout comes as "try again".
pub(crate) fn words(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => "silence until the timeout".into(),
        io::ErrorKind::UnexpectedEof => "the server closed the connection".into(),
        _ => error.to_string(),
    }
}
