//! What is bounded, withheld or kept secret, where a transcript would be too long or cannot say it.

mod support;

use std::sync::Arc;
use std::time::Duration;

use support::canned::metadata;
use wharf_core::testing::{Harness, Reply, lines_of, show_action};
use wharf_core::{
    Action, Admission, DataEnd, Endpoint, Entry, Event, Grant, Instant, Kind, LONGEST_PATH, Now,
    Opened, Permissions, RequestId, Session, SessionConfig, StorageAnswer, StorageError,
    StorageRequest,
};

/// Longest command line in bytes, its end not counted.
const LONGEST_LINE: usize = 8 * 1024;

fn logged_in() -> Harness {
    let mut harness = Harness::plain();
    harness.receive(b"USER joe\r\nPASS secret\r\n");
    let outcome = Ok(Grant { rights: Permissions::ALL.into(), ..Grant::default() });
    harness.handle(Event::Authenticated { id: RequestId(1), outcome });
    harness.take_replies();
    harness.take_actions();
    harness
}

fn bare_session() -> Session {
    let address = |text: &str| text.parse().unwrap();
    let endpoint =
        Endpoint::new(address("10.0.0.9:21"), address("10.0.0.1:4000"), Admission::Welcome);
    Session::new(Arc::new(SessionConfig::default()), endpoint, Now::default())
}

/// Returns the codes of all replies.
fn codes(bytes: &[u8]) -> Vec<u16> {
    Reply::read(bytes).unwrap().iter().map(|reply| reply.code).collect()
}

fn later(seconds: u64) -> Now {
    Now { instant: Instant::from_epoch(Duration::from_secs(seconds)), ..Now::default() }
}

#[test]
fn a_thousand_commands_in_one_segment() {
    let mut harness = Harness::plain();
    harness.read(1000);
    harness.take_replies();
    harness.eager = false;
    let words: Vec<String> = (0..1000).map(|number| format!("BOGUS{number}")).collect();
    harness.receive(format!("{}\r\n", words.join("\r\n")).as_bytes());
    let waiting = harness.session().transmit().len();
    assert!((16 * 1024..16 * 1024 + 64).contains(&waiting), "{waiting}");
    assert!(harness.unread() > 0 && !harness.session().wants_read());
    while !harness.session().transmit().is_empty() {
        harness.read(100);
    }
    assert_eq!(harness.unread(), 0);
    let expected: Vec<String> =
        words.iter().map(|word| format!("500 Command \"{word}\" not understood.\r\n")).collect();
    assert_eq!(harness.take_replies(), expected.concat().as_bytes());
}

#[test]
fn commands_behind_a_slow_one_wait_up_to_a_limit() {
    let mut harness = logged_in();
    harness.receive(b"CWD pub\r\n");
    harness.receive(&b"NOOP\r\n".repeat(10_000));
    assert!(!harness.session().wants_read());
    let taken = 60_000 - harness.unread();
    assert!((1_000..20_000).contains(&taken), "{taken}");
    harness.handle(Event::Storage { id: RequestId(2), outcome: Ok(StorageAnswer::Done) });
    let came = codes(&harness.take_replies());
    assert_eq!((came.len(), harness.unread()), (10_001, 0));
}

#[test]
fn nothing_behind_auth_is_consumed_before_its_answer() {
    let smuggled = b"AUTH TLS\r\nUSER root\r\n\x16\x03\x01";
    let mut session = bare_session();
    let _ = session.receive(b"USER joe\r\nPASS secret\r\n", Now::default());
    assert_eq!(session.receive(smuggled, Now::default()), 10);
    assert!(!session.wants_read());
    assert_eq!(session.receive(&smuggled[10..], Now::default()), 0);
    // Also when the line comes in pieces, in any case, and not first.
    let mut session = bare_session();
    let _ = session.receive(b"USER joe\r\nPASS secret\r\n", Now::default());
    assert_eq!(session.receive(b"NOOP\r\nauth", Now::default()), 10);
    assert_eq!(session.receive(b" SSL\nNOOP\r\n", Now::default()), 5);
    assert!(!session.wants_read());
}

#[test]
fn a_line_too_long_is_refused_and_skipped() {
    let mut harness = logged_in();
    harness.receive(&[b'x'; LONGEST_LINE]);
    harness.receive(b"x");
    harness.receive(&[b'y'; 1_000_000]);
    assert_eq!((harness.take_replies().len(), harness.unread()), (0, 0));
    harness.receive(b"QUIT\r\nNOOP\r\n");
    assert_eq!(
        harness.take_replies(),
        b"500 Command line too long.\r\n200 NOOP command successful.\r\n"
    );
    let longest = [b"STAT ", &[b'/'; LONGEST_LINE - 5][..], b"\r\n"].concat();
    harness.receive(&longest);
    assert_eq!(show_action(&harness.take_actions()[0]), "storage #2 metadata /");
}

