//! MODE Z: what a client sends may expand a thousandfold, at the cost of its own quota alone.

use std::io::Write;
use std::net::TcpStream;
use std::sync::OnceLock;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use flate2::Compression;
use flate2::write::{ZlibDecoder, ZlibEncoder};
use wharf::{
    Backend, Disposition, Entries, Memory, Metadata, ReadFile, Storage, StorageError, VirtualPath,
    WallTime, WriteFile, WriteMode,
};

use crate::support::{Client, ClientTls, for_each_driver, noise, read_all, server, tls_server};

for_each_driver!(
    there_and_back,
    a_bomb_meets_the_quota,
    a_bomb_holds_up_nobody,
    a_bomb_stops_with_its_session,
    half_a_bomb_and_then_nothing,
);

fn deflate(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn inflate(stream: &[u8]) -> Vec<u8> {
    let mut decoder = ZlibDecoder::new(Vec::new());
    decoder.write_all(stream).unwrap();
    assert_eq!(decoder.total_in(), stream.len() as u64);
    decoder.finish().unwrap()
}

/// 1 MB that expands to 1 GiB.
fn bomb() -> &'static [u8] {
    static BOMB: OnceLock<Vec<u8>> = OnceLock::new();
    BOMB.get_or_init(|| {
        let (mut encoder, zeros) = (ZlibEncoder::new(vec![], Compression::best()), [0; 1 << 16]);
        (0..1 << 14).for_each(|_| encoder.write_all(&zeros).unwrap());
        encoder.finish().unwrap()
    })
}

/// Sends a stream of zeros that has no end, until the server takes no more.
fn send_endlessly(data: TcpStream) -> JoinHandle<()> {
    thread::spawn(move || {
        let (mut encoder, zeros) = (ZlibEncoder::new(data, Compression::fast()), [0; 1 << 16]);
        while encoder.write_all(&zeros).is_ok() {}
        // Dropped, it would try once more to end the stream.
        let _ = encoder.try_finish();
    })
}

fn there_and_back(backend: Backend) {
    let files = Memory::new();
    let server = tls_server(backend, files.clone()).spawn().unwrap();
    let tls = ClientTls::new();
    let (mut clear, mut protected) = (Client::log_in(&server), Client::log_in_tls(&server, &tls));
    clear.ask("MODE Z", 200);
    protected.ask("MODE Z", 200);
    // More than the buffers on the way hold, deflated or not.
    for content in [noise(1 << 20), vec![7; 3 << 20], vec![]] {
        clear.put("STOR one", &deflate(&content));
        assert!(files.read("/one").unwrap() == content);
        assert!(inflate(&clear.get("RETR one")) == content);
        protected.put_tls("STOR other", &deflate(&content), &tls);
        assert!(files.read("/other").unwrap() == content);
        assert!(inflate(&protected.get_tls("RETR other", &tls)) == content);
    }
    assert_eq!(inflate(&read_all(clear.begin("NLST"))), b"one\r\nother\r\n");
    clear.expect(226);
}

fn a_bomb_meets_the_quota(backend: Backend) {
    assert!(bomb().len() < 1_100_000);
    let files = Memory::new().with_capacity_bytes(3 << 20);
    let server = server(backend, files.clone()).spawn().unwrap();
    let mut client = Client::log_in(&server);
    client.ask("MODE Z", 200);
    let mut data = client.begin("STOR bomb");
    // The server need not take all of it.
    let _ = data.write_all(bomb());
    client.expect(552);
    // What came of it does not keep the storage full.
    assert_eq!(files.read("/bomb"), None);
    client.put("STOR file", &deflate(b"content"));
    assert_eq!(files.read("/file").unwrap(), b"content");
}

