//! The accounts as they are used: checked, and with their folders open.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;

use wharf_core::{Denial, Grant, NetworkRules, Permissions};

use super::password::StoredHash;
use super::places::Counter;
use crate::Account;
use crate::ClientCertificate;
use wharf_storage::Directory;

/// All that an accounts file says.
#[derive(Debug)]
pub(super) struct Book {
    /// What holds for clients that name no virtual host.
    pub(super) default: Realm,
    pub(super) hosts: Vec<HostEntry>,
    /// Stands in where there is no hash to look at; as expensive as the most expensive.
    pub(super) decoy: StoredHash,
}

impl Book {
    /// Names the first account, by name, of which this is true.
    pub(super) fn first(&self, is_true: impl Fn(Option<&User>, &Entry) -> bool) -> Option<String> {
        let realms = [&self.default].into_iter().chain(self.hosts.iter().map(|host| &host.realm));
        let mut names: Vec<String> = Vec::new();
        for realm in realms {
            let users = realm.users.iter().filter(|(_, user)| user.enabled);
            let true_of = users.filter(|(_, user)| is_true(Some(user), &user.entry));
            names.extend(true_of.map(|(name, _)| format!("user \"{}\"", name.escape_ascii())));
            let anonymous = realm.anonymous.as_ref().filter(|entry| is_true(None, entry));
            names.extend(anonymous.map(|_| "anonymous".to_string()));
        }
        names.into_iter().min()
    }
}

/// A virtual host.
#[derive(Debug)]
pub(super) struct HostEntry {
    /// In small letters.
    pub(super) name: String,
    /// The files of the certificate and of its key.
    pub(super) certificate: Option<(PathBuf, PathBuf)>,
    pub(super) realm: Realm,
}

/// The accounts of one host.
#[derive(Debug, Default)]
pub(super) struct Realm {
    pub(super) users: HashMap<Vec<u8>, User>,
    pub(super) anonymous: Option<Entry>,
}

/// A user, and what shows who it is.
#[derive(Debug)]
pub(super) struct User {
    pub(super) enabled: bool,
    pub(super) hash: Option<StoredHash>,
    /// SHA-256 of the certificates in DER.
    pub(super) certificates: Vec<[u8; 32]>,
    pub(super) entry: Entry,
}

/// What an account gives to a session.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) storage: Arc<Directory>,
    pub(super) grant: Grant,
    pub(super) networks: NetworkRules,
    pub(super) most_sessions: Option<NonZeroUsize>,
    pub(super) sessions: Arc<Counter>,
}

impl Book {
    /// Returns the accounts of a virtual host, or those of no host in particular.
    pub(super) fn realm(&self, host: Option<&str>) -> Option<&Realm> {
        let Some(host) = host else { return Some(&self.default) };
        self.hosts.iter().find(|entry| entry.name == host).map(|entry| &entry.realm)
    }

    pub(super) fn realms(&self) -> impl Iterator<Item = &Realm> {
        [&self.default].into_iter().chain(self.hosts.iter().map(|host| &host.realm))
    }

    /// Returns how many users there are, of all hosts.
    pub(super) fn users(&self) -> usize {
        self.realms().map(|realm| realm.users.len()).sum()
    }

    /// Returns the roots of the accounts that may change anything there, each once.
    pub(super) fn writable_folders(&self) -> Vec<Arc<Directory>> {
        let mut folders: Vec<Arc<Directory>> = Vec::new();
        let mut seen = HashSet::new();
        for realm in self.realms() {
            let entries = realm.users.values().map(|user| &user.entry).chain(&realm.anonymous);
            for entry in entries {
                let may = entry.grant.rights.anywhere();
                let storage = &entry.storage;
                if !Permissions::READ_ONLY.contains(may) && seen.insert(Arc::as_ptr(storage)) {
                    folders.push(Arc::clone(storage));
                }
            }
        }
        folders
    }

    /// Returns a summary: `3 users, 1 host, anonymous read-only`.
    pub(super) fn summary(&self) -> String {
        let plural = |n: usize| if n == 1 { "" } else { "s" };
        let users = self.users();
        let mut text = format!("{users} user{}", plural(users));
        let all = self.realms().flat_map(|realm| realm.users.values());
        match all.filter(|user| !user.enabled).count() {
            0 => {}
            disabled => text += &format!(" ({disabled} disabled)"),
        }
        let hosts = self.hosts.len();
        if hosts > 0 {
            text += &format!(", {hosts} host{}", plural(hosts));
        }
        let anonymous = self.realms().filter_map(|realm| realm.anonymous.as_ref());
        match anonymous.map(|entry| entry.grant.rights.anywhere()).reduce(|all, one| all | one) {
            None => text,
            Some(rights) if Permissions::READ_ONLY.contains(rights) => {
                text + ", anonymous read-only"
            }
            Some(_) => text + ", anonymous MAY WRITE",
        }
    }
}

impl Realm {
    /// Returns the anonymous account, where it is the one of this name (RFC 1635). No user has
    /// such a name besides it.
    pub(super) fn anonymous(&self, user: &[u8]) -> Option<&Entry> {
        self.anonymous.as_ref().filter(|_| is_anonymous(user))
    }

    /// Returns the user that this certificate stands for.
    pub(super) fn certified(&self, user: &[u8], certificate: &ClientCertificate) -> Option<&Entry> {
        let user = self.users.get(user).filter(|user| user.enabled)?;
        let known = user.certificates.contains(&certificate.digest());
        known.then_some(&user.entry)
    }
}

impl Entry {
    /// Lets a session in from `peer`, where there is a place for it.
    pub(super) fn admit(&self, peer: IpAddr) -> Result<Account, Denial> {
        if !self.networks.admit(peer) {
            return Err(Denial::WrongNetwork);
        }
        let place = self.sessions.take(self.most_sessions).ok_or(Denial::TooManySessions)?;
        let storage = Arc::clone(&self.storage);
        let (grant, networks) = (self.grant.clone(), self.networks.clone());
        Ok(Account { storage, grant, networks, permit: None }.permit(place))
    }
}

/// Returns `true` if this is a name of the anonymous account.
pub(super) fn is_anonymous(name: &[u8]) -> bool {
    name.eq_ignore_ascii_case(b"anonymous") || name.eq_ignore_ascii_case(b"ftp")
}
