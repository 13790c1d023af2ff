//! What a check has to work with.

mod connections;

use std::cell::Cell;
use std::fmt;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::check::{Failure, Why, advise_or_fail};
use crate::client::{Client, Detail};
use crate::journal::{Journal, Note};
use crate::patience;
use crate::target::{Account, Credentials, Profile, Protection, Settings, Target};
use crate::tls::{Tls, TlsVersion};

/// The surroundings of one run of one check.
pub struct Context<'a> {
    target: &'a dyn Target,
    journal: Journal,
    folder: String,
    clients: usize,
    /// The folder may be there.
    has_folder: Cell<bool>,
    /// The server did not answer when this run last connected or logged in.
    is_gone: Cell<bool>,
}

impl fmt::Debug for Context<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context").field("folder", &self.folder).finish_non_exhaustive()
    }
}

impl<'a> Context<'a> {
    /// Prepares a run; `id` becomes part of the folder's name.
    pub fn new(target: &'a dyn Target, id: &str) -> Self {
        static COUNTER: AtomicU64 = AtomicU64::new(0);
        let count = COUNTER.fetch_add(1, Ordering::Relaxed);
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let name = format!("{}{}-{count}-{id}", folder_prefix(), since.as_nanos());
        let journal = Journal::new();
        journal.hide(&name, "FOLDER");
        let folder = format!("{}/{name}", target.root());
        patience::begin(target.limit());
        let (has_folder, is_gone) = (Cell::new(false), Cell::new(false));
        Self { target, journal, folder, clients: 0, has_folder, is_gone }
    }

    /// Returns the path of a folder that belongs to this run alone. The first login makes it.
    pub fn folder(&self) -> &str {
        &self.folder
    }

    /// Returns the folder's name.
    pub(crate) fn name(&self) -> &str {
        self.folder.rsplit_once('/').map_or(&self.folder, |(_, name)| name)
    }

    /// Returns the path of a name in [`folder`](Self::folder).
    pub fn path(&self, name: &str) -> String {
        format!("{}/{name}", self.folder)
    }

    /// Returns the record of the dialogue.
    pub fn journal(&self) -> &Journal {
        &self.journal
    }

    /// Returns what the server of this profile was started with.
    pub fn settings(&self, profile: Profile) -> Settings {
        self.target.settings(profile)
    }

    /// Returns `true` if the target has a server of this profile, and writes down when it has not.
    pub fn has(&self, profile: Profile) -> bool {
        let has = self.target.address(profile).is_some();
        if !has {
            self.skip(profile.missing());
        }
        has
    }

    /// Returns `true` if the target has a server of this profile that offers TLS, and writes down
    /// when it has not.
    pub fn has_tls(&self, profile: Profile) -> bool {
        let has = self.has(profile);
        if has && !self.settings(profile).tls {
            self.skip(self.target.hides_tls().unwrap_or("no TLS"));
        }
        has && self.settings(profile).tls
    }

    /// Ends a check whose rest is about sessions within TLS, where there are none.
    pub(crate) fn needs_tls(&self) -> Result<(), Failure> {
        if self.settings(Profile::Standard).tls {
            return Ok(());
        }
        Err(match self.target.hides_tls() {
            Some(why) => Failure::skip(Why::NeedsOption, why),
            None => Failure::skip(Why::NotOffered, "no AUTH TLS"),
        })
    }

    /// Returns the path of a file of more than 4 GiB, and writes down when there is none.
    pub fn large_file(&self) -> Option<String> {
        let path = self.target.large_file();
        if path.is_none() {
            self.skip("no file over 4 GiB (--large-file)");
        }
        path
    }

    /// Writes down that a part of the check is left out, and why. Where nothing is left,
    /// [`Failure::skip`] is the word.
    pub fn skip(&self, why: &str) {
        self.journal.note(Note::NotChecked(why.to_owned()));
    }

    /// Fails where the target wants only the best, and else writes down what would be better.
    pub fn advise(&self, what: impl Into<String>) -> Result<(), Failure> {
        advise_or_fail(&self.journal, self.target.is_strict(), what.into())
    }

    /// Returns `true` if only the best is good enough.
    pub fn is_strict(&self) -> bool {
        self.target.is_strict()
    }

    /// Returns the directory that a login begins in.
    pub(crate) fn home(&mut self) -> Result<String, Failure> {
        let mut client = self.login_elsewhere(Profile::Standard)?;
        client.keep(Detail::None);
        let home = client.expect("PWD", &[257])?.quoted()?;
        Ok(String::from_utf8_lossy(&home).into_owned())
    }

    /// Returns the directory that the run's folder is in.
    pub(crate) fn parent(&self) -> &str {
        let parent = self.folder.rsplit_once('/').map_or("", |(parent, _)| parent);
        if parent.is_empty() { "/" } else { parent }
    }

