//! The program ftpspec: exit codes, reports, and servers that are no servers.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Command, Output};
use std::thread;
use std::time::{Duration, Instant};

use socket2::SockRef;
use wharf::{Backend, Builder, Certificate, Handle, Memory, Permissions, Server, Tls};
use wharf_conformance::{Saved, all};

fn start() -> Handle {
    builder().spawn().expect("the server starts")
}

fn builder() -> Builder {
    Server::builder()
        .backend(Backend::ALL[0])
        .storage(Memory::new())
        .user("user", "password", Permissions::ALL)
        .user("reader", "password", Permissions::READ_ONLY)
        .listen("127.0.0.1:0")
        .login_delay(Duration::ZERO)
        .max_sessions_per_address(1000)
        .shutdown_grace(Duration::ZERO)
}

/// A server that has TLS too.
fn secure() -> Builder {
    let certificate = Certificate::self_signed(&["localhost"]).expect("a certificate");
    builder().tls(Tls::new(certificate).expect("the provider has what TLS needs"))
}

fn ftpspec(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ftpspec"));
    let command = command.args(arguments).env("FTPSPEC_PASSWORD", "password");
    command.output().expect("the program starts")
}

fn against(server: SocketAddr, arguments: &[&str]) -> (i32, String, String) {
    let server = server.to_string();
    let limit: &[&str] = if arguments.contains(&"--timeout") { &[] } else { &["--timeout", "2"] };
    let output = ftpspec(&[&["--server", &server, "--user", "user"], limit, arguments].concat());
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let code = output.status.code().expect("it was not killed");
    (code, text(&output.stdout), text(&output.stderr))
}

/// A file that is there for one test.
fn file(name: &str, text: &str) -> PathBuf {
    let name = format!("ftpspec-{}-{name}", std::process::id());
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::write(&path, text).expect("a file among cargo's temporary ones");
    path
}

#[test]
fn passes_a_server_that_is_right_and_leaves_nothing_behind() {
    let server = start();
    let address = server.addresses()[0];
    let (code, report, errors) = against(address, &["--jobs", "4"]);
    assert_eq!((code, errors.as_str()), (0, ""), "{report}");
    assert!(report.contains("pass  rfc959.retr"), "{report}");
    assert!(report.contains(" 0 failed"), "{report}");
    // The checks' folders would be here.
    let (code, json, _) = against(address, &["--only", "rfc959.list", "--json", "-"]);
    assert_eq!(code, 0, "{json}");
    let left = told(address, "USER user\r\nPASS password\r\nSTAT /\r\nQUIT\r\n");
    assert!(!left.contains("check-"), "{left}");
}

#[test]
fn goes_through_tls_when_asked_to() {
    let server = secure().listen_implicit("127.0.0.1:0").spawn().expect("the server starts");
    let unasked = ["rfc4217.auth", "rfc4217.prot", "rfc2228.auth", "rfc2228.pbsz"];
    let (plain, implicit) = (server.addresses()[0], server.implicit_addresses()[0]);
    let port = implicit.port().to_string();
    for (address, options) in [
        (plain, &["--tls", "explicit"][..]),
        (plain, &["--implicit", &port, "--strict"]),
        (plain, &["--tls", "none"]),
        (implicit, &["--tls", "implicit"]),
    ] {
        let options = [options, &["--jobs", "4", "--timeout", "20"]].concat();
        let (code, report, errors) = against(address, &options);
        assert_eq!((code, errors.as_str()), (0, ""), "{options:?}: {report}");
    }
    // What the user has ruled out is not for the server to answer for.
    for (address, mode) in [(plain, "none"), (implicit, "implicit")] {
        let only = unasked.iter().flat_map(|id| ["--only", id]);
        let options: Vec<_> = ["--tls", mode, "--strict"].into_iter().chain(only).collect();
        let (code, report, _) = against(address, &options);
        assert_eq!(code, 0, "{mode}: {report}");
        assert!(report.contains(&format!("run without --tls {mode}")), "{report}");
        assert!(!report.contains("not offered"), "{report}");
        // What can be looked at within implicit TLS is.
        assert_eq!(report.contains("pass  rfc4217.prot"), mode == "implicit", "{report}");
    }
}

