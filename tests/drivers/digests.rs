//! Digests of files so long that they are never done.

use std::fs::File;
use std::thread;

use tempfile::TempDir;
use wharf::{Backend, Directory, Memory};

use crate::support::{Client, for_each_driver, noise, server, wait_until};

for_each_driver!(
    one_that_lasts_is_asked_about_and_stopped,
    more_than_there_are_threads_hold_up_nobody,
    who_leaves_ends_it,
    stopping_the_server_ends_it,
    of_what_was_stored_before_it,
    ranges_without_a_file_of_the_disk,
);

/// A folder with a hole of a file: long, and quickly made.
fn folder() -> (TempDir, Directory) {
    let folder = TempDir::new().unwrap();
    File::create(folder.path().join("endless")).unwrap().set_len(1 << 40).unwrap();
    let directory = Directory::open(folder.path()).unwrap();
    (folder, directory)
}

/// How many bytes STAT says have been read.
fn progress(client: &mut Client) -> u64 {
    let text = client.ask("STAT", 211).text;
    let line = text.lines().find(|line| line.contains("of 1099511627776 bytes"));
    let line = line.unwrap_or_else(|| panic!("nothing of a digest: {text}"));
    line.split([' ', ':']).find_map(|word| word.parse().ok()).unwrap()
}

fn one_that_lasts_is_asked_about_and_stopped(backend: Backend) {
    let (_folder, directory) = folder();
    let server = server(backend, directory).spawn().unwrap();
    let mut client = Client::log_in(&server);
    for command in ["HASH endless", "XCRC endless", "XMD5 \"endless\" 5 1099511627776"] {
        client.send(command);
        if command.starts_with("XMD5") {
            // Five bytes less.
            client.send("STAT");
            assert!(client.expect(211).text.contains("of 1099511627771 bytes"));
        } else {
            let before = progress(&mut client);
            wait_until("progress", || progress(&mut client) > before);
        }
        // What waits after it does not keep it from hearing more.
        client.send_raw(b"PWD\r\nABOR\r\n");
        client.expect(426);
        client.expect(257);
        client.expect(226);
        client.send(command);
        client.ask("ABOR", 426);
        client.expect(226);
    }
    client.ask("NOOP", 200);
}

fn more_than_there_are_threads_hold_up_nobody(backend: Backend) {
    let (_folder, directory) = folder();
    let server = server(backend, directory).max_sessions_per_address(100).spawn().unwrap();
    let mut before = Client::log_in(&server);
    let mut busy: Vec<_> = (0..70).map(|_| Client::log_in(&server)).collect();
    busy.iter_mut().for_each(|client| client.send("HASH endless"));
    progress(busy.last_mut().unwrap());
    Client::visit(&server);
    before.ask("NOOP", 200);
    assert_eq!(before.get("RETR visitor"), b"I was here.");
    let first = busy.first_mut().unwrap();
    first.ask("ABOR", 426);
    first.expect(226);
}

/// Who only closes a side may wait for the digest; who resets the connection does not.
fn who_leaves_ends_it(backend: Backend) {
    let (_folder, directory) = folder();
    let server = server(backend, directory).max_sessions(1).spawn().unwrap();
    for way in 0..2 {
        let mut client = None;
        wait_until("the session before is over", || {
            client = Client::try_log_in(&server);
            client.is_some()
        });
        let mut client = client.unwrap();
        client.send("HASH endless");
        progress(&mut client);
        if way == 1 {
            // More than a session takes in: its end comes after that.
            client.send_raw(&b"NOOP\r\n".repeat(4000));
        }
        client.reset();
    }
    wait_until("the last session is over", || Client::try_log_in(&server).is_some());
}

fn stopping_the_server_ends_it(backend: Backend) {
    let (_folder, directory) = folder();
    let server = server(backend, directory).spawn().unwrap();
    let mut client = Client::log_in(&server);
    client.send("HASH endless");
    progress(&mut client);
    let stopper = thread::spawn(move || server.shutdown());
    client.expect(426);
    client.expect(421);
    client.expect_end();
    stopper.join().unwrap().unwrap();
}

fn of_what_was_stored_before_it(backend: Backend) {
    let (_folder, directory) = folder();
    let server = server(backend, directory).spawn().unwrap();
    let mut client = Client::log_in(&server);
    client.put("STOR file", b"abc");
    let digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    let reply = client.ask("HASH file", 213).text;
    assert_eq!(reply, format!("213 SHA-256 0-2 {digest} file\r\n"));
    assert_eq!(client.ask("XSHA256 \"file\"", 250).text, format!("250 {digest}\r\n"));
}

/// They do not go the way of what the kernel sends by itself.
fn ranges_without_a_file_of_the_disk(backend: Backend) {
    let content = noise(1_000_000);
    let files = Memory::new().with_file("/file", content.clone());
    let server = server(backend, files.clone()).spawn().unwrap();
    let mut client = Client::log_in(&server);
    for (first, last) in [(0, 0), (1, 262_143), (262_144, 262_144), (5, 999_999), (5, 2_000_000)] {
        client.ask(&format!("RANG {first} {last}"), 350);
        let end = content.len().min(last + 1);
        assert!(client.get("RETR file") == content[first..end], "{first}-{last}");
    }
    let other = noise(700_000);
    client.ask("RANG 100000 799999", 350);
    client.put("STOR file", &other);
    let expected = [&content[..100_000], &other, &content[800_000..]].concat();
    assert!(files.read("/file").unwrap() == expected);
    // One byte less, and many more.
    for (length, code) in [(699_999, 426), (1_000_000, 552)] {
        client.ask("RANG 100000 799999", 350);
        let mut data = client.begin("STOR file");
        // The server may have had enough before all is sent.
        let _ = std::io::Write::write_all(&mut data, &noise(1_000_000)[..length]);
        drop(data);
        client.expect(code);
        let kept = files.read("/file").unwrap();
        assert!(kept[..100_000] == expected[..100_000] && kept[800_000..] == expected[800_000..]);
    }
}
