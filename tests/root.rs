//! Root, and how it is given up. These tests need root, and say so where there is none.

#![cfg(target_os = "linux")]

mod support;

use std::fs::{self, Permissions};
use std::io::Read;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use rustix::process::Signal;
use wharf::Backend;

use support::program::{Program, command};
use support::{Client, for_each_driver};

for_each_driver!(nothing_of_root_is_left);

fn is_root() -> bool {
    let root = rustix::process::geteuid().is_root();
    if !root {
        eprintln!("skipped: only root can become another user");
    }
    root
}

/// The number of a user that does not exist otherwise.
fn stranger(offset: u32) -> u32 {
    200_000 + std::process::id() % 100_000 + offset * 100_000
}

/// A folder that all users may read, and `owner` change.
fn folder(owner: u32) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("hello.txt"), "hello").unwrap();
    fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
    chown(folder.path(), Some(owner), Some(owner)).unwrap();
    folder
}

/// Ends the program; returns what it wrote to standard error.
fn log_of(mut program: Program) -> String {
    let mut stderr = program.child.stderr.take().unwrap();
    assert_eq!(program.end(Signal::TERM).0, Some(0));
    let mut log = String::new();
    stderr.read_to_string(&mut log).unwrap();
    log
}

/// What the kernel says of each thread of a process.
fn threads(process: u32) -> Vec<String> {
    let threads = fs::read_dir(format!("/proc/{process}/task")).unwrap();
    // An idle worker may end between the listing and the reading.
    threads
        .filter_map(|entry| fs::read_to_string(entry.unwrap().path().join("status")).ok())
        .collect()
}

/// What the threads of a process are called.
#[cfg(feature = "threaded")]
fn names(process: u32) -> Vec<String> {
    threads(process).iter().map(|status| field(status, "Name")).collect()
}

fn field(status: &str, name: &str) -> String {
    let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    line.trim_start_matches(':').split_whitespace().collect::<Vec<_>>().join(" ")
}

/// An address with a port that only root may open, and that is free. No other test looks there.
fn low_port(backend: Backend) -> SocketAddr {
    let [.., high, low] = std::process::id().to_be_bytes();
    let ip = Ipv4Addr::new(127, high, low, 10 + backend as u8);
    let free = |port: &u16| TcpListener::bind((ip, *port)).is_ok();
    SocketAddr::from((ip, (600..1024).find(free).unwrap()))
}

fn nothing_of_root_is_left(backend: Backend) {
    if !is_root() {
        return;
    }
    let (user, group) = (stranger(0), stranger(1));
    let folder = folder(user);
    let low = low_port(backend);
    let program = Program::start(folder.path(), |command| {
        command.args(["--backend", backend.name(), "--write", "--listen", &low.to_string()]);
        command.args(["--run-as", &format!("{user}:{group}")]).stderr(Stdio::piped());
    });
    let mut client = program.log_in("anonymous", "x", 230);
    assert_eq!(client.get("RETR hello.txt"), b"hello");
    client.put("STOR new", b"new");
    let new = fs::metadata(folder.path().join("new")).unwrap();
    assert_eq!((new.uid(), new.gid()), (user, group));
    Client::dial(low).unwrap().expect(220);
    let process = program.child.id();
    for status in threads(process) {
        assert_eq!(field(&status, "Uid"), format!("{user} {user} {user} {user}"), "{status}");
        assert_eq!(field(&status, "Gid"), format!("{group} {group} {group} {group}"), "{status}");
        assert_eq!(field(&status, "Groups"), group.to_string(), "{status}");
        for set in ["CapInh", "CapPrm", "CapEff", "CapAmb"] {
            assert_eq!(field(&status, set), "0000000000000000", "{status}");
        }
        assert_eq!(field(&status, "NoNewPrivs"), "1", "{status}");
    }
    // Another process of that user does not get at a password in the environment.
    assert_eq!(fs::metadata(format!("/proc/{process}/environ")).unwrap().uid(), 0);
    let log = log_of(program);
    assert!(log.lines().all(|line| line.contains(" INFO  wharf::events] ")), "{log}");
}

#[test]
fn a_user_by_name_is_in_its_groups() {
    if !is_root() {
        return;
    }
    let id = |option: &str| {
        let output = Command::new("id").args([option, "nobody"]).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let mut numbers: Vec<u32> =
            text.split_whitespace().map(|number| number.parse().unwrap()).collect();
        numbers.sort_unstable();
        numbers
    };
    let folder = folder(id("-u")[0]);
    let program = Program::start(folder.path(), |command| {
        command.args(["--run-as", "nobody"]);
    });
    for status in threads(program.child.id()) {
        let groups = field(&status, "Groups");
        let mut groups: Vec<u32> =
            groups.split(' ').map(|number| number.parse().unwrap()).collect();
        groups.sort_unstable();
        assert_eq!(groups, id("-G"));
        assert!(field(&status, "Gid").starts_with(&format!("{} ", id("-g")[0])));
    }
}

