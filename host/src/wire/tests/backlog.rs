//! What waits within TLS, because the socket takes little at once.

use super::*;

/// A wire after its handshake, its socket, and the client's socket.
fn secured() -> (Wire, Socket, Socket) {
    let certificate = Certificate::self_signed(&["localhost"]).unwrap();
    let (socket, theirs) = sockets();
    theirs.set_nonblocking(true).unwrap();
    let mut client = client(&TLS13, &certificate, theirs);
    let mut wire = Wire::new();
    wire.start_tls(Tls::new(certificate).unwrap().control(None).unwrap().0, Vec::new(), 4096);
    wire.set_tls_buffer(256 * 1024);
    loop {
        wire.set_ready(Readiness::BOTH);
        let progress = wire.handshake(&socket);
        assert!(!matches!(progress, Progress::Broken(_)), "{progress:?}");
        if let Err(error) = client.conn.complete_io(&mut client.sock) {
            assert_eq!(error.kind(), io::ErrorKind::WouldBlock, "{error}");
        }
        if matches!(progress, Progress::Done) && !client.conn.is_handshaking() {
            return (wire, socket, client.sock);
        }
    }
}

/// Writes until nothing is taken any more; returns how much was.
fn fill(wire: &mut Wire, socket: &Socket) -> usize {
    let mut taken = 0;
    loop {
        match wire.write(socket, &[7; 100_000]) {
            Flow::Moved(count) => taken += count,
            Flow::Blocked => return taken,
            flow => panic!("{flow:?}"),
        }
    }
}

#[test]
fn bytes_are_taken_as_others_leave() {
    let (mut wire, socket, peer) = secured();
    let most = fill(&mut wire, &socket);
    assert!(most > 100_000, "{most}");
    assert!(wire.not_ready(Readiness::NEITHER).writable);
    let (mut read, mut taken) = (0, 0);
    while read < 100_000 {
        match (&peer).read(&mut [0; 1000]) {
            Ok(count) => read += count,
            Err(error) => {
                assert_eq!(error.kind(), io::ErrorKind::WouldBlock, "{error}");
                wire.set_ready(Readiness::BOTH);
                taken += fill(&mut wire, &socket);
            }
        }
    }
    // Not all that was held back has left by far.
    assert!(taken > 50_000, "{taken}");
}

#[test]
fn what_cannot_leave_is_not_forgotten() {
    let (mut wire, socket, peer) = secured();
    fill(&mut wire, &socket);
    assert!(matches!(wire.close(&socket), Progress::Blocked));
    drop(peer);
    wire.set_ready(Readiness::BOTH);
    assert!(matches!(wire.close(&socket), Progress::Broken(_)));
}

#[test]
fn no_peer_has_to_wait_for_close_notify() {
    let (mut wire, socket, peer) = secured();
    while (&peer).read(&mut [0; 1000]).is_ok() {}
    assert!(matches!(wire.write(&socket, b"all"), Flow::Moved(3)));
    drop(peer);
    wire.set_ready(Readiness::BOTH);
    assert!(matches!(wire.flush(&socket), Progress::Done));
    assert!(matches!(wire.close(&socket), Progress::Done));
}
