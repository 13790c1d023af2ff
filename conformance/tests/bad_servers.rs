//! The program ftpspec against servers that are no servers: it ends, and says what they do.

mod ftpspec;

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use ftpspec::{against, builder, file, secure, start};
use socket2::SockRef;
use wharf::Permissions;

#[test]
fn shows_no_password() {
    const PASSWORD: &str = "sEcReT-7f3b";
    let server = builder().user("other", PASSWORD, Permissions::ALL).spawn();
    let server = server.expect("the server starts");
    let server = server.addresses()[0];
    // Repeats what the client sends, and accepts any password.
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
