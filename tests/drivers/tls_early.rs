//! TLS on passive data connections before the command, as some clients wait for it.

use std::io::Write;

use wharf::{Backend, Memory, Resumption};

use crate::support::{Client, ClientTls, TlsStream, VERSIONS, for_each_driver, noise, tls_server};

for_each_driver!(
    both_orders_serve,
    whoever_must_resume_and_does_not,
    a_handshake_that_fails_before_the_command,
    prot_changes_in_between,
);

fn files() -> Memory {
    Memory::new().with_file("/file", noise(300_000))
}

/// Connects and shakes hands before any command.
fn early(client: &mut Client, tls: &ClientTls) -> TlsStream {
    let data = client.passive();
    // The end of the handshake is there before the command.
    data.set_nodelay(true).unwrap();
    TlsStream::connect(data, tls).expect("the handshake waits for no command")
}

fn both_orders_serve(backend: Backend) {
    for resumption in [Resumption::Off, Resumption::Prefer] {
        for implicit in [false, true] {
            let files = files();
            let mut server = tls_server(backend, files.clone()).tls_resumption(resumption);
            if implicit {
                server = server.listen_implicit("127.0.0.1:0");
            }
            let server = server.spawn().unwrap();
            for version in VERSIONS {
                let tls = ClientTls::only(version);
                let mut client = Client::log_in_tls(&server, &tls);
                for round in 0..4 {
                    let mut data = early(&mut client, &tls);
                    client.ask("NOOP", 200);
                    client.ask("RETR file", 150);
                    assert!(data.read_all() == noise(300_000));
                    data.finish();
                    client.expect(226);
                    let content = noise(1000 * round);
                    let mut data = early(&mut client, &tls);
                    data.write_all(&content).unwrap();
                    client.ask("STOR new", 150);
                    data.finish();
                    client.expect(226);
                    assert!(files.read("/new").unwrap() == content);
                    let mut data = early(&mut client, &tls);
                    client.ask("NLST", 150);
                    assert_eq!(data.read_all(), b"file\r\nnew\r\n");
                    data.finish();
                    client.expect(226);
                    assert!(client.get_tls("RETR file", &tls) == noise(300_000));
                }
            }
        }
    }
}

/// 522 and no 150 before it, and no file is made.
fn whoever_must_resume_and_does_not(backend: Backend) {
    let server = tls_server(backend, files()).tls_resumption(Resumption::Require);
    let server = server.spawn().unwrap();
    for version in VERSIONS {
        let tls = ClientTls::only(version);
        let mut client = Client::log_in_tls(&server, &tls);
        for command in ["RETR file", "STOR evil", "NLST"] {
            let mut data = early(&mut client, &ClientTls::only(version));
            client.ask(command, 522);
            assert_eq!(data.read_truncated(), b"");
        }
        client.ask("SIZE evil", 550);
        let mut data = early(&mut client, &tls);
        assert!(data.is_resumed());
        client.ask("RETR file", 150);
        assert!(data.read_all() == noise(300_000));
        data.finish();
        client.expect(226);
    }
}

fn a_handshake_that_fails_before_the_command(backend: Backend) {
    let server = tls_server(backend, files()).spawn().unwrap();
    let tls = ClientTls::new();
    let mut client = Client::log_in_tls(&server, &tls);
    for command in ["RETR file", "STOR new", "NLST"] {
        let mut data = client.passive();
        data.write_all(b"in clear").unwrap();
        crate::support::read_alert(&mut data);
        client.ask(command, 522);
        client.ask(command, 425);
    }
    assert!(client.get_tls("RETR file", &tls) == noise(300_000));
}

fn prot_changes_in_between(backend: Backend) {
    let server = tls_server(backend, files()).spawn().unwrap();
    let tls = ClientTls::new();
    let mut client = Client::log_in_tls(&server, &tls);
    for command in ["PROT C", "ABOR", "EPSV"] {
        let mut data = early(&mut client, &tls);
        client.send(command);
        client.reply().unwrap();
        assert_eq!(data.read_truncated(), b"");
        if command == "PROT C" {
            client.ask("NLST", 425);
            assert!(client.get("RETR file") == noise(300_000));
            client.ask("PROT P", 200);
        }
    }
    assert!(client.get_tls("RETR file", &tls) == noise(300_000));
}
