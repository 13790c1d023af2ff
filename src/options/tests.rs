//! What the command line takes, and what it says to what it does not.

use super::*;

fn task(args: &[&str]) -> Result<Task, String> {
    let args = ["wharf"].iter().chain(args).map(OsString::from);
    Task::parse_from_args(args).map_err(|exit| match exit {
        Exit::Show(text) | Exit::Mistake(text) => text,
    })
}

fn parse(args: &[&str]) -> Result<Box<Options>, String> {
    task(args).map(|task| match task {
        Task::Serve(options) => options,
        other => panic!("not to serve: {other:?}"),
    })
}

#[test]
fn nothing_is_safe() {
    let options = parse(&[]).unwrap();
    assert_eq!(options.directory, PathBuf::from("."));
    assert_eq!(options.listen, ["127.0.0.1:2121".parse().unwrap()]);
    assert!(!options.write && options.user.is_none());
}

#[test]
fn commands_are_told_from_folders() {
    assert!(matches!(task(&["passwd"]), Ok(Task::Passwd)));
    let Ok(Task::Check(options)) = task(&["check", "dir", "--user", "anna", "--write"]) else {
        panic!("check takes the options of serving")
    };
    assert_eq!(options.directory, PathBuf::from("dir"));
    assert!(options.write && options.user.is_some());
    for folder in ["./check", "./passwd", "help", "dir"] {
        assert_eq!(parse(&[folder, "--write"]).unwrap().directory, PathBuf::from(folder));
    }
    assert_eq!(parse(&["--write", "check"]).unwrap().directory, PathBuf::from("check"));
    assert!(task(&["passwd", "secret"]).is_err());
}

#[test]
fn users_are_added_with_what_the_file_has() {
    let add = |args: &[&str]| {
        let args = [&["user", "add", "anna", "--accounts", "a.toml"], args].concat();
        task(&args).map(|task| match task {
            Task::User(UserCommand::Add(options)) => options,
            other => panic!("not to add a user: {other:?}"),
        })
    };
    let user = add(&["--folder", "/a=b=eln", "--folder", "/none=", "--sessions", "2"]).unwrap();
    let folders = [("/a=b", "eln"), ("/none", "")].map(|(path, may)| (path.into(), may.into()));
    assert_eq!((user.folder.as_slice(), user.sessions), (&folders[..], Some(2)));
    for (args, part) in [
        (&["--write", "--permissions", "el"][..], "--permissions"),
        (&["--folder", "in=el"], "/incoming=eln"),
        (&["--folder", "/in"], "/incoming=eln"),
        (&["--no-password"], "--certificate"),
        (&["--sessions", "0"], "1 to"),
        (&["--upload-rate", "0"], "at least 1"),
        (&["--download-rate", "9223372036854775808"], "at least 1"),
    ] {
        let mistake = add(args).unwrap_err();
        assert!(mistake.contains(part) && !mistake.contains('\n'), "{args:?}: {mistake}");
    }
    let mistake = task(&["user"]).unwrap_err();
    assert!(mistake.contains("add, remove, list, password"), "{mistake}");
    for args in [&["user", "list"][..], &["user", "remove", "--accounts", "x"]] {
        assert!(task(args).is_err(), "{args:?}");
    }
    assert_eq!(parse(&["./user"]).unwrap().directory, PathBuf::from("./user"));
}

#[test]
fn several_addresses() {
    let options = parse(&["--listen", "127.0.0.1:1", "--listen", "[::1]:2"]).unwrap();
    assert_eq!(options.listen.len(), 2);
}

#[test]
fn a_mistake_is_one_line_that_names_it() {
    for (args, part) in [
        (&["--listen", "nonsense"][..], "0.0.0.0:2121"),
        (&["--max-sessions", "0"], "1 to"),
        (&["--max-transfer-memory", "0"], "1 to"),
        (&["--max-login-failures", "-1"], "--max-login-failures"),
        (&["--login-cool-down", "0"], "more than 0"),
        (&["--idle-timeout", "-1"], "--idle-timeout"),
        (&["--idle-timeout", "0"], "more than 0"),
        (&["--passive-ports", "9-1"], "--passive-ports"),
        (&["--backend", "tokio"], "wanted"),
        (&["--public-address", "::1"], "--public-address"),
        (&["--public-address", "0.0.0.0"], "clients can connect to"),
        (&["--public-address", "203.0.113.7,!10.0.0.1/8"], "10.0.0.0/8 is the network"),
        (&["--public-address", "a.example", "--public-address", "203.0.113.7"], "given twice"),
        (&["--allow-from", "10.0.0.1/8"], "10.0.0.0/8 is the network"),
        (&["--allow-from", ""], "192.168.0.0/16"),
        (&["--deny-from", "office"], "--deny-from"),
        (&["--proxy-protocol", "proxy.example"], "--proxy-protocol"),
        (&["--proxy-protocol", "10.0.0.1:9=10.0.0.7"], "10.0.0.1:9 that is named"),
        (&["--deny-from", "127.0.0.1:9=::1"], "127.0.0.1:9 that is named"),
        (&["check", "--deny-from", "10.0.0.0/40"], "from 0 to 32"),
        (&["--user", ""], "--user"),
        (&["--listen", "127.0.0.1:1", "--listen", "127.0.0.1:1"], "given twice"),
        (&["--listen", "[::1]:1", "--implicit-tls", "[::1]:1", "--tls-self-signed"], "given twice"),
        (&["--list-utc-offset", "2"], "+02:00"),
        (&["--lisen", "x"], "did you mean --listen?"),
        (&["--password-file", "x"], "--user"),
        (&["--accounts", "x", "--user", "anna"], "--accounts"),
        (&["--accounts", "x", "--write"], "--accounts"),
        (&["--remember-logins", "5"], "--accounts"),
        (&["--tls-cert", "x"], "--tls-key"),
        (&["--tls-key", "x"], "--tls-cert"),
        (&["--tls-cert", "x", "--tls-key", "x", "--tls-self-signed"], "--tls-self-signed"),
        (&["--tls-required", "some"], "none, login, data or all"),
        (&["--tls-resumption", "on"], "off, prefer or require"),
        (&["--tls-upload-end", "never"], "strict or lenient"),
        (&["--tls-client-required"], "--tls-client-ca"),
        (&["--on-hangup", "stay"], "keep or publish"),
        (&["--implicit-tls", "990"], "0.0.0.0:2121"),
        (&["check", "--accounts", "x", "--write"], "--accounts"),
        (&["check", "--lisen", "x"], "did you mean --listen?"),
        (&["--durability", "half"], "full or none"),
        (&["a", "b"], "'b'"),
    ] {
        let mistake = parse(args).unwrap_err();
        assert!(mistake.contains(part), "{args:?}: {mistake}");
        assert!(!mistake.contains('\n'), "{mistake}");
    }
}

#[test]
fn offsets() {
    assert_eq!(utc_offset("+02:30"), Ok(150));
    assert_eq!(utc_offset("-01:00"), Ok(-60));
    for bad in ["", "02:00", "+2:00", "+24:00", "+01:60", "+-1:00", "é"] {
        assert!(utc_offset(bad).is_err(), "{bad}");
    }
}
