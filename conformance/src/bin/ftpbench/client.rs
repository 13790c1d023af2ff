//! A client: a control connection, and the transfers that it makes.

use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};

use wharf_conformance::Tls;

use crate::control::{Control, Result, Server, words};
use crate::tls::{Buffers, TlsWire};
use crate::wire::{Wire, connect};

/// How much is read or written at a time.
pub(crate) const CHUNK: usize = 256 * 1024;
/// The folder on the server in which all happens.
pub(crate) const FOLDER: &str = "bench";

/// A client that is logged in and may transfer.
pub(crate) struct Client {
    pub(crate) control: Control,
    server: Server,
    tls: Option<Tls>,
    knows_epsv: bool,
    /// What is sent, or was received.
    chunk: Vec<u8>,
    /// For one data connection within TLS after another.
    buffers: Buffers,
}

impl Client {
    /// Connects, logs in, and prepares transfers: TYPE I, and PROT P within TLS.
    pub(crate) fn open(server: &Server) -> Result<Self> {
        let tls = server.tls.then(Tls::new);
        let mut control = log_in(server, tls.as_ref(), None)?;
        if server.tls {
            control.expect("PBSZ 0", &[200])?;
            control.expect("PROT P", &[200])?;
        }
        control.expect("TYPE I", &[200])?;
        let buffers = if server.tls { Buffers::new(CHUNK) } else { Buffers::default() };
        let chunk = (0..CHUNK).map(|at| at as u8).collect();
        Ok(Self { control, server: server.clone(), tls, knows_epsv: true, chunk, buffers })
    }

    /// Opens a client in the folder that holds what is transferred.
    pub(crate) fn in_folder(server: &Server) -> Result<Self> {
        let mut client = Self::open(server)?;
        let entered = client.control.expect(&format!("CWD {FOLDER}"), &[250, 200]);
        entered.map_err(|error| format!("{error} (--prepare makes it)"))?;
        Ok(client)
    }

    /// Retrieves a file or a listing; `see` is shown all bytes. Returns how many came.
    pub(crate) fn retrieve(&mut self, command: &str, mut see: impl FnMut(&[u8])) -> Result<u64> {
        let mut data = self.begin(command)?;
        let total = data.receive(&mut self.chunk, &mut see);
        let total = total.map_err(|error| self.broken(command, &error))?;
        self.keep(data);
        self.finish(command)?;
        Ok(total)
    }

    /// Stores so many bytes, and waits for the server to say that it has them.
    pub(crate) fn store(&mut self, command: &str, size: u64) -> Result<u64> {
        let mut data = self.begin(command)?;
        let mut left = size;
        while left > 0 {
            let count = left.min(CHUNK as u64) as usize;
            if let Err(error) = data.write_all(&self.chunk[..count]) {
                return Err(self.broken(command, &error));
            }
            left -= count as u64;
        }
        data.end().map_err(|error| format!("{command}: {}", words(&error)))?;
        if let Wire::Tls(_) = data {
            // Tickets for later sessions; left unread they would make a RST of the FIN. What else
            // goes wrong here the reply says.
            let _ = data.read(&mut [0; 64]);
        }
        self.keep(data);
        self.finish(command)?;
        Ok(size)
    }

    /// Makes a data connection, and sends the command that is about it.
    fn begin(&mut self, command: &str) -> Result<Wire> {
        let address = SocketAddr::new(self.server.address.ip(), self.passive_port()?);
        let socket = connect(address, None, self.server.timeout);
        let socket = socket.map_err(|error| format!("passive port: {}", words(&error)))?;
        self.control.send_line(command)?;
        let Some(tls) = self.tls.clone() else {
            let code = self.control.reply(command)?;
            self.control.check(command, code, &[150, 125])?;
            return Ok(Wire::Clear(socket));
        };
        // The order is free: some servers wait for the handshake, and then send 150.
        let secured = self.secure(socket, &tls);
        let code = self.control.reply(command)?;
        self.control.check(command, code, &[150, 125])?;
        secured.map_err(|error| format!("{command}: handshake: {}", words(&error)))
    }

