//! The options of LIST and NLST, with files on a disk and in memory.

use std::fs;
use std::os::unix::fs::symlink;
use std::sync::Arc;

use wharf::{
    Account, Accounts, Attempt, Backend, Denial, Directory, ListBounds, Memory, Permissions,
    Rights, Server, Storage,
};

use crate::support::{
    Call, Client, Faulty, Gate, accounts_server, for_each_driver, read_all, server,
};

for_each_driver!(
    a_tree_is_listed,
    entries_come_in_the_order_that_is_asked_for,
    the_newest_of_many_comes_first,
    links_lead_neither_out_nor_around,
    what_may_not_be_listed_is_left_out,
    a_tree_is_listed_up_to_its_bounds,
    a_long_way_through_a_tree_can_be_broken_off,
    a_tree_that_hangs_holds_up_no_other,
    a_panic_on_the_way_ends_the_listing,
);

/// The lines of a listing.
fn lines(client: &mut Client, command: &str) -> Vec<String> {
    let text = String::from_utf8(client.get(command)).unwrap();
    assert!(text.is_empty() || text.ends_with("\r\n"), "{command}: {text}");
    text.lines().map(String::from).collect()
}

/// The last word of each line of a listing.
fn last_words(client: &mut Client, command: &str) -> Vec<String> {
    let lines = lines(client, command).into_iter();
    lines.map(|line| line.rsplit(' ').next().unwrap_or_default().into()).collect()
}

fn fill(client: &mut Client) {
    client.ask("TYPE I", 200);
    for folder in ["pub", "pub/old", "pub/old/er", "pub/.git"] {
        client.ask(&format!("MKD {folder}"), 257);
    }
    for (name, content) in [("-l", "1234567"), ("b", "12"), ("old/x", "1"), (".git/config", "")] {
        client.put(&format!("STOR pub/{name}"), content.as_bytes());
    }
    for (name, day) in [("-l", 3), ("b", 1), (".git", 2), ("old/er", 1), ("old/x", 2), ("old", 4)] {
        client.ask(&format!("MFMT 2024010{day}000000 pub/{name}"), 213);
    }
}

/// Runs a test with a folder of the disk, then with files in memory.
fn with_each(backend: Backend, test: impl Fn(&mut Client)) {
    let folder = tempfile::tempdir().unwrap();
    let directory = Directory::open(folder.path()).unwrap();
    for server in [server(backend, directory), server(backend, Memory::new())] {
        let server = server.spawn().unwrap();
        let mut client = Client::log_in(&server);
        fill(&mut client);
        test(&mut client);
        client.ask("NOOP", 200);
    }
}

fn a_tree_is_listed(backend: Backend) {
    with_each(backend, |client| {
        let all = [
            "pub",
            "pub/-l",
            "pub/.git",
            "pub/b",
            "pub/old",
            "pub/.git/config",
            "pub/old/er",
            "pub/old/x",
        ];
        assert_eq!(lines(client, "NLST -R"), all);
        assert_eq!(lines(client, "NLST -AR1 pub"), all[1..]);
        // Each is a name to be given back.
        assert_eq!(client.get("RETR pub/old/x"), b"1");
        let long = last_words(client, "LIST -R");
        let headings = [
            ".:",
            "pub",
            "",
            "./pub:",
            "-l",
            ".git",
            "b",
            "old",
            "",
            "./pub/.git:",
            "config",
            "",
            "./pub/old:",
            "er",
            "x",
            "",
            "./pub/old/er:",
        ];
        assert_eq!(long, headings);
        assert_eq!(last_words(client, "NLST -lR"), headings);
        assert_eq!(
            lines(client, "LIST -1R /pub/old"),
            ["/pub/old:", "er", "x", "", "/pub/old/er:"]
        );
        assert_eq!(lines(client, "NLST -R p*"), all);
        assert_eq!(lines(client, "NLST -dR pub"), ["pub"]);
        client.ask("CWD pub", 250);
        assert_eq!(lines(client, "NLST -R -- -l"), ["-l"]);
        assert_eq!(
            lines(client, "LIST -a1R old"),
            ["old:", ".", "..", "er", "x", "", "old/er:", ".", ".."]
        );
        client.ask("STAT -R", 504);
    });
}

