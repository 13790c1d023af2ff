//! What a check is, and what it has to work with.

use std::error::Error;
use std::fmt;
use std::io;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::client::{Client, Detail};
use crate::journal::Journal;
use crate::target::{Account, Credentials, Profile, Settings, Target};
use crate::tls::Tls;

/// The proof that a server meets one row of the requirements.
#[derive(Clone, Copy)]
pub struct Check {
    /// The id of the row.
    pub id: &'static str,
    /// Carries it out.
    pub run: fn(&mut Context<'_>) -> Result<(), Failure>,
}

impl fmt::Debug for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Check({})", self.id)
    }
}

/// Says what the server did wrong, for a person to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure(String);

impl Failure {
    /// Says it in these words.
    pub fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for Failure {}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self(error.to_string())
    }
}

/// Fails the check unless a condition holds.
macro_rules! ensure {
    ($condition:expr, $($message:tt)+) => {
        if !$condition {
            return Err($crate::check::Failure::new(format!($($message)+)));
        }
    };
}
pub(crate) use ensure;

/// The surroundings of one run of one check.
pub struct Context<'a> {
    target: &'a dyn Target,
    journal: Journal,
    folder: String,
    clients: usize,
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
        let name = format!("check-{}-{}-{count}-{id}", std::process::id(), since.as_nanos());
        let journal = Journal::new();
        journal.hide(&name, "FOLDER");
        Self { target, journal, folder: format!("/{name}"), clients: 0 }
    }

    /// Returns the path of a folder that belongs to this run alone. The first login makes it.
    pub fn folder(&self) -> &str {
        &self.folder
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

    /// Tells whether the target has a server of this profile, and writes down when it has not.
    pub fn has(&self, profile: Profile) -> bool {
        let has = self.target.address(profile).is_some();
        if !has {
            self.skip(&format!("no server of profile {profile:?}"));
        }
        has
    }

    /// Tells whether the target has a server of this profile that offers TLS, and writes down when
    /// it has not.
    pub fn has_tls(&self, profile: Profile) -> bool {
        let has = self.has(profile);
        if has && !self.settings(profile).tls {
            self.skip(&format!("the server of profile {profile:?} has no TLS"));
        }
        has && self.settings(profile).tls
    }

    /// Returns the path of a file of more than 4 GiB, and writes down when there is none.
    pub fn large_file(&self) -> Option<String> {
        let path = self.target.large_file();
        if path.is_none() {
            self.skip("no file over 4 GiB");
        }
        path
    }

    /// Writes down that something is not checked, and why.
    pub fn skip(&self, why: &str) {
        self.journal.record(&format!("(not checked: {why})"));
    }

    /// Returns how to log in as this account, and writes down when there is none.
    pub fn credentials(&self, account: Account) -> Option<Credentials> {
        let credentials = self.target.credentials(account);
        if credentials.is_none() {
            self.skip(&format!("no account of kind {account:?}"));
        }
        credentials
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

    /// Connects, and reads the greeting.
    pub fn connect(&mut self, profile: Profile) -> Result<Client, Failure> {
        let mut client = self.connect_quietly(profile)?;
        client.keep(Detail::Full);
        client.note(&format!("connected, {profile:?}"));
        Ok(client)
    }

    /// As [`connect`](Self::connect), without a record of what is said on the connection.
    pub fn connect_quietly(&mut self, profile: Profile) -> Result<Client, Failure> {
        let mut client = self.dial(profile)?;
        client.expect_reply(&[220])?;
        Ok(client)
    }

    /// Connects and does no more, without a record of what is said on the connection.
    pub fn dial(&mut self, profile: Profile) -> Result<Client, Failure> {
        self.dial_from(profile, None)
    }

    /// As [`dial`](Self::dial), from this address.
    pub fn dial_from(&mut self, profile: Profile, from: Option<IpAddr>) -> Result<Client, Failure> {
        let address = self.target.address(profile);
        let address =
            address.ok_or_else(|| Failure::new(format!("no server of profile {profile:?}")))?;
        self.clients += 1;
        let mut client = Client::connect(address, from, self.journal.clone(), self.clients)?;
        client.keep(Detail::None);
        Ok(client)
    }

    /// Connects, reads the greeting, and has the control connection protected: with AUTH, or from
    /// the first byte where the profile has it so.
    pub fn connect_protected(&mut self, profile: Profile, tls: &Tls) -> Result<Client, Failure> {
        let mut client = if profile == Profile::Implicit {
            let mut client = self.dial(profile)?;
            client.start_tls(tls)?;
            client.expect_reply(&[220])?;
            client
        } else {
            let mut client = self.connect_quietly(profile)?;
            client.auth(tls)?;
            client
        };
        client.keep(Detail::Full);
        client.note(&format!("connected, {profile:?}, {tls}"));
        Ok(client)
    }

    /// As [`login_to`](Self::login_to), with the control connection and data connections protected.
    pub fn login_protected(&mut self, profile: Profile, tls: &Tls) -> Result<Client, Failure> {
        let mut client = self.connect_protected(profile, tls)?;
        client.keep(Detail::None);
        self.enter(&mut client)?;
        client.protect()?;
        client.keep(Detail::Full);
        client.note("logged in in FOLDER, data connections are protected");
        Ok(client)
    }

    /// Logs in as the account that may do everything, in the run's folder, with TYPE I.
    pub fn login(&mut self) -> Result<Client, Failure> {
        self.login_to(Profile::Standard)
    }

    /// As [`login`](Self::login), to the server of this profile.
    pub fn login_to(&mut self, profile: Profile) -> Result<Client, Failure> {
        let mut client = self.login_quietly(profile)?;
        client.keep(Detail::Full);
        client.note(&format!("logged in in FOLDER, {profile:?}"));
        Ok(client)
    }

    /// As [`login_to`](Self::login_to), without a record of what is said on the connection.
    pub fn login_quietly(&mut self, profile: Profile) -> Result<Client, Failure> {
        let mut client = self.connect_quietly(profile)?;
        self.enter(&mut client)?;
        Ok(client)
    }

    /// Logs a connection in as the account that may do everything, in the run's folder, with TYPE I.
    pub fn enter(&self, client: &mut Client) -> Result<(), Failure> {
        let credentials = self.credentials(Account::Full);
        let credentials = credentials.ok_or_else(|| Failure::new("no account to log in as"))?;
        login(client, &credentials)?;
        client.expect("TYPE I", &[200])?;
        client.command(format!("MKD {}", self.folder))?;
        client.expect(format!("CWD {}", self.folder), &[200, 250]).map(drop)
    }

    /// Logs in to the server of the standard profile as another account, at the root, with TYPE I;
    /// `None`, and a line in the journal, when there is no such account.
    pub fn login_as(&mut self, account: Account) -> Result<Option<Client>, Failure> {
        let Some(credentials) = self.credentials(account) else { return Ok(None) };
        let mut client = self.connect_quietly(Profile::Standard)?;
        login(&mut client, &credentials)?;
        client.expect("TYPE I", &[200])?;
        client.keep(Detail::Full);
        client.note(&format!("logged in, {account:?}"));
        Ok(Some(client))
    }
}

/// Logs a fresh connection in.
pub(crate) fn login(client: &mut Client, credentials: &Credentials) -> Result<(), Failure> {
    let reply = client.expect(format!("USER {}", credentials.user), &[230, 331])?;
    if reply.code == 331 {
        client.expect(format!("PASS {}", credentials.password), &[202, 230])?;
    }
    Ok(())
}
