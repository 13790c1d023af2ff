//! What all sessions of a server share.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use wharf_accounts::Accounts;
use wharf_core::{Instant, SessionConfig, SiteCommand, TlsPolicy};

use crate::observers::{Observer, Observers, Wanted};
use crate::server::admission::AdmissionControl;
use crate::server::clock::Clock;
use crate::server::descriptors::Descriptors;
use crate::server::failures::Failures;
use crate::server::passive::PassivePorts;
use crate::server::ports::OpenPorts;
use crate::server::site::SiteHandler;
use crate::tls::Tls;
use crate::transfer::memory::TransferMemory;

/// How long failed logins of an address are added up.
const FAILURES_WINDOW: Duration = Duration::from_secs(600);

/// How long goodbyes may take once the last transfer was broken off.
const GOODBYES: Duration = Duration::from_secs(5);

/// What all sessions of a server share: settings, accounts, certificates, limits and the clock.
///
/// `wharf::ServerBuilder` makes it. A driver hands it to [`Connection::open`](crate::Connection::open)
/// and to [`Workers::start`](crate::Workers::start), and asks it for the time.
pub struct Service {
    /// The settings that core obeys.
    pub(crate) session: Arc<SessionConfig>,
    pub(crate) accounts: Arc<dyn Accounts>,
    /// The accounts of the virtual hosts, in the order of [`SessionConfig::hosts`].
    pub(crate) hosts: Vec<Arc<dyn Accounts>>,
    /// Certificates, exactly where [`SessionConfig::tls`] says that there are any.
    pub(crate) tls: Option<Tls>,
    pub(crate) sessions: Arc<AdmissionControl>,
    pub(crate) descriptors: Arc<Descriptors>,
    pub(crate) failures: Arc<Failures>,
    pub(crate) logins_at_once: usize,
    pub(crate) storage_threads: usize,
    pub(crate) max_stuck_calls: usize,
    pub(crate) transfer_memory: Arc<TransferMemory>,
    pub(crate) passive_ports: Arc<OpenPorts>,
    /// The answers to [`SessionConfig::site_commands`], in the same order.
    pub(crate) site_handlers: Vec<SiteHandler>,
    /// What hears what happens, exactly where [`SessionConfig::notices`] is set.
    pub(crate) observers: Observers,
    shutdown_timeout: Duration,
    /// The server stops without the grace.
    is_dropped: AtomicBool,
    pub(crate) lingering_time: Duration,
    pub(crate) clock: Clock,
}

/// What a [`Service`] is made of, beside the accounts. What belongs together is given together.
pub struct ServiceSettings {
    /// The settings that core obeys. Its `tls`, `hosts`, `site_commands` and `notices` are left as they
    /// are by default: they follow from the fields below.
    pub session: SessionConfig,
    /// Certificates, and what is asked of TLS.
    pub tls: Option<(Tls, TlsPolicy)>,
    /// The virtual hosts (HOST, RFC 7151): a name in small letters, and the accounts there.
    pub hosts: Vec<(String, Arc<dyn Accounts>)>,
    /// SITE commands of the embedding program, each with its handler.
    pub site_commands: Vec<(SiteCommand, SiteHandler)>,
    /// What hears what happens in the sessions, and of which notices.
    pub observers: Vec<(Wanted, Arc<dyn Observer>)>,
    /// How many events may wait for each observer.
    pub observer_queue: usize,
    /// How long the observers may take, when the server stops, for the events that wait.
    pub observer_timeout: Duration,
    /// How many sessions there may be in all; fewer where the limit of open files is too low.
    pub max_sessions: usize,
    /// How many sessions a client address may have.
    pub max_sessions_per_address: usize,
    /// How many logins may fail from a client address within ten minutes; 0 stands for any number.
    pub max_login_failures: u32,
    /// How long an address has to stay away then.
    pub login_cool_down: Duration,
    /// How many logins may be checked at once. Hashing a password takes much memory by intention; a
    /// flood of logins waits in line instead of taking it all.
    pub logins_at_once: usize,
    /// How many storage calls may be at work at once, and how many large transfers; those that are
    /// stuck aside.
    pub storage_threads: usize,
    /// How many calls may be stuck at once, such as on a network disk that does not answer, before
    /// further calls to it are refused: each keeps a thread. A quarter of them may be of one client
    /// address, and half of them on one tree.
    pub max_stuck_calls: usize,
    /// What memory all transfers together may take, in bytes.
    pub max_transfer_memory: u64,
    /// Where passive ports are opened.
    pub passive_ports: PassivePorts,
    /// How long transfers may go on when the server is told to stop.
    pub shutdown_timeout: Duration,
    /// How long a lingering close may take: how long a connection stays open after the last has been
    /// said on it, for the client to read that and close its side.
    pub lingering_time: Duration,
}

