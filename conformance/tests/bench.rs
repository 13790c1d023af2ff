//! The program ftpbench: each workload against each backend, and servers that are no servers.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::thread;
use std::time::Duration;

use serde_json::Value;
use socket2::{Domain, Socket, Type};
use wharf::{Backend, Certificate, Memory, Permissions, Server, Tls};

const MIB: u64 = 1 << 20;

fn start(backend: Backend) -> Server {
    let certificate = Certificate::self_signed(&["localhost"]).expect("a certificate");
    let server = Server::builder()
        .backend(backend)
        .storage(Memory::new())
        .user("user", "password", Permissions::ALL)
        .tls(Tls::new(certificate).expect("the provider has what TLS needs"))
        .listen("127.0.0.1:0")
        .max_sessions_per_address(1000)
        .shutdown_timeout(Duration::ZERO);
    server.spawn().expect("the server starts")
}

/// Runs the program, and returns its exit code and what it says.
fn run(arguments: &[&str]) -> (i32, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_ftpbench")).args(arguments).output();
    let output = output.expect("the program starts");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let code = output.status.code().expect("it was not killed");
    (code, text(&output.stdout), text(&output.stderr))
}

/// Runs short samples against a server, and returns the exit code and the report.
fn against(server: SocketAddr, arguments: &[&str]) -> (i32, Value) {
    let port = server.port().to_string();
    let account = ["--host", "127.0.0.1", "--port", &port, "--user", "user"];
    let how = ["--password", "password", "--seconds", "0.02", "--json"];
    let (code, output, errors) = run(&[&account[..], &how, arguments].concat());
    assert_eq!(errors, "", "{output}");
    (code, serde_json::from_str(&output).expect("it is JSON"))
}

/// The workloads, with how many bytes an operation has, if that is certain.
const WORKLOADS: [(&str, Option<u64>); 14] = [
    ("retr-1", Some(MIB)),
    ("retr-3", Some(MIB)),
    ("stor-1", Some(MIB)),
    ("stor-3", Some(MIB)),
    ("small-retr-1", Some(4096)),
    ("small-retr-3", Some(4096)),
    ("small-stor-1", Some(4096)),
    ("small-stor-3", Some(4096)),
    ("login-2", Some(0)),
    ("noop", Some(0)),
    ("noop-pipelined", Some(0)),
    ("list-30", None),
    ("mlsd-30", None),
    ("idle-40", Some(0)),
];

fn measures(backend: Backend, options: &[&str]) {
    let server = start(backend);
    let workloads: Vec<_> = WORKLOADS.iter().map(|(name, _)| *name).collect();
    let pid = std::process::id().to_string();
    let options = [options, &["--prepare", "--size", "1", "--pid", &pid], &workloads].concat();
    let (code, report) = against(server.addresses()[0], &options);
    assert_eq!((code, &report["failed"]), (0, &Value::Array(Vec::new())), "{report}");
    assert_eq!(report["schema"], 1);
    assert_eq!(report["tls"], options.contains(&"--tls"));
    assert!(report["banner"].as_str().is_some_and(|it| it.starts_with("220 ")), "{report}");
    let results = report["results"].as_array().expect("results");
    let names: Vec<_> = results.iter().map(|it| it["workload"].as_str().expect("a name")).collect();
    assert_eq!(names, [&workloads[..], &["idle-40-retr"]].concat());
    let sizes = WORKLOADS.iter().map(|(_, size)| *size).chain([Some(4096)]);
    for (result, size) in results.iter().zip(sizes) {
        let [operations, bytes] = ["operations", "bytes"].map(|it| result[it].as_u64().unwrap());
        assert!(operations > 0, "{result}");
        match size {
            Some(size) => assert_eq!(bytes, operations * size, "{result}"),
            // A listing is the same each time.
            None => assert!(bytes >= operations * 30 && bytes % operations == 0, "{result}"),
        }
        let number = |it: &Value| it.as_f64().unwrap_or_else(|| panic!("{it} in {result}"));
        let [p50, p90, p99, max] =
            ["p50", "p90", "p99", "max"].map(|it| number(&result["latency_us"][it]));
        assert!(0.0 < p50 && p50 <= p90 && p90 <= p99 && p99 <= max, "{result}");
        assert!(number(&result["rate"]) > 0.0 && number(&result["seconds"]) > 0.0, "{result}");
        assert!(number(&result["cpu"]["each"]) >= 0.0, "{result}");
        assert!(number(&result["client_cpu_seconds"]) > 0.0, "{result}");
        assert!(number(&result["load"]["others_cpu_seconds"]) >= 0.0, "{result}");
        let memory = &result["memory"];
        assert_eq!(memory.is_object(), result["workload"] == "idle-40", "{result}");
        assert!(memory.is_null() || number(&memory["with_kib"]) > 0.0, "{result}");
    }
}

#[test]
fn measures_each_workload_on_each_backend() {
    for backend in Backend::ALL {
        measures(*backend, &[]);
    }
}

#[test]
fn measures_each_workload_within_tls() {
    for backend in Backend::ALL {
        measures(*backend, &["--tls"]);
    }
}

#[test]
fn measures_the_limits() {
    let (code, output, errors) = run(&["limits", "--json", "--seconds", "0.02"]);
    let report: Value = serde_json::from_str(&output).expect("it is JSON");
    assert_eq!((code, errors.as_str()), (0, ""), "{report}");
    let results = report["results"].as_array().expect("results");
    assert_eq!(results.len(), 19);
    for result in results {
        assert!(result["operations"].as_u64().expect("a number") > 0, "{result}");
        assert!(result["rate"].as_f64().expect("a number") > 0.0, "{result}");
    }
}

