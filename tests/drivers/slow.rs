//! What blocks in one session is nothing to the others.

use std::io::Write;
use std::sync::Arc;

use wharf::{
    Account, Accounts, Attempt, Backend, Denial, Memory, Permissions, SimpleAccounts, SiteReply,
    SiteRequest,
};

use crate::support::{Call, Client, Faulty, Gate, accounts_server, for_each_driver, server};

for_each_driver!(
    one_slow_call_harms_nobody,
    four_slow_calls_harm_nobody,
    a_slow_login_harms_nobody,
    a_slow_site_command_harms_nobody,
    an_abort_waits_for_the_storage,
    a_client_that_leaves_a_slow_call_is_cleaned_up_behind,
);

fn one_slow_call_harms_nobody(backend: Backend) {
    slow_calls(backend, 1);
}

/// More than there are reactor threads on many machines.
fn four_slow_calls_harm_nobody(backend: Backend) {
    slow_calls(backend, 4);
}

fn slow_calls(backend: Backend, count: usize) {
    for call in Call::ALL {
        let gate = Gate::new();
        let server = server(backend, Faulty::new(call, Some(gate.clone()))).spawn().unwrap();
        let mut before = Client::log_in(&server);
        let mut slow: Vec<_> = (0..count).map(|_| Client::log_in(&server)).collect();
        let data: Vec<_> = slow.iter_mut().map(|client| call.provoke(client)).collect();
        gate.wait_for(count);
        Client::visit(&server);
        before.ask("NOOP", 200);
        assert_eq!(before.get("RETR good"), b"Another file.");
        gate.open();
        for mut client in slow {
            let mut code = 150;
            while code < 200 {
                code = client.reply().unwrap().code;
            }
            // Only one of them can remove the file.
            assert!(code < 300 || call == Call::Remove, "{call:?}: {code}");
            client.ask("NOOP", 200);
        }
        drop(data);
    }
}

/// Accounts that do something particular with the user named `bad`.
struct Particular<F> {
    inner: SimpleAccounts,
    bad: F,
}

impl<F: Fn()> Particular<F> {
    fn new(bad: F) -> Self {
        let inner = SimpleAccounts::new(Arc::new(Memory::new())).anonymous(Permissions::ALL);
        Self { inner, bad }
    }
}

impl<F: Fn() + Send + Sync> Accounts for Particular<F> {
    fn login(&self, attempt: &Attempt<'_>) -> Result<Account, Denial> {
        if attempt.user == b"bad" {
            (self.bad)();
            return self.inner.login(&Attempt { user: b"anonymous", ..*attempt });
        }
        self.inner.login(attempt)
    }
}

fn a_slow_login_harms_nobody(backend: Backend) {
    let gate = Gate::new();
    let inside = gate.clone();
    let accounts = Particular::new(move || inside.pass());
    let server = accounts_server(backend, accounts);
    let server = server.logins_at_once(5).spawn().unwrap();
    let mut slow: Vec<_> = (0..4).map(|_| Client::connect(&server)).collect();
    for client in &mut slow {
        client.ask("USER bad", 331);
        client.send("PASS secret");
    }
    gate.wait_for(4);
    Client::visit(&server);
    gate.open();
    slow.iter_mut().for_each(|client| drop(client.expect(230)));
}

fn a_slow_site_command_harms_nobody(backend: Backend) {
    let gate = Gate::new();
    let inside = gate.clone();
    let answer = move |request: &SiteRequest| {
        inside.pass();
        SiteReply { code: 250, text: request.argument.to_ascii_uppercase() }
    };
    let server = server(backend, Memory::new()).site_command("WAIT", "", answer).spawn().unwrap();
    let mut slow: Vec<_> = (0..4).map(|_| Client::log_in(&server)).collect();
    slow.iter_mut().for_each(|client| client.send("SITE WAIT for it"));
    gate.wait_for(4);
    Client::visit(&server);
    gate.open();
    for client in &mut slow {
        assert_eq!(client.expect(250).text, "250 FOR IT\r\n");
    }
}

/// ABOR comes while a read or write is out with the storage; it is obeyed when that comes back.
fn an_abort_waits_for_the_storage(backend: Backend) {
    for call in [Call::ReadAt, Call::Write] {
        let gate = Gate::new();
        let server = server(backend, Faulty::new(call, Some(gate.clone()))).spawn().unwrap();
        let mut client = Client::log_in(&server);
        let mut data = client.passive();
        client.ask(call.command().0, 150);
        if call == Call::Write {
            data.write_all(b"New content.").unwrap();
        }
        gate.wait_for(1);
        client.send("ABOR");
        Client::visit(&server);
        gate.open();
        let (first, second) = (client.reply().unwrap(), client.reply().unwrap());
        // A driver that runs the storage on the session's own thread reads ABOR too late to stop
        // what is so small.
        let expected = match first.code {
            426 => "226 ABOR command successful.\r\n",
            226 => "226 No transfer to abort.\r\n",
            _ => panic!("{call:?}: {}", first.text),
        };
        assert_eq!(second.text, expected, "{call:?}: {}", first.text);
        client.ask("NOOP", 200);
        drop(data);
    }
}

/// Files that come back from the storage when no session waits for them are closed.
fn a_client_that_leaves_a_slow_call_is_cleaned_up_behind(backend: Backend) {
    for call in [Call::OpenRead, Call::ReadAt, Call::OpenWrite, Call::Write, Call::Finish] {
        let gate = Gate::new();
        let server = server(backend, Faulty::new(call, Some(gate.clone())));
        let server = server.max_sessions(5).spawn().unwrap();
        for how in 0..4 {
            let mut client = Client::log_in(&server);
            let data = call.provoke(&mut client);
            gate.wait_for(how + 1);
            if how % 2 == 0 {
                client.reset()
            } else {
                drop(client)
            }
            drop(data);
        }
        Client::visit(&server);
        gate.open();
        gate.wait_for(0);
        // Their places are free again, in the end.
        let mut clients = Vec::new();
        crate::support::wait_until("five places are free", || {
            clients.extend(Client::try_log_in(&server));
            clients.len() == 5
        });
    }
}