impl Default for ServiceSettings {
    fn default() -> Self {
        Self {
            session: SessionConfig::default(),
            tls: None,
            hosts: Vec::new(),
            site_commands: Vec::new(),
            observers: Vec::new(),
            observer_queue: 8192,
            observer_timeout: Duration::from_secs(5),
            max_sessions: 1000,
            max_sessions_per_address: 250,
            max_login_failures: 100,
            login_cool_down: Duration::from_secs(300),
            logins_at_once: 4,
            storage_threads: 64,
            max_stuck_calls: 1024,
            max_transfer_memory: 256 << 20,
            passive_ports: PassivePorts::ANY,
            shutdown_timeout: Duration::from_secs(30),
            lingering_time: Duration::from_secs(2),
        }
    }
}

impl Service {
    /// Makes what sessions share; its clock begins to run. Each number has to be at least one where
    /// nothing else is said: `wharf::ServerBuilder` looks after that, and is the one to use.
    #[doc(hidden)]
    pub fn new(accounts: Arc<dyn Accounts>, settings: ServiceSettings) -> Self {
        let (tls, policy) = settings.tls.unzip();
        let (host_names, hosts) = settings.hosts.into_iter().unzip();
        let (site_commands, site_handlers) = settings.site_commands.into_iter().unzip();
        let observers =
            Observers::new(settings.observers, settings.observer_queue, settings.observer_timeout);
        let session = SessionConfig {
            notices: !observers.is_empty(),
            mode_z: settings.session.mode_z && cfg!(feature = "mode-z"),
            digests: settings.session.digests && cfg!(feature = "digests"),
            tls: policy,
            hosts: host_names,
            site_commands,
            ..settings.session
        };
        let descriptors = Descriptors::for_sessions(settings.max_sessions);
        Self {
            session: Arc::new(session),
            accounts,
            hosts,
            tls,
            sessions: AdmissionControl::new(
                descriptors.sessions(),
                settings.max_sessions_per_address,
            ),
            descriptors,
            failures: Failures::new(
                settings.max_login_failures,
                FAILURES_WINDOW,
                settings.login_cool_down,
            ),
            logins_at_once: settings.logins_at_once,
            storage_threads: settings.storage_threads,
            max_stuck_calls: settings.max_stuck_calls,
            transfer_memory: TransferMemory::new(settings.max_transfer_memory),
            passive_ports: OpenPorts::new(settings.passive_ports),
            site_handlers,
            observers,
            shutdown_timeout: settings.shutdown_timeout,
            is_dropped: AtomicBool::new(false),
            lingering_time: settings.lingering_time,
            clock: Clock::start(),
        }
    }

    /// Returns the clock that sessions are told.
    pub fn clock(&self) -> Clock {
        self.clock
    }

    /// Returns until when transfers may go on, if the server stops now: what a driver gives to
    /// [`Connection::shut_down`](crate::Connection::shut_down).
    pub fn transfer_deadline(&self) -> Instant {
        let now = self.clock.now().instant;
        if self.is_dropped.load(Ordering::Acquire) { now } else { now + self.shutdown_timeout }
    }

    /// Returns when the observers have heard all events that wait, or have taken too long for it; no
    /// more come. A program that calls a driver itself calls this when that has returned.
    pub fn finish_observers(&self) {
        self.observers.finish();
    }

    /// Leaves out the grace of a stop that is yet to be called: nothing waits for the server.
    #[doc(hidden)]
    pub fn skip_grace(&self) {
        self.is_dropped.store(true, Ordering::Release);
    }

    /// Returns when sessions that have not ended by then are dropped, if the server stops now: a
    /// while after the last transfer was broken off.
    pub fn last_call(&self) -> Instant {
        self.transfer_deadline() + GOODBYES
    }
}

impl fmt::Debug for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Service").field("session", &self.session).finish_non_exhaustive()
    }
}

impl fmt::Debug for ServiceSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServiceSettings")
            .field("session", &self.session)
            .field("observers", &self.observers.len())
            .field("observer_queue", &self.observer_queue)
            .field("observer_timeout", &self.observer_timeout)
            .field("max_sessions", &self.max_sessions)
            .field("max_sessions_per_address", &self.max_sessions_per_address)
            .field("max_login_failures", &self.max_login_failures)
            .field("login_cool_down", &self.login_cool_down)
            .field("logins_at_once", &self.logins_at_once)
            .field("storage_threads", &self.storage_threads)
            .field("max_stuck_calls", &self.max_stuck_calls)
            .field("max_transfer_memory", &self.max_transfer_memory)
            .field("passive_ports", &self.passive_ports)
            .field("shutdown_timeout", &self.shutdown_timeout)
            .field("lingering_time", &self.lingering_time)
            .finish_non_exhaustive()
    }
}
