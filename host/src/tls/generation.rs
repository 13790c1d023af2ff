//! The certificates that are in use at one time, and which of them a client gets to see.

use std::collections::BTreeMap;
use std::sync::Arc;

use rustls::server::{ClientHello, NoServerSessionStorage, ResolvesServerCert};
use rustls::sign::{CertifiedKey, Signer, SigningKey};
use rustls::{ConfigBuilder, ServerConfig, SignatureAlgorithm, SignatureScheme, WantsVerifier};

use super::certificate::Certificate;
use super::client::ClientCertificates;
use super::error::TlsError;
use super::notes::Notes;
use super::watched::Watched;

/// The protocol name of FTP over TLS (RFC 7301 section 6, as IANA has registered it).
const FTP: &[u8] = b"ftp";

/// All that a reload replaces. A control connection and its data connections keep theirs.
#[derive(Clone, Debug)]
pub(super) struct Generation {
    default: Certificate,
    /// By host name, in small letters.
    hosts: BTreeMap<String, Certificate>,
    clients: ClientCertificates,
    /// What all connections have in common; a copy is made for each.
    config: ServerConfig,
}

impl Generation {
    pub(super) fn new(
        builder: &ConfigBuilder<ServerConfig, WantsVerifier>,
        default: Certificate,
        hosts: BTreeMap<String, Certificate>,
        clients: ClientCertificates,
    ) -> Self {
        let mut config = builder
            .clone()
            .with_client_cert_verifier(clients.verifier())
            .with_cert_resolver(Arc::new(NoCertificate));
        config.alpn_protocols = vec![FTP.to_vec()];
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        Self { default, hosts, clients, config }
    }

    pub(super) fn with_host(self, name: &str, certificate: Certificate) -> Self {
        let mut hosts = self.hosts;
        hosts.insert(normalized(name), certificate);
        Self { hosts, ..self }
    }

    pub(super) fn with_clients(
        self,
        builder: &ConfigBuilder<ServerConfig, WantsVerifier>,
        clients: ClientCertificates,
    ) -> Self {
        Self::new(builder, self.default, self.hosts, clients)
    }

    /// Reads all files again.
    pub(super) fn reread(
        &self,
        builder: &ConfigBuilder<ServerConfig, WantsVerifier>,
    ) -> Result<Self, TlsError> {
        let default = self.default.reread()?;
        let mut hosts = BTreeMap::new();
        for (name, certificate) in &self.hosts {
            hosts.insert(name.clone(), certificate.reread()?);
        }
        Ok(Self::new(builder, default, hosts, self.clients.reread()?))
    }

    /// Returns a configuration for one connection; it resumes nothing and has no certificate yet.
    pub(super) fn config(&self) -> ServerConfig {
        self.config.clone()
    }

    pub(super) fn certificates(&self) -> impl Iterator<Item = &Certificate> {
        [&self.default].into_iter().chain(self.hosts.values())
    }

    pub(super) fn clients(&self) -> &ClientCertificates {
        &self.clients
    }

    /// All files that it came from.
    pub(super) fn files(&self) -> Vec<Watched> {
        let roots = self.clients.roots().and_then(|roots| roots.file());
        self.certificates().flat_map(Certificate::files).chain(roots).cloned().collect()
    }

    /// Finds the certificate of the name that the client sent in its TLS greeting (SNI), or else
    /// of the host that it named otherwise.
    fn certificate(&self, sni: Option<&str>, host: Option<&str>) -> &Certificate {
        let find = |name: &str| self.hosts.get(&normalized(name));
        sni.and_then(find).or_else(|| host.and_then(find)).unwrap_or(&self.default)
    }
}

/// Host names are the same in capitals or not, and with the dot of the root or without.
fn normalized(name: &str) -> String {
    name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase()
}

/// Chooses the certificate of one connection.
#[derive(Debug)]
pub(super) struct Chooser {
    pub(super) generation: Arc<Generation>,
    /// The host that the client has named otherwise than by SNI.
    pub(super) host: Option<String>,
    pub(super) notes: Arc<Notes>,
}

impl ResolvesServerCert for Chooser {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let certificate = self.generation.certificate(hello.server_name(), self.host.as_deref());
        let CertifiedKey { cert, key, .. } = certificate.key();
        let key = NotedKey { key: Arc::clone(key), notes: Arc::clone(&self.notes) };
        Some(Arc::new(CertifiedKey::new(cert.clone(), Arc::new(key))))
    }
}

/// The private key, which notes when it is used: a handshake that signs does not resume.
#[derive(Debug)]
struct NotedKey {
    key: Arc<dyn SigningKey>,
    notes: Arc<Notes>,
}

impl SigningKey for NotedKey {
    fn choose_scheme(&self, offered: &[SignatureScheme]) -> Option<Box<dyn Signer>> {
        self.notes.signs();
        self.key.choose_scheme(offered)
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        self.key.algorithm()
    }
}

/// Holds the place of the [`Chooser`] in what connections have in common.
#[derive(Debug)]
struct NoCertificate;

impl ResolvesServerCert for NoCertificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        None
    }
}
