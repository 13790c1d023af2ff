//! The accounts file that `docs/accounts.md` shows.

use std::fs;

use wharf::proto::Password;
use wharf::{Accounts, AccountsFile, Attempt, Credential, Permissions};

use super::read;

#[test]
fn the_example_is_right() {
    let page = read("docs/accounts.md");
    let (_, rest) = page.split_once("```toml\n").unwrap();
    let (example, _) = rest.split_once("```").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let served = folder.path().join("served");
    for account in ["homes/anna", "public", "scans", "hosts/files"] {
        fs::create_dir_all(served.join(account)).unwrap();
    }
    for name in ["accounts.toml", "files.crt", "files.key"] {
        fs::write(folder.path().join(name), example).unwrap();
    }
    let accounts = AccountsFile::load(folder.path().join("accounts.toml"), &served).unwrap();
    assert_eq!(accounts.summary(), "3 users, 1 host, anonymous read-only");
    let password = Password::new(b"harbour");
    let credential = Credential::Password(&password);
    let attempt = Attempt { user: b"anna", credential, peer: "192.168.1.1".parse().unwrap() };
    let account = accounts.login(&attempt).unwrap();
    assert_eq!(account.grant.rights.anywhere(), Permissions::ALL);
    assert!(accounts.hosts()[0].accounts.login(&attempt).is_ok());
}
