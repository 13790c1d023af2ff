//! The program's log: how much a client can have written, and what comes of a reader that does not
//! read.

mod support;

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use rustix::io::Errno;
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::Signal;
use socket2::{Domain, Socket, Type};
use wharf::Backend;

use support::program::{Program, command};
use support::{Client, LIMIT, for_each_driver, wait_until};

for_each_driver!(
    a_hundred_thousand_refusals_are_a_few_kilobytes,
    a_log_that_is_not_read_holds_nothing_up,
    guesses_are_seen_behind_the_noise_of_others,
    cool_downs_are_few_lines,
    changes_and_transfers_are_one_line_each,
    changes_beyond_the_bound_are_counted,
);

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("hello.txt"), "hello").unwrap();
    folder
}

/// Has PORT refused so many times.
fn make_noise(client: &mut Client, times: usize) {
    const AT_ONCE: usize = 200;
    for _ in 0..times / AT_ONCE {
        client.send_raw(&b"PORT 192,0,2,1,200,1\r\n".repeat(AT_ONCE));
        for _ in 0..AT_ONCE {
            client.expect(501);
        }
    }
}

/// How many lines the log says are missing.
fn left_out(log: &str) -> usize {
    let counts = log.lines().filter_map(|line| {
        let (count, _) = line.split_once("] ")?.1.split_once(" lines left out")?;
        Some(count.parse::<usize>().unwrap())
    });
    counts.sum()
}

fn start(folder: &Path, backend: Backend, adjust: impl FnOnce(&mut Command)) -> Program {
    Program::start(folder, |command| {
        command.args(["--backend", backend.name(), "--max-login-failures", "0"]);
        adjust(command);
    })
}

/// Serves a client as if nothing was the matter.
fn visit(program: &Program) {
    let mut client = program.log_in("anonymous", "x", 230);
    assert_eq!(client.get("RETR hello.txt"), b"hello");
    client.ask("QUIT", 221);
}

fn a_hundred_thousand_refusals_are_a_few_kilobytes(backend: Backend) {
    let folder = folder();
    let log = tempfile::NamedTempFile::new().unwrap();
    let program = start(folder.path(), backend, |command| {
        command.stderr(log.reopen().unwrap());
    });
    let begun = Instant::now();
    make_noise(&mut program.log_in("anonymous", "x", 230), 50_000);
    // A session begins anew, its client does not.
    for _ in 0..50 {
        make_noise(&mut program.log_in("anonymous", "x", 230), 1000);
    }
    visit(&program);
    let minutes = 1 + begun.elapsed().as_secs() / 60;
    assert_eq!(program.end(Signal::TERM).0, Some(0));
    let log = fs::read_to_string(log.path()).unwrap();
    assert!(log.contains("192.0.2.1:51201 refused\n"), "{log}");
    assert!(log.contains("more than --log-lines allows: "), "{log}");
    let written = log.matches(" refused\n").count();
    assert_eq!(written + left_out(&log), 100_000, "{log}");
    assert!(log.len() < 20_000 * minutes as usize, "{} bytes", log.len());
    println!("{backend}: {} bytes of log", log.len());
}

fn a_log_that_is_not_read_holds_nothing_up(backend: Backend) {
    let folder = folder();
    let mut program = start(folder.path(), backend, |command| {
        command.args(["--log-lines", "0", "-vv"]).stderr(Stdio::piped());
    });
    let mut other = program.log_in("anonymous", "x", 230);
    // Several times what fits into the pipe and the queue.
    make_noise(&mut program.log_in("anonymous", "x", 230), 40_000);
    other.ask("NOOP", 200);
    visit(&program);
    // Now it is read, and says what is missing.
    let mut log = BufReader::new(program.child.stderr.take().unwrap());
    let mut line = String::new();
    let mut lines = 0;
    while !line.contains("lines dropped") {
        line.clear();
        assert_ne!(log.read_line(&mut line).unwrap(), 0);
        lines += 1;
    }
    assert!(lines > 1000, "{lines}");
    // And not again; it ends all the same.
    make_noise(&mut other, 40_000);
    let begun = Instant::now();
    assert_eq!(program.end(Signal::TERM).0, Some(0));
    assert!(begun.elapsed() < LIMIT);
}