#[test]
fn mistakes_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let run = |args: &[&str]| command(folder.path()).args(args).output().unwrap();
    let told = |output: Output| (output.status.code(), String::from_utf8(output.stderr).unwrap());
    for (who, part) in [
        ("no-such-user", "no user"),
        ("nobody:no-such-group", "no group"),
        ("root", "root itself"),
        (":", "a user is wanted"),
    ] {
        let (code, text) = told(run(&["--run-as", who]));
        assert_eq!((code, text.lines().count()), (Some(2), 1), "{text}");
        assert!(text.contains("--run-as") && text.contains(part), "{text}");
        if who != ":" {
            let check = Command::new(env!("CARGO_BIN_EXE_wharf"))
                .arg("check")
                .arg(folder.path())
                .args(["--run-as", who])
                .output();
            let (code, text) = told(check.unwrap());
            assert!(code == Some(1) && text.contains(part), "{text}");
        }
    }
    if !is_root() {
        return;
    }
    // Where that user can start it.
    let program = folder.path().join("wharf");
    fs::copy(env!("CARGO_BIN_EXE_wharf"), &program).unwrap();
    fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
    let mut not_root = Command::new(program);
    not_root.arg(folder.path()).args(["--listen", "127.0.0.1:0", "--run-as", "nobody"]);
    not_root.uid(stranger(0)).gid(stranger(0));
    let (code, text) = told(not_root.output().unwrap());
    assert_eq!((code, text.lines().count()), (Some(1), 1), "{text}");
    assert!(text.contains("only root"), "{text}");
}

#[test]
fn root_is_warned_of() {
    if !is_root() {
        return;
    }
    let folder = folder(stranger(0));
    let start = |args: &[&str]| {
        let program = Program::start(folder.path(), |command| {
            command.args(args).stderr(Stdio::piped());
        });
        log_of(program)
    };
    let log = start(&[]);
    assert_eq!(log.lines().count(), 1, "{log}");
    assert!(log.contains("WARN") && log.contains("--run-as"), "{log}");
    assert!(start(&["--write"]).contains("what they store belongs to root"));
    assert_eq!(start(&["--run-as", &format!("{0}:{0}", stranger(0))]), "");
}

#[test]
fn what_the_user_cannot_do_is_warned_of() {
    if !is_root() {
        return;
    }
    let user = stranger(0);
    let (folder, place) = (folder(user), tempfile::tempdir().unwrap());
    let accounts = place.path().join("accounts.toml");
    fs::write(&accounts, "[anonymous]\n").unwrap();
    fs::set_permissions(&accounts, Permissions::from_mode(0o600)).unwrap();
    let start = |folder: &Path, args: &[&str]| {
        Program::start(folder, |command| {
            command.args(["--run-as", &format!("{user}:{user}")]).args(args);
            command.stderr(Stdio::piped());
        })
    };
    let program = start(folder.path(), &["--accounts", accounts.to_str().unwrap()]);
    program.signal(Signal::HUP);
    let mut client = program.log_in("anonymous", "x", 230);
    assert_eq!(client.get("RETR hello.txt"), b"hello");
    let log = log_of(program);
    assert!(log.contains("accounts.toml: user") && log.contains("need a restart"), "{log}");
    assert!(log.contains("accounts not reloaded"), "{log}");
    assert_eq!(log.matches("WARN").count(), 1, "{log}");

    let log = log_of(start(folder.path(), &["--passive-ports", "900-950"]));
    let lowest = fs::read_to_string("/proc/sys/net/ipv4/ip_unprivileged_port_start").unwrap();
    let lowest: u16 = lowest.trim().parse().unwrap();
    assert_eq!(log.contains("cannot open ports below"), lowest > 900, "{log}");
    fs::set_permissions(place.path(), Permissions::from_mode(0o700)).unwrap();
    let log = log_of(start(place.path(), &[]));
    assert!(log.contains("cannot read this folder"), "{log}");
    fs::set_permissions(place.path(), Permissions::from_mode(0o755)).unwrap();
    let log = log_of(start(place.path(), &["--write"]));
    assert!(log.contains("cannot read and change this folder"), "{log}");
}

