//! FTP dialogues with a storage, without sockets: the scripted client does what a driver does.

use wharf_core::testing::ScriptedClient;
use wharf_core::{SessionConfig, TlsPolicy};
use wharf_storage::testing::{self, Files};
use wharf_storage::{Entries, Memory, Metadata, ReadFile, Storage, StorageError, VirtualPath};

#[test]
fn files_come_and_go() {
    let files = Memory::new().with_file("/in/a", "0123456789").with_directory("/out");
    let mut client = testing::client(files.clone());
    assert_eq!(client.download("RETR in/a"), Ok(b"0123456789".to_vec()));
    assert_eq!(client.download("RETR in/none"), Err(550));
    client.send("REST 7");
    assert_eq!(client.download("RETR in/a"), Ok(b"789".to_vec()));
    client.send("REST 8");
    assert_eq!(client.upload("STOR in/a", "xy!"), 226);
    assert_eq!(client.upload("APPE in/a", "?"), 226);
    assert_eq!(files.read("/in/a").unwrap(), b"01234567xy!?");
    assert_eq!(client.upload("STOR none/a", "x"), 550);
    assert_eq!(client.send("RNFR in/a"), 350);
    assert_eq!(client.send("RNTO out/b"), 250);
    assert_eq!(client.download("NLST out"), Ok(b"out/b\r\n".to_vec()));
    assert_eq!(client.send("DELE out/b"), 250);
    assert_eq!(client.send("RMD out"), 250);
    assert_eq!(client.send("RMD out"), 550);
    assert_eq!(client.send("MKD new"), 257);
    assert_eq!(files.list("/").unwrap(), ["in", "new"]);
    let text = client.ask("STAT in");
    assert!(text[0].lines.len() >= 2, "{text:?}");
    client.harness().assert_nothing_open();
}

#[test]
fn text_travels_with_line_ends_of_the_network() {
    let files = Memory::new();
    let mut client = testing::client(files.clone());
    client.send("TYPE A");
    assert_eq!(client.upload("STOR t", "one\r\ntwo\r\n"), 226);
    assert_eq!(files.read("t").unwrap(), b"one\ntwo\n");
    assert_eq!(client.download("RETR t"), Ok(b"one\r\ntwo\r\n".to_vec()));
}

#[test]
fn a_long_listing_is_whole() {
    let files = Memory::new();
    (0..1000).for_each(|number| files.write(&format!("{number:04}"), ""));
    let mut client = testing::client(files);
    let listing = client.download("NLST").unwrap();
    assert_eq!(listing.iter().filter(|&&byte| byte == b'\n').count(), 1000);
    assert!(listing.ends_with(b"\r\n0999\r\n"));
}

#[test]
fn what_is_full_says_so() {
    let files = Memory::new().with_capacity_bytes(4).with_file("a", "abc");
    let mut client = testing::client(files.clone());
    assert_eq!(client.upload("STOR b", "de"), 552);
    assert_eq!(files.list("/").unwrap(), ["a"]);
    client.harness().assert_nothing_open();
}

#[test]
fn within_tls() {
    let config = SessionConfig { tls: Some(TlsPolicy::default()), ..SessionConfig::default() };
    let mut client = ScriptedClient::with_config(config, Files::new(Memory::new()));
    assert_eq!(client.send("AUTH TLS"), 234);
    assert_eq!(client.log_in("anna", "harbour"), 230);
    assert_eq!((client.send("PBSZ 0"), client.send("PROT P")), (200, 200));
    assert_eq!(client.upload("STOR a", "secret"), 226);
    assert_eq!(client.download("RETR a"), Ok(b"secret".to_vec()));
}

/// A file that can be read and not changed.
struct ReadOnly(Memory);

impl Storage for ReadOnly {
    fn metadata(&self, path: &VirtualPath) -> Result<Metadata, StorageError> {
        self.0.metadata(path).map(Metadata::read_only)
    }

    fn open_directory(&self, path: &VirtualPath) -> Result<Box<dyn Entries>, StorageError> {
        self.0.open_directory(path)
    }

    fn open_read(&self, path: &VirtualPath) -> Result<Box<dyn ReadFile>, StorageError> {
        self.0.open_read(path)
    }
}

#[test]
fn a_read_only_view_refuses_in_time() {
    let mut client = testing::client(ReadOnly(Memory::new().with_file("a", "a")));
    assert_eq!(client.download("RETR a"), Ok(b"a".to_vec()));
    for command in ["STOR b", "APPE a", "STOU", "MKD d", "DELE a", "RMD a"] {
        client.send("PASV");
        // One reply: nothing was begun.
        let codes: Vec<u16> = client.ask(command).iter().map(|reply| reply.code).collect();
        assert_eq!(codes, [550], "{command}");
    }
    assert_eq!(client.send("RNFR a"), 350);
    assert_eq!(client.send("RNTO b"), 550);
    assert_eq!(client.send("MFMT 20240101000000 a"), 502);
    client.harness().assert_nothing_open();
}
