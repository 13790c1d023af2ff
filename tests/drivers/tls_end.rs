//! The end of protected transfers: close_notify tells a file that is whole from one that was cut
//! off.

use std::io::{Read, Write};
use std::net::Shutdown;

use wharf::{Backend, Memory, UploadEnd};

use crate::support::{
    Client, ClientTls, TlsStream, VERSIONS, for_each_driver, noise, reset, tls_server, wait_until,
};

for_each_driver!(
    uploads_that_are_cut_off,
    an_upload_that_ends_without_a_word,
    an_upload_that_is_reset_behind_its_end,
    an_upload_ends_with_close_notify,
    what_an_upload_says_behind_its_end,
    a_download_ends_with_close_notify,
    a_client_that_has_counted_the_bytes,
    a_download_that_is_aborted_has_no_close_notify,
    an_upload_that_is_aborted,
    downloads_that_are_reset,
    empty_files,
);

/// How an upload can come to its end too early.
#[derive(Clone, Copy, Debug)]
enum Cut {
    End,
    Reset,
    WithinARecord,
    WithinAHeader,
    WithinTheGoodbye,
}

impl Cut {
    const ALL: [Self; 5] =
        [Self::End, Self::Reset, Self::WithinARecord, Self::WithinAHeader, Self::WithinTheGoodbye];
}

fn cut_off(data: &mut TlsStream, cut: Cut) {
    match cut {
        Cut::End => {}
        Cut::Reset => reset(data.socket().try_clone().unwrap()),
        Cut::WithinARecord => {
            let record = data.encrypt(b" and another part");
            data.send_raw(&record[..record.len() / 2]);
        }
        Cut::WithinAHeader => data.send_raw(b"\x17\x03"),
        Cut::WithinTheGoodbye => {
            let record = data.encrypt_notify();
            data.send_raw(&record[..record.len() - 1]);
        }
    }
}

/// A new file keeps what has come; one that was there stays as it was.
fn uploads_that_are_cut_off(backend: Backend) {
    let files = Memory::new();
    let server = tls_server(backend, files.clone()).spawn().unwrap();
    for version in VERSIONS {
        let tls = ClientTls::only(version);
        let mut client = Client::log_in_tls(&server, &tls);
        for cut in Cut::ALL {
            files.write("/old", "old content");
            for (command, file, after) in
                [("STOR new", "/new", "part"), ("STOR old", "/old", "old content")]
            {
                let mut data = client.begin_tls(command, &tls);
                data.write_all(b"part").unwrap();
                wait_until("all four bytes have come", || {
                    client.ask("STAT", 211).text.contains("Receiving a file: 4 bytes")
                });
                cut_off(&mut data, cut);
                if !matches!(cut, Cut::Reset) {
                    data.socket().shutdown(Shutdown::Write).unwrap();
                    // That it was cut off is not confirmed.
                    assert_eq!(data.read_truncated(), b"");
                }
                drop(data);
                client.expect(426);
                assert_eq!(files.read(file).unwrap(), after.as_bytes(), "{cut:?}");
            }
            client.ask("DELE new", 250);
        }
    }
}

/// Where that is taken, it is whole, but for what was cut within a record or by a reset.
fn an_upload_that_ends_without_a_word(backend: Backend) {
    let files = Memory::new();
    let server = tls_server(backend, files.clone()).tls_upload_end(UploadEnd::Lenient);
    let server = server.spawn().unwrap();
    for version in VERSIONS {
        let tls = ClientTls::only(version);
        let mut client = Client::log_in_tls(&server, &tls);
        for (cut, is_half_closed) in
            Cut::ALL.into_iter().flat_map(|cut| [(cut, true), (cut, false)])
        {
            files.write("/old", "old content");
            let mut data = client.begin_tls("STOR old", &tls);
            // What has been written is on its way when the connection is reset.
            data.socket().set_nodelay(true).unwrap();
            data.write_all(b"all").unwrap();
            cut_off(&mut data, cut);
            if is_half_closed && !matches!(cut, Cut::Reset) {
                data.socket().shutdown(Shutdown::Write).unwrap();
                assert_eq!(data.read_truncated(), b"");
            }
            drop(data);
            let whole = matches!(cut, Cut::End);
            client.expect(if whole { 226 } else { 426 });
            let after = if whole { "all" } else { "old content" };
            assert_eq!(files.read("/old").unwrap(), after.as_bytes(), "{cut:?}");
        }
        client.put_tls("STOR old", b"in order", &tls);
        assert_eq!(files.read("/old").unwrap(), b"in order");
    }
}

