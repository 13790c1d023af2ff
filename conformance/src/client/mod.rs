//! The client: a raw control connection that is strict about what it reads.

mod judging;
mod protection;
mod transfers;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use socket2::SockRef;

use crate::channel::{Channel, connect, end_of};
use crate::check::{Failure, advise_or_fail};
use crate::data::End;
use crate::journal::Journal;
use crate::patience::{self, Deadline};
use crate::reply::{Assembly, Reply, Telnet};
use crate::tls::Tls;
use crate::wire::{excerpt, shown, without, without_passwords};

/// Longer than any line of a reply: the longest path there is fits many times.
const LONGEST_LINE: usize = 64 << 10;

/// How much of a dialogue the journal keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// Commands and replies, word for word.
    Full,
    /// Commands, and the codes of the replies: for replies whose text varies.
    Codes,
    /// Nothing.
    None,
}

/// A control connection, and the data connections made for it.
#[derive(Debug)]
pub struct Client {
    channel: Channel,
    telnet: Telnet,
    /// Text received and not yet taken, Telnet commands already out.
    pending: Vec<u8>,
    journal: Journal,
    number: usize,
    detail: Detail,
    last_command: String,
    /// The passwords that were sent last, which a server may repeat.
    secrets: Vec<Vec<u8>>,
    /// What protects the control connection, or did last.
    tls: Option<Tls>,
    /// What protects the data connections.
    data_tls: Option<Tls>,
    /// Data connections are to be protected as soon as there is a login.
    protects_later: bool,
    /// A reply that is not the best one is a failure.
    is_strict: bool,
    /// The server knows EPSV, or it was not asked yet.
    knows_epsv: bool,
    /// What came last was no reply but an end, or nothing.
    was_ignored: bool,
}

impl Client {
    /// Connects, from the address `from` where it matters; the greeting is still to be read.
    /// `number` names this client in the journal.
    pub fn connect(
        address: SocketAddr,
        from: Option<IpAddr>,
        journal: Journal,
        number: usize,
    ) -> Result<Self, Failure> {
        let stream = connect(address, from, |_| Ok(()))?;
        stream.set_nodelay(true)?;
        Ok(Self {
            channel: Channel::new(stream),
            telnet: Telnet::default(),
            pending: Vec::new(),
            journal,
            number,
            detail: Detail::Full,
            last_command: "connecting".to_owned(),
            secrets: Vec::new(),
            tls: None,
            data_tls: None,
            protects_later: false,
            is_strict: true,
            knows_epsv: true,
            was_ignored: false,
        })
    }

    /// Sets how much the journal keeps from now on, and returns what it was.
    pub fn keep(&mut self, detail: Detail) -> Detail {
        std::mem::replace(&mut self.detail, detail)
    }

    /// Returns the address of the server's end.
    pub fn server(&self) -> Result<SocketAddr, Failure> {
        Ok(self.channel.socket().peer_addr()?)
    }

    /// Returns the address of this end.
    pub fn local(&self) -> Result<SocketAddr, Failure> {
        Ok(self.channel.socket().local_addr()?)
    }

    /// Sets whether a reply that is not the best one is a failure.
    pub(crate) fn be_strict(&mut self, is_strict: bool) {
        self.is_strict = is_strict;
    }

    /// Returns `true` if only the best is good enough.
    pub(crate) fn is_strict(&self) -> bool {
        self.is_strict
    }

    /// Fails where only the best will do, and else writes down what would be better.
    pub fn advise(&self, what: impl Into<String>) -> Result<(), Failure> {
        advise_or_fail(&self.journal, self.is_strict, what.into())
    }

    /// Has the journal keep all from now on, beginning with a remark.
    pub(crate) fn record_from_here(&mut self, text: &str) {
        self.keep(Detail::Full);
        self.note(text);
    }

    /// Appends a remark to the journal.
    pub fn note(&self, text: &str) {
        if self.detail != Detail::None {
            self.journal.record(&format!("{}: {text}", self.number));
        }
    }

