//! The TLS options of the program: what it says of good and bad certificates.

mod support;

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use rcgen::{CertificateParams, KeyPair};
use rustix::process::Signal;

use support::program::Program;

/// A folder with a certificate and its key, another's key, and files that are neither.
struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        for name in ["server", "other"] {
            let key = KeyPair::generate().unwrap();
            let certificate = CertificateParams::new(["localhost".into()]).unwrap();
            let certificate = certificate.self_signed(&key).unwrap();
            fs::write(place.file(&format!("{name}.crt")), certificate.pem()).unwrap();
            fs::write(place.file(&format!("{name}.key")), key.serialize_pem()).unwrap();
        }
        fs::write(place.file("empty"), "").unwrap();
        let half = fs::read_to_string(place.file("server.crt")).unwrap();
        fs::write(place.file("half.crt"), &half[..half.len() / 2]).unwrap();
        fs::create_dir(place.file("served")).unwrap();
        place
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Runs the program to its end; files are named in its folder.
    fn run(&self, args: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_wharf"));
        command.current_dir(self.0.path()).env_remove("WHARF_PASSWORD").stdin(Stdio::null());
        command.args(args).output().unwrap()
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn what_is_wrong_is_told_with_the_file() {
    let place = Place::new();
    for (cert, key, parts) in [
        ("none.crt", "server.key", ["none.crt", "No such file"]),
        ("server.crt", "none.key", ["none.key", "No such file"]),
        ("server.crt", "other.key", ["other.key", "does not belong to"]),
        ("empty", "server.key", ["empty", "no certificate"]),
        ("server.crt", "empty", ["empty", "no private key"]),
        ("server.key", "server.key", ["server.key", "no certificate"]),
        ("server.crt", "server.crt", ["server.crt", "no private key"]),
        ("half.crt", "server.key", ["half.crt", "PEM"]),
        ("served", "server.key", ["served", "directory"]),
    ] {
        for (command, code) in [(&["served"][..], 2), (&["check", "served"], 1)] {
            let args = [command, &["--tls-cert", cert, "--tls-key", key]].concat();
            let output = place.run(&args);
            let said = text(&output.stderr);
            assert_eq!(output.status.code(), Some(code), "{cert}, {key}: {said}");
            assert!(parts.iter().all(|part| said.contains(part)), "{cert}, {key}: {said}");
            assert_eq!(said.lines().count(), 1, "{said}");
        }
    }
}

#[test]
fn options_that_need_a_certificate_say_so() {
    let place = Place::new();
    for args in [
        &["--tls-required", "login"][..],
        &["--tls-resumption", "require"],
        &["--implicit-tls", "127.0.0.1:0"],
        &["--tls-client-ca", "server.crt"],
        &["--allow-ccc"],
    ] {
        let output = place.run(&[&["served"], args].concat());
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(args[0]) && said.contains("--tls-cert"), "{said}");
    }
    let args = ["check", "served", "--tls-self-signed", "--tls-client-ca", "server.key"];
    let output = place.run(&args);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("server.key"));
}

#[test]
fn check_tells_of_what_is_right() {
    let place = Place::new();
    let output =
        place.run(&["check", "served", "--tls-cert", "server.crt", "--tls-key", "server.key"]);
    let said = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(said.contains("TLS, certificate SHA-256 "), "{said}");
    let said = text(&place.run(&["check", "served", "--tls-self-signed"]).stdout);
    assert!(said.contains("made up at every start"), "{said}");
    let said = text(&place.run(&["check", "served"]).stdout);
    assert!(said.contains("no TLS"), "{said}");
}

fn serve(place: &Place, args: &[&str]) -> Program {
    let file = |name: &&str| Path::new(name).extension().is_some();
    Program::start(&place.file("served"), |command| {
        for arg in args {
            if file(arg) {
                command.arg(place.file(arg))
            } else {
                command.arg(arg)
            };
        }
    })
}

#[test]
fn a_newcomer_is_told_how_to_come_in() {
    let place = Place::new();
    let made_up = serve(&place, &["--tls-self-signed", "--implicit-tls", "[::]:0"]);
    let fingerprint = made_up.welcome.lines().find(|line| line.matches(':').count() == 31);
    let fingerprint = fingerprint.expect("a SHA-256 fingerprint").trim();
    assert!(fingerprint.split(':').all(|byte| u8::from_str_radix(byte, 16).is_ok()));
    assert!(made_up.welcome.contains("curl --ssl-reqd --insecure ftp://"), "{}", made_up.welcome);
    assert!(made_up.welcome.contains("curl --insecure ftps://"), "{}", made_up.welcome);
    let mut client = support::Client::dial(made_up.address).unwrap();
    client.expect(220);
    assert!(client.ask("FEAT", 211).text.contains(" AUTH TLS\r\n"));
    client.ask("AUTH TLS", 234);
    drop(client);
    assert_eq!(made_up.end(Signal::TERM).0, Some(0));

    let args = ["--tls-cert", "server.crt", "--tls-key", "server.key", "--tls-required", "login"];
    let own = serve(&place, &args);
    assert!(own.welcome.contains("curl --ssl-reqd ftp://"), "{}", own.welcome);
    let mut client = support::Client::dial(own.address).unwrap();
    client.expect(220);
    assert!(client.ask("USER anonymous", 530).text.contains("AUTH TLS"));
}

#[test]
fn files_that_others_can_get_at_are_warned_of() {
    let place = Place::new();
    let check = || {
        let args = ["check", "served", "--tls-cert", "server.crt", "--tls-key", "server.key"];
        let output = place.run(&[&args[..], &["--tls-client-ca", "other.crt"]].concat());
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        text(&output.stderr)
    };
    let set_mode = |name: &str, mode| {
        fs::set_permissions(place.file(name), Permissions::from_mode(mode)).unwrap();
    };
    set_mode("server.key", 0o640);
    assert_eq!(check(), "");
    set_mode("server.key", 0o644);
    assert!(check().contains("server.key: every user of this computer can read it"));
    set_mode("server.key", 0o600);
    set_mode("server.crt", 0o664);
    set_mode("other.crt", 0o666);
    let told = check();
    assert!(told.contains("server.crt: its group can write"), "{told}");
    assert!(told.contains("other.crt: every user of this computer can write"), "{told}");
    assert_eq!(told.lines().count(), 2, "{told}");
    set_mode("server.crt", 0o644);
    set_mode("other.crt", 0o644);
    fs::set_permissions(place.0.path(), Permissions::from_mode(0o777)).unwrap();
    let told = check();
    assert_eq!(told.matches("can put another file in its place").count(), 3, "{told}");
}
