//! Who may log in to [wharf](https://docs.rs/wharf), the FTP server, and what an account sees.
//!
//! | | |
//! |---|---|
//! | [`Accounts`] | checks a login; the trait for your own |
//! | [`Attempt`], [`Credential`] | what a client shows: a name, and a password or a certificate |
//! | [`Account`] | what a login gives: a storage, rights, limits |
//! | [`SimpleAccounts`] | anonymous, and single users with a password each |
//! | `AccountsFile`, `hash_password` | a TOML file with Argon2id hashes, read anew without a restart |
//! | `AccountsText`, `NewUser` | changes in such a file that leave the rest as it is, to the byte |
//! | [`ClientCertificate`] | a certificate of the TLS handshake |
//!
//! ```
//! use std::sync::Arc;
//! use wharf_accounts::{Account, Accounts, Attempt, Credential, Denial, Password, Permissions};
//! use wharf_storage::Memory;
//!
//! /// Lets in the members of a club, by the password of the day.
//! struct Club {
//!     files: Memory,
//!     password_of_the_day: Password,
//! }
//!
//! impl Accounts for Club {
//!     fn login(&self, attempt: &Attempt<'_>) -> Result<Account, Denial> {
//!         match attempt.credential {
//!             Credential::Password(given) if *given == self.password_of_the_day => {
//!                 Ok(Account::new(Arc::new(self.files.clone()), Permissions::READ_ONLY))
//!             }
//!             _ => Err(Denial::Refused),
//!         }
//!     }
//! }
//! ```
//!
//! # Features
//!
//! - `file` (default): `AccountsFile` and `hash_password`. Brings argon2, toml, and
//!   `wharf-storage/directory` for the folders that the file names.
//! - `fingerprints`: `ClientCertificate::fingerprint`. Brings sha2.

#![forbid(unsafe_code)]
#![warn(missing_debug_implementations)]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod certificate;
#[cfg(feature = "file")]
mod file;
mod simple;

use std::any::Any;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use wharf_storage::Storage;

pub use certificate::ClientCertificate;
#[cfg(feature = "file")]
pub use file::{
    AccountsError, AccountsFile, AccountsText, FileHost, ListedUser, NewUser, hash_password,
};
pub use simple::SimpleAccounts;
pub use wharf_core::{
    Denial, Grant, NetworkError, NetworkRules, Networks, Password, Permissions, Rates, Rights,
    TlsRequired,
};

/// What a successful login gives to a session.
pub struct Account {
    /// The tree that the session sees.
    pub storage: Arc<dyn Storage>,
    /// What it may do, protect and take up.
    pub grant: Grant,
    /// From where it may be used.
    pub networks: NetworkRules,
    /// Kept until the session logs out, and then dropped, which must not block: the account's place
    /// among others.
    pub permit: Option<Box<dyn Any + Send>>,
}

impl Account {
    /// Makes an account that sees `storage` and has these permissions, or [`Rights`] that differ by
    /// folder. It asks for no TLS and has no limits of its own.
    pub fn new(storage: Arc<dyn Storage>, rights: impl Into<Rights>) -> Self {
        let grant = Grant { rights: rights.into(), ..Grant::default() };
        Self { storage, grant, networks: NetworkRules::default(), permit: None }
    }

    /// Sets what the account has to protect by TLS.
    pub fn tls(mut self, required: TlsRequired) -> Self {
        self.grant.tls = required;
        self
    }

    /// Sets how fast each transfer may be.
    pub fn rates(mut self, rates: Rates) -> Self {
        self.grant.rates = rates;
        self
    }

    /// Lets clients in these networks alone use the account. A login from elsewhere is answered as a
    /// wrong password is, and logged with the reason.
    pub fn allow_from(mut self, networks: Networks) -> Self {
        self.networks.allow = networks;
        self
    }

    /// Lets no client in these networks use the account, be it in [allowed](Self::allow_from) ones
    /// or not.
    pub fn deny_from(mut self, networks: Networks) -> Self {
        self.networks.deny = networks;
        self
    }

    /// Hands over what is to be dropped when the session logs out.
    pub fn permit(mut self, permit: impl Any + Send) -> Self {
        self.permit = Some(Box::new(permit));
        self
    }
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Account").field("grant", &self.grant).finish_non_exhaustive()
    }
}

/// An attempt to log in.
#[derive(Clone, Copy, Debug)]
pub struct Attempt<'a> {
    /// The argument of USER.
    pub user: &'a [u8],
    /// What shows that the name is the client's.
    pub credential: Credential<'a>,
    /// Where the client is.
    pub peer: IpAddr,
}

/// What shows that a name is the client's.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Credential<'a> {
    /// The argument of PASS.
    Password(&'a Password),
    /// The certificate of the TLS handshake, which has been verified. Asked at USER: with
    /// [`Denial::Refused`] the session goes on to ask for a password.
    Certificate(&'a ClientCertificate),
}

/// Decides who may log in. Calls may block: drivers run them where no other session waits for them,
/// and few at a time.
pub trait Accounts: Send + Sync {
    /// Checks a name and what shows that it is the client's.
    ///
    /// An implementation does the same work for a name that it does not know as for a wrong
    /// password, so that time does not tell them apart.
    fn login(&self, attempt: &Attempt<'_>) -> Result<Account, Denial>;

    /// Does the same if it waits for nothing and takes hardly any time, as a comparison of passwords
    /// in memory: a driver asks this first, where other sessions wait. `None`, unless implemented,
    /// says that [`login`](Self::login) is to be asked, on a thread of its own. Whether it answers must
    /// not depend on whether the name is known, and no limit holds for how many are asked at once.
    fn login_at_once(&self, attempt: &Attempt<'_>) -> Option<Result<Account, Denial>> {
        let _ = attempt;
        None
    }
}

impl<A: Accounts + ?Sized> Accounts for Arc<A> {
    fn login(&self, attempt: &Attempt<'_>) -> Result<Account, Denial> {
        (**self).login(attempt)
    }

    fn login_at_once(&self, attempt: &Attempt<'_>) -> Option<Result<Account, Denial>> {
        (**self).login_at_once(attempt)
    }
}

impl<A: Accounts + ?Sized> Accounts for Box<A> {
    fn login(&self, attempt: &Attempt<'_>) -> Result<Account, Denial> {
        (**self).login(attempt)
    }

    fn login_at_once(&self, attempt: &Attempt<'_>) -> Option<Result<Account, Denial>> {
        (**self).login_at_once(attempt)
    }
}
/// The README, so that its code is compiled.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