    /// Sends a command line and waits for its reply. `line` has neither CRLF nor Telnet commands
    /// added: see [`encode_name`](crate::encode_name).
    pub fn command(&mut self, line: impl AsRef<[u8]>) -> Result<Reply, Failure> {
        if !self.is_strict && self.has_reply()? {
            self.fail_for_one_more()?;
        }
        self.send(line)?;
        self.reply()
    }

    /// Sends a command line, and does not wait. A password is sent and never shown.
    pub fn send(&mut self, line: impl AsRef<[u8]>) -> Result<(), Failure> {
        let line = line.as_ref();
        self.last_command = self.public(line);
        self.note(&format!("> {}", self.last_command));
        self.write(&[line, b"\r\n"].concat())
    }

    /// Sends a command line without a password that appears in the journal as `shown`.
    pub fn send_as(&mut self, line: impl AsRef<[u8]>, shown: &str) -> Result<(), Failure> {
        self.secrets.clear();
        shown.clone_into(&mut self.last_command);
        self.note(&format!("> {shown}"));
        self.write(&[line.as_ref(), b"\r\n"].concat())
    }

    /// Sends bytes as they are: half a line, several lines, anything. Whole passwords in them are
    /// never shown.
    pub fn send_raw(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.last_command = self.public(bytes);
        self.note(&format!("> raw {}", self.last_command));
        self.write(bytes)
    }

    /// Returns what may be shown of what is sent, and keeps in mind what may not.
    fn public(&mut self, bytes: &[u8]) -> String {
        let (public, secrets) = without_passwords(bytes);
        self.secrets = secrets;
        shown(&public)
    }

    /// Sends bytes of which the last is TCP urgent data.
    pub fn send_urgent(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.note(&format!("> urgent {}", shown(bytes)));
        let sent = SockRef::from(self.channel.socket()).send_out_of_band(bytes)?;
        if sent != bytes.len() {
            return Err(Failure::new("urgent data was not taken in one piece"));
        }
        Ok(())
    }

    /// Shuts the write side of the control connection: nothing more will be said, and replies are
    /// still read.
    pub fn end_sending(&mut self) -> Result<(), Failure> {
        self.note("> nothing more: the write side is shut");
        Ok(self.channel.shut_down()?)
    }

    /// Breaks the control connection: the server sees a reset, not an end.
    pub fn reset(self) -> Result<(), Failure> {
        self.note("> reset");
        Ok(SockRef::from(self.channel.socket()).set_linger(Some(Duration::ZERO))?)
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        let sent = self.channel.send_all(bytes);
        sent.map_err(|error| {
            let end = end_of(&error);
            Failure::new(format!("sending {}: {end} ({error})", self.last_command))
        })
    }

    /// Waits for the next reply.
    pub fn reply(&mut self) -> Result<Reply, Failure> {
        let reply = self.reply_or_end()?;
        reply.map_err(|end| Failure::new(format!("{}: no reply but {end}", self.last_command)))
    }

    /// Waits for the next reply, and fails unless its code is one of `codes`.
    pub fn expect_reply(&mut self, codes: &[u16]) -> Result<Reply, Failure> {
        let reply = self.reply()?;
        self.judge(reply, codes, &[])
    }

    /// Waits for the next reply, or for the end of the connection, or in vain.
    pub fn reply_or_end(&mut self) -> Result<Result<Reply, End>, Failure> {
        if patience::is_over() {
            let last = &self.last_command;
            return Err(Failure::new(format!("{last}: no time is left to wait for a reply")));
        }
        let mut assembly = Assembly::default();
        let deadline = Deadline::new();
        loop {
            let line = match self.line(deadline)? {
                Ok(line) => line,
                Err(end) => {
                    self.was_ignored = true;
                    self.note(&format!("{end}"));
                    return Ok(Err(end));
                }
            };
            if let Some(reply) = assembly.push(line, &self.last_command)? {
                self.was_ignored = false;
                self.record_reply(&reply);
                return Ok(Ok(reply));
            }
        }
    }

    /// Returns `true` if the last command was not answered.
    pub(crate) fn was_ignored(&self) -> bool {
        self.was_ignored
    }

