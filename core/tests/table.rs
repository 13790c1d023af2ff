//! In every state there is an answer to every command: one final reply, sooner or later, and then
//! the session is alive, or closed in order.

mod support;

use support::canned::{Canned, Hold};
use support::with_tls;
use wharf_core::testing::Reply;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Fresh,
    Named,
    LoggedIn,
    ReadOnly,
    PassivePort,
    ActiveAddress,
    WaitingForStorage,
    WaitingForData,
    Connecting,
    Moving,
    Stopping,
    Finishing,
    Digesting,
    Delaying,
    AfterEpsvAll,
    AfterRnfr,
    AfterRest,
    AfterRang,
    Secured,
    SecuredFresh,
    Private,
    Protecting,
    Cleared,
}

use State::*;

const STATES: [State; 23] = [
    Fresh,
    Named,
    LoggedIn,
    ReadOnly,
    PassivePort,
    ActiveAddress,
    WaitingForStorage,
    WaitingForData,
    Connecting,
    Moving,
    Stopping,
    Finishing,
    Digesting,
    Delaying,
    AfterEpsvAll,
    AfterRnfr,
    AfterRest,
    AfterRang,
    Secured,
    SecuredFresh,
    Private,
    Protecting,
    Cleared,
];

impl State {
    /// Lines that lead there, and what is held back from the last of them on.
    fn way(self) -> (&'static [&'static str], Hold) {
        match self {
            Fresh => (&[], Hold::Nothing),
            Named => (&["USER joe"], Hold::Nothing),
            LoggedIn => (&["USER joe", "PASS x"], Hold::Nothing),
            ReadOnly => (&["USER reader", "PASS x"], Hold::Nothing),
            PassivePort => (&["USER joe", "PASS x", "PASV"], Hold::Data),
            ActiveAddress => (&["USER joe", "PASS x", "PORT 10,0,0,1,200,1"], Hold::Nothing),
            WaitingForStorage => (&["USER joe", "PASS x", "PASV", "RETR a"], Hold::Storage),
            WaitingForData => (&["USER joe", "PASS x", "PASV", "RETR a"], Hold::Data),
            Connecting => (&["USER joe", "PASS x", "PORT 10,0,0,1,200,1", "RETR a"], Hold::Data),
            Moving => (&["USER joe", "PASS x", "PASV", "RETR a"], Hold::Transfer),
            Stopping => (&["USER joe", "PASS x", "PASV", "STOR a", "ABOR"], Hold::Transfer),
            Finishing => (&["USER joe", "PASS x", "PASV", "STOR a"], Hold::Finish),
            Digesting => (&["USER joe", "PASS x", "HASH a"], Hold::Digest),
            Delaying => (&["USER jim", "PASS x"], Hold::Nothing),
            AfterEpsvAll => (&["USER joe", "PASS x", "EPSV ALL"], Hold::Nothing),
            AfterRnfr => (&["USER joe", "PASS x", "RNFR a"], Hold::Nothing),
            AfterRest => (&["USER joe", "PASS x", "REST 5"], Hold::Nothing),
            AfterRang => (&["USER joe", "PASS x", "TYPE I", "RANG 1 4"], Hold::Nothing),
            SecuredFresh => (&["AUTH TLS"], Hold::Nothing),
            Secured => (&["AUTH TLS", "USER joe", "PASS x"], Hold::Nothing),
            Private => {
                (&["AUTH TLS", "USER joe", "PASS x", "PBSZ 0", "PROT P", "PASV"], Hold::Data)
            }
            Protecting => (
                &["AUTH TLS", "PBSZ 0", "PROT P", "USER joe", "PASS x", "PASV", "STOR a"],
                Hold::Protection,
            ),
            Cleared => (&["AUTH TLS", "USER joe", "PASS x", "CCC"], Hold::Nothing),
        }
    }

    /// Final replies that are owed to the commands that led there.
    fn owed(self) -> usize {
        match self {
            WaitingForStorage | WaitingForData | Connecting | Protecting | Moving | Finishing
            | Digesting | Delaying => 1,
            // STOR has not got its 426 yet where ABOR waits for it.
            Stopping => 2,
            _ => 0,
        }
    }

    fn reach(self) -> Canned {
        let (lines, hold) = self.way();
        let mut driver = Canned::new(with_tls());
        driver.hold(hold);
        lines.iter().for_each(|line| driver.send(line.as_bytes()));
        let replies = driver.take_replies();
        let finals = replies.iter().filter(|reply| !reply.is_preliminary()).count();
        // The greeting is one more.
        assert_eq!(finals, 1 + lines.len() - self.owed(), "{self:?}: {replies:?}");
        driver
    }
}

