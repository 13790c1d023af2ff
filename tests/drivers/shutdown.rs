//! Graceful shutdown: no new client is served, idle sessions end, transfers may
//! finish up to the grace.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use wharf::{Account, Accounts, Attempt, Backend, Denial, Memory};

use crate::support::{
    Call, Client, Faulty, Gate, LIMIT, accounts_server, address, for_each_driver, noise, read_all,
    server, wait_until,
};

for_each_driver!(
    idle_sessions_are_told,
    transfers_finish,
    uploads_finish,
    stalled_transfers_are_broken_off_after_the_grace,
    a_failed_login_does_not_hold_it_up,
    a_login_that_fails_meanwhile_does_not_hold_it_up,
    a_lasting_transfer_learns_of_it,
    clients_that_do_not_leave_do_not_hold_it_up,
    a_lingering_close_counts_within_the_grace,
    a_storage_that_hangs_does_not_hold_it_up_for_ever,
    dropping_the_handle_stops,
    dropping_the_handle_waits_for_no_client,
    another_server_can_take_the_address_at_once,
);

/// What does not fit into the buffers of a connection whose client does not read.
const MUCH: usize = 24 << 20;

/// Nothing listens there: connections are refused, or broken at once by a socket on its way out.
fn is_closed(address: SocketAddr) -> bool {
    match TcpStream::connect(address) {
        Err(_) => true,
        Ok(mut stream) => {
            stream.set_read_timeout(Some(LIMIT)).unwrap();
            !matches!(stream.read(&mut [0]), Ok(1))
        }
    }
}

fn idle_sessions_are_told(backend: Backend) {
    let server = server(backend, Memory::new()).shutdown_timeout(LIMIT).spawn().unwrap();
    let address = address(&server);
    let mut clients: Vec<_> = (0..3).map(|_| Client::log_in(&server)).collect();
    clients.push(Client::connect(&server));
    clients[0].pasv();
    let stopper = thread::spawn(move || server.shutdown());
    for client in &mut clients {
        client.expect(421);
        client.expect_end();
    }
    drop(clients);
    stopper.join().unwrap().unwrap();
    assert!(is_closed(address));
}

fn transfers_finish(backend: Backend) {
    let content = noise(MUCH);
    let files = Memory::new().with_file("/much", content.clone());
    let server = server(backend, files).shutdown_timeout(LIMIT * 6).spawn().unwrap();
    let address = address(&server);
    let mut client = Client::log_in(&server);
    let mut idle = Client::log_in(&server);
    let mut data = client.narrow_passive();
    client.ask("RETR much", 150);
    let mut first = [0; 100];
    data.read_exact(&mut first).unwrap();
    let stopper = thread::spawn(move || server.shutdown());
    // Who is told so proves that the server knows.
    idle.expect(421);
    drop(idle);
    wait_until("nobody listens", || is_closed(address));
    assert!(!stopper.is_finished());
    let rest = read_all(data);
    assert!(first == content[..100] && rest == content[100..]);
    client.expect(226);
    client.expect(421);
    client.expect_end();
    drop(client);
    stopper.join().unwrap().unwrap();
}

fn uploads_finish(backend: Backend) {
    let files = Memory::new();
    let server = server(backend, files.clone()).shutdown_timeout(LIMIT * 6).spawn().unwrap();
    let mut client = Client::log_in(&server);
    let mut idle = Client::log_in(&server);
    let mut data = client.begin("STOR new");
    data.write_all(b"before, ").unwrap();
    let stopper = thread::spawn(move || server.shutdown());
    idle.expect(421);
    drop(idle);
    data.write_all(b"and after").unwrap();
    drop(data);
    client.expect(226);
    client.expect(421);
    drop(client);
    stopper.join().unwrap().unwrap();
    assert_eq!(files.read("/new").unwrap(), b"before, and after");
}

fn stalled_transfers_are_broken_off_after_the_grace(backend: Backend) {
    let files = Memory::new().with_file("/much", noise(MUCH)).with_file("/old", "old");
    let server = server(backend, files.clone()).shutdown_timeout(Duration::from_secs(1));
    let server = server.spawn().unwrap();
    let mut commands = Vec::new();
    for command in ["RETR much", "STOR new", "STOR old"] {
        let mut client = Client::log_in(&server);
        let mut data = client.narrow_passive();
        client.ask(command, 150);
        if command != "RETR much" {
            data.write_all(b"part").unwrap();
        }
        commands.push((client, data));
    }
    // One who waits for a data connection that does not come.
    let mut waiting = Client::log_in(&server);
    let port = waiting.eprt();
    drop(port);
    waiting.epsv();
    waiting.send("LIST");
    // And one who is asked for a password.
    let stopper = thread::spawn(move || server.shutdown());
    for (client, _data) in &mut commands {
        client.expect(426);
        client.expect(421);
        client.expect_end();
    }
    drop(commands);
    // It depends on what came first.
    if waiting.reply().unwrap().code != 421 {
        waiting.expect(421);
    }
    drop(waiting);
    stopper.join().unwrap().unwrap();
    assert_eq!(files.read("/new").unwrap(), b"part");
    assert_eq!(files.read("/old").unwrap(), b"old");
}

