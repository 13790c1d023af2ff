//! `wharf user`: what becomes of the accounts file.

mod support;

use std::fs::{self, Permissions};
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use support::program::Program;

/// A hash of "old" that takes no time.
const OLD: &str =
    "$argon2id$v=19$m=8,t=1,p=1$zlRmvLE26nIGE9ppWO/vrw$1RIFSAy+dU6KTlOgA4oFZZMi5NT/Su/qCVLSyjG/aB8";

/// A folder to serve, and the place of an accounts file.
struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        fs::create_dir_all(place.served().join("homes/anna")).unwrap();
        place
    }

    fn with(accounts: &str) -> Self {
        let place = Self::new();
        fs::write(place.file(), accounts).unwrap();
        fs::set_permissions(place.file(), Permissions::from_mode(0o640)).unwrap();
        place
    }

    fn served(&self) -> PathBuf {
        self.0.path().join("served")
    }

    fn file(&self) -> PathBuf {
        self.0.path().join("accounts.toml")
    }

    fn text(&self) -> String {
        fs::read_to_string(self.file()).unwrap()
    }

    /// Runs `wharf user` with this password on standard input.
    fn user(&self, args: &[&str]) -> Output {
        spawn(&self.file(), args).wait_with_output().unwrap()
    }

    /// Runs it; returns what it says.
    #[track_caller]
    fn done(&self, args: &[&str]) -> String {
        let output = self.user(args);
        assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// Runs it where it has to fail, with the file as it was; returns what it says, without the
    /// folder's name.
    #[track_caller]
    fn refused(&self, args: &[&str]) -> String {
        let before = fs::read(self.file()).ok();
        let output = self.user(args);
        assert!(output.status.code() == Some(1) && output.stdout.is_empty(), "{output:?}");
        assert_eq!(fs::read(self.file()).ok(), before);
        assert_eq!(self.others(), [""; 0]);
        let folder = format!("{}/", self.0.path().display());
        String::from_utf8(output.stderr).unwrap().replace(&folder, "")
    }

    /// Returns the names of what is there besides the file and the folder that is served.
    fn others(&self) -> Vec<String> {
        let entries = fs::read_dir(self.0.path()).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name != "accounts.toml" && name != "served").collect()
    }

    fn serve(&self) -> Program {
        Program::start(&self.served(), |command| {
            command.arg("--accounts").arg(self.file());
        })
    }
}

fn spawn(file: &Path, args: &[&str]) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wharf"));
    command.arg("user").args(args).arg("--accounts").arg(file);
    with_password(&mut command)
}

/// Starts it with a password to read, which it may leave.
fn with_password(command: &mut Command) -> Child {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let _ = child.stdin.take().unwrap().write_all(b"secret\n");
    child
}

fn account(name: &str) -> String {
    format!("[[user]]\nname = \"{name}\"\npassword = \"{OLD}\"\n")
}

#[test]
fn from_no_file_to_a_server_with_users() {
    let place = Place::new();
    let told = place.done(&["add", "anna", "--root", "homes/{user}", "--write"]);
    assert!(told.contains("accounts.toml: made, for its owner alone (mode 0600)\n"), "{told}");
    assert!(told.contains("accounts.toml: added user \"anna\"\n"), "{told}");
    assert!(told.contains("--served DIR") && told.contains("systemctl reload wharf"), "{told}");
    assert_eq!(fs::metadata(place.file()).unwrap().mode() & 0o7777, 0o600);
    assert!(place.text().starts_with("# Who may log in"), "{}", place.text());

    let program = place.serve();
    program.log_in("anna", "secret", 230).ask("MKD made", 257);
    assert!(place.served().join("homes/anna/made").is_dir());

    let told = place.done(&["add", "ben", "--disabled", "--folder", "/in=eln"]);
    assert!(!told.contains("made,") && !told.contains("--served"), "{told}");
    let list = place.done(&["list"]);
    let expected = "\
NAME  HOST  ROOT        PERMISSIONS  LOGIN
anna  -     homes/anna  write        password
ben   -     .           read+1       disabled
";
    assert_eq!(list, expected);
    let json = place.done(&["list", "--json"]);
    let expected = r#"[
  {"name": "anna", "host": null, "root": "homes/{user}", "permissions": "write", "folders": 0, "enabled": true, "password": true, "certificate": false},
  {"name": "ben", "host": null, "root": null, "permissions": "read", "folders": 1, "enabled": false, "password": true, "certificate": false}
]
"#;
    assert_eq!(json, expected);
    place.done(&["remove", "anna"]);
    assert!(!place.text().contains("anna"));
    assert_eq!(place.others(), [""; 0]);
}

