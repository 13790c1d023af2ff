//! TLS and logins of a connection.

use wharf_core::{Denial, Event, Now, RequestId};

use super::{Connection, Life};
use crate::connection::job::{Job, Outcome};
use wharf_accounts::{Attempt, Proof};

impl Connection {
    pub(super) fn start_tls(&mut self, host: Option<usize>, now: Now) {
        let name = host.and_then(|host| self.server.session.hosts.get(host));
        let started = self.server.tls.as_ref().map(|tls| tls.control(name.map(String::as_str)));
        match started {
            Some(Ok((connection, owner))) => {
                self.owner = Some((owner, host));
                self.control.start_tls(connection);
            }
            other => {
                if let Some(Err(error)) = other {
                    wharf_storage::say!(Error, "TLS cannot begin: {error}");
                }
                self.session.handle(Event::ControlLost, now);
            }
        }
    }

    /// Begins TLS on the data connection; `false` when that cannot be.
    pub(super) fn protect_data(&mut self, id: RequestId, tickets: bool) -> bool {
        let (Some(tls), Some((owner, host))) = (&self.server.tls, &self.owner) else {
            return false;
        };
        let name = host.and_then(|host| self.server.session.hosts.get(host));
        match tls.data(owner, name.map(String::as_str), tickets) {
            Ok((connection, origin)) => {
                let origin = origin.with(self.control.client_certificate().cloned());
                self.data.protect(id, connection, origin)
            }
            Err(error) => {
                wharf_storage::say!(Error, "TLS cannot begin: {error}");
                false
            }
        }
    }

    pub(super) fn authenticate(
        &mut self,
        id: RequestId,
        user: Vec<u8>,
        proof: wharf_core::Proof,
        host: Option<usize>,
    ) {
        let accounts = match host {
            Some(host) => self.server.hosts.get(host).cloned(),
            None => Some(self.server.accounts.clone()),
        };
        let certificate = self.control.client_certificate().cloned();
        let peer = self.peer.ip();
        let (failures, clock) = (self.server.failures.clone(), self.server.clock);
        self.jobs.push_back(Job::login(move || {
            let proof = match (&proof, &certificate) {
                (wharf_core::Proof::Password(password), _) => Proof::Password(password),
                (wharf_core::Proof::Certificate, Some(certificate)) => {
                    Proof::Certificate(certificate)
                }
                (wharf_core::Proof::Certificate, None) => {
                    let outcome = Err(Denial::Refused);
                    return Outcome::Event(Event::Authenticated { id, outcome });
                }
            };
            // Asked here and not before: while this waited for its turn, others may have failed.
            let outcome = match accounts {
                _ if failures.is_cooling(peer, clock.now().instant) => Err(Denial::CoolingDown),
                Some(accounts) => accounts.login(&Attempt { user: &user, proof, peer }),
                None => Err(Denial::Unavailable),
            };
            // Only a wrong password is a guess.
            if let (Err(Denial::Refused), Proof::Password(_)) = (&outcome, proof) {
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
                self.seat.await_login(self.control.socket());
            }
            drop(account.seat.take());
            self.jobs.push_back(Job::drop(account));
        }
    }
}
