//! Connections that come by a proxy, which names the client first (PROXY protocol).

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use wharf::{Backend, Memory, Networks, Server, ServerBuilder};

use crate::support::{
    Client, ClientTls, LIMIT, address, for_each_driver, reset, server, tls_server, wait_until,
};

for_each_driver!(
    the_client_of_the_header_is_the_one_that_counts,
    a_header_may_come_byte_by_byte_and_commands_with_it,
    a_proxy_may_speak_for_itself,
    what_is_no_header_is_closed,
    no_header_comes_in_time,
    only_proxies_may_connect,
    a_client_that_is_denied_is_told_after_the_header,
    the_header_comes_before_tls,
    connections_without_a_header_take_no_place,
    a_header_that_there_is_no_room_for_is_told,
    a_stop_waits_for_no_header,
);

const V2: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

fn networks(text: &str) -> Networks {
    text.parse().unwrap()
}

fn proxied(backend: Backend) -> ServerBuilder {
    server(backend, Memory::new()).proxy_protocol(networks("127.0.0.1"))
}

/// A header of version 1 for this client.
fn v1(client: &str) -> Vec<u8> {
    format!("PROXY TCP4 {client} 127.0.0.1 4000 21\r\n").into_bytes()
}

/// A header of version 2 for 192.0.2.`last`, with something after the addresses.
fn v2(last: u8) -> Vec<u8> {
    let addresses = [192, 0, 2, last, 127, 0, 0, 1, 15, 160, 0, 21];
    [V2, &[0x21, 0x11, 0, 16], &addresses, &[4, 0, 1, 0]].concat()
}

fn dial(at: SocketAddr, bytes: &[u8]) -> Client {
    let mut client = Client::dial(at).unwrap();
    client.send_raw(bytes);
    client
}

/// Has a client served, by the proxy.
fn visit(server: &Server) {
    let mut client = dial(address(server), &v2(9));
    client.expect(220);
    client.enter();
}

fn the_client_of_the_header_is_the_one_that_counts(backend: Backend) {
    let server = proxied(backend).max_sessions_per_address(1).spawn().unwrap();
    let mut sessions = Vec::new();
    for header in [v1("192.0.2.1"), v2(2), b"PROXY TCP6 2001:db8::1 ::1 1 2\r\n".to_vec()] {
        let mut client = dial(address(&server), &header);
        client.expect(220);
        client.enter();
        sessions.push(client);
    }
    for header in [v2(1), v1("192.0.2.2"), b"PROXY TCP6 2001:db8::2 ::1 1 2\r\n".to_vec()] {
        let mut client = dial(address(&server), &header);
        assert!(client.expect(421).text.contains("from your address"));
        client.expect_end();
    }
    // Data goes to the client, and not to the proxy.
    sessions[0].ask("PORT 192,0,2,1,200,1", 200);
    sessions[0].ask("PORT 127,0,0,1,200,1", 501);
    assert!(sessions[0].ask("STAT", 211).text.contains("192.0.2.1"));
}

fn a_header_may_come_byte_by_byte_and_commands_with_it(backend: Backend) {
    let server = proxied(backend).spawn().unwrap();
    for header in [v1("192.0.2.1"), v2(1)] {
        let mut client = Client::dial(address(&server)).unwrap();
        client.stream().set_nodelay(true).unwrap();
        for byte in &header {
            client.send_raw(&[*byte]);
        }
        client.expect(220);
        client.enter();
        let all = [&header, &b"USER anonymous\r\nPASS x\r\nNOOP\r\n"[..]].concat();
        let mut client = dial(address(&server), &all);
        [220, 331, 230, 200].into_iter().for_each(|code| drop(client.expect(code)));
    }
}

fn a_proxy_may_speak_for_itself(backend: Backend) {
    let server = proxied(backend).spawn().unwrap();
    let local = [V2, &[0x20, 0, 0, 0]].concat();
    for header in [b"PROXY UNKNOWN\r\n".to_vec(), local] {
        let mut client = dial(address(&server), &header);
        client.expect(220);
        client.enter();
        client.ask("PORT 127,0,0,1,200,1", 200);
    }
}

/// Returns `true` if the server has closed the connection without a word.
fn is_closed(client: &Client) -> bool {
    let end = (&mut client.stream()).read(&mut [0]);
    matches!(&end, Ok(0))
        || end.is_err_and(|error| error.kind() == std::io::ErrorKind::ConnectionReset)
}

