//! A disk that does not answer: it holds up those who wait for it, and no others.

use std::io::Write;
use std::net::{IpAddr, Shutdown, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use wharf::{
    Account, Accounts, Attempt, Backend, Denial, Memory, Permissions, Server, ServerBuilder,
    SimpleAccounts, SiteReply, SiteRequest,
};

use crate::support::{
    Call, Client, Faulty, Gate, accounts_server, address, for_each_driver, server, wait_until,
};

for_each_driver!(
    several_times_more_stuck_calls_than_threads,
    who_has_too_many_stuck_calls_is_told,
    a_client_that_resets_ends_its_session_whatever_it_waits_for,
    a_client_that_closes_ends_its_session_whatever_it_waits_for,
    the_end_is_seen_behind_many_commands,
    a_login_whose_client_has_gone_is_not_checked,
    a_site_command_whose_client_has_gone,
    an_upload_comes_to_its_end_without_its_client,
);

/// Comes in from one of this computer's own addresses.
fn log_in_from(server: &Server, last: u8) -> Client {
    let from = IpAddr::from([127, 0, 0, if cfg!(target_os = "linux") { last } else { 1 }]);
    let mut client = Client::dial_from(from, address(server)).unwrap();
    client.expect(220);
    client.enter();
    client
}

/// A storage that hangs with this call, for what is called `bad…`.
fn hanging(backend: Backend, call: Call) -> (Arc<Gate>, ServerBuilder) {
    let gate = Gate::new();
    (gate.clone(), server(backend, Faulty::new(call, Some(gate))))
}

fn several_times_more_stuck_calls_than_threads(backend: Backend) {
    const STUCK: usize = 320;
    let (gate, server) = hanging(backend, Call::Metadata);
    let server = server.spawn().unwrap();
    let mut before = Client::log_in(&server);
    let mut stuck = Vec::new();
    for number in 0..STUCK {
        let mut client = log_in_from(&server, 2 + (number % 4) as u8);
        client.send("SIZE bad");
        stuck.push(client);
        if number % 40 == 0 {
            assert_eq!(before.get("RETR good"), b"Another file.");
        }
    }
    gate.wait_for(STUCK);
    Client::visit(&server);
    let mut same_address = log_in_from(&server, 2);
    assert_eq!(same_address.get("RETR good"), b"Another file.");
    before.ask("SIZE good", 213);
    gate.open();
    stuck.iter_mut().for_each(|client| drop(client.expect(213)));
}

fn who_has_too_many_stuck_calls_is_told(backend: Backend) {
    let (gate, server) = hanging(backend, Call::Metadata);
    // A quarter for an address.
    let server = server.max_stuck_calls(8).storage_threads(2).spawn().unwrap();
    let mut stuck: Vec<_> = (0..2).map(|_| Client::log_in(&server)).collect();
    stuck.iter_mut().for_each(|client| client.send("SIZE bad"));
    gate.wait_for(2);
    let mut third = Client::log_in(&server);
    wait_until("they count as stuck", || {
        third.send("SIZE good");
        third.reply().unwrap().code == 450
    });
    third.ask("MKD folder", 450);
    third.send("RETR good");
    assert!(matches!(third.reply().unwrap().code, 425 | 450));
    third.ask("NOOP", 200);
    if cfg!(target_os = "linux") {
        let mut other = log_in_from(&server, 2);
        assert_eq!(other.get("RETR good"), b"Another file.");
    }
    gate.open();
    stuck.iter_mut().for_each(|client| drop(client.expect(213)));
    wait_until("it may go on", || {
        third.send("SIZE good");
        third.reply().unwrap().code == 213
    });
}

/// Sends the command that hangs, with what belongs to it.
fn provoke(client: &mut Client, call: Call) -> Option<TcpStream> {
    let (command, with_data) = call.command();
    let mut data = with_data.then(|| client.passive());
    client.send(command);
    if let (Some(data), "STOR bad") = (&mut data, command) {
        data.write_all(b"New content.").unwrap();
        data.shutdown(Shutdown::Write).unwrap();
    }
    data
}

/// Their places are free while their calls are stuck.
fn leave_and_come_back(backend: Backend, leave: fn(Client)) {
    for call in [
        Call::Metadata,
        Call::OpenRead,
        Call::ReadAt,
        Call::OpenWrite,
        Call::OpenDirectory,
        Call::NextEntry,
        Call::Remove,
    ] {
        let (gate, server) = hanging(backend, call);
        let server = server.max_sessions(3).spawn().unwrap();
        let mut clients: Vec<_> = (0..3).map(|_| Client::log_in(&server)).collect();
        let data: Vec<_> = clients.iter_mut().map(|client| provoke(client, call)).collect();
        gate.wait_for(3);
        clients.into_iter().for_each(leave);
        let mut again = Vec::new();
        wait_until("three places are free", || {
            again.extend(Client::try_log_in(&server));
            again.len() == 3
        });
        gate.wait_for(3);
        assert_eq!(again[0].get("RETR good"), b"Another file.", "{call:?}");
        drop(data);
        gate.open();
        gate.wait_for(0);
        again[0].ask("NOOP", 200);
    }
}

fn a_client_that_resets_ends_its_session_whatever_it_waits_for(backend: Backend) {
    leave_and_come_back(backend, Client::reset);
}

/// In order: as a system does for a program that was killed.
fn a_client_that_closes_ends_its_session_whatever_it_waits_for(backend: Backend) {
    leave_and_come_back(backend, drop);
}

/// The server reads no further commands while so many wait.
fn the_end_is_seen_behind_many_commands(backend: Backend) {
    let (gate, server) = hanging(backend, Call::Metadata);
    let server = server.max_sessions(1).spawn().unwrap();
    for (number, leave) in [Client::reset as fn(Client), drop].into_iter().enumerate() {
        let mut client = None;
        wait_until("the place is free", || {
            client = Client::try_log_in(&server);
            client.is_some()
        });
        let mut client = client.unwrap();
        client.send("SIZE bad");
        client.send_raw(&b"PWD\r\n".repeat(8000));
        gate.wait_for(number + 1);
        leave(client);
    }
    wait_until("the place is free", || Client::try_log_in(&server).is_some());
    gate.open();
}

/// Accounts that count whom they are asked about, and hang with the user `slow`.
struct Counting {
    inner: SimpleAccounts,
    gate: Arc<Gate>,
    asked: Arc<AtomicUsize>,
}

impl Accounts for Counting {
    fn login(&self, attempt: &Attempt<'_>) -> Result<Account, Denial> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        if attempt.user == b"slow" {
            self.gate.pass();
        }
        self.inner.login(&Attempt { user: b"anonymous", ..*attempt })
    }
}