#[test]
fn all_else_stays_as_it_is() {
    let before = format!(
        "# Ours.\r\n\r\n[[user]] # first\r\n  name='anna'\r\n  password  =  \"{OLD}\" # hers\r\n\r\n\
         # Public.\r\n[anonymous]\r\nlimits.sessions = 0x10\r\nlimits.upload_rate = 1_000"
    );
    let place = Place::with(&before);
    place.done(&["password", "anna"]);
    let text = place.text();
    let (start, rest) = before.split_once(OLD).unwrap();
    assert!(text.starts_with(start) && text.ends_with(rest) && text != before, "{text}");
    assert_eq!(fs::metadata(place.file()).unwrap().mode() & 0o7777, 0o640);
    place.done(&["add", "ben"]);
    place.done(&["remove", "ben"]);
    assert_eq!(place.text(), text);
}

#[test]
fn a_link_is_followed() {
    let place = Place::with(&account("anna"));
    let link = place.0.path().join("served/link.toml");
    symlink("../accounts.toml", &link).unwrap();
    let output = spawn(&link, &["add", "ben"]).wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert!(place.text().contains("\"ben\""));

    fs::remove_file(place.file()).unwrap();
    let output = spawn(&link, &["add", "ben"]).wait_with_output().unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.contains("a link to what is not there"), "{told}");
    assert!(!place.file().exists());
}

/// Of an ACL, the mode's group bits are the mask: a file with that mode alone would be open to the
/// group.
#[test]
#[cfg(target_os = "linux")]
fn a_list_of_who_may_read_it_is_not_lost() {
    let place = Place::with(&[account("anna"), account("bob")].concat());
    let entry = |tag: u16, rights: u16, id: u32| {
        [&tag.to_le_bytes()[..], &rights.to_le_bytes(), &id.to_le_bytes()].concat()
    };
    let (nobody, none) = (65_534, u32::MAX);
    // acl(5): the owner, another user, the group, the mask, all others.
    let entries = [(1, 6, none), (2, 4, nobody), (4, 0, none), (0x10, 4, none), (0x20, 0, none)];
    let mut list = 2_u32.to_le_bytes().to_vec();
    list.extend(entries.into_iter().flat_map(|(tag, rights, id)| entry(tag, rights, id)));
    let flags = rustix::fs::XattrFlags::empty();
    let name = "system.posix_acl_access";
    if let Err(error) = rustix::fs::setxattr(place.file(), name, &list, flags) {
        return println!("skipped, this file system keeps no ACL: {error}");
    }
    let told = place.refused(&["remove", "anna"]);
    assert!(told.contains("access control list") && told.contains("setfacl -b"), "{told}");
    let mut kept = [0; 64];
    assert_eq!(rustix::fs::getxattr(place.file(), name, &mut kept).unwrap(), list.len());
}

#[test]
fn many_at_once_lose_nothing() {
    let place = Place::new();
    let names: Vec<_> = (0..6).map(|number| format!("user-{number}")).collect();
    let children: Vec<_> = names.iter().map(|name| spawn(&place.file(), &["add", name])).collect();
    let mut made = 0;
    for child in children {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{output:?}");
        made += usize::from(String::from_utf8_lossy(&output.stdout).contains("made,"));
    }
    assert_eq!(made, 1);
    let list = place.done(&["list"]);
    assert!(names.iter().all(|name| list.contains(name)), "{list}");
    assert_eq!(list.lines().count(), 1 + names.len(), "{list}");
    assert_eq!(place.others(), [""; 0]);
}

