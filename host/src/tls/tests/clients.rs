//! Clients' certificates.

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use wharf_core::DataProof;

use super::super::{
    Certificate, ClientCertificate, ClientCertificates, ClientRoots, Tls, client_certificate,
};
use super::{Client, Way};

const NAME: &str = "ftp.example";

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

    fn issue(&self) -> (CertificateDer<'static>, PrivateKeyDer<'static>) {
        let params = CertificateParams::new(vec!["ann.example".to_owned()]).unwrap();
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        (certificate.der().clone(), PrivatePkcs8KeyDer::from(key.serialize_der()).into())
    }
}

/// What came of a control connection and a fresh data connection: the certificates that the server
/// was shown, or nothing if it refused.
type Shown = Option<[Option<ClientCertificate>; 2]>;

struct Setup {
    tls: Tls,
    certificate: Certificate,
}

impl Setup {
    fn new(clients: ClientCertificates) -> Self {
        let certificate = Certificate::self_signed(&[NAME]).unwrap();
        let tls = Tls::new(certificate.clone()).unwrap().client_certificates(clients);
        Self { tls, certificate }
    }

    fn client(&self, way: Way, identity: Option<&(CertificateDer, PrivateKeyDer)>) -> Client {
        let identity = identity
            .map(|(certificate, key)| (vec![certificate.clone().into_owned()], key.clone_key()));
        Client::with(way, &[&self.certificate], identity)
    }

    fn shown(&self, way: Way, identity: Option<&(CertificateDer, PrivateKeyDer)>) -> Shown {
        let (mut control, owner) = self.tls.control(None).unwrap();
        let on_control = self.client(way, identity).connect(NAME, &mut control);
        let (mut data, origin) = self.tls.data(&owner, None, true).unwrap();
        let on_data = self.client(way, identity).connect(NAME, &mut data);
        assert_eq!(on_control.is_ok(), on_data.is_ok());
        (on_control.is_ok()).then(|| {
            assert_eq!(origin.proof(&data), DataProof::Fresh);
            [client_certificate(&control), client_certificate(&data)]
        })
    }
}

fn is(identity: &(CertificateDer, PrivateKeyDer)) -> Shown {
    let certificate = Some(ClientCertificate::from_der(identity.0.as_ref()));
    Some([certificate.clone(), certificate])
}

const NONE: Shown = Some([None, None]);

#[test]
fn certificates_are_asked_for_as_set() {
    let (authority, other) = (Authority::new(), Authority::new());
    let (ann, stranger) = (authority.issue(), other.issue());
    let off = Setup::new(ClientCertificates::Off);
    let optional = Setup::new(ClientCertificates::Optional(authority.roots()));
    let required = Setup::new(ClientCertificates::Required(authority.roots()));
    for way in [Way::Tls13, Way::Tls12Ticket] {
        assert_eq!(off.shown(way, None), NONE);
        assert_eq!(off.shown(way, Some(&ann)), NONE);
        assert_eq!(optional.shown(way, None), NONE);
        assert_eq!(optional.shown(way, Some(&ann)), is(&ann));
        assert_eq!(optional.shown(way, Some(&stranger)), None);
        assert_eq!(required.shown(way, None), None);
        assert_eq!(required.shown(way, Some(&ann)), is(&ann));
        assert_eq!(required.shown(way, Some(&stranger)), None);
    }
}

#[test]
fn a_data_connection_shows_no_other_certificate() {
    let authority = Authority::new();
    let (ann, ben) = (authority.issue(), authority.issue());
    let setup = Setup::new(ClientCertificates::Optional(authority.roots()));
    for way in [Way::Tls13, Way::Tls12Ticket] {
        let (mut control, owner) = setup.tls.control(None).unwrap();
        setup.client(way, Some(&ann)).connect(NAME, &mut control).unwrap();
        let data = |shown| {
            let (mut data, origin) = setup.tls.data(&owner, None, true).unwrap();
            let origin = origin.with(client_certificate(&control));
            setup.client(way, shown).connect(NAME, &mut data).unwrap();
            origin.proof(&data)
        };
        assert_eq!(data(Some(&ben)), DataProof::OtherCertificate);
        assert_eq!(data(Some(&ann)), DataProof::Fresh);
        assert_eq!(data(None), DataProof::Fresh);
    }
}

#[test]
fn a_resumed_data_connection_has_the_certificate_too() {
    let authority = Authority::new();
    let ann = authority.issue();
    let setup = Setup::new(ClientCertificates::Required(authority.roots()));
    for way in Way::ALL {
        let client = setup.client(way, Some(&ann));
        let (mut control, owner) = setup.tls.control(None).unwrap();
        client.connect(NAME, &mut control).unwrap();
        let (mut data, origin) = setup.tls.data(&owner, None, true).unwrap();
        client.connect(NAME, &mut data).unwrap();
        assert_eq!(origin.proof(&data), DataProof::Resumed, "{way:?}");
        assert_eq!(client_certificate(&data), client_certificate(&control));
        // Another control connection shows it anew.
        let (mut control, _) = setup.tls.control(None).unwrap();
        client.connect(NAME, &mut control).unwrap();
        assert_eq!(client_certificate(&control).unwrap().der(), ann.0.as_ref());
    }
}

#[test]
fn client_certificates_have_a_fingerprint() {
    let certificate = ClientCertificate::from_der(b"abc");
    let digits = "BA:78:16:BF:8F:01:CF:EA:41:41:40:DE:5D:AE:22:23:\
                  B0:03:61:A3:96:17:7A:9C:B4:10:FF:61:F2:00:15:AD";
    assert_eq!(certificate.fingerprint(), digits);
    assert_eq!(format!("{certificate:?}"), format!("ClientCertificate({digits})"));
}

#[test]
fn roots_are_checked() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("clients.pem");
    let error = || ClientRoots::from_file(&path).unwrap_err().to_string();
    assert!(error().contains("clients.pem: cannot be read"), "{}", error());
    std::fs::write(&path, "nothing").unwrap();
    assert!(error().contains("clients.pem: no certificate found"), "{}", error());
    std::fs::write(&path, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----").unwrap();
    assert!(error().contains("clients.pem: the certificate cannot be used"), "{}", error());
    let pem = [Authority::new().pem, Authority::new().pem].concat();
    std::fs::write(&path, pem).unwrap();
    ClientRoots::from_file(&path).unwrap();
}
