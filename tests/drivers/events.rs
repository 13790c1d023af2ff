//! What observers hear, and that they hold nothing up.

use std::io::{Read, Write};
use std::panic::panic_any;
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use wharf::{Backend, Memory, Notice, ServerBuilder, SessionEvent, SiteReply};

use crate::support::{
    Call, Client, ClientTls, Faulty, Gate, LIMIT, address, for_each_driver, read_all, reset,
    server, tls_server,
};

for_each_driver!(
    all_kinds_are_told_in_order,
    hosts_and_tls_are_told,
    refusals_are_told,
    uploads_that_are_cut_off_are_told,
    a_change_whose_client_is_lost_is_told,
    sessions_that_a_stop_ends_are_told,
    finished_uploads_are_processed,
    a_slow_observer_holds_nothing_up,
    an_observer_that_panics_hears_the_next,
    an_observer_that_dies_holds_nothing_up,
    parts_tell_too,
);

/// Lets the events of a server come here.
fn observed(server: ServerBuilder) -> (ServerBuilder, Receiver<SessionEvent>) {
    let (tell, told) = channel();
    let observer = move |event: &SessionEvent| {
        let _ = tell.send(event.clone());
    };
    (server.login_delay(Duration::ZERO).observer(observer), told)
}

/// The notice as text, without the time that it took.
fn text(event: &SessionEvent) -> String {
    let text = event.notice.to_string();
    match text.split_once(" seconds=") {
        Some((before, after)) => before.to_string() + after.trim_start_matches(|c| c != ' '),
        None => text,
    }
}

fn next(told: &Receiver<SessionEvent>) -> SessionEvent {
    told.recv_timeout(LIMIT).expect("an event")
}

/// Takes events up to the end of a session.
fn until_disconnected(told: &Receiver<SessionEvent>) -> Vec<SessionEvent> {
    let mut events = vec![next(told)];
    while !matches!(events.last(), Some(last) if is_end(last)) {
        events.push(next(told));
    }
    events
}

fn is_end(event: &SessionEvent) -> bool {
    matches!(event.notice, Notice::Disconnected { .. })
}

fn all_kinds_are_told_in_order(backend: Backend) {
    let server = server(backend, Memory::new());
    let server = server.site_command("X", "", |_| SiteReply::new(250, "Done."));
    let (server, told) = observed(server);
    let server = server.spawn().unwrap();
    let mut client = Client::connect(&server);
    let peer = client.stream().local_addr().unwrap();
    client.ask("USER joe", 331);
    client.ask("PASS wrong", 530);
    client.enter();
    client.ask("MKD in", 257);
    client.put("STOR in/a b", b"12345");
    assert_eq!(client.get("RETR in/a b"), b"12345");
    client.get("LIST");
    client.ask("REST 2", 350);
    assert_eq!(client.get("RETR in/a b"), b"345");
    client.put("APPE in/a b", b"67");
    client.ask("DELE missing", 550);
    client.ask("RNFR in/a b", 350);
    client.ask("RNTO in/c\"d", 250);
    client.ask("MFMT 20240101120000 in/c\"d", 213);
    client.ask("SITE CHMOD 600 in/c\"d", 200);
    client.ask("SITE X secret", 250);
    client.ask("DELE in/c\"d", 250);
    client.ask("RMD in", 250);
    client.ask("REIN", 220);
    client.ask("QUIT", 221);
    client.expect_end();
    let events = until_disconnected(&told);
    let expected = [
        "connected implicit-tls=no",
        "login-failed why=refused user=\"joe\"",
        "logged-in by=password tls=no user=\"anonymous\"",
        "directory-made path=\"/in\"",
        "upload bytes=5 tls=no type=I mode=S offset=0 end=complete path=\"/in/a b\"",
        "download bytes=5 tls=no type=I mode=S offset=0 end=complete path=\"/in/a b\"",
        "download bytes=3 tls=no type=I mode=S offset=2 end=complete path=\"/in/a b\"",
        "upload bytes=2 tls=no type=I mode=S offset=end end=complete path=\"/in/a b\"",
        "renamed from=\"/in/a b\" to=\"/in/c\\\"d\"",
        "facts-changed modified=20240101120000 path=\"/in/c\\\"d\"",
        "facts-changed mode=0600 path=\"/in/c\\\"d\"",
        "site-called code=250 command=\"X\"",
        "deleted path=\"/in/c\\\"d\"",
        "directory-removed path=\"/in\"",
        "logged-out user=\"anonymous\"",
        "disconnected why=quit",
    ];
    assert_eq!(events.iter().map(text).collect::<Vec<_>>(), expected);
    for event in &events {
        assert_eq!((event.session, event.peer, event.lost), (1, peer, 0));
        assert_eq!(event.local, address(&server));
        let logged_in = 2..=14;
        let index = events.iter().position(|other| std::ptr::eq(other, event)).unwrap();
        let user = logged_in.contains(&index).then_some(&b"anonymous"[..]);
        assert_eq!(event.user.as_deref(), user, "{event:?}");
        assert_eq!(event.storage.is_some(), user.is_some(), "{event:?}");
    }
    assert!(events.is_sorted_by_key(|event| event.at));
    drop(Client::connect(&server));
    let events = until_disconnected(&told);
    assert_eq!(text(&events[1]), "disconnected why=client-closed");
    assert!(events.iter().all(|event| event.session == 2));
}

