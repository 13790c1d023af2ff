//! Strangers who come to a data connection first: a client is known by its address, and by the TLS
//! session that it resumes.

use std::net::{IpAddr, SocketAddr, TcpStream};

use rustls::SupportedProtocolVersion;
use socket2::{Domain, Socket, Type};
use wharf::{Backend, Memory, Resumption};

use crate::support::{Client, ClientTls, LIMIT, TlsStream, VERSIONS, for_each_driver, tls_server};

for_each_driver!(
    an_address_that_is_not_the_clients,
    a_stranger_without_the_session,
    a_session_of_another_control_connection,
    a_stranger_that_says_nothing,
    what_is_not_required_is_not_refused,
    nothing_is_resumed_where_that_is_off,
    many_transfers_in_a_row_resume,
    a_session_that_auth_has_ended,
);

fn files() -> Memory {
    Memory::new().with_file("/file", "Some content.")
}

fn connect_from(from: [u8; 4], to: SocketAddr) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::new(IpAddr::from(from), 0).into()).unwrap();
    socket.connect_timeout(&to.into(), LIMIT).unwrap();
    let stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    stream
}

/// A transfer that succeeds.
#[track_caller]
fn check_rightful(client: &mut Client, tls: &ClientTls, version: &SupportedProtocolVersion) {
    for _ in 0..3 {
        let mut data = client.begin_tls("RETR file", tls);
        assert!(data.is_resumed(), "{version:?}");
        assert_eq!(data.read_all(), b"Some content.");
        data.finish();
        client.expect(226);
    }
    client.put_tls("STOR new", b"new", tls);
}

/// Linux has all of 127.0.0.0/8; others do not.
#[cfg(target_os = "linux")]
fn an_address_that_is_not_the_clients(backend: Backend) {
    let server = tls_server(backend, files()).spawn().unwrap();
    let tls = ClientTls::new();
    let mut client = Client::log_in_tls(&server, &tls);
    let to = client.pasv();
    // Even with the client's own sessions.
    for _ in 0..3 {
        assert!(TlsStream::connect(connect_from([127, 0, 0, 2], to), &tls).is_err());
    }
    let silent = connect_from([127, 0, 0, 3], to);
    client.send("RETR file");
    let data = TcpStream::connect(to).unwrap();
    client.expect(150);
    let mut data = TlsStream::connect(data, &tls).unwrap();
    assert_eq!(data.read_all(), b"Some content.");
    data.finish();
    client.expect(226);
    drop(silent);
}

#[cfg(not(target_os = "linux"))]
fn an_address_that_is_not_the_clients(_: Backend) {}

fn a_stranger_without_the_session(backend: Backend) {
    let server = tls_server(backend, files()).tls_resumption(Resumption::Require).spawn().unwrap();
    for version in VERSIONS {
        let tls = ClientTls::only(version);
        let mut client = Client::log_in_tls(&server, &tls);
        for command in ["RETR file", "STOR evil", "NLST"] {
            let data = client.begin(command);
            let mut data = TlsStream::connect(data, &ClientTls::only(version)).unwrap();
            client.expect(522);
            assert_eq!(data.read_truncated(), b"");
        }
        check_rightful(&mut client, &tls, version);
        client.ask("SIZE evil", 550);
        // What it got in that handshake is of no use to it afterwards.
        let stranger = ClientTls::only(version);
        for _ in 0..3 {
            let data = TlsStream::connect(client.begin("RETR file"), &stranger);
            client.expect(522);
            assert!(data.is_ok_and(|data| !data.is_resumed()));
        }
        check_rightful(&mut client, &tls, version);
    }
}

