//! What a broken server does of its own accord, about uploads and about clients that leave.

use std::io::{BufRead, BufReader, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::{Condvar, Mutex};
use std::time::Duration;

/// What is wrong with a server, beyond what it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Deed {
    /// A file is removed whose client has gone before it was told 226.
    LosesUnread,
    /// The end of what a client sends is the end of its session.
    HalfCloseIsLoss,
    /// An empty file is made when an upload begins, though there is no data connection.
    MakesPlaceholder,
    /// An old file is emptied when an upload begins, though there is no data connection.
    EmptiesFirst,
    /// What an upload without a data connection finds at its end under a new name is removed.
    RemovesByName,
}

/// What one session has come to, as far as a deed is concerned.
#[derive(Default)]
pub(crate) struct Seen {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// The upload that has not been answered yet.
    upload: Option<Upload>,
    /// The client has closed, or shut its write side.
    is_gone: bool,
}

struct Upload {
    path: String,
    was_there: bool,
    is_open: bool,
}

/// Longer than a client that leaves needs to do so.
const PARTING: Duration = Duration::from_millis(150);

impl Seen {
    /// Looks at a command before it goes on to the server; only whole paths count.
    pub(crate) fn command(&self, deed: Option<Deed>, server: SocketAddr, line: &[u8]) {
        let Some(deed) = deed else { return };
        let line = String::from_utf8_lossy(line);
        let (word, path) = line.split_once(' ').unwrap_or((&line, ""));
        if ["STOR", "APPE"].contains(&word) && path.starts_with('/') {
            let mut owner = Owner::login(server);
            let was_there = owner.say(&format!("SIZE {path}")).starts_with("213");
            match deed {
                Deed::MakesPlaceholder if !was_there => owner.empty(path),
                Deed::EmptiesFirst if was_there && word == "STOR" => owner.empty(path),
                _ => {}
            }
            let upload = Upload { path: path.to_owned(), was_there, is_open: false };
            self.state.lock().unwrap().upload = Some(upload);
        }
        if word == "ABOR" {
            self.ended(deed, server);
        }
    }

    /// Looks at the end of what the client sends. Returns `true` if the session ends with it.
    pub(crate) fn end(&self, deed: Option<Deed>, server: SocketAddr) -> bool {
        let Some(deed) = deed else { return false };
        self.state.lock().unwrap().is_gone = true;
        self.changed.notify_all();
        self.ended(deed, server);
        deed == Deed::HalfCloseIsLoss
    }

    fn ended(&self, deed: Deed, server: SocketAddr) {
        let upload = self.state.lock().unwrap().upload.take_if(|upload| !upload.is_open);
        if let (Deed::RemovesByName, Some(upload)) = (deed, upload)
            && !upload.was_there
        {
            Owner::login(server).say(&format!("DELE {}", upload.path));
        }
    }

    /// Looks at a line of a reply before it goes on to the client.
    pub(crate) fn reply(&self, deed: Option<Deed>, server: SocketAddr, line: &str) {
        let Some(deed) = deed else { return };
        let mut state = self.state.lock().unwrap();
        if line.starts_with("150") {
            state.upload.iter_mut().for_each(|upload| upload.is_open = true);
        }
        if !line.starts_with("226") {
            return;
        }
        let Some(upload) = state.upload.take() else { return };
        if deed == Deed::LosesUnread {
            let stays = |state: &mut State| !state.is_gone;
            let (state, _) = self.changed.wait_timeout_while(state, PARTING, stays).unwrap();
            if state.is_gone {
                Owner::login(server).say(&format!("DELE {}", upload.path));
            }
        }
    }
}

/// A session of the proxy's own.
struct Owner {
    server: SocketAddr,
    lines: BufReader<TcpStream>,
}

impl Owner {
    fn login(server: SocketAddr) -> Self {
        let socket = TcpStream::connect(server).expect("the server is there");
        let mut owner = Self { server, lines: BufReader::new(socket) };
        owner.answer();
        owner.say("USER user");
        owner.say("PASS password");
        owner.say("TYPE I");
        owner
    }

    fn say(&mut self, line: &str) -> String {
        // A server that has ended says nothing more.
        let _ = self.lines.get_mut().write_all(format!("{line}\r\n").as_bytes());
        self.answer()
    }

    /// Returns the last line of a reply.
    fn answer(&mut self) -> String {
        let mut line = String::new();
        while self.lines.read_line(&mut line).is_ok_and(|count| count > 0) {
            if line.as_bytes().get(3) == Some(&b' ') && line.as_bytes()[0].is_ascii_digit() {
                return line;
            }
            line.clear();
        }
        line
    }

    /// Leaves an empty file under this name.
    fn empty(&mut self, path: &str) {
        let port = super::passive_port(&self.say("EPSV")).expect("a passive port");
        let data = TcpStream::connect((self.server.ip(), port)).expect("it listens");
        let opens = self.say(&format!("STOR {path}")).starts_with("150");
        let _ = data.shutdown(Shutdown::Both);
        if opens {
            self.answer();
        }
    }
}
