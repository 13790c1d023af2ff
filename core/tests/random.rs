//! Whatever comes, in whatever order: no panic, nothing grows without bound, every reply is whole,
//! and the same inputs have the same outputs.

mod steps;
mod support;

use std::time::Duration;

use proptest::prelude::*;
use proptest::sample::select;
use support::canned::metadata;
use wharf_core::testing::{Harness, Reply, lines_of, show_action};
use wharf_core::{
    Action, Admission, Allowance, DataProof, Denial, DigestEnd, Endpoint, Entry, Event, Grant,
    Kind, ListingFormat, Opened, Permissions, PortLoss, RequestId, Resumption, SessionConfig,
    SiteCommand, SiteReply, StorageAnswer, StorageError, StorageRequest, Style, TlsPolicy,
    TlsRequired, TransferEnd, VirtualPath, WallTime,
};

#[derive(Clone, Debug)]
enum Op {
    /// The client sends.
    Bytes(Vec<u8>),
    /// The driver answers one of the requests that wait, this way or that.
    Answer {
        which: usize,
        how: usize,
    },
    /// A peer connects to the passive port, if there is one: the client, or another.
    Arrive {
        client: bool,
    },
    /// The handshake on the control connection ends, if there is one.
    Handshake,
    /// An earlier event comes again.
    Again {
        which: usize,
    },
    /// An event that answers nothing, or the wrong thing.
    Wild(Event),
    Pass(Duration),
    /// The client reads so many bytes.
    Read(usize),
    Ending(Event),
}

/// What has come out in all.
#[derive(Debug, Default, PartialEq, Eq)]
struct Outcome {
    replies: Vec<u8>,
    actions: Vec<String>,
    /// Summed over all steps.
    unread: usize,
}

/// The session, the driver, and what they have done so far.
struct Player {
    harness: Harness,
    outcome: Outcome,
    events: Vec<Event>,
}

impl Player {
    fn new(strict: bool) -> Self {
        steps::keep();
        let config = SessionConfig {
            max_login_attempts: 1000,
            notices: true,
            tls: Some(TlsPolicy {
                resumption: Resumption::Require,
                allow_ccc: true,
                ..TlsPolicy::default()
            }),
            hosts: vec!["a.example".into()],
            site_commands: vec![SiteCommand { name: "X".into(), syntax: String::new() }],
            ..SessionConfig::default()
        };
        let endpoint = Endpoint::new(
            "10.0.0.9:21".parse().unwrap(),
            "10.0.0.1:4000".parse().unwrap(),
            Admission::Welcome,
        );
        let mut harness = Harness::new(config, endpoint);
        harness.eager = false;
        harness.strict = strict;
        Self { harness, outcome: Outcome::default(), events: Vec::new() }
    }

    fn play(&mut self, op: &Op) {
        match op {
            Op::Bytes(bytes) => self.harness.receive(bytes),
            Op::Answer { which, how } => {
                let count = self.harness.waiting().count().max(1);
                let action = self.harness.waiting().nth(which % count).cloned();
                if let Some(event) = action.and_then(|action| answer(&action, *how)) {
                    self.handle(event);
                }
            }
            Op::Arrive { client } => {
                if let Some(id) = self.harness.listening() {
                    let peer = if *client { "10.0.0.1" } else { "10.0.0.2" };
                    self.handle(Event::DataArrived { id, peer: peer.parse().unwrap() });
                }
            }
            Op::Handshake => {
                if self.harness.is_in_handshake() {
                    self.handle(Event::TlsStarted { certificate: false });
                }
            }
            Op::Again { which } => {
                if let Some(event) = self.events.get(which % self.events.len().max(1)).cloned() {
                    self.harness.handle(event);
                }
            }
            Op::Wild(event) | Op::Ending(event) => self.handle(event.clone()),
            Op::Pass(time) => self.harness.pass(*time),
            Op::Read(count) => self.harness.read(*count),
        }
        self.outcome.replies.extend(self.harness.take_replies());
        self.outcome.actions.extend(self.harness.take_actions().iter().map(show_action));
        self.outcome.unread += self.harness.unread();
    }

    fn finish(self) -> Outcome {
        let came = Reply::read_cut(&self.outcome.replies);
        assert!(came.is_ok(), "{came:?}");
        self.outcome
    }

    fn handle(&mut self, event: Event) {
        self.harness.handle(event.clone());
        self.events.push(event);
    }

