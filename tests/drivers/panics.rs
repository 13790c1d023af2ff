//! Panics in the code of an embedding program: the client is told, and other sessions go on.

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use wharf::{
    Account, Accounts, Attempt, Backend, Denial, Memory, Permissions, SimpleAccounts, SiteReply,
    SiteRequest,
};

use crate::support::{Call, Client, Faulty, accounts_server, for_each_driver, server};

for_each_driver!(
    a_storage_that_panics_fails_one_request,
    an_upload_whose_storage_panics_is_not_published,
    a_digest_whose_storage_panics_fails,
    a_login_that_panics_ends_its_session_with_421,
    a_site_command_that_panics_is_answered_with_451,
);

/// The replies to the command; the last is final.
fn codes(client: &mut Client) -> Vec<u16> {
    let mut codes = Vec::new();
    while codes.last().is_none_or(|&code| code < 200) {
        codes.push(client.reply().expect("the client is told").code);
    }
    codes
}

fn a_storage_that_panics_fails_one_request(backend: Backend) {
    for call in Call::ALL {
        let expected: &[u16] = match call {
            Call::Metadata
            | Call::OpenRead
            | Call::OpenDirectory
            | Call::OpenWrite
            | Call::Remove => &[451],
            Call::ReadAt | Call::Write | Call::Sync | Call::Finish | Call::NextEntry => &[150, 451],
            // All has been sent by then.
            Call::DropRead => &[150, 226],
        };
        let server = server(backend, Faulty::new(call, None)).spawn().unwrap();
        let mut bystander = Client::log_in(&server);
        let mut client = Client::log_in(&server);
        for _ in 0..2 {
            let data = call.provoke(&mut client);
            assert_eq!(codes(&mut client), expected, "{call:?}");
            drop(data);
            assert_eq!(client.get("RETR good"), b"Another file.", "{call:?}");
        }
        assert_eq!(bystander.get("RETR good"), b"Another file.");
        Client::visit(&server);
        drop((client, bystander));
        server.shutdown().unwrap();
    }
}

fn an_upload_whose_storage_panics_is_not_published(backend: Backend) {
    for call in [Call::Write, Call::Sync, Call::Finish] {
        let storage = Faulty::new(call, None);
        let server = server(backend, storage.clone()).spawn().unwrap();
        let mut client = Client::log_in(&server);
        let data = call.provoke(&mut client);
        assert_eq!(codes(&mut client), [150, 451], "{call:?}");
        drop(data);
        assert_eq!(storage.files().read("/bad").unwrap(), b"A file.", "{call:?}");
        // Nor is a new one.
        let mut data = client.begin("STOR bad-too");
        let _ = data.write_all(b"New content.");
        drop(data);
        client.expect(451);
        client.ask("SIZE bad-too", 550);
    }
}

fn a_digest_whose_storage_panics_fails(backend: Backend) {
    let server = server(backend, Faulty::new(Call::ReadAt, None)).spawn().unwrap();
    let mut client = Client::log_in(&server);
    client.ask("HASH bad", 451);
    client.ask("HASH good", 213);
}

/// Accounts that panic for the user named `bad`.
struct Panicking(SimpleAccounts);

impl Accounts for Panicking {
    fn login(&self, attempt: &Attempt<'_>) -> Result<Account, Denial> {
        assert_ne!(attempt.user, b"bad", "as the test wants it to");
        self.0.login(attempt)
    }
}

fn a_login_that_panics_ends_its_session_with_421(backend: Backend) {
    let accounts = SimpleAccounts::new(Arc::new(Memory::new())).anonymous(Permissions::ALL);
    let server = accounts_server(backend, Panicking(accounts));
    let server = server.login_delay(Duration::ZERO).spawn().unwrap();
    let mut bystander = Client::log_in(&server);
    let mut client = Client::connect(&server);
    client.ask("USER bad", 331);
    client.ask("PASS secret", 421);
    client.expect_end();
    bystander.ask("NOOP", 200);
    Client::visit(&server);
}

fn a_site_command_that_panics_is_answered_with_451(backend: Backend) {
    fn answer(_: &SiteRequest) -> SiteReply {
        panic!("a SITE command panics, as the test wants it to")
    }
    let server = server(backend, Memory::new()).site_command("PANIC", "", answer).spawn().unwrap();
    let mut client = Client::log_in(&server);
    client.ask("SITE PANIC", 451);
    client.ask("NOOP", 200);
    Client::visit(&server);
}
