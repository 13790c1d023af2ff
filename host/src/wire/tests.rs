//! A wire against the client of rustls, over a pair of sockets.

mod backlog;

use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::sync::Arc;
use std::thread;

use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::ServerName;
use rustls::version::{TLS12, TLS13};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned, SupportedProtocolVersion,
};
use socket2::{Domain, Socket, Type};

use super::*;
use crate::tls::{Certificate, Tls};

type Client = StreamOwned<ClientConnection, Socket>;

const VERSIONS: [&SupportedProtocolVersion; 2] = [&TLS12, &TLS13];

/// The server's end, which does not block, and the client's, which does.
fn sockets() -> (Socket, Socket) {
    let (ours, theirs) = Socket::pair(Domain::UNIX, Type::STREAM, None).unwrap();
    ours.set_nonblocking(true).unwrap();
    for socket in [&ours, &theirs] {
        // So little that both have to wait for one another again and again.
        socket.set_send_buffer_size(4096).unwrap();
    }
    (ours, theirs)
}

fn client(version: &'static SupportedProtocolVersion, tls: &Certificate, socket: Socket) -> Client {
    let mut roots = RootCertStore::empty();
    roots.add(tls.key().cert[0].clone()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_protocol_versions(&[version])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("localhost").unwrap();
    StreamOwned::new(ClientConnection::new(Arc::new(config), name).unwrap(), socket)
}

/// Lets the client do its part on another thread while the wire has done its own.
fn play<T: Send>(
    version: &'static SupportedProtocolVersion,
    client_does: impl FnOnce(Client) -> T + Send,
    server_does: impl FnOnce(&mut Wire, &Socket),
) -> T {
    let certificate = Certificate::self_signed(&["localhost"]).unwrap();
    let tls = Tls::new(certificate.clone()).unwrap();
    let (ours, theirs) = sockets();
    let client = client(version, &certificate, theirs);
    thread::scope(|scope| {
        let playing = scope.spawn(|| client_does(client));
        let mut wire = Wire::new();
        wire.start_tls(tls.control(None).unwrap().0, Vec::new(), 777);
        until(&mut wire, &ours, |wire| match wire.handshake(&ours) {
            Progress::Done => Some(()),
            Progress::Blocked => None,
            Progress::Broken(error) => panic!("{error}"),
        });
        server_does(&mut wire, &ours);
        drop(ours);
        playing.join().unwrap()
    })
}

/// Tries until there is an outcome, with a driver in between that says when the socket is ready.
fn until<T>(
    wire: &mut Wire,
    socket: &Socket,
    mut attempt: impl FnMut(&mut Wire) -> Option<T>,
) -> T {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    loop {
        if let Some(outcome) = attempt(wire) {
            return outcome;
        }
        let interest = wire.not_ready(Readiness::READABLE);
        if !interest.any() {
            continue;
        }
        let mut flags = PollFlags::empty();
        flags.set(PollFlags::IN, interest.readable);
        flags.set(PollFlags::OUT, interest.writable);
        let mut watched = [PollFd::new(socket, flags)];
        let limit = Timespec { tv_sec: 60, tv_nsec: 0 };
        assert_eq!(poll(&mut watched, Some(&limit)).unwrap(), 1, "nothing happens");
        wire.set_ready(Readiness::BOTH);
    }
}

/// Reads to the end; returns what came, and what the end was.
fn read_all(wire: &mut Wire, socket: &Socket) -> (Vec<u8>, Flow) {
    let (mut bytes, mut buffer) = (Vec::new(), [0; 1000]);
    let end = until(wire, socket, |wire| match wire.read(socket, &mut buffer) {
        Flow::Moved(count) => {
            bytes.extend_from_slice(&buffer[..count]);
            None
        }
        Flow::Blocked => None,
        end => Some(end),
    });
    (bytes, end)
}

fn read_exactly(wire: &mut Wire, socket: &Socket, count: usize) -> Vec<u8> {
    let (mut bytes, mut buffer) = (Vec::new(), vec![0; count]);
    until(wire, socket, |wire| {
        if let Flow::Moved(moved) = wire.read(socket, &mut buffer[..count - bytes.len()]) {
            bytes.extend_from_slice(&buffer[..moved]);
        }
        (bytes.len() == count).then_some(())
    });
    bytes
}

fn write_all(wire: &mut Wire, socket: &Socket, mut bytes: &[u8]) {
    until(wire, socket, |wire| {
        match wire.write(socket, bytes) {
            Flow::Moved(count) => bytes = &bytes[count..],
            Flow::Blocked => {}
            end => panic!("{end:?}"),
        }
        bytes.is_empty().then_some(())
    });
}

fn close(wire: &mut Wire, socket: &Socket) {
    until(wire, socket, |wire| match wire.close(socket) {
        Progress::Done => Some(()),
        Progress::Blocked => None,
        Progress::Broken(error) => panic!("{error}"),
    });
}

fn bytes() -> Vec<u8> {
    (0..300_001_u32).map(|number| (number * 7 + number / 256) as u8).collect()
}

#[test]
fn bytes_go_both_ways_and_the_end_is_said() {
    for version in VERSIONS {
        let received = play(
            version,
            |mut client| {
                client.write_all(&bytes()).unwrap();
                client.conn.send_close_notify();
                client.flush().unwrap();
                let mut received = Vec::new();
                // An end without close_notify would be an error.
                client.read_to_end(&mut received).unwrap();
                received
            },
            |wire, socket| {
                let (received, end) = read_all(wire, socket);
                assert!(matches!(end, Flow::Ended), "{end:?}");
                assert!(received == bytes());
                write_all(wire, socket, &bytes());
                close(wire, socket);
            },
        );
        assert!(received == bytes());
    }
}

#[test]
fn the_client_renews_the_keys() {
    let received = play(
        &TLS13,
        |mut client| {
            client.write_all(b"old").unwrap();
            client.conn.refresh_traffic_keys().unwrap();
            client.write_all(b"new").unwrap();
            let mut received = Vec::new();
            client.read_to_end(&mut received).unwrap();
            received
        },
        |wire, socket| {
            assert_eq!(read_exactly(wire, socket, 6), b"oldnew");
            write_all(wire, socket, &bytes());
            close(wire, socket);
        },
    );
    assert!(received == bytes());
}

#[test]
fn an_end_that_no_side_said_is_none() {
    for version in VERSIONS {
        play(
            version,
            |mut client| {
                client.write_all(b"half a file").unwrap();
                client.sock.shutdown(Shutdown::Write).unwrap();
                let _ = client.read_to_end(&mut Vec::new());
            },
            |wire, socket| {
                let (received, end) = read_all(wire, socket);
                assert_eq!(received, b"half a file");
                let truncated = matches!(&end, Flow::Broken(error) if error.kind() == io::ErrorKind::UnexpectedEof);
                assert!(truncated, "{end:?}");
            },
        );
    }
}

#[test]
fn what_is_no_tls_breaks_it_and_is_told() {
    for version in VERSIONS {
        let alert = play(
            version,
            |mut client| {
                client.write_all(b"x").unwrap();
                client.sock.write_all(b"USER joe\r\n").unwrap();
                client.read_to_end(&mut Vec::new())
            },
            |wire, socket| {
                let (received, end) = read_all(wire, socket);
                assert_eq!(received, b"x");
                let broken = matches!(&end, Flow::Broken(error) if error.kind() == io::ErrorKind::InvalidData);
                assert!(broken, "{end:?}");
                close(wire, socket);
            },
        );
        assert!(alert.unwrap_err().to_string().contains("alert"), "{version:?}");
    }
}

/// The client says its own end of TLS or not, then goes on in clear.
fn leave(version: &'static SupportedProtocolVersion, says_so: bool) {
    let in_clear = play(
        version,
        |mut client| {
            client.write_all(b"CCC\r\n").unwrap();
            let mut reply = Vec::new();
            client.read_to_end(&mut reply).unwrap();
            assert_eq!(reply, b"200 in TLS\r\n");
            if says_so {
                client.conn.send_close_notify();
            }
            // All in one segment, where there is something to say.
            let mut end = Vec::new();
            while client.conn.wants_write() {
                client.conn.write_tls(&mut end).unwrap();
            }
            end.extend_from_slice(b"NOOP\r\n");
            client.sock.write_all(&end).unwrap();
            let mut in_clear = Vec::new();
            client.sock.read_to_end(&mut in_clear).unwrap();
            in_clear
        },
        |wire, socket| {
            assert_eq!(read_exactly(wire, socket, 5), b"CCC\r\n");
            write_all(wire, socket, b"200 in TLS\r\n");
            wire.end_tls();
            assert_eq!(read_exactly(wire, socket, 6), b"NOOP\r\n");
            assert!(wire.tls().is_none());
            write_all(wire, socket, b"200 in clear\r\n");
            close(wire, socket);
        },
    );
    assert_eq!(in_clear, b"200 in clear\r\n");
}

#[test]
fn tls_ends_and_the_connection_goes_on() {
    for version in VERSIONS {
        leave(version, true);
        leave(version, false);
    }
}

#[test]
fn a_budget_is_kept_to() {
    let (ours, mut theirs) = sockets();
    let mut wire = Wire::new();
    wire.set_budget(Some(5));
    assert!(matches!(wire.write(&ours, b"1234567"), Flow::Moved(5)));
    assert!(matches!(wire.write(&ours, b"67"), Flow::Blocked));
    assert!(!wire.not_ready(Readiness::BOTH).any());
    wire.set_budget(Some(3));
    theirs.write_all(b"abcdef").unwrap();
    assert!(matches!(wire.read(&ours, &mut [0; 10]), Flow::Moved(3)));
    assert!(matches!(wire.read(&ours, &mut [0; 10]), Flow::Blocked));
    wire.set_budget(None);
    assert!(matches!(wire.read(&ours, &mut [0; 10]), Flow::Moved(3)));
}