fn a_failed_login_does_not_hold_it_up(backend: Backend) {
    let server = server(backend, Memory::new()).login_delay(LIMIT * 6).spawn().unwrap();
    let mut client = Client::connect(&server);
    client.ask("USER nobody", 331);
    client.send("PASS wrong");
    // It is in its delay by then, or will hear of the stop before; both are fine.
    let stopper = thread::spawn(move || server.shutdown());
    client.expect(421);
    client.expect_end();
    drop(client);
    stopper.join().unwrap().unwrap();
}

/// The accounts say no when the server is on its way out already.
fn a_login_that_fails_meanwhile_does_not_hold_it_up(backend: Backend) {
    struct Slow(Arc<Gate>);
    impl Accounts for Slow {
        fn login(&self, _: &Attempt<'_>) -> Result<Account, Denial> {
            self.0.pass();
            Err(Denial::Refused)
        }
    }
    let gate = Gate::new();
    let server = accounts_server(backend, Slow(gate.clone()));
    let server = server.login_delay(LIMIT * 6).shutdown_timeout(LIMIT * 6).spawn().unwrap();
    let mut idle = Client::connect(&server);
    let mut client = Client::connect(&server);
    client.ask("USER somebody", 331);
    client.send("PASS secret");
    gate.wait_for(1);
    let stopper = thread::spawn(move || server.shutdown());
    idle.expect(421);
    drop(idle);
    gate.open();
    client.expect(421);
    drop(client);
    stopper.join().unwrap().unwrap();
}

/// A session that always finds something to do hears of it all the same.
fn a_lasting_transfer_learns_of_it(backend: Backend) {
    let server = server(backend, Memory::new()).spawn().unwrap();
    let mut client = Client::log_in(&server);
    let mut data = client.begin("STOR endless");
    let sender = thread::spawn(move || {
        let portion = noise(1 << 16);
        while data.write_all(&portion).is_ok() {}
    });
    server.shutdown().unwrap();
    client.expect(426);
    client.expect(421);
    sender.join().unwrap();
}

/// They read nothing and close nothing.
fn clients_that_do_not_leave_do_not_hold_it_up(backend: Backend) {
    let server = server(backend, Memory::new()).spawn().unwrap();
    let clients: Vec<_> = (0..3).map(|_| Client::log_in(&server)).collect();
    server.shutdown().unwrap();
    drop(clients);
}

/// Sockets that stay open are waited for during the grace and no longer, be it before the stop that
/// their lingering close began. The server waits five seconds more for what does not come to its end.
fn a_lingering_close_counts_within_the_grace(backend: Backend) {
    let server = server(backend, Memory::new()).lingering_time(LIMIT * 30).spawn().unwrap();
    let idle = Client::log_in(&server);
    let mut gone = Client::log_in(&server);
    gone.ask("QUIT", 221);
    let start = Instant::now();
    server.shutdown().unwrap();
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
    drop((idle, gone));
}

fn a_storage_that_hangs_does_not_hold_it_up_for_ever(backend: Backend) {
    let gate = Gate::new();
    let server = server(backend, Faulty::new(Call::Metadata, Some(gate.clone()))).spawn().unwrap();
    let mut client = Client::log_in(&server);
    client.send("SIZE bad");
    gate.wait_for(1);
    server.shutdown().unwrap();
    gate.open();
    gate.wait_for(0);
}

fn dropping_the_handle_stops(backend: Backend) {
    let server = server(backend, Memory::new()).spawn().unwrap();
    let address = address(&server);
    let mut client = Client::log_in(&server);
    let dropper = thread::spawn(move || drop(server));
    client.expect(421);
    client.expect_end();
    drop(client);
    dropper.join().unwrap();
    assert!(is_closed(address));
}

/// Neither for one that keeps its socket open, nor for one that does not read its file.
fn dropping_the_handle_waits_for_no_client(backend: Backend) {
    let files = Memory::new().with_file("/much", noise(MUCH));
    let server = server(backend, files).shutdown_timeout(LIMIT * 6).lingering_time(LIMIT * 6);
    let server = server.spawn().unwrap();
    let mut idle = Client::log_in(&server);
    let mut busy = Client::log_in(&server);
    let data = busy.narrow_passive();
    busy.ask("RETR much", 150);
    let start = Instant::now();
    drop(server);
    // The server waits five seconds more for what does not come to its end.
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
    idle.expect(421);
    busy.expect(426);
    busy.expect(421);
    drop(data);
}

fn another_server_can_take_the_address_at_once(backend: Backend) {
    let mut at = SocketAddr::from(([127, 0, 0, 1], 0));
    for _ in 0..3 {
        let server = server(backend, Memory::new()).listen(at).spawn().unwrap();
        at = address(&server);
        Client::visit(&server);
        server.shutdown().unwrap();
    }
}