fn hosts_and_tls_are_told(backend: Backend) {
    let (server, told) = observed(tls_server(backend, Memory::new()));
    let server = server.host(
        "files.example",
        wharf::SimpleAccounts::new(Arc::new(Memory::new())).anonymous(wharf::Permissions::ALL),
    );
    let server = server.spawn().unwrap();
    let mut client = Client::connect_tls(&server, &ClientTls::new());
    client.ask("HOST files.example", 220);
    client.ask("USER anonymous", 331);
    client.ask("PASS me@example", 230);
    client.ask("QUIT", 221);
    let events = until_disconnected(&told);
    let login = "logged-in by=password tls=yes host=\"files.example\" user=\"anonymous\"";
    assert_eq!(text(&events[1]), login);
    assert_eq!(events[2].host.as_deref(), Some("files.example"));
    assert_eq!(events[3].host, None);
}

/// Also where the client is not even told why.
fn refusals_are_told(backend: Backend) {
    const TOLD_AT_MOST: usize = 64;
    let server = server(backend, Memory::new()).max_sessions(1).lingering_time(LIMIT);
    let (server, told) = observed(server);
    let server = server.spawn().unwrap();
    let first = Client::log_in(&server);
    let refused: Vec<_> = (0..TOLD_AT_MOST)
        .map(|_| {
            let mut client = Client::dial(address(&server)).unwrap();
            client.expect(421);
            client
        })
        .collect();
    let mut unheard = Client::dial(address(&server)).unwrap();
    unheard.expect_hangup();
    let is_refusal =
        |event: &SessionEvent| text(event) == "refused why=server-full" && event.user.is_none();
    let events: Vec<_> = (0..TOLD_AT_MOST + 3).map(|_| next(&told)).skip(2).collect();
    assert!(events.iter().all(is_refusal), "{events:?}");
    assert_eq!(events.last().unwrap().peer, unheard.stream().local_addr().unwrap());
    drop((refused, first));
    assert!(is_end(&until_disconnected(&told)[1]));
}

fn uploads_that_are_cut_off_are_told(backend: Backend) {
    let (server, told) = observed(server(backend, Memory::new()));
    let server = server.spawn().unwrap();
    let mut client = Client::log_in(&server);
    let mut data = client.begin("STOR cut");
    data.write_all(b"123").unwrap();
    reset(data);
    client.expect(426);
    let [_, _, cut] = [next(&told), next(&told), next(&told)];
    let transferred = cut.notice.transferred().unwrap();
    assert!(!transferred.is_complete() && transferred.path.as_bytes() == b"/cut", "{cut:?}");
    let data = client.begin("STOR lost");
    client.reset();
    drop(data);
    let events = until_disconnected(&told);
    let expected = [
        "upload bytes=0 tls=no type=I mode=S offset=0 end=control-closed path=\"/lost\"",
        "logged-out user=\"anonymous\"",
        "disconnected why=lost",
    ];
    assert_eq!(events.iter().map(text).collect::<Vec<_>>(), expected);
}

fn a_change_whose_client_is_lost_is_told(backend: Backend) {
    let gate = Gate::new();
    let files = Faulty::new(Call::Remove, Some(gate.clone()));
    let (server, told) = observed(server(backend, files));
    let server = server.spawn().unwrap();
    let mut client = Client::log_in(&server);
    client.send("DELE bad");
    gate.wait_for(1);
    client.reset();
    // Others are served meanwhile, so the loss has been seen by most drivers.
    Client::visit(&server);
    assert_eq!(until_disconnected(&told).len(), 2 + 6);
    gate.open();
    let events = until_disconnected(&told);
    let expected =
        ["deleted path=\"/bad\"", "logged-out user=\"anonymous\"", "disconnected why=lost"];
    assert_eq!(events.iter().map(text).collect::<Vec<_>>(), expected);
}

