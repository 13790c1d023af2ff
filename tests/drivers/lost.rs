//! Connections that die in the middle of something.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use wharf::{Backend, Memory, ServerBuilder};

use crate::support::{Client, for_each_driver, noise, read_all, reset, server, wait_until};

for_each_driver!(
    a_reset_ends_a_download,
    a_reset_ends_uploads,
    half_a_control_connection_gets_its_download,
    a_closed_control_connection_ends_uploads,
    an_end_behind_many_commands_is_seen,
    half_a_control_connection_gets_its_answers,
    downloads_whose_data_connection_is_lost,
    uploads_whose_data_connection_is_reset,
    a_client_that_is_killed,
);

const MUCH: usize = 24 << 20;

/// How a control connection ends.
type End = fn(Client) -> Option<TcpStream>;

fn by_reset(client: Client) -> Option<TcpStream> {
    client.reset();
    None
}

/// In order; the client may still read.
fn by_close(client: Client) -> Option<TcpStream> {
    let stream = client.stream().try_clone().unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    Some(stream)
}

/// Only one session at a time, and a data connection may stand still for a long time.
fn narrow(backend: Backend, files: &Memory) -> ServerBuilder {
    server(backend, files.clone()).max_sessions(1).data_timeout(Duration::from_secs(600))
}

fn a_reset_ends_a_download(backend: Backend) {
    download(backend, by_reset);
}

fn half_a_control_connection_gets_its_download(backend: Backend) {
    let content = noise(MUCH);
    let files = Memory::new().with_file("/much", content.clone());
    let server = narrow(backend, &files).spawn().unwrap();
    let mut client = Client::log_in(&server);
    let mut data = client.narrow_passive();
    client.ask("RETR much", 150);
    let mut received = vec![0; 100];
    data.read_exact(&mut received).unwrap();
    client.send("QUIT");
    client.stream().shutdown(Shutdown::Write).unwrap();
    data.read_to_end(&mut received).unwrap();
    assert!(received == content);
    drop(data);
    client.expect(226);
    client.expect(221);
    client.expect_end();
}

/// The server leaves commands unread while a transfer stands still: the end comes after them.
fn an_end_behind_many_commands_is_seen(backend: Backend) {
    let files = Memory::new().with_file("/much", noise(MUCH));
    let server = narrow(backend, &files).spawn().unwrap();
    let mut client = Client::log_in(&server);
    let _stalled = client.narrow_passive();
    client.ask("RETR much", 150);
    client.send_raw(&b"PWD\r\n".repeat(8000));
    client.reset();
    wait_until("the place is free", || Client::try_log_in(&server).is_some());
}

fn download(backend: Backend, end: End) {
    let files = Memory::new().with_file("/much", noise(MUCH));
    let server = narrow(backend, &files).spawn().unwrap();
    let mut client = Client::log_in(&server);
    let mut data = client.narrow_passive();
    client.ask("RETR much", 150);
    data.read_exact(&mut [0; 100]).unwrap();
    let control = end(client);
    let mut received = 100;
    let mut buffer = vec![0; 1 << 16];
    // Its end comes early, in order or not.
    while let Ok(count @ 1..) = data.read(&mut buffer) {
        received += count;
    }
    assert!(received < MUCH);
    drop(control);
    wait_until("the place is free", || Client::try_log_in(&server).is_some());
}

fn a_reset_ends_uploads(backend: Backend) {
    uploads(backend, by_reset);
}

fn a_closed_control_connection_ends_uploads(backend: Backend) {
    uploads(backend, by_close);
}