/// Known words that are not implemented: 502 at any time.
const NOT_IMPLEMENTED: [&str; 1] = ["SMNT"];

/// Commands that work before login.
const OPEN: [&str; 24] = [
    "ACCT", "ADAT", "AUTH", "CCC", "CLNT", "CONF", "CSID", "ENC", "FEAT", "HELP", "HOST", "LANG",
    "MIC", "NOOP", "OPTS", "PASS", "PBSZ", "PROT", "QUIT", "SITE", "REIN", "STAT", "SYST", "USER",
];

/// Commands that change something on the disk.
const WRITING: [&str; 12] =
    ["APPE", "DELE", "MFF", "MFMT", "MKD", "RMD", "RNFR", "RNTO", "STOR", "STOU", "XMKD", "XRMD"];

const GARBAGE: &[u8] = b"\x80\xFF\xFF \0 \r\0 %s%n ../../.. | \"\\*[";

/// What a client might send with the command.
fn plausible(word: &str) -> &'static str {
    match word {
        "ACCT" | "USER" | "PASS" => "joe",
        "ADAT" | "CONF" | "ENC" | "MIC" => "aGVsbG8=",
        "ALLO" | "REST" => "10",
        "AUTH" => "TLS",
        "HOST" => "a.example",
        "LANG" => "de",
        "PBSZ" => "0",
        "PROT" => "P",
        "RANG" => "1 4",
        "EPRT" => "|1|10.0.0.1|51201|",
        "EPSV" => "1",
        "CSID" => "Name=x; Version=1;",
        "HELP" => "RETR",
        "MFF" => "Modify=20260102030405;UNIX.mode=0644; file",
        "MFMT" => "20260102030405 file",
        "MODE" => "S",
        "OPTS" => "MLST size;",
        "PORT" => "10,0,0,1,200,1",
        "SITE" => "HELP",
        "STRU" => "F",
        "TYPE" => "I",
        "CWD" | "XCWD" | "LIST" | "NLST" | "MLSD" | "RMD" | "XRMD" | "STAT" => "directory",
        "ABOR" | "CDUP" | "XCUP" | "FEAT" | "NOOP" | "PASV" | "PWD" | "XPWD" | "QUIT" | "REIN"
        | "SYST" | "CCC" => "",
        _ => "file",
    }
}

/// The words that HELP lists.
fn implemented() -> Vec<String> {
    let mut driver = Canned::new(with_tls());
    driver.take_replies();
    driver.send(b"HELP");
    let [help] = &driver.take_replies()[..] else { panic!("HELP has one reply") };
    let inner = &help.lines[1..help.lines.len() - 1];
    let words = inner.iter().flat_map(|line| line.split(|&byte| byte == b' '));
    let words = words.filter(|word| !word.is_empty());
    words.map(|word| String::from_utf8(word.to_vec()).unwrap()).collect()
}