fn a_bomb_holds_up_nobody(backend: Backend) {
    let server = server(backend, Bottomless(Memory::new())).spawn().unwrap();
    let mut client = Client::log_in(&server);
    client.ask("MODE Z", 200);
    for _ in 0..3 {
        let sender = send_endlessly(client.begin("STOR bottomless"));
        Client::visit(&server);
        client.ask("NOOP", 200);
        assert!(client.ask("STAT", 211).text.contains("Receiving a file"));
        client.ask("ABOR", 426);
        client.expect(226);
        sender.join().unwrap();
    }
}

fn a_bomb_stops_with_its_session(backend: Backend) {
    let server = server(backend, Bottomless(Memory::new())).data_timeout(Duration::from_secs(1));
    let server = server.spawn().unwrap();
    let mut client = Client::log_in(&server);
    client.ask("MODE Z", 200);
    let sender = send_endlessly(client.begin("STOR bottomless"));
    client.reset();
    sender.join().unwrap();
    Client::visit(&server);
}

/// Expanding what came is no sign of life of who sent it.
fn half_a_bomb_and_then_nothing(backend: Backend) {
    let server = server(backend, Bottomless(Memory::new())).data_timeout(Duration::from_secs(1));
    let server = server.spawn().unwrap();
    let mut client = Client::log_in(&server);
    client.ask("MODE Z", 200);
    let mut data = client.begin("STOR bottomless");
    data.write_all(&bomb()[..100_000]).unwrap();
    assert!(client.expect(426).text.contains("stalled"));
    client.ask("NOOP", 200);
}

/// Files in memory, but for one that takes everything and keeps nothing.
struct Bottomless(Memory);

struct Hole;

impl WriteFile for Hole {
    fn existed(&self) -> bool {
        false
    }

    fn write(&mut self, _: &[u8]) -> Result<(), StorageError> {
        Ok(())
    }

    fn finish(self: Box<Self>, _: Disposition) -> Result<(), StorageError> {
        Ok(())
    }
}

impl Storage for Bottomless {
    fn check_write(&self, path: &VirtualPath, mode: &WriteMode) -> Result<(), StorageError> {
        self.0.check_write(path, mode)
    }

    fn open_write(
        &self,
        path: &VirtualPath,
        mode: &WriteMode,
    ) -> Result<Box<dyn WriteFile>, StorageError> {
        match path.file_name() {
            Some(b"bottomless") => Ok(Box::new(Hole)),
            _ => self.0.open_write(path, mode),
        }
    }

    fn metadata(&self, path: &VirtualPath) -> Result<Metadata, StorageError> {
        self.0.metadata(path)
    }

    fn link_metadata(&self, path: &VirtualPath) -> Result<Metadata, StorageError> {
        self.0.link_metadata(path)
    }

    fn open_directory(&self, path: &VirtualPath) -> Result<Box<dyn Entries>, StorageError> {
        self.0.open_directory(path)
    }

    fn open_read(&self, path: &VirtualPath) -> Result<Box<dyn ReadFile>, StorageError> {
        self.0.open_read(path)
    }

    fn create_directory(&self, path: &VirtualPath) -> Result<(), StorageError> {
        self.0.create_directory(path)
    }

    fn remove_file(&self, path: &VirtualPath) -> Result<(), StorageError> {
        self.0.remove_file(path)
    }

    fn remove_directory(&self, path: &VirtualPath) -> Result<(), StorageError> {
        self.0.remove_directory(path)
    }

    fn rename(
        &self,
        from: &VirtualPath,
        to: &VirtualPath,
        replace: bool,
    ) -> Result<(), StorageError> {
        self.0.rename(from, to, replace)
    }

    fn set_modified(&self, path: &VirtualPath, to: WallTime) -> Result<(), StorageError> {
        self.0.set_modified(path, to)
    }

    fn set_mode(&self, path: &VirtualPath, mode: u32) -> Result<(), StorageError> {
        self.0.set_mode(path, mode)
    }

    fn space_left(&self, path: &VirtualPath) -> Result<Option<u64>, StorageError> {
        self.0.space_left(path)
    }
}
