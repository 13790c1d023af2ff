//! Who may come in: the [`Accounts`] trait, the accounts that need no file, and those of a file.

#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod certificate;
#[cfg(feature = "file")]
mod file;
mod simple;

use std::any::Any;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use wharf_core::{Denial, Grant, Password, Rates, Rights, TlsRequired};
use wharf_storage::Storage;

pub use certificate::ClientCertificate;
#[cfg(feature = "file")]
pub use file::{AccountsError, AccountsFile, FileHost, hash_password};
pub use simple::SimpleAccounts;

/// What a successful login gives to a session.
pub struct Account {
    /// The tree that the session sees.
    pub storage: Arc<dyn Storage>,
    /// What it may do, protect and take up.
    pub grant: Grant,
    /// Kept until the session logs out, and then dropped, which must not block: the account's place
    /// among others.
    pub permit: Option<Box<dyn Any + Send>>,
}

impl Account {
    /// Makes an account that sees `storage` and has these permissions, or [`Rights`] that differ by
    /// folder. It asks for no TLS and has no limits of its own.
    pub fn new(storage: Arc<dyn Storage>, rights: impl Into<Rights>) -> Self {
        let grant = Grant { rights: rights.into(), ..Grant::default() };
        Self { storage, grant, permit: None }
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
pub enum Credential<'a> {
    /// The argument of PASS.
    Password(&'a Password),
    /// The certificate of the TLS handshake, which has been verified. Asked at USER: with
    /// [`Denial::Refused`] the session goes on to ask for a password.
    Certificate(&'a ClientCertificate),
}

/// Decides who may come in. Calls may block: drivers run them where that harms nobody, and few at a
/// time.
pub trait Accounts: Send + Sync {
    /// Checks a name and what shows that it is the client's.
    ///
    /// An implementation does the same work for a name that it does not know as for a wrong
    /// password, so that time does not tell them apart.
    fn login(&self, attempt: &Attempt<'_>) -> Result<Account, Denial>;
}

impl<A: Accounts + ?Sized> Accounts for Arc<A> {
    fn login(&self, attempt: &Attempt<'_>) -> Result<Account, Denial> {
        (**self).login(attempt)
    }
}

/// The README, so that its code is compiled.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
