//! Logins of a session.

use std::sync::Arc;

use wharf_accounts::{Account, Attempt, Credential};
use wharf_core::{Denial, Event, LoginMethod, Now, RequestId};

use super::Connection;
use super::end::Life;
use super::job::Job;

impl Connection {
    /// Asks the accounts, where that may block.
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
        self.jobs.push_back(Job::login(id, move || {
            let credential = match (&method, &certificate) {
                (LoginMethod::Password(password), _) => Credential::Password(password),
                (LoginMethod::Certificate, Some(certificate)) => {
                    Credential::Certificate(certificate)
                }
                (LoginMethod::Certificate, None) => return Err(Denial::Refused),
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
            outcome
        }));
    }

    /// Takes what the accounts have answered.
    pub(super) fn logged_in(&mut self, id: RequestId, outcome: Result<Account, Denial>, now: Now) {
        let outcome = outcome.map(|account| {
            let grant = account.grant.clone();
            self.job_owner.set_tree(Arc::as_ptr(&account.storage).cast::<()>().addr());
            self.account = Some(account);
            self.permit.log_in();
            grant
        });
        self.session.handle(Event::Authenticated { id, outcome }, now);
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
