//! What all sessions of a server share.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use wharf_core::SessionConfig;

use crate::server::admission::AdmissionControl;
use crate::server::clock::Clock;
use crate::server::failures::Failures;
use crate::server::ports::OpenPorts;
use crate::server::site::SiteHandler;
use crate::tls::Tls;
use crate::transfer::memory::TransferMemory;
use wharf_accounts::Accounts;

/// What all sessions of a server share.
#[derive(Clone)]
pub struct Service {
    /// The settings that core obeys.
    pub session: Arc<SessionConfig>,
    /// Who may come in.
    pub accounts: Arc<dyn Accounts>,
    /// The accounts of the virtual hosts, in the order of [`SessionConfig::hosts`].
    pub hosts: Vec<Arc<dyn Accounts>>,
    /// Certificates, where [`SessionConfig::tls`] says that there are any.
    pub tls: Option<Arc<Tls>>,
    /// How many may be in at once.
    pub sessions: Arc<AdmissionControl>,
    /// Who has failed to log in too often.
    pub failures: Arc<Failures>,
    /// How many logins may be checked at once, at least one. Hashing a password takes much memory by
    /// intention; a flood of logins waits in line instead of taking it all.
    pub logins_at_once: usize,
    /// How many storage calls may be at work at once, at least one; those that are stuck aside.
    pub storage_threads: usize,
    /// How many calls may be stuck at once, such as on a network disk that does not answer, before
    /// those who have more to do with it are refused: each keeps a thread. A quarter of them may be
    /// of one client address, and half of them on one tree.
    pub stuck_calls: usize,
    /// What memory all transfers together may take.
    pub transfer_memory: Arc<TransferMemory>,
    /// Where passive ports are opened, and which are.
    pub passive_ports: Arc<OpenPorts>,
    /// The answers to [`SessionConfig::site_commands`], in the same order.
    pub site_handlers: Vec<SiteHandler>,
    /// How long transfers may go on when the server is told to stop.
    pub shutdown_grace: Duration,
    /// The clock that sessions are told.
    pub clock: Clock,
}

impl Service {
    /// Returns when sessions that have not ended by then are dropped, if the server stops now: a
    /// while after the last transfer was broken off.
    pub fn last_call(&self) -> wharf_core::Instant {
        self.clock.now().instant + self.shutdown_grace + Duration::from_secs(5)
    }
}

impl fmt::Debug for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Service").field("session", &self.session).finish_non_exhaustive()
    }
}
