//! The client: a raw control connection that is strict about what it reads.

use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use socket2::SockRef;

use crate::check::Failure;
use crate::data::{Data, Dial, End, Offer, Transfer, eprt_argument, is_timeout, port_argument};
use crate::journal::Journal;
use crate::reply::{Assembly, Reply, Telnet};
use crate::wire::{parse_epsv, parse_pasv, shown, split_lines};

/// The longest that anything waits for the server. Generous: it is there to end a check that has
/// failed, not to tell fast from slow.
pub const LIMIT: Duration = Duration::from_secs(20);

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
    stream: TcpStream,
    telnet: Telnet,
    /// Text received and not yet taken, Telnet commands already out.
    pending: Vec<u8>,
    journal: Journal,
    number: usize,
    detail: Detail,
    last_command: String,
}

impl Client {
    /// Connects; the greeting is still to be read. `number` names this client in the journal.
    pub fn connect(address: SocketAddr, journal: Journal, number: usize) -> Result<Self, Failure> {
        let stream = TcpStream::connect_timeout(&address, LIMIT)?;
        stream.set_nodelay(true)?;
        stream.set_write_timeout(Some(LIMIT))?;
        Ok(Self {
            stream,
            telnet: Telnet::default(),
            pending: Vec::new(),
            journal,
            number,
            detail: Detail::Full,
            last_command: "connecting".to_owned(),
        })
    }

    /// Sets how much the journal keeps from now on, and returns what it was.
    pub fn keep(&mut self, detail: Detail) -> Detail {
        std::mem::replace(&mut self.detail, detail)
    }

    /// Returns the address of the server's end.
    pub fn server(&self) -> Result<SocketAddr, Failure> {
        Ok(self.stream.peer_addr()?)
    }

    /// Returns the address of this end.
    pub fn local(&self) -> Result<SocketAddr, Failure> {
        Ok(self.stream.local_addr()?)
    }

    /// Appends a remark to the journal.
    pub fn note(&self, text: &str) {
        if self.detail != Detail::None {
            self.journal.record(&format!("{}: {text}", self.number));
        }
    }

    // The control connection.

    /// Sends a command line and waits for its reply. `line` has neither CRLF nor Telnet commands
    /// added: see [`encode_name`](crate::encode_name).
    pub fn command(&mut self, line: impl AsRef<[u8]>) -> Result<Reply, Failure> {
        self.send(line)?;
        self.reply()
    }

    /// As [`command`](Self::command), and fails unless the reply's code is one of `codes`.
    pub fn expect(&mut self, line: impl AsRef<[u8]>, codes: &[u16]) -> Result<Reply, Failure> {
        self.command(line)?.expect(codes)
    }

    /// Sends a command line, and does not wait.
    pub fn send(&mut self, line: impl AsRef<[u8]>) -> Result<(), Failure> {
        let line = line.as_ref();
        let shown = shown(line);
        self.send_as(line, &shown)
    }

    /// Sends a command line that appears in the journal as `shown`.
    pub fn send_as(&mut self, line: impl AsRef<[u8]>, shown: &str) -> Result<(), Failure> {
        shown.clone_into(&mut self.last_command);
        self.note(&format!("> {shown}"));
        self.write(&[line.as_ref(), b"\r\n"].concat())
    }

    /// Sends bytes as they are: half a line, several lines, anything.
    pub fn send_raw(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.last_command = shown(bytes);
        self.note(&format!("> raw {}", self.last_command));
        self.write(bytes)
    }

    /// Sends bytes of which the last is TCP urgent data.
    pub fn send_urgent(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.note(&format!("> urgent {}", shown(bytes)));
        let sent = SockRef::from(&self.stream).send_out_of_band(bytes)?;
        if sent != bytes.len() {
            return Err(Failure::new("urgent data was not taken in one piece"));
        }
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        let sent = self.stream.write_all(bytes);
        sent.map_err(|error| Failure::new(format!("sending {}: {error}", self.last_command)))
    }

    /// Waits for the next reply.
    pub fn reply(&mut self) -> Result<Reply, Failure> {
        let mut assembly = Assembly::default();
        loop {
            let line = match self.line()? {
                Ok(line) => line,
                Err(end) => {
                    let command = &self.last_command;
                    return Err(Failure::new(format!("{command}: no reply but {end:?}")));
                }
            };
            if let Some(reply) = assembly.push(line, &self.last_command)? {
                self.record_reply(&reply);
                return Ok(reply);
            }
        }
    }

