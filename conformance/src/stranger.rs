//! A server of which little more is known than where it listens.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use crate::check::{Failure, folder_prefix, login};
use crate::client::{Client, Detail};
use crate::data::other_loopback;
use crate::journal::Journal;
use crate::patience::{self, Deadline};
use crate::target::{Account, Credentials, Profile, Protection, Settings, Target};
use crate::tls::{Tls, TlsVersion};

/// What is known of a server before it is met.
#[derive(Clone, Debug)]
pub struct Facts {
    /// Where it listens.
    pub server: SocketAddr,
    /// An account that may do everything.
    pub account: Credentials,
    /// How connections are made for the checks to which that is all the same.
    pub protection: Protection,
    /// TLS is not to be used at all.
    pub without_tls: bool,
    /// The directory to work in; `None` is the one that a login begins in.
    pub root: Option<String>,
    /// A reply that is not the best one is a failure.
    pub strict: bool,
    /// The longest that anything waits for the server.
    pub limit: Duration,
    /// Anonymous may log in, sees what the account sees, and may not change it.
    pub anonymous: bool,
    /// An account that may log in, and nothing else.
    pub powerless: Option<Credentials>,
    /// An account that has to use TLS.
    pub tls_only: Option<Credentials>,
    /// Where it listens on IPv6.
    pub ipv6: Option<SocketAddr>,
    /// Where it listens for implicit FTPS.
    pub implicit: Option<SocketAddr>,
    /// What it was started with. Whether there is TLS is found out.
    pub settings: Settings,
    /// The path of a file of more than 4 GiB, whose last bytes may be overwritten.
    pub large_file: Option<String>,
    /// It allows CCC.
    pub ccc: bool,
    /// An address of this machine to be a stranger at.
    pub bounce_address: Option<IpAddr>,
}

impl Facts {
    /// Returns what there is for a server and an account when nothing else is said.
    pub fn new(server: SocketAddr, account: Credentials) -> Self {
        Self {
            server,
            account,
            protection: Protection::None,
            without_tls: false,
            root: None,
            strict: false,
            limit: Duration::from_secs(10),
            anonymous: false,
            powerless: None,
            tls_only: None,
            ipv6: None,
            implicit: None,
            settings: Settings::unknown(),
            large_file: None,
            ccc: false,
            bounce_address: None,
        }
    }
}

/// A server that has been met: it answers, and lets the account in.
#[derive(Clone, Debug)]
pub struct Stranger {
    facts: Facts,
    /// It offers TLS on the port where sessions begin in clear.
    offers_tls: bool,
    tls_versions: Vec<TlsVersion>,
    root: String,
}

impl Stranger {
    /// Connects, logs in, and finds out what can be found out. Fails when the checks could not work
    /// there.
    pub fn meet(facts: Facts) -> Result<Self, Failure> {
        patience::begin(facts.limit);
        let met = Self::look(facts);
        patience::forget();
        met
    }

    /// Returns the same server, at another address.
    pub fn at(mut self, server: SocketAddr) -> Self {
        self.facts.server = server;
        self
    }

    /// Returns `true` if there can be TLS on the connections that the checks make.
    fn has_tls(&self) -> bool {
        self.offers_tls || self.facts.protection == Protection::Implicit
    }

    fn look(facts: Facts) -> Result<Self, Failure> {
        let mut client = connect(&facts)?;
        login(&mut client, &facts.account).map_err(|error| hint(&facts, error))?;
        client.expect("TYPE I", &[200])?;
        if let Some(root) = &facts.root {
            client.expect(format!("CWD {root}"), &[200, 250])?;
        }
        let here = client.expect("PWD", &[257])?.quoted()?;
        let here = String::from_utf8(here).map_err(|_| Failure::new("PWD is not UTF-8"))?;
        let root = here.trim_end_matches('/').to_owned();

        // Better to find out now than in each check.
        let folder = format!("{root}/{}meeting", folder_prefix());
        client.expect(format!("MKD {folder}"), &[257]).map_err(|error| {
            Failure::new(format!("no folder can be made in {here}, see --root: {error}"))
        })?;
        client.expect(format!("RMD {folder}"), &[200, 250]).map_err(|error| {
            Failure::new(format!("a folder cannot be removed again, {folder} is left: {error}"))
        })?;
        let _ = client.command("QUIT");
        // There may be room for one session alone.
        drop(client);

        let offers_tls = match facts.protection {
            Protection::None => !facts.without_tls && offers_tls(&facts)?,
            Protection::Explicit => true,
            Protection::Implicit => false,
        };
        let mut tls_versions = Vec::new();
        for version in TlsVersion::ALL {
            let is_asked = offers_tls || facts.protection == Protection::Implicit;
            if !is_asked || facts.strict || speaks(&facts, version)? {
                tls_versions.push(version);
            }
        }
        if tls_versions.is_empty() {
            // What is wrong is for the checks to say.
            tls_versions.push(TlsVersion::V1_3);
        }
        Ok(Self { facts, offers_tls, tls_versions, root })
    }
}

