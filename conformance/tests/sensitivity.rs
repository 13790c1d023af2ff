//! The checks see what is wrong: servers with one thing broken, each against the checks that have to
//! notice, with no more known of them than an address and an account.

mod faulty;
#[path = "faulty/table.rs"]
mod table;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use faulty::{Deed, Edit, Fault, Sent, only_behind_the_command, proxy, without_close_notify};
use table::{Mutation, mutations};
use wharf::{Backend, Certificate, Memory, PassivePorts, Permissions, Server, ServerBuilder, Tls};
use wharf_conformance::{Credentials, Facts, Stranger, Verdict, all, run_one};

fn builder() -> ServerBuilder {
    builder_at("127.0.0.1:0")
}

fn builder_at(address: &str) -> ServerBuilder {
    Server::builder()
        .backend(Backend::ALL[0])
        .storage(Memory::new())
        .user("user", "password", Permissions::ALL)
        .listen(address)
        .login_delay(Duration::ZERO)
        .max_sessions_per_address(1000)
        .shutdown_timeout(Duration::ZERO)
}

fn start(builder: ServerBuilder) -> (Server, SocketAddr) {
    let server = builder.spawn().expect("the server starts");
    let address = server.addresses()[0];
    (server, address)
}

fn meet(address: SocketAddr, limit: Duration) -> Stranger {
    let account = Credentials { user: "user".into(), password: "password".into() };
    let facts = Facts { limit, ..Facts::new(address, account) };
    Stranger::meet(facts).expect("the server lets the checks in")
}

fn verdict(stranger: &Stranger, id: &str) -> Verdict {
    let check = all().find(|check| check.id == id);
    run_one(stranger, &check.unwrap_or_else(|| panic!("no check {id}"))).verdict
}

/// Long enough for a server in this process, and short where a fault is that nothing comes.
const LIMIT: Duration = Duration::from_secs(3);

#[test]
fn every_mutation_is_seen() {
    let mutations = mutations();
    assert!(mutations.len() >= 60);
    let next = AtomicUsize::new(0);
    let unseen: Vec<String> = thread::scope(|scope| {
        let work = || {
            let mut unseen = Vec::new();
            while let Some(mutation) = mutations.get(next.fetch_add(1, Ordering::Relaxed)) {
                unseen.extend(blind_checks(mutation));
            }
            unseen
        };
        let workers: Vec<_> = (0..4).map(|_| scope.spawn(work)).collect();
        workers.into_iter().flat_map(|worker| worker.join().expect("no check panics")).collect()
    });
    assert!(unseen.is_empty(), "not seen:\n{}", unseen.join("\n"));
}

/// Returns a line for each check that should have noticed and has not.
fn blind_checks(mutation: &Mutation) -> Vec<String> {
    // Met before it breaks, as what is broken could be what meeting needs.
    let (_server, address) = start((mutation.server)(builder()));
    let proxied = proxy(address, mutation.fault);
    let stranger = meet(address, LIMIT).at(proxied);
    // A proxy that looks at data takes it whole, and so is itself no faithful reader.
    let faithful = mutation.fault.data.map(|_| {
        let fault = Fault { data: Some(|_, bytes| bytes), ..Fault::default() };
        meet(address, LIMIT).at(proxy(address, fault))
    });
    let blind = |id: &&str| {
        let verdict = verdict(&stranger, id);
        let is_seen = matches!(verdict, Verdict::Failed(_))
            && faithful.as_ref().is_none_or(|faithful| self::verdict(faithful, id) != verdict);
        (!is_seen).then(|| format!("{} by {id}: {verdict}", mutation.what))
    };
    mutation.ids.iter().filter_map(blind).collect()
}

#[test]
fn nothing_is_seen_where_nothing_is_broken() {
    let (_server, address) = start(builder());
    for data in [None, Some((|_, bytes| bytes) as Edit)] {
        let proxied = proxy(address, Fault { data, ..Fault::default() });
        let stranger = meet(proxied, Duration::from_secs(20));
        let mut ids: Vec<_> = mutations()
            .iter()
            .filter(|mutation| mutation.fault.data.is_some() == data.is_some())
            .flat_map(|mutation| mutation.ids)
            .copied()
            .collect();
        if data.is_none() {
            ids.extend(ABOUT_UPLOADS);
        }
        ids.sort_unstable();
        ids.dedup();
        // A proxy that takes data whole is no reader that stands still, and passes no reset on.
        ids.retain(|id| data.is_none() || !["rfc959.retr", "rfc959.stor"].contains(id));
        for id in ids {
            let verdict = verdict(&stranger, id);
            let fine = !matches!(verdict, Verdict::Failed(_));
            assert!(fine, "{id}: {verdict}");
        }
    }
}