    /// Reads and answers until there is nothing left to do.
    fn settle(&mut self) {
        for _ in 0..10_000 {
            self.play(&Op::Read(usize::MAX));
            self.play(&Op::Handshake);
            if self.harness.waiting().next().is_some() {
                self.play(&Op::Answer { which: 0, how: 0 });
            } else if self.harness.session().transmit().is_empty() {
                return;
            }
        }
        panic!("there is no end to it");
    }
}

/// What a driver might answer to an action; 0 is success.
fn answer(action: &Action, how: usize) -> Option<Event> {
    Some(match action {
        Action::Authenticate { id, .. } => {
            let granted =
                |rights: Permissions| Ok(Grant { rights: rights.into(), ..Grant::default() });
            let outcome = match how % 9 {
                1 => Err(Denial::Refused),
                2 => Err(Denial::Unavailable),
                3 => granted(Permissions::READ_ONLY),
                4 => Ok(Grant { tls: TlsRequired::All, ..Grant::default() }),
                5 => Err(Denial::TooManySessions),
                6 => Err(Denial::CoolingDown),
                7 => Err(Denial::Failed),
                8 => Err(Denial::WrongNetwork),
                _ => granted(Permissions::ALL),
            };
            Event::Authenticated { id: *id, outcome }
        }
        Action::Storage { id, request } => {
            Event::Storage { id: *id, outcome: stored(request, how) }
        }
        Action::Site { id, .. } => {
            let code = [200, 550, 100, 0, 599][how % 5];
            Event::Site { id: *id, reply: SiteReply { code, text: b"a\r\n200 b\n\xFF".to_vec() } }
        }
        Action::ProtectData { id, .. } => {
            let proof = match how % 5 {
                1 => None,
                2 => Some(DataProof::Fresh),
                3 => Some(DataProof::Foreign),
                4 => Some(DataProof::OtherCertificate),
                _ => Some(DataProof::Resumed),
            };
            Event::DataProtected { id: *id, proof }
        }
        Action::Listen { id } => {
            Event::Listening { id: *id, port: (how % 4 != 1).then_some(50000) }
        }
        Action::Connect { id, .. } => Event::Connected { id: *id, established: how % 4 != 1 },
        Action::Transfer { id, .. } => {
            let bytes = how as u64;
            let end = match how % 9 {
                1 | 2 => return Some(Event::Progress { id: *id, bytes }),
                3 => TransferEnd::DataLost,
                4 => TransferEnd::Storage(StorageError::NoSpace),
                5 => TransferEnd::Stopped,
                6 => TransferEnd::Excess,
                7 => TransferEnd::Damaged,
                8 => TransferEnd::NoMemory,
                _ => TransferEnd::Complete,
            };
            Event::TransferEnded { id: *id, bytes, end }
        }
        Action::CheckControl { id } => Event::ControlChecked { id: *id },
        Action::Digest { id, .. } => {
            let end = match how % 5 {
                1 => return Some(Event::DigestProgress { id: *id, bytes: how as u64 }),
                2 => DigestEnd::Storage(StorageError::Other),
                3 => DigestEnd::Stopped,
                4 => DigestEnd::Complete(Vec::new()),
                _ => DigestEnd::Complete(vec![0xab; 32]),
            };
            Event::DigestEnded { id: *id, end }
        }
        _ => return None,
    })
}

fn stored(request: &StorageRequest, how: usize) -> Result<StorageAnswer, StorageError> {
    use StorageRequest::*;
    let errors =
        [StorageError::NotFound, StorageError::Other, StorageError::BadOffset, StorageError::Busy];
    if how % 3 == 1 {
        return Err(errors[how % errors.len()]);
    }
    let kinds = [Kind::Directory, Kind::File, Kind::Other];
    Ok(match request {
        Metadata(_) | LinkMetadata(_) | SetFacts { .. } => {
            StorageAnswer::Metadata(metadata(kinds[how / 3 % kinds.len()].clone()))
        }
        OpenRead(_) | OpenWrite(..) | OpenDirectory(_) => {
            StorageAnswer::Opened(Opened { size: how as u64, existed: how % 4 < 2 })
        }
        UniqueName { .. } => {
            let names = [&b"u\r\n226 x"[..], b"a", b"..", b"", b"a/b"];
            StorageAnswer::Name(names[how / 3 % names.len()].to_vec())
        }
        NextLines { .. } => {
            let name = b"\r\n212 End.\r\n\xFF".repeat(how % 20);
            let entry = Entry { name, metadata: metadata(Kind::File) };
            StorageAnswer::Lines(lines_of(request, vec![entry; how.min(128)]))
        }
        SpaceLeft(_) => StorageAnswer::Space(how.is_multiple_of(2).then_some(how as u64)),
        _ => StorageAnswer::Done,
    })
}

