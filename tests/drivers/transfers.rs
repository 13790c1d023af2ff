//! Whole files, byte for byte, there and back.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread;

use tempfile::TempDir;
use wharf::{Backend, Directory, Memory, Server};

use crate::support::{Client, for_each_driver, noise, read_all, server};

for_each_driver!(
    large_files_in_memory,
    large_files_on_disk,
    small_sizes_around_nothing,
    restarted_downloads,
    restarted_uploads,
    downloads_that_are_read_in_small_bits,
    uploads_that_come_in_small_bits,
    many_transfers_one_after_another,
    several_transfers_at_once,
    long_listings,
    files_that_change_while_they_are_sent,
);

/// More than all the buffers together.
const LARGE: usize = 40 << 20;

fn large_files_in_memory(backend: Backend) {
    let server = server(backend, Memory::new()).spawn().unwrap();
    there_and_back(&server);
}

fn large_files_on_disk(backend: Backend) {
    let folder = TempDir::new().unwrap();
    let server = server(backend, Directory::open(folder.path()).unwrap()).spawn().unwrap();
    let content = there_and_back(&server);
    assert!(std::fs::read(folder.path().join("binary")).unwrap() == content);
}

fn there_and_back(server: &Server) -> Vec<u8> {
    let content = noise(LARGE);
    let mut client = Client::log_in(server);
    client.put("STOR binary", &content);
    assert!(client.get("RETR binary") == content);
    client.ask("TYPE A", 200);
    let as_text = to_network(&content);
    assert!(client.get("RETR binary") == as_text);
    client.put("STOR text", &as_text);
    client.ask("TYPE I", 200);
    assert!(client.get("RETR text") == from_network(&as_text));
    content
}

/// TYPE A on the way out: an LF that has no CR before it gets one, and nothing else changes.
fn to_network(bytes: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(bytes.len() + bytes.len() / 100);
    for &byte in bytes {
        if byte == b'\n' && text.last() != Some(&b'\r') {
            text.push(b'\r');
        }
        text.push(byte);
    }
    text
}

/// And on the way in: each CRLF becomes LF.
fn from_network(text: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    for (at, &byte) in text.iter().enumerate() {
        if byte != b'\r' || text.get(at + 1) != Some(&b'\n') {
            bytes.push(byte);
        }
    }
    bytes
}

fn small_sizes_around_nothing(backend: Backend) {
    let folder = TempDir::new().unwrap();
    let on_disk = Directory::open(folder.path()).unwrap();
    let servers = [
        server(backend, Memory::new()).spawn().unwrap(),
        server(backend, on_disk).spawn().unwrap(),
    ];
    for server in &servers {
        let mut client = Client::log_in(server);
        // The last ones are about the size of the pumps' buffer.
        for size in [0, 1, 2, 511, 262_143, 262_144, 262_145] {
            let content = noise(size);
            client.put("STOR file", &content);
            assert!(client.get("RETR file") == content, "{size}");
            client.ask("TYPE A", 200);
            client.put("STOR text", &to_network(&content));
            assert!(client.get("RETR file") == to_network(&content), "{size}");
            client.ask("TYPE I", 200);
        }
    }
}

fn restarted_downloads(backend: Backend) {
    let folder = TempDir::new().unwrap();
    let content = noise(1 << 20);
    std::fs::write(folder.path().join("file"), &content).unwrap();
    let on_disk = Directory::open(folder.path()).unwrap();
    let in_memory = Memory::new().with_file("/file", content.clone());
    let text = to_network(&content);
    let servers =
        [server(backend, in_memory).spawn().unwrap(), server(backend, on_disk).spawn().unwrap()];
    for server in &servers {
        let mut client = Client::log_in(server);
        for offset in [0, 1, 262_144, content.len() - 1, content.len()] {
            client.ask(&format!("REST {offset}"), 350);
            assert!(client.get("RETR file") == content[offset..], "{offset}");
            client.ask("TYPE A", 200);
            client.ask(&format!("REST {offset}"), 350);
            assert!(client.get("RETR file") == text[offset..], "{offset}");
            client.ask("TYPE I", 200);
        }
        client.ask(&format!("REST {}", content.len() + 1), 350);
        client.passive();
        client.ask("RETR file", 554);
    }
}

fn restarted_uploads(backend: Backend) {
    let files = Memory::new().with_file("/file", "0123456789");
    let server = server(backend, files.clone()).spawn().unwrap();
    let mut client = Client::log_in(&server);
    client.ask("REST 8", 350);
    client.put("STOR file", b"abcd");
    assert_eq!(files.read("/file").unwrap(), b"01234567abcd");
    client.put("APPE file", b"!");
    assert_eq!(files.read("/file").unwrap(), b"01234567abcd!");
    client.put("STOR file", b"new");
    assert_eq!(files.read("/file").unwrap(), b"new");
}

