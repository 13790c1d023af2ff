//! A driver without sockets, files and a clock.

use std::sync::Arc;
use std::time::Duration;
use std::vec::Vec;

use crate::{
    Action, Admission, Endpoint, Entry, Event, Instant, Lines, LinesEnd, Now, RequestId, Session,
    SessionConfig, StorageAnswer, StorageRequest, WallTime,
};

use super::ledger::Ledger;

/// When every session of a [`Harness`] begins: 2024-11-21 07:40:00 UTC.
pub const BEGINNING: WallTime = WallTime::from_seconds(1_732_174_800);

/// How many reply bytes wait at the most: the limit at which no command is taken any more, and the
/// longest reply that can come on top of it, STAT with 128 KiB of lines that are 0xFF all over.
pub const MOST_WAITING: usize = 16 * 1024 + 2 * 128 * 1024 + 32 * 1024;

/// How many actions wait in a session at the most.
const MOST_ACTIONS: usize = 2048;

/// A driver without sockets, files and a clock: it carries nothing out, keeps books of what the
/// session asks for, and panics where a rule of the contract is broken.
///
/// ```
/// use std::time::Duration;
/// use wharf_core::testing::Harness;
///
/// let mut harness = Harness::plain();
/// harness.receive(b"NOOP\r\n");
/// harness.pass(Duration::from_secs(120));
/// let replies = String::from_utf8(harness.take_replies()).unwrap();
/// assert_eq!(replies.lines().last(), Some("421 Login timed out."));
/// assert!(harness.is_closed());
/// ```
#[derive(Debug)]
pub struct Harness {
    session: Session,
    ledger: Ledger,
    now: Now,
    /// Control bytes that the session has not taken yet.
    unread: Vec<u8>,
    /// What has come out, until it is taken.
    replies: Vec<u8>,
    actions: Vec<Action>,
    /// Reply bytes are taken as soon as they are there.
    pub eager: bool,
    /// Events answer what was asked, so the books must be right.
    pub strict: bool,
}

impl Harness {
    /// Begins a session; the greeting has come out already. All that it logs is logged.
    pub fn new(mut config: SessionConfig, endpoint: Endpoint) -> Self {
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

    /// Begins a session of 10.0.0.1 with the default settings.
    pub fn plain() -> Self {
        Self::with_config(SessionConfig::default())
    }

    /// Begins a session of 10.0.0.1 with these settings.
    pub fn with_config(config: SessionConfig) -> Self {
        let [local, peer] =
            ["10.0.0.9:21", "10.0.0.1:4000"].map(|address| address.parse().expect("an address"));
        Self::new(config, Endpoint::new(local, peer, Admission::Welcome))
    }

    /// Gives control bytes; what is not taken is offered again after every step.
    pub fn receive(&mut self, control: &[u8]) {
        // What comes in the handshake is TLS's.
        if !self.ledger.handshake {
            self.unread.extend_from_slice(control);
            self.offer();
        }
    }

    /// Gives an event.
    pub fn handle(&mut self, mut event: Event) {
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

    /// Answers a request for lines with these entries; none stand for the end of the directory.
    pub fn read_entries(&mut self, id: RequestId, entries: Vec<Entry>) {
        let lines = match self.ledger.waiting.get(&id.0) {
            Some(Action::Storage { request, .. }) => lines_of(request, entries),
            _ => Lines::default(),
        };
        self.handle(Event::Storage { id, outcome: Ok(StorageAnswer::Lines(lines)) });
    }

    /// Lets time pass, from deadline to deadline.
    pub fn pass(&mut self, time: Duration) {
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

    /// Lets time pass until the next deadline, and no further; returns `true` if there was one.
    pub fn pass_to_deadline(&mut self) -> bool {
        let left = self.time_left();
        left.map(|left| self.pass(left)).is_some()
    }

    /// Returns the time until the next deadline.
    pub fn time_left(&self) -> Option<Duration> {
        self.session.poll_timeout().map(|at| at.saturating_since(self.now.instant))
    }

    /// Returns the time on both clocks.
    pub fn now(&self) -> Now {
        self.now
    }

    /// Returns how many control bytes the session has not taken.
    pub fn unread(&self) -> usize {
        self.unread.len()
    }

    /// Returns `true` if the session has come to its end.
    pub fn is_closed(&self) -> bool {
        self.ledger.closed
    }

    /// Iterates over the actions that are not answered yet, the oldest first.
    pub fn waiting(&self) -> impl DoubleEndedIterator<Item = &Action> {
        self.ledger.waiting.values()
    }

    /// Returns the request that opened the passive port, while no connection has come to it.
    pub fn listening(&self) -> Option<RequestId> {
        self.ledger.listening()
    }

    /// Returns `true` while the control connection's TLS handshake goes on.
    pub fn is_in_handshake(&self) -> bool {
        self.ledger.handshake
    }

    /// Checks that every file and directory has been closed.
    ///
    /// # Panics
    ///
    /// Panics if one is open still.
    pub fn assert_nothing_open(&self) {
        self.ledger.assert_nothing_open();
    }

    /// Returns the session.
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// Takes the reply bytes that have come out so far.
    pub fn take_replies(&mut self) -> Vec<u8> {
        core::mem::take(&mut self.replies)
    }

    /// Takes the actions that have come out so far.
    pub fn take_actions(&mut self) -> Vec<Action> {
        core::mem::take(&mut self.actions)
    }

    /// Lets the client read so many bytes, where [`eager`](Self::eager) is `false`.
    pub fn read(&mut self, count: usize) {
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
                    // What follows AUTH belongs to the handshake.
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

/// Returns the lines that a storage makes of these entries for a
/// [`StorageRequest::NextLines`]; none stand for the end of the directory.
pub fn lines_of(request: &StorageRequest, entries: Vec<Entry>) -> Lines {
    let StorageRequest::NextLines { format, allowance, .. } = request else {
        return Lines::default();
    };
    let ends = entries.is_empty();
    let (mut text, mut entries) = (Vec::new(), entries.into_iter());
    let next = |entry: &mut Entry, _| {
        let next = entries.next();
        Ok::<_, ()>(next.map(|next| *entry = next).is_some())
    };
    let (count, end) = format.write_portion(next, *allowance, usize::MAX, &mut text).unwrap();
    // More may follow on those that there are.
    let end = if end == LinesEnd::Complete && !ends { LinesEnd::Enough } else { end };
    Lines { text, count, end }
}
