//! Who comes in, and to what.

use std::num::NonZeroU64;
use std::time::Duration;

use sha2::{Digest, Sha256};
use wharf_core::{Permissions, Rates, TlsRequired, UploadEnd};

use super::*;

fn fingerprint(certificate: &[u8]) -> String {
    let bytes = Sha256::digest(certificate);
    let pairs: Vec<_> = bytes.iter().map(|byte| format!("{byte:02X}")).collect();
    pairs.join(":")
}

#[test]
fn a_user_comes_in_by_the_password_alone() {
    let place = Place::new(&(user("anna", "right", "") + &user("ben", "other", "")));
    let accounts = place.load();
    for (name, password) in [("anna", "right"), ("ben", "other")] {
        let account = login(&accounts, name, password).unwrap();
        assert_eq!(account.grant.rights.anywhere(), Permissions::READ_ONLY);
        assert_eq!(account.grant.tls, TlsRequired::None);
        assert_eq!(account.grant.rates, Rates::default());
        assert_eq!(sees(&account), "".len());
    }
    for (name, password) in
        [("anna", "other"), ("anna", ""), ("Anna", "right"), ("", ""), ("anonymous", "x")]
    {
        refused(login(&accounts, name, password));
    }
}

#[test]
fn whatever_fails_costs_one_hash() {
    let no_password =
        format!("[[user]]\nname = \"cat\"\ncertificate = \"{}\"\n", fingerprint(b"c"));
    let disabled = user("ben", "right", "enabled = false");
    let place = Place::new(&(user("anna", "right", "") + &disabled + &no_password));
    let accounts = place.load();
    let long = "x".repeat(1025);
    let attempts = [
        ("nobody", "right"),
        ("ben", "right"),
        ("ben", "wrong"),
        ("cat", "right"),
        ("cat", ""),
        ("anna", "wrong"),
        ("anna", ""),
        ("anna", &long),
        ("nobody", &long),
    ];
    for (done, (name, password)) in attempts.into_iter().enumerate() {
        // Twice: what is wrong is not remembered.
        for again in 1..=2 {
            refused(login(&accounts, name, password));
            assert_eq!(computed(&accounts), (2 * done + again) as u64, "{name}");
        }
    }
}

#[test]
fn a_password_that_is_too_long_does_not_match_its_beginning() {
    let longest = "x".repeat(1024);
    let accounts = Place::new(&user("anna", &longest, "")).load();
    refused(login(&accounts, "anna", &format!("{longest}x")));
    login(&accounts, "anna", &longest).unwrap();
    // Nor once it is remembered.
    refused(login(&accounts, "anna", &format!("{longest}x")));
}

#[test]
fn a_login_is_remembered() {
    let place = Place::new(&(user("anna", "right", "") + &user("ben", "right", "")));
    let accounts = place.load();
    for _ in 0..3 {
        login(&accounts, "anna", "right").unwrap();
        assert_eq!(computed(&accounts), 1);
    }
    refused(login(&accounts, "anna", "wrong"));
    assert_eq!(computed(&accounts), 2);
    login(&accounts, "ben", "right").unwrap();
    assert_eq!(computed(&accounts), 3);
    login(&accounts, "anna", "right").unwrap();
    assert_eq!(computed(&accounts), 3);
}

#[test]
fn no_time_to_remember_is_off() {
    let accounts = Place::new(&user("anna", "right", "")).load().remember(Duration::ZERO);
    for times in 1..=3 {
        login(&accounts, "anna", "right").unwrap();
        assert_eq!(computed(&accounts), times);
    }
}

#[test]
fn the_decoy_costs_as_much_as_the_most_expensive() {
    let costly = hash_with(&Params::new(16, 2, 1, None).unwrap(), b"x").unwrap();
    let host =
        format!("[[host]]\nname = \"h\"\n[[host.user]]\nname = \"ben\"\npassword = \"{costly}\"\n");
    let accounts = Place::new(&(user("anna", "right", "") + &host)).load();
    assert_eq!(accounts.shared.book().decoy.cost(), 32);
    // Where there is no hash at all, as one of `hash_password`.
    let accounts = Place::new("[anonymous]").load();
    assert_eq!(accounts.shared.book().decoy.cost(), 2 * 19456);
}

