//! A client that fails to log in too often has to stay away for a while, and no other has to.

use std::sync::Arc;
use std::time::Duration;

use wharf::{
    Account, Accounts, Attempt, Backend, Credential, Denial, Memory, Permissions, SimpleAccounts,
};

use crate::support::{
    Client, Gate, LIMIT, accounts_server, address, for_each_driver, server, wait_until,
};

for_each_driver!(
    too_many_failures_keep_an_address_out_for_a_while,
    a_session_that_is_there_already_is_sent_away,
    only_wrong_passwords_count,
    guesses_in_line_are_counted_too,
);

const TEXT: &str = "421 Too many failed logins from your address; try later.\r\n";

fn fail(server: &wharf::Server) {
    let mut client = Client::connect(server);
    client.ask("USER nobody", 331);
    client.ask("PASS wrong", 530);
}

fn too_many_failures_keep_an_address_out_for_a_while(backend: Backend) {
    // Long enough that a slow machine sees it too.
    let cool_down = Duration::from_secs(4);
    let server = server(backend, Memory::new()).login_delay(Duration::ZERO);
    let server = server.max_login_failures(3).login_cool_down(cool_down).spawn().unwrap();
    let mut inside = Client::log_in(&server);
    (0..3).for_each(|_| fail(&server));
    let mut refused = Client::dial(address(&server)).unwrap();
    assert_eq!(refused.expect(421).text, TEXT);
    refused.expect_end();
    // Who is logged in already stays.
    inside.ask("NOOP", 200);
    #[cfg(target_os = "linux")]
    {
        let mut other = Client::dial_from([127, 0, 0, 2].into(), address(&server)).unwrap();
        other.expect(220);
        other.enter();
    }
    wait_until("the address may come back", || Client::try_log_in(&server).is_some());
    Client::visit(&server);
}

fn a_session_that_is_there_already_is_sent_away(backend: Backend) {
    let server = server(backend, Memory::new()).login_delay(Duration::ZERO);
    let server = server.max_login_failures(2).login_cool_down(LIMIT * 6).spawn().unwrap();
    let mut early = Client::connect(&server);
    early.ask("USER anonymous", 331);
    (0..2).for_each(|_| fail(&server));
    // It does not matter that it knows the password: that is not checked.
    assert_eq!(early.ask("PASS me@example", 421).text, TEXT);
    early.expect_end();
}

/// Accounts that answer as the user's name says.
struct AsTold(SimpleAccounts);

impl Accounts for AsTold {
    fn login(&self, attempt: &Attempt<'_>) -> Result<Account, Denial> {
        match attempt.user {
            b"unavailable" => Err(Denial::Unavailable),
            b"many" => Err(Denial::TooManySessions),
            _ => self.0.login(attempt),
        }
    }
}

fn only_wrong_passwords_count(backend: Backend) {
    let accounts = SimpleAccounts::new(Arc::new(Memory::new())).anonymous(Permissions::ALL);
    let server = accounts_server(backend, AsTold(accounts));
    let server = server.login_delay(Duration::ZERO).max_login_attempts(2);
    let server = server.max_login_failures(2).login_cool_down(LIMIT * 6).spawn().unwrap();
    fail(&server);
    let mut client = Client::connect(&server);
    for _ in 0..3 {
        for (user, code, text) in [
            ("unavailable", 530, "Authentication failed."),
            ("many", 530, "Too many sessions for this account; try later."),
            ("anonymous", 230, "Login successful."),
        ] {
            client.ask(&format!("USER {user}"), 331);
            assert_eq!(client.ask("PASS secret", code).text, format!("{code} {text}\r\n"));
        }
    }
    Client::visit(&server);
    fail(&server);
    Client::dial(address(&server)).unwrap().expect(421);
}

/// Accounts that refuse every login, once the gate is open.
struct Refusing(Arc<Gate>);

impl Accounts for Refusing {
    fn login(&self, attempt: &Attempt<'_>) -> Result<Account, Denial> {
        assert!(matches!(attempt.credential, Credential::Password(_)));
        self.0.pass();
        Err(Denial::Refused)
    }
}

/// None of them has failed when the others send theirs, but before their turn comes.
fn guesses_in_line_are_counted_too(backend: Backend) {
    let gate = Gate::new();
    let server = accounts_server(backend, Refusing(gate.clone()));
    let server = server.login_delay(Duration::ZERO).logins_at_once(1);
    let server = server.max_login_failures(3).login_cool_down(LIMIT * 6).spawn().unwrap();
    let mut clients: Vec<_> = (0..8).map(|_| Client::connect(&server)).collect();
    for client in &mut clients {
        client.ask("USER anna", 331);
        client.send("PASS guess");
    }
    gate.wait_for(1);
    gate.open();
    let codes = clients.iter_mut().map(|client| client.reply().unwrap().code);
    assert_eq!(codes.filter(|&code| code == 421).count(), 5);
}