fn line() -> impl Strategy<Value = Vec<u8>> {
    let words = select(vec![
        "USER joe",
        "PASS x",
        "USER joe\r\nPASS x",
        "CWD d",
        "CDUP",
        "PWD",
        "REIN",
        "QUIT",
        "PORT 10,0,0,1,200,1",
        "PASV",
        "EPSV",
        "EPSV ALL",
        "EPRT |1|10.0.0.1|51201|",
        "TYPE I",
        "TYPE A",
        "STRU F",
        "MODE S",
        "RETR a",
        "STOR a",
        "STOU",
        "APPE a",
        "ALLO 1",
        "REST 3",
        "RANG 1 4",
        "RANG 1 0",
        "HASH a",
        "HASH a",
        "HASH a\r\nABOR",
        "XCRC a 1 4",
        "OPTS HASH MD5",
        "RNFR a",
        "RNTO b",
        "ABOR",
        "ABOR",
        "DELE a",
        "RMD d",
        "MKD d",
        "LIST",
        "LIST *",
        "LIST -laR",
        "NLST -tr -- -x",
        "NLST",
        "MLSD d",
        "MLST",
        "SITE X",
        "SITE HELP",
        "SITE CHMOD 644 a",
        "SITE UTIME 20260102030405 a",
        "MFMT 20260102030405 a",
        "MFF UNIX.mode=644;Modify=20260102030405; a",
        "AVBL",
        "CLNT x",
        "CSID Name=x;",
        "SYST",
        "STAT",
        "STAT d",
        "STAT *",
        "HELP",
        "NOOP",
        "NOOP",
        "FEAT",
        "LANG",
        "LANG de-AT",
        "OPTS MLST type;",
        "MDTM a",
        "SIZE a",
        "AUTH TLS",
        "AUTH TLS",
        "PBSZ 0",
        "PROT P",
        "PBSZ 0\r\nPROT P",
        "CCC",
        "HOST a.example",
        "BOGUS",
        "",
        "PASV\r\nRETR a",
        "PASV\r\nSTOR a",
        "PASV\r\nLIST",
        "PORT 10,0,0,1,200,1\r\nRETR a",
        "TYPE I\r\nRANG 1 4\r\nPASV\r\nSTOR a",
    ]);
    words.prop_map(|word| format!("{word}\r\n").into_bytes())
}

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![any::<u8>(), Just(b'\r'), Just(b'\n'), Just(0xFF), 0xF0..=0xFF_u8];
    prop_oneof![
        20 => line(),
        2 => (line(), 1..8usize).prop_map(|(line, at)| line[..at.min(line.len())].to_vec()),
        2 => prop::collection::vec(byte, 0..40),
        1 => Just(b"\xFF\xF4\xFF\xF2ABOR\r\n".to_vec()),
        1 => (line(), 1..300usize).prop_map(|(line, times)| line.repeat(times)),
        1 => (0..20_000usize).prop_map(|length| vec![b'x'; length]),
        1 => (0..7_000usize).prop_map(|length| [b"MKD ", &vec![b'"'; length][..], b"\r\n"].concat()),
    ]
}

/// Ops of a driver that is late, slow or repeats itself, but answers what it is asked.
fn faithful() -> impl Strategy<Value = Op> {
    let time = prop_oneof![0..10_000u64, 0..100_000u64].prop_map(Duration::from_millis);
    prop_oneof![
        12 => bytes().prop_map(Op::Bytes),
        16 => (any::<usize>(), 0..600usize).prop_map(|(which, how)| Op::Answer { which, how }),
        8 => any::<usize>().prop_map(|which| Op::Answer { which, how: 0 }),
        4 => any::<bool>().prop_map(|client| Op::Arrive { client }),
        6 => Just(Op::Handshake),
        2 => any::<usize>().prop_map(|which| Op::Again { which }),
        2 => time.prop_map(Op::Pass),
        8 => prop_oneof![0..100usize, Just(usize::MAX)].prop_map(Op::Read),
    ]
}

fn ending() -> impl Strategy<Value = Event> {
    let shutdown = Event::Shutdown { deadline: wharf_core::Instant::default() };
    select(vec![
        Event::ControlClosed,
        Event::ControlLost,
        Event::ControlEnding,
        Event::Evicted,
        shutdown,
    ])
}

fn wild_format() -> ListingFormat {
    ListingFormat::new(Style::Names, Permissions::ALL, WallTime::default())
}