#[test]
fn writes_reports_that_others_can_read() {
    let server = start();
    let address = server.addresses()[0];
    let only = ["--only", "rfc2228", "--only", "rfc959.noop", "--name", "a <b> & \"c\""];
    let (_, json, _) = against(address, &[&only[..], &["--json", "-"]].concat());
    let saved = Saved::parse(&json).expect("it is JSON");
    assert_eq!(saved.name, "a <b> & \"c\"");
    assert_eq!(saved.results.len(), 9);
    assert_eq!(saved.results[0].id, "rfc959.noop");
    assert_eq!(saved.passed + saved.failed + saved.skipped, saved.results.len());

    let (_, xml, _) = against(address, &[&only[..], &["--junit", "-"]].concat());
    well_formed(&xml);
    let (_, markdown, _) = against(address, &[&only[..], &["--markdown", "-"]].concat());
    assert!(markdown.contains("| pass | rfc959.noop | MUST | NOOP |"), "{markdown}");

    let (one, two) = (file("one.json", &json), file("two.json", &json));
    let page = |paths: &[&PathBuf]| {
        let paths: Vec<_> = paths.iter().map(|path| path.to_str().expect("a path")).collect();
        let output = ftpspec(&[&["page"], &paths[..]].concat());
        assert!(output.status.success());
        String::from_utf8(output.stdout).expect("it is text")
    };
    assert_eq!(page(&[&one, &two]), page(&[&one, &two]));
    let row = "| NOOP (`rfc959.noop`) | MUST | pass | pass |";
    assert!(page(&[&one, &two]).contains(row), "{}", page(&[&one, &two]));
}

/// Fails unless every element is closed, in order, and no `<` or `&` stands alone.
fn well_formed(xml: &str) {
    let mut open = Vec::new();
    let (_, body) = xml.split_once("?>").expect("a declaration");
    for part in body.split('<').skip(1) {
        let (tag, text) = part.split_once('>').expect("a tag ends");
        for entity in text.split('&').skip(1).chain(tag.split('&').skip(1)) {
            let known = ["amp;", "lt;", "gt;", "quot;", "#10;", "#9;"];
            assert!(known.iter().any(|name| entity.starts_with(name)), "&{entity}");
        }
        let name = tag.split_whitespace().next().expect("a name");
        if let Some(name) = name.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name));
        } else if !tag.ends_with('/') {
            open.push(name);
        }
    }
    assert!(open.is_empty(), "{open:?}");
}

#[test]
fn lists_and_chooses() {
    let output = ftpspec(&["--list"]);
    let list = String::from_utf8(output.stdout).expect("it is text");
    assert_eq!(list.lines().count(), all().count());
    let output = ftpspec(&["--list", "--only", "rfc959.pa"]);
    let list = String::from_utf8(output.stdout).expect("it is text");
    assert_eq!(list.lines().count(), 2, "{list}");
    assert_eq!(ftpspec(&["--list", "--only", "rfc960"]).status.code(), Some(2));
    assert_eq!(ftpspec(&[]).status.code(), Some(2));
    assert_eq!(ftpspec(&["--help"]).status.code(), Some(0));
}

#[test]
fn compares_with_what_is_expected() {
    let server = start();
    let address = server.addresses()[0];
    let expected = file("expected", "# nothing of this is so\nrfc959.noop  never answers\n");
    let expected = expected.to_str().expect("a path");
    let (code, _, errors) = against(address, &["--only", "rfc959.noop", "--expect", expected]);
    assert_eq!(code, 1);
    assert!(errors.contains("rfc959.noop passes, and was expected to fail"), "{errors}");
    let (code, ..) = against(address, &["--only", "rfc959.syst", "--expect", expected]);
    assert_eq!(code, 0);
    let wrong = file("wrong", "rfc959.nop  no such thing\n");
    let (code, ..) = against(address, &["--expect", wrong.to_str().expect("a path")]);
    assert_eq!(code, 2);
}

