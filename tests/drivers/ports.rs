//! Which passive ports a session takes, for how long, and what happens when there are no more.

use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use wharf::{Backend, Memory, PassivePorts, ServerBuilder};

use crate::support::{
    Client, ClientTls, address, for_each_driver, noise, read_all, server, tls_server, wait_until,
};

for_each_driver!(
    one_port_is_enough_for_one_session,
    one_port_goes_round_among_two,
    a_port_in_use_is_not_given_away,
    one_client_does_not_keep_all_ports,
    a_port_that_nobody_uses_closes,
    a_connection_that_nobody_uses_closes,
    nobody_has_a_port_before_the_login,
);

fn files() -> Memory {
    Memory::new().with_file("/file", "Some content.")
}

/// A server whose only passive ports are so many, and free at the moment, below those that the
/// system gives out; returns the first of them too.
fn few_ports(server: ServerBuilder, count: u16) -> (ServerBuilder, u16) {
    // No two tests look at the same ports, and hardly two processes.
    static TESTS: AtomicU16 = AtomicU16::new(0);
    const EACH: u16 = 5;
    const ALL: u16 = 200;
    let test = TESTS.fetch_add(1, Ordering::Relaxed);
    assert!(count <= EACH && test < ALL / EACH);
    let process = u16::try_from(std::process::id() % 90).unwrap();
    let first = 10_000 + process * ALL + test * EACH;
    for first in (first..32_000).step_by(ALL.into()) {
        let ports = first..=first + count - 1;
        if ports.clone().all(|port| TcpListener::bind(("127.0.0.1", port)).is_ok()) {
            return (server.passive_ports(PassivePorts::range(ports).unwrap()), first);
        }
    }
    panic!("no port is free");
}

fn one_port_is_enough_for_one_session(backend: Backend) {
    let (server, port) = few_ports(server(backend, files()), 1);
    let server = server.spawn().unwrap();
    let mut client = Client::log_in(&server);
    for _ in 0..3 {
        assert_eq!(client.pasv().port(), port);
        assert_eq!(client.epsv().port(), port);
        assert_eq!(client.get("RETR file"), b"Some content.");
        assert_eq!(client.get("NLST"), b"file\r\n");
    }
    // Many in one segment: none waits for another socket to be let go of.
    client.send_raw("PASV\r\n".repeat(20).as_bytes());
    for _ in 0..20 {
        client.expect(227);
    }
    client.ask("REIN", 220);
    Client::log_in(&server).pasv();
}

/// The session that loses it is told so, whether it does anything or not.
fn one_port_goes_round_among_two(backend: Backend) {
    let (server, port) = few_ports(server(backend, files()), 1);
    let server = server.spawn().unwrap();
    let mut first = Client::log_in(&server);
    let mut second = Client::log_in(&server);
    for round in 0..6 {
        assert_eq!(first.pasv().port(), port);
        assert_eq!(second.epsv().port(), port);
        if round % 2 == 0 {
            wait_until("the session knows", || {
                first.ask("STAT", 211).text.contains("No data connection")
            });
        }
        assert_eq!(second.get("RETR file"), b"Some content.");
        let reply = first.ask("LIST", 425);
        assert!(reply.text.contains("went to another session"), "{}", reply.text);
        assert!(first.ask("LIST", 425).text.contains("Use PASV"));
        assert_eq!(first.get("RETR file"), b"Some content.");
        std::mem::swap(&mut first, &mut second);
    }
    // Each of these gives the port back.
    first.pasv();
    first.ask("ABOR", 226);
    assert_eq!(second.pasv().port(), port);
    second.ask("QUIT", 221);
    second.expect_end();
    assert_eq!(first.get("RETR file"), b"Some content.");
}

/// Neither one that a command waits at, nor the connection that came to one.
fn a_port_in_use_is_not_given_away(backend: Backend) {
    let (server, port) = few_ports(server(backend, files()), 1);
    let files = noise(5_000_000);
    let server = server.storage(Memory::new().with_file("/much", files.clone())).spawn().unwrap();
    let mut first = Client::log_in(&server);
    let mut second = Client::log_in(&server);
    let mut to = first.epsv();
    wait_until("the command waits", || {
        first.send("RETR much");
        second.send("EPSV");
        let refused = second.reply().unwrap().code == 425;
        if !refused {
            // It was faster than the command.
            first.expect(425);
            to = first.epsv();
        }
        refused
    });
    second.ask("PASV", 425);
    let mut data = TcpStream::connect(to).unwrap();
    first.expect(150);
    // It takes no port any more, and can lose none.
    for _ in 0..3 {
        assert_eq!(second.epsv().port(), port);
    }
    let mut part = vec![0; 1_000_000];
    data.read_exact(&mut part).unwrap();
    assert!(second.get("RETR much") == files);
    part.extend(read_all(data));
    assert!(part == files);
    first.expect(226);
}

