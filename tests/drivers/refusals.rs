//! Transfers that are refused: the client reads why before its data connection ends. Some clients take
//! that end for the session's (basic-ftp of npm), or misread the reply (curl).

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use wharf::{Backend, Memory};

use crate::support::{Client, ClientTls, TlsStream, for_each_driver, hello, server, tls_server};

for_each_driver!(
    the_reply_comes_before_the_end,
    a_tls_handshake_is_not_cut_off,
    a_connection_within_tls_is_not_cut_off,
);

const REFUSED: [&str; 5] = ["RETR none", "STOR none/file", "LIST none", "NLST none", "MLSD none"];

/// With no lingering time at all: it begins when the reply has left, however late that is.
fn the_reply_comes_before_the_end(backend: Backend) {
    let server = server(backend, Memory::new()).lingering_time(Duration::ZERO).spawn().unwrap();
    let mut client = Client::log_in(&server);
    for command in REFUSED {
        let mut data = client.passive();
        // What is not read makes the end a reset.
        data.write_all(b"content").unwrap();
        client.send(command);
        let end = data.read(&mut [0]);
        assert!(!matches!(end, Ok(1..)), "{command}: {end:?}");
        client.stream().set_nonblocking(true).unwrap();
        let reply = client.reply().expect("the reply is there already");
        client.stream().set_nonblocking(false).unwrap();
        assert_eq!(reply.code, 550, "{command}");
    }
}

/// Returns `true` if the server has not closed its side, whatever it has sent.
fn is_open(mut data: &TcpStream) -> bool {
    data.set_nonblocking(true).unwrap();
    loop {
        match data.read(&mut [0; 4096]) {
            Ok(1..) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => return true,
            _ => return false,
        }
    }
}

fn a_tls_handshake_is_not_cut_off(backend: Backend) {
    let server = tls_server(backend, Memory::new()).spawn().unwrap();
    let tls = ClientTls::new();
    let mut client = Client::log_in_tls(&server, &tls);
    for command in REFUSED {
        let mut data = client.passive();
        data.write_all(&hello()).unwrap();
        // The server may have begun the handshake by then.
        client.ask("NOOP", 200);
        client.ask(command, 550);
        assert!(is_open(&data), "{command}");
    }
}

fn a_connection_within_tls_is_not_cut_off(backend: Backend) {
    let server = tls_server(backend, Memory::new()).spawn().unwrap();
    let tls = ClientTls::new();
    let mut client = Client::log_in_tls(&server, &tls);
    for command in REFUSED {
        let data = TlsStream::connect(client.passive(), &tls).unwrap();
        client.ask(command, 550);
        assert!(is_open(data.socket()), "{command}");
    }
}
