//! How many may come in, and how much they may keep waiting.

use std::io::{ErrorKind, Write};
use std::net::{Shutdown, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use socket2::{Domain, SockRef, Socket, Type};
use wharf::{Backend, Memory};

use crate::support::{Client, LIMIT, address, for_each_driver, server, wait_until};

for_each_driver!(
    a_full_server_says_so,
    a_full_address_says_so,
    places_come_back_however_a_client_leaves,
    a_client_that_reads_no_replies_is_made_to_wait,
    a_thousand_commands_at_once_are_answered_in_order,
    many_commands_during_a_transfer,
    idle_and_silent_clients_are_sent_away,
);

fn a_full_server_says_so(backend: Backend) {
    let server = server(backend, Memory::new()).max_sessions(2).spawn().unwrap();
    let first = Client::log_in(&server);
    let _second = Client::log_in(&server);
    for _ in 0..100 {
        let mut client = Client::dial(address(&server)).unwrap();
        // Of those who are refused only so many are even told.
        if let Ok(reply) = client.reply() {
            assert_eq!(reply.code, 421);
        }
        client.expect_end();
    }
    drop(first);
    let mut again = None;
    wait_until("a place is free", || {
        again = Client::try_log_in(&server);
        again.is_some()
    });
}

#[cfg(target_os = "linux")]
fn a_full_address_says_so(backend: Backend) {
    let server = server(backend, Memory::new()).max_sessions_per_address(1).spawn().unwrap();
    let mut first = Client::log_in(&server);
    let mut second = Client::dial(address(&server)).unwrap();
    second.expect(421);
    second.expect_end();
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&std::net::SocketAddr::from(([127, 0, 0, 9], 0)).into()).unwrap();
    socket.connect_timeout(&address(&server).into(), LIMIT).unwrap();
    let mut greeting = [0; 4];
    std::io::Read::read_exact(&mut TcpStream::from(socket), &mut greeting).unwrap();
    assert_eq!(&greeting, b"220 ");
    first.ask("QUIT", 221);
    drop(first);
    wait_until("the place is free", || Client::try_log_in(&server).is_some());
}

#[cfg(not(target_os = "linux"))]
fn a_full_address_says_so(_: Backend) {}

fn places_come_back_however_a_client_leaves(backend: Backend) {
    let files = Memory::new().with_file("/much", vec![7; 8 << 20]);
    let server = server(backend, files).max_sessions(1).spawn().unwrap();
    for how in 0..10 {
        let mut client = None;
        wait_until("a place is free", || {
            client = Client::try_log_in(&server);
            client.is_some()
        });
        let mut client = client.unwrap();
        match how {
            0 => drop(client),
            1 => client.reset(),
            2 => drop(client.ask("QUIT", 221)),
            3 => client.stream().shutdown(Shutdown::Write).unwrap(),
            4 => client.send_raw(b"QUIT\r\nNOOP\r\nNOOP\r\n"),
            5 => client.send_raw(b"NOO"),
            6 => drop((client.pasv(), client)),
            7 => drop((client.begin("RETR much"), client)),
            8 => drop((client.begin("STOR new"), client)),
            _ => drop((client.eprt(), client.send_raw(b"LIST\r\nRETR much\r\n"), client)),
        }
    }
}

/// Sends as much as the server takes, up to a trickle; returns how much that was.
fn send_until_it_blocks(client: &mut Client, lines: &[u8]) -> usize {
    const MOST: usize = 64 << 20;
    let portion = lines.repeat(10_000);
    let mut stream = client.stream();
    stream.set_nonblocking(true).unwrap();
    let (mut sent, mut before) = (0, 0);
    let mut checked = Instant::now();
    while sent < MOST {
        match stream.write(&portion[sent % lines.len()..]) {
            Ok(count) => sent += count,
            Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock, "{error}"),
        }
        if checked.elapsed() > Duration::from_millis(500) {
            // Where all buffers are full, the system squeezes in a little more now and then.
            if sent - before < 4096 {
                stream.set_nonblocking(false).unwrap();
                return sent;
            }
            (before, checked) = (sent, Instant::now());
        }
        thread::yield_now();
    }
    panic!("the server takes commands without end")
}

