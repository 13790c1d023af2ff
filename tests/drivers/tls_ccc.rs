//! Back to clear text: CCC, and REIN.

use std::io::{Read, Write};

use wharf::{Backend, Memory, Server};

use crate::support::{Client, ClientTls, VERSIONS, for_each_driver, tls_server};

for_each_driver!(
    ccc_is_not_for_everybody,
    ccc_that_both_sides_confirm,
    ccc_that_the_client_does_not_confirm,
    commands_behind_the_clients_close_notify,
    commands_behind_ccc_within_tls,
    data_connections_stay_protected,
    tls_again_behind_ccc,
    rein_goes_back_to_clear_text,
    a_client_that_only_says_goodbye,
);

fn start(backend: Backend) -> Server {
    let files = Memory::new().with_file("/file", "Some content.");
    tls_server(backend, files).allow_ccc(true).spawn().unwrap()
}

fn ccc_is_not_for_everybody(backend: Backend) {
    let server = tls_server(backend, Memory::new()).spawn().unwrap();
    let mut client = Client::log_in_tls(&server, &ClientTls::new());
    client.ask("CCC", 533);
    client.ask("NOOP", 200);
    Client::log_in(&server).ask("CCC", 533);
}

/// Says CCC; both say close_notify.
fn clear(client: &mut Client) {
    client.ask("CCC", 200);
    client.tls().notify();
    assert_eq!(client.tls().read_all(), b"");
    client.end_tls();
}

fn ccc_that_both_sides_confirm(backend: Backend) {
    let server = start(backend);
    for version in VERSIONS {
        let mut client = Client::log_in_tls(&server, &ClientTls::only(version));
        clear(&mut client);
        client.ask("PWD", 257);
        client.ask("CCC", 533);
        for _ in 0..100 {
            client.ask("NOOP", 200);
        }
        client.ask("QUIT", 221);
        client.expect_end();
    }
}

/// It takes the server's close_notify, and goes on.
fn ccc_that_the_client_does_not_confirm(backend: Backend) {
    let server = start(backend);
    for version in VERSIONS {
        for cut in [0, 1, 4, 5, 6] {
            let mut client = Client::log_in_tls(&server, &ClientTls::only(version));
            client.ask("CCC", 200);
            assert_eq!(client.tls().read_all(), b"");
            client.end_tls();
            client.send_raw(&b"NOOP\r\n"[..cut]);
            Client::visit(&server);
            client.send_raw(&b"NOOP\r\n"[cut..]);
            client.expect(200);
            client.ask("PWD", 257);
            client.ask("QUIT", 221);
            client.expect_end();
        }
        // It does not even wait for close_notify.
        let mut client = Client::log_in_tls(&server, &ClientTls::only(version));
        client.ask("CCC", 200);
        client.tls().send_raw(b"NOOP\r\nPWD\r\n");
        assert_eq!(client.tls().read_all(), b"");
        client.end_tls();
        client.expect(200);
        client.expect(257);
    }
}

fn commands_behind_the_clients_close_notify(backend: Backend) {
    let server = start(backend);
    for version in VERSIONS {
        for cut in [usize::MAX, 0, 3, 10, 24, 30, 31] {
            let mut client = Client::log_in_tls(&server, &ClientTls::only(version));
            client.ask("CCC", 200);
            let mut bytes = client.tls().encrypt_notify();
            bytes.extend_from_slice(b"NOOP\r\nPWD\r\n");
            let (now, later) = bytes.split_at(cut.min(bytes.len()));
            client.tls().send_raw(now);
            Client::visit(&server);
            client.tls().send_raw(later);
            assert_eq!(client.tls().read_all(), b"");
            client.end_tls();
            client.expect(200);
            client.expect(257);
        }
        // All at once, CCC too: more commands than are read in one go.
        let mut client = Client::log_in_tls(&server, &ClientTls::only(version));
        let mut bytes = client.tls().encrypt(b"CCC\r\n");
        bytes.extend(client.tls().encrypt_notify());
        bytes.extend(b"NOOP\r\n".repeat(3000));
        bytes.extend_from_slice(b"PWD\r\n");
        let mut writer = client.stream().try_clone().unwrap();
        let writer = std::thread::spawn(move || writer.write_all(&bytes).unwrap());
        let mut ccc = Vec::new();
        client.tls().read_to_end(&mut ccc).unwrap();
        assert!(ccc.starts_with(b"200 CCC"), "{}", ccc.escape_ascii());
        client.end_tls();
        for _ in 0..3000 {
            client.expect(200);
        }
        client.expect(257);
        writer.join().unwrap();
    }
}