fn entries_come_in_the_order_that_is_asked_for(backend: Backend) {
    with_each(backend, |client| {
        let mut sorted = |command: &str| last_words(client, command);
        assert_eq!(sorted("LIST pub"), ["-l", ".git", "b", "old"]);
        assert_eq!(sorted("LIST -t pub"), ["old", "-l", ".git", "b"]);
        assert_eq!(sorted("LIST -lrt pub"), ["b", ".git", "-l", "old"]);
        assert_eq!(sorted("NLST -t pub"), ["pub/old", "pub/-l", "pub/.git", "pub/b"]);
        assert_eq!(sorted("LIST -r pub"), ["old", "b", ".git", "-l"]);
        let by_size = |names: Vec<String>| -> Vec<String> {
            // How large a directory is, is the file system's own matter.
            names.into_iter().filter(|name| name.len() < 3).collect()
        };
        assert_eq!(by_size(sorted("LIST -S pub")), ["-l", "b"]);
        assert_eq!(by_size(sorted("LIST -Sr pub")), ["b", "-l"]);
        assert_eq!(sorted("LIST -la pub"), [".", "..", "-l", ".git", "b", "old"]);
        assert_eq!(sorted("NLST -1t /pub/old/"), ["/pub/old/x", "/pub/old/er"]);
    });
}

fn the_newest_of_many_comes_first(backend: Backend) {
    let folder = tempfile::tempdir().unwrap();
    let directory = Directory::open(folder.path()).unwrap();
    let little = ListBounds { memory_bytes: 16 * 1024, ..ListBounds::default() };
    for server in [server(backend, directory), server(backend, Memory::new())] {
        let server = server.list_bounds(little).spawn().unwrap();
        let mut client = Client::log_in(&server);
        client.ask("MKD many", 257);
        let mut names: Vec<String> = (0..300).map(|number| format!("many/{number:03}")).collect();
        for (number, name) in (0..).zip(&names) {
            client.put(&format!("STOR {name}"), b"");
            // In an order that is not that of the names.
            let minutes = number * 7 % 300;
            let time = format!("20240101{:02}{:02}00", minutes / 60, minutes % 60);
            client.ask(&format!("MFMT {time} {name}"), 213);
        }
        // 299 is 7 times 257, less 1500.
        let newest = lines(&mut client, "NLST -t many");
        assert_eq!(newest[..3], ["many/257", "many/214", "many/171"]);
        let mut all = newest.clone();
        all.sort();
        assert_eq!(all, names);
        names.reverse();
        let reversed = lines(&mut client, "NLST -r many");
        assert_eq!(reversed[..10], names[..10]);
    }
}

fn links_lead_neither_out_nor_around(backend: Backend) {
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("secret"), "").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::create_dir_all(at("a/b")).unwrap();
    fs::write(at("a/b/file"), "12345").unwrap();
    symlink("..", at("a/b/up")).unwrap();
    symlink("a/b", at("to-b")).unwrap();
    symlink("a/b/file", at("to-file")).unwrap();
    symlink("gone", at("to-nothing")).unwrap();
    symlink(outside.path(), at("out")).unwrap();
    let server = server(backend, Directory::open(folder.path()).unwrap()).spawn().unwrap();
    let mut client = Client::log_in(&server);
    let top = ["a", "out", "to-b", "to-file", "to-nothing"];
    let plain = [&top[..], &["a/b", "a/b/file", "a/b/up"]].concat();
    assert_eq!(lines(&mut client, "NLST -R"), plain);
    // By way of to-b, which is a/b, the folder a is new, and the b in it is not.
    let followed = [&plain[..], &["to-b/file", "to-b/up", "to-b/up/b"]].concat();
    assert_eq!(lines(&mut client, "NLST -RL"), followed);
    let long = lines(&mut client, "LIST -L");
    let shown: Vec<&str> = long.iter().map(|line| &line[..1]).collect();
    assert_eq!(shown, ["d", "l", "d", "-", "l"]);
    assert!(long[3].contains(" 5 ") && long[3].ends_with(" to-file"), "{long:?}");
    assert!(!client.get("LIST -lRL").windows(6).any(|part| part == b"secret"));
}

/// Accounts that let every client in alike.
struct Everyone(Memory, Rights);

impl Accounts for Everyone {
    fn login(&self, _: &Attempt<'_>) -> Result<Account, Denial> {
        Ok(Account::new(Arc::new(self.0.clone()), self.1.clone()))
    }
}

fn what_may_not_be_listed_is_left_out(backend: Backend) {
    let files = Memory::new().with_file("/a/closed/x", "").with_file("/a/own/y", "");
    files.clone().with_file("/z/end", "").set_mode(&"/a/closed".parse().unwrap(), 0).unwrap();
    let rights = Rights::everywhere(Permissions::ALL)
        .with_folder("/a/own".parse().unwrap(), Permissions::CHANGE_DIRECTORY);
    let server = accounts_server(backend, Everyone(files, rights)).spawn().unwrap();
    let mut client = Client::log_in(&server);
    let expected = [
        ".:",
        "a",
        "z",
        "",
        "./a:",
        "closed",
        "own",
        "ls: cannot open directory './a/closed': Permission denied",
        "ls: cannot open directory './a/own': Permission denied",
        "",
        "./z:",
        "end",
    ];
    assert_eq!(lines(&mut client, "LIST -1R"), expected);
    assert_eq!(lines(&mut client, "NLST -R"), ["a", "z", "a/closed", "a/own", "z/end"]);
    client.passive();
    client.ask("LIST -R a/own", 550);
}

