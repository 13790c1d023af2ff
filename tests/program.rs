//! The `wharf` program: what it prints, whom it lets in, and how it ends.

mod support;

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::Stdio;

use rustix::process::Signal;
use wharf::Backend;

use support::Client;
use support::program::{Program, command};

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("hello.txt"), "hello").unwrap();
    folder
}

/// Runs it to its end; returns the exit code and what it said on standard error.
fn refused(folder: &Path, args: &[&str]) -> (Option<i32>, String) {
    let output = command(folder).args(args).output().unwrap();
    assert!(output.stdout.is_empty(), "{output:?}");
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn anonymous_and_read_only_on_every_driver() {
    let folder = folder();
    for backend in Backend::ALL {
        let program = Program::start(folder.path(), |command| {
            command.args(["--backend", backend.name()]);
        });
        assert!(program.welcome.contains("read-only to anybody"), "{}", program.welcome);
        let mut client = program.log_in("anonymous", "me@example.org", 230);
        assert_eq!(client.get("RETR hello.txt"), b"hello");
        client.ask("DELE hello.txt", 550);
        client.ask("MKD new", 550);
        client.ask("PASV", 227);
        client.ask("STOR new", 550);
        program.log_in("joe", "", 530);
        let (code, rest) = program.end(Signal::TERM);
        assert_eq!(code, Some(0), "{rest}");
        client.expect(421);
        client.expect_end();
    }
}

#[test]
fn ctrl_c_stops_it_in_order() {
    let folder = folder();
    let (code, rest) = Program::start(folder.path(), |_| {}).end(Signal::INT);
    assert_eq!(code, Some(0));
    assert!(rest.contains("Stopped."), "{rest}");
}

#[test]
fn a_password_from_the_environment_a_file_or_made_up() {
    let folder = folder();
    let secret = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(&secret, "from file\nsecond line\n").unwrap();

    let program = Program::start(folder.path(), |command| {
        command.args(["--user", "anna", "--write"]).env("WHARF_PASSWORD", "from env");
    });
    assert!(!program.welcome.contains("from env"));
    program.log_in("anonymous", "x", 530);
    program.log_in("anna", "from file", 530);
    program.log_in("anna", "from env", 230).ask("MKD made", 257);

    let program = Program::start(folder.path(), |command| {
        let command = command.args(["--user", "anna", "--password-file"]).arg(secret.path());
        command.env("WHARF_PASSWORD", "from env");
    });
    program.log_in("anna", "from file", 230).ask("MKD more", 550);

    let program = Program::start(folder.path(), |command| {
        command.args(["--user", "anna"]);
    });
    let (_, rest) = program.welcome.split_once("Password: ").unwrap();
    let password = rest.split_whitespace().next().unwrap();
    assert_eq!(password.len(), 16);
    program.log_in("anna", password, 230);
}

#[test]
fn a_password_that_nobody_uses_is_warned_of() {
    let folder = folder();
    let mut program = Program::start(folder.path(), |command| {
        command.env("WHARF_PASSWORD", "x").stderr(Stdio::piped());
    });
    let mut told = String::new();
    let mut errors = BufReader::new(program.child.stderr.take().unwrap());
    errors.read_line(&mut told).unwrap();
    assert!(told.contains("WHARF_PASSWORD") && told.contains("--user"), "{told}");
}

#[test]
fn mistakes_get_one_line_and_exit_code_2() {
    let folder = folder();
    let empty = tempfile::NamedTempFile::new().unwrap();
    let empty = empty.path().to_str().unwrap();
    for (args, part) in [
        (&["--listen", "nowhere"][..], "--listen"),
        (&["--frobnicate"], "--frobnicate"),
        (&["--passive-ports", "50100-50000"], "--passive-ports"),
        (&["--user", "anna", "--password-file", "/nonexistent/file"], "/nonexistent/file"),
        (&["--user", "anna", "--password-file", empty], "first line"),
        (&["--user", ""], "--user"),
        (&["another-folder"], "another-folder"),
    ] {
        let (code, told) = refused(folder.path(), args);
        assert_eq!((code, told.lines().count()), (Some(2), 1), "{args:?}: {told}");
        assert!(told.starts_with("wharf: ") && told.contains(part), "{args:?}: {told}");
    }
    let (code, told) = refused(&folder.path().join("none"), &[]);
    assert_eq!((code, told.lines().count()), (Some(2), 1), "{told}");
    assert!(told.contains("none"), "{told}");
}

#[test]
fn an_address_that_is_taken_is_named() {
    let folder = folder();
    let program = Program::start(folder.path(), |_| {});
    let taken = program.address.to_string();
    let (code, told) = refused(folder.path(), &["--listen", &taken]);
    assert_eq!((code, told.lines().count()), (Some(1), 1), "{told}");
    assert!(told.contains(&taken), "{told}");
}

#[test]
fn help_and_version_are_no_mistakes() {
    for option in ["--help", "--version"] {
        let output = command(Path::new(".")).arg(option).output().unwrap();
        assert_eq!(output.status.code(), Some(0));
        assert!(!output.stdout.is_empty() && output.stderr.is_empty());
    }
}

#[test]
fn a_denied_client_is_told_and_logged() {
    let folder = folder();
    let mut program = Program::start(folder.path(), |command| {
        command.args(["--deny-from", "127.0.0.0/8"]).stderr(Stdio::piped());
    });
    let mut client = Client::dial(program.address).unwrap();
    assert!(client.expect(421).text.contains("not allowed"));
    client.expect_end();
    let mut log = BufReader::new(program.child.stderr.take().unwrap());
    assert_eq!(program.end(Signal::TERM).0, Some(0));
    let mut told = String::new();
    log.read_to_string(&mut told).unwrap();
    let line = "] 127.0.0.1: connection refused: its network is not allowed\n";
    assert_eq!(told.matches(line).count(), 1, "{told}");
}

#[test]
#[cfg(target_os = "linux")]
fn a_proxy_names_its_client_on_its_own_listener_alone() {
    let folder = folder();
    let mut program = Program::start(folder.path(), |command| {
        command.args(["--listen", "127.0.0.2:0", "--proxy-protocol", "127.0.0.2:0=127.0.0.1"]);
        command.arg("-v").stderr(Stdio::piped());
    });
    Client::dial(program.address).unwrap().expect(220);
    let (_, rest) = program.welcome.split_once("ftp://127.0.0.2").unwrap();
    let port = rest.trim_start_matches(':').split(|it: char| !it.is_ascii_digit()).next().unwrap();
    let mut client = Client::dial(format!("127.0.0.2:{port}").parse().unwrap()).unwrap();
    client.send_raw(b"PROXY TCP4 192.0.2.1 127.0.0.1 4000 21\r\n");
    client.expect(220);
    client.enter();
    let mut log = BufReader::new(program.child.stderr.take().unwrap());
    assert_eq!(program.end(Signal::TERM).0, Some(0));
    let mut told = String::new();
    log.read_to_string(&mut told).unwrap();
    assert!(told.contains("] 192.0.2.1: login as anonymous"), "{told}");
}