fn a_login_whose_client_has_gone_is_not_checked(backend: Backend) {
    let (gate, asked) = (Gate::new(), Arc::<AtomicUsize>::default());
    let inner = SimpleAccounts::new(Arc::new(Memory::new())).anonymous(Permissions::ALL);
    let accounts = Counting { inner, gate: gate.clone(), asked: asked.clone() };
    let server = accounts_server(backend, accounts);
    let server = server.logins_at_once(1).max_sessions(30).spawn().unwrap();
    let ask = |user: &str| {
        let mut client = Client::connect(&server);
        client.ask(&format!("USER {user}"), 331);
        client.send("PASS secret");
        client
    };
    let mut slow = ask("slow");
    gate.wait_for(1);
    (0..25).map(|_| ask("gone")).for_each(Client::reset);
    // Their places are free before their passwords have been checked.
    let mut honest: Vec<_> = Vec::new();
    wait_until("all have gone", || {
        if let Ok(mut client) = Client::dial(address(&server))
            && client.reply().is_ok_and(|reply| reply.code == 220)
        {
            honest.push(client);
        }
        honest.len() == 29
    });
    honest.truncate(1);
    honest[0].ask("USER honest", 331);
    honest[0].send("PASS secret");
    gate.open();
    slow.expect(230);
    honest[0].expect(230);
    assert_eq!(asked.load(Ordering::SeqCst), 2);
}

fn a_site_command_whose_client_has_gone(backend: Backend) {
    let gate = Gate::new();
    let inside = gate.clone();
    let answer = move |_: &SiteRequest| {
        inside.pass();
        SiteReply { code: 200, text: Vec::new() }
    };
    let server = server(backend, Memory::new()).site_command("WAIT", "", answer).max_sessions(1);
    let server = server.spawn().unwrap();
    let mut client = Client::log_in(&server);
    client.send("SITE WAIT");
    gate.wait_for(1);
    client.reset();
    wait_until("the place is free", || Client::try_log_in(&server).is_some());
    gate.open();
}

/// The place is free, and the file is whole in the end.
fn an_upload_comes_to_its_end_without_its_client(backend: Backend) {
    let gate = Gate::new();
    let storage = Faulty::new(Call::Finish, Some(gate.clone()));
    let server = server(backend, storage).max_sessions(1).spawn().unwrap();
    let mut client = Client::log_in(&server);
    let mut data = client.begin("STOR bad-new");
    data.write_all(b"Whole.").unwrap();
    drop(data);
    gate.wait_for(1);
    client.reset();
    let mut next = None;
    wait_until("the place is free", || {
        next = Client::try_log_in(&server);
        next.is_some()
    });
    gate.open();
    gate.wait_for(0);
    let mut next = next.unwrap();
    wait_until("the file is there", || {
        next.send("SIZE bad-new");
        next.reply().unwrap().text.starts_with("213 6")
    });
}
