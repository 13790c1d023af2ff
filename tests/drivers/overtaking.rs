//! Commands that are answered while a transfer goes on.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use socket2::SockRef;
use tempfile::TempDir;
use wharf::{Backend, Directory, Memory};

use crate::support::{Client, for_each_driver, noise, read_all, server};

for_each_driver!(
    while_nobody_reads_the_data,
    while_nobody_reads_a_file_of_the_disk,
    while_data_comes_without_end,
    while_data_goes_without_end,
    urgent_aborts,
    an_abort_before_the_data_connection,
    aborts_at_any_time,
);

const MUCH: usize = 24 << 20;

fn folder() -> (TempDir, Directory) {
    let folder = TempDir::new().unwrap();
    let file = std::fs::File::create(folder.path().join("much")).unwrap();
    // A hole: long, and quickly made.
    file.set_len(64 << 30).unwrap();
    let directory = Directory::open(folder.path()).unwrap();
    (folder, directory)
}

fn while_nobody_reads_the_data(backend: Backend) {
    let server = server(backend, Memory::new().with_file("/much", noise(MUCH))).spawn().unwrap();
    questions_while_stalled(Client::log_in(&server));
}

fn while_nobody_reads_a_file_of_the_disk(backend: Backend) {
    let (_folder, directory) = folder();
    let server = server(backend, directory).spawn().unwrap();
    questions_while_stalled(Client::log_in(&server));
}

fn questions_while_stalled(mut client: Client) {
    for kind in ["TYPE I", "TYPE A"] {
        client.ask(kind, 200);
        let data = client.narrow_passive();
        client.ask("RETR much", 150);
        for _ in 0..3 {
            client.ask("NOOP", 200);
            assert!(client.ask("STAT", 211).text.contains("Sending a file"));
            client.ask("USER somebody", 503);
        }
        client.send_raw(b"NOOP\r\nABOR\r\nPWD\r\n");
        let codes: Vec<u16> = (0..4).map(|_| client.reply().unwrap().code).collect();
        assert_eq!(codes, [200, 426, 226, 257]);
        drop(data);
    }
}

/// A client that is never slower than the server must not keep the session from listening to it.
fn while_data_comes_without_end(backend: Backend) {
    let (_folder, directory) = folder();
    let server = server(backend, directory).spawn().unwrap();
    let mut client = Client::log_in(&server);
    for ends_with in ["ABOR", ""] {
        let mut data = client.begin("STOR endless");
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let sender = thread::spawn(move || {
            let portion = vec![0; 1 << 18];
            // Not quite without end: it goes to the disk.
            for _ in 0..1 << 13 {
                if stopped.load(Ordering::Relaxed) || data.write_all(&portion).is_err() {
                    break;
                }
            }
        });
        client.ask("NOOP", 200);
        assert!(client.ask("STAT", 211).text.contains("Receiving a file"));
        if ends_with == "ABOR" {
            client.ask("ABOR", 426);
            client.expect(226);
        } else {
            stop.store(true, Ordering::Relaxed);
            client.expect(226);
        }
        sender.join().unwrap();
    }
}

fn while_data_goes_without_end(backend: Backend) {
    let (_folder, directory) = folder();
    let server = server(backend, directory).spawn().unwrap();
    let mut client = Client::log_in(&server);
    let mut data = client.begin("RETR much");
    let reader = thread::spawn(move || {
        let mut portion = vec![0; 1 << 20];
        while let Ok(1..) = data.read(&mut portion) {}
    });
    client.ask("NOOP", 200);
    assert!(client.ask("STAT", 211).text.contains("Sending a file"));
    client.ask("ABOR", 426);
    client.expect(226);
    reader.join().unwrap();
}

/// Telnet's Interrupt Process and Synch before the command, the mark urgent (RFC 959 section
/// 4.1.3).
fn urgent_aborts(backend: Backend) {
    let content = noise(MUCH);
    let server =
        server(backend, Memory::new().with_file("/much", content.clone())).spawn().unwrap();
    let mut client = Client::log_in(&server);
    for _ in 0..3 {
        let data = client.narrow_passive();
        client.ask("RETR much", 150);
        client.send_raw(b"\xff\xf4\xff");
        assert_eq!(SockRef::from(client.stream()).send_out_of_band(b"\xf2").unwrap(), 1);
        client.ask("ABOR", 426);
        client.expect(226);
        drop(data);
        // As some clients do it: all of it urgent.
        let data = client.narrow_passive();
        client.ask("RETR much", 150);
        SockRef::from(client.stream()).send_out_of_band(b"\xff\xf4\xff\xf2").unwrap();
        client.ask("ABOR", 426);
        client.expect(226);
        drop(data);
        SockRef::from(client.stream()).send_out_of_band(b"NOOP\r\n").unwrap();
        client.expect(200);
    }
    assert!(client.get("RETR much") == content);
}

fn an_abort_before_the_data_connection(backend: Backend) {
    let server = server(backend, Memory::new().with_file("/file", "x")).spawn().unwrap();
    let mut client = Client::log_in(&server);
    for command in ["RETR file", "STOR new", "LIST"] {
        let port = client.pasv();
        client.send(command);
        client.ask("ABOR", 426);
        client.expect(226);
        assert!(TcpStream::connect(port).is_err());
    }
    client.ask("ABOR", 226);
    client.pasv();
    client.ask("ABOR", 226);
    client.ask("NOOP", 200);
}

/// Whenever it comes, what the client hears fits, and the next transfer is whole.
fn aborts_at_any_time(backend: Backend) {
    let content = noise(300_000);
    let files = Memory::new().with_file("/file", content.clone());
    let server = server(backend, files.clone()).spawn().unwrap();
    let mut client = Client::log_in(&server);
    for step in 0..40 {
        let mut data = client.begin("RETR file");
        let mut some = vec![0; step * 8000];
        data.read_exact(&mut some).unwrap_or_else(|_| assert!(some.len() > content.len()));
        client.send("ABOR");
        match client.reply().unwrap().code {
            426 => drop(client.expect(226)),
            226 => drop(client.reply().unwrap()),
            other => panic!("{other}"),
        }
        drop(data);
        client.ask("NOOP", 200);
        if step % 8 == 0 {
            assert!(client.get("RETR file") == content);
            client.put("STOR copy", &content);
            assert!(files.read("/copy").unwrap() == content);
            assert_eq!(read_all(client.begin("NLST")), b"copy\r\nfile\r\n");
            client.expect(226);
        }
    }
}