    fn secure(&mut self, socket: TcpStream, tls: &Tls) -> io::Result<Wire> {
        // A small record at the end must not wait for the ACK of what came before.
        socket.set_nodelay(true)?;
        let connection = tls.unbuffered(self.server.address.ip()).map_err(io::Error::other)?;
        let buffers = std::mem::take(&mut self.buffers);
        Ok(Wire::Tls(TlsWire::handshake(socket, connection, buffers)?))
    }

    /// Closes a data connection, and keeps its buffers.
    fn keep(&mut self, data: Wire) {
        if let Wire::Tls(wire) = data {
            self.buffers = wire.into_buffers();
        }
    }

    fn finish(&mut self, command: &str) -> Result<()> {
        let code = self.control.reply(command)?;
        self.control.check(command, code, &[226, 250])
    }

    /// Describes why a transfer broke off: by the server's reply, if there is one.
    fn broken(&mut self, command: &str, error: &io::Error) -> String {
        let why = words(error);
        match self.control.reply(command) {
            Ok(_) => format!("{command}: {why}; {}", self.control.text()),
            Err(_) => format!("{command}: {why}"),
        }
    }

    /// Asks for a passive port, with EPSV, or with PASV where the server does not know that.
    fn passive_port(&mut self) -> Result<u16> {
        if self.knows_epsv {
            let code = self.control.command("EPSV")?;
            match code {
                229 => {
                    let text = self.control.text();
                    return epsv_port(&text).ok_or_else(|| format!("EPSV: {text}"));
                }
                500..=522 if self.server.address.is_ipv4() => self.knows_epsv = false,
                _ => return Err(format!("EPSV: {}", self.control.text())),
            }
        }
        self.control.expect("PASV", &[227])?;
        let text = self.control.text();
        pasv_port(&text).ok_or_else(|| format!("PASV: {text}"))
    }
}

/// Connects and logs in, within TLS if there is one.
pub(crate) fn log_in(server: &Server, tls: Option<&Tls>, from: Option<IpAddr>) -> Result<Control> {
    let mut control = Control::connect(server, from)?;
    if let Some(tls) = tls {
        control.secure(server, tls)?;
    }
    control.log_in(&server.user, &server.password)?;
    Ok(control)
}

/// Returns the port of `229 ... (|||port|)` (RFC 2428).
fn epsv_port(text: &str) -> Option<u16> {
    let (_, fields) = text.split_once('(')?;
    let delimiter = fields.chars().next()?;
    fields.split(delimiter).nth(3)?.parse().ok().filter(|&port| port != 0)
}

/// Returns the port of `227 ... (h1,h2,h3,h4,p1,p2)`.
fn pasv_port(text: &str) -> Option<u16> {
    let rest = text.get(4..)?;
    let numbers = &rest[rest.find(|c: char| c.is_ascii_digit())?..];
    let mut numbers = numbers.split(|c: char| !c.is_ascii_digit()).skip(4).map(str::parse::<u8>);
    let port = u16::from_be_bytes([numbers.next()?.ok()?, numbers.next()?.ok()?]);
    Some(port).filter(|&port| port != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_passive_port() {
        assert_eq!(epsv_port("229 Entering (|||4660|)"), Some(4660));
        assert_eq!(epsv_port("229 Entering (!!!4660!)."), Some(4660));
        for wrong in ["229 x", "229 (||4660|)", "229 (|||0|)", "229 ("] {
            assert_eq!(epsv_port(wrong), None, "{wrong}");
        }
        for right in ["227 x (127,0,0,1,18,52).", "227 127,0,0,1,18,52", "227 =127,0,0,1,18,52"] {
            assert_eq!(pasv_port(right), Some(0x1234), "{right}");
        }
        for wrong in ["227", "227 x", "227 (1,2,3,4,5)", "227 (1,2,3,4,5,256)", "227 (1,2,3,4,0,0)"]
        {
            assert_eq!(pasv_port(wrong), None, "{wrong}");
        }
    }
}