/// Sends the line in this state; returns the final reply to it.
fn play(state: State, line: &[u8]) -> (Reply, Canned) {
    let mut driver = state.reach();
    let shown = || format!("{state:?}, {}", line[..line.len().min(80)].escape_ascii());
    driver.send(line);
    driver.settle();
    let replies = driver.take_replies();
    let mut finals: Vec<Reply> = Vec::new();
    let mut announced = false;
    for reply in replies {
        let digits = (reply.code / 100, reply.code / 10 % 10);
        assert!((1..=5).contains(&digits.0) && digits.1 <= 5, "{}: {reply:?}", shown());
        assert!(!(announced && reply.is_preliminary()), "{}: 150 twice", shown());
        announced = reply.is_preliminary();
        if !announced {
            finals.push(reply);
        }
    }
    assert!(!announced, "{}: nothing after 150", shown());
    assert_eq!(finals.len(), state.owed() + 1, "{}: {finals:?}", shown());
    let last = finals.pop().unwrap();
    let http = last.code == 500 && line.starts_with(b"GET");
    let is_last = matches!(last.code, 221 | 421) || http;
    assert_eq!(driver.harness.is_closed(), is_last, "{}: {last:?}", shown());
    if !is_last {
        driver.harness.assert_nothing_open();
        driver.send(b"NOOP");
        let after = driver.take_replies();
        assert!(after.len() == 1 && after[0].code == 200, "{}: {after:?}", shown());
    }
    // Where ABOR or NOOP overtakes, the last reply may belong to the transfer.
    (last, driver)
}

/// Returns `true` if the command's own reply is the last one there.
fn answers_last(state: State) -> bool {
    state.owed() == 0
}

#[test]
fn every_command_is_answered_in_every_state() {
    let implemented = implemented();
    assert!(implemented.len() > 40);
    for state in STATES {
        for word in implemented.iter().map(String::as_str).chain(NOT_IMPLEMENTED) {
            let known = !NOT_IMPLEMENTED.contains(&word);
            let with = |argument: &[u8]| [word.as_bytes(), b" ", argument].concat();
            let bare = play(state, word.as_bytes()).0;
            let usual = match plausible(word) {
                "" => bare.clone(),
                argument => play(state, &with(argument.as_bytes())).0,
            };
            let garbage = play(state, &with(GARBAGE)).0;
            play(state, &with(&[b'x'; 5000]));
            if !answers_last(state) {
                continue;
            }
            for reply in [&bare, &usual, &garbage] {
                assert_eq!(reply.code == 502, !known, "{state:?}, {word}: {reply:?}");
            }
            if known && matches!(state, Fresh | Named | SecuredFresh) && !OPEN.contains(&word) {
                assert_eq!((bare.code, usual.code, garbage.code), (530, 530, 530), "{word}");
            }
            if state == ReadOnly && WRITING.contains(&word) {
                assert_eq!(usual.code, 550, "{word}");
            }
        }
    }
}

#[test]
fn what_is_no_command_is_answered_in_every_state() {
    for state in STATES {
        for line in
            [&b""[..], b" ", b"BOGUS", b"BOGUS x", GARBAGE, &[b'x'; 9000], b"GET / HTTP/1.1"]
        {
            let (reply, _) = play(state, line);
            assert!(reply.code == 500 || !answers_last(state), "{state:?}: {reply:?}");
        }
    }
}

#[test]
fn the_client_goes_away_in_every_state() {
    use wharf_core::Event::{ControlClosed, ControlLost};
    for state in STATES {
        for event in [ControlClosed, ControlLost] {
            let mut driver = state.reach();
            driver.harness.handle(event.clone());
            driver.settle();
            assert!(driver.harness.is_closed(), "{state:?}, {event:?}");
            let replies = driver.take_replies();
            let told = if event == ControlClosed { state.owed() } else { 0 };
            assert!(replies.len() <= told + 1, "{state:?}, {event:?}: {replies:?}");
            let finals = replies.iter().filter(|reply| !reply.is_preliminary()).count();
            assert_eq!(finals, told, "{state:?}, {event:?}: {replies:?}");
        }
    }
}

#[test]
fn the_server_stops_in_every_state() {
    for state in STATES {
        let mut driver = state.reach();
        let deadline = driver.harness.now().instant;
        driver.harness.handle(wharf_core::Event::Shutdown { deadline });
        driver.settle();
        assert!(driver.harness.is_closed(), "{state:?}");
        let last = driver.take_replies().pop().unwrap();
        assert_eq!(last.code, 421, "{state:?}");
    }
}

#[test]
fn nothing_happens_for_ever_in_every_state() {
    for state in STATES {
        let mut driver = state.reach();
        while driver.harness.pass_to_deadline() {
            driver.take_replies();
        }
        driver.settle();
        while driver.harness.pass_to_deadline() {}
        assert!(driver.harness.is_closed(), "{state:?}");
    }
}