    /// Waits until the server closes the control connection in order, and fails when it sends
    /// anything more or breaks the connection.
    pub fn expect_close(&mut self) -> Result<(), Failure> {
        match self.line(Deadline::new())? {
            Err(End::Eof) => {
                self.note("closed by the server");
                Ok(())
            }
            // Everything has been said, so nothing is lost.
            Err(End::Reset) => {
                self.advise("the server resets the connection, and does not close it")
            }
            Err(end) => Err(Failure::new(format!("expected the server to close, got {end}"))),
            Ok(line) => Err(Failure::new(format!(
                "expected the server to close, got {}",
                line.escape_ascii()
            ))),
        }
    }

    /// Receives all that the server sends, as it is, until it ends the connection.
    pub(crate) fn drain(&mut self) -> Result<(Vec<u8>, End), Failure> {
        let mut bytes = std::mem::take(&mut self.pending);
        let end = self.channel.receive_all(&mut bytes);
        Ok((bytes, end))
    }

    /// Gives the server a moment for a reply, which stays to be read.
    pub(crate) fn waits_for_reply(&mut self) -> Result<(), Failure> {
        if self.pending.is_empty() {
            // A strict check knows that there will be one; other servers may answer later.
            let longest = if self.is_strict { Duration::MAX } else { Duration::from_secs(1) };
            let moment = patience::limit().min(longest);
            self.channel.wait_for(moment)?;
        }
        Ok(())
    }

    /// Returns `true` if anything of a further reply comes within this time.
    pub(crate) fn has_reply_within(&mut self, moment: Duration) -> Result<bool, Failure> {
        if self.pending.is_empty() {
            self.channel.wait_for(patience::limit().min(moment))?;
        }
        self.has_reply()
    }

    /// Returns `true` if anything of a further reply has come, without waiting.
    pub fn has_reply(&mut self) -> Result<bool, Failure> {
        Ok(!self.pending.is_empty() || self.channel.has_more()?)
    }

    /// Takes a line without its CRLF; the inner error is the end of the connection.
    fn line(&mut self, deadline: Deadline) -> Result<Result<Vec<u8>, End>, Failure> {
        loop {
            if let Some(end) = self.pending.iter().position(|&byte| byte == b'\n') {
                let mut line: Vec<u8> = self.pending.drain(..=end).collect();
                line.pop();
                if line.pop() != Some(b'\r') {
                    return Err(Failure::new("a reply line ends in a bare LF"));
                }
                return Ok(Ok(without(line, &self.secrets)));
            }
            if self.pending.len() > LONGEST_LINE {
                let start = excerpt(&without(self.pending.clone(), &self.secrets));
                return Err(Failure::new(format!("a reply line without an end: {start}")));
            }
            let mut bytes = [0; 4096];
            match self.channel.read(&mut bytes, deadline) {
                Ok(0) if self.pending.is_empty() => return Ok(Err(End::Eof)),
                Ok(0) => return Err(Failure::new("the server closed in the middle of a line")),
                Ok(count) => {
                    for &byte in &bytes[..count] {
                        self.pending.extend(self.telnet.push(byte)?);
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Ok(Err(end_of(&error))),
            }
        }
    }

    fn record_reply(&self, reply: &Reply) {
        let shown = |line: &Vec<u8>| format!("{}: < {}", self.number, shown(line));
        match (self.detail, &reply.lines[..]) {
            (Detail::None, _) => {}
            (Detail::Codes, _) => self.note(&format!("< {}", reply.code)),
            // Directories have no order, and so the lines inside a reply need not have one.
            (Detail::Full, [first, inner @ .., last]) => {
                self.journal.record(&shown(first));
                self.journal.record_unordered(inner.iter().map(shown).collect());
                self.journal.record(&shown(last));
            }
            (Detail::Full, lines) => {
                lines.iter().for_each(|line| self.journal.record(&shown(line)));
            }
        }
    }

    /// Returns the Telnet verbs and options that came since the last call.
    pub(crate) fn telnet_options(&mut self) -> Vec<(u8, u8)> {
        std::mem::take(&mut self.telnet.options)
    }
}
