//! Loading and making certificates.

use std::fs;
use std::path::PathBuf;

use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::server::ParsedCertificate;

use super::super::certificate::outside_validity;
use super::super::{Certificate, Tls};

// Made by openssl, for a hundred years; the encrypted keys have the passphrase "wharf".
const EC: &str = include_str!("files/ec.crt");
const EC_SEC1: &str = include_str!("files/ec-sec1.key");
const RSA: &str = include_str!("files/rsa.crt");
const RSA_PKCS1: &str = include_str!("files/rsa-pkcs1.key");
const ENCRYPTED_PKCS8: &str = include_str!("files/encrypted-pkcs8.key");
const ENCRYPTED_PKCS1: &str = include_str!("files/encrypted-pkcs1.key");

/// A certificate and its key (PKCS#8) as PEM.
fn generate() -> (String, String) {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["ftp.example".to_owned()]).unwrap();
    (params.self_signed(&key).unwrap().pem(), key.serialize_pem())
}

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.path().join(name);
        fs::write(&path, text).unwrap();
        path
    }

    /// What is wrong with these files, without the folder's name.
    fn error(&self, cert: &str, key: &str) -> String {
        let (cert, key) = (self.write("server.crt", cert), self.write("server.key", key));
        self.error_of(&cert, &key)
    }

    fn error_of(&self, cert: &PathBuf, key: &PathBuf) -> String {
        let folder = format!("{}/", self.0.path().display());
        let error = Certificate::from_files(cert, key).unwrap_err().to_string();
        assert!(error.contains(&folder) && !error.contains('\n'), "{error}");
        error.replace(&folder, "")
    }
}

#[test]
fn keys_come_in_three_forms() {
    let (cert, pkcs8) = generate();
    for (cert, key) in [(&cert[..], &pkcs8[..]), (EC, EC_SEC1), (RSA, RSA_PKCS1)] {
        let apart = Certificate::from_pem(cert.as_bytes(), key.as_bytes()).unwrap();
        let folder = Folder::new();
        for both in [[cert, key].concat(), [key, cert].concat()] {
            let path = folder.write("both.pem", &both);
            let together = Certificate::from_files(&path, &path).unwrap();
            assert_eq!(together.fingerprint(), apart.fingerprint());
        }
    }
}

#[test]
fn fingerprints_are_those_of_openssl() {
    let certificate = Certificate::from_pem(EC.as_bytes(), EC_SEC1.as_bytes()).unwrap();
    let expected = include_str!("files/ec.sha256").trim();
    assert_eq!(certificate.fingerprint(), expected);
    let tls = Tls::new(certificate).unwrap();
    assert!(format!("{tls:?}").contains(expected));
}

#[test]
fn files_that_cannot_be_used_are_named() {
    let folder = Folder::new();
    let ((cert, key), (other_cert, other_key)) = (generate(), generate());
    for (cert, key, expected) in [
        ("", &key[..], "server.crt: no certificate found; a PEM file with \"BEGIN CERTIFICATE\""),
        (&key, &key, "server.crt: no certificate found"),
        ("\u{0}\u{ff}garbage", &key, "server.crt: no certificate found"),
        (&cert, "", "server.key: no private key found; a PEM file with \"BEGIN PRIVATE KEY\""),
        (&cert, &cert, "server.key: no private key found"),
        (&cert, &other_key, "server.key: does not belong to the certificate in server.crt"),
        (&cert, RSA_PKCS1, "server.key: does not belong to the certificate in server.crt"),
        (
            &[&other_cert[..], &cert].concat(),
            &key,
            "server.key: does not belong to the first certificate in server.crt",
        ),
        (RSA, ENCRYPTED_PKCS8, "server.key: the private key is encrypted"),
        (RSA, ENCRYPTED_PKCS1, "server.key: the private key is encrypted"),
        (&cert[..100], &key, "server.crt: is not a proper PEM file"),
        (&cert, &key[..60], "server.key: is not a proper PEM file"),
        (
            "-----BEGIN CERTIFICATE-----\n????\n-----END CERTIFICATE-----",
            &key,
            "server.crt: is not a proper PEM file",
        ),
        (
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----",
            &key,
            "server.crt: the certificate cannot be used: it is not an X.509 certificate",
        ),
        (
            &cert,
            "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----",
            "server.key: the private key cannot be used",
        ),
    ] {
        let error = folder.error(cert, key);
        assert!(error.starts_with(expected), "{expected:?}: {error}");
    }
}

