//! A small FTP client: no more than lines, replies and data connections.

use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use socket2::{Domain, SockRef, Socket, Type};
use wharf::Server;

use super::tls::{Channel, ClientTls, TlsStream};
use super::{LIMIT, address};

/// The type of a TLS record that holds an alert (RFC 8446 section 5.1).
const ALERT: u8 = 21;

/// A control connection.
pub(crate) struct Client {
    reader: BufReader<Channel>,
}

/// A reply: its code, and all of its lines.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) code: u16,
    pub(crate) text: String,
}

impl Client {
    /// Connects, and reads nothing yet.
    pub(crate) fn dial(to: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect_timeout(&to, LIMIT)?;
        stream.set_nodelay(true)?;
        limit(&stream)?;
        Ok(Self { reader: BufReader::new(Channel::Clear(stream)) })
    }

    /// Connects from this address of the computer, and reads nothing yet.
    pub(crate) fn dial_from(from: IpAddr, to: SocketAddr) -> io::Result<Self> {
        let stream = connect_from(from, to)?;
        limit(&stream)?;
        Ok(Self { reader: BufReader::new(Channel::Clear(stream)) })
    }

    /// Connects and takes the greeting.
    #[track_caller]
    pub(crate) fn connect(server: &Server) -> Self {
        let mut client = Self::dial(address(server)).expect("the server can be reached");
        client.expect(220);
        client
    }

    /// Logs in, and chooses binary transfers.
    #[track_caller]
    pub(crate) fn log_in(server: &Server) -> Self {
        let mut client = Self::connect(server);
        client.enter();
        client
    }

    #[track_caller]
    pub(crate) fn enter(&mut self) {
        self.ask("USER anonymous", 331);
        self.ask("PASS me@example", 230);
        self.ask("TYPE I", 200);
    }

    /// Whether a session is to be had; if so, logged in.
    pub(crate) fn try_log_in(server: &Server) -> Option<Self> {
        let mut client = Self::dial(address(server)).ok()?;
        (client.reply().ok()?.code == 220).then(|| {
            client.enter();
            client
        })
    }

    pub(crate) fn stream(&self) -> &TcpStream {
        self.reader.get_ref().socket()
    }

    /// Begins TLS, without a word before it.
    pub(crate) fn start_tls(&mut self, tls: &ClientTls) -> io::Result<()> {
        self.adopt(|socket| TlsStream::connect(socket, tls))
    }

    /// Goes on within a TLS connection that is made of its own.
    pub(super) fn adopt(
        &mut self,
        start: impl FnOnce(TcpStream) -> io::Result<TlsStream>,
    ) -> io::Result<()> {
        match self.reader.buffer().first() {
            None => self.reader.get_mut().start_tls(start),
            // A server that stops ends TLS before it has begun: that record may come with 234.
            Some(&ALERT) => Err(ErrorKind::ConnectionAborted.into()),
            Some(_) => panic!("something comes in clear after 234"),
        }
    }

    /// Returns the TLS that the connection is in.
    #[track_caller]
    pub(crate) fn tls(&mut self) -> &mut TlsStream {
        match self.reader.get_mut() {
            Channel::Secured(tls) => tls,
            _ => panic!("the control connection is in clear"),
        }
    }

    /// Goes on in clear, without a word about it.
    pub(crate) fn end_tls(&mut self) {
        assert!(self.reader.buffer().is_empty(), "nothing comes within TLS any more");
        self.reader.get_mut().end_tls();
    }

    #[track_caller]
    pub(crate) fn send(&mut self, line: &str) {
        self.send_raw(format!("{line}\r\n").as_bytes());
    }

    #[track_caller]
    pub(crate) fn send_raw(&mut self, bytes: &[u8]) {
        self.reader.get_mut().write_all(bytes).expect("the control connection takes bytes");
    }

    /// Sends a line over a connection that may be lost.
    pub(crate) fn try_send(&mut self, line: &str) -> io::Result<()> {
        self.reader.get_mut().write_all(format!("{line}\r\n").as_bytes())?;
        self.reader.get_mut().flush()
    }

    /// Reads a whole reply.
    pub(crate) fn reply(&mut self) -> io::Result<Reply> {
        let mut text = String::new();
        loop {
            let mut line = Vec::new();
            if self.reader.read_until(b'\n', &mut line)? == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
            let line = String::from_utf8_lossy(&line).into_owned();
            text += &line;
            let code = line.get(..3).and_then(|digits| digits.parse().ok());
            if let (Some(code), Some(" ")) = (code, line.get(3..4)) {
                return Ok(Reply { code, text });
            }
        }
    }

    /// Reads a reply, which must have this code.
    #[track_caller]
    pub(crate) fn expect(&mut self, code: u16) -> Reply {
        let reply = self.reply().unwrap_or_else(|error| panic!("no reply, {code} wanted: {error}"));
        assert_eq!(reply.code, code, "{}", reply.text);
        reply
    }

    /// Reads a reply of one line, which must have this code, and nothing after it.
    #[track_caller]
    pub(crate) fn expect_barely(&mut self, code: u16) {
        assert!(self.reader.buffer().is_empty(), "it has been read already");
        let mut line = Vec::new();
        while !line.ends_with(b"\n") {
            let mut byte = [0];
            self.reader.get_mut().read_exact(&mut byte).expect("a reply");
            line.push(byte[0]);
        }
        let line = String::from_utf8_lossy(&line);
        assert!(line.starts_with(&format!("{code} ")), "{line}");
    }

