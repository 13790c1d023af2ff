//! What a client shows in a TLS handshake.

use std::fmt;

#[cfg(feature = "fingerprints")]
use sha2::{Digest, Sha256};

/// A client's certificate, which has been verified.
#[derive(Clone, PartialEq, Eq)]
pub struct ClientCertificate {
    der: Vec<u8>,
}

impl ClientCertificate {
    /// Takes the certificate itself, in DER.
    pub fn from_der(der: impl Into<Vec<u8>>) -> Self {
        Self { der: der.into() }
    }

    /// Returns the certificate, in DER.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    #[cfg(feature = "fingerprints")]
    /// Returns its SHA-256 digest, as people compare it: `3A:0F:` and so on.
    pub fn fingerprint(&self) -> String {
        let bytes: Vec<_> = self.digest().iter().map(|byte| format!("{byte:02X}")).collect();
        bytes.join(":")
    }

    #[cfg(feature = "fingerprints")]
    /// Returns its SHA-256 digest.
    pub(crate) fn digest(&self) -> [u8; 32] {
        Sha256::digest(&self.der).into()
    }
}

impl fmt::Debug for ClientCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        #[cfg(feature = "fingerprints")]
        return write!(f, "ClientCertificate({})", self.fingerprint());
        #[cfg(not(feature = "fingerprints"))]
        write!(f, "ClientCertificate({} bytes)", self.der.len())
    }
}