#[test]
fn what_cannot_be_done_is_told_and_changes_nothing() {
    let place = Place::with(&(account("anna") + "\n" + &account("ben")));
    for (args, expected) in [
        (&["add", "ben"][..], "wharf: accounts.toml:6: there is a user \"ben\" already\n"),
        (&["add", ""], "wharf: accounts.toml: a name is wanted\n"),
        (&["add", "joe", "--host", "x.org"], "wharf: accounts.toml: there is no host \"x.org\""),
        (
            &["add", "joe", "--permissions", "elx"],
            "wharf: accounts.toml (as it would be):12: user \"joe\": permissions: \"elx\": no",
        ),
        (&["add", "joe", "--permissions", "elx"], "\nwharf: accounts.toml: nothing was changed\n"),
        (&["add", "joe", "--tls", "x"], "tls: \"x\": \"none\", \"login\""),
        (&["add", "joe", "--allow-from", "x"], "allow_from: \"x\": an address or a network"),
        (&["add", "joe", "--certificate", "AB", "--no-password"], "not a SHA-256 fingerprint"),
        (&["remove", "joe"], "wharf: accounts.toml: there is no user \"joe\"\n"),
        (&["password", "joe"], "wharf: accounts.toml: there is no user \"joe\"\n"),
    ] {
        let told = place.refused(args);
        assert!(told.contains(expected), "{args:?}: {told}");
    }
    let served = place.served();
    let served = ["--served", served.to_str().unwrap()];
    let told = place.refused(&[&["add", "joe", "--root", "homes/{user}"], &served[..]].concat());
    assert!(told.contains("root: cannot open the folder \"homes/joe\""), "{told}");
    let told = place.refused(&["add", "joe", "--served", "/nonexistent/folder"]);
    assert!(told.contains("--served: ") && told.contains("/nonexistent/folder"), "{told}");

    let begun = Place::with("");
    let told = begun.refused(&["add", "joe", "--permissions", "elx"]);
    assert!(told.contains("user \"joe\": permissions: \"elx\""), "{told}");

    // The last one who could log in.
    let place = Place::with(&account("anna"));
    let told = place.refused(&["remove", "anna"]);
    assert!(told.contains("a [[user]] or [anonymous] is wanted"), "{told}");
}

#[test]
fn a_mistake_that_was_there_is_told_by_its_line() {
    let place = Place::with(&(account("anna") + "root = 1\n"));
    let told = place.refused(&["password", "anna"]);
    assert!(told.starts_with("wharf: accounts.toml:4: user \"anna\": root: "), "{told}");
    let place = Place::with("# Ours.\n[[user");
    let told = place.refused(&["list"]);
    assert!(told.starts_with("wharf: accounts.toml:2:7: unclosed"), "{told}");
    let place = Place::with(&(account("anna") + "permissions = \"x\"\n" + &account("ben")));
    let told = place.refused(&["remove", "ben"]);
    assert!(told.starts_with("wharf: accounts.toml:4: user \"anna\": permissions"), "{told}");
    // Unless it goes with what is removed.
    place.done(&["remove", "anna"]);
}

#[test]
fn a_file_that_is_none_is_refused() {
    let place = Place::new();
    for args in [&["list"][..], &["remove", "anna"], &["password", "anna"]] {
        let told = place.refused(args);
        assert_eq!(told, "wharf: accounts.toml: there is no such file\n");
    }
    for file in [place.served(), PathBuf::from("/dev/null")] {
        let output = spawn(&file, &["add", "anna"]).wait_with_output().unwrap();
        let told = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.code() == Some(1) && told.contains(": not a file"), "{told}");
    }
    fs::write(place.file(), b"# \n\xff").unwrap();
    assert!(place.refused(&["list"]).contains("line 2 is not UTF-8 text"));
}

#[test]
fn where_there_is_no_room_the_old_file_stays() {
    let place = Place::with(&account("anna"));
    let before = place.text();
    let mut command = Command::new("sh");
    // A limit of the size of files, in place of a disk that is full.
    command.args(["-c", "trap '' XFSZ; ulimit -f 0; exec \"$@\"", "sh"]);
    command.arg(env!("CARGO_BIN_EXE_wharf")).args(["user", "add", "ben", "--accounts"]);
    let output = with_password(command.arg(place.file())).wait_with_output().unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.code() == Some(1) && told.contains("cannot write a new one"), "{told}");
    assert!(told.contains("it is as it was"), "{told}");
    assert_eq!((place.text(), place.others()), (before, Vec::new()));
}