fn downloads_that_are_read_in_small_bits(backend: Backend) {
    let folder = TempDir::new().unwrap();
    let content = noise(3 << 20);
    std::fs::write(folder.path().join("file"), &content).unwrap();
    let on_disk = Directory::open(folder.path()).unwrap();
    let in_memory = Memory::new().with_file("/file", content.clone());
    let servers =
        [server(backend, in_memory).spawn().unwrap(), server(backend, on_disk).spawn().unwrap()];
    for server in &servers {
        let mut client = Client::log_in(server);
        for kind in ["TYPE I", "TYPE A"] {
            client.ask(kind, 200);
            let data = client.narrow_passive();
            client.ask("RETR file", 150);
            let received = read_in_bits(data, 333);
            assert!(
                received == if kind == "TYPE I" { content.clone() } else { to_network(&content) }
            );
            client.expect(226);
        }
    }
}

fn read_in_bits(mut data: TcpStream, size: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut bit = vec![0; size];
    loop {
        match data.read(&mut bit).unwrap() {
            0 => return bytes,
            count => bytes.extend_from_slice(&bit[..count]),
        }
    }
}

fn uploads_that_come_in_small_bits(backend: Backend) {
    let files = Memory::new();
    let server = server(backend, files.clone()).spawn().unwrap();
    let mut client = Client::log_in(&server);
    let content = noise(20_000);
    let mut data = client.begin("STOR binary");
    data.set_nodelay(true).unwrap();
    data.write_all(&content[..10]).unwrap();
    content[10..].chunks(77).for_each(|bit| data.write_all(bit).unwrap());
    drop(data);
    client.expect(226);
    assert!(files.read("/binary").unwrap() == content);
    client.ask("TYPE A", 200);
    let text = to_network(&content);
    let mut data = client.begin("STOR text");
    data.set_nodelay(true).unwrap();
    text.chunks(3).for_each(|bit| data.write_all(bit).unwrap());
    drop(data);
    client.expect(226);
    assert!(files.read("/text").unwrap() == from_network(&text));
}

fn many_transfers_one_after_another(backend: Backend) {
    let server = server(backend, Memory::new().with_file("/file", "x")).spawn().unwrap();
    let mut client = Client::log_in(&server);
    for number in 0..200_u32 {
        client.put("STOR number", &number.to_le_bytes());
        assert_eq!(client.get("RETR number"), number.to_le_bytes());
        assert_eq!(client.get("NLST"), b"file\r\nnumber\r\n");
    }
}

fn several_transfers_at_once(backend: Backend) {
    let files = Memory::new();
    let server = server(backend, files.clone()).spawn().unwrap();
    thread::scope(|scope| {
        for number in 0..8 {
            let server = &server;
            scope.spawn(move || {
                let content = &noise(3 << 20)[number..];
                let mut client = Client::log_in(server);
                for _ in 0..3 {
                    client.put(&format!("STOR file{number}"), content);
                    assert!(client.get(&format!("RETR file{number}")) == content);
                }
            });
        }
    });
    assert_eq!(files.read("/file7").unwrap().len(), (3 << 20) - 7);
}

fn long_listings(backend: Backend) {
    let files = Memory::new();
    let mut expected = Vec::new();
    for number in 0..5000 {
        let name = format!("a rather long name of a file, number {number:05}");
        files.write(&format!("/{name}"), "x");
        expected.extend_from_slice(format!("{name}\r\n").as_bytes());
    }
    let server = server(backend, files).spawn().unwrap();
    let mut client = Client::log_in(&server);
    assert!(client.get("NLST") == expected);
    for command in ["LIST", "MLSD"] {
        let data = client.narrow_passive();
        client.ask(command, 150);
        let lines = String::from_utf8(read_all(data)).unwrap();
        client.expect(226);
        assert!(lines.lines().filter(|line| line.contains("number")).count() == 5000);
    }
}

/// Not a byte more comes than 150 has named, and less than that is no success.
fn files_that_change_while_they_are_sent(backend: Backend) {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("file");
    std::fs::write(&path, noise(LARGE)).unwrap();
    let server = server(backend, Directory::open(folder.path()).unwrap()).spawn().unwrap();
    let mut client = Client::log_in(&server);
    for (size, sent, code) in [(64 << 20, LARGE, 226), (LARGE as u64 / 2, LARGE / 2, 451)] {
        std::fs::write(&path, noise(LARGE)).unwrap();
        let mut data = client.narrow_passive();
        client.ask("RETR file", 150);
        data.read_exact(&mut [0; 1000]).unwrap();
        std::fs::File::options().write(true).open(&path).unwrap().set_len(size).unwrap();
        assert_eq!(read_all(data).len() + 1000, sent);
        client.expect(code);
    }
}