/// They came protected, and are answered in clear.
fn commands_behind_ccc_within_tls(backend: Backend) {
    let server = start(backend);
    for version in VERSIONS {
        let mut client = Client::log_in_tls(&server, &ClientTls::only(version));
        client.send("CCC\r\nNOOP\r\nPWD");
        let mut ccc = Vec::new();
        client.tls().read_to_end(&mut ccc).unwrap();
        assert!(ccc.starts_with(b"200 CCC"), "{}", ccc.escape_ascii());
        client.tls().notify();
        client.end_tls();
        client.expect(200);
        client.expect(257);
        client.ask("NOOP", 200);
    }
}

fn data_connections_stay_protected(backend: Backend) {
    let server = start(backend);
    for version in VERSIONS {
        let tls = ClientTls::only(version);
        let mut client = Client::log_in_tls(&server, &tls);
        clear(&mut client);
        assert_eq!(client.get_tls("RETR file", &tls), b"Some content.");
        client.put_tls("STOR new", b"new", &tls);
        let mut data = client.begin_tls("RETR new", &tls);
        assert!(data.is_resumed());
        assert_eq!(data.read_all(), b"new");
        data.finish();
        client.expect(226);
    }
}

fn tls_again_behind_ccc(backend: Backend) {
    let server = start(backend);
    for version in VERSIONS {
        let tls = ClientTls::only(version);
        let mut client = Client::log_in_tls(&server, &tls);
        for _ in 0..3 {
            clear(&mut client);
            client.ask("AUTH TLS", 234);
            client.start_tls(&tls).unwrap();
            client.ask("PWD", 530);
            client.enter();
            client.ask("PBSZ 0", 200);
            client.ask("PROT P", 200);
            assert_eq!(client.get_tls("RETR file", &tls), b"Some content.");
        }
        // Everything in one: the end of one, and the beginning of the other, at the edges of what
        // is read at once.
        for padding in [0, 3000, 3600, 3700, 3800, 4000, 4060, 4070, 4080, 4090] {
            let mut client = Client::log_in_tls(&server, &tls);
            client.ask("CCC", 200);
            client.start_tls_behind_another(padding, &tls).unwrap();
            client.enter();
        }
    }
}

fn rein_goes_back_to_clear_text(backend: Backend) {
    let server = tls_server(backend, Memory::new().with_file("/file", "x")).spawn().unwrap();
    for version in VERSIONS {
        let tls = ClientTls::only(version);
        for confirms in [true, false] {
            let mut client = Client::log_in_tls(&server, &tls);
            client.ask("REIN", 220);
            if confirms {
                client.tls().notify();
            }
            assert_eq!(client.tls().read_all(), b"");
            client.end_tls();
            client.ask("PWD", 530);
            client.ask("PROT P", 503);
            client.enter();
            assert_eq!(client.get("RETR file"), b"x");
            client.ask("AUTH TLS", 234);
            client.start_tls(&tls).unwrap();
            client.enter();
            client.ask("PBSZ 0", 200);
            client.ask("PROT P", 200);
            assert_eq!(client.get_tls("RETR file", &tls), b"x");
        }
    }
}

/// close_notify without CCC is the end of the session.
fn a_client_that_only_says_goodbye(backend: Backend) {
    let server = start(backend);
    for version in VERSIONS {
        let mut client = Client::log_in_tls(&server, &ClientTls::only(version));
        client.tls().notify();
        client.tls().send_raw(b"NOOP\r\n");
        assert_eq!(client.tls().read_all(), b"");
        client.tls().expect_end();
        // What was asked before is answered.
        let mut client = Client::log_in_tls(&server, &ClientTls::only(version));
        let mut bytes = client.tls().encrypt(b"NOOP\r\nPWD\r\n");
        bytes.extend(client.tls().encrypt_notify());
        client.tls().send_raw(&bytes);
        client.expect(200);
        client.expect(257);
        client.expect_end();
    }
}