#[test]
fn says_why_a_workload_failed_and_goes_on() {
    let server = start(Backend::ALL[0]);
    let address = server.addresses()[0];
    let (code, report) = against(address, &["retr-1", "noop", "list-5"]);
    assert_eq!((code, report["results"].as_array().map(Vec::len)), (1, Some(1)), "{report}");
    assert_eq!(report["results"][0]["workload"], "noop");
    for (failed, name) in [(0, "retr-1"), (1, "list-5")] {
        assert_eq!(report["failed"][failed]["workload"], name);
        let error = report["failed"][failed]["error"].as_str().expect("a reason");
        assert!(error.starts_with("CWD bench: 550 "), "{error}");
    }
    // A file of another size than it should have.
    assert_eq!(against(address, &["--prepare", "--size", "1", "retr-1"]).0, 0);
    let (code, report) = against(address, &["--size", "2", "retr-1"]);
    let error = report["failed"][0]["error"].as_str().expect("a reason");
    assert_eq!((code, error), (1, "RETR big: 1048576 bytes came instead of 2097152"));
}

#[test]
fn refuses_a_wrong_command_line() {
    let account = ["--host", "127.0.0.1", "--user", "user", "--password", "password"];
    for wrong in [
        &["stat-1"][..],
        &["retr-0"],
        &[],
        &["--seconds", "0", "noop"],
        &["--pid", "4294967295", "noop"],
        &["--cpu", "1000000", "noop"],
    ] {
        let (code, output, errors) = run(&[&account[..], wrong].concat());
        assert_eq!((code, output.as_str()), (2, ""), "{wrong:?}");
        assert!(errors.contains("error: ") || errors.starts_with("ftpbench: --"), "{errors}");
    }
    assert_eq!(run(&["noop"]).0, 2);
    assert_eq!(run(&[]).0, 2);
}

/// What a server says, by the beginning of what it is told; it closes the connection after the last.
type Replies = &'static [(&'static str, &'static str)];

/// Starts a server that says these things and nothing else.
fn pretender(greeting: &'static str, replies: Replies) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    let converse = move |mut socket: TcpStream| {
        let lines = BufReader::new(socket.try_clone().expect("a socket")).lines();
        let _ = socket.write_all(greeting.as_bytes());
        for line in lines.map_while(Result::ok) {
            let reply = replies.iter().find(|(command, _)| line.starts_with(command));
            match reply {
                // Silence, until the client has had enough.
                Some((_, "")) => continue,
                Some((_, reply)) if socket.write_all(reply.as_bytes()).is_ok() => {}
                _ => break,
            }
        }
        let _ = socket.shutdown(Shutdown::Write);
        let _ = (&socket).read_to_end(&mut Vec::new());
    };
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            thread::spawn(move || converse(client));
        }
    });
    address
}

#[test]
fn a_server_that_is_none_is_an_error() {
    const HELLO: &str = "220 Hello\r\n";
    const LOGIN: (&str, &str) = ("USER", "230 Welcome\r\n");
    // Bound, so that nobody else is given the port, and not listening.
    let closed = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    closed.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).expect("a free port");
    let closed = closed.local_addr().unwrap().as_socket().unwrap();
    for (server, workload, words) in [
        (closed, "noop", "connecting: "),
        (pretender("HTTP/1.1 400\r\n", &[]), "noop", "the greeting: not a reply: HTTP/1.1 400"),
        (pretender("421 Go away\r\n", &[]), "noop", "the greeting: 421 Go away"),
        (pretender("", &[("USER", "x")]), "noop", "the greeting: silence"),
        (pretender(HELLO, &[]), "login-1", "USER user: the server closed the connection"),
        (pretender(HELLO, &[("USER", "331 \r\n"), ("PASS", "530 No\r\n")]), "noop", "PASS: 530 No"),
        (pretender(HELLO, &[LOGIN, ("NOOP", "502 No\r\n")]), "noop", "NOOP: 502 No"),
        (pretender(HELLO, &[LOGIN, ("NOOP", "200-\r\n")]), "noop-pipelined", "NOOP: silence"),
        (pretender(HELLO, &[LOGIN, ("NOOP", "")]), "noop", "NOOP: silence until the timeout"),
        (
            pretender(
                HELLO,
                &[LOGIN, ("TYPE", "200 \r\n"), ("CWD", "250 \r\n"), ("EPSV", "229 x\r\n")],
            ),
            "small-retr-2",
            "EPSV: 229 x",
        ),
        (pretender(HELLO, &[LOGIN]), "idle-3", "the server closed the connection"),
    ] {
        // Where a machine under load is slow, no other reason must turn into this one.
        let timeout = if words.contains("silence") { "0.5" } else { "30" };
        let (code, report) = against(server, &["--timeout", timeout, workload]);
        let error = report["failed"][0]["error"].as_str().expect("a reason");
        assert!(code == 1 && error.contains(words), "{words}: {report}");
        assert_eq!(report["results"].as_array().map(Vec::len), Some(0), "{report}");
    }
}

#[test]
fn each_option_is_in_the_document() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/ftpbench.md");
    let page = std::fs::read_to_string(page).expect("the document");
    let (code, help, _) = run(&["--help"]);
    let options = help.lines().filter_map(|line| {
        let option = line.trim_start().strip_prefix("--")?;
        Some(format!("--{}", option.split([' ', '.']).next()?))
    });
    let options: Vec<_> = options.collect();
    assert!(code == 0 && options.len() >= 12, "{options:?}");
    let missing: Vec<_> = options.iter().filter(|option| !page.contains(*option)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}