fn start(backend: Backend, files: Memory, bounds: ListBounds) -> (Server, Client) {
    let server = server(backend, files).list_bounds(bounds).spawn().unwrap();
    let client = Client::log_in(&server);
    (server, client)
}

fn a_tree_is_listed_up_to_its_bounds(backend: Backend) {
    let files = Memory::new().with_file("/1/2/3/4/file", "").with_file("/9", "");
    let few = ListBounds { entries: 3, ..ListBounds::default() };
    let (_server, mut client) = start(backend, files.clone(), few);
    let note = "ls: the listing ends here: more than 3 entries";
    assert_eq!(lines(&mut client, "NLST -R"), ["1", "9", "1/2", note]);
    assert_eq!(lines(&mut client, "LIST -R").last().unwrap(), note);
    assert_eq!(lines(&mut client, "NLST"), ["1", "9"]);

    let flat = ListBounds { depth: 1, ..ListBounds::default() };
    let (_server, mut client) = start(backend, files.clone(), flat);
    let note = "ls: some directories are not listed: more than 1 levels down";
    assert_eq!(lines(&mut client, "NLST -R"), ["1", "9", "1/2", note]);

    let short = ListBounds { time: std::time::Duration::from_nanos(1), ..ListBounds::default() };
    let (_server, mut client) = start(backend, files.clone(), short);
    let last = lines(&mut client, "LIST -R").pop().unwrap();
    assert_eq!(last, "ls: the listing ends here: more than 0 seconds");

    let small = ListBounds { memory_bytes: 0, ..ListBounds::default() };
    let (_server, mut client) = start(backend, files.clone(), small);
    let note = "ls: some directories are not listed: too many at once";
    assert_eq!(lines(&mut client, "NLST -R"), ["1", "9", note]);
    let last = lines(&mut client, "LIST -r").pop().unwrap();
    assert_eq!(last, "ls: not all is sorted: too many entries in a directory");

    let off = ListBounds { entries: 0, ..ListBounds::default() };
    let (_server, mut client) = start(backend, files, off);
    client.passive();
    client.ask("LIST -R", 504);
}

fn a_long_way_through_a_tree_can_be_broken_off(backend: Backend) {
    let files = Memory::new();
    for number in 0..20_000 {
        files.write(&format!("/{}/a rather long name of a file {number:06}", number % 100), "");
    }
    let (_server, mut client) = start(backend, files, ListBounds::default());
    let mut data = client.narrow_passive();
    client.ask("LIST -lR", 150);
    std::io::Read::read_exact(&mut data, &mut [0; 10_000]).unwrap();
    client.ask("ABOR", 426);
    client.expect(226);
    drop(data);
    assert_eq!(lines(&mut client, "NLST -R").len(), 20_100);
    let data = client.narrow_passive();
    client.ask("NLST -rR", 150);
    let text = read_all(data);
    client.expect(226);
    assert_eq!(text.iter().filter(|&&byte| byte == b'\n').count(), 20_100);
}

fn a_tree_that_hangs_holds_up_no_other(backend: Backend) {
    let gate = Gate::new();
    let files = Faulty::new(Call::OpenDirectory, Some(gate.clone()));
    let server = server(backend, files).spawn().unwrap();
    let mut client = Client::log_in(&server);
    let data = client.passive();
    client.ask("NLST -R", 150);
    gate.wait_for(1);
    let mut other = Client::log_in(&server);
    assert_eq!(lines(&mut other, "NLST"), ["bad", "bad-folder", "good"]);
    client.ask("NOOP", 200);
    gate.open();
    assert_eq!(read_all(data), b"bad\r\nbad-folder\r\ngood\r\nbad-folder/entry\r\n");
    client.expect(226);
}

fn a_panic_on_the_way_ends_the_listing(backend: Backend) {
    for call in [Call::OpenDirectory, Call::NextEntry] {
        let server = server(backend, Faulty::new(call, None)).spawn().unwrap();
        let mut client = Client::log_in(&server);
        let data = client.passive();
        client.ask("LIST -R", 150);
        client.expect(451);
        drop(data);
        assert_eq!(client.get("RETR good"), b"Another file.");
    }
}