fn uploads(backend: Backend, end: End) {
    let files = Memory::new().with_file("/old", "old content").with_file("/log", "begin ");
    let server = narrow(backend, &files).spawn().unwrap();
    for (command, file, before, after) in [
        ("STOR new", "/new", None, Some("part, rest")),
        ("STOR old", "/old", Some("old content"), Some("old content")),
        ("APPE log", "/log", Some("begin "), Some("begin part, rest")),
    ] {
        let read = || files.read(file).map(|bytes| String::from_utf8(bytes).unwrap());
        assert_eq!(read().as_deref(), before);
        let mut client = None;
        wait_until("the place is free", || {
            client = Client::try_log_in(&server);
            client.is_some()
        });
        let mut client = client.unwrap();
        let mut data = client.begin(command);
        data.write_all(b"part").unwrap();
        // STAT tells when the bytes have come.
        wait_until("all four bytes have come", || {
            client.ask("STAT", 211).text.contains("Receiving a file: 4 bytes")
        });
        let control = end(client);
        // What was sent is received, whenever it comes.
        data.write_all(b", rest").unwrap();
        drop(data);
        drop(control);
        wait_until("the place is free", || Client::try_log_in(&server).is_some());
        assert_eq!(read().as_deref(), after, "{command}");
    }
}

/// What came before the end is still answered.
fn half_a_control_connection_gets_its_answers(backend: Backend) {
    let server = server(backend, Memory::new()).spawn().unwrap();
    let mut client = Client::log_in(&server);
    client.send_raw(b"NOOP\r\nSIZE missing\r\nPWD\r\n");
    client.stream().shutdown(Shutdown::Write).unwrap();
    client.expect(200);
    client.expect(550);
    client.expect(257);
    client.expect_end();
}

fn downloads_whose_data_connection_is_lost(backend: Backend) {
    let content = noise(MUCH);
    let files = Memory::new().with_file("/much", content.clone());
    let server = server(backend, files).spawn().unwrap();
    let mut client = Client::log_in(&server);
    for how in 0..6 {
        let mut data = client.narrow_passive();
        client.ask("RETR much", 150);
        if how % 2 == 0 {
            data.read_exact(&mut [0; 5000]).unwrap();
        }
        if how < 4 {
            drop(data)
        } else {
            reset(data)
        }
        client.expect(426);
        client.ask("NOOP", 200);
    }
    // Half-closed by a client that still reads, it is not lost.
    let data = client.begin("RETR much");
    data.shutdown(Shutdown::Write).unwrap();
    assert!(read_all(data) == content);
    client.expect(226);
}

fn uploads_whose_data_connection_is_reset(backend: Backend) {
    let files = Memory::new().with_file("/old", "old content");
    let server = server(backend, files.clone()).spawn().unwrap();
    let mut client = Client::log_in(&server);
    for (command, file, after) in
        [("STOR new", "/new", "part"), ("STOR old", "/old", "old content")]
    {
        let mut data = client.begin(command);
        data.write_all(b"part").unwrap();
        wait_until("all four bytes have come", || {
            client.ask("STAT", 211).text.contains("Receiving a file: 4 bytes")
        });
        reset(data);
        client.expect(426);
        assert_eq!(files.read(file).unwrap(), after.as_bytes());
    }
}

/// Both connections go at once, in each order, with bytes under way.
fn a_client_that_is_killed(backend: Backend) {
    let files = Memory::new().with_file("/much", noise(MUCH));
    let server = server(backend, files).max_sessions(4).spawn().unwrap();
    for how in 0..16 {
        let mut client = None;
        wait_until("a place is free", || {
            client = Client::try_log_in(&server);
            client.is_some()
        });
        let mut client = client.unwrap();
        let mut data = client.begin(if how % 2 == 0 { "RETR much" } else { "STOR new" });
        if how % 2 != 0 {
            data.write_all(&[1; 100_000]).unwrap();
        }
        match how / 2 % 4 {
            0 => drop((client, data)),
            1 => drop((data, client)),
            2 => {
                client.reset();
                reset(data);
            }
            _ => {
                reset(data);
                client.reset();
            }
        }
    }
    wait_until("a place is free", || Client::try_log_in(&server).is_some());
}
