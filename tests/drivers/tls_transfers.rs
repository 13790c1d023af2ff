//! Large files and many sessions, protected.

use std::io::{Read, Write};
use std::thread;
use std::time::Duration;

use wharf::{Backend, Directory, Memory};

use crate::support::{Client, ClientTls, TlsStream, VERSIONS, for_each_driver, noise, tls_server};

for_each_driver!(
    files_come_through_in_pieces_of_all_sizes,
    a_reader_that_pauses,
    files_on_a_disk,
    restarted_transfers,
    active_connections,
    many_sessions_at_once,
);

/// Sizes without a pattern, up to what is given.
struct Sizes(u64);

impl Sizes {
    fn next(&mut self, most: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        // Small ones as often as large ones.
        let bits = self.0 >> 59;
        1 + (self.0 >> 33) as usize % (1 << (bits % 17)).min(most)
    }
}

fn upload(data: &mut TlsStream, mut bytes: &[u8], sizes: &mut Sizes) {
    while !bytes.is_empty() {
        let (now, later) = bytes.split_at(sizes.next(bytes.len()));
        data.write_all(now).expect("the data connection takes bytes");
        bytes = later;
    }
}

fn download(data: &mut TlsStream, sizes: &mut Sizes) -> Vec<u8> {
    let (mut bytes, mut piece) = (Vec::new(), [0; 1 << 16]);
    loop {
        let most = sizes.next(piece.len());
        match data.read(&mut piece[..most]).expect("close_notify comes before the end") {
            0 => return bytes,
            count => bytes.extend_from_slice(&piece[..count]),
        }
    }
}

fn files_come_through_in_pieces_of_all_sizes(backend: Backend) {
    let content = noise(6_000_001);
    let files = Memory::new();
    let server = tls_server(backend, files.clone()).spawn().unwrap();
    for (seed, version) in VERSIONS.into_iter().enumerate() {
        let mut sizes = Sizes(seed as u64 + 1);
        let tls = ClientTls::only(version);
        let mut client = Client::log_in_tls(&server, &tls);
        let mut data = client.begin_tls("STOR file", &tls);
        upload(&mut data, &content, &mut sizes);
        data.finish();
        client.expect(226);
        assert!(files.read("/file").unwrap() == content);
        let mut data = client.begin_tls("RETR file", &tls);
        assert!(download(&mut data, &mut sizes) == content);
        data.finish();
        client.expect(226);
    }
}

fn a_reader_that_pauses(backend: Backend) {
    let content = noise(6_000_001);
    let server = tls_server(backend, Memory::new().with_file("/file", content.clone()));
    let server = server.spawn().unwrap();
    let tls = ClientTls::new();
    let mut client = Client::log_in_tls(&server, &tls);
    let data = client.narrow_passive();
    client.ask("RETR file", 150);
    let mut data = TlsStream::connect(data, &tls).unwrap();
    let mut bytes = vec![0; content.len()];
    for piece in bytes.chunks_mut(200_000) {
        data.read_exact(piece).unwrap();
        thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(data.read_all(), b"");
    assert!(bytes == content);
    data.finish();
    client.expect(226);
}

/// In clear the kernel would send them itself.
fn files_on_a_disk(backend: Backend) {
    let folder = tempfile::TempDir::new().unwrap();
    let content = noise(5_000_000);
    std::fs::write(folder.path().join("file"), &content).unwrap();
    let server = tls_server(backend, Directory::open(folder.path()).unwrap()).spawn().unwrap();
    let tls = ClientTls::new();
    let mut client = Client::log_in_tls(&server, &tls);
    assert!(client.get_tls("RETR file", &tls) == content);
    client.put_tls("STOR new", &content, &tls);
    assert!(std::fs::read(folder.path().join("new")).unwrap() == content);
    client.ask("PROT C", 200);
    assert!(client.get("RETR new") == content);
    client.ask("PROT P", 200);
    assert!(client.get_tls("RETR new", &tls) == content);
}

fn restarted_transfers(backend: Backend) {
    let content = noise(3_000_000);
    let files = Memory::new().with_file("/file", content.clone());
    let server = tls_server(backend, files.clone()).spawn().unwrap();
    let tls = ClientTls::new();
    let mut client = Client::log_in_tls(&server, &tls);
    client.ask("REST 2999990", 350);
    assert!(client.get_tls("RETR file", &tls) == content[2_999_990..]);
    files.write("/new", &content[..1_234_567]);
    client.ask("REST 1234567", 350);
    client.put_tls("STOR new", &content[1_234_567..], &tls);
    assert!(files.read("/new").unwrap() == content);
    client.put_tls("APPE new", b"more", &tls);
    assert!(files.read("/new").unwrap().ends_with(b"more"));
}

/// The client of FTP is that of TLS, too, whichever side has connected.
fn active_connections(backend: Backend) {
    let content = noise(1_000_000);
    let files = Memory::new().with_file("/file", content.clone());
    let server = tls_server(backend, files.clone()).spawn().unwrap();
    for version in VERSIONS {
        let tls = ClientTls::only(version);
        let mut client = Client::log_in_tls(&server, &tls);
        let port = client.eprt();
        client.send("RETR file");
        let mut data = TlsStream::connect(port.accept().unwrap().0, &tls).unwrap();
        client.expect(150);
        assert!(data.is_resumed());
        assert!(data.read_all() == content);
        data.finish();
        client.expect(226);
        let port = client.eprt();
        client.send("STOR new");
        let mut data = TlsStream::connect(port.accept().unwrap().0, &tls).unwrap();
        client.expect(150);
        data.write_all(&content).unwrap();
        data.finish();
        client.expect(226);
        assert!(files.read("/new").unwrap() == content);
    }
}

fn many_sessions_at_once(backend: Backend) {
    let content = noise(500_000);
    let files = Memory::new().with_file("/file", content.clone());
    let server = tls_server(backend, files.clone()).spawn().unwrap();
    let (server, content, files) = (&server, &content, &files);
    thread::scope(|scope| {
        for number in 0..20 {
            scope.spawn(move || {
                let tls = ClientTls::only(VERSIONS[number % 2]);
                let mut sizes = Sizes(number as u64);
                let mut client = Client::log_in_tls(server, &tls);
                for _ in 0..3 {
                    let mut data = client.begin_tls(&format!("STOR {number}"), &tls);
                    upload(&mut data, content, &mut sizes);
                    data.finish();
                    client.expect(226);
                    assert!(files.read(&format!("/{number}")).unwrap() == *content);
                    assert!(client.get_tls("RETR file", &tls) == *content);
                    client.ask("NOOP", 200);
                }
                client.ask("QUIT", 221);
                client.expect_end();
            });
        }
    });
}