/// Connects, reads the greeting, and has the connection protected as the checks will.
fn connect(facts: &Facts) -> Result<Client, Failure> {
    let mut client = greeted(facts)?;
    if facts.protection == Protection::Explicit {
        client.auth(&Tls::new())?;
    }
    if facts.protection != Protection::None {
        client.protect_later();
    }
    Ok(client)
}

fn dial(facts: &Facts) -> Result<Client, Failure> {
    let server = facts.server;
    let mut client = Client::connect(server, None, Journal::new(), 0)
        .map_err(|error| Failure::new(format!("connecting to {server}: {error}")))?;
    client.keep(Detail::None);
    client.be_strict(facts.strict);
    Ok(client)
}

/// Connects, and reads the greeting. A server that has no room yet, as it still has to close earlier
/// sessions, is asked again.
fn greeted(facts: &Facts) -> Result<Client, Failure> {
    let deadline = Deadline::new();
    loop {
        let mut client = dial(facts)?;
        if facts.protection == Protection::Implicit {
            client.start_tls(&Tls::new())?;
        }
        if client.is_greeted(deadline)? {
            return Ok(client);
        }
    }
}

/// Adds what may help to a login that failed.
fn hint(facts: &Facts, error: Failure) -> Failure {
    let text = error.to_string();
    let words = ["TLS", "SSL", "ENCRYPT", "SECURE"];
    let about_tls = words.iter().any(|word| text.to_uppercase().contains(word));
    if facts.protection == Protection::None && about_tls {
        return Failure::new(format!("{text} (it may want --tls explicit)"));
    }
    error
}

/// Returns `true` if AUTH TLS works, or is listed and so should. Only an answer counts as one.
fn offers_tls(facts: &Facts) -> Result<bool, Failure> {
    let asked = greeted(facts).and_then(|mut client| {
        let features = client.command("FEAT")?.whole().to_uppercase();
        if features.contains("AUTH TLS") || features.contains("AUTH SSL") {
            return Ok(true);
        }
        let reply = client.command("AUTH TLS")?;
        if reply.code == 421 { Err(reply.unexpected(&[234, 500])) } else { Ok(reply.code == 234) }
    });
    asked.map_err(|error| {
        let why = "it cannot be told whether there is TLS (--tls says so)";
        Failure::new(format!("{why}: {error}"))
    })
}

/// Returns `true` if a handshake of this version succeeds.
fn speaks(facts: &Facts, version: TlsVersion) -> Result<bool, Failure> {
    let mut client = match facts.protection {
        Protection::Implicit => dial(facts)?,
        Protection::None | Protection::Explicit => {
            let mut client = greeted(facts)?;
            if client.command("AUTH TLS")?.code != 234 {
                // Listed, and not there: that is for the checks to say.
                return Ok(true);
            }
            client
        }
    };
    Ok(client.start_tls(&Tls::only(version)).is_ok())
}

impl Target for Stranger {
    fn address(&self, profile: Profile) -> Option<SocketAddr> {
        let facts = &self.facts;
        let standard = Some(facts.server);
        match profile {
            Profile::Standard => standard,
            Profile::Ipv6 => facts.ipv6,
            Profile::Impatient => {
                let known = &facts.settings;
                let known = known.idle_timeout.is_some() || known.login_delay.is_some();
                standard.filter(|_| known)
            }
            Profile::Implicit if facts.protection == Protection::Implicit => standard,
            Profile::Implicit => facts.implicit,
            Profile::Strict => standard.filter(|_| facts.settings.tls_required && self.has_tls()),
            Profile::Ccc => standard.filter(|_| facts.ccc && self.has_tls()),
            Profile::Clear => standard
                .filter(|_| !self.offers_tls && facts.protection == Protection::None)
                .filter(|_| !facts.without_tls),
            Profile::Crowded => standard.filter(|_| facts.settings.sessions.is_some()),
        }
    }

    fn settings(&self, profile: Profile) -> Settings {
        let tls = self.has_tls() || profile == Profile::Implicit;
        Settings { tls, ..self.facts.settings.clone() }
    }

    fn credentials(&self, account: Account) -> Option<Credentials> {
        match account {
            Account::Full => Some(self.facts.account.clone()),
            Account::Anonymous => self.facts.anonymous.then(|| Credentials {
                user: "anonymous".into(),
                password: "ftpspec@example.org".into(),
            }),
            Account::Powerless => self.facts.powerless.clone(),
            Account::TlsOnly => self.facts.tls_only.clone(),
        }
    }

    fn large_file(&self) -> Option<String> {
        self.facts.large_file.clone()
    }

    fn root(&self) -> String {
        self.root.clone()
    }

    fn is_strict(&self) -> bool {
        self.facts.strict
    }

    fn cleans_up(&self) -> bool {
        true
    }

    fn protection(&self) -> Protection {
        self.facts.protection
    }

    fn tls_versions(&self) -> Vec<TlsVersion> {
        self.tls_versions.clone()
    }

    fn hides_tls(&self) -> Option<&'static str> {
        self.facts.without_tls.then_some("TLS: run without --tls none")
    }

    fn limit(&self) -> Duration {
        self.facts.limit
    }

    fn other_address(&self, own: IpAddr) -> Option<IpAddr> {
        self.facts.bounce_address.or_else(|| other_loopback(own))
    }
}
