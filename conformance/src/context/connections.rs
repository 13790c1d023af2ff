//! How a check comes by its connections and logins.

use std::net::IpAddr;

use super::Context;
use crate::check::{Failure, Why};
use crate::client::{Client, Detail};
use crate::patience::Deadline;
use crate::target::{Account, Profile, Protection};
use crate::tls::Tls;

impl Context<'_> {
    /// Connects, reads the greeting, and has the connection protected where the target wants all
    /// of them to be.
    pub fn connect(&mut self, profile: Profile) -> Result<Client, Failure> {
        let mut client = self.connect_quietly(profile)?;
        client.record_from_here(&format!("connected, {profile:?}"));
        Ok(client)
    }

    /// As [`connect`](Self::connect), without a record of what is said on the connection.
    pub fn connect_quietly(&mut self, profile: Profile) -> Result<Client, Failure> {
        match self.target.protection() {
            Protection::None => self.greeted(profile, None),
            Protection::Explicit => {
                let mut client = self.greeted(profile, None)?;
                client.auth(&Tls::new())?;
                client.protect_later();
                Ok(client)
            }
            Protection::Implicit => {
                let mut client = self.greeted(profile, Some(&Tls::new()))?;
                client.protect_later();
                Ok(client)
            }
        }
    }

    /// Returns `true` if sessions begin in clear, whatever becomes of them then.
    pub(crate) fn begins_in_clear(&self) -> bool {
        self.target.protection() != Protection::Implicit
    }

    /// As [`connect`](Self::connect), and never protected.
    pub fn connect_in_clear(&mut self, profile: Profile) -> Result<Client, Failure> {
        if !self.begins_in_clear() {
            let why = "a port where sessions begin in clear: run without --tls implicit";
            return Err(Failure::skip(Why::NeedsOption, why));
        }
        let mut client = self.greeted(profile, None)?;
        client.record_from_here(&format!("connected, {profile:?}"));
        Ok(client)
    }

    /// Connects, within TLS from the first byte where it is given, and reads the greeting. A server
    /// that has no room yet, as it still has to close earlier sessions, is asked again.
    fn greeted(&mut self, profile: Profile, tls: Option<&Tls>) -> Result<Client, Failure> {
        let deadline = Deadline::new();
        self.is_gone.set(true);
        loop {
            let mut client = self.dial(profile)?;
            if let Some(tls) = tls {
                let done = client.start_tls(tls);
                // It is there, and speaks another TLS.
                self.is_gone.set(done.is_ok());
                done?;
            }
            if !client.is_greeted(deadline)? {
                self.clients -= 1;
                continue;
            }
            self.is_gone.set(false);
            return Ok(client);
        }
    }

    /// Connects and does no more, without a record of what is said on the connection.
    pub fn dial(&mut self, profile: Profile) -> Result<Client, Failure> {
        self.dial_from(profile, None)
    }

    /// As [`dial`](Self::dial), from this address.
    pub fn dial_from(&mut self, profile: Profile, from: Option<IpAddr>) -> Result<Client, Failure> {
        let address = self.target.address(profile);
        let address = address.ok_or_else(|| Failure::skip(Why::NeedsOption, profile.missing()))?;
        self.clients += 1;
        let client = Client::connect(address, from, self.journal.clone(), self.clients);
        let mut client =
            client.map_err(|error| Failure::new(format!("connecting to {address}: {error}")))?;
        client.keep(Detail::None);
        client.be_strict(self.target.is_strict());
        Ok(client)
    }

    /// Connects, reads the greeting, and has the control connection protected: with AUTH, or from
    /// the first byte where the profile has it so.
    pub fn connect_protected(&mut self, profile: Profile, tls: &Tls) -> Result<Client, Failure> {
        let implicit =
            profile == Profile::Implicit || self.target.protection() == Protection::Implicit;
        let mut client = if implicit {
            self.greeted(profile, Some(tls))?
        } else {
            let mut client = self.greeted(profile, None)?;
            client.auth(tls)?;
            client
        };
        client.record_from_here(&format!("connected, {profile:?}, {tls}"));
        Ok(client)
    }

    /// As [`login_to`](Self::login_to), with the control connection and data connections protected.
    pub fn login_protected(&mut self, profile: Profile, tls: &Tls) -> Result<Client, Failure> {
        let mut client = self.connect_protected(profile, tls)?;
        client.keep(Detail::None);
        self.enter(&mut client)?;
        client.protect()?;
        client.record_from_here("logged in in FOLDER, data connections are protected");
        Ok(client)
    }

    /// Logs in as the account that may do everything, in the run's folder, with TYPE I.
    pub fn login(&mut self) -> Result<Client, Failure> {
        self.login_to(Profile::Standard)
    }

    /// As [`login`](Self::login), to the server of this profile.
    pub fn login_to(&mut self, profile: Profile) -> Result<Client, Failure> {
        let mut client = self.login_quietly(profile)?;
        client.record_from_here(&format!("logged in in FOLDER, {profile:?}"));
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
        self.log_in(client, &self.full_account()?)?;
        self.has_folder.set(true);
        let made = client.command(format!("MKD {}", self.folder))?;
        let entered = client.expect(format!("CWD {}", self.folder), &[200, 250]);
        entered.map(drop).map_err(|error| match made.code {
            257 => error,
            _ => Failure::new(format!("{error}, after {}", made.whole())),
        })
    }

    /// Logs in to the server of the standard profile as another account, at the root, with TYPE I;
    /// `None`, and a line in the journal, when there is no such account.
    pub fn login_as(&mut self, account: Account) -> Result<Option<Client>, Failure> {
        let Some(credentials) = self.credentials(account) else { return Ok(None) };
        let mut client = self.connect_quietly(Profile::Standard)?;
        self.log_in(&mut client, &credentials)?;
        client.record_from_here(&format!("logged in, {account:?}"));
        Ok(Some(client))
    }
}