    /// Returns the versions of TLS that the server speaks, and writes down which it does not.
    pub(crate) fn tls_versions(&self) -> Vec<TlsVersion> {
        let spoken = self.target.tls_versions();
        for version in TlsVersion::ALL.iter().filter(|version| !spoken.contains(version)) {
            self.skip(&format!("{}, which the server does not speak", Tls::only(*version)));
        }
        spoken
    }

    /// Returns an address that is not the client's, to be a stranger at, and writes down when there
    /// is none.
    pub fn other_address(&self, own: IpAddr) -> Option<IpAddr> {
        let other = self.target.other_address(own);
        if other.is_none() {
            self.skip("no second address to connect from, on this machine alone");
        }
        other
    }

    /// Has the waits of this check last so much longer than usual.
    pub fn wait_longer(&self, by: Duration) {
        patience::extend(by);
    }

    /// Begins all waits anew.
    pub(crate) fn begin_patience(&self) {
        patience::begin(self.target.limit());
    }

    /// Logs in as the account that may do everything, in the directory that is then at hand.
    pub(crate) fn login_elsewhere(&mut self, profile: Profile) -> Result<Client, Failure> {
        let mut client = self.connect_quietly(profile)?;
        self.log_in(&mut client, &self.full_account()?)?;
        Ok(client)
    }

    /// Logs a fresh connection in, with TYPE I.
    fn log_in(&self, client: &mut Client, credentials: &Credentials) -> Result<(), Failure> {
        let done = login(client, credentials);
        self.is_gone.set(done.is_err() && client.was_ignored());
        done?;
        client.expect("TYPE I", &[200]).map(drop)
    }

    /// Returns `true` if this run has made a connection.
    pub(crate) fn has_connected(&self) -> bool {
        self.clients > 0
    }

    /// Returns `true` if the folder may have been made.
    pub(crate) fn has_folder(&self) -> bool {
        self.has_folder.get()
    }

    /// Returns `true` if the server did not answer when this run last connected or logged in.
    pub(crate) fn is_gone(&self) -> bool {
        self.is_gone.get()
    }

    /// Returns `true` if a check that needs to speak in clear can do so, and ends it where not.
    pub fn in_clear(&self) -> Result<(), Failure> {
        match self.target.protection() {
            Protection::None => Ok(()),
            _ => Err(Failure::skip(Why::NeedsOption, "a session in clear: run without --tls")),
        }
    }

    /// Returns how to log in as this account, and writes down when there is none.
    pub fn credentials(&self, account: Account) -> Option<Credentials> {
        let credentials = self.target.credentials(account);
        if credentials.is_none() {
            self.skip(account.missing());
        }
        credentials
    }

    /// Returns how to log in as the account that may do everything.
    pub(crate) fn full_account(&self) -> Result<Credentials, Failure> {
        let credentials = self.credentials(Account::Full);
        credentials.ok_or_else(|| Failure::new(Account::Full.missing()))
    }

    /// Carries out a part of a check that tells nothing when this machine is too slow at it: it then
    /// returns `None`, and is tried again as if nothing had been. After five times the check fails
    /// for this reason.
    pub fn attempt<T>(
        &mut self,
        reason: &str,
        mut part: impl FnMut(&mut Self) -> Result<Option<T>, Failure>,
    ) -> Result<T, Failure> {
        let (clients, lines) = (self.clients, self.journal.lines().len());
        for _ in 0..5 {
            self.clients = clients;
            self.journal.truncate(lines);
            if let Some(outcome) = part(self)? {
                return Ok(outcome);
            }
        }
        Err(Failure::new(reason))
    }

    /// Carries out a part of a check, and again where it failed and took as long as the server's
    /// patience: see [`attempt`](Self::attempt).
    pub fn in_time<T>(
        &mut self,
        patience: Duration,
        mut part: impl FnMut(&mut Self) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        self.attempt("this machine is slower than the server's timeouts", |context| {
            let begin = Instant::now();
            match part(context) {
                Err(_) if begin.elapsed() >= patience => Ok(None),
                result => result.map(Some),
            }
        })
    }
}

/// Returns how the names of the folders begin that this process makes.
pub fn folder_prefix() -> String {
    format!("check-{}-", std::process::id())
}

/// Logs a fresh connection in.
pub(crate) fn login(client: &mut Client, credentials: &Credentials) -> Result<(), Failure> {
    let reply = client.expect(format!("USER {}", credentials.user), &[230, 331])?;
    if reply.code == 331 {
        client.expect(format!("PASS {}", credentials.password), &[202, 230])?;
    }
    client.protect_if_due()
}