fn sessions_that_a_stop_ends_are_told(backend: Backend) {
    let (server, told) = observed(server(backend, Memory::new()));
    let server = server.spawn().unwrap();
    let mut client = Client::log_in(&server);
    let data = client.begin("STOR a");
    server.shutdown().unwrap();
    drop(data);
    // All has been heard by then, and the observer is gone.
    let events: Vec<_> = told.iter().collect();
    let told: Vec<_> = events.iter().map(text).collect();
    assert_eq!(told.len(), 5, "{told:?}");
    assert!(told[2].contains(" end=shutdown "), "{told:?}");
    assert_eq!(told[4], "disconnected why=shutdown");
}

fn finished_uploads_are_processed(backend: Backend) {
    let files = Memory::new();
    let (tell, told) = channel();
    let server = server(backend, files).on_upload(move |upload| {
        let mut content = Vec::new();
        upload.open().unwrap().read_to_end(&mut content).unwrap();
        let user = String::from_utf8_lossy(upload.user()).into_owned();
        tell.send((upload.path().to_string(), user, content)).unwrap();
    });
    let server = server.spawn().unwrap();
    let mut client = Client::log_in(&server);
    client.put("STOR one", b"First.");
    let mut data = client.begin("STOR cut");
    data.write_all(b"123").unwrap();
    reset(data);
    client.expect(426);
    client.put("STOR two", b"Second.");
    assert_eq!(client.get("RETR two"), b"Second.");
    drop(client);
    server.shutdown().unwrap();
    let of = |path: &str, content: &[u8]| (path.into(), "anonymous".into(), content.to_vec());
    assert_eq!(told.iter().collect::<Vec<_>>(), [of("/one", b"First."), of("/two", b"Second.")]);
}

fn a_slow_observer_holds_nothing_up(backend: Backend) {
    let (gate, heard) = (Gate::new(), Arc::new(Mutex::new(Vec::new())));
    let (before, note) = (gate.clone(), heard.clone());
    let server = server(backend, Memory::new())
        .observer_queue(8)
        .observer_timeout(Duration::from_millis(1))
        .observer(move |event: &SessionEvent| {
            before.pass();
            note.lock().unwrap().push((event.notice.name(), event.lost));
        });
    let (server, told) = observed(server);
    let server = server.spawn().unwrap();
    Client::visit(&server);
    gate.wait_for(1);
    // The other has heard all, while the first has not come to its end.
    assert_eq!(until_disconnected(&told).len(), 6);
    assert!(heard.lock().unwrap().is_empty());
    let begun = Instant::now();
    server.shutdown().unwrap();
    assert!(begun.elapsed() < LIMIT);
    gate.open();
}

fn an_observer_that_panics_hears_the_next(backend: Backend) {
    let server = server(backend, Memory::new()).observer(|event: &SessionEvent| {
        panic!("at {}, as the test wants it to", event.notice.name());
    });
    let (server, told) = observed(server);
    let server = server.spawn().unwrap();
    (0..3).for_each(|_| Client::visit(&server));
    (0..3).for_each(|_| assert_eq!(until_disconnected(&told).len(), 6));
    server.shutdown().unwrap();
}

/// Panics again where the panic is dropped: that ends the observer's thread.
struct Worse;

impl Drop for Worse {
    fn drop(&mut self) {
        panic!("as the test wants it to");
    }
}

fn an_observer_that_dies_holds_nothing_up(backend: Backend) {
    let server = server(backend, Memory::new())
        .observer_timeout(LIMIT * 10)
        .observer(|_: &SessionEvent| panic_any(Worse));
    let server = server.spawn().unwrap();
    (0..3).for_each(|_| Client::visit(&server));
    let begun = Instant::now();
    server.shutdown().unwrap();
    assert!(begun.elapsed() < LIMIT);
}

fn parts_tell_too(backend: Backend) {
    let (server, told) = observed(server(backend, Memory::new()));
    let parts = server.build().unwrap();
    let (address, stop, service) = (parts.addresses[0], parts.stop.clone(), parts.service.clone());
    let driver = thread::spawn(move || {
        let outcome = backend.driver()(parts.service, parts.listeners, parts.stop);
        service.finish_observers();
        outcome
    });
    let mut client = Client::dial(address).unwrap();
    client.expect(220);
    client.enter();
    let data = client.begin("NLST");
    read_all(data);
    stop.call();
    driver.join().unwrap().unwrap();
    let names: Vec<_> = told.iter().map(|event| event.notice.name()).collect();
    assert_eq!(names, ["connected", "logged-in", "logged-out", "disconnected"]);
}
