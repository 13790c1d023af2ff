//! What embedding programs do with events: the examples, as a client meets them.

mod support;

#[path = "../examples/events.rs"]
#[allow(dead_code, reason = "its main is not run here")]
mod events;
#[path = "../examples/uploads.rs"]
#[allow(dead_code, reason = "its main is not run here")]
mod uploads;

use std::sync::mpsc::channel;

use support::{Client, LIMIT};

#[test]
fn each_finished_file_is_processed() {
    let (report, reports) = channel();
    let server = uploads::server(move |line| report.send(line).unwrap()).spawn().unwrap();
    let mut client = Client::log_in(&server);
    client.put("STOR a.txt", b"one\ntwo\nthree");
    assert_eq!(reports.recv_timeout(LIMIT).unwrap(), "/a.txt: 3 lines");
    client.put("APPE a.txt", b"\nfour\n");
    assert_eq!(reports.recv_timeout(LIMIT).unwrap(), "/a.txt: 4 lines");
}

#[test]
fn a_channel_hears_all() {
    let (server, channel) = events::server();
    let server = server.spawn().unwrap();
    let mut client = Client::log_in(&server);
    assert_eq!(client.get("RETR hello.txt"), b"Hello.\n");
    let peer = client.stream().local_addr().unwrap();
    client.ask("QUIT", 221);
    drop(client);
    server.shutdown().unwrap();
    let lines: Vec<_> = channel.iter().map(|event| events::line(&event)).collect();
    let begins = [
        format!("#1 {peer} - connected implicit-tls=no"),
        format!("#1 {peer} anonymous logged-in by=password tls=no user=\"anonymous\""),
        format!("#1 {peer} anonymous download bytes=7 seconds="),
        format!("#1 {peer} anonymous logged-out user=\"anonymous\""),
        format!("#1 {peer} - disconnected why=quit seconds="),
    ];
    assert_eq!(lines.len(), begins.len(), "{lines:?}");
    for (line, begin) in lines.iter().zip(&begins) {
        assert!(line.starts_with(begin), "{line}");
    }
}