#[test]
fn a_path_too_long_is_refused_without_a_question_to_the_storage() {
    let path = vec![b'x'; LONGEST_PATH];
    for (word, code) in [
        ("CWD", 550),
        ("DELE", 550),
        ("MKD", 550),
        ("RMD", 550),
        ("RNFR", 550),
        ("SIZE", 550),
        ("MDTM", 550),
        ("MLST", 550),
        ("STAT", 550),
        ("LIST", 550),
        ("NLST", 550),
        ("MLSD", 550),
        ("RETR", 553),
        ("STOR", 553),
        ("APPE", 553),
        ("STOU", 553),
    ] {
        let mut harness = logged_in();
        harness.receive(b"TYPE I\r\nPORT 10,0,0,1,200,1\r\nREST 5\r\n");
        harness.take_replies();
        harness.receive(&[word.as_bytes(), b" ", &path, b"\r\n"].concat());
        assert_eq!(codes(&harness.take_replies()), [code], "{word}");
        let came = harness.take_actions();
        let transfers = ["LIST", "NLST", "MLSD", "RETR", "STOR", "APPE", "STOU"].contains(&word);
        // A transfer command takes data connection and restart marker with it, others leave both.
        assert_eq!(
            came,
            if transfers { vec![Action::CloseData(DataEnd::Refused)] } else { vec![] },
            "{word}"
        );
        harness.receive(b"PORT 10,0,0,1,200,1\r\nSTOR a\r\n");
        let stored = show_action(&harness.take_actions().pop().unwrap());
        assert_eq!(stored.ends_with(" replace"), transfers, "{word}: {stored}");
    }
}

/// Lets STAT list entries with such names, as many as it asks for; returns its lines.
fn stat(name: &[u8], count: usize) -> Vec<Vec<u8>> {
    let mut harness = logged_in();
    let entry = Entry { name: name.to_vec(), metadata: metadata(Kind::File) };
    let mut left = count;
    harness.receive(b"STAT d\r\n");
    while let Some(action) = harness.take_actions().into_iter().next() {
        let Action::Storage { id, request } = action else {
            assert!(matches!(action, Action::Release(_)), "{action:?}");
            break;
        };
        let answer = match request {
            StorageRequest::NextLines { .. } => {
                let count = left.min(128);
                left -= count;
                StorageAnswer::Lines(lines_of(&request, vec![entry.clone(); count]))
            }
            StorageRequest::OpenDirectory(_) => StorageAnswer::Opened(Opened::default()),
            _ => StorageAnswer::Metadata(metadata(Kind::Directory)),
        };
        harness.handle(Event::Storage { id, outcome: Ok(answer) });
    }
    harness.assert_nothing_open();
    let mut replies = Reply::read(&harness.take_replies()).unwrap();
    assert_eq!(replies.len(), 1);
    replies.remove(0).lines
}

#[test]
fn stat_lists_no_more_than_fits() {
    let last = |lines: &[Vec<u8>]| String::from_utf8(lines.last().unwrap().clone()).unwrap();
    let lines = stat(b"a", 1000);
    assert_eq!((lines.len(), &last(&lines)[..]), (1002, "212 End of status."));
    let lines = stat(b"a", 1001);
    assert_eq!(
        (lines.len(), &last(&lines)[..]),
        (1002, "212 There are more; LIST shows them all.")
    );
    let lines = stat(&[0xFF; 4096], 1001);
    assert_eq!((lines.len(), &last(&lines)[..]), (33, "212 There are more; LIST shows them all."));
}

#[test]
fn telnet_options_without_end_fill_nothing() {
    let mut harness = Harness::plain();
    harness.eager = false;
    harness.receive(&b"\xFF\xFD\x01".repeat(100_000));
    assert!(harness.session().transmit().len() < 17 * 1024);
    while harness.unread() > 0 || !harness.session().transmit().is_empty() {
        harness.read(4096);
    }
    let (greeting, answers) = (b"220 wharf FTP server ready.\r\n", harness.take_replies());
    assert_eq!(answers[greeting.len()..], b"\xFF\xFC\x01".repeat(100_000));
}

#[test]
fn the_last_reply_leaves_before_close() {
    let mut harness = Harness::plain();
    harness.eager = false;
    harness.receive(b"QUIT\r\n");
    while !harness.session().transmit().is_empty() {
        assert!(harness.take_actions().is_empty());
        harness.read(1);
    }
    assert_eq!(harness.take_actions(), [Action::Close]);
    assert!(harness.take_replies().ends_with(b"221 Goodbye.\r\n"));
}

