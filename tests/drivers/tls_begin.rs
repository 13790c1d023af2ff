//! The beginning of TLS, and those who want something else of it.

use std::io::{Read, Write};
use std::time::Duration;

use wharf::{Backend, Memory, Server, VirtualPath};

use crate::support::{
    Client, ClientTls, VERSIONS, for_each_driver, hello, noise, read_alert, tls_server,
};

for_each_driver!(
    tls_begins_by_auth_and_at_once,
    commands_behind_auth_are_not_executed,
    commands_in_clear_instead_of_a_handshake,
    a_hello_need_not_wait_for_the_answer,
    garbage_instead_of_a_handshake,
    garbage_behind_a_handshake,
    a_handshake_byte_by_byte,
    records_that_are_too_long,
    records_without_content,
    alerts_without_end,
    keys_that_change,
    garbage_on_data_connections,
);

/// What alerts say (RFC 8446 section 6).
const UNEXPECTED_MESSAGE: u8 = 10;
const DECODE_ERROR: u8 = 50;

fn tls_begins_by_auth_and_at_once(backend: Backend) {
    for version in VERSIONS {
        let tls = ClientTls::only(version);
        let server = tls_server(backend, Memory::new()).spawn().unwrap();
        Client::log_in_tls(&server, &tls).ask("AUTH TLS", 503);
        Client::visit_tls(&server);
        let server = tls_server(backend, Memory::new()).listen_implicit("127.0.0.1:0");
        let server = server.spawn().unwrap();
        let mut client = Client::log_in_tls(&server, &tls);
        client.put_tls("STOR file", b"content", &tls);
        assert_eq!(client.get_tls("RETR file", &tls), b"content");
        client.ask("QUIT", 221);
        client.expect_end();
    }
}

/// Nothing was made, and every client is served.
fn check_unharmed(server: &Server, files: &Memory) {
    use wharf::Storage;
    let evil = VirtualPath::root().resolve(b"evil").unwrap();
    assert!(files.metadata(&evil).is_err(), "a smuggled command was executed");
    Client::visit_tls(server);
    Client::visit(server);
}

fn commands_behind_auth_are_not_executed(backend: Backend) {
    let files = Memory::new();
    let server = tls_server(backend, files.clone()).spawn().unwrap();
    for smuggled in [
        "USER anonymous\r\nPASS x\r\nMKD evil\r\n",
        "MKD evil\r\n",
        "\r\nMKD evil\r\n",
        "N",
        "AUTH TLS\r\nMKD evil\r\n",
    ] {
        for logged_in in [false, true] {
            let mut client =
                if logged_in { Client::log_in(&server) } else { Client::connect(&server) };
            client.send_raw(format!("AUTH TLS\r\n{smuggled}").as_bytes());
            client.expect_barely(234);
            let mut socket = client.stream();
            assert_eq!(read_alert(&mut socket), DECODE_ERROR, "{smuggled}");
        }
    }
    // What the client says when it has been told nothing yet is not taken over either.
    let tls = ClientTls::new();
    let mut client = Client::connect(&server);
    client.send_raw(b"USER anonymous\r\nAUTH TLS\r\n");
    client.expect(331);
    client.expect(234);
    client.start_tls(&tls).unwrap();
    client.ask("PASS x", 503);
    check_unharmed(&server, &files);
}

fn commands_in_clear_instead_of_a_handshake(backend: Backend) {
    let files = Memory::new();
    let server = tls_server(backend, files.clone()).listen("127.0.0.1:0");
    let server = server.listen_implicit("127.0.0.1:0").spawn().unwrap();
    for command in ["USER anonymous\r\nPASS x\r\nMKD evil\r\n", "QUIT\r\n", "N"] {
        let mut client = Client::connect(&server);
        client.ask("AUTH TLS", 234);
        client.send_raw(command.as_bytes());
        assert_eq!(read_alert(&mut client.stream()), DECODE_ERROR, "{command}");
        let mut client = Client::dial(server.implicit_addresses()[0]).unwrap();
        client.send_raw(command.as_bytes());
        assert_eq!(read_alert(&mut client.stream()), DECODE_ERROR, "{command}");
    }
    let server = tls_server(backend, files.clone()).spawn().unwrap();
    check_unharmed(&server, &files);
}

