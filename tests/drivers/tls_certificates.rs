//! Certificates: the server's, which may change while it runs, and the clients'.

use std::path::Path;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use tempfile::TempDir;
use wharf::{
    Account, Accounts, Attempt, Backend, Certificate, ClientCertificates, ClientRoots, Credential,
    Denial, Memory, Permissions, SimpleAccounts, Tls, TlsRequired,
};

use crate::support::{
    Client, ClientTls, VERSIONS, accounts_server, for_each_driver, server, tls_server,
};

for_each_driver!(
    files_that_change_while_it_runs,
    a_clients_certificate_is_its_password,
    who_has_to_have_a_certificate,
    the_protocol_is_ftp,
    names_choose_certificates,
    what_has_to_be_protected,
);

fn files() -> Memory {
    Memory::new().with_file("/file", "Some content.")
}

/// A new certificate, in the files `cert` and `key`; returns it in DER.
fn renew(folder: &Path) -> Vec<u8> {
    let made = rcgen::generate_simple_self_signed(vec!["ftp.example".to_owned()]).unwrap();
    std::fs::write(folder.join("key"), made.signing_key.serialize_pem()).unwrap();
    std::fs::write(folder.join("cert"), made.cert.pem()).unwrap();
    made.cert.der().to_vec()
}

fn files_that_change_while_it_runs(backend: Backend) {
    let folder = TempDir::new().unwrap();
    let path = |name| folder.path().join(name);
    let first = renew(folder.path());
    let certificate = Certificate::from_files(path("cert"), path("key")).unwrap();
    let server = server(backend, files()).tls(Tls::new(certificate).unwrap()).spawn().unwrap();
    let tls = ClientTls::new();
    let mut old = Client::log_in_tls(&server, &tls);
    assert!(old.tls().certificate() == first);
    let second = renew(folder.path());
    let mut new = Client::log_in_tls(&server, &ClientTls::new());
    assert!(new.tls().certificate() == second);
    // Who was there goes on, and sees no other certificate than before.
    assert_eq!(old.get_tls("RETR file", &tls), b"Some content.");
    let mut data = old.begin_tls("RETR file", &ClientTls::new());
    assert!(data.certificate() == first);
    assert_eq!(data.read_all(), b"Some content.");
    data.finish();
    old.expect(226);
    // What cannot be used is not taken up, and what comes after it is.
    std::fs::write(path("cert"), "no certificate at all").unwrap();
    for _ in 0..2 {
        let mut client = Client::log_in_tls(&server, &ClientTls::new());
        assert!(client.tls().certificate() == second);
    }
    std::fs::remove_file(path("key")).unwrap();
    Client::visit_tls(&server);
    let third = renew(folder.path());
    let mut client = Client::log_in_tls(&server, &ClientTls::new());
    assert!(client.tls().certificate() == third);
    old.ask("NOOP", 200);
}

struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Self { issuer: Issuer::new(params, key), pem }
    }

    fn roots(&self) -> ClientRoots {
        ClientRoots::from_pem(self.pem.as_bytes()).unwrap()
    }

    /// A client, and its certificate.
    fn issue(&self) -> (ClientTls, Vec<u8>) {
        let params = CertificateParams::new(vec!["client.example".to_owned()]).unwrap();
        let key = KeyPair::generate().unwrap();
        let der = params.signed_by(&key, &self.issuer).unwrap().der().clone();
        let key = PrivatePkcs8KeyDer::from(key.serialize_der()).into();
        (ClientTls::with_identity(vec![der.clone()], key), der.to_vec())
    }
}

/// Lets `ann` in by her certificate, and whom the others let in.
struct ByCertificate {
    ann: Vec<u8>,
    others: SimpleAccounts,
}

impl Accounts for ByCertificate {
    fn login(&self, attempt: &Attempt<'_>) -> Result<Account, Denial> {
        match attempt.credential {
            Credential::Certificate(shown) if attempt.user == b"ann" && shown.der() == self.ann => {
                Ok(Account::new(Arc::new(files()), Permissions::ALL))
            }
            Credential::Certificate(_) => Err(Denial::Refused),
            _ => self.others.login(attempt),
        }
    }
}

fn a_clients_certificate_is_its_password(backend: Backend) {
    let authority = Authority::new();
    let ((ann, der), (bob, _)) = (authority.issue(), authority.issue());
    let others = SimpleAccounts::new(Arc::new(files())).anonymous(Permissions::ALL);
    let clients = ClientCertificates::Optional(authority.roots());
    let tls = Tls::new(Certificate::self_signed(&["localhost"]).unwrap()).unwrap();
    let server = accounts_server(backend, ByCertificate { ann: der, others });
    let server = server.tls(tls.client_certificates(clients)).spawn().unwrap();
    let mut client = Client::connect_tls(&server, &ann);
    client.ask("USER ann", 232);
    client.ask("PBSZ 0", 200);
    client.ask("PROT P", 200);
    client.ask("TYPE I", 200);
    assert_eq!(client.get_tls("RETR file", &ann), b"Some content.");
    client.ask("REIN", 220);
    // Another name, another certificate, none, or none any more.
    Client::connect_tls(&server, &ann).enter();
    let mut client = Client::connect_tls(&server, &bob);
    client.ask("USER ann", 331);
    client.enter();
    let mut client = Client::connect_tls(&server, &ClientTls::new());
    client.ask("USER ann", 331);
    client.enter();
    Client::connect(&server).ask("USER ann", 331);
}

