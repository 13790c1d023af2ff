//! A program that brings its own accounts: each user is shown a tree of its own, in memory.
//!
//! `cargo run --example accounts`, then `curl --user anna:harbour ftp://…/hello.txt`.

use std::sync::Arc;

use wharf::{Account, Accounts, Attempt, Credential, Denial, Memory, Permissions, Server};

/// Lets in whoever knows the word, under any name.
struct Word(&'static str);

impl Accounts for Word {
    fn login(&self, attempt: &Attempt<'_>) -> Result<Account, Denial> {
        match attempt.credential {
            Credential::Password(given) if given.0 == self.0.as_bytes() => {
                let text = format!("Hello, {}.\n", attempt.user.escape_ascii());
                let files = Memory::new().with_file("/hello.txt", text);
                Ok(Account::new(Arc::new(files), Permissions::READ_ONLY))
            }
            _ => Err(Denial::Refused),
        }
    }
}

fn main() -> std::io::Result<()> {
    let server = Server::builder().accounts(Word("harbour")).spawn()?;
    println!("{}/hello.txt", server.url());
    server.wait()
}
