//! The accounts file as a whole.

mod logins;
mod mistakes;
mod reload;

use std::fs;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::atomic::Ordering;

use argon2::Params;
use wharf_core::{Denial, Password, VirtualPath};

use super::password::hash_with;
use super::{AccountsError, AccountsFile};
use crate::ClientCertificate;
use crate::{Account, Accounts, Attempt, Credential};

/// A folder to serve, and an accounts file beside it.
struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    /// Makes an accounts file, and `homes/anna`, `homes/ben` and `public` with a file in each that
    /// tells where it is.
    fn new(text: &str) -> Self {
        let place = Self { folder: tempfile::tempdir().unwrap() };
        for folder in ["", "homes/anna", "homes/ben", "public"] {
            fs::create_dir_all(place.base().join(folder)).unwrap();
            fs::write(place.base().join(folder).join("here"), folder).unwrap();
        }
        place.write(text);
        place
    }

    fn base(&self) -> PathBuf {
        self.folder.path().join("served")
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("accounts.toml")
    }

    fn write(&self, text: &str) {
        fs::write(self.file(), text).unwrap();
    }

    fn try_load(&self) -> Result<AccountsFile, AccountsError> {
        AccountsFile::load(self.file(), &self.base())
    }

    fn load(&self) -> AccountsFile {
        self.try_load().unwrap()
    }
}

/// A hash that takes no time, with a salt of its own.
fn hash(password: &str) -> String {
    hash_with(&Params::new(8, 1, 1, None).unwrap(), password.as_bytes()).unwrap()
}

/// A user of this name and password, and further lines.
fn user(name: &str, password: &str, more: &str) -> String {
    format!("[[user]]\nname = \"{name}\"\npassword = \"{}\"\n{more}\n", hash(password))
}

fn login(accounts: &dyn Accounts, user: &str, password: &str) -> Result<Account, Denial> {
    let password = Password::new(password);
    prove(accounts, user, Credential::Password(&password))
}

fn show(accounts: &dyn Accounts, user: &str, certificate: &[u8]) -> Result<Account, Denial> {
    let certificate = ClientCertificate::from_der(certificate);
    prove(accounts, user, Credential::Certificate(&certificate))
}

fn prove(
    accounts: &dyn Accounts,
    user: &str,
    credential: Credential<'_>,
) -> Result<Account, Denial> {
    prove_from("192.0.2.1", accounts, user, credential)
}

fn prove_from(
    peer: &str,
    accounts: &dyn Accounts,
    user: &str,
    credential: Credential<'_>,
) -> Result<Account, Denial> {
    let peer: IpAddr = peer.parse().unwrap();
    accounts.login(&Attempt { user: user.as_bytes(), credential, peer })
}

#[track_caller]
fn refused(outcome: Result<Account, Denial>) {
    assert_eq!(outcome.map(|account| account.grant), Err(Denial::Refused));
}

/// How often the accounts have computed a hash.
fn computed(accounts: &AccountsFile) -> u64 {
    accounts.shared.computed.load(Ordering::Relaxed)
}

/// Which folder the account sees.
fn sees(account: &Account) -> usize {
    let path = VirtualPath::root().resolve(b"here").unwrap();
    account.storage.metadata(&path).unwrap().size as usize
}
