//! The log, for a client decides how many lines there are to say. A process of its own has a logger
//! of its own.

use std::cell::RefCell;
use std::fs;
use std::path::Path;
use std::sync::{Arc, Once};
use std::time::Duration;

use log::{Level, LevelFilter, Log, Metadata, Record};
use wharf_core::{
    Action, Admission, Denial, Endpoint, Event, Grant, Instant, Now, Permissions, RequestId,
    Session, SessionConfig,
};

thread_local! {
    static LINES: RefCell<Vec<(Level, String, String)>> = const { RefCell::new(Vec::new()) };
}

/// Keeps what a test's own thread logs.
struct Keeper;

impl Log for Keeper {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        let line = (record.level(), record.target().to_string(), record.args().to_string());
        LINES.with_borrow_mut(|lines| lines.push(line));
    }

    fn flush(&self) {}
}

fn lines() -> Vec<String> {
    LINES.take().into_iter().map(|(_, _, text)| text).collect()
}

fn session(config: SessionConfig) -> Session {
    static KEEPER: Once = Once::new();
    KEEPER.call_once(|| {
        log::set_logger(&Keeper).unwrap();
        log::set_max_level(LevelFilter::Debug);
    });
    let address = |text: &str| text.parse().unwrap();
    let endpoint =
        Endpoint::new(address("10.0.0.9:21"), address("10.0.0.1:4000"), Admission::Welcome);
    Session::new(Arc::new(config), endpoint, later(0))
}

fn later(seconds: u64) -> Now {
    Now { instant: Instant::from_epoch(Duration::from_secs(seconds)), ..Now::default() }
}

/// Sends a command whole; answers are read away.
fn send(session: &mut Session, line: &str, now: Now) {
    let line = format!("{line}\r\n");
    assert_eq!(session.receive(line.as_bytes(), now), line.len());
    session.transmitted(session.transmit().len(), now);
}

/// Tries a password; the accounts say this of it.
fn log_in(session: &mut Session, outcome: Result<Grant, Denial>, now: Now) {
    send(session, "USER joe", now);
    send(session, "PASS x", now);
    let id = std::iter::from_fn(|| session.poll()).find_map(|action| match action {
        Action::Authenticate { id, .. } => Some(id),
        _ => None,
    });
    session.handle(Event::Authenticated { id: id.unwrap(), outcome }, now);
    session.transmitted(session.transmit().len(), now);
}

fn reader() -> Result<Grant, Denial> {
    Ok(Grant { rights: Permissions::READ_ONLY.into(), ..Grant::default() })
}

#[test]
fn a_hundred_thousand_refusals_are_few_lines() {
    let mut session = session(SessionConfig::default());
    log_in(&mut session, reader(), later(0));
    assert_eq!(lines(), ["10.0.0.1: login as joe"]);
    for number in 0..100_000_u64 {
        // All within ten seconds.
        send(&mut session, "PORT 192,0,2,1,200,1", later(number / 10_000));
    }
    let told = lines();
    assert!((60..100).contains(&told.len()), "{}", told.len());
    send(&mut session, "PORT 192,0,2,1,200,1", later(60));
    let told = lines();
    assert_eq!(told.len(), 2);
    assert!(told[0].starts_with("10.0.0.1: ") && told[0].ends_with(" more lines left out"));
    // Nor is what was left out last forgotten.
    (0..200).for_each(|_| send(&mut session, "PORT 192,0,2,1,200,1", later(60)));
    drop(session);
    let told = lines();
    assert!(told.last().unwrap().ends_with(" more lines left out"), "{told:?}");
}

/// A client must not be able to guess passwords unseen in a noise that it makes itself.
#[test]
fn failed_logins_have_lines_of_their_own() {
    let config = SessionConfig {
        max_login_attempts: 100,
        login_delay: Duration::ZERO,
        ..Default::default()
    };
    let mut session = session(config);
    log_in(&mut session, reader(), later(0));
    (0..1000).for_each(|_| send(&mut session, "PORT 192,0,2,1,200,1", later(0)));
    send(&mut session, "REIN", later(0));
    lines();
    for _ in 0..30 {
        log_in(&mut session, Err(Denial::Refused), later(0));
        session.handle(Event::Timeout, later(0));
        session.transmitted(session.transmit().len(), later(0));
        let told = LINES.take();
        assert_eq!(told.len(), 1, "{told:?}");
        let (level, target, text) = &told[0];
        assert_eq!((*level, &target[..]), (Level::Warn, "wharf_core::session::access"));
        assert_eq!(text, "10.0.0.1: login failed as joe");
    }
}

#[test]
fn a_session_without_a_bound_says_all() {
    let mut session = session(SessionConfig { log_lines_per_minute: 0, ..Default::default() });
    log_in(&mut session, reader(), later(0));
    (0..5000).for_each(|_| send(&mut session, "PORT 192,0,2,1,200,1", later(0)));
    assert_eq!(lines().len(), 5001);
}

/// What is written past the journal has no bound.
#[test]
fn sessions_log_in_one_place_only() {
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src/session")];
    let mut seen = 0;
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if !path.ends_with("journal.rs") {
                let text = fs::read_to_string(&path).unwrap();
                assert!(!text.contains("log::"), "{}: use the session's journal", path.display());
                seen += 1;
            }
        }
    }
    assert!(seen > 15, "{seen}");
}

#[test]
fn an_answer_that_nothing_waits_for_is_logged_and_ignored() {
    let config = SessionConfig { log_lines_per_minute: 3, ..SessionConfig::default() };
    let mut session = session(config);
    send(&mut session, "USER joe", later(0));
    send(&mut session, "PASS x", later(0));
    let Some(Action::Authenticate { id, .. }) = session.poll() else { panic!("PASS asks") };
    lines();
    // The right id, but not what it was given for; then ids that stand for nothing.
    session.handle(Event::Listening { id, port: Some(50000) }, later(0));
    session.handle(Event::Progress { id: RequestId(17), bytes: 1 }, later(0));
    session.handle(Event::DigestProgress { id: RequestId(18), bytes: 1 }, later(0));
    let told: Vec<(Level, String, String)> = LINES.take();
    let expected = [id.0, 17, 18]
        .map(|id| (Level::Debug, format!("10.0.0.1: nothing waits for the answer #{id}")));
    assert_eq!(
        told.iter().map(|(level, _, text)| (*level, text.clone())).collect::<Vec<_>>(),
        expected
    );
    for _ in 0..1000 {
        session.handle(Event::Sent { id: RequestId(19) }, later(0));
    }
    assert_eq!(lines(), [""; 0]);
    session.handle(Event::Authenticated { id, outcome: reader() }, later(1));
    assert_eq!(session.transmit(), b"230 Login successful.\r\n");
}