fn what_is_no_header_is_closed(backend: Backend) {
    let server = proxied(backend).spawn().unwrap();
    for bytes in [
        &b"USER anonymous\r\n"[..],
        b"PROXY TCP4 192.0.2.1\r\n",
        &[b"PROXY UNKNOWN ", &[b'x'; 200][..]].concat(),
        &[V2, &[0x21, 0x11, 0xff, 0xff]].concat(),
        b"\x16\x03\x01\x00\x05",
    ] {
        assert!(is_closed(&dial(address(&server), bytes)), "{}", bytes.escape_ascii());
    }
    visit(&server);
}

fn no_header_comes_in_time(backend: Backend) {
    let server = proxied(backend).login_timeout(Duration::from_millis(300)).spawn().unwrap();
    for part in [&b""[..], b"PROXY TCP4"] {
        assert!(is_closed(&dial(address(&server), part)));
    }
    let server = proxied(backend).login_timeout(Duration::from_secs(2)).spawn().unwrap();
    let mut client = dial(address(&server), &v2(1));
    client.expect(220);
    // From then on the time of a login counts.
    client.expect(421);
}

#[cfg(target_os = "linux")]
fn only_proxies_may_connect(backend: Backend) {
    let server = proxied(backend).spawn().unwrap();
    let stranger = Client::dial_from([127, 0, 0, 2].into(), address(&server)).unwrap();
    // It may be closed already.
    let _ = (&mut stranger.stream()).write(&v1("192.0.2.1"));
    assert!(is_closed(&stranger));
    visit(&server);
}

#[cfg(not(target_os = "linux"))]
fn only_proxies_may_connect(_: Backend) {}

fn a_client_that_is_denied_is_told_after_the_header(backend: Backend) {
    let server = proxied(backend).deny(networks("192.0.2.1")).spawn().unwrap();
    let mut client = dial(address(&server), &v2(1));
    assert_eq!(client.expect(421).text, "421 Connections from your address are not allowed.\r\n");
    client.expect_end();
    visit(&server);
}

fn the_header_comes_before_tls(backend: Backend) {
    let server = tls_server(backend, Memory::new()).listen_implicit("127.0.0.1:0");
    let server = server.proxy_protocol(networks("127.0.0.1")).spawn().unwrap();
    let mut client = dial(server.implicit_addresses()[0], &v2(1));
    client.start_tls(&ClientTls::new()).unwrap();
    client.expect(220);
    client.enter();
}

/// Neither those that wait for their header, nor those that come and go to see whether the server is
/// there.
fn connections_without_a_header_take_no_place(backend: Backend) {
    let server = proxied(backend).max_sessions(4).spawn().unwrap();
    for _ in 0..20 {
        drop(TcpStream::connect(address(&server)).unwrap());
        reset(TcpStream::connect(address(&server)).unwrap());
    }
    let _waiting: Vec<_> = (0..3).map(|_| TcpStream::connect(address(&server)).unwrap()).collect();
    let sessions = || {
        let clients = (1..=4).map(|last| dial(address(&server), &v2(last)));
        let greeted = clients.map_while(|mut client| {
            client.reply().ok().filter(|reply| reply.code == 220).map(|_| client)
        });
        greeted.count() == 4
    };
    wait_until("four clients are in", sessions);
}

fn a_header_that_there_is_no_room_for_is_told(backend: Backend) {
    let (tell, told) = std::sync::mpsc::channel();
    let server = proxied(backend).max_sessions(1).observer(move |event: &wharf::SessionEvent| {
        let _ = tell.send(event.notice.to_string());
    });
    let server = server.spawn().unwrap();
    let _waiting = TcpStream::connect(address(&server)).unwrap();
    assert!(is_closed(&Client::dial(address(&server)).unwrap()));
    assert_eq!(told.recv_timeout(LIMIT).unwrap(), "refused why=server-full");
}

fn a_stop_waits_for_no_header(backend: Backend) {
    let server: Server =
        proxied(backend).shutdown_timeout(Duration::from_secs(60)).spawn().unwrap();
    let waiting = dial(address(&server), b"PROXY TCP4");
    let mut served = dial(address(&server), &v2(1));
    served.expect(220);
    let stopper = std::thread::spawn(move || server.shutdown());
    served.expect(421);
    drop(served);
    assert!(is_closed(&waiting));
    stopper.join().unwrap().unwrap();
}