#[test]
fn a_certificate_stands_for_the_password() {
    let several = format!("certificate = [\"{}\", \"{}\"]", fingerprint(b"a"), fingerprint(b"b"));
    let off = format!("enabled = false\ncertificate = \"{}\"", fingerprint(b"a"));
    let only = format!("[[user]]\nname = \"cat\"\ncertificate = \"{}\"\n", fingerprint(b"c"));
    let text = user("anna", "right", &several) + &user("ben", "right", &off) + &only;
    let accounts = Place::new(&(text + "[anonymous]\n")).load();
    for (name, certificate) in [("anna", b"a"), ("anna", b"b"), ("cat", b"c")] {
        show(&accounts, name, certificate).unwrap();
    }
    for (name, certificate) in
        [("anna", b"c"), ("ben", b"a"), ("cat", b"a"), ("nobody", b"a"), ("anonymous", b"a")]
    {
        refused(show(&accounts, name, certificate));
    }
    login(&accounts, "anna", "right").unwrap();
    refused(login(&accounts, "cat", ""));
}

#[test]
fn any_client_is_anonymous_where_there_is_such_a_section() {
    let text = "[anonymous]\nroot = \"public\"\ntls = \"data\"\n[anonymous.limits]\nsessions = 2\n";
    let place = Place::new(text);
    let accounts = place.load();
    let seats: Vec<_> = ["anonymous", "FTP"]
        .map(|name| {
            let account = login(&accounts, name, "me@example").unwrap();
            assert_eq!((sees(&account), account.grant.tls), ("public".len(), TlsRequired::Data));
            account.permit
        })
        .into();
    let full = login(&accounts, "ftp", "");
    assert_eq!(full.map(|account| account.grant), Err(Denial::TooManySessions));
    drop(seats);
    login(&accounts, "ftp", "").unwrap();
    assert_eq!(computed(&accounts), 0);
}

#[test]
fn what_is_granted() {
    let text = r#"
        permissions = "elw"
        tls = "all"
        tls_upload_end = "lenient"
        root = "homes/{user}"
        public_keys = ["ssh-ed25519 AAAA"]
        [user.folders]
        "/in" = "write"
        "/out/" = "read"
        [user.limits]
        download_rate = 1000000
        upload_rate = 500000
    "#;
    let place = Place::new(&user("anna", "right", text));
    let accounts = place.load();
    let account = login(&accounts, "anna", "right").unwrap();
    let at = |path: &[u8]| account.grant.rights.at(&VirtualPath::root().resolve(path).unwrap());
    assert_eq!(at(b"/"), Permissions::parse("elw").unwrap());
    assert_eq!(at(b"/in/x"), Permissions::ALL);
    assert_eq!(at(b"/out"), Permissions::READ_ONLY);
    assert_eq!(account.grant.tls, TlsRequired::All);
    assert_eq!(account.grant.upload_end, Some(UploadEnd::Lenient));
    let rates = Rates { download: NonZeroU64::new(1_000_000), upload: NonZeroU64::new(500_000) };
    assert_eq!(account.grant.rates, rates);
    assert_eq!(sees(&account), "homes/anna".len());
}

#[test]
fn a_wrong_password_learns_nothing_of_full_accounts() {
    let accounts = Place::new(&user("anna", "right", "limits.sessions = 1")).load();
    let first = login(&accounts, "anna", "right").unwrap();
    refused(login(&accounts, "anna", "wrong"));
    let full = login(&accounts, "anna", "right").map(|account| account.grant);
    assert_eq!(full, Err(Denial::TooManySessions));
    drop(first);
    login(&accounts, "anna", "right").unwrap();
}

#[test]
fn roots_may_be_absolute_and_are_shared() {
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("here"), "x".repeat(50)).unwrap();
    let absolute = format!("root = {:?}", outside.path());
    let text = user("anna", "right", &absolute) + &user("ben", "right", &absolute);
    let accounts = Place::new(&(text + &user("cat", "right", ""))).load();
    let anna = login(&accounts, "anna", "right").unwrap();
    let ben = login(&accounts, "ben", "right").unwrap();
    assert_eq!((sees(&anna), sees(&ben)), (50, 50));
    let book = accounts.shared.book();
    let storage = |name: &str| &book.default.users[name.as_bytes()].entry.storage;
    assert!(std::sync::Arc::ptr_eq(storage("anna"), storage("ben")));
    assert!(std::sync::Arc::ptr_eq(storage("cat"), &accounts.shared.base));
}

#[test]
fn a_link_within_the_base_is_a_root_like_any_other() {
    let place = Place::new(&user("anna", "right", "root = \"link\""));
    std::os::unix::fs::symlink("homes/ben", place.base().join("link")).unwrap();
    let accounts = place.load();
    assert_eq!(sees(&login(&accounts, "anna", "right").unwrap()), "homes/ben".len());
}

