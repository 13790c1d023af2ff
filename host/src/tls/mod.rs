//! TLS: what all connections share.
//!
//! [`Tls`] makes a rustls connection for every control and data connection that is protected (RFC
//! 4217): TLS 1.2 and 1.3, without early data. The rest of the server knows of certificates and
//! of [`ClientCertificate`]s; of tickets and sessions it only knows what a data connection's
//! handshake has proven.
//!
//! | module | has |
//! |---|---|
//! | `certificate` | a chain and its key, read or made: [`Certificate`] |
//! | `client` | whether clients show certificates, and what they say: [`ClientCertificates`] |
//! | `generation` | the certificates in use, and the choice among them |
//! | `reload` | taking up files that have changed |
//! | `session` | which connection may resume which session |
//! | `notes` | what happened in a handshake |
//! | `watched`, `error` | the files, and what can be wrong with them: [`TlsError`] |

mod certificate;
mod client;
mod error;
mod generation;
mod notes;
mod reload;
mod session;
#[cfg(test)]
mod tests;
mod watched;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use rustls::crypto::aws_lc_rs::default_provider;
pub(crate) use rustls::server::UnbufferedServerConnection as ServerConnection;
use rustls::{ConfigBuilder, ServerConfig, WantsVerifier};
use wharf_core::Resumption;

pub use certificate::Certificate;
pub(crate) use client::client_certificate;
pub use client::{ClientCertificates, ClientRoots};
pub use error::TlsError;
pub(crate) use session::{DataOrigin, Owner};
pub use wharf_accounts::ClientCertificate;

use generation::{Chooser, Generation};
use notes::Notes;
use session::{Gate, Role, TlsSessions};
use watched::Watched;

/// How many TLS 1.3 tickets a control connection gets: some clients use each only once, and some
/// of their data connections bring no new ones. Go's TLS takes more than 16 in a row for an attack.
const CONTROL_TICKETS: usize = 12;

/// How many TLS 1.3 tickets a data connection brings, to make up for the one that it used.
const DATA_TICKETS: usize = 2;

/// How many TLS 1.3 tickets a client may ask for (RFC 9149).
const MAX_TICKETS: usize = 64;

/// The certificates and the TLS sessions that all connections of a server share.
///
/// ```no_run
/// use wharf_host::tls::{Certificate, Tls};
///
/// let tls = Tls::new(Certificate::from_files("server.crt", "server.key")?)?
///     .host("ftp.example.org", Certificate::from_files("example.pem", "example.pem")?);
/// # Ok::<(), wharf_host::tls::TlsError>(())
/// ```
///
/// Certificates that came from files are taken up anew when the files change: every control
/// connection looks at their time stamps, and no more, before its handshake.
pub struct Tls {
    builder: ConfigBuilder<ServerConfig, WantsVerifier>,
    sessions: TlsSessions,
    resumption: Resumption,
    generation: RwLock<Arc<Generation>>,
    /// The files as they were when last read, or tried to.
    seen: Mutex<Vec<Watched>>,
}

impl Tls {
    /// Makes a server that shows this certificate to every client and asks for none.
    pub fn new(default: Certificate) -> Result<Self, TlsError> {
        let builder = ServerConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(TlsError::failed)?;
        let off = ClientCertificates::Off;
        let generation = Generation::new(&builder, default, BTreeMap::new(), off);
        Ok(Self {
            sessions: TlsSessions::new(),
            resumption: Resumption::default(),
            seen: Mutex::new(generation.files()),
            generation: RwLock::new(Arc::new(generation)),
            builder,
        })
    }

    /// Shows another certificate to clients that name this host, by SNI (RFC 6066 section 3) or,
    /// if no host is known by that, by HOST (RFC 7151).
    pub fn host(self, name: &str, certificate: Certificate) -> Self {
        self.with(|generation, _| generation.with_host(name, certificate))
    }

