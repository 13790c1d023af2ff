//! Protected connections on which nothing moves any more.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use socket2::SockRef;
use wharf::{Backend, Memory};

use crate::support::{Client, ClientTls, TlsStream, VERSIONS, for_each_driver, hello, tls_server};

for_each_driver!(
    a_data_handshake_that_stops,
    an_upload_that_stops,
    a_download_that_nobody_reads,
    an_upload_that_comes_slowly,
    a_command_that_stops_within_a_record,
    replies_that_nobody_reads,
    a_server_that_stops,
);

/// Longer than a handshake takes, even on a machine with much else to do.
const SHORT: Duration = Duration::from_secs(1);

fn a_data_handshake_that_stops(backend: Backend) {
    let files = Memory::new().with_file("/file", "Some content.");
    let server = tls_server(backend, files).data_timeout(SHORT).spawn().unwrap();
    let tls = ClientTls::new();
    let mut client = Client::log_in_tls(&server, &tls);
    let hello = hello();
    for (said, command) in [
        (&b""[..], "RETR file"),
        (b"\x16", "STOR new"),
        (&hello[..hello.len() / 2], "NLST"),
        (&hello, "STOR new"),
    ] {
        let mut data = client.begin(command);
        data.write_all(said).unwrap();
        client.ask("NOOP", 200);
        Client::visit(&server);
        client.expect(426);
        // Whatever the server had said before.
        data.read_to_end(&mut Vec::new()).expect("it is closed");
        client.ask("NOOP", 200);
    }
    assert_eq!(client.get_tls("RETR file", &tls), b"Some content.");
    client.ask("SIZE new", 550);
}

fn an_upload_that_stops(backend: Backend) {
    let files = Memory::new().with_file("/old", "old content");
    let server = tls_server(backend, files.clone()).data_timeout(SHORT).spawn().unwrap();
    let tls = ClientTls::new();
    let mut client = Client::log_in_tls(&server, &tls);
    for (command, file, after, cut) in [
        ("STOR new", "/new", "part", 0),
        ("STOR old", "/old", "old content", 3),
        ("STOR newer", "/newer", "part", 100),
    ] {
        let mut data = client.begin_tls(command, &tls);
        data.write_all(b"part").unwrap();
        let record = data.encrypt(&[7; 1000]);
        data.send_raw(&record[..cut]);
        client.expect(426);
        assert_eq!(data.read_truncated(), b"");
        assert_eq!(files.read(file).unwrap(), after.as_bytes());
    }
    client.ask("NOOP", 200);
}

fn a_download_that_nobody_reads(backend: Backend) {
    let files = Memory::new().with_file("/much", vec![7; 24 << 20]);
    let server = tls_server(backend, files).data_timeout(SHORT).spawn().unwrap();
    for version in VERSIONS {
        let tls = ClientTls::only(version);
        let mut client = Client::log_in_tls(&server, &tls);
        let data = client.narrow_passive();
        client.ask("RETR much", 150);
        let mut data = TlsStream::connect(data, &tls).unwrap();
        client.ask("NOOP", 200);
        Client::visit(&server);
        client.expect(426);
        assert!(data.read_truncated().len() < 24 << 20);
        client.ask("NOOP", 200);
    }
}

fn an_upload_that_comes_slowly(backend: Backend) {
    let files = Memory::new();
    let server = tls_server(backend, files.clone()).data_timeout(3 * SHORT).spawn().unwrap();
    let tls = ClientTls::new();
    let mut client = Client::log_in_tls(&server, &tls);
    let mut data = client.begin_tls("STOR new", &tls);
    for _ in 0..10 {
        data.write_all(b"x").unwrap();
        thread::sleep(SHORT / 2);
    }
    data.finish();
    client.expect(226);
    assert_eq!(files.read("/new").unwrap(), b"xxxxxxxxxx");
}

fn a_command_that_stops_within_a_record(backend: Backend) {
    let server = tls_server(backend, Memory::new()).idle_timeout(SHORT).spawn().unwrap();
    for version in VERSIONS {
        let tls = ClientTls::only(version);
        for cut in [1, 10] {
            let mut client = Client::log_in_tls(&server, &tls);
            let record = client.tls().encrypt(b"NOOP\r\n");
            client.tls().send_raw(&record[..cut]);
            client.expect(421);
            client.expect_end();
        }
        // Bytes that never become a command do not keep it alive.
        let mut client = Client::log_in_tls(&server, &tls);
        let mut writer = client.stream().try_clone().unwrap();
        let record = client.tls().encrypt(&[b'x'; 4000]);
        let trickle = thread::spawn(move || {
            for byte in record {
                if writer.write_all(&[byte]).is_err() {
                    return;
                }
                thread::sleep(SHORT / 200);
            }
            panic!("the server waited for the whole record");
        });
        client.expect(421);
        client.expect_end();
        drop(client);
        trickle.join().unwrap();
    }
}

/// The server waits for the client, and then no longer; others do not notice.
fn replies_that_nobody_reads(backend: Backend) {
    let server = tls_server(backend, Memory::new()).idle_timeout(4 * SHORT).spawn().unwrap();
    let mut client = Client::log_in_tls(&server, &ClientTls::new());
    SockRef::from(client.stream()).set_recv_buffer_size(4096).unwrap();
    let mut writer = client.stream().try_clone().unwrap();
    let records = client.tls().encrypt(&b"HELP\r\n".repeat(200));
    let records: Vec<_> = std::iter::once(records)
        .chain((0..200).map(|_| client.tls().encrypt(&b"HELP\r\n".repeat(1000))))
        .collect();
    let writer = thread::spawn(move || {
        // The server closes before it has taken all, or takes no more.
        let _ = records.iter().try_for_each(|record| writer.write_all(record));
    });
    Client::visit_tls(&server);
    writer.join().unwrap();
    client.expect_hangup();
    Client::visit_tls(&server);
}

/// Handshakes that are under way do not hold it up.
fn a_server_that_stops(backend: Backend) {
    let server = tls_server(backend, Memory::new()).listen("127.0.0.1:0");
    let server = server.listen_implicit("127.0.0.1:0").spawn().unwrap();
    let mut idle = Client::log_in_tls(&server, &ClientTls::new());
    let mut silent = TcpStream::connect(server.implicit_addresses()[0]).unwrap();
    silent.write_all(&hello()[..20]).unwrap();
    let mut authenticating = Client::dial(server.addresses()[0]).unwrap();
    authenticating.expect(220);
    authenticating.ask("AUTH TLS", 234);
    let mut protecting = Client::log_in_tls(&server, &ClientTls::new());
    let data = protecting.begin("STOR new");
    server.stop_handle().call();
    idle.expect(421);
    idle.expect_end();
    authenticating.expect_hangup();
    silent.read_to_end(&mut Vec::new()).unwrap();
    drop(idle);
    protecting.expect(426);
    protecting.expect(421);
    protecting.expect_end();
    drop((authenticating, silent, protecting, data));
    server.wait().unwrap();
}
