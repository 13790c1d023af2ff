//! TLS and logins of a connection.

use wharf_core::{Denial, Event, LoginMethod, Now, RequestId};

use super::{Connection, Life};
use crate::connection::job::{Job, Outcome};
use wharf_accounts::{Attempt, Credential};

impl Connection {
    pub(super) fn start_tls(&mut self, host: Option<usize>, now: Now) {
        let name = host.and_then(|host| self.service.session.hosts.get(host));
        let started = self.service.tls.as_ref().map(|tls| tls.control(name.map(String::as_str)));
        match started {
            Some(Ok((connection, owner))) => {
                self.owner = Some((owner, host));
                self.control.start_tls(connection);
            }
            other => {
                if let Some(Err(error)) = other {
                    wharf_storage::log_limited!(Error, "TLS cannot begin: {error}");
                }
                self.session.handle(Event::ControlLost, now);
            }
        }
    }

    /// Begins TLS on the data connection; `false` when that cannot be.
    pub(super) fn protect_data(&mut self, id: RequestId, tickets: bool) -> bool {
        let (Some(tls), Some((owner, host))) = (&self.service.tls, &self.owner) else {
            return false;
        };
        let name = host.and_then(|host| self.service.session.hosts.get(host));
        match tls.data(owner, name.map(String::as_str), tickets) {
            Ok((connection, origin)) => {
                let origin = origin.with(self.control.client_certificate().cloned());
                self.data.protect(id, connection, origin)
            }
            Err(error) => {
                wharf_storage::log_limited!(Error, "TLS cannot begin: {error}");
                false
            }
        }
    }

    pub(super) fn authenticate(
        &mut self,
        id: RequestId,
        user: Vec<u8>,
        method: LoginMethod,
        host: Option<usize>,
    ) {
        let accounts = match host {
            Some(host) => self.service.hosts.get(host).cloned(),
            None => Some(self.service.accounts.clone()),
        };
        let certificate = self.control.client_certificate().cloned();
        let peer = self.peer.ip();
        let (failures, clock) = (self.service.failures.clone(), self.service.clock);
        self.jobs.push_back(Job::login(move || {
            let credential = match (&method, &certificate) {
                (LoginMethod::Password(password), _) => Credential::Password(password),
                (LoginMethod::Certificate, Some(certificate)) => {
                    Credential::Certificate(certificate)
                }
                (LoginMethod::Certificate, None) => {
                    let outcome = Err(Denial::Refused);
                    return Outcome::Event(Event::Authenticated { id, outcome });
                }
            };
            // Asked here and not before: while this waited for its turn, others may have failed.
            let outcome = match accounts {
                _ if failures.is_cooling(peer, clock.now().instant) => Err(Denial::CoolingDown),
                Some(accounts) => accounts.login(&Attempt { user: &user, credential, peer }),
                None => Err(Denial::Unavailable),
            };
            // Only a wrong password is a guess.
            if let (Err(Denial::Refused), Credential::Password(_)) = (&outcome, credential) {
                failures.failed(peer, clock.now().instant);
            }
            match outcome {
                Ok(account) => {
                    let outcome = Ok(account.grant.clone());
                    Outcome::LoggedIn(Event::Authenticated { id, outcome }, account)
                }
                Err(denial) => Outcome::Event(Event::Authenticated { id, outcome: Err(denial) }),
            }
        }));
    }

    /// Forgets the account. Its place is free at once: the next login may need it.
    pub(super) fn log_out(&mut self) {
        if let Some(mut account) = self.account.take() {
            if self.life == Life::Alive {
                self.permit.await_login(self.control.socket());
            }
            drop(account.permit.take());
            self.jobs.push_back(Job::drop(account));
        }
    }
}