/// Another client that may log in here is still another client.
fn a_session_of_another_control_connection(backend: Backend) {
    for resumption in [Resumption::Require, Resumption::Prefer] {
        let server = tls_server(backend, files()).tls_resumption(resumption).spawn().unwrap();
        for version in VERSIONS {
            let (own, other) = (ClientTls::only(version), ClientTls::only(version));
            let mut client = Client::log_in_tls(&server, &own);
            let mut accomplice = Client::log_in_tls(&server, &other);
            for _ in 0..3 {
                let mut data = client.begin_tls("RETR file", &other);
                assert!(!data.is_resumed(), "{version:?}");
                if resumption == Resumption::Require {
                    client.expect(522);
                    assert_eq!(data.read_truncated(), b"");
                } else {
                    assert_eq!(data.read_all(), b"Some content.");
                    data.finish();
                    client.expect(226);
                }
            }
            check_rightful(&mut client, &own, version);
            accomplice.ask("NOOP", 200);
            // The accomplice has gone, and its sessions are as foreign as before.
            drop(accomplice);
            let data = client.begin_tls("RETR file", &other);
            assert!(!data.is_resumed());
            drop(data);
            client.reply().unwrap();
            check_rightful(&mut client, &own, version);
        }
    }
}

fn a_stranger_that_says_nothing(backend: Backend) {
    let server = tls_server(backend, files()).tls_resumption(Resumption::Require).spawn().unwrap();
    let tls = ClientTls::new();
    let mut client = Client::log_in_tls(&server, &tls);
    let stranger = client.begin("RETR file");
    client.ask("ABOR", 426);
    client.expect(226);
    let mut data = client.begin_tls("RETR file", &tls);
    assert_eq!(data.read_all(), b"Some content.");
    data.finish();
    client.expect(226);
    drop(stranger);
}

fn what_is_not_required_is_not_refused(backend: Backend) {
    let server = tls_server(backend, files()).spawn().unwrap();
    for version in VERSIONS {
        let mut client = Client::log_in_tls(&server, &ClientTls::only(version));
        for _ in 0..3 {
            let tls = ClientTls::only(version);
            assert_eq!(client.get_tls("RETR file", &tls), b"Some content.");
            client.put_tls("STOR new", b"new", &tls);
        }
    }
}

fn nothing_is_resumed_where_that_is_off(backend: Backend) {
    let server = tls_server(backend, files()).tls_resumption(Resumption::Off).spawn().unwrap();
    for version in VERSIONS {
        let tls = ClientTls::only(version);
        let mut client = Client::log_in_tls(&server, &tls);
        for _ in 0..3 {
            let mut data = client.begin_tls("RETR file", &tls);
            assert!(!data.is_resumed());
            assert_eq!(data.read_all(), b"Some content.");
            data.finish();
            client.expect(226);
        }
    }
}

/// Each download brings what the next one needs.
fn many_transfers_in_a_row_resume(backend: Backend) {
    let server = tls_server(backend, files()).tls_resumption(Resumption::Require).spawn().unwrap();
    for version in VERSIONS {
        let tls = ClientTls::only(version);
        let mut client = Client::log_in_tls(&server, &tls);
        for _ in 0..40 {
            assert_eq!(client.get_tls("RETR file", &tls), b"Some content.");
        }
    }
}

/// AUTH begins anew: what was handed out before REIN is not for the client after it.
fn a_session_that_auth_has_ended(backend: Backend) {
    let server = tls_server(backend, files()).tls_resumption(Resumption::Require).spawn().unwrap();
    for version in VERSIONS {
        let (before, after) = (ClientTls::only(version), ClientTls::only(version));
        let mut client = Client::log_in_tls(&server, &before);
        check_rightful(&mut client, &before, version);
        client.ask("REIN", 220);
        client.tls().notify();
        assert_eq!(client.tls().read_all(), b"");
        client.end_tls();
        client.ask("AUTH TLS", 234);
        client.start_tls(&after).unwrap();
        client.enter();
        client.ask("PBSZ 0", 200);
        client.ask("PROT P", 200);
        let data = client.begin_tls("RETR file", &before);
        assert!(!data.is_resumed());
        client.expect(522);
        check_rightful(&mut client, &after, version);
    }
}
