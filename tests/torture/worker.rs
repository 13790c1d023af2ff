//! A client that stores, overwrites, appends, renames, removes, reads, and dies again and again.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::model::{Change, Content, Model};
use crate::peer::Peer;
use crate::random::Random;
use crate::support::ClientTls;

/// How many names each client has to itself.
const NAMES: usize = 12;

/// The names that all clients replace.
pub(crate) const SHARED: [&str; 2] = ["shared-a", "shared-b"];

/// What the clients of a round have in common.
pub(crate) struct Round {
    pub(crate) server: SocketAddr,
    pub(crate) model: Arc<Mutex<Model>>,
    /// The server is about to be stopped: what fails from now on may.
    pub(crate) stopping: AtomicBool,
    /// Operations, finished or not; deaths of clients among them.
    pub(crate) operations: AtomicU64,
    pub(crate) deaths: AtomicU64,
    /// What must not have happened.
    pub(crate) faults: Mutex<Vec<String>>,
}

impl Round {
    pub(crate) fn new(server: SocketAddr, model: Arc<Mutex<Model>>) -> Arc<Self> {
        Arc::new(Self {
            server,
            model,
            stopping: AtomicBool::new(false),
            operations: AtomicU64::new(0),
            deaths: AtomicU64::new(0),
            faults: Mutex::default(),
        })
    }

    pub(crate) fn model(&self) -> MutexGuard<'_, Model> {
        self.model.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::SeqCst)
    }

    fn blame(&self, what: String) {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner).push(what);
    }
}

/// How an upload goes, or where its client dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// To its 226.
    Good,
    /// Its data connection never comes.
    NoData,
    /// It dies, or gives up, between two pieces of the file.
    Half(Death),
    /// All is sent; it dies before it hears 226.
    Unheard { quit: bool },
    /// All is sent, QUIT and the end of the control connection before the last piece.
    ControlFirst { quit: bool },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Death {
    /// Both connections end, control first: in order, or by a reset.
    Gone { by_reset: bool },
    /// The data connection is reset, or ends within TLS without close_notify; the client lives.
    DataLost,
    /// ABOR.
    Aborted,
}

/// One client in one round.
pub(crate) struct Worker {
    round: Arc<Round>,
    number: usize,
    random: Random,
    tls: Option<ClientTls>,
}

impl Worker {
    pub(crate) fn new(round: Arc<Round>, number: usize, mut random: Random) -> Self {
        let tls = random.one_in(3).then(ClientTls::new);
        Self { round, number, random, tls }
    }

    /// Works until the server is stopped, or nothing is left whose content is known.
    pub(crate) fn run(mut self, most: usize) {
        let mut session = None;
        for _ in 0..most {
            if self.round.is_stopping() {
                break;
            }
            let Some(peer) = session.take().or_else(|| self.enter()) else { break };
            self.round.operations.fetch_add(1, Ordering::SeqCst);
            match self.operate(peer) {
                Ok(peer) => session = peer,
                Err(_) if self.round.is_stopping() => {}
                Err(error) => {
                    self.round.blame(format!("client {}: {error}", self.number));
                    break;
                }
            }
            if session.is_none() {
                self.round.deaths.fetch_add(1, Ordering::SeqCst);
            }
        }
    }

    fn enter(&mut self) -> Option<Peer> {
        match Peer::log_in(self.round.server, self.tls.clone()) {
            Ok(peer) => Some(peer),
            Err(_) if self.round.is_stopping() => None,
            Err(error) => {
                self.round.blame(format!("client {} is not let in: {error}", self.number));
                None
            }
        }
    }

    /// Does one thing; returns the session, if the client has survived it.
    fn operate(&mut self, peer: Peer) -> io::Result<Option<Peer>> {
        if self.random.one_in(6) {
            return self.replace_shared(peer);
        }
        let name = self.name();
        let Some(content) = self.round.model().settled(&name) else { return Ok(Some(peer)) };
        match (self.random.below(10), content) {
            (0, Some(content)) => self.read(peer, &name, &content),
            (1, Some(_)) => self.change(peer, &name, Change::Remove, &format!("DELE {name}")),
            (2, Some(_)) => self.rename(peer, &name),
            (3 | 4, content) => self.append(peer, &name, content),
            (_, content) => {
                let content = content.map_or(0, |content| content.len());
                self.store(peer, &name, content)
            }
        }
    }

    fn name(&mut self) -> String {
        format!("client-{}-{}", self.number, self.random.below(NAMES))
    }

    /// Mostly short, now and then longer than every buffer on the way.
    fn content(&mut self) -> Content {
        let size = match self.random.below(4) {
            0 => 1 + self.random.below(100),
            1 => 1 + self.random.below(10_000),
            2 => 1 + self.random.below(300_000),
            _ => 1 + self.random.below(1_500_000),
        };
        Arc::new(self.random.bytes(size))
    }

    fn fate(&mut self) -> Fate {
        match self.random.below(12) {
            0 => Fate::NoData,
            1 => Fate::Half(Death::Gone { by_reset: false }),
            2 => Fate::Half(Death::Gone { by_reset: true }),
            3 => Fate::Half(Death::DataLost),
            4 => Fate::Half(Death::Aborted),
            5 => Fate::Unheard { quit: true },
            6 => Fate::Unheard { quit: false },
            7 => Fate::ControlFirst { quit: true },
            8 => Fate::ControlFirst { quit: false },
            _ => Fate::Good,
        }
    }

