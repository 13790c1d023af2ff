//! The program ftpspec: exit codes, reports, and servers that are no servers.

use std::fs;
use std::io::{Read, Write};
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
    let mut client = TcpStream::connect(address).expect("the server is there");
    let mut reply = String::new();
    client.write_all(b"USER user\r\nPASS password\r\nSTAT /\r\nQUIT\r\n").expect("it listens");
    client.read_to_string(&mut reply).expect("it answers");
    assert!(!reply.contains("check-"), "{reply}");
}

#[test]
fn goes_through_tls_when_asked_to() {
    let certificate = Certificate::self_signed(&["localhost"]).expect("a certificate");
    let server = builder()
        .tls(Tls::new(certificate).expect("the provider has what TLS needs"))
        .listen_implicit("127.0.0.1:0");
    let server = server.spawn().expect("the server starts");
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
    ] {
        let (code, errors) = run(user, more);
        assert_eq!(code, Some(2), "{errors}");
        assert!(errors.contains(words), "{user} {more:?}: {errors}");
    }
    drop(server);
    let (code, errors) = run("user", &[]);
    assert_eq!(code, Some(2));
    assert!(errors.contains("refused"), "{errors}");
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
    for (bad, words) in [
        (reset, "reset"),
        (end, "an orderly end of the connection"),
        (silence, "silence until the time limit"),
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
        assert!(begin.elapsed() < Duration::from_secs(30), "{words}: {:?}", begin.elapsed());
        // And from the beginning.
        let (code, _, errors) = against(turncoat(address, 0, bad), &[]);
        assert_eq!(code, 2);
        assert!(errors.contains(words), "{words}: {errors}");
    }
}
