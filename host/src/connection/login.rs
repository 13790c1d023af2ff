//! Logins of a session.

use std::net::IpAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use wharf_accounts::{Account, Accounts, Attempt, ClientCertificate, Credential};
use wharf_core::{Denial, Event, LoginMethod, Now, RequestId};
use wharf_storage::Storage;

use super::Connection;
use super::end::Life;
use super::job::{Done, Job, Outcome};
use crate::server::Clock;
use crate::server::failures::Failures;

/// A login that is asked for.
pub(super) struct Login {
    /// `None` for a virtual host that there is not.
    accounts: Option<Arc<dyn Accounts>>,
    user: Vec<u8>,
    method: LoginMethod,
    certificate: Option<ClientCertificate>,
    peer: IpAddr,
    failures: Arc<Failures>,
    clock: Clock,
}

/// What a login has given.
pub(super) struct LoggedIn {
    account: Account,
    /// Its storage, as far as calls wait for nothing.
    at_once: Option<Arc<dyn Storage>>,
}

impl Login {
    /// Asks the accounts, where that may block.
    pub(super) fn ask(&self) -> Result<LoggedIn, Denial> {
        self.ask_by(|accounts, attempt| Some(accounts.login(attempt)))
            .unwrap_or(Err(Denial::Failed))
    }

    /// Asks the accounts as far as they can answer without waiting.
    pub(super) fn ask_at_once(&self) -> Option<Result<LoggedIn, Denial>> {
        self.ask_by(|accounts, attempt| accounts.login_at_once(attempt))
    }

    fn ask_by(
        &self,
        ask: impl FnOnce(&dyn Accounts, &Attempt<'_>) -> Option<Result<Account, Denial>>,
    ) -> Option<Result<LoggedIn, Denial>> {
        let credential = match (&self.method, &self.certificate) {
            (LoginMethod::Password(password), _) => Credential::Password(password),
            (LoginMethod::Certificate, Some(certificate)) => Credential::Certificate(certificate),
            (LoginMethod::Certificate, None) => return Some(Err(Denial::Refused)),
        };
        // Asked here and not before: while this waited for its turn, others may have failed.
        if self.failures.is_cooling(self.peer, self.clock.now().instant) {
            return Some(Err(Denial::CoolingDown));
        }
        let Some(accounts) = &self.accounts else { return Some(Err(Denial::Unavailable)) };
        let attempt = Attempt { user: &self.user, credential, peer: self.peer };
        let outcome = ask(&**accounts, &attempt)?.and_then(|account| {
            let is_here = account.networks.admit(self.peer);
            if is_here { Ok(account) } else { Err(Denial::WrongNetwork) }
        });
        // Only a wrong password is a guess; and a right one from elsewhere is not to show as right.
        if let (Err(Denial::Refused | Denial::WrongNetwork), Credential::Password(_)) =
            (&outcome, credential)
        {
            self.failures.failed(self.peer, self.clock.now().instant);
        }
        Some(outcome.map(|account| {
            let at_once = account.storage.at_once();
            LoggedIn { account, at_once }
        }))
    }
}

impl Connection {
    /// Asks the accounts: at once if they can tell, else where that may block.
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
        let login = Login {
            accounts,
            user,
            method,
            certificate: self.control.client_certificate().cloned(),
            peer: self.peer.ip(),
            failures: self.service.failures.clone(),
            clock: self.service.clock,
        };
        let (outcome, panicked) = match catch_unwind(AssertUnwindSafe(|| login.ask_at_once())) {
            Ok(None) => return self.jobs.push_back(Job::login(id, move || login.ask())),
            Ok(Some(outcome)) => (outcome, false),
            Err(_) => (Err(Denial::Failed), true),
        };
        self.take_outcome(Done { outcome: Outcome::LoggedIn(id, outcome), panicked });
    }

    /// Takes what the accounts have answered.
    pub(super) fn logged_in(&mut self, id: RequestId, outcome: Result<LoggedIn, Denial>, now: Now) {
        let outcome = outcome.map(|LoggedIn { account, at_once }| {
            let grant = account.grant.clone();
            self.job_owner.set_tree(Arc::as_ptr(&account.storage).cast::<()>().addr());
            self.account = Some(account);
            self.at_once = at_once;
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
            let both = (account, self.at_once.take());
            self.jobs.extend(Job::drop_unless(both, |(_, at_once)| at_once.is_some()));
        }
    }
}