/// After close_notify the end of the connection, however it comes, changes nothing.
fn an_upload_that_is_reset_behind_its_end(backend: Backend) {
    let files = Memory::new();
    for end in [UploadEnd::Strict, UploadEnd::Lenient] {
        let server = tls_server(backend, files.clone()).tls_upload_end(end).spawn().unwrap();
        for version in VERSIONS {
            let tls = ClientTls::only(version);
            let mut client = Client::log_in_tls(&server, &tls);
            for size in [0, 1, 1000, 40_000] {
                let content = noise(size);
                files.write("/old", "old content");
                let mut data = client.begin_tls("STOR old", &tls);
                // What has been written is on its way when the connection is reset.
                data.socket().set_nodelay(true).unwrap();
                data.write_all(&content).unwrap();
                data.notify();
                reset(data.into_socket());
                client.expect(226);
                assert!(files.read("/old").unwrap() == content);
            }
        }
    }
}

fn an_upload_ends_with_close_notify(backend: Backend) {
    let files = Memory::new();
    let server = tls_server(backend, files.clone()).spawn().unwrap();
    for version in VERSIONS {
        let tls = ClientTls::only(version);
        let mut client = Client::log_in_tls(&server, &tls);
        // The client waits for the server's end, and neither sends its own before.
        let mut data = client.begin_tls("STOR new", &tls);
        data.write_all(b"content").unwrap();
        data.notify();
        assert_eq!(data.read_all(), b"");
        data.expect_end();
        client.expect(226);
        assert_eq!(files.read("/new").unwrap(), b"content");
        // It does not wait.
        let mut data = client.begin_tls("STOR newer", &tls);
        data.write_all(b"content").unwrap();
        data.notify();
        drop(data);
        client.expect(226);
        assert_eq!(files.read("/newer").unwrap(), b"content");
    }
}

/// Nothing after close_notify belongs to the file.
fn what_an_upload_says_behind_its_end(backend: Backend) {
    let files = Memory::new();
    let server = tls_server(backend, files.clone()).spawn().unwrap();
    let tls = ClientTls::new();
    let mut client = Client::log_in_tls(&server, &tls);
    for rest in [&b"in clear"[..], b"\x17\x03\x03\x00\x04more", &[0; 100_000]] {
        let mut data = client.begin_tls("STOR new", &tls);
        let mut bytes = data.encrypt(b"content");
        bytes.extend(data.encrypt_notify());
        bytes.extend_from_slice(rest);
        // The server may close before all has been sent.
        let _ = data.socket().write_all(&bytes);
        client.expect(226);
        assert_eq!(files.read("/new").unwrap(), b"content");
    }
}

fn a_download_ends_with_close_notify(backend: Backend) {
    let content = noise(3_000_000);
    let files = Memory::new().with_file("/much", content.clone()).with_file("/little", "x");
    let server = tls_server(backend, files).spawn().unwrap();
    for version in VERSIONS {
        let tls = ClientTls::only(version);
        let mut client = Client::log_in_tls(&server, &tls);
        for (command, wanted) in
            [("RETR much", &content[..]), ("RETR little", b"x"), ("NLST", b"little\r\nmuch\r\n")]
        {
            let mut data = client.begin_tls(command, &tls);
            assert!(data.read_all() == wanted, "{command}");
            data.expect_end();
            data.finish();
            client.expect(226);
            // A client that closes without a word.
            let mut data = client.begin_tls(command, &tls);
            assert!(data.read_all() == wanted, "{command}");
            drop(data);
            client.expect(226);
        }
    }
}

