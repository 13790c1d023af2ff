//! What a client does with data connections.

use std::net::{IpAddr, SocketAddr};

use super::{Client, Detail};
use crate::check::{Failure, advise};
use crate::data::{Data, Dial, Offer, Transfer, eprt_argument, port_argument};
use crate::reply::Reply;
use crate::wire::{parse_epsv, parse_pasv, shown, split_lines};

impl Client {
    /// Asks for a passive port with EPSV, and returns its address.
    pub fn epsv(&mut self) -> Result<SocketAddr, Failure> {
        let reply = self.expect("EPSV", &[229])?;
        let mut address = self.server()?;
        address.set_port(self.epsv_port(&reply)?);
        Ok(address)
    }

    /// Returns the port that a reply to EPSV names.
    fn epsv_port(&self, reply: &Reply) -> Result<u16, Failure> {
        let (port, is_usual) = parse_epsv(reply)?;
        advise!(self, is_usual, "229 with another delimiter than |: {}", reply.text());
        Ok(port)
    }

    /// Asks for a passive port with PASV, and returns its address: the server's, whatever the reply
    /// names.
    pub fn pasv(&mut self) -> Result<SocketAddr, Failure> {
        let port = self.pasv_as_named()?.port();
        Ok(SocketAddr::new(self.server()?.ip(), port))
    }

    /// Asks for a passive port with PASV, and returns the address that the reply names. Connect to
    /// it only if it is the server's.
    pub(crate) fn pasv_as_named(&mut self) -> Result<SocketAddr, Failure> {
        let reply = self.expect("PASV", &[227])?;
        let (address, is_usual) = parse_pasv(&reply)?;
        advise!(self, is_usual, "227 without (): {}", reply.text());
        Ok(address)
    }

    /// Asks for a passive port with EPSV, or with PASV where the server does not know that, and
    /// returns its address.
    pub fn passive_port(&mut self) -> Result<SocketAddr, Failure> {
        let mut address = self.server()?;
        if self.knows_epsv {
            let reply = self.command("EPSV")?;
            self.knows_epsv = reply.code == 229 || address.is_ipv6();
            if self.knows_epsv {
                address.set_port(self.epsv_port(&reply.expect(&[229])?)?);
                return Ok(address);
            }
        }
        self.pasv()
    }

    /// Connects to a passive port, protected like every data connection of this client.
    pub(crate) fn dial_data(&self, address: SocketAddr, dial: Dial) -> Result<Data, Failure> {
        let data = Data::dial(address, dial).map_err(|error| {
            Failure::new(format!("connecting to the passive port of {address}: {error}"))
        })?;
        Ok(data.with_tls(self.data_tls.clone()))
    }

    /// Makes a passive data connection.
    pub fn passive(&mut self) -> Result<Data, Failure> {
        self.passive_with(Dial::default())
    }

    pub(crate) fn passive_with(&mut self, dial: Dial) -> Result<Data, Failure> {
        let address = self.passive_port()?;
        self.dial_data(address, dial)
    }

    /// Offers a port of this end to the server with PORT, or EPRT where the addresses are IPv6.
    pub fn active(&mut self) -> Result<Offer, Failure> {
        let offer = self.listen()?;
        self.offer(offer.address()?, &[200])?;
        Ok(offer)
    }

    /// Listens on a port of this end, and does not say so.
    pub(crate) fn listen(&self) -> Result<Offer, Failure> {
        Ok(Offer::listen(self.local()?.ip())?.with_tls(self.data_tls.clone()))
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
        self.expect_reply(codes)
    }

    /// Fails for a reply that would be taken for the answer to the next command.
    pub(super) fn fail_for_one_more(&mut self) -> Result<(), Failure> {
        let last = self.last_command.clone();
        match self.reply_or_end()? {
            Ok(reply) => Err(Failure::new(format!("one more reply to {last}: {}", reply.whole()))),
            Err(_) => Ok(()),
        }
    }

    // Transfers. Each makes a passive data connection of its own.

