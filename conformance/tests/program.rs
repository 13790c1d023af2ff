//! The program ftpspec: exit codes, options and reports.

mod ftpspec;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;

use ftpspec::{against, builder, file, ftpspec, secure, start};
use wharf::Permissions;
use wharf_conformance::{Saved, all};

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

#[test]
fn compares_a_report_with_what_a_servers_makers_say() {
    let server = start();
    let address = server.addresses()[0];
    let report = |name: &str| {
        let only = ["--only", "rfc959.noop", "--only", "rfc959.pwd", "--name", name];
        let (_, json, _) = against(address, &[&only[..], &["--json", "-"]].concat());
        file(&format!("{}.json", name.replace(' ', "-")), &json)
    };
    let reports = ["some 1.0", "other", "mine (a)"].map(report);
    let claims = "section,feature,level,some_says,id\n\
                  RFC 959,NOOP,MUST,YES,rfc959.noop\n\
                  RFC 959,PWD,MUST,NO,rfc959.pwd\nRFC 959,ABOR,MAY,YES,rfc959.abor\n";
    let claims = file("claims.csv", claims);
    let paths = reports.each_ref().map(|path| path.to_str().expect("a path"));
    let claims = ["--claims", claims.to_str().expect("a path"), "--beside", "mine"];
    let output = ftpspec(&[&["page"], &paths[..], &claims].concat());
    assert!(output.status.success());
    let page = String::from_utf8(output.stdout).expect("it is text");
    for line in [
        "## What some says of itself",
        "- YES to 2 of 3: some 1.0 passes 1, mine (a) passes 1.",
        "- NO to 1 of 3: some 1.0 passes 1, mine (a) passes 1.",
        "| | level | some says | some 1.0 | mine (a) |",
        "|---|---|---|---|---|",
        "| RFC 959: NOOP (`rfc959.noop`) | MUST | YES | pass | pass |",
        "| RFC 959: PWD (`rfc959.pwd`) | MUST | NO | pass | pass |",
        "| RFC 959: ABOR (`rfc959.abor`) | MAY | YES | not checked | not checked |",
    ] {
        assert!(page.lines().any(|it| it == line), "{line}: {page}");
    }
    let wrong = file("wrong-claims.csv", "section,feature,level,some_says,id\na,b,c,YES,none\n");
    let wrong = ["page", paths[0], "--claims", wrong.to_str().expect("a path")];
    assert_eq!(ftpspec(&wrong).status.code(), Some(2));
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
fn asks_nothing_of_a_password_that_may_be_any() {
    let server = builder().anonymous(Permissions::ALL).spawn().expect("the server starts");
    let address = server.addresses()[0].to_string();
    let only =
        ["--only", "rfc959.pass", "--only", "rfc2577.attempts", "--only", "rfc2577.usernames"];
    let base = ["--server", &address, "--user", "anonymous"];
    let output = ftpspec(&[&base[..], &only].concat());
    let report = String::from_utf8_lossy(&output.stdout);
    assert!(report.contains("3 skipped (3 does not apply)"), "{report}");
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

/// Says all this to a server at once, and returns what it answers.
fn told(address: SocketAddr, commands: &str) -> String {
    let mut client = TcpStream::connect(address).expect("the server is there");
    let mut replies = String::new();
    client.write_all(commands.as_bytes()).expect("it listens");
    client.read_to_string(&mut replies).expect("it answers");
    replies
}