/// Then the client reads on, and all replies come, in order.
fn a_client_that_reads_no_replies_is_made_to_wait(backend: Backend) {
    let server = server(backend, Memory::new()).spawn().unwrap();
    let mut client = Client::log_in(&server);
    SockRef::from(client.stream()).set_send_buffer_size(4096).unwrap();
    let lines = b"HELP\r\nPWD\r\n";
    let sent = send_until_it_blocks(&mut client, lines);
    Client::visit(&server);
    let mut writer = client.stream().try_clone().unwrap();
    let sender = thread::spawn(move || {
        // What is left of the last line that was begun, and the end.
        writer.write_all(&lines[sent % lines.len()..]).unwrap();
        writer.write_all(b"SYST\r\n").unwrap();
    });
    for _ in 0..sent / lines.len() + 1 {
        client.expect(214);
        client.expect(257);
    }
    client.expect(215);
    sender.join().unwrap();
}

fn a_thousand_commands_at_once_are_answered_in_order(backend: Backend) {
    let files = Memory::new().with_file("/file", "x");
    let server = server(backend, files).spawn().unwrap();
    let mut client = Client::log_in(&server);
    let mut lines = String::new();
    for number in 0..1000 {
        // Some need the storage, some do not.
        lines += &match number % 4 {
            0 => "SIZE file\r\n".to_string(),
            1 => format!("SIZE missing{number}\r\n"),
            2 => format!("XYZZY{number}\r\n"),
            _ => "NOOP\r\n".to_string(),
        };
    }
    let mut writer = client.stream().try_clone().unwrap();
    let sender = thread::spawn(move || writer.write_all(lines.as_bytes()).unwrap());
    for number in 0..1000 {
        let code = [213, 550, 500, 200][number % 4];
        let reply = client.expect(code);
        if code == 500 {
            assert!(reply.text.contains(&format!("XYZZY{number}\"")), "{}", reply.text);
        }
    }
    sender.join().unwrap();
}

/// They wait while the transfer goes on, but for those that overtake it.
fn many_commands_during_a_transfer(backend: Backend) {
    let server = server(backend, Memory::new()).spawn().unwrap();
    let mut client = Client::log_in(&server);
    let mut data = client.begin("STOR file");
    data.write_all(b"part").unwrap();
    client.send_raw(&b"NOOP\r\n".repeat(500));
    for _ in 0..500 {
        client.expect(200);
    }
    // More than the server keeps.
    let mut writer = client.stream().try_clone().unwrap();
    let sender = thread::spawn(move || {
        writer.write_all("SIZE file\r\n".repeat(5000).as_bytes()).unwrap();
    });
    data.write_all(b" and part").unwrap();
    drop(data);
    client.expect(226);
    for _ in 0..5000 {
        assert!(client.expect(213).text.contains("13"));
    }
    sender.join().unwrap();
}

fn idle_and_silent_clients_are_sent_away(backend: Backend) {
    let short = Duration::from_millis(300);
    let server = server(backend, Memory::new()).idle_timeout(short).data_timeout(short);
    let server = server.login_timeout(short * 2).login_delay(short).max_login_attempts(2);
    let server = server.spawn().unwrap();
    let mut silent = Client::connect(&server);
    let mut idle = Client::log_in(&server);
    let mut guessing = Client::connect(&server);
    guessing.ask("USER nobody", 331);
    guessing.ask("PASS wrong", 530);
    silent.expect(421);
    silent.expect_end();
    idle.expect(421);
    idle.expect_end();
    let mut stalled = Client::log_in(&server);
    let data = stalled.begin("STOR file");
    stalled.expect(426);
    assert!(!stalled.reply().is_ok_and(|reply| reply.code != 421));
    drop(data);
    let mut waiting = Client::log_in(&server);
    waiting.pasv();
    waiting.ask("STOR file", 425);
}
