//! Letters of an account, and modes of a folder: each gives what it says, and no more.

use std::io::Write;
use std::sync::Arc;

use wharf::proto::VirtualPath;
use wharf::{Backend, Directory, Memory, Permissions, Server, SimpleAccounts, Storage};

use crate::support::{Client, accounts_server, for_each_driver};

for_each_driver!(
    renaming_does_not_replace,
    appending_does_not_create,
    new_files_only,
    entering_is_not_listing,
);

/// A server on which each of these is a user, with the letters for its name.
fn start(backend: Backend, files: impl Storage + Clone + 'static, users: &[&str]) -> Server {
    let mut accounts = SimpleAccounts::new(Arc::new(files.clone()));
    for letters in users {
        accounts = accounts.user(*letters, "secret", Permissions::parse(letters).unwrap());
    }
    accounts_server(backend, accounts).spawn().unwrap()
}

/// Logs in as the user who has these letters.
fn with(server: &Server, letters: &str) -> Client {
    let mut client = Client::connect(server);
    client.ask(&format!("USER {letters}"), 331);
    client.ask("PASS secret", 230);
    client.ask("TYPE I", 200);
    client
}

fn rename(client: &mut Client, from: &str, to: &str, code: u16) {
    client.ask(&format!("RNFR {from}"), 350);
    client.ask(&format!("RNTO {to}"), code);
}

fn renaming_does_not_replace(backend: Backend) {
    let memory = Memory::new().with_file("a", "a").with_file("b", "b").with_file("c", "c");
    let folder = tempfile::tempdir().unwrap();
    for name in ["a", "b", "c"] {
        std::fs::write(folder.path().join(name), name).unwrap();
    }
    let directory = Directory::open(folder.path()).unwrap();
    for server in [
        start(backend, memory, &["elrf", "elrfd", "elrfw"]),
        start(backend, directory, &["elrf", "elrfd", "elrfw"]),
    ] {
        let mut client = with(&server, "elrf");
        rename(&mut client, "a", "b", 553);
        rename(&mut client, "a", "a", 250);
        rename(&mut client, "a", "new", 250);
        assert_eq!(client.get("RETR b"), b"b");
        let mut client = with(&server, "elrfd");
        rename(&mut client, "new", "b", 250);
        assert_eq!(client.get("RETR b"), b"a");
        let mut client = with(&server, "elrfw");
        rename(&mut client, "c", "b", 250);
        assert_eq!(client.get("RETR b"), b"c");
    }
}

fn appending_does_not_create(backend: Backend) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a"), "a").unwrap();
    let directory = Directory::open(folder.path()).unwrap();
    for server in [
        start(backend, Memory::new().with_file("a", "a"), &["elra", "elraw"]),
        start(backend, directory, &["elra", "elraw"]),
    ] {
        let mut client = with(&server, "elra");
        client.pasv();
        client.ask("APPE new", 550);
        client.ask("SIZE new", 550);
        client.pasv();
        client.ask("STOR a", 550);
        client.put("APPE a", b"more");
        assert_eq!(client.get("RETR a"), b"amore");
        let mut client = with(&server, "elraw");
        client.put("APPE new", b"new");
        assert_eq!(client.get("RETR new"), b"new");
    }
}

/// A drop box: what is there stays as it is, whatever client tries to have its name.
fn new_files_only(backend: Backend) {
    for atomic in [true, false] {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("old"), "old").unwrap();
        let directory = Directory::open(folder.path()).unwrap();
        drop_box(backend, Arc::new(Memory::new().with_file("old", "old")), atomic);
        drop_box(backend, Arc::new(directory), atomic);
        assert_eq!(std::fs::read(folder.path().join("old")).unwrap(), b"old");
    }
}

fn drop_box(backend: Backend, storage: Arc<dyn Storage>, atomic: bool) {
    let mut accounts = SimpleAccounts::new(storage);
    for letters in ["eln", "elnr"] {
        accounts = accounts.user(letters, "secret", Permissions::parse(letters).unwrap());
    }
    let server = accounts_server(backend, accounts).atomic_uploads(atomic).spawn().unwrap();
    let mut client = with(&server, "eln");
    let mut reader = with(&server, "elnr");
    client.pasv();
    client.ask("STOR old", 553);
    client.pasv();
    client.ask("APPE old", 550);
    client.ask("REST 1", 350);
    client.pasv();
    client.ask("STOR old", 550);
    client.ask("RNFR old", 550);
    client.ask("DELE old", 550);
    client.put("STOR new", b"new");
    assert_eq!(reader.get("RETR new"), b"new");
    client.pasv();
    client.ask("STOR new", 553);
    client.put("STOU old", b"another");
    assert_eq!(reader.get("RETR old"), b"old");
    // Two at the same name: one has it, and the other is told so when it is whole.
    if atomic {
        let (slow, fast) = (client.begin("STOR both"), reader.begin("STOR both"));
        (&fast).write_all(b"fast").unwrap();
        drop(fast);
        reader.expect(226);
        (&slow).write_all(b"slow").unwrap();
        drop(slow);
        client.expect(553);
        assert_eq!(reader.get("RETR both"), b"fast");
    }
}

/// A folder of mode 0711 or 0733; `Memory` obeys modes for root too.
fn entering_is_not_listing(backend: Backend) {
    let memory = Memory::new().with_file("d/f", "f").with_file("d/e/g", "g");
    let server = start(backend, memory.clone(), &["elradfmwMT"]);
    let mut client = with(&server, "elradfmwMT");
    let set = |mode| memory.set_mode(&VirtualPath::root().join(b"d"), mode).unwrap();
    let perm = |client: &mut Client| {
        let facts = client.ask("MLST /d", 250).text;
        facts.split("perm=").nth(1).unwrap().split(';').next().unwrap().to_string()
    };
    for (mode, letters) in [(0o111, "def"), (0o333, "cdefmp")] {
        set(mode);
        client.ask("CWD /d", 250);
        assert_eq!(perm(&mut client), letters, "{mode:o}");
        for list in ["LIST", "NLST", "MLSD", "LIST /d", "NLST *"] {
            client.pasv();
            client.ask(list, 550);
        }
        client.ask("STAT /d", 550);
        assert_eq!(client.get("RETR f"), b"f");
        client.ask("SIZE f", 213);
        client.ask("CWD e", 250);
        assert_eq!(client.get("NLST"), b"g\r\n");
        client.ask("CDUP", 250);
        client.pasv();
        client.ask("RETR none", 550);
    }
    client.put("STOR new", b"new");
    assert_eq!(client.get("RETR new"), b"new");
    client.ask("CWD /", 250);
    set(0o444);
    assert_eq!(perm(&mut client), "df");
    client.ask("CWD d", 550);
    client.pasv();
    client.ask("LIST d", 550);
    client.pasv();
    client.ask("RETR d/f", 550);
    // The tree around it is as it was.
    assert_eq!(client.get("NLST"), b"d\r\n");
}
