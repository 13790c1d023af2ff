//! The rule for fail2ban in `contrib` finds the client's address in the program's log, and no other.

mod support;

use std::io::{BufRead, BufReader, Read};
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::process::{Command, Stdio};

use regex::bytes::Regex;
use rustix::process::{Pid, Signal, kill_process};

use support::Client;

const RULE: &str = include_str!("../contrib/fail2ban/filter.d/wharf.conf");

/// What clients call themselves. Such a name must not have another address banned.
const NAMES: &[&[u8]] = &[
    b"anna",
    b"] 1.2.3.4: login failed as x",
    b"[2026-01-31T23:59:59Z WARN  wharf_core::session::access] 1.2.3.4: login failed as x",
    b"x\r\0[2026-01-31T23:59:59Z WARN  wharf_core::session::access] 1.2.3.4: login failed as x",
    b"x\r\x00\x0b\x0c\x1b[2K1.2.3.4: login failed as x",
    b"1.2.3.4: login refused, cooling down",
    b"<HOST>",
    b"<HOST>: login failed as <F-USER>1.2.3.4</F-USER>",
    b"\x80\xfe\xe2\x80\xa8] 1.2.3.4: login failed as x",
    b"\\n] 1.2.3.4: login failed as x",
];

/// What a file is called, which the log names too.
const FILE: &str =
    "[2026-01-31T23:59:59Z WARN  wharf_core::session::access] 1.2.3.4: login failed as x";

/// The expressions of the rule, as fail2ban puts them together.
fn expressions() -> Vec<Regex> {
    let mut settings: Vec<(&str, String)> = Vec::new();
    for line in RULE.lines().filter(|line| !line.starts_with('#')) {
        if line.starts_with(' ') {
            let (_, value) = settings.last_mut().unwrap();
            *value += &format!("\n{}", line.trim());
        } else if let Some((name, value)) = line.split_once('=') {
            settings.push((name.trim(), value.trim().to_string()));
        }
    }
    let get = |wanted| &settings.iter().find(|(name, _)| *name == wanted).unwrap().1;
    let expressions = get("failregex").lines().map(|line| {
        let line = line.replace("%(_before)s", get("_before"));
        Regex::new(&line.replace("<HOST>", r"(?P<host>[0-9A-Fa-f:.]+)")).unwrap()
    });
    expressions.collect()
}

/// The addresses that the rule finds in a line.
fn found(line: &[u8]) -> Vec<String> {
    let expressions = expressions();
    let found = expressions.iter().flat_map(|expression| expression.captures_iter(line));
    found.map(|found| String::from_utf8(found["host"].to_vec()).unwrap()).collect()
}

/// The line as it is matched when it is read from a file: without `[`, date and time.
fn without_time(line: &[u8]) -> Vec<u8> {
    let time = Regex::new(r"^\[\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ").unwrap();
    assert!(time.is_match(line), "{}", line.escape_ascii());
    time.replace(line, &b""[..]).into_owned()
}

/// The line as it is matched when it comes from the systemd journal.
fn in_journal(line: &[u8]) -> Vec<u8> {
    [b"harbour wharf[4711]: ", line].concat()
}

/// Fails logins under all names, by clients that say that their programs are so called, and then is
/// one too many; returns what the program logged.
fn log_of_failures(at: IpAddr) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join(FILE), "hello").unwrap();
    let most = NAMES.len().to_string();
    let mut child = Command::new(env!("CARGO_BIN_EXE_wharf"))
        .arg(folder.path())
        .args(["--listen", &SocketAddr::new(at, 0).to_string(), "--login-delay", "0"])
        .args(["--max-login-failures", &most, "-v"])
        .env_remove("WHARF_PASSWORD")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let (mut welcome, mut output) = (String::new(), BufReader::new(child.stdout.take().unwrap()));
    while !welcome.contains("Ctrl-C") {
        assert_ne!(output.read_line(&mut welcome).unwrap(), 0, "{welcome}");
    }
    let (_, rest) = welcome.split_once("ftp://").unwrap();
    let address = rest.split('/').next().unwrap().parse().unwrap();
    let log_in = |name: &[u8], code| {
        let mut client = Client::dial(address).unwrap();
        client.expect(220);
        client.send_raw(&[b"CLNT ", name, b"\r\n"].concat());
        client.expect(200);
        client.send_raw(&[b"USER ", name, b"\r\n"].concat());
        client.expect(331);
        client.ask("PASS x", code);
    };
    log_in(b"anonymous", 230);
    let mut client = Client::dial(address).unwrap();
    client.expect(220);
    client.enter();
    client.get(&format!("RETR {FILE}"));
    NAMES.iter().for_each(|name| log_in(name, 530));
    Client::dial(address).unwrap().expect(421);
    // It ends in order: not before the log is written.
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    let mut log = Vec::new();
    child.stderr.take().unwrap().read_to_end(&mut log).unwrap();
    child.wait().unwrap();
    log
}

#[test]
fn it_finds_the_client_and_nobody_else() {
    for ip in ["127.0.0.1", "::1"].map(|ip| ip.parse::<IpAddr>().unwrap()) {
        if TcpListener::bind((ip, 0)).is_err() {
            continue;
        }
        let log = log_of_failures(ip);
        let lines: Vec<&[u8]> = log.strip_suffix(b"\n").unwrap().split(|&b| b == b'\n').collect();
        let mut failures = 0;
        for line in lines {
            let text = line.escape_ascii().to_string();
            assert!(!line.contains(&b'\r') && line.len() < 400, "{text}");
            let time = b"[2026-01-31T23:59:59Z".len();
            let about_failure = line[time..].starts_with(b" WARN  wharf_core");
            failures += usize::from(about_failure);
            let expected = if about_failure { vec![ip.to_string()] } else { Vec::new() };
            assert_eq!(found(&without_time(line)), expected, "{text}");
            assert_eq!(found(&in_journal(line)), expected, "{text}");
        }
        assert_eq!(failures, NAMES.len() + 1);
        assert!(String::from_utf8_lossy(&log).contains(": download session="));
        let named = String::from_utf8_lossy(&log).matches(": client is ").count();
        assert_eq!(named, NAMES.len() + 1);
    }
}

/// Not even if the user is called like the line of a failed login.
#[test]
fn what_is_no_guess_is_not_found() {
    let user =
        "[2026-01-31T23:59:59Z WARN  wharf_core::session::access] 1.2.3.4: login failed as x";
    for line in [
        "WARN  wharf_core::session::access] 192.0.2.1: too many sessions as",
        "WARN  wharf_core::session::access] 192.0.2.1: no accounts to ask for",
        "WARN  wharf_core::session::data] 192.0.2.1: data connection from",
        "INFO  wharf_core::session::access] 192.0.2.1: login as",
        "INFO  wharf_core::session::access] 192.0.2.1: login failed as",
        "INFO  wharf::events] 192.0.2.1: deleted session=1 user=\"anna\" path=\"",
        "WARN  somebody] 192.0.2.1: login failed as",
        "WARN  wharf_host::connection::entrance] 192.0.2.1: connection refused: its network is not allowed",
        "192.0.2.1: login failed as",
    ] {
        let line = format!("[2026-01-31T23:59:59Z {line} {user}");
        assert_eq!(found(&without_time(line.as_bytes())), [""; 0], "{line}");
        assert_eq!(found(&in_journal(line.as_bytes())), [""; 0], "{line}");
    }
}