    fn read(&mut self, mut peer: Peer, name: &str, content: &Content) -> io::Result<Option<Peer>> {
        let found = peer.get(&format!("RETR {name}"))?;
        if found != **content {
            let lengths = (found.len(), content.len());
            self.round.blame(format!("RETR {name}: another content (lengths {lengths:?})"));
        }
        Ok(Some(peer))
    }

    /// A change by one command.
    fn change(
        &mut self,
        mut peer: Peer,
        name: &str,
        change: Change,
        command: &str,
    ) -> io::Result<Option<Peer>> {
        self.round.model().begin(name, change);
        peer.send(command)?;
        if self.random.one_in(4) {
            peer.die(self.random.one_in(2));
            return Ok(None);
        }
        peer.expect(command, 250)?;
        self.round.model().acknowledge(name);
        Ok(Some(peer))
    }

    fn rename(&mut self, mut peer: Peer, name: &str) -> io::Result<Option<Peer>> {
        let to = self.name();
        if to == name || self.round.model().settled(&to).is_none() {
            return Ok(Some(peer));
        }
        peer.ask(&format!("RNFR {name}"), 350)?;
        self.change(peer, name, Change::RenameTo(to.clone()), &format!("RNTO {to}"))
    }

    fn append(
        &mut self,
        peer: Peer,
        name: &str,
        content: Option<Content>,
    ) -> io::Result<Option<Peer>> {
        let more = self.content();
        let mut whole = content.map(|content| content.to_vec()).unwrap_or_default();
        whole.extend_from_slice(&more);
        let fate = self.fate();
        self.round.model().begin(name, Change::Append { whole: Arc::new(whole) });
        self.upload(peer, &format!("APPE {name}"), &more, fate, |model| model.acknowledge(name))
    }

    fn store(&mut self, peer: Peer, name: &str, old: usize) -> io::Result<Option<Peer>> {
        let mut new = self.content();
        if new.len() == old {
            Arc::make_mut(&mut new).push(b'.');
        }
        let fate = self.fate();
        let whole = !matches!(fate, Fate::NoData | Fate::Half(_));
        let quit = matches!(fate, Fate::Unheard { quit: true } | Fate::ControlFirst { quit: true });
        self.round.model().begin(name, Change::Store { new: new.clone(), whole, quit });
        self.upload(peer, &format!("STOR {name}"), &new, fate, |model| model.acknowledge(name))
    }

    fn replace_shared(&mut self, peer: Peer) -> io::Result<Option<Peer>> {
        let name = SHARED[self.random.below(SHARED.len())];
        let new = self.content();
        let fate = self.fate();
        let attempt = if matches!(fate, Fate::NoData | Fate::Half(_)) {
            None
        } else {
            Some(self.round.model().attempt(name, new.clone()))
        };
        self.upload(peer, &format!("STOR {name}"), &new, fate, |model| {
            model.succeed(name, attempt.expect("an upload that is whole"));
        })
    }

    fn upload(
        &mut self,
        mut peer: Peer,
        command: &str,
        bytes: &[u8],
        fate: Fate,
        succeeded: impl FnOnce(&mut Model),
    ) -> io::Result<Option<Peer>> {
        let by_reset = self.random.one_in(2);
        if fate == Fate::NoData {
            peer.port()?;
            peer.send(command)?;
            peer.die(by_reset);
            return Ok(None);
        }
        let mut data = peer.begin(command)?;
        let (first, last) = bytes.split_at(self.random.below(bytes.len()));
        data.write(first)?;
        match fate {
            Fate::Half(Death::Gone { by_reset }) => {
                peer.die(by_reset);
                data.die(by_reset);
                return Ok(None);
            }
            Fate::Half(Death::DataLost) => {
                let secured = data.is_secured();
                data.die(!secured || by_reset);
                let reply = peer.reply()?;
                // The server may not have come to the end of the handshake.
                if reply.code != 426 && !(secured && reply.code == 522) {
                    return Err(io::Error::other(format!("{command}: {}", reply.text.trim_end())));
                }
                return Ok(Some(peer));
            }
            Fate::Half(Death::Aborted) => {
                peer.send("ABOR")?;
                peer.expect(command, 426)?;
                peer.expect("ABOR", 226)?;
                return Ok(Some(peer));
            }
            Fate::ControlFirst { quit } => {
                if quit {
                    peer.send("QUIT")?;
                }
                peer.die(false);
                // Without QUIT the server may give up the upload before all of it has come.
                let sent = data.write(last).and_then(|()| data.finish());
                return if quit { sent.map(|()| None) } else { Ok(None) };
            }
            Fate::Good | Fate::Unheard { .. } | Fate::NoData => {}
        }
        data.write(last)?;
        data.finish()?;
        if let Fate::Unheard { quit } = fate {
            if quit {
                peer.send("QUIT")?;
            }
            peer.die(false);
            return Ok(None);
        }
        peer.expect(command, 226)?;
        succeeded(&mut self.round.model());
        if self.random.one_in(8) {
            peer.ask("QUIT", 221)?;
            return Ok(None);
        }
        Ok(Some(peer))
    }
}