fn who_has_to_have_a_certificate(backend: Backend) {
    let authority = Authority::new();
    let clients = ClientCertificates::Required(authority.roots());
    let tls = Tls::new(Certificate::self_signed(&["localhost"]).unwrap()).unwrap();
    let server = server(backend, files()).tls(tls.client_certificates(clients)).spawn().unwrap();
    let (ann, _) = authority.issue();
    let (stranger, _) = Authority::new().issue();
    for refused in [&ClientTls::new(), &ClientTls::only(VERSIONS[1]), &stranger] {
        let mut client = Client::connect(&server);
        client.ask("AUTH TLS", 234);
        // In TLS 1.3 the client hears of it only after its own end of the handshake.
        if client.start_tls(refused).is_ok() {
            let error = client.reply().unwrap_err();
            assert!(error.to_string().contains("alert"), "{error}");
        }
    }
    let mut client = Client::log_in_tls(&server, &ann);
    assert_eq!(client.get_tls("RETR file", &ann), b"Some content.");
    client.put_tls("STOR new", b"new", &ann);
    // Another's certificate is as good as hers, but not on her data connections.
    let (ben, _) = authority.issue();
    Client::log_in_tls(&server, &ben);
    client.begin_tls("RETR file", &ben);
    client.expect(522);
    assert_eq!(client.get_tls("RETR file", &ann), b"Some content.");
}

fn the_protocol_is_ftp(backend: Backend) {
    let server = tls_server(backend, files()).spawn().unwrap();
    for (offered, chosen) in [
        (&["ftp"][..], true),
        (&["http/1.1", "ftp"], true),
        (&["http/1.1"], false),
        (&["h2"], false),
    ] {
        let tls = ClientTls::new().alpn(offered);
        let mut client = Client::connect(&server);
        client.ask("AUTH TLS", 234);
        let started = client.start_tls(&tls);
        assert_eq!(started.is_ok(), chosen, "{offered:?}: {started:?}");
        if chosen {
            assert_eq!(client.tls().protocol(), Some(&b"ftp"[..]));
            client.enter();
        }
    }
    let mut client = Client::connect_tls(&server, &ClientTls::new());
    assert_eq!(client.tls().protocol(), None);
    Client::visit_tls(&server);
}

fn names_choose_certificates(backend: Backend) {
    let der = |name: &'static str| {
        let made = rcgen::generate_simple_self_signed(vec![name.to_owned()]).unwrap();
        let (cert, key) = (made.cert.pem(), made.signing_key.serialize_pem());
        let certificate = Certificate::from_pem(cert.as_bytes(), key.as_bytes()).unwrap();
        (certificate, CertificateDer::from_pem_slice(cert.as_bytes()).unwrap().to_vec())
    };
    let ((default, default_der), (one, one_der)) = (der("any.example"), der("one.example"));
    let tls = Tls::new(default).unwrap().host("one.example", one);
    let accounts = SimpleAccounts::new(Arc::new(files())).anonymous(Permissions::ALL);
    let server = server(backend, files()).tls(tls).host("one.example", accounts).spawn().unwrap();
    for (name, wanted) in
        [("one.example", &one_der), ("ONE.example", &one_der), ("two.example", &default_der)]
    {
        let tls = ClientTls::new().named(name);
        let mut client = Client::log_in_tls(&server, &tls);
        assert!(client.tls().certificate() == *wanted, "{name}");
        assert_eq!(client.get_tls("RETR file", &tls), b"Some content.");
    }
    let tls = ClientTls::new();
    let mut client = Client::log_in_tls(&server, &tls);
    assert!(client.tls().certificate() == default_der);
    // By HOST, where the handshake names no host.
    let mut client = Client::connect(&server);
    client.ask("HOST one.example", 220);
    client.ask("AUTH TLS", 234);
    client.start_tls(&tls).unwrap();
    assert!(client.tls().certificate() == one_der);
}

fn what_has_to_be_protected(backend: Backend) {
    let tls = ClientTls::new();
    let server = tls_server(backend, files()).tls_required(TlsRequired::All).allow_ccc(true);
    let server = server.spawn().unwrap();
    let mut client = Client::connect(&server);
    client.ask("USER anonymous", 530);
    client.ask("PASS x", 503);
    let mut client = Client::connect_tls(&server, &tls);
    client.enter();
    client.passive();
    client.ask("RETR file", 521);
    client.ask("PBSZ 0", 200);
    client.ask("PROT C", 534);
    client.ask("PROT P", 200);
    client.ask("CCC", 533);
    assert_eq!(client.get_tls("RETR file", &tls), b"Some content.");
}