fn guesses_are_seen_behind_the_noise_of_others(backend: Backend) {
    let folder = folder();
    let mut program = start(folder.path(), backend, |command| {
        command.args(["--user", "anna"]).env("WHARF_PASSWORD", "secret").stderr(Stdio::piped());
    });
    // Two who make a noise, by what they are refused and by guesses of their own.
    let from = |last: u8| IpAddr::from([127, 0, 0, last]);
    let guess = |last: u8| {
        let mut client = Client::dial_from(from(last), program.address).unwrap();
        client.expect(220);
        client.ask("USER anna", 331);
        client.ask("PASS wrong", 530);
    };
    make_noise(&mut program.log_in("anna", "secret", 230), 20_000);
    (0..200).for_each(|_| guess(2));
    (0..20).for_each(|_| guess(3));
    let stderr = program.child.stderr.take().unwrap();
    assert_eq!(program.end(Signal::TERM).0, Some(0));
    let mut log = String::new();
    BufReader::new(stderr).read_to_string(&mut log).unwrap();
    let about = |ip: &str| log.matches(&format!("{ip}: login failed as anna\n")).count();
    assert_eq!(about("127.0.0.3"), 20, "{log}");
    assert!((60..=200).contains(&about("127.0.0.2")), "{log}");
}

/// Those who come anew each time have no more lines than one session.
fn cool_downs_are_few_lines(backend: Backend) {
    let folder = folder();
    let mut program = Program::start(folder.path(), |command| {
        command.args(["--backend", backend.name(), "--max-login-failures", "1"]);
        command.stderr(Stdio::piped());
    });
    let begun = Instant::now();
    program.log_in("anna", "x", 530);
    for _ in 0..1000 {
        let mut client = Client::dial(program.address).unwrap();
        client.expect(421);
        client.expect_end();
    }
    // One more each second.
    let most = 60 + begun.elapsed().as_secs() as usize;
    let stderr = program.child.stderr.take().unwrap();
    assert_eq!(program.end(Signal::TERM).0, Some(0));
    let mut log = String::new();
    BufReader::new(stderr).read_to_string(&mut log).unwrap();
    let cooling = log.matches("127.0.0.1: login refused, cooling down\n").count();
    assert!((50..=most).contains(&cooling), "{log}");
    assert_eq!(cooling + left_out(&log), 1000, "{log}");
}

/// A pipe that is not read, and that has no room.
fn full_pipe() -> (File, File) {
    let (reader, writer) = pipe_with(PipeFlags::CLOEXEC).unwrap();
    rustix::io::ioctl_fionbio(&writer, true).unwrap();
    while rustix::io::write(&writer, &[b'x'; 4096]) != Err(Errno::AGAIN) {}
    rustix::io::ioctl_fionbio(&writer, false).unwrap();
    (reader.into(), writer.into())
}

#[test]
fn what_it_prints_holds_nothing_up_either() {
    let folder = folder();
    // It cannot say which port it has chosen, so one is kept for it: no other socket is given that.
    let port = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    port.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).unwrap();
    port.set_reuse_address(true).unwrap();
    let address = port.local_addr().unwrap().as_socket().unwrap();
    let ((reader, writer), (other_reader, other_writer)) = (full_pipe(), full_pipe());
    let mut child = command(folder.path())
        .args(["--listen", &address.to_string(), "-v"])
        .stdout(writer)
        .stderr(other_writer)
        .spawn()
        .unwrap();
    wait_until("it serves", || {
        Client::dial(address).is_ok_and(|mut client| client.reply().is_ok())
    });
    rustix::process::kill_process(rustix::process::Pid::from_child(&child), Signal::TERM).unwrap();
    let mut code = None;
    wait_until("it ends", || {
        code = child.try_wait().unwrap();
        code.is_some()
    });
    assert_eq!(code.unwrap().code(), Some(0));
    drop((reader, other_reader));
}

/// A program that starts it in the background may close them: the next file or socket must not get
/// their numbers, and with them the output.
#[test]
#[cfg(target_os = "linux")]
fn closed_standard_streams_are_no_sockets() {
    let folder = folder();
    let script = "exec \"$0\" \"$1\" --listen 127.0.0.1:0 -vv <&- 2>&-";
    let mut child = Command::new("sh")
        .args(["-c", script, env!("CARGO_BIN_EXE_wharf")])
        .arg(folder.path())
        .env_remove("WHARF_PASSWORD")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let (mut welcome, mut output) = (String::new(), BufReader::new(child.stdout.take().unwrap()));
    while !welcome.contains("Ctrl-C") {
        assert_ne!(output.read_line(&mut welcome).unwrap(), 0, "{welcome}");
    }
    for number in [0, 2] {
        let is = fs::read_link(format!("/proc/{}/fd/{number}", child.id())).unwrap();
        assert_eq!(is, Path::new("/dev/null"));
    }
    let (_, rest) = welcome.split_once("ftp://").unwrap();
    let address = rest.split('/').next().unwrap().parse().unwrap();
    let mut client = Client::dial(address).unwrap();
    client.expect(220);
    client.enter();
    assert_eq!(client.get("RETR hello.txt"), b"hello");
    child.kill().unwrap();
    child.wait().unwrap();
}

