//! A proxy that stands before a server and breaks one thing about it.

mod deeds;
mod gate;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

pub(crate) use deeds::Deed;
use deeds::Seen;
pub(crate) use gate::only_behind_the_command;
use socket2::SockRef;

/// What becomes of a command on its way to the server.
pub(crate) enum Sent {
    /// It arrives, as it is or as something else.
    Pass(Vec<u8>),
    /// The proxy answers, and the server never hears of it.
    Answer(&'static str),
    /// The server never answers.
    Drop,
    /// The connection ends.
    Close,
}

/// What becomes of the bytes of a data connection; the command is the last one.
pub(crate) type Edit = fn(&str, Vec<u8>) -> Vec<u8>;

/// What is broken. The default breaks nothing.
#[derive(Clone, Copy)]
pub(crate) struct Fault {
    /// What becomes of a command, without its CRLF.
    pub(crate) command: fn(&[u8]) -> Sent,
    /// What becomes of a line of a reply, with its CRLF. The command is the last one.
    pub(crate) reply: fn(&str, String) -> String,
    /// What becomes of what the server sends over a data connection, and of what it receives.
    pub(crate) data: Option<Edit>,
    /// What is done besides.
    pub(crate) deed: Option<Deed>,
}

impl Default for Fault {
    fn default() -> Self {
        let command = |line: &[u8]| Sent::Pass(line.to_vec());
        Self { command, reply: |_, line| line, data: None, deed: None }
    }
}

/// A connection as the proxy sees it: what was said last.
#[derive(Clone)]
struct Session {
    fault: Fault,
    server: SocketAddr,
    command: Arc<Mutex<String>>,
    seen: Arc<Seen>,
}

/// Starts a proxy before this server, on a port of its own for as long as the process lives.
pub(crate) fn proxy(server: SocketAddr, fault: Fault) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("the listener is bound");
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let (command, seen) = (Arc::default(), Arc::default());
            let session = Session { fault, server, command, seen };
            thread::spawn(move || session.serve(client));
        }
    });
    address
}

impl Session {
    /// Whatever goes wrong here ends both connections, which the checks see.
    fn serve(self, client: TcpStream) {
        let Ok(server) = TcpStream::connect(self.server) else { return };
        for socket in [&client, &server] {
            let _ = socket.set_nodelay(true);
        }
        // Telnet's Synch goes on as a byte like any other.
        let _ = SockRef::from(&client).set_out_of_band_inline(true);
        let (Ok(to_client), Ok(from_server)) = (client.try_clone(), server.try_clone()) else {
            return;
        };
        let replies = self.clone();
        let back = thread::spawn(move || replies.replies(from_server, to_client));
        let ended = self.commands(&client, &server);
        if self.seen.end(self.fault.deed, self.server) {
            let _ = server.shutdown(Shutdown::Both);
            let _ = client.shutdown(Shutdown::Both);
        }
        if ended.is_err() {
            // A reset goes on as one, when the last handle is closed.
            let _ = SockRef::from(&server).set_linger(Some(Duration::ZERO));
            let _ = server.shutdown(Shutdown::Read);
            return;
        }
        let _ = server.shutdown(Shutdown::Write);
        let _ = back.join();
        let _ = client.shutdown(Shutdown::Both);
    }

    fn commands(&self, client: &TcpStream, mut server: &TcpStream) -> std::io::Result<()> {
        let mut lines = BufReader::new(client);
        loop {
            let mut line = Vec::new();
            if lines.read_until(b'\n', &mut line)? == 0 {
                return Ok(());
            }
            let Some(bare) = line.strip_suffix(b"\r\n") else {
                // Part of a Telnet command.
                server.write_all(&line)?;
                continue;
            };
            *self.command.lock().unwrap() = String::from_utf8_lossy(bare).to_uppercase();
            self.seen.command(self.fault.deed, self.server, bare);
            match (self.fault.command)(bare) {
                Sent::Pass(line) => server.write_all(&[&line[..], b"\r\n"].concat())?,
                Sent::Answer(reply) => {
                    let mut client = client;
                    client.write_all(format!("{reply}\r\n").as_bytes())?;
                }
                Sent::Drop => {}
                Sent::Close => {
                    server.shutdown(Shutdown::Both)?;
                    return client.shutdown(Shutdown::Both);
                }
            }
        }
    }

