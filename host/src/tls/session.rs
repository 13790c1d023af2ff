//! TLS sessions, and the control connections that they belong to.
//!
//! A data connection that resumes the TLS session of a control connection comes from the same
//! client: no other has the session's secrets. So every session that can be resumed bears the
//! mark of a control connection, its owner, and is resumed by that one's data connections only.
//!
//! The mark is put before what rustls wants to have kept, inside the encrypted ticket or in the
//! cache. (rustls can keep such a mark itself, but for TLS 1.3 only, and not on connections without
//! buffers.)
//!
//! Tickets can be resumed for 6 to 12 hours, when their keys are thrown away. A client that stays
//! for longer goes by the tickets that its data connections have brought since; one that clings to
//! the first is [`DataProof::Fresh`] then.

use std::fmt;
use std::sync::{Arc, OnceLock};

use rustls::HandshakeKind;
use rustls::crypto::aws_lc_rs::Ticketer;
use rustls::server::{ProducesTickets, ServerSessionMemoryCache, StoresServerSessions};
use wharf_core::DataProof;

use super::ServerConnection;
use super::client::client_certificate;
use super::error::TlsError;
use super::generation::Generation;
use super::notes::Notes;
use wharf_accounts::ClientCertificate;

/// How many TLS 1.2 sessions are kept for clients that take no tickets; the oldest goes first.
const CACHED_SESSIONS: usize = 4096;

/// How long a session may be that is kept or put into a ticket, in bytes. It has the client's
/// whole chain in it, which is as long as the client likes.
const MAX_SESSION: usize = 8 << 10;

const MARK_LENGTH: usize = 16;

type Mark = [u8; MARK_LENGTH];

/// A control connection, to its data connections: whose sessions they may resume, and which
/// certificates they show.
#[derive(Clone)]
pub(crate) struct Owner {
    mark: Mark,
    generation: Arc<Generation>,
}

impl Owner {
    /// Makes an owner that differs from all others.
    pub(super) fn new(generation: Arc<Generation>) -> Result<Self, TlsError> {
        let mut mark = Mark::default();
        getrandom::fill(&mut mark).map_err(TlsError::failed)?;
        Ok(Self { mark, generation })
    }

    pub(super) fn mark(&self) -> &Mark {
        &self.mark
    }

    pub(super) fn generation(&self) -> &Arc<Generation> {
        &self.generation
    }
}

impl fmt::Debug for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Owner").finish_non_exhaustive()
    }
}

/// What all connections share: the keys of the tickets, and the sessions without a ticket.
#[derive(Clone, Debug)]
pub(super) struct TlsSessions {
    /// Made when it is wanted for the first time for which there are random bytes.
    ticketer: Arc<OnceLock<Arc<dyn ProducesTickets>>>,
    cache: Arc<ServerSessionMemoryCache>,
}

impl TlsSessions {
    pub(super) fn new() -> Self {
        Self { ticketer: Arc::default(), cache: ServerSessionMemoryCache::new(CACHED_SESSIONS) }
    }

    fn ticketer(&self) -> Option<&dyn ProducesTickets> {
        if self.ticketer.get().is_none() {
            let made = Ticketer::new();
            let made = made.inspect_err(|error| {
                wharf_storage::log_limited!(Error, "TLS: no keys for tickets: {error}");
            });
            // Of two threads that come here at once, one has made these for nothing.
            let _ = self.ticketer.set(made.ok()?);
        }
        self.ticketer.get().map(|ticketer| &**ticketer)
    }

    /// Makes the keys of the tickets, if they are not there. These are the first random bytes that
    /// AWS-LC makes, for which it gathers entropy for 50 ms.
    pub(super) fn warm_up(&self) {
        let _ = self.ticketer();
    }
}

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// It resumes nothing, and hands out sessions to resume.
    Control,
    /// It may resume, and only then hands out sessions in turn.
    ///
    /// Were a full handshake given a session here, a stranger that reached the port of a data
    /// connection first could come back with it, and be taken for the client.
    Data,
}