/// Some clients send both at once.
fn a_hello_need_not_wait_for_the_answer(backend: Backend) {
    let server = tls_server(backend, Memory::new()).spawn().unwrap();
    for version in VERSIONS {
        for cut in [usize::MAX, 1, 4, 5, 6, 100] {
            let mut client = Client::connect(&server);
            client.start_tls_at_once(&ClientTls::only(version), cut).unwrap();
            client.enter();
            client.ask("PBSZ 0", 200);
        }
    }
}

fn garbage_instead_of_a_handshake(backend: Backend) {
    let server = tls_server(backend, Memory::new()).spawn().unwrap();
    let mut bystander = Client::log_in_tls(&server, &ClientTls::new());
    for round in 0..8 {
        let mut garbage = noise(100_000)[round * 11..].to_vec();
        // Some of it looks like a record at first.
        if round % 2 == 0 {
            garbage[..5].copy_from_slice(&[22, 3, 1, 0x20, round as u8]);
        }
        let mut client = Client::connect(&server);
        client.ask("AUTH TLS", 234);
        // The server may close before all has been sent.
        let _ = client.stream().write_all(&garbage);
        client.expect_hangup();
        bystander.ask("NOOP", 200);
    }
    // A hello whose inside makes no sense.
    let mut hello = hello();
    let half = hello.len() / 2;
    hello[half..].fill(0xff);
    let mut client = Client::connect(&server);
    client.ask("AUTH TLS", 234);
    client.send_raw(&hello);
    read_alert(&mut client.stream());
    Client::visit_tls(&server);
}

/// What does not decrypt, or a handshake that begins anew, within a session.
fn garbage_behind_a_handshake(backend: Backend) {
    let server = tls_server(backend, Memory::new()).spawn().unwrap();
    for version in VERSIONS {
        for garbage in [
            &b"\x17\x03\x03\x00\x20ThirtyTwoBytesThatDoNotDecrypt!!"[..],
            b"\x16\x03\x03\x00\x20ThirtyTwoBytesThatDoNotDecrypt!!",
            b"\x15\x03\x03\x00\x02\x02\x28",
            b"\x18\x03\x03\x00\x01x",
            b"NOOP\r\n",
            b"MKD evil\r\n",
            &hello(),
        ] {
            let mut client = Client::log_in_tls(&server, &ClientTls::only(version));
            client.tls().send_raw(garbage);
            let mut told = Vec::new();
            let error = client.tls().read_to_end(&mut told).expect_err("an alert");
            assert!(error.to_string().contains("alert"), "{garbage:?}: {error}");
            assert_eq!(told, b"");
        }
    }
    Client::visit_tls(&server);
}

fn a_handshake_byte_by_byte(backend: Backend) {
    let server = tls_server(backend, Memory::new()).spawn().unwrap();
    let mut client = Client::connect(&server);
    client.send_raw(b"AUTH TLS\r\n");
    client.expect(234);
    for byte in hello() {
        client.send_raw(&[byte]);
        std::thread::yield_now();
    }
    let mut answer = [0; 3];
    client.stream().read_exact(&mut answer).unwrap();
    assert_eq!(answer, *b"\x16\x03\x03", "a handshake record");
    // A command in the longest record that there may be, in small pieces.
    let mut client = Client::log_in_tls(&server, &ClientTls::new());
    let mut command = b"NOOP ".to_vec();
    command.resize(16 * 1024 - 2, b'x');
    command.extend_from_slice(b"\r\n");
    let record = client.tls().encrypt(&command);
    assert!(record.len() > 16 * 1024);
    for (number, piece) in record.chunks(1).enumerate() {
        client.tls().send_raw(piece);
        if number % 4096 == 0 {
            Client::visit(&server);
        }
    }
    client.expect(500);
    client.ask("NOOP", 200);
}

fn records_that_are_too_long(backend: Backend) {
    let server = tls_server(backend, Memory::new()).login_timeout(Duration::from_secs(2));
    let server = server.idle_timeout(Duration::from_secs(2)).spawn().unwrap();
    // More than there can be is refused at once; the longest that there may be is waited for.
    let mut client = Client::connect(&server);
    client.ask("AUTH TLS", 234);
    client.send_raw(b"\x16\x03\x01\xff\xff");
    assert_eq!(read_alert(&mut client.stream()), DECODE_ERROR);
    let mut client = Client::connect(&server);
    client.ask("AUTH TLS", 234);
    client.send_raw(b"\x16\x03\x01\x47\xff");
    client.expect_hangup();
    let mut client = Client::log_in_tls(&server, &ClientTls::new());
    client.tls().send_raw(b"\x17\x03\x03\x47\xff");
    client.expect(421);
    client.expect_end();
}