#[test]
fn what_cannot_be_removed_is_named() {
    let (_server, address) = start(builder());
    let keep: fn(&[u8]) -> Sent = |line| match line.starts_with(b"RMD") {
        true => Sent::Answer("550 No"),
        false => Sent::Pass(line.to_vec()),
    };
    // The replies that RFC 959 has for CWD, and one that is no less a success.
    let other_code: fn(&str, String) -> String = |to, line| match to.starts_with("CWD") {
        true => line.replacen("250", "200", 1),
        false => line,
    };
    let check = all().find(|check| check.id == "rfc959.rnto").expect("a check");
    let run = |fault| {
        let outcome = run_one(&meet(address, LIMIT).at(proxy(address, fault)), &check);
        outcome.notes.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let notes = run(Fault { command: keep, ..Fault::default() });
    assert!(notes.iter().any(|note| note.starts_with("left behind: /check-")), "{notes:?}");
    let notes = run(Fault { reply: other_code, ..Fault::default() });
    assert!(!notes.iter().any(|note| note.starts_with("left behind")), "{notes:?}");
    // Of the two folders the first is left, as it was told to be.
    let mut client = TcpStream::connect(address).expect("the server is there");
    let mut left = String::new();
    client.write_all(b"USER user\r\nPASS password\r\nSTAT /\r\nQUIT\r\n").expect("it listens");
    client.read_to_string(&mut left).expect("it answers");
    assert_eq!(left.matches("check-").count(), 1, "{left}");
}

/// What is about uploads and their ends, and could be taken for a fault of the neighbour's.
const ABOUT_UPLOADS: &[&str] = &[
    "rfc959.quit",
    "rfc959.quit-unread",
    "rfc959.half-close",
    "rfc959.stor",
    "rfc959.appe",
    "rfc959.no-data",
    "rfc959.abor",
];

#[test]
fn a_deed_is_seen_by_its_own_check_alone() {
    let deeds = [
        (Deed::LosesUnread, "rfc959.quit-unread"),
        (Deed::HalfCloseIsLoss, "rfc959.half-close"),
        (Deed::MakesPlaceholder, "rfc959.no-data"),
        (Deed::EmptiesFirst, "rfc959.no-data"),
        (Deed::RemovesByName, "rfc959.no-data"),
    ];
    thread::scope(|scope| {
        for (deed, own) in deeds {
            scope.spawn(move || seen_alone(deed, own));
        }
    });
}

fn seen_alone(deed: Deed, own: &str) {
    let (_server, address) = start(builder());
    let fault = Fault { deed: Some(deed), ..Fault::default() };
    let stranger = meet(address, LIMIT).at(proxy(address, fault));
    for id in ABOUT_UPLOADS {
        let verdict = verdict(&stranger, id);
        let is_seen = matches!(verdict, Verdict::Failed(_));
        assert_eq!(is_seen, *id == own, "{deed:?} by {id}: {verdict}");
    }
}

#[test]
fn a_missing_close_notify_is_seen() {
    let (_server, address, ports) = start_elsewhere();
    let proxied = without_close_notify(address, ports);
    let stranger = meet(proxied, LIMIT);
    for id in ["rfc4217.auth", "rfc4217.prot"] {
        let verdict = verdict(&stranger, id);
        let seen = matches!(&verdict, Verdict::Failed(failure)
            if failure.to_string().contains("close_notify"));
        assert!(seen, "{id}: {verdict}");
    }
}

#[test]
fn a_handshake_that_waits_for_its_command_is_seen() {
    let (_server, address, ports) = start_elsewhere();
    let proxied = only_behind_the_command(address, ports);
    let stranger = meet(proxied, LIMIT);
    for id in ["rfc4217.early-handshake", "rfc2228.prot", "rfc4217.pbsz"] {
        let verdict = verdict(&stranger, id);
        let is_seen = matches!(&verdict, Verdict::Failed(failure)
            if failure.to_string().contains("TLS begun before the command"));
        assert_eq!(is_seen, id == "rfc4217.early-handshake", "{id}: {verdict}");
    }
}

/// Starts a server at 127.0.0.2 that speaks TLS, and returns its passive ports as they are free at
/// 127.0.0.1.
fn start_elsewhere() -> (Server, SocketAddr, Vec<TcpListener>) {
    let (ports, range) = ports();
    let tls = Tls::new(Certificate::self_signed(&["localhost"]).expect("a certificate"));
    let (server, address) = start(
        builder_at("127.0.0.2:0")
            .tls(tls.expect("the provider has what TLS needs"))
            .passive_ports(range),
    );
    (server, address, ports)
}

/// Returns ports in a row that are free at 127.0.0.1, taken there, and at 127.0.0.2, not taken. They
/// are below those that connections are given, of which many may be in use.
fn ports() -> (Vec<TcpListener>, PassivePorts) {
    const COUNT: u16 = 16;
    let rows = (16_384..32_768).step_by(usize::from(COUNT));
    // Other programs may look for ports in a row too.
    let begin = std::process::id() as usize % rows.len();
    for first in rows.clone().cycle().skip(begin).take(rows.len()) {
        let row = first..=first + COUNT - 1;
        let listeners = row.clone().map(|port| TcpListener::bind(("127.0.0.1", port)));
        let Ok(listeners) = listeners.collect::<Result<Vec<_>, _>>() else { continue };
        if row.clone().all(|port| TcpListener::bind(("127.0.0.2", port)).is_ok()) {
            return (listeners, PassivePorts::range(row).expect("a range of ports"));
        }
    }
    panic!("no {COUNT} free ports in a row");
}
