//! A driver without sockets, files and a clock: it carries nothing out, notes everything down, and
//! checks the rules of the contract after every step.

use std::sync::Arc;
use std::time::Duration;

use wharf_core::{
    Action, Admission, Endpoint, Entry, Event, Instant, Lines, LinesEnd, Now, RequestId, Session,
    SessionConfig, StorageAnswer, StorageRequest, TlsPolicy, WallTime,
};

use super::ledger::Ledger;

/// 2024-11-21 07:40:00 UTC: when every test begins.
pub(crate) const BEGINNING: WallTime = WallTime::from_seconds(1_732_174_800);

/// More reply bytes never wait: the limit at which no command is taken any more, and the longest
/// reply that can come on top of it, STAT with 128 KiB of lines that are 0xFF all over.
pub(crate) const MOST_WAITING: usize = 16 * 1024 + 2 * 128 * 1024 + 32 * 1024;

/// More actions never wait in a session.
pub(crate) const MOST_ACTIONS: usize = 2048;

pub(crate) struct Harness {
    session: Session,
    pub(crate) ledger: Ledger,
    now: Now,
    /// Control bytes that the session has not taken yet.
    unread: Vec<u8>,
    /// What has come out, until it is taken.
    replies: Vec<u8>,
    actions: Vec<Action>,
    /// Reply bytes are taken as soon as they are there.
    pub(crate) eager: bool,
    /// Events answer what was asked: the books must be right.
    pub(crate) strict: bool,
}

impl Harness {
    pub(crate) fn new(mut config: SessionConfig, endpoint: Endpoint) -> Self {
        // Tests count on seeing what is logged.
        config.log_lines_per_minute = 0;
        let now = Now { instant: Instant::from_epoch(Duration::from_secs(1000)), wall: BEGINNING };
        let mut harness = Self {
            session: Session::new(Arc::new(config), endpoint, now),
            ledger: Ledger::default(),
            now,
            unread: Vec::new(),
            replies: Vec::new(),
            actions: Vec::new(),
            eager: true,
            strict: true,
        };
        harness.drain();
        harness
    }

    /// An IPv4 session that is welcome, with the default settings.
    pub(crate) fn plain() -> Self {
        Self::new(SessionConfig::default(), endpoint())
    }

    /// As [`plain`](Self::plain), with TLS to be had, and CCC.
    pub(crate) fn with_tls() -> Self {
        let tls = Some(TlsPolicy { allow_ccc: true, ..TlsPolicy::default() });
        let hosts = vec!["a.example".into()];
        Self::new(SessionConfig { tls, hosts, ..SessionConfig::default() }, endpoint())
    }

    /// Gives control bytes; what is not taken is offered again after every step.
    pub(crate) fn receive(&mut self, control: &[u8]) {
        // What comes in the handshake is TLS's.
        if !self.ledger.handshake {
            self.unread.extend_from_slice(control);
            self.offer();
        }
    }

    pub(crate) fn handle(&mut self, mut event: Event) {
        // Both are `progress` in a transcript.
        if let Event::Progress { id, bytes } = event
            && let Some(Action::Digest { .. }) = self.ledger.waiting.get(&id.0)
        {
            event = Event::DigestProgress { id, bytes };
        }
        if self.strict {
            self.ledger.event(&event);
        }
        self.session.handle(event, self.now);
        self.drain();
        self.offer();
    }

    /// Gives the lines of these entries; none stand for the end.
    pub(crate) fn read_entries(&mut self, id: RequestId, entries: Vec<Entry>) {
        let lines = match self.ledger.waiting.get(&id.0) {
            Some(Action::Storage { request, .. }) => lines_of(request, entries),
            _ => Lines::default(),
        };
        self.handle(Event::Storage { id, outcome: Ok(StorageAnswer::Lines(lines)) });
    }

    /// Lets time pass, from deadline to deadline.
    pub(crate) fn pass(&mut self, time: Duration) {
        let end = self.now.instant + time;
        let mut rings = 0;
        while let Some(deadline) = self.session.poll_timeout().filter(|&at| at <= end) {
            self.set_clock(deadline);
            self.handle(Event::Timeout);
            rings += 1;
            assert!(rings < 1000, "the timer rings again and again");
        }
        self.set_clock(end);
    }

    /// Lets time pass until the next deadline, and no further; tells whether there was one.
    pub(crate) fn pass_to_deadline(&mut self) -> bool {
        let left = self.time_left();
        left.map(|left| self.pass(left)).is_some()
    }