    fn replies(&self, server: TcpStream, mut client: TcpStream) {
        let mut lines = BufReader::new(server);
        let mut line = Vec::new();
        while lines.read_until(b'\n', &mut line).is_ok_and(|count| count > 0) {
            let command = self.command.lock().unwrap().clone();
            // A byte a character, so that every byte arrives.
            let text = line.iter().map(|&byte| char::from(byte)).collect();
            let text = self.relayed((self.fault.reply)(&command, text));
            self.seen.reply(self.fault.deed, self.server, &text);
            let bytes: Vec<u8> = text.chars().map(|character| character as u8).collect();
            if client.write_all(&bytes).is_err() {
                break;
            }
            line.clear();
        }
        let _ = client.shutdown(Shutdown::Both);
    }

    /// Names a port of the proxy instead of the server's passive port, where data is looked at.
    fn relayed(&self, reply: String) -> String {
        let (Some(edit), Some(port)) = (self.fault.data, passive_port(&reply)) else {
            return reply;
        };
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let own = listener.local_addr().expect("the listener is bound").port();
        let (session, server) = (self.clone(), SocketAddr::new(self.server.ip(), port));
        thread::spawn(move || session.relay(&listener, server, edit));
        format!("229 Entering Extended Passive Mode (|||{own}|)\r\n")
    }

    fn relay(&self, listener: &TcpListener, server: SocketAddr, edit: Edit) {
        let Ok((mut client, _)) = listener.accept() else { return };
        let Ok(mut server) = TcpStream::connect(server) else { return };
        let (Ok(mut from_client), Ok(mut to_server)) = (client.try_clone(), server.try_clone())
        else {
            return;
        };
        let (up, down) = (self.clone(), self.clone());
        thread::spawn(move || {
            let mut bytes = Vec::new();
            let _ = from_client.read_to_end(&mut bytes);
            let command = up.command.lock().unwrap().clone();
            let _ = to_server.write_all(&edit(&command, bytes));
            let _ = to_server.shutdown(Shutdown::Write);
        });
        let mut bytes = Vec::new();
        let _ = server.read_to_end(&mut bytes);
        let command = down.command.lock().unwrap().clone();
        if !bytes.is_empty() {
            let _ = client.write_all(&edit(&command, bytes));
        }
        let _ = client.shutdown(Shutdown::Write);
    }
}

/// Returns the port of a reply to EPSV.
fn passive_port(reply: &str) -> Option<u16> {
    let (_, tail) = reply.strip_prefix("229")?.split_once("(|||")?;
    tail.split('|').next()?.parse().ok()
}

/// Starts a proxy before a server at 127.0.0.2 that speaks TLS and whose passive ports are `ports`:
/// it takes the server's close_notify out of every connection.
pub(crate) fn without_close_notify(server: SocketAddr, ports: Vec<TcpListener>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("the listener is bound");
    let forward = |listener: TcpListener, to: SocketAddr| {
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                thread::spawn(move || cut_close_notify(client, to));
            }
        });
    };
    forward(listener, server);
    for port in ports {
        let number = port.local_addr().expect("the listener is bound").port();
        forward(port, SocketAddr::new(server.ip(), number));
    }
    address
}

fn cut_close_notify(mut client: TcpStream, server: SocketAddr) {
    let Ok(mut server) = TcpStream::connect(server) else { return };
    let (Ok(mut from_client), Ok(mut to_server)) = (client.try_clone(), server.try_clone()) else {
        return;
    };
    thread::spawn(move || {
        let _ = std::io::copy(&mut from_client, &mut to_server);
        let _ = to_server.shutdown(Shutdown::Write);
    });
    // Replies in clear end in LF, and records of TLS have a header that says how long they are.
    let mut held: Vec<u8> = Vec::new();
    loop {
        let mut record = vec![0; 5];
        if server.read_exact(&mut record[..1]).is_err() {
            break;
        }
        let is_record = (20..=23).contains(&record[0]);
        if is_record {
            if server.read_exact(&mut record[1..]).is_err() {
                break;
            }
            let length = usize::from(u16::from_be_bytes([record[3], record[4]]));
            record.resize(5 + length, 0);
            if server.read_exact(&mut record[5..]).is_err() {
                break;
            }
        } else {
            record.truncate(1);
        }
        if !held.is_empty() && client.write_all(&held).is_err() {
            break;
        }
        held.clear();
        // An alert as TLS 1.2 shows it; one of TLS 1.3 has two bytes, a type and a tag.
        if record[0] == 21 || is_record && record[0] == 23 && record.len() == 5 + 19 {
            held = record;
        } else if client.write_all(&record).is_err() {
            break;
        }
    }
    let _ = client.shutdown(Shutdown::Write);
}