/// Serves a folder that clients may change; returns what is logged at the default level, without the
/// times.
fn log_of(backend: Backend, lines: &str, visit: impl FnOnce(&Program)) -> String {
    let folder = folder();
    let mut program = start(folder.path(), backend, |command| {
        command.args(["--write", "--log-lines", lines]).stderr(Stdio::piped());
    });
    visit(&program);
    let stderr = program.child.stderr.take().unwrap();
    assert_eq!(program.end(Signal::TERM).0, Some(0));
    let mut log = String::new();
    BufReader::new(stderr).read_to_string(&mut log).unwrap();
    // Tests may be run as root, which is warned of.
    let time = r"(?m)^\S+ WARN  wharf::warnings\].*\n|^\[\S+Z | seconds=\d+\.\d{3}";
    let time = regex::Regex::new(time).unwrap();
    time.replace_all(&log, "").into_owned()
}

fn changes_and_transfers_are_one_line_each(backend: Backend) {
    let log = log_of(backend, "60", |program| {
        let mut client = program.log_in("anonymous", "x", 230);
        client.ask("TYPE I", 200);
        assert_eq!(client.get("RETR hello.txt"), b"hello");
        client.get("LIST");
        client.ask("MKD new folder", 257);
        client.put("STOR new folder/a", b"123");
        // A name that could be another line, and control a terminal.
        client.send_raw(b"RNFR new folder/a\r\nRNTO x\" y\0INFO 1.2.3.4: upload \x1b[2J\xff\r\n");
        client.expect(350);
        client.expect(250);
        client.ask("MFMT 20240101120000 hello.txt", 213);
        client.ask("SITE CHMOD 600 hello.txt", 200);
        client.ask("DELE hello.txt", 250);
        client.ask("DELE hello.txt", 550);
        client.ask("RMD new folder", 250);
        client.ask("QUIT", 221);
    });
    let who = "127.0.0.1: ";
    let rest = "session=1 user=\"anonymous\"";
    let expected = [
        format!(
            "download {rest} bytes=5 tls=no type=I mode=S offset=0 end=complete path=\"/hello.txt\""
        ),
        format!("directory-made {rest} path=\"/new folder\""),
        format!(
            "upload {rest} bytes=3 tls=no type=I mode=S offset=0 end=complete path=\"/new folder/a\""
        ),
        format!(
            "renamed {rest} from=\"/new folder/a\" to=\"/x\\\" y\\nINFO 1.2.3.4: upload \\x1b[2J\\xff\""
        ),
        format!("facts-changed {rest} modified=20240101120000 path=\"/hello.txt\""),
        format!("facts-changed {rest} mode=0600 path=\"/hello.txt\""),
        format!("deleted {rest} path=\"/hello.txt\""),
        format!("directory-removed {rest} path=\"/new folder\""),
    ];
    let expected: Vec<_> =
        expected.iter().map(|line| format!("INFO  wharf::events] {who}{line}")).collect();
    assert_eq!(log.lines().collect::<Vec<_>>(), expected);
}

/// What is left out is counted, and what a client is refused takes nothing from it.
fn changes_beyond_the_bound_are_counted(backend: Backend) {
    let log = log_of(backend, "1", |program| {
        let mut client = program.log_in("anonymous", "x", 230);
        make_noise(&mut client, 200);
        for _ in 0..25 {
            client.ask("MKD new", 257);
            client.ask("RMD new", 250);
        }
    });
    let told = log.matches("wharf::events] 127.0.0.1: directory-").count();
    assert!((20..50).contains(&told), "{log}");
    let refused = log.matches(" refused\n").count();
    assert!((1..=5).contains(&refused), "{log}");
    assert_eq!(told + refused + left_out(&log), 250, "{log}");
}
