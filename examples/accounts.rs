//! A program that brings its own accounts: each user has a tree of its own, in memory, that stays
//! between logins.
//!
//! `cargo run --example accounts`, then `curl --user anna:harbour ftp://…/hello.txt`.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use wharf::{Account, Accounts, Attempt, Credential, Denial, Memory, Permissions, Server};

/// Takes any name with the one password, and makes a home for each at its first login.
struct Homes {
    password: &'static str,
    homes: Mutex<HashMap<Vec<u8>, Memory>>,
}

impl Accounts for Homes {
    fn login(&self, attempt: &Attempt<'_>) -> Result<Account, Denial> {
        match attempt.credential {
            Credential::Password(given) if given.as_bytes() == self.password.as_bytes() => {}
            // Also what is no password: the certificate of a TLS handshake.
            _ => return Err(Denial::Refused),
        }
        // A panic in another login leaves the map whole.
        let mut homes = self.homes.lock().unwrap_or_else(PoisonError::into_inner);
        let home = homes.entry(attempt.user.to_vec()).or_insert_with(|| {
            let text = format!("Hello, {}.\n", attempt.user.escape_ascii());
            Memory::new().with_capacity_bytes(1_000_000).with_file("/hello.txt", text)
        });
        // A clone is a handle on the same tree.
        Ok(Account::new(Arc::new(home.clone()), Permissions::ALL))
    }
}

fn main() -> std::io::Result<()> {
    let accounts = Homes { password: "harbour", homes: Mutex::default() };
    let server = Server::builder().accounts(accounts).spawn()?;
    println!("{}/hello.txt", server.url());
    server.wait()
}