/// They cost the client more than the server, and keep no other client waiting.
fn records_without_content(backend: Backend) {
    let server = tls_server(backend, Memory::new()).spawn().unwrap();
    let mut bystander = Client::log_in(&server);
    // A record of application data within TLS 1.3 that has nothing in it is legal; rustls makes
    // none, so these do not decrypt, or are not encrypted.
    for flood in
        [&b"\x17\x03\x03\x00\x00"[..], b"\x16\x03\x03\x00\x00", b"\x14\x03\x03\x00\x01\x01"]
    {
        let mut client = Client::connect(&server);
        client.ask("AUTH TLS", 234);
        let _ = client.stream().write_all(&flood.repeat(10_000));
        client.expect_hangup();
        let mut client = Client::log_in_tls(&server, &ClientTls::new());
        let _ = client.tls().socket().write_all(&flood.repeat(10_000));
        client.expect_hangup();
        bystander.ask("NOOP", 200);
    }
    Client::visit_tls(&server);
}

fn alerts_without_end(backend: Backend) {
    let server = tls_server(backend, Memory::new()).spawn().unwrap();
    let mut bystander = Client::log_in(&server);
    // Warnings, which may be ignored, and one that says that the client goes.
    for alert in [&b"\x15\x03\x01\x00\x02\x01\x6e"[..], b"\x15\x03\x01\x00\x02\x01\x00"] {
        let mut client = Client::connect(&server);
        client.ask("AUTH TLS", 234);
        let _ = client.stream().write_all(&alert.repeat(10_000));
        client.expect_hangup();
        bystander.ask("NOOP", 200);
    }
    Client::visit_tls(&server);
}

fn keys_that_change(backend: Backend) {
    let server = tls_server(backend, Memory::new()).spawn().unwrap();
    let tls = ClientTls::only(VERSIONS[0]);
    let mut client = Client::log_in_tls(&server, &tls);
    for _ in 0..10 {
        client.tls().refresh_keys();
        client.ask("NOOP", 200);
    }
    let mut data = client.begin_tls("STOR new", &tls);
    for _ in 0..10 {
        data.refresh_keys();
        data.write_all(b"part").unwrap();
    }
    data.finish();
    client.expect(226);
    // But not without end.
    for _ in 0..1000 {
        client.tls().refresh_keys();
    }
    let flood = client.tls().encrypt(b"NOOP\r\n");
    let _ = client.tls().socket().write_all(&flood);
    client.expect_hangup();
    Client::visit_tls(&server);
}

fn garbage_on_data_connections(backend: Backend) {
    let files = Memory::new().with_file("/file", "Some content.");
    let server = tls_server(backend, files.clone()).spawn().unwrap();
    let tls = ClientTls::new();
    let mut client = Client::log_in_tls(&server, &tls);
    for (garbage, alert) in [
        (&b"Some content in clear, and not little."[..], DECODE_ERROR),
        (b"\x00", DECODE_ERROR),
        (b"\x16\x03\x01\xff\xff", DECODE_ERROR),
        (b"\x17\x03\x03\x00\x02xx", UNEXPECTED_MESSAGE),
    ] {
        for command in ["STOR new", "RETR file", "NLST"] {
            let mut data = client.begin(command);
            data.write_all(garbage).unwrap();
            assert_eq!(read_alert(&mut data), alert, "{garbage:?}");
            client.expect(522);
        }
        assert_eq!(client.get_tls("RETR file", &tls), b"Some content.");
    }
    // After the handshake.
    let mut data = client.begin_tls("STOR new", &tls);
    data.write_all(b"part").unwrap();
    data.send_raw(b"\x17\x03\x03\x00\x20ThirtyTwoBytesThatDoNotDecrypt!!");
    client.expect(426);
    assert!(data.read_to_end(&mut Vec::new()).is_err());
    assert_eq!(files.read("/new").unwrap(), b"part");
    // Silent to the end.
    let data = client.begin("STOR newer");
    drop(data);
    client.expect(522);
    assert_eq!(client.get_tls("RETR file", &tls), b"Some content.");
}
