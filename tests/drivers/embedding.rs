//! Servers of which the program brings a part: the sockets, or what drives them.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use wharf::{Backend, Memory};

use crate::support::{Client, ClientTls, LIMIT, for_each_driver, read_all, server, tls_server};

for_each_driver!(
    listening_sockets_of_the_programs_own,
    parts_are_driven_by_the_program,
    a_driver_that_is_not_wharfs,
    a_driver_that_fails,
    a_pair_of_sockets_is_a_session,
    a_tcp_connection_of_the_programs_own,
    connections_besides_an_address_do_not_stop_it,
);

fn files() -> Memory {
    Memory::new().with_file("/hello.txt", "Hello.\n")
}

fn listening_sockets_of_the_programs_own(backend: Backend) {
    let [clear, implicit] = [0, 1].map(|_| TcpListener::bind("127.0.0.1:0").unwrap());
    let addresses = [&clear, &implicit].map(|one| one.local_addr().unwrap());
    let server = tls_server(backend, files()).listen("127.0.0.1:0").listener(clear);
    let server = server.listener_implicit(implicit).spawn().unwrap();
    assert_eq!(server.addresses().len(), 2);
    assert_eq!(server.addresses()[1], addresses[0]);
    assert_eq!(server.implicit_addresses(), [addresses[1]]);
    let mut client = Client::dial(addresses[0]).unwrap();
    client.expect(220);
    client.enter();
    assert_eq!(client.get("RETR hello.txt"), b"Hello.\n");
    let mut client = Client::connect_tls(&server, &ClientTls::new());
    client.ask("USER anonymous", 331);
}

fn parts_are_driven_by_the_program(backend: Backend) {
    let parts = server(backend, files()).build().unwrap();
    let (address, stop) = (parts.addresses[0], parts.stop.clone());
    let driver =
        thread::spawn(move || backend.driver()(parts.service, parts.listeners, parts.stop));
    let mut client = Client::dial(address).unwrap();
    client.expect(220);
    client.ask("USER anonymous", 331);
    stop.call();
    client.expect(421);
    drop(client);
    driver.join().unwrap().unwrap();
}

fn a_driver_that_is_not_wharfs(backend: Backend) {
    let called = Arc::new(AtomicBool::new(false));
    let (note, inner) = (called.clone(), backend.driver());
    let server = server(backend, files()).run_with(move |service, listeners, stop| {
        note.store(true, Ordering::Relaxed);
        inner(service, listeners, stop)
    });
    let server = server.unwrap();
    assert_eq!(Client::log_in(&server).get("RETR hello.txt"), b"Hello.\n");
    server.shutdown().unwrap();
    assert!(called.load(Ordering::Relaxed));
}

fn a_driver_that_fails(backend: Backend) {
    let server = server(backend, files());
    let server = server.run_with(|_, _, _| Err(std::io::Error::other("as the test wants it")));
    let error = server.unwrap().wait().unwrap_err();
    assert_eq!(error.to_string(), "as the test wants it");
}

/// Passive data connections are to 127.0.0.1: a Unix socket's peer is on this machine.
fn a_pair_of_sockets_is_a_session(backend: Backend) {
    let (mut ours, theirs) = UnixStream::pair().unwrap();
    ours.set_read_timeout(Some(LIMIT)).unwrap();
    let server = server(backend, files()).connection(theirs).spawn().unwrap();
    assert!(server.addresses().is_empty() && server.url().is_empty());
    let mut replies = BufReader::new(ours.try_clone().unwrap());
    let mut ask = |command: &str, code: &str| {
        ours.write_all(command.as_bytes()).unwrap();
        let mut reply = String::new();
        replies.read_line(&mut reply).unwrap();
        assert!(reply.starts_with(&format!("{code} ")), "{command}{reply}");
        reply
    };
    ask("", "220");
    ask("USER anonymous\r\n", "331");
    ask("PASS x\r\n", "230");
    ask("TYPE I\r\n", "200");
    let passive = ask("EPSV\r\n", "229");
    let port: String = passive[3..].chars().filter(char::is_ascii_digit).collect();
    let data = TcpStream::connect(("127.0.0.1", port.parse().unwrap())).unwrap();
    ask("RETR hello.txt\r\n", "150");
    assert_eq!(read_all(data), b"Hello.\n");
    ask("", "226");
    let passive = ask("PASV\r\n", "227");
    assert!(passive.contains("127,0,0,1,"), "{passive}");
    ask("QUIT\r\n", "221");
    drop(ours);
    assert_eq!(replies.read(&mut [0]).unwrap(), 0);
    drop(replies);
    // It was the last one.
    server.wait().unwrap();
}

fn a_tcp_connection_of_the_programs_own(backend: Backend) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut clients = [0, 1].map(|_| Client::dial(listener.local_addr().unwrap()).unwrap());
    let mut server = server(backend, files());
    for _ in &clients {
        server = server.connection(listener.accept().unwrap().0);
    }
    let server = server.spawn().unwrap();
    for client in &mut clients {
        client.expect(220);
        client.enter();
        assert_eq!(client.get("RETR hello.txt"), b"Hello.\n");
    }
    let [first, mut second] = clients;
    drop(first);
    second.ask("NOOP", 200);
    drop(second);
    server.wait().unwrap();
}

fn connections_besides_an_address_do_not_stop_it(backend: Backend) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let server = server(backend, files()).connection(theirs).listen("127.0.0.1:0").spawn().unwrap();
    let mut greeting = String::new();
    let mut ours = BufReader::new(ours);
    ours.read_line(&mut greeting).unwrap();
    assert!(greeting.starts_with("220 "), "{greeting}");
    ours.get_ref().shutdown(std::net::Shutdown::Write).unwrap();
    // Its end is the session's, and no other's.
    assert_eq!(read_to_end(ours), b"");
    Client::visit(&server);
    server.shutdown().unwrap();
}

fn read_to_end(mut stream: impl Read) -> Vec<u8> {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    bytes
}
