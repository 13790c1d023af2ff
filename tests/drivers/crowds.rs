//! Clients that are no FTP clients, and many at once.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::thread;

use wharf::{Backend, Memory};

use crate::support::{Client, address, for_each_driver, noise, server};

for_each_driver!(
    garbage,
    lines_without_end,
    commands_byte_by_byte,
    a_browser,
    a_flood_of_silent_connections,
    connections_that_come_and_go_at_once,
    many_clients_at_once,
);

/// Any answers are fine, as long as others are served and the server lives.
fn garbage(backend: Backend) {
    let server = server(backend, Memory::new()).spawn().unwrap();
    let mut bystander = Client::log_in(&server);
    for round in 0..5 {
        let mut stream = TcpStream::connect(address(&server)).unwrap();
        let bytes = &noise(300_000)[round * 7..];
        let mut writer = stream.try_clone().unwrap();
        let sender = thread::spawn(move || {
            let mut answers = Vec::new();
            let _ = stream.read_to_end(&mut answers);
        });
        // The server may close before all has been sent.
        let _ = writer.write_all(bytes);
        let _ = writer.shutdown(Shutdown::Write);
        sender.join().unwrap();
        bystander.ask("NOOP", 200);
    }
    Client::visit(&server);
}

fn lines_without_end(backend: Backend) {
    let server = server(backend, Memory::new()).spawn().unwrap();
    let mut client = Client::log_in(&server);
    client.send_raw(&[b'A'; 1 << 20]);
    client.send("");
    client.expect(500);
    client.ask("NOOP", 200);
    let long = "x".repeat(100_000);
    client.ask(&format!("CWD {long}"), 500);
    client.ask("PWD", 257);
}

fn commands_byte_by_byte(backend: Backend) {
    let server = server(backend, Memory::new().with_file("/file", "content")).spawn().unwrap();
    let mut client = Client::connect(&server);
    let send = |client: &mut Client, line: &str, code: u16| {
        for byte in line.bytes().chain(*b"\r\n") {
            client.send_raw(&[byte]);
            thread::yield_now();
        }
        client.expect(code)
    };
    send(&mut client, "USER anonymous", 331);
    send(&mut client, "PASS me@example", 230);
    send(&mut client, "SIZE file", 550);
    send(&mut client, "TYPE I", 200);
    send(&mut client, "SIZE file", 213);
    assert_eq!(client.get("RETR file"), b"content");
    send(&mut client, "QUIT", 221);
    client.expect_end();
}

fn a_browser(backend: Backend) {
    let server = server(backend, Memory::new()).spawn().unwrap();
    for first in ["GET / HTTP/1.1", "POST /x HTTP/1.0"] {
        let mut client = Client::connect(&server);
        // The body could be commands: nothing of it is executed.
        client
            .send_raw(format!("{first}\r\nHost: example\r\n\r\nUSER ftp\r\nPASS x\r\n").as_bytes());
        client.expect(500);
        client.expect_end();
    }
    Client::visit(&server);
}

fn a_flood_of_silent_connections(backend: Backend) {
    let server = server(backend, Memory::new()).spawn().unwrap();
    let silent: Vec<_> = (0..200).map(|_| TcpStream::connect(address(&server)).unwrap()).collect();
    for _ in 0..3 {
        Client::visit(&server);
    }
    drop(silent);
    Client::visit(&server);
}

fn connections_that_come_and_go_at_once(backend: Backend) {
    let server = server(backend, Memory::new()).max_sessions(1000).spawn().unwrap();
    let server = &server;
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(move || {
                for round in 0..50 {
                    let client = Client::dial(address(server)).unwrap();
                    if round % 2 == 0 { client.reset() } else { drop(client) }
                }
            });
        }
        Client::visit(server);
    });
    Client::visit(server);
}

fn many_clients_at_once(backend: Backend) {
    let server = server(backend, Memory::new().with_file("/file", "content")).spawn().unwrap();
    let server = &server;
    thread::scope(|scope| {
        for number in 0..40 {
            scope.spawn(move || {
                let mut client = Client::log_in(server);
                let name = format!("file{number}");
                for _ in 0..5 {
                    client.put(&format!("STOR {name}"), name.as_bytes());
                    assert_eq!(client.get(&format!("RETR {name}")), name.as_bytes());
                    client.ask(&format!("DELE {name}"), 250);
                }
                client.ask("QUIT", 221);
                client.expect_end();
            });
        }
    });
}
