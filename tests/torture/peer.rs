//! An FTP client that may die at any point, and for which a lost connection is no surprise.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};

use crate::support::{Client, ClientTls, LIMIT, Reply, TlsStream, reset};

/// A session that has logged in, in clear or within TLS.
pub(crate) struct Peer {
    control: Client,
    tls: Option<ClientTls>,
}

/// A data connection.
pub(crate) enum Data {
    Clear(TcpStream),
    Secured(Box<TlsStream>),
}

impl Peer {
    pub(crate) fn log_in(to: SocketAddr, tls: Option<ClientTls>) -> io::Result<Self> {
        let mut control = Client::dial(to)?;
        let greeting = control.reply()?;
        if greeting.code != 220 {
            return Err(io::Error::new(ErrorKind::ConnectionRefused, greeting.text));
        }
        let mut peer = Self { control, tls };
        if let Some(tls) = peer.tls.clone() {
            peer.ask("AUTH TLS", 234)?;
            peer.control.start_tls(&tls)?;
        }
        peer.ask("USER anonymous", 331)?;
        peer.ask("PASS me@example", 230)?;
        peer.ask("TYPE I", 200)?;
        if peer.tls.is_some() {
            peer.ask("PBSZ 0", 200)?;
            peer.ask("PROT P", 200)?;
        }
        Ok(peer)
    }

    pub(crate) fn send(&mut self, line: &str) -> io::Result<()> {
        self.control.try_send(line)
    }

    pub(crate) fn reply(&mut self) -> io::Result<Reply> {
        self.control.reply()
    }

    /// Sends a command, whose reply has to have this code: any other is an error.
    pub(crate) fn ask(&mut self, line: &str, code: u16) -> io::Result<Reply> {
        self.send(line)?;
        self.expect(line, code)
    }

    pub(crate) fn expect(&mut self, line: &str, code: u16) -> io::Result<Reply> {
        let reply = self.reply()?;
        if reply.code == code {
            return Ok(reply);
        }
        Err(io::Error::other(format!("{line}: {}", reply.text.trim_end())))
    }

    /// Asks for a passive port.
    pub(crate) fn port(&mut self) -> io::Result<SocketAddr> {
        let text = self.ask("EPSV", 229)?.text;
        let port = text.split('|').nth(3).and_then(|port| port.parse().ok());
        Ok(SocketAddr::new(self.control.stream().peer_addr()?.ip(), port.expect("a port")))
    }

    /// Begins a transfer over a passive data connection.
    pub(crate) fn begin(&mut self, command: &str) -> io::Result<Data> {
        let port = self.port()?;
        let data = TcpStream::connect_timeout(&port, LIMIT)?;
        data.set_read_timeout(Some(LIMIT))?;
        data.set_write_timeout(Some(LIMIT))?;
        self.ask(command, 150)?;
        Ok(match &self.tls {
            Some(tls) => Data::Secured(Box::new(TlsStream::connect(data, tls)?)),
            None => Data::Clear(data),
        })
    }

    pub(crate) fn get(&mut self, command: &str) -> io::Result<Vec<u8>> {
        let mut data = self.begin(command)?;
        let mut bytes = Vec::new();
        match &mut data {
            Data::Clear(data) => data.read_to_end(&mut bytes)?,
            Data::Secured(data) => data.read_to_end(&mut bytes)?,
        };
        data.finish()?;
        self.expect(command, 226)?;
        Ok(bytes)
    }

    /// Closes the control connection, in order or by a reset.
    pub(crate) fn die(self, by_reset: bool) {
        if by_reset {
            self.control.reset();
        }
    }
}

impl Data {
    pub(crate) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Clear(data) => data.write_all(bytes),
            Self::Secured(data) => {
                data.write_all(bytes)?;
                data.flush()
            }
        }
    }

    /// Closes it in order: within TLS with close_notify.
    pub(crate) fn finish(self) -> io::Result<()> {
        match self {
            Self::Clear(data) => data.shutdown(Shutdown::Write),
            Self::Secured(mut data) => {
                let last = data.encrypt_notify();
                let mut socket = data.into_socket();
                socket.write_all(&last)?;
                socket.shutdown(Shutdown::Write)
            }
        }
    }

    /// Closes it as a client does that dies: within TLS without close_notify.
    pub(crate) fn die(self, by_reset: bool) {
        let socket = match self {
            Self::Clear(data) => data,
            Self::Secured(data) => data.into_socket(),
        };
        if by_reset {
            reset(socket);
        }
    }

    /// Returns `true` if a bare end of the connection cannot pass for the end of the file.
    pub(crate) fn is_secured(&self) -> bool {
        matches!(self, Self::Secured(_))
    }
}