#[test]
fn files_that_cannot_be_read_are_named() {
    let folder = Folder::new();
    let (cert, key) = generate();
    let (cert, key) = (folder.write("server.crt", &cert), folder.write("server.key", &key));
    let missing = folder.0.path().join("missing.pem");
    let itself = folder.0.path().join(".");
    for (cert, key, expected) in [
        (&missing, &key, "missing.pem: cannot be read: No such file"),
        (&cert, &missing, "missing.pem: cannot be read: No such file"),
        (&cert, &itself, ": cannot be read: Is a directory"),
        (&PathBuf::from("/dev/zero"), &key, "/dev/zero: cannot be read: file too large"),
    ] {
        let error = Certificate::from_files(cert, key).unwrap_err().to_string();
        assert!(error.contains(expected), "{expected:?}: {error}");
    }
}

#[test]
fn pem_without_a_file_has_a_name_as_well() {
    let (cert, key) = generate();
    let error = |cert: &str, key: &str| {
        Certificate::from_pem(cert.as_bytes(), key.as_bytes()).unwrap_err().to_string()
    };
    assert!(error("", &key).starts_with("the certificate: no certificate found"));
    assert!(error(&cert, "").starts_with("the private key: no private key found"));
}

#[test]
fn validity_is_looked_at() {
    let trouble = |from: i32, to: i32| {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec!["ftp.example".to_owned()]).unwrap();
        params.not_before = date_time_ymd(from, 1, 1);
        params.not_after = date_time_ymd(to, 1, 1);
        let pem = params.self_signed(&key).unwrap().pem();
        // It is taken all the same.
        let key = key.serialize_pem();
        let certificate = Certificate::from_pem(pem.as_bytes(), key.as_bytes()).unwrap();
        outside_validity(certificate.key())
    };
    assert_eq!(trouble(2000, 2010), Some("has expired"));
    assert_eq!(trouble(4000, 4010), Some("is not valid yet"));
    assert_eq!(trouble(2000, 4000), None);
}

#[test]
fn self_signed_certificates_name_hosts_and_addresses() {
    let names = ["ftp.example", "localhost", "192.0.2.1", "2001:db8::1"];
    let certificate = Certificate::self_signed(&names).unwrap();
    let der: &CertificateDer<'_> = &certificate.key().cert[0];
    let parsed = ParsedCertificate::try_from(der).unwrap();
    let is = |name: &'static str| {
        let name = ServerName::try_from(name).unwrap();
        rustls::client::verify_server_name(&parsed, &name).is_ok()
    };
    assert!(names.into_iter().all(is));
    assert!(!is("other.example") && !is("192.0.2.2"));
    assert_eq!(outside_validity(certificate.key()), None);
    certificate.key().keys_match().unwrap();
    assert_eq!(certificate.fingerprint().len(), 32 * 3 - 1);
    let other = Certificate::self_signed(&names).unwrap();
    assert_ne!(certificate.fingerprint(), other.fingerprint());
}

#[test]
fn self_signed_certificates_need_names() {
    for names in [&[][..], &[""], &["ftp.example", "two words"], &["é.example"], &["[::1]"]] {
        let error = Certificate::self_signed(names).unwrap_err().to_string();
        assert!(error.ends_with("is neither a host name nor an IP address"), "{error}");
    }
}
