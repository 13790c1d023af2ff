//! The client's side of TLS.

use std::fmt;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{
    ClientSessionStore, Resumption, Tls12ClientSessionValue, Tls13ClientSessionValue,
    UnbufferedClientConnection,
};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::version::{TLS12, TLS13};
use rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, Error, HandshakeKind, NamedGroup,
    SignatureScheme, SupportedProtocolVersion,
};

use crate::check::Failure;

/// A version of TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsVersion {
    /// TLS 1.2 (RFC 5246).
    V1_2,
    /// TLS 1.3 (RFC 8446).
    V1_3,
}

impl TlsVersion {
    /// Both, from the older to the newer.
    pub const ALL: [Self; 2] = [Self::V1_2, Self::V1_3];
}

/// How a handshake went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Handshake {
    /// A new session was made.
    Full,
    /// An earlier session was resumed.
    Resumed,
}

impl Handshake {
    pub(crate) fn of(connection: &ClientConnection) -> Option<Self> {
        connection.handshake_kind().map(|kind| match kind {
            HandshakeKind::Resumed => Self::Resumed,
            HandshakeKind::Full | HandshakeKind::FullWithHelloRetryRequest => Self::Full,
        })
    }
}

/// What a client brings to a TLS handshake, and the sessions it may resume; clones share them.
///
/// Any certificate is accepted: a check looks at the server, not at who it is. The latest session is
/// resumed first. A TLS 1.3 ticket is used once (RFC 8446 appendix C.4), and a TLS 1.2 session as
/// often as need be.
#[derive(Clone)]
pub struct Tls {
    config: Arc<ClientConfig>,
    sessions: Arc<Sessions>,
    version: Option<TlsVersion>,
    name: Option<ServerName<'static>>,
}

impl Tls {
    /// Takes whichever version the server prefers.
    pub fn new() -> Self {
        Self::with(None, None)
    }

    /// Takes this version and no other.
    pub fn only(version: TlsVersion) -> Self {
        Self::with(Some(version), None)
    }

    /// Names a host in the handshake (SNI, RFC 6066); without it none is named.
    pub fn named(self, host: &str) -> Result<Self, Failure> {
        let name = ServerName::try_from(host.to_owned());
        let name = name.map_err(|error| Failure::new(format!("{host}: {error}")))?;
        Ok(Self::with(self.version, Some(name)))
    }

    /// Returns the same with no session to resume.
    pub fn fresh(&self) -> Self {
        Self::with(self.version, self.name.clone())
    }

    /// Returns `true` if there is a session to resume.
    pub fn can_resume(&self) -> bool {
        let sessions = self.sessions.lock();
        sessions.tls12.is_some() || !sessions.tls13.is_empty()
    }

    fn with(version: Option<TlsVersion>, name: Option<ServerName<'static>>) -> Self {
        let versions: &[&SupportedProtocolVersion] = match version {
            None => &[&TLS13, &TLS12],
            Some(TlsVersion::V1_2) => &[&TLS12],
            Some(TlsVersion::V1_3) => &[&TLS13],
        };
        let provider = Arc::new(aws_lc_rs::default_provider());
        let verifier = Arc::new(AnyCertificate(Arc::clone(&provider)));
        let builder = ClientConfig::builder_with_provider(provider);
        let builder = builder.with_protocol_versions(versions);
        let builder = builder.expect("the provider has suites of both versions").dangerous();
        let mut config = builder.with_custom_certificate_verifier(verifier).with_no_client_auth();
        let sessions = Arc::new(Sessions::default());
        config.resumption = Resumption::store(Arc::<Sessions>::clone(&sessions));
        Self { config: Arc::new(config), sessions, version, name }
    }

    /// Forgets the sessions that could be resumed.
    pub fn forget(&self) {
        *self.sessions.lock() = Kept::default();
    }

    /// Begins a connection to the server at this address.
    pub(crate) fn connection(&self, ip: IpAddr) -> Result<ClientConnection, Error> {
        ClientConnection::new(Arc::clone(&self.config), self.name_of(ip))
    }

    /// Begins a connection to the server at this address, without buffers of its own.
    pub fn unbuffered(&self, ip: IpAddr) -> Result<UnbufferedClientConnection, Error> {
        UnbufferedClientConnection::new(Arc::clone(&self.config), self.name_of(ip))
    }

    fn name_of(&self, ip: IpAddr) -> ServerName<'static> {
        // No address is ever named in a handshake.
        self.name.clone().unwrap_or_else(|| ServerName::from(ip))
    }
}

impl Default for Tls {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Display for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.version {
            None => "TLS",
            Some(TlsVersion::V1_2) => "TLS 1.2",
            Some(TlsVersion::V1_3) => "TLS 1.3",
        })
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").field("version", &self.version).finish_non_exhaustive()
    }
}

/// The sessions of one server, under whatever name.
#[derive(Default)]
struct Sessions(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    group: Option<NamedGroup>,
    tls12: Option<Tls12ClientSessionValue>,
    tls13: Vec<Tls13ClientSessionValue>,
}

impl Sessions {
    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Sessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sessions").finish_non_exhaustive()
    }
}

impl ClientSessionStore for Sessions {
    fn set_kx_hint(&self, _: ServerName<'static>, group: NamedGroup) {
        self.lock().group = Some(group);
    }

    fn kx_hint(&self, _: &ServerName<'_>) -> Option<NamedGroup> {
        self.lock().group
    }

    fn set_tls12_session(&self, _: ServerName<'static>, session: Tls12ClientSessionValue) {
        self.lock().tls12 = Some(session);
    }

    fn tls12_session(&self, _: &ServerName<'_>) -> Option<Tls12ClientSessionValue> {
        self.lock().tls12.clone()
    }

    fn remove_tls12_session(&self, _: &ServerName<'static>) {
        self.lock().tls12 = None;
    }

    fn insert_tls13_ticket(&self, _: ServerName<'static>, ticket: Tls13ClientSessionValue) {
        self.lock().tls13.push(ticket);
    }

    fn take_tls13_ticket(&self, _: &ServerName<'static>) -> Option<Tls13ClientSessionValue> {
        self.lock().tls13.pop()
    }
}

/// Accepts any certificate and any signature.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
