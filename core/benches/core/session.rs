//! Commands and dialogues, with events as a driver would give them.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use divan::Bencher;
use divan::counter::ItemsCount;
use wharf_core::{
    Action, Admission, Endpoint, Event, Grant, Instant, Now, Opened, Permissions, Session,
    SessionConfig, StorageAnswer, StorageRequest, TransferEnd, WallTime,
};

const NOW: Now = Now {
    instant: Instant::from_epoch(Duration::from_secs(1000)),
    wall: WallTime::from_seconds(1_732_174_800),
};

/// How many bytes the file of the dialogues has.
const SIZE: u64 = 4096;

/// A driver that answers all at once, and well.
struct Driver(Session);

impl Driver {
    fn connect() -> Self {
        let [local, peer]: [SocketAddr; 2] =
            ["10.0.0.9:21", "10.0.0.1:4000"].map(|address| address.parse().unwrap());
        let endpoint = Endpoint::new(local, peer, Admission::Welcome);
        Self(Session::new(Arc::new(SessionConfig::default()), endpoint, NOW))
    }

    fn logged_in() -> Self {
        let mut driver = Self::connect();
        driver.send(b"USER joe\r\n");
        driver.send(b"PASS secret\r\n");
        driver.send(b"TYPE I\r\n");
        driver
    }

    /// Sends commands, and carries out what comes of them; returns how many reply bytes come.
    fn send(&mut self, commands: &[u8]) -> usize {
        let (mut rest, mut replied) = (commands, 0);
        loop {
            let taken = self.0.receive(rest, NOW);
            rest = &rest[taken..];
            replied += self.work();
            if rest.is_empty() {
                return replied;
            }
        }
    }

    fn work(&mut self) -> usize {
        let mut replied = 0;
        loop {
            while let Some(action) = self.0.poll() {
                self.carry_out(action);
            }
            let waiting = self.0.transmit().len();
            divan::black_box(self.0.poll_timeout());
            if waiting == 0 {
                return replied;
            }
            replied += waiting;
            self.0.transmitted(waiting, NOW);
        }
    }

    fn carry_out(&mut self, action: Action) {
        match action {
            Action::Authenticate { id, .. } => {
                let grant = Grant { rights: Permissions::ALL.into(), ..Grant::default() };
                self.handle(Event::Authenticated { id, outcome: Ok(grant) });
            }
            Action::Listen { id, .. } => {
                self.handle(Event::Listening { id, port: Some(50_000) });
                let peer = "10.0.0.1:4001".parse::<SocketAddr>().unwrap().ip();
                self.handle(Event::DataArrived { id, peer });
            }
            Action::Storage { id, request: StorageRequest::OpenRead(_) } => {
                let opened = Opened { size: SIZE, ..Opened::default() };
                self.handle(Event::Storage { id, outcome: Ok(StorageAnswer::Opened(opened)) });
            }
            Action::Transfer { id, .. } => {
                self.handle(Event::Progress { id, bytes: SIZE });
                self.handle(Event::Sent { id });
                self.handle(Event::TransferEnded { id, bytes: SIZE, end: TransferEnd::Complete });
            }
            _ => {}
        }
    }

    fn handle(&mut self, event: Event) {
        self.0.handle(event, NOW);
    }
}

/// A connection, and what a session holds from then on.
#[divan::bench]
fn connect() -> Driver {
    Driver::connect()
}

/// A login: what a session holds while it is idle is what is allocated here and not freed.
#[divan::bench]
fn connect_and_log_in() -> Driver {
    Driver::logged_in()
}

#[divan::bench]
fn noop(bencher: Bencher) {
    let mut driver = Driver::logged_in();
    bencher.bench_local(|| driver.send(b"NOOP\r\n"));
}

#[divan::bench]
fn noop_pipelined_by_100(bencher: Bencher) {
    let mut driver = Driver::logged_in();
    let commands = b"NOOP\r\n".repeat(100);
    bencher.counter(ItemsCount::new(100_u32)).bench_local(|| driver.send(&commands));
}

#[divan::bench]
fn pasv_and_retr(bencher: Bencher) {
    let mut driver = Driver::logged_in();
    let replies =
        "150 Opening BINARY mode data connection (4096 bytes).\r\n226 Transfer complete.\r\n";
    bencher.bench_local(|| {
        driver.send(b"PASV\r\n");
        assert_eq!(driver.send(b"RETR pub/some-file.dat\r\n"), replies.len());
    });
}