#[test]
fn says_what_hinders_it() {
    let server = start();
    let address = server.addresses()[0].to_string();
    let run = |user: &str, more: &[&str]| {
        let base = ["--server", &address, "--user", user, "--only", "rfc959.noop"];
        let output = ftpspec(&[&base, more].concat());
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    for (user, more, words) in [
        ("stranger", &[][..], "530"),
        ("reader", &[], "no folder can be made"),
        ("user", &["--root", "/nowhere"], "550"),
        ("user", &["--tls", "explicit"], "AUTH TLS"),
        ("user", &["--tls", "none", "--ccc"], "--ccc is about TLS"),
        ("user", &["--json", "-", "--junit", "-"], "takes one of"),
        ("user", &["--json", "/no/such/folder/report.json"], "/no/such/folder/report.json"),
        ("user", &["--bounce-address", "::1"], "--bounce-address ::1: not of the family"),
        ("user", &["--bounce-address", "192.0.2.1"], "not an address of this machine"),
        ("user", &["--bounce-address", "127.0.0.1"], "it has to be another"),
        ("user", &["--password-file", "/dev/null"], "--password-file: /dev/null: no password"),
        ("user", &["--jobs", "0"], "--jobs"),
        ("user", &["--login-attempts", "0"], "--login-attempts"),
        ("user", &["--idle-timeout", "0"], "--idle-timeout"),
    ] {
        let (code, errors) = run(user, more);
        assert_eq!(code, Some(2), "{errors}");
        assert!(errors.contains(words), "{user} {more:?}: {errors}");
    }
    for (server, words) in [
        ("127.0.0.1:99999", "--server 127.0.0.1:99999: the port has to be"),
        (
            "no-such-host.invalid",
            "--server no-such-host.invalid: no-such-host.invalid cannot be found",
        ),
    ] {
        let output = ftpspec(&["--server", server, "--user", "user"]);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2));
        assert!(errors.contains(words), "{errors}");
    }
    drop(server);
    let (code, errors) = run("user", &[]);
    assert_eq!(code, Some(2));
    assert!(errors.contains("refused"), "{errors}");
}

#[test]
fn works_as_well_deep_down() {
    let server = start();
    let address = server.addresses()[0];
    // Names that are parts of others that the checks use.
    told(address, "USER user\r\nPASS password\r\nMKD /a\r\nMKD /a/sub\r\nQUIT\r\n");
    let options = ["--root", "/a/sub", "--jobs", "4", "--strict", "--only", "rfc959", "--only"];
    let (code, report, errors) = against(address, &[&options[..], &["rfc3659"]].concat());
    assert_eq!((code, errors.as_str()), (0, ""), "{report}");
    let left = told(address, "USER user\r\nPASS password\r\nSTAT /a/sub\r\nQUIT\r\n");
    assert!(!left.contains("check-"), "{left}");
}

#[test]
fn shows_no_password() {
    const PASSWORD: &str = "sEcReT-7f3b";
    let server = builder().user("other", PASSWORD, Permissions::ALL).spawn();
    let server = server.expect("the server starts");
    let server = server.addresses()[0];
    // Repeats whatever is said, and lets in whoever gives a password.
    let repeat: fn(TcpStream) = |mut socket| {
        let lines = BufReader::new(socket.try_clone().expect("a socket"));
        let _ = socket.write_all(b"220 Go on\r\n");
        for line in lines.lines().map_while(Result::ok) {
            let code = match line.get(..4) {
                Some("USER") => 331,
                Some("PASS") => 230,
                _ => 500,
            };
            let reply = format!("{code}-So it was\r\n {line}\r\n{code} {line}\r\n");
            if socket.write_all(reply.as_bytes()).is_err() {
                return;
            }
        }
    };
    let secret = file("secret", &format!("{PASSWORD}\n"));
    let secret = secret.to_str().expect("a path");
    let others = ["powerless", "tls-only"].map(|name| format!("{name}:{secret}"));
    let reports = ["json", "junit", "markdown"].map(|form| (form, file(form, "")));
    // Where meeting goes well, and where it does not.
    for (good, expected) in [(2, 1), (0, 2)] {
        let address = turncoat(server, good, repeat).to_string();
        let mut command = Command::new(env!("CARGO_BIN_EXE_ftpspec"));
        command.args(["--server", &address, "--user", "other", "--password-file", secret]);
        command.args(["--powerless", &others[0], "--tls-only", &others[1]]);
        command.args(["--host", &format!("h.example:hosted:{secret}"), "--timeout", "2"]);
        for (form, path) in &reports {
            command.arg(format!("--{form}")).arg(path);
        }
        let output = command.output().expect("the program starts");
        assert_eq!(output.status.code(), Some(expected));
        let mut shown = 0;
        let mut said = vec![output.stdout, output.stderr];
        said.extend(reports.iter().map(|(_, path)| fs::read(path).expect("a report")));
        for said in said {
            let said = String::from_utf8(said).expect("it is text");
            assert!(!said.contains(PASSWORD), "{said}");
            shown += said.matches("PASS ***").count();
        }
        assert!(good == 0 || shown > 10, "no dialogue was looked at");
    }
}

/// Says all this to a server at once, and returns what it answers.
fn told(address: SocketAddr, commands: &str) -> String {
    let mut client = TcpStream::connect(address).expect("the server is there");
    let mut replies = String::new();
    client.write_all(commands.as_bytes()).expect("it listens");
    client.read_to_string(&mut replies).expect("it answers");
    replies
}

