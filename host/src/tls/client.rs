//! Clients' certificates: which are asked for.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use rustls::RootCertStore;
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::CertificateDer;
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use wharf_accounts::ClientCertificate;

use super::ServerConnection;
use super::certificate;
use super::error::TlsError;
use super::watched::Watched;
use wharf_storage::{Content, warn_of_exposures};

/// Returns the certificate that the client has shown, once the handshake is over.
pub(crate) fn client_certificate(connection: &ServerConnection) -> Option<ClientCertificate> {
    let first = connection.peer_certificates()?.first()?;
    Some(ClientCertificate::from_der(first.as_ref()))
}

/// Whether clients are asked for a certificate.
#[derive(Clone, Debug, Default)]
pub enum ClientCertificates {
    /// They are not.
    #[default]
    Off,
    /// They are, and may have none; one that these CAs did not sign breaks the handshake.
    Optional(ClientRoots),
    /// They must have one that these CAs signed.
    Required(ClientRoots),
}

impl ClientCertificates {
    pub(super) fn verifier(&self) -> Arc<dyn ClientCertVerifier> {
        match self {
            Self::Off => WebPkiClientVerifier::no_client_auth(),
            Self::Optional(roots) => Arc::clone(&roots.optional),
            Self::Required(roots) => Arc::clone(&roots.required),
        }
    }

    pub(super) fn roots(&self) -> Option<&ClientRoots> {
        match self {
            Self::Off => None,
            Self::Optional(roots) | Self::Required(roots) => Some(roots),
        }
    }

    /// Reads the file again, if the CAs came from one.
    pub(super) fn reread(&self) -> Result<Self, TlsError> {
        Ok(match self {
            Self::Off => Self::Off,
            Self::Optional(roots) => Self::Optional(roots.reread()?),
            Self::Required(roots) => Self::Required(roots.reread()?),
        })
    }
}

/// The CAs whose clients are let in.
#[derive(Clone)]
pub struct ClientRoots {
    certificates: Vec<CertificateDer<'static>>,
    required: Arc<dyn ClientCertVerifier>,
    optional: Arc<dyn ClientCertVerifier>,
    file: Option<Watched>,
}

impl ClientRoots {
    /// Reads the certificates of CAs, at least one, from a PEM file.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, TlsError> {
        let (file, pem) = Watched::read(path.as_ref())?;
        let roots = Self::load(&file.name(), &pem)?;
        warn_of_exposures(path.as_ref(), Content::Public);
        Ok(Self { file: Some(file), ..roots })
    }

    /// Takes what [`from_file`](Self::from_file) reads from the file. A reload leaves it as it is.
    pub fn from_pem(pem: &[u8]) -> Result<Self, TlsError> {
        Self::load("the client CAs", pem)
    }

    fn load(file: &str, pem: &[u8]) -> Result<Self, TlsError> {
        let bad = |error: &dyn fmt::Display| TlsError::BadCertificate {
            file: file.to_owned(),
            reason: error.to_string(),
        };
        let certificates = certificate::certificates(file, pem)?;
        let mut store = RootCertStore::empty();
        for der in &certificates {
            store.add(der.clone()).map_err(|error| bad(&certificate::reason(&error)))?;
        }
        let (store, provider) = (Arc::new(store), Arc::new(default_provider()));
        let builder = WebPkiClientVerifier::builder_with_provider(store, provider);
        let required = builder.clone().build().map_err(|error| bad(&error))?;
        let optional = builder.allow_unauthenticated().build().map_err(|error| bad(&error))?;
        Ok(Self { certificates, required, optional, file: None })
    }

    fn reread(&self) -> Result<Self, TlsError> {
        match &self.file {
            Some(file) => Self::from_file(file.path()),
            None => Ok(self.clone()),
        }
    }

    pub(super) fn file(&self) -> Option<&Watched> {
        self.file.as_ref()
    }

    pub(super) fn same(&self, other: &Self) -> bool {
        self.certificates == other.certificates
    }
}

impl fmt::Debug for ClientRoots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientRoots").field("certificates", &self.certificates.len()).finish()
    }
}