/// It knows the size, and does not wait for close_notify; that may reset the connection.
fn a_client_that_has_counted_the_bytes(backend: Backend) {
    let content = noise(3_000_000);
    let server = tls_server(backend, Memory::new().with_file("/much", content.clone()));
    let server = server.spawn().unwrap();
    let tls = ClientTls::new();
    let mut client = Client::log_in_tls(&server, &tls);
    for how in 0..6 {
        let mut data = client.begin_tls("RETR much", &tls);
        let mut bytes = vec![0; content.len()];
        data.read_exact(&mut bytes).unwrap();
        assert!(bytes == content);
        match how % 3 {
            0 => {}
            1 => data.notify(),
            _ => data.socket().shutdown(Shutdown::Both).unwrap(),
        }
        drop(data);
        client.expect(226);
    }
}

fn a_download_that_is_aborted_has_no_close_notify(backend: Backend) {
    let files = Memory::new().with_file("/much", vec![7; 24 << 20]);
    let server = tls_server(backend, files).spawn().unwrap();
    for version in VERSIONS {
        let tls = ClientTls::only(version);
        let mut client = Client::log_in_tls(&server, &tls);
        let mut data = client.begin_tls("RETR much", &tls);
        data.read_exact(&mut [0; 1000]).unwrap();
        client.ask("ABOR", 426);
        client.expect(226);
        assert!(data.read_truncated().len() < 24 << 20);
        client.ask("NOOP", 200);
        assert!(client.get_tls("NLST", &tls) == b"much\r\n");
    }
}

fn an_upload_that_is_aborted(backend: Backend) {
    let files = Memory::new().with_file("/old", "old content");
    let server = tls_server(backend, files.clone()).spawn().unwrap();
    let tls = ClientTls::new();
    let mut client = Client::log_in_tls(&server, &tls);
    for (command, file, after) in
        [("STOR new", "/new", "part"), ("STOR old", "/old", "old content")]
    {
        let mut data = client.begin_tls(command, &tls);
        data.write_all(b"part").unwrap();
        wait_until("all four bytes have come", || {
            client.ask("STAT", 211).text.contains("Receiving a file: 4 bytes")
        });
        client.ask("ABOR", 426);
        client.expect(226);
        assert_eq!(data.read_truncated(), b"");
        assert_eq!(files.read(file).unwrap(), after.as_bytes());
    }
    // Before the handshake.
    let data = client.begin("STOR newer");
    client.ask("ABOR", 426);
    client.expect(226);
    assert!(files.read("/newer").is_none_or(|bytes| bytes.is_empty()));
    drop(data);
    client.ask("NOOP", 200);
}

/// What the client did not get was not transferred, though all had been read from the file.
fn downloads_that_are_reset(backend: Backend) {
    let files = Memory::new().with_file("/much", vec![7; 24 << 20]);
    let server = tls_server(backend, files).spawn().unwrap();
    let tls = ClientTls::new();
    let mut client = Client::log_in_tls(&server, &tls);
    for read in [1, 1000, 5_000_000] {
        let mut data = client.begin_tls("RETR much", &tls);
        data.read_exact(&mut vec![0; read]).unwrap();
        reset(data.into_socket());
        client.expect(426);
    }
    client.ask("NOOP", 200);
}

fn empty_files(backend: Backend) {
    let files = Memory::new().with_file("/empty", "");
    let server = tls_server(backend, files.clone()).spawn().unwrap();
    for version in VERSIONS {
        let tls = ClientTls::only(version);
        let mut client = Client::log_in_tls(&server, &tls);
        assert_eq!(client.get_tls("RETR empty", &tls), b"");
        client.put_tls("STOR new", b"", &tls);
        assert_eq!(files.read("/new").unwrap(), b"");
    }
}