    /// Starts a transfer: returns the 1xx reply and the data connection.
    pub fn open(&mut self, line: impl AsRef<[u8]>) -> Result<(Reply, Data), Failure> {
        let mut data = self.passive()?;
        self.send(line)?;
        if !self.is_strict && self.data_tls.is_some() {
            // RFC 4217 has no order of the handshake and the reply: some wait for the client's.
            self.waits_for_reply()?;
            if !self.has_reply()? {
                data.handshake()?;
            }
        }
        Ok((self.expect_reply(&[125, 150])?, data))
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
        let handshake = data.handshake()?;
        drop(data);
        let how = if handshake.is_some() { ", protected" } else { "" };
        self.note(&format!("data: {} bytes, {end}{how}", bytes.len()));
        let closing = self.reply()?;
        Ok(Transfer { opening, bytes, end, handshake, closing })
    }

    /// Sends all that the server is to receive, and returns the reply after it.
    pub fn finish_upload(
        &mut self,
        opened: (Reply, Data),
        bytes: &[u8],
    ) -> Result<Transfer, Failure> {
        let (opening, mut data) = opened;
        data.send(bytes)?;
        let handshake = data.handshake()?;
        let end = data.finish();
        let how = if handshake.is_some() { format!(", {end}, protected") } else { String::new() };
        self.note(&format!("data: sent {} bytes{how}", bytes.len()));
        let closing = self.reply()?;
        Ok(Transfer { opening, bytes: Vec::new(), end, handshake, closing })
    }

    /// Carries out a command that makes the server send: RETR, LIST and the like.
    pub fn download(&mut self, line: impl AsRef<[u8]>) -> Result<Transfer, Failure> {
        let opened = self.open(line)?;
        self.finish_download(opened)
    }

    /// Carries out a command that makes the server receive: STOR and the like.
    pub fn upload(&mut self, line: impl AsRef<[u8]>, bytes: &[u8]) -> Result<Transfer, Failure> {
        let opened = self.open(line)?;
        self.finish_upload(opened, bytes)
    }

    /// Returns a file's content.
    pub fn get(&mut self, path: &str) -> Result<Vec<u8>, Failure> {
        self.download(format!("RETR {path}"))?.complete()
    }

    /// Stores a file.
    pub fn put(&mut self, path: &str, bytes: &[u8]) -> Result<(), Failure> {
        self.upload(format!("STOR {path}"), bytes)?.closing.expect(&[226, 250]).map(drop)
    }

    /// Returns the lines of a listing. In TYPE I they may end in LF alone: RFC 959 section 4.1.3 has
    /// it that the client sees to TYPE A, and that it is implied is for its own check to say.
    pub fn list(&mut self, line: impl AsRef<[u8]>) -> Result<Vec<Vec<u8>>, Failure> {
        self.listed(line, !self.is_strict)
    }

    /// As [`list`](Self::list), and fails when a line does not end in CRLF.
    pub(crate) fn list_ascii(&mut self, line: impl AsRef<[u8]>) -> Result<Vec<Vec<u8>>, Failure> {
        self.listed(line, false)
    }

    fn listed(&mut self, line: impl AsRef<[u8]>, lf_alone: bool) -> Result<Vec<Vec<u8>>, Failure> {
        let (opening, mut data) = self.open(line)?;
        let (bytes, end) = data.receive();
        let handshake = data.handshake()?;
        drop(data);
        let lines = match lf_alone && !bytes.contains(&b'\r') {
            true => split_lines(&with_cr(&bytes), &opening.command)?,
            false => split_lines(&bytes, &opening.command)?,
        };
        if self.detail != Detail::None {
            let shown = |line: &Vec<u8>| format!("{}:   {}", self.number, shown(line));
            self.journal.record_unordered(lines.iter().map(shown).collect());
        }
        let closing = self.reply()?;
        let transfer = Transfer { opening, bytes, end, handshake, closing };
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
            drop(data);
        }
        self.reply()
    }

    /// Tries a command that wants a data connection, and fails unless it is refused with one of
    /// `codes`.
    pub fn refused(&mut self, line: impl AsRef<[u8]>, codes: &[u16]) -> Result<Reply, Failure> {
        let reply = self.attempt(line)?;
        self.judge(reply, codes, &[])
    }
}

/// Returns the bytes with a CR before each LF.
fn with_cr(bytes: &[u8]) -> Vec<u8> {
    bytes.split_inclusive(|&byte| byte == b'\n').fold(Vec::new(), |mut all, line| {
        match line.strip_suffix(b"\n") {
            Some(text) => all.extend([text, b"\r\n"].concat()),
            None => all.extend(line),
        }
        all
    })
}