    /// Waits for the next reply, and fails unless its code is one of `codes`.
    pub fn expect_reply(&mut self, codes: &[u16]) -> Result<Reply, Failure> {
        self.reply()?.expect(codes)
    }

    /// Waits until the server closes the control connection in order, and fails when it sends
    /// anything more or breaks the connection.
    pub fn expect_close(&mut self) -> Result<(), Failure> {
        match self.line()? {
            Err(End::Eof) => {
                self.note("closed by the server");
                Ok(())
            }
            Err(end) => Err(Failure::new(format!("expected the server to close, got {end:?}"))),
            Ok(line) => Err(Failure::new(format!(
                "expected the server to close, got {}",
                line.escape_ascii()
            ))),
        }
    }

    /// Tells whether anything of a further reply has come, without waiting.
    pub fn has_reply(&self) -> Result<bool, Failure> {
        if !self.pending.is_empty() {
            return Ok(true);
        }
        self.stream.set_nonblocking(true)?;
        let peeked = self.stream.peek(&mut [0]);
        self.stream.set_nonblocking(false)?;
        match peeked {
            Ok(_) => Ok(true),
            Err(error) if is_timeout(&error) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Takes a line without its CRLF; the inner error is the end of the connection.
    fn line(&mut self) -> Result<Result<Vec<u8>, End>, Failure> {
        let deadline = Instant::now() + LIMIT;
        loop {
            if let Some(end) = self.pending.iter().position(|&byte| byte == b'\n') {
                let mut line: Vec<u8> = self.pending.drain(..=end).collect();
                line.pop();
                if line.pop() != Some(b'\r') {
                    return Err(Failure::new("a reply line ends in a bare LF"));
                }
                return Ok(Ok(line));
            }
            let mut bytes = [0; 4096];
            let left = deadline.saturating_duration_since(Instant::now());
            self.stream.set_read_timeout(Some(left.max(Duration::from_millis(1))))?;
            match self.stream.read(&mut bytes) {
                Ok(0) if self.pending.is_empty() => return Ok(Err(End::Eof)),
                Ok(0) => return Err(Failure::new("the server closed in the middle of a line")),
                Ok(count) => {
                    for &byte in &bytes[..count] {
                        self.pending.extend(self.telnet.push(byte)?);
                    }
                }
                Err(error) if is_timeout(&error) => return Ok(Err(End::Timeout)),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return Ok(Err(End::Reset)),
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
                self.journal.record_unordered(&inner.iter().map(shown).collect::<Vec<_>>());
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

    // Data connections.

    /// Asks for a passive port with EPSV, and returns its address.
    pub fn epsv(&mut self) -> Result<SocketAddr, Failure> {
        let reply = self.expect("EPSV", &[229])?;
        let mut address = self.server()?;
        address.set_port(parse_epsv(&reply)?);
        Ok(address)
    }

    /// Asks for a passive port with PASV, and returns the address that the reply names.
    pub fn pasv(&mut self) -> Result<SocketAddr, Failure> {
        let reply = self.expect("PASV", &[227])?;
        parse_pasv(&reply)
    }

    /// Makes a passive data connection, by EPSV.
    pub fn passive(&mut self) -> Result<Data, Failure> {
        self.passive_with(Dial::default())
    }

    pub(crate) fn passive_with(&mut self, dial: Dial) -> Result<Data, Failure> {
        let address = self.epsv()?;
        Data::dial(address, dial).map_err(|error| {
            Failure::new(format!("connecting to the passive port of {address}: {error}"))
        })
    }

    /// Offers a port of this end to the server with PORT, or EPRT where the addresses are IPv6.
    pub fn active(&mut self) -> Result<Offer, Failure> {
        let offer = Offer::listen(self.local()?.ip())?;
        self.offer(offer.address()?, &[200])?;
        Ok(offer)
    }

    /// Names an address to the server with PORT, or EPRT where it is IPv6.
    pub fn offer(&mut self, address: SocketAddr, codes: &[u16]) -> Result<Reply, Failure> {
        match address.ip() {
            IpAddr::V4(ip) => {
                let line = format!("PORT {}", port_argument(ip, address.port()));
                self.send_as(line, &format!("PORT {ip}"))?;
            }
            IpAddr::V6(ip) => {
                let line = format!("EPRT {}", eprt_argument(address, '|'));
                self.send_as(line, &format!("EPRT {ip}"))?;
            }
        }
        self.reply()?.expect(codes)
    }

    // Transfers. Each makes a passive data connection of its own.

    /// Starts a transfer: returns the 1xx reply and the data connection.
    pub fn open(&mut self, line: impl AsRef<[u8]>) -> Result<(Reply, Data), Failure> {
        let data = self.passive()?;
        Ok((self.expect(line, &[125, 150])?, data))
    }

    /// As [`open`](Self::open), with so small a receive buffer that the server soon has to wait.
    pub fn open_narrow(&mut self, line: impl AsRef<[u8]>) -> Result<(Reply, Data), Failure> {
        let data = self.passive_with(Dial { narrow: true, ..Dial::default() })?;
        Ok((self.expect(line, &[125, 150])?, data))
    }

    /// Receives all that the server sends, and the reply after it.
    pub fn finish_download(&mut self, opened: (Reply, Data)) -> Result<Transfer, Failure> {
        let (opening, mut data) = opened;
        let (bytes, end) = data.receive();
        drop(data);
        self.note(&format!("data: {} bytes, {end:?}", bytes.len()));
        let closing = self.reply()?;
        Ok(Transfer { opening, bytes, end, closing })
    }

    /// Carries out a command that makes the server send: RETR, LIST and the like.
    pub fn download(&mut self, line: impl AsRef<[u8]>) -> Result<Transfer, Failure> {
        let opened = self.open(line)?;
        self.finish_download(opened)
    }

    /// Carries out a command that makes the server receive: STOR and the like.
    pub fn upload(&mut self, line: impl AsRef<[u8]>, bytes: &[u8]) -> Result<Transfer, Failure> {
        let (opening, mut data) = self.open(line)?;
        data.send(bytes)?;
        data.finish();
        self.note(&format!("data: sent {} bytes", bytes.len()));
        let closing = self.reply()?;
        Ok(Transfer { opening, bytes: Vec::new(), end: End::Eof, closing })
    }

    /// Returns a file's content.
    pub fn get(&mut self, path: &str) -> Result<Vec<u8>, Failure> {
        self.download(format!("RETR {path}"))?.complete()
    }

    /// Stores a file.
    pub fn put(&mut self, path: &str, bytes: &[u8]) -> Result<(), Failure> {
        self.upload(format!("STOR {path}"), bytes)?.complete().map(drop)
    }

    /// Returns the lines of a listing, and fails when one does not end in CRLF.
    pub fn list(&mut self, line: impl AsRef<[u8]>) -> Result<Vec<Vec<u8>>, Failure> {
        let (opening, mut data) = self.open(line)?;
        let (bytes, end) = data.receive();
        drop(data);
        let lines = split_lines(&bytes, &opening.command)?;
        if self.detail != Detail::None {
            let shown = |line: &Vec<u8>| format!("{}:   {}", self.number, shown(line));
            self.journal.record_unordered(&lines.iter().map(shown).collect::<Vec<_>>());
        }
        let closing = self.reply()?;
        let transfer = Transfer { opening, bytes, end, closing };
        transfer.complete()?;
        Ok(lines)
    }

    /// Tries a command that wants a data connection, with one at hand, and returns its last reply:
    /// the refusal, or what follows 1xx.
    pub fn attempt(&mut self, line: impl AsRef<[u8]>) -> Result<Reply, Failure> {
        let mut data = self.passive()?;
        let reply = self.command(line)?;
        if reply.code >= 200 {
            return Ok(reply);
        }
        if reply.command.starts_with("STO") || reply.command.starts_with("APPE") {
            data.finish();
        } else {
            data.receive();
        }
        self.reply()
    }

    /// Tries a command that wants a data connection, and fails unless it is refused with one of
    /// `codes`.
    pub fn refused(&mut self, line: impl AsRef<[u8]>, codes: &[u16]) -> Result<Reply, Failure> {
        self.attempt(line)?.expect(codes)
    }
}
