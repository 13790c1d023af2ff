//! Certificates that change while the server runs.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;

use rcgen::{CertificateParams, KeyPair};
use wharf_core::DataProof;

use super::super::{Certificate, ClientCertificates, ClientRoots, Owner, Tls};
use super::{Client, Way};

const NAME: &str = "ftp.example";

struct Files {
    folder: tempfile::TempDir,
    cert: PathBuf,
    key: PathBuf,
}

impl Files {
    /// Writes a new certificate and its key to new files.
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (cert, key) = (folder.path().join("server.crt"), folder.path().join("server.key"));
        let files = Self { folder, cert, key };
        files.renew();
        files
    }

    fn load(&self) -> Certificate {
        Certificate::from_files(&self.cert, &self.key).unwrap()
    }

    /// Replaces both files, and returns the fingerprint that is to be seen from now on.
    fn renew(&self) -> String {
        let (cert, key) = generate();
        self.replace(&self.cert, &cert);
        self.replace(&self.key, &key);
        self.load().fingerprint()
    }

    fn replace(&self, path: &Path, text: &str) {
        let new = self.folder.path().join("new");
        fs::write(&new, text).unwrap();
        fs::rename(new, path).unwrap();
    }
}

fn generate() -> (String, String) {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec![NAME.to_owned()]).unwrap();
    (params.self_signed(&key).unwrap().pem(), key.serialize_pem())
}

/// The fingerprint that the next control connection shows, and that connection.
fn shown(tls: &Tls) -> (String, Owner) {
    let (_, owner) = tls.control(None).unwrap();
    (in_use(tls), owner)
}

fn in_use(tls: &Tls) -> String {
    tls.generation().certificates().next().unwrap().fingerprint()
}

#[test]
fn a_changed_certificate_is_taken_up_by_the_next_control_connection() {
    let files = Files::new();
    let first = files.load();
    let tls = Tls::new(first.clone()).unwrap();
    assert_eq!(shown(&tls).0, first.fingerprint());
    for _ in 0..3 {
        let expected = files.renew();
        assert_ne!(in_use(&tls), expected);
        assert_eq!(shown(&tls).0, expected);
    }
}

#[test]
fn a_session_keeps_what_it_began_with() {
    let files = Files::new();
    let first = files.load();
    let tls = Tls::new(first.clone()).unwrap();
    for way in Way::ALL {
        let certificate = files.load();
        let client = Client::new(way, &[&certificate]);
        let (mut control, owner) = tls.control(None).unwrap();
        files.renew();
        tls.reload().unwrap();
        client.connect(NAME, &mut control).unwrap();
        for expected in [DataProof::Resumed, DataProof::Fresh] {
            let client = match expected {
                DataProof::Resumed => client.clone(),
                _ => Client::new(way, &[&certificate]),
            };
            let (mut data, origin) = tls.data(&owner, None, true).unwrap();
            client.connect(NAME, &mut data).unwrap();
            assert_eq!(origin.proof(&data), expected, "{way:?}");
        }
    }
}

#[test]
fn bad_files_change_nothing() {
    let files = Files::new();
    let first = files.load();
    let tls = Tls::new(first.clone()).unwrap();
    let key = fs::read_to_string(&files.key).unwrap();
    for bad in ["", "garbage", &generate().1] {
        files.replace(&files.key, bad);
        let error = tls.reload().unwrap_err().to_string();
        assert!(error.contains("server.key: "), "{error}");
        assert_eq!(shown(&tls).0, first.fingerprint());
    }
    fs::remove_file(&files.key).unwrap();
    assert_eq!(shown(&tls).0, first.fingerprint());
    files.replace(&files.key, &key);
    tls.reload().unwrap();
    assert_eq!(shown(&tls).0, first.fingerprint());
}

#[test]
fn a_bad_file_is_tried_once() {
    let files = Files::new();
    let tls = Tls::new(files.load()).unwrap();
    let untried = || tls.seen.lock().unwrap().iter().any(|file| file.has_changed());
    files.replace(&files.key, "garbage");
    assert!(untried());
    tls.reload_if_changed();
    // Nothing has changed since: there is no reason to look at it again.
    assert!(!untried());
    let expected = files.renew();
    assert!(untried());
    assert_eq!(shown(&tls).0, expected);
}

#[test]
fn a_file_written_in_place_is_noticed() {
    let files = Files::new();
    let tls = Tls::new(files.load()).unwrap();
    let (cert, key) = generate();
    // One file after the other, as people copy them, with a connection in between.
    fs::write(&files.cert, cert + "\n").unwrap();
    let before = in_use(&tls);
    assert_eq!(shown(&tls).0, before);
    fs::write(&files.key, key + "\n").unwrap();
    assert_eq!(shown(&tls).0, files.load().fingerprint());
    assert_ne!(in_use(&tls), before);
}

#[test]
fn it_is_all_or_nothing() {
    let (default, host) = (Files::new(), Files::new());
    let (first, second) = (default.load(), host.load());
    let tls = Tls::new(first.clone()).unwrap().host("other.example", second.clone());
    let all =
        || -> Vec<_> { tls.generation().certificates().map(Certificate::fingerprint).collect() };
    let renewed = default.renew();
    host.replace(&host.cert, "garbage");
    tls.reload_if_changed();
    assert_eq!(all(), [first.fingerprint(), second.fingerprint()]);
    let also_renewed = host.renew();
    tls.reload_if_changed();
    assert_eq!(all(), [renewed, also_renewed]);
}

#[test]
fn client_roots_are_taken_up_too() {
    let files = Files::new();
    let certificate = Certificate::self_signed(&[NAME]).unwrap();
    let roots = ClientRoots::from_file(&files.cert).unwrap();
    let tls = Tls::new(certificate.clone())
        .unwrap()
        .client_certificates(ClientCertificates::Required(roots.clone()));
    let same = || tls.generation().clients().roots().unwrap().same(&roots);
    tls.reload().unwrap();
    assert!(same());
    files.replace(&files.cert, "garbage");
    shown(&tls);
    assert!(same());
    files.renew();
    shown(&tls);
    assert!(!same());
    assert_eq!(in_use(&tls), certificate.fingerprint());
}

#[test]
fn handshakes_do_not_wait_for_a_reload() {
    let files = Files::new();
    let tls = Tls::new(files.load()).unwrap();
    let before = in_use(&tls);
    files.renew();
    let reloading = tls.seen.lock().unwrap();
    assert_eq!(thread::scope(|scope| scope.spawn(|| shown(&tls).0).join().unwrap()), before);
    drop(reloading);
    assert_ne!(shown(&tls).0, before);
}

#[test]
fn all_threads_can_share_it() {
    fn shared<T: Send + Sync>() {}
    shared::<Tls>();
}
