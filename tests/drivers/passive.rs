//! Data connections: whose they are, when they come, and IPv6.

use std::io::{ErrorKind, Write};
use std::net::{Ipv6Addr, SocketAddr, TcpListener, TcpStream};

use socket2::{Domain, Socket, Type};
use wharf::{Backend, Memory};

use crate::support::{Client, LIMIT, address, for_each_driver, noise, read_all, server};

for_each_driver!(
    strangers_are_dropped,
    the_second_connection_is_too_late,
    each_pasv_closes_the_port_before,
    data_may_come_before_or_after_the_command,
    data_that_ended_before_the_command,
    active_connections,
    active_connections_that_are_refused,
    ipv6,
);

fn files() -> Memory {
    Memory::new().with_file("/file", "Some content.")
}

/// Connects from another address of this machine.
fn connect_from(from: [u8; 4], to: SocketAddr) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from((from, 0)).into()).unwrap();
    socket.connect_timeout(&to.into(), LIMIT).unwrap();
    let stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    stream
}

/// Reads up to the end, in order or not.
fn read_rest(mut stream: TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    if let Err(error) = std::io::Read::read_to_end(&mut stream, &mut bytes) {
        assert_eq!(error.kind(), ErrorKind::ConnectionReset, "{error}");
    }
    bytes
}

/// Linux has all of 127.0.0.0/8; others do not.
#[cfg(target_os = "linux")]
fn strangers_are_dropped(backend: Backend) {
    let server = server(backend, files()).spawn().unwrap();
    let mut client = Client::log_in(&server);
    for _ in 0..3 {
        let to = client.pasv();
        let strangers: Vec<_> = (2..6).map(|n| connect_from([127, 0, 0, n], to)).collect();
        client.send("RETR file");
        for stranger in strangers {
            assert_eq!(read_rest(stranger), b"");
        }
        let data = connect_from([127, 0, 0, 1], to);
        client.expect(150);
        assert_eq!(read_all(data), b"Some content.");
        client.expect(226);
    }
}

#[cfg(not(target_os = "linux"))]
fn strangers_are_dropped(_: Backend) {}

fn the_second_connection_is_too_late(backend: Backend) {
    let server = server(backend, files()).spawn().unwrap();
    let mut client = Client::log_in(&server);
    let to = client.pasv();
    let first = TcpStream::connect(to).unwrap();
    let second = TcpStream::connect(to);
    client.ask("RETR file", 150);
    assert_eq!(read_all(first), b"Some content.");
    client.expect(226);
    assert_eq!(second.map(read_rest).unwrap_or_default(), b"");
    assert!(TcpStream::connect(to).is_err());
}

fn each_pasv_closes_the_port_before(backend: Backend) {
    let server = server(backend, files()).spawn().unwrap();
    let mut client = Client::log_in(&server);
    let mut ports: Vec<_> = (0..300).map(|_| client.pasv()).collect();
    let last = ports.pop().unwrap();
    // Other tests may come by a port that was given back: then it is they who answer. But never
    // all of them.
    let refused = ports.iter().filter(|&&port| port != last && TcpStream::connect(port).is_err());
    assert!(refused.count() > 150);
    let data = TcpStream::connect(last).unwrap();
    client.ask("RETR file", 150);
    assert_eq!(read_all(data), b"Some content.");
    client.expect(226);
}

fn data_may_come_before_or_after_the_command(backend: Backend) {
    let server = server(backend, files()).spawn().unwrap();
    let mut client = Client::log_in(&server);
    for _ in 0..20 {
        let data = client.passive();
        client.ask("NOOP", 200);
        client.ask("RETR file", 150);
        assert_eq!(read_all(data), b"Some content.");
        client.expect(226);
        let to = client.pasv();
        client.send("RETR file");
        let data = TcpStream::connect(to).unwrap();
        client.expect(150);
        assert_eq!(read_all(data), b"Some content.");
        client.expect(226);
    }
}

fn data_that_ended_before_the_command(backend: Backend) {
    let files = files().with_file("/much", noise(8 << 20));
    let server = server(backend, files.clone()).spawn().unwrap();
    let mut client = Client::log_in(&server);
    // An upload whose bytes and end have all come by then.
    let mut data = client.passive();
    data.write_all(b"early").unwrap();
    drop(data);
    client.ask("STOR early", 150);
    client.expect(226);
    assert_eq!(files.read("/early").unwrap(), b"early");
    // A download that its client does not wait for any more.
    drop(client.passive());
    client.ask("RETR much", 150);
    client.expect(426);
    client.ask("NOOP", 200);
}

fn active_connections(backend: Backend) {
    let content = noise(3 << 20);
    let files = files().with_file("/much", content.clone());
    let server = server(backend, files.clone()).spawn().unwrap();
    let mut client = Client::log_in(&server);
    let port = client.eprt();
    client.send("RETR much");
    let (data, _) = port.accept().unwrap();
    client.expect(150);
    assert!(read_all(data) == content);
    client.expect(226);
    let port = client.eprt();
    client.send("STOR again");
    let (mut data, _) = port.accept().unwrap();
    client.expect(150);
    data.write_all(&content).unwrap();
    drop(data);
    client.expect(226);
    assert!(files.read("/again").unwrap() == content);
}

fn active_connections_that_are_refused(backend: Backend) {
    let server = server(backend, files()).spawn().unwrap();
    let mut client = Client::log_in(&server);
    for _ in 0..3 {
        drop(client.eprt());
        client.ask("RETR file", 425);
        client.ask("RETR file", 425);
    }
    assert_eq!(client.get("RETR file"), b"Some content.");
}

fn ipv6(backend: Backend) {
    let listen = SocketAddr::from((Ipv6Addr::LOCALHOST, 0));
    if let Err(error) = TcpListener::bind(listen) {
        return println!("skipped, this machine has no IPv6: {error}");
    }
    let server = server(backend, files()).listen(listen).spawn().unwrap();
    assert!(address(&server).is_ipv6());
    Client::visit(&server);
    let mut client = Client::log_in(&server);
    client.ask("PASV", 522);
    let port = client.eprt();
    client.send("RETR file");
    let (data, _) = port.accept().unwrap();
    client.expect(150);
    assert_eq!(read_all(data), b"Some content.");
    client.expect(226);
    client.ask("EPRT |1|127.0.0.1|2000|", 522);
    client.ask("EPSV 1", 522);
    client.ask("EPSV 2", 229);
}
