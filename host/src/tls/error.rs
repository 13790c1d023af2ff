//! What can be wrong with certificates and keys.

use std::fmt;
use std::io;

/// Says in one line which file is wrong, why, and what would be right.
///
/// What was given as bytes instead of a file is named `the certificate`, `the private key` or `the
/// client CAs`.
#[derive(Debug)]
#[non_exhaustive]
pub enum TlsError {
    /// The file cannot be read.
    Unreadable {
        /// The file.
        file: String,
        /// What the system says.
        error: io::Error,
    },
    /// The file has something that looks like PEM, but is not.
    NotPem {
        /// The file.
        file: String,
        /// What is wrong in it.
        reason: String,
    },
    /// The file has no certificate.
    NoCertificate {
        /// The file.
        file: String,
    },
    /// A certificate of the file cannot be used.
    BadCertificate {
        /// The file.
        file: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The file has no private key.
    NoPrivateKey {
        /// The file.
        file: String,
    },
    /// The private key wants a passphrase.
    EncryptedKey {
        /// The file.
        file: String,
    },
    /// The private key cannot be used.
    BadKey {
        /// The file.
        file: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The private key belongs to another certificate.
    Mismatch {
        /// The file of the key.
        key: String,
        /// The file of the certificate.
        certificate: String,
    },
    /// The private key belongs to a certificate that is not the first of its chain.
    WrongOrder {
        /// The file of the key.
        key: String,
        /// The file of the certificate.
        certificate: String,
    },
    /// No certificate can be made for the name.
    BadName {
        /// The name.
        name: String,
    },
    /// The cryptography failed, such as for want of random bytes.
    Failed {
        /// What it says.
        reason: String,
    },
}

impl TlsError {
    pub(super) fn failed(error: impl fmt::Display) -> Self {
        Self::Failed { reason: error.to_string() }
    }
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable { file, error } => write!(f, "{file}: cannot be read: {error}"),
            Self::NotPem { file, reason } => {
                write!(f, "{file}: is not a proper PEM file: {reason}")
            }
            Self::NoCertificate { file } => write!(
                f,
                "{file}: no certificate found; a PEM file with \"BEGIN CERTIFICATE\" is wanted"
            ),
            Self::BadCertificate { file, reason } => {
                write!(f, "{file}: the certificate cannot be used: {reason}")
            }
            Self::NoPrivateKey { file } => write!(
                f,
                "{file}: no private key found; a PEM file with \"BEGIN PRIVATE KEY\" is wanted"
            ),
            Self::EncryptedKey { file } => write!(
                f,
                "{file}: the private key is encrypted; one without a passphrase is wanted, \
                 such as \"openssl pkey\" writes"
            ),
            Self::BadKey { file, reason } => write!(
                f,
                "{file}: the private key cannot be used: {reason}; an RSA, ECDSA or Ed25519 key \
                 is wanted"
            ),
            Self::Mismatch { key, certificate } => {
                write!(f, "{key}: does not belong to the certificate in {certificate}")
            }
            Self::WrongOrder { key, certificate } => write!(
                f,
                "{key}: does not belong to the first certificate in {certificate}, but to a later \
                 one; the server's own must be the first"
            ),
            Self::BadName { name } => {
                write!(f, "{name:?} is neither a host name nor an IP address")
            }
            Self::Failed { reason } => write!(f, "TLS cannot be set up: {reason}"),
        }
    }
}

impl std::error::Error for TlsError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Unreadable { error, .. } => Some(error),
            _ => None,
        }
    }
}
