//! Logins are checked few at a time, and no other client waits for them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use wharf::{Account, Accounts, Attempt, Backend, Denial, Memory, Permissions, SimpleAccounts};

use crate::support::{Client, Gate, LIMIT, accounts_server, for_each_driver, wait_until};

for_each_driver!(
    a_flood_of_logins_waits_in_line,
    shutting_down_while_logins_wait,
    logins_that_wait_are_heard_before_the_end,
);

const AT_ONCE: usize = 3;

/// Accounts that answer no login before the gate opens, but that of the user `early`.
#[derive(Clone)]
struct Slow {
    inner: SimpleAccounts,
    gate: Arc<Gate>,
    /// How many are inside, and how many have been at most.
    inside: Arc<AtomicUsize>,
    most: Arc<AtomicUsize>,
}

impl Slow {
    fn new(files: Memory) -> Self {
        let inner = SimpleAccounts::new(Arc::new(files)).anonymous(Permissions::ALL);
        Self { inner, gate: Gate::new(), inside: Arc::default(), most: Arc::default() }
    }

    fn most(&self) -> usize {
        self.most.load(Ordering::SeqCst)
    }
}

impl Accounts for Slow {
    fn login(&self, attempt: &Attempt<'_>) -> Result<Account, Denial> {
        if attempt.user != b"early" {
            let inside = self.inside.fetch_add(1, Ordering::SeqCst) + 1;
            self.most.fetch_max(inside, Ordering::SeqCst);
            self.gate.pass();
            self.inside.fetch_sub(1, Ordering::SeqCst);
        }
        self.inner.login(&Attempt { user: b"anonymous", ..*attempt })
    }
}

fn send_logins(server: &wharf::Server, count: usize) -> Vec<Client> {
    let mut clients: Vec<_> = (0..count).map(|_| Client::connect(server)).collect();
    for client in &mut clients {
        client.ask("USER late", 331);
        client.send("PASS secret");
    }
    clients
}

/// More of them than the threads that a driver has for storage calls.
fn a_flood_of_logins_waits_in_line(backend: Backend) {
    let accounts = Slow::new(Memory::new().with_file("/file", "content"));
    let server = accounts_server(backend, accounts.clone());
    let server = server.logins_at_once(AT_ONCE).spawn().unwrap();
    let mut early = Client::connect(&server);
    early.ask("USER early", 331);
    early.ask("PASS secret", 230);
    let mut waiting = send_logins(&server, 80);
    accounts.gate.wait_for(AT_ONCE);
    for _ in 0..5 {
        assert_eq!(early.get("RETR file"), b"content");
        assert!(!early.get("LIST").is_empty());
        early.ask("SIZE missing", 550);
    }
    accounts.gate.wait_for(AT_ONCE);
    accounts.gate.open();
    waiting.iter_mut().for_each(|client| drop(client.expect(230)));
    assert_eq!(accounts.most(), AT_ONCE);
}

/// Those whose login never began go without it, and leave nothing behind.
fn shutting_down_while_logins_wait(backend: Backend) {
    let accounts = Slow::new(Memory::new());
    let server = accounts_server(backend, accounts.clone());
    let server = server.logins_at_once(AT_ONCE).spawn().unwrap();
    let waiting = send_logins(&server, 20);
    accounts.gate.wait_for(AT_ONCE);
    server.shutdown().unwrap();
    accounts.gate.open();
    wait_until("nothing is left of the server", || Arc::strong_count(&accounts.most) == 1);
    assert_eq!(accounts.most(), AT_ONCE);
    waiting.into_iter().for_each(|mut client| client.expect_hangup());
}

fn logins_that_wait_are_heard_before_the_end(backend: Backend) {
    let accounts = Slow::new(Memory::new());
    let server = accounts_server(backend, accounts.clone());
    let server = server.logins_at_once(AT_ONCE).shutdown_timeout(LIMIT * 6).spawn().unwrap();
    let mut idle = Client::connect(&server);
    let mut waiting = send_logins(&server, 20);
    // The line is longer than those who are inside when the stop comes.
    accounts.gate.wait_for(AT_ONCE);
    let stopper = thread::spawn(move || server.shutdown());
    idle.expect(421);
    drop(idle);
    accounts.gate.open();
    for client in &mut waiting {
        let mut code = client.reply().unwrap().code;
        if code == 230 {
            code = client.reply().unwrap().code;
        }
        assert_eq!(code, 421);
        client.expect_end();
    }
    drop(waiting);
    stopper.join().unwrap().unwrap();
}
