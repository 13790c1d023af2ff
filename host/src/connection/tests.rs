//! A connection over a pair of sockets, driven by hand: what a service that contradicts itself, and a
//! server that stops, answer.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use wharf_accounts::SimpleAccounts;
use wharf_core::{Permissions, SessionConfig, SiteCommand, SiteReply};
use wharf_storage::Memory;

use super::*;
use crate::{ServiceSettings, SiteHandler, SiteRequest};

const LIMIT: Duration = Duration::from_secs(20);

fn service(settings: ServiceSettings) -> Service {
    let accounts = SimpleAccounts::new(Arc::new(Memory::new())).anonymous(Permissions::ALL);
    let session = SessionConfig { login_delay: Duration::ZERO, ..settings.session };
    Service::new(Arc::new(accounts), ServiceSettings { session, ..settings })
}

/// A connection, and its client.
struct Pair {
    connection: Connection,
    client: TcpStream,
    turn: Turn,
}

impl Pair {
    fn new(service: Service) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        client.set_read_timeout(Some(LIMIT)).unwrap();
        let arrival = Arrival::from_stream(listener.accept().unwrap().0).unwrap();
        let connection = Connection::open(&Arc::new(service), arrival).unwrap();
        let mut pair = Self { connection, client, turn: Turn::Again };
        pair.expect(220);
        pair
    }

    /// Goes on until there is something to wait for; jobs run here.
    fn run(&mut self) {
        loop {
            self.connection.control_ready(Readiness::BOTH);
            self.turn = self.connection.turn();
            let mut worked = false;
            while let Some(job) = self.connection.next_job() {
                let done = job.run();
                self.connection.complete(done);
                worked = true;
            }
            if self.turn != Turn::Again && !worked {
                return;
            }
        }
    }

    /// Waits for a reply, which must have this code.
    #[track_caller]
    fn expect(&mut self, code: u16) {
        let reply = self.read_line();
        assert!(reply.starts_with(&format!("{code} ")), "{reply}");
    }

    fn read_line(&mut self) -> String {
        self.client.set_nonblocking(true).unwrap();
        let mut line = Vec::new();
        while !line.ends_with(b"\n") {
            self.run();
            let mut byte = [0];
            match self.client.read(&mut byte) {
                Ok(0) => break,
                Ok(_) => line.push(byte[0]),
                Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
            }
        }
        String::from_utf8(line).unwrap()
    }

    #[track_caller]
    fn ask(&mut self, command: &str, code: u16) {
        self.client.write_all(format!("{command}\r\n").as_bytes()).unwrap();
        self.expect(code);
    }

    fn log_in(&mut self) {
        self.ask("USER anonymous", 331);
        self.ask("PASS me", 230);
    }
}

#[test]
fn a_site_command_without_a_handler_is_answered() {
    let command = SiteCommand { name: "ECHO".into(), syntax: String::new() };
    let handler = Arc::new(|_: &SiteRequest| SiteReply { code: 200, text: b"Yes.".to_vec() });
    let site_commands = vec![(command, handler as SiteHandler)];
    let settings =
        || ServiceSettings { site_commands: site_commands.clone(), ..Default::default() };
    let mut pair = Pair::new(service(settings()));
    pair.log_in();
    pair.ask("SITE ECHO", 200);
    let mut without = service(settings());
    without.site_handlers.clear();
    let mut pair = Pair::new(without);
    pair.log_in();
    pair.ask("SITE ECHO", 451);
    pair.ask("NOOP", 200);
}

#[test]
fn a_host_without_accounts_is_answered() {
    let accounts = SimpleAccounts::new(Arc::new(Memory::new())).anonymous(Permissions::ALL);
    let hosts = vec![("ftp.example".into(), Arc::new(accounts) as _)];
    let mut service = service(ServiceSettings { hosts, ..Default::default() });
    service.hosts.clear();
    let mut pair = Pair::new(service);
    pair.ask("HOST ftp.example", 220);
    pair.ask("USER anonymous", 331);
    pair.ask("PASS me", 530);
    pair.ask("NOOP", 200);
}

/// 234 has been sent by then: all that can be done is to close in order.
#[cfg(feature = "tls")]
#[test]
fn auth_without_a_certificate_ends_the_session() {
    let mut service = service(ServiceSettings::default());
    let session = SessionConfig { tls: Some(Default::default()), ..(*service.session).clone() };
    service.session = Arc::new(session);
    let mut pair = Pair::new(service);
    pair.ask("AUTH TLS", 234);
    assert_eq!(pair.read_line(), "");
    drop(pair.client);
    pair.connection.control_ready(Readiness::BOTH);
    assert_eq!(pair.connection.turn(), Turn::Over);
}

/// The client keeps its socket open.
#[test]
fn a_lingering_close_counts_within_the_grace() {
    let lingering = || {
        let settings = ServiceSettings { lingering_time: LIMIT * 100, ..Default::default() };
        let mut pair = Pair::new(service(settings));
        pair.ask("QUIT", 221);
        pair.run();
        assert_eq!(pair.turn, Turn::Wait);
        pair
    };
    let now = |pair: &Pair| pair.connection.service.clock.now().instant;
    let mut pair = lingering();
    // What is left of the grace.
    let deadline = now(&pair) + LIMIT;
    pair.connection.shut_down(deadline);
    assert_eq!(pair.connection.deadline(), Some(deadline));
    pair.run();
    assert_eq!(pair.turn, Turn::Wait);
    // No grace.
    let mut pair = lingering();
    pair.connection.shut_down(now(&pair));
    pair.run();
    assert_eq!(pair.turn, Turn::Over);
    // Likewise where the last reply comes of the stop.
    let settings = ServiceSettings { lingering_time: LIMIT * 100, ..Default::default() };
    let mut pair = Pair::new(service(settings));
    pair.connection.shut_down(now(&pair));
    pair.run();
    assert_eq!(pair.turn, Turn::Over);
    pair.expect(421);
}