/// Linux has all of 127.0.0.0/8; others do not.
#[cfg(target_os = "linux")]
fn one_client_does_not_keep_all_ports(backend: Backend) {
    let (server, _) = few_ports(server(backend, files()), 5);
    let server = server.spawn().unwrap();
    let mut greedy: Vec<_> = (0..8).map(|_| Client::log_in(&server)).collect();
    for client in &mut greedy {
        client.epsv();
        client.ask("NOOP", 200);
    }
    let from = |last| IpAddr::from([127, 0, 0, last]);
    let mut honest: Vec<_> = (2..5)
        .map(|last| {
            let mut client = Client::dial_from(from(last), address(&server)).unwrap();
            client.expect(220);
            client.enter();
            client
        })
        .collect();
    for _ in 0..3 {
        let start = Instant::now();
        for client in &mut honest {
            assert_eq!(client.get("RETR file"), b"Some content.");
        }
        assert!(start.elapsed() < Duration::from_secs(5), "they are held up");
        for client in &mut greedy {
            client.epsv();
        }
    }
    // All are alive, and the first of them have lost theirs.
    for client in &mut greedy[..3] {
        let reply = client.ask("NLST", 425);
        assert!(reply.text.contains("went to another session"), "{}", reply.text);
    }
    for client in &mut greedy {
        assert_eq!(client.get("RETR file"), b"Some content.");
    }
}

#[cfg(not(target_os = "linux"))]
fn one_client_does_not_keep_all_ports(_: Backend) {}

fn a_port_that_nobody_uses_closes(backend: Backend) {
    let server = server(backend, files()).data_timeout(Duration::from_millis(300));
    let server = server.spawn().unwrap();
    let mut client = Client::log_in(&server);
    for open in [Client::pasv, Client::epsv] {
        let to: SocketAddr = open(&mut client);
        let start = Instant::now();
        wait_until("the port is closed", || {
            client.ask("NOOP", 200);
            client.ask("STAT", 211).text.contains("No data connection")
        });
        assert!(start.elapsed() >= Duration::from_millis(290));
        assert!(TcpStream::connect(to).is_err());
        assert!(client.ask("RETR file", 425).text.contains("in time"));
        assert_eq!(client.get("RETR file"), b"Some content.");
    }
}

fn a_connection_that_nobody_uses_closes(backend: Backend) {
    let protected = tls_server(backend, files()).data_timeout(Duration::from_millis(300));
    let protected = protected.spawn().unwrap();
    let mut within = Client::log_in_tls(&protected, &ClientTls::new());
    let server = server(backend, files()).data_timeout(Duration::from_millis(300));
    let server = server.spawn().unwrap();
    let mut client = Client::log_in(&server);
    for (is_within, says) in [(false, ""), (false, "bytes"), (true, "")] {
        let client = if is_within { &mut within } else { &mut client };
        let mut data = client.passive();
        data.write_all(says.as_bytes()).unwrap();
        // In order, unless something has come that was not read.
        let end = data.read(&mut [0]);
        assert!(matches!(end, Ok(0)) || end.is_err() && !says.is_empty(), "{end:?}");
        assert!(client.ask("STOR new", 425).text.contains("in time"));
        client.ask("NOOP", 200);
    }
    client.put("STOR new", b"new");
}

fn nobody_has_a_port_before_the_login(backend: Backend) {
    let server = server(backend, files()).spawn().unwrap();
    let mut client = Client::connect(&server);
    for command in ["PASV", "EPSV", "EPSV ALL"] {
        client.ask(command, 530);
    }
    client.ask("USER anonymous", 331);
    client.ask("EPSV", 530);
    client.ask("PASS x", 230);
    let to = client.epsv();
    client.ask("USER anonymous", 331);
    assert!(TcpStream::connect(to).is_err());
}