    /// Sends a command, whose reply must have this code.
    #[track_caller]
    pub(crate) fn ask(&mut self, line: &str, code: u16) -> Reply {
        self.send(line);
        let reply = self.reply().unwrap_or_else(|error| panic!("no reply to {line}: {error}"));
        assert_eq!(reply.code, code, "{line}: {}", reply.text);
        reply
    }

    /// Waits for the end of the control connection, in order or not; nothing may come before it.
    #[track_caller]
    pub(crate) fn expect_end(&mut self) {
        let mut rest = Vec::new();
        match self.reader.read_to_end(&mut rest) {
            Err(error) if is_timeout(&error) => panic!("the control connection stays open"),
            _ => assert_eq!(String::from_utf8_lossy(&rest), ""),
        }
    }

    /// Waits for the end of the control connection, whatever comes before it.
    #[track_caller]
    pub(crate) fn expect_hangup(&mut self) {
        match self.reader.read_to_end(&mut Vec::new()) {
            Err(error) if is_timeout(&error) => panic!("the control connection stays open"),
            _ => {}
        }
    }

    /// Asks for a passive port.
    #[track_caller]
    pub(crate) fn pasv(&mut self) -> SocketAddr {
        let text = self.ask("PASV", 227).text;
        let numbers = text.split(['(', ')']).nth(1).expect("an address in the reply to PASV");
        let numbers: Vec<u8> = numbers.split(',').map(|n| n.parse().unwrap()).collect();
        let ip = Ipv4Addr::new(numbers[0], numbers[1], numbers[2], numbers[3]);
        SocketAddr::from((ip, u16::from_be_bytes([numbers[4], numbers[5]])))
    }

    /// Asks for a passive port on the address that it is connected to already.
    #[track_caller]
    pub(crate) fn epsv(&mut self) -> SocketAddr {
        let text = self.ask("EPSV", 229).text;
        let port = text.split('|').nth(3).and_then(|port| port.parse().ok());
        let ip = self.stream().peer_addr().unwrap().ip();
        SocketAddr::new(ip, port.expect("a port in the reply to EPSV"))
    }

    /// Opens a passive data connection, from the address that the control connection has.
    #[track_caller]
    pub(crate) fn passive(&mut self) -> TcpStream {
        let to = self.epsv();
        let from = self.stream().local_addr().unwrap().ip();
        let data = connect_from(from, to).expect("a data connection");
        limit(&data).unwrap();
        data
    }

    /// A passive data connection that holds little of what the server sends.
    #[track_caller]
    pub(crate) fn narrow_passive(&mut self) -> TcpStream {
        let to = self.epsv();
        let socket = Socket::new(Domain::for_address(to), Type::STREAM, None).unwrap();
        socket.set_recv_buffer_size(4096).unwrap();
        socket.connect_timeout(&to.into(), LIMIT).unwrap();
        let data = TcpStream::from(socket);
        limit(&data).unwrap();
        data
    }

    /// Names a port of its own to the server.
    #[track_caller]
    pub(crate) fn eprt(&mut self) -> TcpListener {
        let ip = self.stream().local_addr().unwrap().ip();
        let listener = TcpListener::bind((ip, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let family = if matches!(ip, IpAddr::V4(_)) { 1 } else { 2 };
        self.ask(&format!("EPRT |{family}|{ip}|{port}|"), 200);
        listener
    }

    /// Begins a transfer over a passive data connection.
    #[track_caller]
    pub(crate) fn begin(&mut self, command: &str) -> TcpStream {
        let data = self.passive();
        self.ask(command, 150);
        data
    }

    /// RETR, LIST and the like.
    #[track_caller]
    pub(crate) fn get(&mut self, command: &str) -> Vec<u8> {
        let bytes = read_all(self.begin(command));
        self.expect(226);
        bytes
    }

    /// STOR and the like.
    #[track_caller]
    pub(crate) fn put(&mut self, command: &str, bytes: &[u8]) {
        let mut data = self.begin(command);
        data.write_all(bytes).expect("the data connection takes bytes");
        drop(data);
        self.expect(226);
    }

    /// Does what a visitor does: looks around, takes a file, leaves one, and goes.
    #[track_caller]
    pub(crate) fn visit(server: &Server) {
        let mut client = Self::log_in(server);
        client.put("STOR visitor", b"I was here.");
        let names = String::from_utf8(client.get("NLST")).unwrap();
        assert!(names.contains("visitor"), "{names}");
        assert!(client.ask("SIZE visitor", 213).text.contains("11"));
        assert_eq!(client.get("RETR visitor"), b"I was here.");
        client.ask("QUIT", 221);
        client.expect_end();
    }

    /// Breaks the control connection by RST.
    pub(crate) fn reset(self) {
        reset(self.reader.into_inner().into_socket());
    }
}

/// Breaks a connection by RST.
pub(crate) fn reset(stream: TcpStream) {
    SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
}

/// Reads up to the end, which must come in order.
#[track_caller]
pub(crate) fn read_all(mut data: TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    data.read_to_end(&mut bytes).expect("the data connection ends in order");
    bytes
}

fn connect_from(from: IpAddr, to: SocketAddr) -> io::Result<TcpStream> {
    let socket = Socket::new(Domain::for_address(to), Type::STREAM, None)?;
    socket.bind(&SocketAddr::new(from, 0).into())?;
    socket.connect_timeout(&to.into(), LIMIT)?;
    Ok(TcpStream::from(socket))
}

fn limit(stream: &TcpStream) -> io::Result<()> {
    stream.set_read_timeout(Some(LIMIT))?;
    stream.set_write_timeout(Some(LIMIT))
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}