#[test]
fn a_client_in_half_close_may_still_read() {
    let mut harness = Harness::plain();
    harness.eager = false;
    harness.receive(b"SYST\r\nQUIT\r\n");
    harness.handle(Event::ControlClosed);
    assert!(!harness.is_closed());
    harness.read(usize::MAX);
    assert!(harness.is_closed());
    assert_eq!(codes(&harness.take_replies()), [220, 215, 221]);
}

#[test]
fn a_lost_client_is_not_waited_for() {
    let mut harness = logged_in();
    harness.eager = false;
    harness.receive(b"SYST\r\nMKD a\r\n");
    harness.handle(Event::ControlLost);
    assert_eq!(harness.session().transmit(), b"");
    harness.handle(Event::Storage { id: RequestId(2), outcome: Ok(StorageAnswer::Done) });
    assert!(harness.is_closed());
}

#[test]
fn a_client_that_never_reads_is_dropped() {
    let mut harness = logged_in();
    harness.eager = false;
    harness.receive(&b"SYST\r\n".repeat(5000));
    assert_eq!(harness.time_left(), Some(Duration::from_secs(300)));
    harness.pass(Duration::from_secs(300));
    assert!(!harness.is_closed());
    assert_eq!(harness.time_left(), Some(Duration::from_secs(5)));
    harness.pass(Duration::from_secs(5));
    assert!(harness.is_closed());
}

#[test]
fn a_client_that_never_reads_does_not_hold_up_the_shutdown() {
    let mut harness = logged_in();
    harness.eager = false;
    harness.receive(&b"SYST\r\n".repeat(5000));
    let deadline = harness.now().instant + Duration::from_secs(30);
    harness.handle(Event::Shutdown { deadline });
    assert_eq!(harness.time_left(), Some(Duration::from_secs(5)));
    assert!(harness.session().transmit().ends_with(b"421 The server is shutting down.\r\n"));
}

#[test]
fn more_sent_than_there_was() {
    let mut session = bare_session();
    session.transmitted(1, Now::default());
    session.transmitted(usize::MAX, Now::default());
    assert_eq!(session.transmit(), b"");
}

#[test]
fn time_that_runs_backwards_or_to_its_end() {
    let mut session = bare_session();
    let end = Now { instant: Instant::from_epoch(Duration::MAX), ..Now::default() };
    let _ = session.receive(b"NOOP\r\n", later(1000));
    let _ = session.receive(b"NOOP\r\n", later(1));
    let _ = session.receive(b"NOOP\r\nUSER a\r\nPASS b\r\n", end);
    let refused = Err(wharf_core::Denial::Refused);
    session.handle(Event::Authenticated { id: RequestId(1), outcome: refused }, end);
    session.handle(Event::Timeout, end);
    assert!(session.transmit().ends_with(b"530 Authentication failed.\r\n"));
}

#[test]
fn no_password_shows_in_debug_output() {
    let mut session = bare_session();
    let mut feed = |bytes: &[u8]| {
        let _ = session.receive(bytes, Now::default());
        let shown = format!("{session:?}");
        let as_numbers = format!("{:?}", b"secret");
        assert!(!shown.contains("secret"), "{shown}");
        assert!(!shown.contains(as_numbers.trim_matches(['[', ']'])), "{shown}");
    };
    feed(b"USER joe\r\nPASS secret");
    feed(b"1\r\nUSER jim\r\n");
    feed(b"PASS secret2\r\nPASS secret3");
}

/// Each name costs work in proportion to the pattern.
#[test]
fn a_pattern_is_no_longer_than_it_may_be() {
    for (length, expected) in [(1024, None), (1025, Some(501))] {
        let mut harness = logged_in();
        harness.receive(&[b"STAT ", &b"*".repeat(length)[..], b"\r\n"].concat());
        let Some(Action::Storage { id, .. }) = harness.take_actions().pop() else {
            panic!("the storage is asked")
        };
        harness.handle(Event::Storage { id, outcome: Err(StorageError::NotFound) });
        let opens = harness.take_actions();
        let replies = Reply::read(&harness.take_replies()).unwrap();
        assert_eq!(replies.first().map(|reply| reply.code), expected, "{length}");
        assert_eq!(opens.len(), usize::from(expected.is_none()));
    }
}

/// Many sessions are idle: what is in each of them is what their number costs. Of actions a session
/// keeps room for four.
#[test]
#[cfg(target_pointer_width = "64")]
fn an_idle_session_is_small() {
    assert!(size_of::<Session>() <= 872, "{}", size_of::<Session>());
    assert!(size_of::<Action>() <= 88, "{}", size_of::<Action>());
}