    /// The time until the next deadline.
    pub(crate) fn time_left(&self) -> Option<Duration> {
        self.session.poll_timeout().map(|at| at.saturating_since(self.now.instant))
    }

    pub(crate) fn now(&self) -> Now {
        self.now
    }

    /// How many control bytes the session has not taken.
    pub(crate) fn unread(&self) -> usize {
        self.unread.len()
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.ledger.closed
    }

    pub(crate) fn session(&self) -> &Session {
        &self.session
    }

    /// Takes the reply bytes that have come out so far.
    pub(crate) fn take_replies(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.replies)
    }

    /// Takes the actions that have come out so far.
    pub(crate) fn take_actions(&mut self) -> Vec<Action> {
        std::mem::take(&mut self.actions)
    }

    /// The client reads so many bytes.
    pub(crate) fn read(&mut self, count: usize) {
        let waiting = self.session.transmit();
        self.replies.extend_from_slice(&waiting[..count.min(waiting.len())]);
        self.session.transmitted(count, self.now);
        self.drain();
        self.offer();
    }

    /// Takes out what there is: actions first, so that a Close before the last reply has left is
    /// seen.
    fn drain(&mut self) {
        loop {
            let mut polled = 0;
            while let Some(action) = self.session.poll() {
                if let Action::StartTls { .. } = action {
                    // What is behind AUTH belongs to the handshake.
                    self.unread.clear();
                }
                if action == Action::Close {
                    assert_eq!(self.session.transmit(), b"", "Close while a reply waits");
                }
                if self.strict {
                    self.ledger.action(&action);
                } else {
                    self.ledger.closed |= action == Action::Close;
                }
                self.actions.push(action);
                polled += 1;
                assert!(polled < MOST_ACTIONS, "actions without end");
            }
            self.check();
            let waiting = self.session.transmit().len();
            if !self.eager || waiting == 0 {
                return;
            }
            self.replies.extend_from_slice(self.session.transmit());
            self.session.transmitted(waiting, self.now);
        }
    }

    fn offer(&mut self) {
        while !self.unread.is_empty() {
            let wanted = self.session.wants_read();
            let consumed = self.session.receive(&self.unread, self.now);
            assert!(consumed <= self.unread.len(), "took more than there was");
            assert!(wanted || consumed == 0, "took bytes, but wanted none");
            let took_all = consumed == self.unread.len();
            assert!(took_all || !self.session.wants_read(), "left bytes, but wants more");
            self.unread.drain(..consumed);
            self.drain();
            if !self.session.wants_read() {
                return;
            }
        }
    }

    fn check(&mut self) {
        let waiting = self.session.transmit().len();
        assert!(waiting <= MOST_WAITING, "{waiting} reply bytes wait");
        if !self.session.wants_read() {
            assert_eq!(self.session.receive(b"NOOP\r\n", self.now), 0, "took, but wanted none");
        }
        if self.is_closed() {
            assert_eq!(self.session.transmit(), b"", "a reply after Close");
            assert_eq!(self.session.poll_timeout(), None, "a deadline after Close");
            assert!(!self.session.wants_read(), "wants to read after Close");
        }
    }

    fn set_clock(&mut self, instant: Instant) {
        let passed = instant.saturating_since(self.now.instant);
        self.now.instant = self.now.instant + passed;
        let nanoseconds = u64::from(self.now.wall.nanoseconds) + u64::from(passed.subsec_nanos());
        let seconds = passed.as_secs() + nanoseconds / 1_000_000_000;
        let wall = &mut self.now.wall;
        wall.seconds = wall.seconds.saturating_add_unsigned(seconds);
        wall.nanoseconds = (nanoseconds % 1_000_000_000) as u32;
    }
}

fn endpoint() -> Endpoint {
    let [local, peer] = ["10.0.0.9:21", "10.0.0.1:4000"].map(|address| address.parse().unwrap());
    Endpoint::new(local, peer, Admission::Welcome)
}

/// What a storage makes of these entries; none stand for the end.
pub(crate) fn lines_of(request: &StorageRequest, entries: Vec<Entry>) -> Lines {
    let StorageRequest::NextLines { format, allowance, .. } = request else {
        return Lines::default();
    };
    let ends = entries.is_empty();
    let (mut text, mut entries) = (Vec::new(), entries.into_iter());
    let next = || Ok::<_, ()>(entries.next());
    let (count, end) = format.write_portion(next, *allowance, usize::MAX, &mut text).unwrap();
    // More may follow on those that there are.
    let end = if end == LinesEnd::Complete && !ends { LinesEnd::Enough } else { end };
    Lines { text, count, end }
}