/// The gate that one connection's sessions pass on their way in and out.
#[derive(Debug)]
pub(super) struct Gate {
    pub(super) sessions: TlsSessions,
    pub(super) mark: Mark,
    pub(super) role: Role,
    pub(super) notes: Arc<Notes>,
}

impl Gate {
    /// Marks a session on its way out, if it may be resumed.
    fn mark(&self, session: &[u8]) -> Option<Vec<u8>> {
        let proven = self.role == Role::Control || !self.notes.has_signed();
        if !proven || session.len() > MAX_SESSION {
            return None;
        }
        Some([&self.mark, session].concat())
    }

    /// Lets a session in, if it is the owner's.
    fn admit(&self, marked: Vec<u8>) -> Option<Vec<u8>> {
        let (mark, session) = marked.split_first_chunk::<MARK_LENGTH>()?;
        let own = *mark == self.mark;
        self.notes.offers(own);
        (own && self.role == Role::Data).then(|| session.to_vec())
    }
}

impl ProducesTickets for Gate {
    fn enabled(&self) -> bool {
        self.sessions.ticketer().is_some_and(ProducesTickets::enabled)
    }

    fn lifetime(&self) -> u32 {
        self.sessions.ticketer().map_or(0, ProducesTickets::lifetime)
    }

    fn encrypt(&self, plain: &[u8]) -> Option<Vec<u8>> {
        self.sessions.ticketer()?.encrypt(&self.mark(plain)?)
    }

    fn decrypt(&self, cipher: &[u8]) -> Option<Vec<u8>> {
        self.admit(self.sessions.ticketer()?.decrypt(cipher)?)
    }
}

impl StoresServerSessions for Gate {
    fn put(&self, key: Vec<u8>, value: Vec<u8>) -> bool {
        self.mark(&value).is_some_and(|marked| self.sessions.cache.put(key, marked))
    }

    fn get(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.admit(self.sessions.cache.get(key)?)
    }

    fn take(&self, key: &[u8]) -> Option<Vec<u8>> {
        // Only the owner's may be taken away.
        self.get(key)?;
        self.admit(self.sessions.cache.take(key)?)
    }

    fn can_cache(&self) -> bool {
        self.role == Role::Control
    }
}

/// Where a data connection comes from, as its handshake shows.
#[derive(Debug)]
pub(crate) struct DataOrigin {
    pub(super) notes: Arc<Notes>,
    /// What the control connection's client has shown.
    pub(super) certificate: Option<ClientCertificate>,
}

impl DataOrigin {
    /// Expects the certificate that the control connection's client has shown (RFC 4217 section
    /// 15.1.2 leaves it to the server).
    pub(crate) fn with(self, certificate: Option<ClientCertificate>) -> Self {
        Self { certificate, ..self }
    }

    /// Returns what the handshake has proven, once it is over.
    ///
    /// A client that offers a session of its own which cannot be resumed, because it now names
    /// another host or other ciphers, is [`DataProof::Fresh`].
    pub(crate) fn proof(&self, connection: &ServerConnection) -> DataProof {
        let own = self.notes.has_offered_own();
        let foreign = self.notes.has_offered_foreign();
        if let (Some(expected), Some(shown)) = (&self.certificate, client_certificate(connection))
            && *expected != shown
        {
            return DataProof::OtherCertificate;
        }
        match connection.handshake_kind() {
            // Any peer can repeat a ticket; whether it has the secrets shows at the end.
            Some(HandshakeKind::Resumed) if connection.is_handshaking() => DataProof::Fresh,
            Some(HandshakeKind::Resumed) if own => DataProof::Resumed,
            Some(HandshakeKind::Resumed) => DataProof::Foreign,
            _ if foreign => DataProof::Foreign,
            _ => DataProof::Fresh,
        }
    }
}
