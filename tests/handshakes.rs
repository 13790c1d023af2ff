//! Crowds of clients that begin TLS and do not go on. A process of its own counts descriptors and
//! processor time.

#![cfg(target_os = "linux")]

mod support;

use std::io::{Read, Write};
use std::net::{IpAddr, TcpStream};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use wharf::{Backend, Memory, Server, ServerBuilder};

use support::{
    Client, ClientTls, LIMIT, Processor, for_each_driver, hello, tls_server, wait_until,
};

for_each_driver!(
    half_open_handshakes,
    half_open_handshakes_from_one_address,
    half_open_data_handshakes,
    a_flood_of_tiny_records,
);

const CROWD: usize = 500;

/// One test at a time: they count what the whole process has open.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    // Each client takes two descriptors, one on either side.
    let limit = getrlimit(Resource::Nofile);
    let enough = Some(limit.maximum.unwrap_or(8192).min(8192));
    if limit.current < enough {
        setrlimit(Resource::Nofile, Rlimit { current: enough, ..limit }).unwrap();
    }
    alone
}

fn open_descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

/// How many are open, once that does not change any more.
fn settled() -> usize {
    let mut counts = vec![open_descriptors()];
    wait_until("the count stays", || {
        counts.push(open_descriptors());
        counts.len() >= 20 && counts[counts.len() - 20..].windows(2).all(|two| two[0] == two[1])
    });
    counts[counts.len() - 1]
}

fn both_ports(backend: Backend) -> ServerBuilder {
    let files = Memory::new().with_file("/file", "Some content.");
    tls_server(backend, files).listen("127.0.0.1:0").listen_implicit("127.0.0.1:0")
}

/// Comes in by either port, and says nothing, a byte, or half of what there is to be said. Who is
/// turned away at the door is no harm.
fn begin(server: &Server, hello: &[u8], number: usize) -> TcpStream {
    let explicit = number.is_multiple_of(2);
    let to = if explicit { server.addresses()[0] } else { server.implicit_addresses()[0] };
    let mut stream = TcpStream::connect(to).unwrap();
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    let said = match number / 2 % 4 {
        0 => &b""[..],
        1 => &hello[..1],
        2 => &hello[..hello.len() / 2],
        // The server has answered, and waits for the client again.
        _ => hello,
    };
    let auth: &[u8] = if explicit { b"AUTH TLS\r\n" } else { b"" };
    let _ = stream.write_all(&[auth, said].concat());
    stream
}

fn begin_all(server: &Server) -> Vec<TcpStream> {
    let hello = hello();
    (0..CROWD).map(|number| begin(server, &hello, number)).collect()
}

/// Reads to the end, whatever comes before it, and however it comes.
fn drain(stream: &mut TcpStream) {
    if let Err(error) = stream.read_to_end(&mut Vec::new()) {
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset, "{error}");
    }
}

/// No thread polls again and again.
#[track_caller]
fn check_idle() {
    let processor = Processor::open();
    let mut busy = processor.time();
    wait_until("it has settled", || {
        thread::sleep(Duration::from_millis(200));
        let before = std::mem::replace(&mut busy, processor.time());
        busy - before < Duration::from_millis(100)
    });
    let start = Instant::now();
    thread::sleep(Duration::from_secs(1));
    let (passed, busy) = (start.elapsed(), processor.time() - busy);
    assert!(busy < passed / 2, "busy for {busy:?} of {passed:?}");
}

fn half_open_handshakes(backend: Backend) {
    let _alone = alone();
    let login_timeout = Duration::from_secs(6);
    let server = both_ports(backend).max_sessions(2 * CROWD).max_sessions_per_address(2 * CROWD);
    let server = server.login_timeout(login_timeout).spawn().unwrap();
    Client::visit_tls(&server);
    let baseline = settled();
    let mut crowd = begin_all(&server);
    wait_until("all have come in", || open_descriptors() >= baseline + 2 * CROWD);
    Client::visit_tls(&server);
    let mut client = Client::log_in(&server);
    client.put("STOR new", b"new");
    check_idle();
    client.ask("NOOP", 200);
    // They are told nothing, or what belongs to TLS, and sent away.
    crowd.iter_mut().for_each(drain);
    client.ask("NOOP", 200);
    drop((crowd, client));
    wait_until("all descriptors are closed", || open_descriptors() <= baseline);
    check_idle();
    Client::visit_tls(&server);
}

/// With the limits that there are when none is set, they are no harm to others, nor to a client
/// behind the same address.
fn half_open_handshakes_from_one_address(backend: Backend) {
    let _alone = alone();
    let server = both_ports(backend).spawn().unwrap();
    let crowd = begin_all(&server);
    let tls = ClientTls::new();
    for to in [server.addresses()[0], server.implicit_addresses()[0]] {
        let mut client = Client::dial_from(IpAddr::from([127, 0, 0, 2]), to).unwrap();
        if to == server.addresses()[0] {
            client.expect(220);
            client.ask("AUTH TLS", 234);
            client.start_tls(&tls).unwrap();
        } else {
            client.start_tls(&tls).unwrap();
            client.expect(220);
        }
        client.enter();
        client.ask("PBSZ 0", 200);
        client.ask("PROT P", 200);
        assert_eq!(client.get_tls("RETR file", &tls), b"Some content.");
        client.put_tls("STOR new", b"new", &tls);
    }
    Client::visit_tls(&server);
    Client::visit(&server);
    drop(crowd);
    Client::visit_tls(&server);
}

/// Clients that are in, and leave their data connections in the middle of a handshake.
fn half_open_data_handshakes(backend: Backend) {
    let _alone = alone();
    let server = both_ports(backend).data_timeout(Duration::from_secs(4)).spawn().unwrap();
    Client::visit_tls(&server);
    let baseline = settled();
    let (tls, hello) = (ClientTls::new(), hello());
    let mut clients: Vec<_> = (0..40)
        .map(|number| {
            let mut client = Client::log_in_tls(&server, &tls);
            let mut data = client.begin(if number % 2 == 0 { "STOR new" } else { "RETR file" });
            data.write_all(&hello[..[0, 1, 100, hello.len()][number / 2 % 4]]).unwrap();
            (client, data)
        })
        .collect();
    check_idle();
    Client::visit_tls(&server);
    for (client, data) in &mut clients {
        drain(data);
        client.expect(426);
        client.ask("NOOP", 200);
    }
    drop(clients);
    wait_until("all descriptors are closed", || open_descriptors() <= baseline);
}

/// They take neither the server for themselves nor keep a session alive.
fn a_flood_of_tiny_records(backend: Backend) {
    let _alone = alone();
    let server = both_ports(backend).idle_timeout(Duration::from_secs(3)).spawn().unwrap();
    let floods = support::VERSIONS.map(|version| {
        let mut client = Client::log_in_tls(&server, &ClientTls::only(version));
        thread::spawn(move || {
            loop {
                let records: Vec<u8> = (0..100).flat_map(|_| client.tls().encrypt(b"x")).collect();
                if client.tls().socket().write_all(&records).is_err() {
                    return;
                }
            }
        })
    });
    for _ in 0..5 {
        Client::visit(&server);
        Client::visit_tls(&server);
    }
    for flood in floods {
        flood.join().unwrap();
    }
    check_idle();
}