    /// Sets whether clients are asked for a certificate.
    ///
    /// They are on control connections, and on data connections that do not resume: a client that
    /// has one shows it on both (RFC 4217 section 9). So, where it is required, no client without can
    /// reach a data connection first.
    pub fn client_certificates(self, clients: ClientCertificates) -> Self {
        self.with(|generation, builder| generation.with_clients(builder, clients))
    }

    /// Sets whether data connections can resume. It is the same here whether they must; with
    /// [`Resumption::Off`] no tickets are given out and no sessions kept.
    pub fn resumption(mut self, resumption: Resumption) -> Self {
        self.resumption = resumption;
        self
    }

    fn with(
        self,
        change: impl FnOnce(Generation, &ConfigBuilder<ServerConfig, WantsVerifier>) -> Generation,
    ) -> Self {
        let generation = change((*self.generation()).clone(), &self.builder);
        let seen = Mutex::new(generation.files());
        Self { seen, generation: RwLock::new(Arc::new(generation)), ..self }
    }

    /// Returns what had better be done before the first handshake, and takes 50 ms of a processor: a
    /// server that starts need not wait for it.
    pub(crate) fn preparation(&self) -> Box<dyn FnOnce() + Send> {
        let sessions = self.sessions.clone();
        Box::new(move || sessions.warm_up())
    }

    /// Makes the server's side of a control connection, and the owner of its sessions.
    ///
    /// Whatever the client offers to resume, the handshake is a full one: it shows its certificate
    /// anew. `host` is what the client has named by HOST. Files that have changed are taken up
    /// first.
    pub(crate) fn control(
        &self,
        host: Option<&str>,
    ) -> Result<(ServerConnection, Owner), TlsError> {
        self.reload_if_changed();
        let owner = Owner::new(self.generation())?;
        let (connection, _) = self.connection(&owner, host, Role::Control, CONTROL_TICKETS)?;
        Ok((connection, owner))
    }

    /// Makes the server's side of a data connection, which may resume the sessions of its control
    /// connection and shows the same certificates.
    ///
    /// With `tickets`, one that resumes brings the client new tickets. Only a client that reads
    /// can take them: one that uploads and closes would find its connection reset by them.
    pub(crate) fn data(
        &self,
        owner: &Owner,
        host: Option<&str>,
        tickets: bool,
    ) -> Result<(ServerConnection, DataOrigin), TlsError> {
        self.connection(owner, host, Role::Data, if tickets { DATA_TICKETS } else { 0 })
    }

    fn connection(
        &self,
        owner: &Owner,
        host: Option<&str>,
        role: Role,
        tickets: usize,
    ) -> Result<(ServerConnection, DataOrigin), TlsError> {
        let (notes, mark) = (Arc::new(Notes::default()), *owner.mark());
        let mut config = owner.generation().config();
        config.cert_resolver = Arc::new(Chooser {
            generation: Arc::clone(owner.generation()),
            host: host.map(str::to_owned),
            notes: Arc::clone(&notes),
        });
        if self.resumption != Resumption::Off {
            let sessions = self.sessions.clone();
            let gate = Arc::new(Gate { sessions, mark, role, notes: Arc::clone(&notes) });
            config.session_storage = Arc::clone(&gate) as _;
            config.ticketer = gate;
            config.send_tls13_tickets = tickets;
            config.max_tls13_tickets = if tickets == 0 { 0 } else { MAX_TICKETS };
        }
        let connection = ServerConnection::new(Arc::new(config)).map_err(TlsError::failed)?;
        Ok((connection, DataOrigin { notes, certificate: None }))
    }

    fn generation(&self) -> Arc<Generation> {
        Arc::clone(&self.generation.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let generation = self.generation();
        let certificates: Vec<_> = generation.certificates().collect();
        f.debug_struct("Tls").field("certificates", &certificates).finish_non_exhaustive()
    }
}