/// Events of a driver out of its mind.
fn wild() -> impl Strategy<Value = Event> {
    let id = prop_oneof![0..30u64, any::<u64>()].prop_map(RequestId);
    (id, any::<u64>(), 0..600usize, 0..9).prop_map(|(id, number, how, kind)| {
        let format = Box::new(wild_format());
        let allowance = Allowance::ALL;
        let request = StorageRequest::NextLines { directory: id, format, allowance };
        match kind {
            0 => Event::Timeout,
            1 if number % 3 == 0 => Event::TlsStarted { certificate: number % 2 == 0 },
            1 if number % 3 == 1 => {
                answer(&Action::ProtectData { id, tickets: true }, how).unwrap()
            }
            1 => answer(&Action::Listen { id }, how).unwrap(),
            2 if number % 8 == 0 => Event::PortLost { id, why: PortLoss::Failed },
            2 if number % 8 == 2 => Event::DataReadable { id },
            2 if number % 8 == 1 => Event::PortLost { id, why: PortLoss::GivenAway },
            2 => Event::DataArrived { id, peer: "10.0.0.1".parse().unwrap() },
            3 => Event::Connected { id, established: how.is_multiple_of(2) },
            4 if number % 3 == 0 => Event::Sent { id },
            4 if number % 3 == 1 => Event::ControlChecked { id },
            4 if number % 6 == 2 => Event::DigestProgress { id, bytes: number },
            4 => Event::Progress { id, bytes: number },
            5 if number % 2 == 0 => Event::DigestEnded { id, end: DigestEnd::Stopped },
            5 => Event::TransferEnded { id, bytes: number, end: TransferEnd::Complete },
            6 => answer(
                &Action::Site {
                    id,
                    command: 0,
                    argument: Vec::new(),
                    user: Vec::new(),
                    directory: VirtualPath::root(),
                },
                how,
            )
            .unwrap(),
            7 => Event::Storage { id, outcome: stored(&request, how) },
            _ => {
                let opened = Opened { size: number, existed: false };
                Event::Storage { id, outcome: Ok(StorageAnswer::Opened(opened)) }
            }
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn a_faithful_driver(
        ops in prop::collection::vec(faithful(), 0..120),
        end in ending(),
        after in prop::collection::vec(faithful(), 0..20),
    ) {
        let run = || {
            let mut player = Player::new(true);
            player.play(&Op::Bytes(b"USER joe\r\nPASS x\r\n".to_vec()));
            player.play(&Op::Answer { which: 0, how: 0 });
            ops.iter().for_each(|op| player.play(op));
            player.play(&Op::Ending(end.clone()));
            after.iter().for_each(|op| player.play(op));
            // What is under way comes to its end, and so does what waits for it.
            player.settle();
            for _ in 0..1000 {
                if player.harness.is_closed() {
                    break;
                }
                player.play(&Op::Pass(Duration::from_secs(1000)));
                player.settle();
            }
            assert!(player.harness.is_closed());
            player.finish()
        };
        prop_assert_eq!(run(), run());
        steps::assert_known();
    }

    #[test]
    fn nothing_is_left_behind(ops in prop::collection::vec(faithful(), 0..120)) {
        let mut player = Player::new(true);
        player.play(&Op::Bytes(b"USER joe\r\nPASS x\r\n".to_vec()));
        player.play(&Op::Answer { which: 0, how: 0 });
        ops.iter().for_each(|op| player.play(op));
        player.settle();
        // What waits for a data connection or for the end of a delay is ended by its deadline.
        while player.harness.time_left().is_some_and(|left| left <= Duration::from_secs(60)) {
            player.harness.pass_to_deadline();
            player.settle();
        }
        if !player.harness.is_closed() {
            player.harness.assert_nothing_open();
        }
        steps::assert_known();
    }

    #[test]
    fn a_driver_out_of_its_mind(
        ops in prop::collection::vec(
            prop_oneof![2 => faithful(), 2 => wild().prop_map(Op::Wild)],
            0..120,
        ),
        end in ending(),
    ) {
        let run = || {
            let mut player = Player::new(false);
            player.play(&Op::Bytes(b"USER joe\r\nPASS x\r\n".to_vec()));
            let grant = Grant { rights: Permissions::ALL.into(), ..Grant::default() };
            player.play(&Op::Wild(Event::Authenticated { id: RequestId(1), outcome: Ok(grant) }));
            ops.iter().for_each(|op| player.play(op));
            player.play(&Op::Ending(end.clone()));
            player.finish()
        };
        prop_assert_eq!(run(), run());
        steps::assert_known();
    }
}
