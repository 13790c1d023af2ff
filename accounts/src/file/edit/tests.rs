//! What is added, removed and changed, and that all else stays.

use super::*;

/// A hash that takes no time.
const HASH: &str =
    "$argon2id$v=19$m=8,t=1,p=1$zlRmvLE26nIGE9ppWO/vrw$1RIFSAy+dU6KTlOgA4oFZZMi5NT/Su/qCVLSyjG/aB8";

/// All that may stand in such a file, in every way to write it.
const FILE: &str = r#"# Who may log in here.

# Anna, of the harbour.
[[user]]
name   =   "anna"   # her name
password = 'HASH'
folders."/z" = "eln"
folders."/a" = "read"
# tls = "all"

  # ---- Machines ----

  [[user]]
  name = 'scanner'
  certificate = [ "AA", # the old one
     "BB" ]

  [user.limits]   # of the scanner
  sessions = 1
  # download_rate = 5

# [[user]]
# name = "later"

# The public.
[anonymous]
root = "public"

[[host]]
name = "Files.example.org"
[[host.user]]
name = "anna"
password = "HASH"
[host.user.folders]
"/in" = "eln" # a drop box
[host.anonymous]

[[host]]
name = "other.example.org"
[[host.user]]
name = "joe"
password = "HASH"

# The end."#;

fn text(text: &str) -> AccountsText {
    let text = text.replace("HASH", HASH).replace("AA", &"ab".repeat(32));
    AccountsText::new("accounts.toml", text.replace("BB", &"cd".repeat(32))).unwrap()
}

fn file() -> AccountsText {
    let file = text(FILE);
    file.check(None).unwrap();
    file
}

fn ben() -> NewUser {
    NewUser { password: Some(HASH.into()), ..NewUser::new("ben") }
}

/// Returns the lines that the change took away, and those that it brought.
#[track_caller]
fn change(before: &AccountsText, after: &AccountsText) -> (String, String) {
    after.check(None).unwrap();
    let (old, new) = (before.as_str(), after.as_str());
    let old_lines: Vec<_> = old.split_inclusive('\n').collect();
    let new_lines: Vec<_> = new.split_inclusive('\n').collect();
    let same = old_lines.iter().zip(&new_lines).take_while(|(old, new)| old == new).count();
    let rest = old_lines[same..].iter().rev().zip(new_lines[same..].iter().rev());
    let end = rest.take_while(|(old, new)| old == new).count();
    let part = |lines: &[&str]| lines[same..lines.len() - end].concat().replace(HASH, "HASH");
    (part(&old_lines), part(&new_lines))
}

#[test]
fn a_user_is_added_after_the_others() {
    let mut changed = file();
    changed.add(&ben()).unwrap();
    let (gone, new) = change(&file(), &changed);
    assert_eq!(
        (gone.as_str(), new.as_str()),
        ("", "[[user]]\nname = \"ben\"\npassword = \"HASH\"\n\n")
    );
    let (before, _) = changed.as_str().split_once("\n[[user]]\nname = \"ben\"").unwrap();
    assert!(before.ends_with("# download_rate = 5\n"), "{before}");
    assert!(changed.as_str().contains(&format!("{HASH}\"\n\n# [[user]]\n# name = \"later\"")));
}

#[test]
fn a_user_is_added_to_a_host() {
    for name in ["files.example.org", "FILES.example.org"] {
        let mut changed = file();
        changed.add(&NewUser { host: Some(name.into()), ..ben() }).unwrap();
        let new = change(&file(), &changed).1;
        assert!(new.starts_with("[[host.user]]\nname = \"ben\"\n"), "{new}");
        assert!(changed.as_str().contains("[host.anonymous]\n\n[[host.user]]"));
        let users = changed.users().unwrap();
        let ben = users.iter().find(|user| user.name.as_deref() == Some("ben")).unwrap();
        assert_eq!(ben.host.as_deref(), Some("files.example.org"));
    }
    let mut changed = file();
    changed.add(&NewUser { host: Some("other.example.org".into()), ..ben() }).unwrap();
    let new = change(&file(), &changed).1;
    assert_eq!(new, "[[host.user]]\nname = \"ben\"\npassword = \"HASH\"\n\n");
    let error = changed.add(&NewUser { host: Some("none".into()), ..ben() }).unwrap_err();
    assert!(error.to_string().contains("there is no host \"none\"; write a [[host]]"), "{error}");
}

