//! The server's certificates.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rcgen::{DnType, ExtendedKeyUsagePurpose, IsCa, KeyUsagePurpose};
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::sign::CertifiedKey;
use rustls::{CertificateError, Error, InconsistentKeys, RootCertStore};
use wharf_accounts::ClientCertificate;

use super::error::TlsError;
use super::watched::Watched;
use wharf_storage::{Content, warn_of_exposures};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// A server's certificate with the chain that leads to its CA, and the private key.
#[derive(Clone)]
pub struct Certificate {
    key: Arc<CertifiedKey>,
    /// The files of the chain and of the key, if they came from files.
    files: Option<[Watched; 2]>,
}

impl Certificate {
    /// Reads a chain, the server's own certificate first, and its private key from PEM files; both
    /// may be in one file.
    ///
    /// The key may be PKCS#8 (`BEGIN PRIVATE KEY`), PKCS#1 (`BEGIN RSA PRIVATE KEY`) or SEC1
    /// (`BEGIN EC PRIVATE KEY`), and must belong to the certificate. One that has expired, or is
    /// not valid yet, is taken with a warning in the log, and so are files that
    /// [others can get at](crate::exposures).
    pub fn from_files(cert: impl AsRef<Path>, key: impl AsRef<Path>) -> Result<Self, TlsError> {
        let (cert_file, cert) = Watched::read(cert.as_ref())?;
        let (key_file, key) = Watched::read(key.as_ref())?;
        let key = load((&cert_file.name(), &cert), (&key_file.name(), &key))?;
        if cert_file.path() != key_file.path() {
            warn_of_exposures(cert_file.path(), Content::Public);
        }
        warn_of_exposures(key_file.path(), Content::Secret);
        Ok(Self { key, files: Some([cert_file, key_file]) })
    }

    /// Takes what [`from_files`](Self::from_files) reads from the files. A reload leaves it as it
    /// is.
    pub fn from_pem(cert: &[u8], key: &[u8]) -> Result<Self, TlsError> {
        let key = load(("the certificate", cert), ("the private key", key))?;
        Ok(Self { key, files: None })
    }

    /// Makes a certificate for these host names and IP addresses, at least one, with a new ECDSA
    /// key (P-256).
    ///
    /// It is valid from yesterday, for clients whose clock is slow, and for a year. It signs
    /// itself but is no CA: users compare its [`fingerprint`](Self::fingerprint).
    pub fn self_signed(names: &[&str]) -> Result<Self, TlsError> {
        let bad_name = |name: &str| TlsError::BadName { name: name.to_owned() };
        let common_name = *names.first().ok_or_else(|| bad_name(""))?;
        if let Some(bad) = names.iter().find(|name| ServerName::try_from(**name).is_err()) {
            return Err(bad_name(bad));
        }
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        let mut params = rcgen::CertificateParams::new(names).map_err(TlsError::failed)?;
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, common_name);
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let epoch = rcgen::date_time_ymd(1970, 1, 1);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        params.not_before = epoch + now.saturating_sub(DAY);
        params.not_after = epoch + now + 365 * DAY;
        let key = rcgen::KeyPair::generate().map_err(TlsError::failed)?;
        let cert = params.self_signed(&key).map_err(TlsError::failed)?;
        let key = PrivatePkcs8KeyDer::from(key.serialize_der()).into();
        let key = default_provider().key_provider.load_private_key(key);
        let key = CertifiedKey::new(vec![cert.der().clone()], key.map_err(TlsError::failed)?);
        Ok(Self { key: Arc::new(key), files: None })
    }

    /// Returns the SHA-256 digest of the server's own certificate, as people compare it: `3A:0F:`
    /// and so on.
    pub fn fingerprint(&self) -> String {
        let first = self.key.cert.first().map(|der| ClientCertificate::from_der(der.as_ref()));
        first.map(|certificate| certificate.fingerprint()).unwrap_or_default()
    }

    /// Reads the files again, if it came from files.
    pub(super) fn reread(&self) -> Result<Self, TlsError> {
        match &self.files {
            Some([cert, key]) => Self::from_files(cert.path(), key.path()),
            None => Ok(self.clone()),
        }
    }

    /// The files that it came from.
    pub(super) fn files(&self) -> &[Watched] {
        self.files.as_ref().map_or(&[], |files| files)
    }

    pub(crate) fn key(&self) -> &CertifiedKey {
        &self.key
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Certificate({})", self.fingerprint())
    }
}