#[test]
fn hosts_have_accounts_of_their_own() {
    let host = "[[host]]\nname = \"Files.Example.org\"\ncertificate = \"a.crt\"\nkey = \"a.key\"\n";
    let inside = user("anna", "inside", "limits.sessions = 1").replace("user", "host.user");
    let other = "[[host]]\nname = \"b\"\n[host.anonymous]\nroot = \"public\"\n";
    let place = Place::new("");
    place.write(&(user("anna", "outside", "") + host + &inside + other));
    for name in ["a.crt", "a.key"] {
        fs::write(place.folder.path().join(name), "").unwrap();
    }
    let accounts = place.load();
    assert_eq!(accounts.summary(), "2 users, 2 hosts, anonymous read-only");
    let [first, second] = &accounts.hosts()[..] else { panic!("two hosts") };
    assert_eq!((first.name.as_str(), second.name.as_str()), ("files.example.org", "b"));
    let beside = |name: &str| place.folder.path().join(name);
    assert_eq!(first.certificate, Some((beside("a.crt"), beside("a.key"))));
    assert_eq!(second.certificate, None);

    let (first, second) = (&*first.accounts, &*second.accounts);
    let _seat = login(first, "anna", "inside").unwrap();
    assert_eq!(login(first, "anna", "inside").err(), Some(Denial::TooManySessions));
    login(&accounts, "anna", "outside").unwrap();
    login(second, "ftp", "").unwrap();
    refused(login(first, "anna", "outside"));
    refused(login(&accounts, "anna", "inside"));
    refused(login(second, "anna", "inside"));
    refused(login(&accounts, "ftp", ""));
}

#[test]
fn secrets_are_not_shown() {
    let place = Place::new(&user("anna", "right", ""));
    let accounts = place.load();
    let shown = format!("{accounts:?} {:?}", accounts.shared.book());
    assert!(!shown.contains("$argon2id"), "{shown}");
}

#[test]
fn an_account_is_for_its_networks_alone() {
    let certificate = format!("certificate = \"{}\"\n", fingerprint(b"c"));
    let networks = "allow_from = [\"10.0.0.0/8\", \"2001:db8::/32\"]\ndeny_from = \"10.0.0.9\"\n\
                    limits.sessions = 1";
    let anonymous = "[anonymous]\ndeny_from = \"10.0.0.0/8, 192.0.2.7\"\n";
    let place = Place::new(&(user("anna", "right", &(certificate + networks)) + anonymous));
    let accounts = place.load();
    let right = Password::new("right");
    let methods =
        [Credential::Password(&right), Credential::Certificate(&ClientCertificate::from_der(b"c"))];
    for method in methods {
        for (peer, outcome) in [
            ("10.1.2.3", None),
            ("::ffff:10.1.2.3", None),
            ("2001:db8::1", None),
            ("10.0.0.9", Some(Denial::WrongNetwork)),
            ("::ffff:10.0.0.9", Some(Denial::WrongNetwork)),
            ("192.0.2.1", Some(Denial::WrongNetwork)),
            ("::1", Some(Denial::WrongNetwork)),
        ] {
            assert_eq!(prove_from(peer, &accounts, "anna", method).err(), outcome, "{peer}");
        }
    }
    for (peer, outcome) in [
        ("192.0.2.1", None),
        ("192.0.2.7", Some(Denial::WrongNetwork)),
        ("10.1.2.3", Some(Denial::WrongNetwork)),
    ] {
        assert_eq!(prove_from(peer, &accounts, "ftp", methods[0]).err(), outcome, "{peer}");
    }
}

/// Neither the time of a login nor the limit of sessions tells that the password is right.
#[test]
fn a_right_password_from_elsewhere_does_not_show() {
    let place =
        Place::new(&user("anna", "right", "allow_from = \"10.0.0.0/8\"\nlimits.sessions = 1"));
    let accounts = place.load();
    let password = Password::new("right");
    let from = |peer| prove_from(peer, &accounts, "anna", Credential::Password(&password));
    let session = from("10.0.0.1").unwrap();
    for again in 1..=3 {
        assert_eq!(from("192.0.2.1").err(), Some(Denial::WrongNetwork));
        assert_eq!(computed(&accounts), 1 + again);
    }
    assert_eq!(from("10.0.0.1").err(), Some(Denial::TooManySessions));
    assert_eq!(computed(&accounts), 4);
    drop(session);
}