/// The program, about to serve a folder with so many threads at most, once it is not root's.
fn with_threads(most: usize, folder: &Path) -> Command {
    let script = "n=$1; shift; ulimit -u $n 2>/dev/null || ulimit -p $n; exec \"$@\"";
    let mut command = Command::new("sh");
    command.args(["-c", script, "sh", &most.to_string(), env!("CARGO_BIN_EXE_wharf")]);
    command.arg(folder).args(["--listen", "127.0.0.1:0"]).env_remove("WHARF_PASSWORD");
    command
}

/// Limits are not for root, so it needs another user.
#[test]
#[cfg(feature = "threaded")]
fn a_client_for_whom_there_is_no_thread_is_told() {
    if !is_root() {
        return;
    }
    let user = stranger(2);
    let folder = folder(user);
    let args = ["--backend", "threaded", "--run-as", &format!("{user}:{user}")];
    let program = Program::start(folder.path(), |command| {
        command.args(args);
    });
    // All that it starts by itself has started once it serves.
    drop(program.log_in("anonymous", "x", 230));
    let of_clients = |name: &String| matches!(&name[..], "wharf-work" | "wharf-session");
    let own = names(program.child.id()).into_iter().filter(|name| !of_clients(name)).count();
    program.end(Signal::TERM);
    // There is room for one session, and a worker each for its login and its storage calls. Where these
    // wait for nothing, there are no workers, and so is room for more sessions.
    let mut command = with_threads(own + 3, folder.path());
    command.args(args).stdout(Stdio::piped()).stderr(Stdio::piped());
    let program = Program::ready(command);
    let mut client = program.log_in("anonymous", "x", 230);
    client.ask("TYPE I", 200);
    client.ask("SIZE hello.txt", 213);
    let mut others = Vec::new();
    loop {
        let mut other = Client::dial(program.address).unwrap();
        if other.reply().unwrap().code == 421 {
            break other.expect_end();
        }
        others.push(other);
        assert!(others.len() <= 2);
    }
    for _ in 0..20 {
        let mut refused = Client::dial(program.address).unwrap();
        refused.expect(421);
        refused.expect_end();
    }
    assert_eq!(client.get("RETR hello.txt"), b"hello");
    client.ask("QUIT", 221);
    drop(client);
    support::wait_until("it serves again", || {
        Client::dial(program.address).is_ok_and(|mut client| client.reply().unwrap().code == 220)
    });
    assert!(log_of(program).contains("no thread for another session"));
}

#[test]
fn threads_that_are_missing_at_the_start_are_named() {
    if !is_root() {
        return;
    }
    let user = stranger(3);
    let folder = folder(user);
    let mut command = with_threads(1, folder.path());
    let output = command.args(["--run-as", &format!("{user}:{user}")]).output().unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), text.lines().count()), (Some(1), 1), "{text}");
    assert!(text.contains("cannot start a thread"), "{text}");
}

#[test]
fn an_accounts_file_keeps_its_owner() {
    if !is_root() {
        return;
    }
    let (owner, other) = (stranger(1), stranger(2));
    let folder = folder(other);
    let file = folder.path().join("accounts.toml");
    fs::write(&file, "[anonymous]\n").unwrap();
    fs::set_permissions(&file, Permissions::from_mode(0o666)).unwrap();
    chown(&file, Some(owner), Some(other)).unwrap();
    let owned = || {
        let metadata = fs::metadata(&file).unwrap();
        (metadata.uid(), metadata.gid(), metadata.mode() & 0o7777)
    };
    // Where all users can get at it.
    let program = folder.path().join("wharf");
    fs::copy(env!("CARGO_BIN_EXE_wharf"), &program).unwrap();
    let add = |name: &str, by: u32| {
        let mut command = Command::new(&program);
        command.args(["user", "add", name, "--no-password", "--certificate", &"ab".repeat(32)]);
        command.arg("--accounts").arg(&file).stdin(Stdio::null());
        command.uid(by).gid(if by == 0 { 0 } else { other }).output().unwrap()
    };
    let output = add("anna", 0);
    assert!(output.status.success(), "{output:?}");
    assert_eq!(owned(), (owner, other, 0o666));

    // Another user may write in the folder, and to the file, and cannot give it to its owner.
    let before = fs::read(&file).unwrap();
    let output = add("ben", other);
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.code() == Some(1) && told.contains("cannot keep its owner"), "{told}");
    assert_eq!((fs::read(&file).unwrap(), owned()), (before, (owner, other, 0o666)));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 3);
}