/// Takes all certificates out of a PEM file; there must be one at least.
pub(super) fn certificates(
    file: &str,
    pem: &[u8],
) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let file = || file.to_owned();
    let not_pem = |error: rustls::pki_types::pem::Error| TlsError::NotPem {
        file: file(),
        reason: error.to_string(),
    };
    let chain: Vec<_> =
        CertificateDer::pem_slice_iter(pem).collect::<Result<_, _>>().map_err(not_pem)?;
    if chain.is_empty() {
        return Err(TlsError::NoCertificate { file: file() });
    }
    Ok(chain)
}

/// Checks that a chain and a key can be used, each given as PEM after the name of its file.
fn load(cert: (&str, &[u8]), key: (&str, &[u8])) -> Result<Arc<CertifiedKey>, TlsError> {
    let ((cert_file, cert), (key_file, key)) = (cert, key);
    let private = private_key(key_file, key)?;
    let chain = certificates(cert_file, cert)?;
    let key = default_provider()
        .key_provider
        .load_private_key(private)
        .map_err(|error| TlsError::BadKey { file: key_file.to_owned(), reason: reason(&error) })?;
    let certified = CertifiedKey::new(chain, key);
    match certified.keys_match() {
        Ok(()) => {}
        Err(Error::InconsistentKeys(InconsistentKeys::KeyMismatch)) => {
            let later = certified.cert[1..].iter().any(|other| {
                let key = Arc::clone(&certified.key);
                CertifiedKey::new(vec![other.clone()], key).keys_match().is_ok()
            });
            let (key, certificate) = (key_file.to_owned(), cert_file.to_owned());
            return Err(match later {
                true => TlsError::WrongOrder { key, certificate },
                false => TlsError::Mismatch { key, certificate },
            });
        }
        Err(Error::InconsistentKeys(_)) => {
            let reason = "whose it is cannot be told".to_owned();
            return Err(TlsError::BadKey { file: key_file.to_owned(), reason });
        }
        Err(error) => {
            let reason = reason(&error);
            return Err(TlsError::BadCertificate { file: cert_file.to_owned(), reason });
        }
    }
    if let Some(trouble) = outside_validity(&certified) {
        log::warn!("{cert_file}: the certificate {trouble}: clients will refuse it");
    }
    Ok(Arc::new(certified))
}

/// Takes the private key out of a PEM file.
fn private_key(file: &str, pem: &[u8]) -> Result<PrivateKeyDer<'static>, TlsError> {
    use rustls::pki_types::pem::Error as Pem;
    let has = |text: &[u8]| pem.windows(text.len()).any(|window| window == text);
    let file = file.to_owned();
    match PrivateKeyDer::from_pem_slice(pem) {
        Ok(key) => Ok(key),
        // The second is how PKCS#1 and SEC1 files say it.
        Err(_) if has(b"BEGIN ENCRYPTED PRIVATE KEY") || has(b"Proc-Type: 4,ENCRYPTED") => {
            Err(TlsError::EncryptedKey { file })
        }
        Err(Pem::NoItemsFound) => Err(TlsError::NoPrivateKey { file }),
        Err(error) => Err(TlsError::NotPem { file, reason: error.to_string() }),
    }
}

/// Says what rustls does not like, without its own introduction where it has one.
pub(super) fn reason(error: &Error) -> String {
    match error {
        Error::General(reason) => reason.clone(),
        Error::InvalidCertificate(CertificateError::BadEncoding) => {
            "it is not an X.509 certificate".to_owned()
        }
        error => error.to_string(),
    }
}

/// Logs a warning where a certificate should not be used now.
///
/// rustls does not say for how long a certificate is valid; but where it verifies one, that is the
/// first thing it looks at. Without any CA to trust it always fails, only later.
pub(super) fn outside_validity(certified: &CertifiedKey) -> Option<&'static str> {
    let parsed = ParsedCertificate::try_from(certified.cert.first()?).ok()?;
    let verified = rustls::client::verify_server_cert_signed_by_trust_anchor(
        &parsed,
        &RootCertStore::empty(),
        &[],
        UnixTime::now(),
        default_provider().signature_verification_algorithms.all,
    );
    use CertificateError::{Expired, ExpiredContext, NotValidYet, NotValidYetContext};
    match verified {
        Err(Error::InvalidCertificate(Expired | ExpiredContext { .. })) => Some("has expired"),
        Err(Error::InvalidCertificate(NotValidYet | NotValidYetContext { .. })) => {
            Some("is not valid yet")
        }
        _ => None,
    }
}