#[test]
fn all_fields_are_written_and_read() {
    let mut user = ben();
    user.name = "a \"quoted\" \\ näme".into();
    user.certificates = vec!["ab".repeat(32), "cd".repeat(32)];
    user.root = Some("homes".into());
    user.permissions = Some("elr".into());
    user.tls = Some("all".into());
    user.tls_upload_end = Some("lenient".into());
    user.allow_from = vec!["10.0.0.0/8".into(), "::1".into()];
    user.deny_from = vec!["10.0.0.1".into()];
    user.disabled = true;
    user.folders = vec![("/in \"x\"".into(), "eln".into()), ("/b".into(), "".into())];
    (user.sessions, user.download_rate, user.upload_rate) = (Some(1), Some(2), Some(3));
    let mut changed = text("");
    changed.add(&user).unwrap();
    changed.check(None).unwrap();
    let listed = changed.users().unwrap();
    assert_eq!(
        listed,
        [ListedUser {
            host: None,
            name: Some(user.name),
            root: Some("homes".into()),
            permissions: "elr".into(),
            folders: 2,
            enabled: false,
            has_password: true,
            has_certificate: true,
        }]
    );
    for part in [
        "tls = \"all\"",
        "tls_upload_end = \"lenient\"",
        "enabled = false",
        "allow_from = [\n    \"10.0.0.0/8\",\n    \"::1\",\n]\ndeny_from = \"10.0.0.1\"\n",
        "[user.limits]\nsessions = 1\ndownload_rate = 2\nupload_rate = 3\n",
    ] {
        assert!(changed.as_str().contains(part), "{part}");
    }
}

#[test]
fn names_that_are_there_are_refused_by_line() {
    let mut changed = file();
    for (host, name, line) in [(None, "anna", 5), (Some("files.example.org"), "anna", 32)] {
        let host = host.map(str::to_string);
        let error = changed.add(&NewUser { host, name: name.into(), ..ben() }).unwrap_err();
        let expected = format!("accounts.toml:{line}: there is a user \"anna\" already");
        assert_eq!(error.to_string(), expected);
    }
    for bad in ["", "a\nb"] {
        assert!(changed.find_room(None, bad).is_err());
    }
    assert_eq!(changed.as_str(), file().as_str());
}

#[test]
fn a_user_is_removed_with_its_tables_and_comments() {
    let mut changed = file();
    let removed = changed.remove(None, "anna").unwrap();
    let (gone, new) = change(&file(), &changed);
    assert!(removed.starts_with("# Anna, of the harbour.\n[[user]]\n"), "{removed}");
    assert!(removed.ends_with("# tls = \"all\"\n"));
    assert_eq!((gone, new), (removed.replace(HASH, "HASH") + "\n", String::new()));
    assert!(changed.as_str().starts_with("# Who may log in here.\n\n  # ---- Machines ----\n\n"));

    let mut changed = file();
    let removed = changed.remove(None, "scanner").unwrap();
    assert!(removed.starts_with("  [[user]]\n  name = 'scanner'"), "{removed}");
    assert!(removed.ends_with("sessions = 1\n  # download_rate = 5\n"), "{removed}");
    assert!(changed.as_str().contains("# ---- Machines ----\n\n# [[user]]\n# name = \"later\""));
    changed.check(None).unwrap();

    let mut changed = file();
    let removed = changed.remove(Some("files.example.org"), "anna").unwrap();
    assert!(removed.starts_with("[[host.user]]\nname = \"anna\"\n"), "{removed}");
    assert!(removed.ends_with("[host.user.folders]\n\"/in\" = \"eln\" # a drop box\n"));
    assert_eq!(change(&file(), &changed).1, "");
    changed.find(None, "anna").unwrap();

    let mut changed = file();
    changed.remove(Some("other.example.org"), "joe").unwrap();
    assert!(changed.as_str().ends_with("name = \"other.example.org\"\n\n# The end."));
}

#[test]
fn what_is_added_and_removed_leaves_nothing() {
    let files = [
        FILE,
        "# Mine.\n\n[anonymous]\n",
        "[anonymous]",
        "[[user]]\nname = 'x'\npassword = 'HASH'\n",
    ];
    for file in files {
        for end in ["\n", "\r\n"] {
            let before = text(&file.replace('\n', end));
            let mut changed = before.clone();
            changed.add(&ben()).unwrap();
            let lone = changed.as_str().replace("\r\n", "").matches('\n').count();
            assert_eq!(lone > 0, !before.as_str().contains('\r'), "{changed:?}");
            changed.check(None).unwrap();
            changed.remove(None, "ben").unwrap();
            assert_eq!(changed.as_str().trim_end(), before.as_str().trim_end());
        }
    }
}

#[test]
fn a_table_apart_goes_too() {
    let mut changed = text(
        "[[user]]\nname = 'x'\npassword = 'HASH'\n[anonymous]\nroot = 'a'\n[user.limits]\nsessions = 1\n\n[[user]]\nname = 'y'\npassword = 'HASH'\n",
    );
    changed.remove(None, "x").unwrap();
    let left = format!("[anonymous]\nroot = 'a'\n\n[[user]]\nname = 'y'\npassword = '{HASH}'\n");
    assert_eq!(changed.as_str(), left);
}