/// Stands before a real server, and after so many connections is no server any more.
fn turncoat(server: SocketAddr, good: usize, bad: fn(TcpStream)) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    thread::spawn(move || {
        for (number, client) in listener.incoming().flatten().enumerate() {
            thread::spawn(
                move || if number < good { forward(client, server) } else { bad(client) },
            );
        }
    });
    address
}

fn forward(mut client: TcpStream, server: SocketAddr) {
    let mut server = TcpStream::connect(server).expect("the server is there");
    let (mut from, mut to) = (server.try_clone().unwrap(), client.try_clone().unwrap());
    thread::spawn(move || {
        let _ = std::io::copy(&mut from, &mut to);
        let _ = to.shutdown(Shutdown::Both);
    });
    let _ = std::io::copy(&mut client, &mut server);
    let _ = server.shutdown(Shutdown::Write);
}

#[test]
fn never_hangs_and_tells_the_ways_to_end_apart() {
    let server = start();
    let address = server.addresses()[0];
    let reset: fn(TcpStream) = |socket| {
        let _ = SockRef::from(&socket).set_linger(Some(Duration::ZERO));
    };
    let end: fn(TcpStream) = |socket| {
        let _ = socket.shutdown(Shutdown::Write);
        let _ = (&socket).read_to_end(&mut Vec::new());
    };
    let silence: fn(TcpStream) = |mut socket| {
        let _ = socket.read_to_end(&mut Vec::new());
    };
    let garbage: fn(TcpStream) = |mut socket| {
        let _ = socket.write_all(b"\x00\x01HTTP/1.1 400\r\n");
        let _ = socket.read_to_end(&mut Vec::new());
    };
    let endless_line: fn(TcpStream) = |mut socket| while socket.write_all(&[b'2'; 4096]).is_ok() {};
    let endless_reply: fn(TcpStream) =
        |mut socket| while socket.write_all(&b"220-more\r\n".repeat(400)).is_ok() {};
    let greeting_only: fn(TcpStream) = |mut socket| {
        let _ = socket.write_all(b"220 Welcome\r\n");
        let _ = socket.read_to_end(&mut Vec::new());
    };
    for (bad, words) in [
        (reset, "reset"),
        (end, "an orderly end of the connection"),
        (silence, "silence until the time limit"),
        (greeting_only, "USER user: no reply but silence until the time limit"),
        (garbage, "not a reply"),
        (endless_line, "a reply line without an end"),
        (endless_reply, "a reply without an end"),
    ] {
        // Two connections to meet the server, and then the checks find something else.
        let begin = Instant::now();
        let (code, report, _) = against(turncoat(address, 2, bad), &["--only", "rfc959"]);
        assert_eq!(code, 1, "{report}");
        assert!(report.contains(words), "{words}: {report}");
        assert!(report.contains("the server answers nobody any more"), "{report}");
        // Far less than one wait for each check.
        assert!(begin.elapsed() < Duration::from_secs(40), "{words}: {:?}", begin.elapsed());
        // And from the beginning.
        let (code, _, errors) = against(turncoat(address, 0, bad), &[]);
        assert_eq!(code, 2);
        assert!(errors.contains(words), "{words}: {errors}");
    }
}

#[test]
fn ends_a_check_that_is_kept_waiting_piece_by_piece() {
    let (server, secure) = (start(), secure().spawn().expect("the server starts"));
    // Each piece comes in good time, and there is always one more.
    let drip: fn(TcpStream) = |mut socket| {
        while socket.write_all(b"2").is_ok() {
            thread::sleep(Duration::from_millis(100));
        }
    };
    // The beginning of a record of TLS, and of what would be a long handshake.
    let drip_of_tls: fn(TcpStream) = |mut socket| {
        let _ = socket.write_all(b"220 Welcome\r\n234 TLS\r\n\x16\x03\x03\x40\x00\x02\x00");
        while socket.write_all(b"\0").is_ok() {
            thread::sleep(Duration::from_millis(100));
        }
    };
    // To meet a server takes two connections, and two more where it has TLS.
    for (server, good, bad, id) in
        [(&server, 2, drip, "rfc959.noop"), (&secure, 4, drip_of_tls, "rfc4217.reuse")]
    {
        let begin = Instant::now();
        let options = ["--only", id, "--timeout", "1"];
        let bad = turncoat(server.addresses()[0], good, bad);
        let (code, report, _) = against(bad, &options);
        assert_eq!(code, 1, "{report}");
        assert!(begin.elapsed() < Duration::from_secs(20), "{id}: {:?}", begin.elapsed());
    }
}