#[test]
fn a_password_takes_the_place_of_the_old_one() {
    let new = HASH.replace("zlRm", "ZlRm");
    let mut changed = file();
    changed.set_password(None, "anna", &new).unwrap();
    let (gone, brought) = change(&file(), &changed);
    assert_eq!(
        (gone.as_str(), brought),
        ("password = 'HASH'\n", format!("password = \"{new}\"\n"))
    );

    // Where there was none, it comes after the name.
    let mut changed = file();
    changed.set_password(None, "scanner", &new).unwrap();
    assert_eq!(change(&file(), &changed), (String::new(), format!("  password = \"{new}\"\n")));
    changed.find(None, "scanner").unwrap();

    let mut changed = text("[[user]]\ncertificate = 'AA'\nname = 'x'");
    changed.set_password(None, "x", &new).unwrap();
    assert!(changed.as_str().ends_with(&format!("name = 'x'\npassword = \"{new}\"")));
}

#[test]
fn users_within_brackets_get_passwords_and_nothing_else() {
    let inline =
        "user = [ { name = 'x', password = 'HASH' },\n  { name = 'y', certificate = 'AA' } ]\n";
    let mut changed = text(inline);
    changed.check(None).unwrap();
    let new = HASH.replace("zlRm", "ZlRm");
    changed.set_password(None, "x", &new).unwrap();
    changed.set_password(None, "y", &new).unwrap();
    changed.check(None).unwrap();
    let expected = inline
        .replace("'HASH'", &format!("\"{new}\""))
        .replace("'y'", &format!("'y', password = \"{new}\""))
        .replace("AA", &"ab".repeat(32));
    assert_eq!(changed.as_str(), expected);
    let error = changed.add(&ben()).unwrap_err().to_string();
    assert!(error.starts_with("accounts.toml:1: the users are within brackets"), "{error}");
    let error = changed.remove(None, "y").unwrap_err().to_string();
    assert!(error.starts_with("accounts.toml:2: user \"y\": within brackets"), "{error}");
    assert_eq!(changed.as_str(), expected);

    let mut changed = text("host = [ { name = 'h' } ]\n");
    let error = changed.add(&NewUser { host: Some("h".into()), ..ben() }).unwrap_err().to_string();
    assert!(error.starts_with("accounts.toml:1: host \"h\": within braces"), "{error}");
    let mut changed = text("[[host]]\nname = 'h'\nuser = []\n");
    let error = changed.add(&NewUser { host: Some("h".into()), ..ben() }).unwrap_err().to_string();
    assert!(error.starts_with("accounts.toml:3: the users are within brackets"), "{error}");
}

#[test]
fn who_is_not_there_is_named() {
    let mut changed = file();
    for (host, name, expected) in [
        (None, "bob", "there is no user \"bob\""),
        (None, "joe", "there is no user \"joe\"; the host \"other.example.org\" has one"),
        (
            Some("other.example.org"),
            "anna",
            "there is no user \"anna\" at the host \"other.example.org\"; there is one without a \
             host; the host \"files.example.org\" has one",
        ),
    ] {
        let expected = format!("accounts.toml: {expected}");
        assert_eq!(changed.remove(host, name).unwrap_err().to_string(), expected);
        assert_eq!(changed.set_password(host, name, HASH).unwrap_err().to_string(), expected);
    }
}

#[test]
fn text_that_looks_like_tables_and_comments_is_none() {
    let tricky = "[[user]]\nname = 'x'\npassword = 'HASH'\nroot = '''\n[[user]]\n# not'''\n[[user]]\nname = 'y'\npassword = 'HASH'\n";
    let mut changed = text(tricky);
    let removed = changed.remove(None, "y").unwrap();
    assert!(removed.starts_with("[[user]]\nname = 'y'"), "{removed}");
    let mut changed = text(tricky);
    let removed = changed.remove(None, "x").unwrap();
    assert!(
        removed.ends_with("# not'''\n") && changed.as_str().starts_with("[[user]]\nname = 'y'")
    );
    assert!(AccountsText::new("f", "[[user").is_err());
}

#[test]
fn mistakes_are_those_of_the_server() {
    let mut changed = file();
    changed.add(&NewUser { permissions: Some("elx".into()), ..ben() }).unwrap();
    let error = changed.check(None).unwrap_err().to_string();
    assert!(error.contains("user \"ben\": permissions: \"elx\": no permission is 'x'"), "{error}");

    let folder = tempfile::tempdir().unwrap();
    let served = Directory::open(folder.path()).unwrap();
    let mut changed = text("");
    changed.add(&NewUser { root: Some("homes/{user}".into()), ..ben() }).unwrap();
    changed.check(None).unwrap();
    let error = changed.check(Some(&served)).unwrap_err().to_string();
    assert!(error.contains("accounts.toml:4: user \"ben\": root: cannot open"), "{error}");
    std::fs::create_dir_all(folder.path().join("homes/ben")).unwrap();
    changed.check(Some(&served)).unwrap();
}
