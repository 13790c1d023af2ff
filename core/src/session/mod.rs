//! The session: one control connection, from its greeting to its end.
//!
//! | file | decides |
//! |---|---|
//! | `state` | nothing: it is what the others decide about |
//! | `inbox` | which commands wait, and when the client has to |
//! | `dispatch` | which command is executed when, and which are refused before |
//! | `events` | which event goes to what waits for it |
//! | `security` | TLS: AUTH, PBSZ, PROT, CCC |
//! | `access` | which client may come in: HOST, USER, PASS, ACCT, REIN, QUIT |
//! | `parameters` | TYPE, STRU, MODE, REST, RANG, ALLO, OPTS, LANG |
//! | `data` | where the data connection comes from: PORT, PASV, EPRT, EPSV |
//! | `transfer` | the course of RETR, STOR, STOU, APPE, ABOR |
//! | `digest` | the course of HASH, XCRC and the like |
//! | `listing` | LIST, NLST, MLSD, and STAT with a path |
//! | `files` | CWD, MKD, DELE, RNFR, SIZE, MDTM and the like |
//! | `modify` | MFMT, MFF, SITE CHMOD, SITE UTIME |
//! | `identity` | CLNT, CSID |
//! | `failure` | what a storage error is called in a reply |
//! | `notices` | what is told of what has happened, where the embedding program watches |
//! | `journal` | what is said in the log, and how often |
//! | `info` | FEAT, HELP, SITE, STAT, SYST |
//! | `parting` | what becomes of a session whose client has gone, or that gets no answer |
//! | `states` | nothing: it is the table of the states |
//! | `stop` | what a client is told of a transfer or digest that was stopped |
//! | `deadlines` | when something takes too long |

mod access;
mod data;
mod deadlines;
mod digest;
mod dispatch;
mod events;
mod failure;
mod files;
mod identity;
mod inbox;
mod info;
mod journal;
mod listing;
mod modify;
mod notices;
mod parameters;
mod parting;
mod security;
mod state;
pub mod states;
mod stop;
mod transfer;

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::sync::Arc;
use core::time::Duration;

use crate::action::Action;
use crate::config::{Admission, Endpoint, SessionConfig};
use crate::event::{Event, Grant, RequestId};
use crate::notice::Parting;
use crate::path::VirtualPath;
use crate::permissions::Permissions;
use crate::reply::{Replies, Text};
use crate::storage::{StorageAnswer, StorageError, StorageRequest};
use crate::time::{Instant, Now};

use inbox::Inbox;
use journal::Journal;
use notices::Notices;
use state::{
    Awaiting, Continuation, Data, Handshake, Input, LastWord, Login, NotAwaited, Parameters,
    Protection, Security, TlsCause, Work,
};
use states::{State, Trigger};
use stop::StopReason;

/// No command is taken while this many reply bytes wait: the client reads too slowly.
const REPLIES_WAITING: usize = 16 * 1024;

/// The text of 530.
const LOG_IN_FIRST: &str = "Log in with USER and PASS first.";

/// The text of 551 where a range would have to be found in what TYPE A or MODE Z makes of a file.
const NO_RANGE_HERE: &str = "A range needs TYPE I and MODE S.";

/// The text of 421 where too many logins have failed, in this session or before it.
const COOLING_DOWN: &str = "Too many failed logins from your address; try later.";

/// The text of 421 where there is no place for a session.
const SERVER_FULL: &str = "Too many sessions on this server; try later.";

/// How long the last reply may take to leave.
const LAST_REPLY_TIMEOUT: Duration = Duration::from_secs(5);

/// What came of a storage request.
type StorageOutcome = Result<StorageAnswer, StorageError>;

#[doc = include_str!("contract.md")]
#[derive(Debug)]
pub struct Session {
    config: Arc<SessionConfig>,
    endpoint: Endpoint,
    journal: Journal,
    /// Where the embedding program watches, for as long as there is something to be told.
    notices: Option<Box<Notices>>,
    inbox: Inbox,
    replies: Replies,
    actions: VecDeque<Action>,
    last_id: u64,
    /// The virtual host that HOST chose.
    host: Option<usize>,
    security: Security,
    protection: Protection,
    login: Login,
    failed_logins: u32,
    /// How often the client has named its program in the log.
    names_logged: u8,
    parameters: Parameters,
    data: Data,
    work: Work,
    /// When the client last showed that it is there.
    active: Instant,
    /// When it must be logged in.
    login_deadline: Instant,
    /// What is to be heard from the client.
    input: Input,
    /// Its place has been given back while an upload goes on without the client.
    vacated: bool,
    /// The server stops; transfers end by then.
    shutdown: Option<Instant>,
}

impl Session {
    /// Starts a session with its greeting, or with 421 when the endpoint was not admitted.
    pub fn new(config: Arc<SessionConfig>, endpoint: Endpoint, now: Now) -> Self {
        let login_deadline = now.instant + config.login_timeout;
        let peer = endpoint.peer().ip();
        let mut session = Self {
            journal: Journal::new(peer, config.log_lines_per_minute, now.instant),
            notices: None,
            config,
            endpoint,
            inbox: Inbox::new(),
            replies: Replies::new(),
            actions: VecDeque::new(),
            last_id: 0,
            host: None,
            security: Security::Clear,
            protection: Protection::Unsized,
            login: Login::None,
            failed_logins: 0,
            names_logged: 0,
            parameters: Parameters::new(),
            data: Data::None,
            work: Work::Idle,
            active: now.instant,
            login_deadline,
            input: Input::Open,
            vacated: false,
            shutdown: None,
        };
        session.tell_arrival();
        if endpoint.implicit_tls() {
            session.work =
                Work::Securing { cause: TlsCause::Implicit, handshake: Handshake::Withheld };
            if endpoint.admission() != Admission::Welcome {
                // A client that is only told 421 gets no more time than that takes.
                session.login_deadline = now.instant + LAST_REPLY_TIMEOUT;
            }
            session.change_security();
        } else {
            session.open(now);
        }
        session.moved(State::Start, Trigger::New);
        session
    }

    /// Sends the first reply.
    fn open(&mut self, now: Now) {
        let why = match self.endpoint.admission() {
            Admission::Welcome => return self.greet(),
            Admission::ServerFull => SERVER_FULL,
            Admission::AddressFull => "Too many sessions from your address; try later.",
            Admission::CoolingDown => {
                self.log_cooling_down();
                COOLING_DOWN
            }
            Admission::NotAllowed => "Connections from your address are not allowed.",
        };
        self.say_last(421, why, now);
    }

    /// Takes bytes from the control connection and returns how many it consumed.
    ///
    /// When that is fewer than given, keep the rest, stop reading, and offer it again once
    /// [`wants_read`](Self::wants_read) is true.
    #[must_use = "what was not consumed has to be offered again"]
    pub fn receive(&mut self, control: &[u8], now: Now) -> usize {
        self.journal.set_time(now.instant);
        if let Input::Lost(_) = self.input {
            return self.skim(control);
        }
        let mut consumed = 0;
        while consumed < control.len() && self.wants_read() {
            consumed += self.inbox.feed(&control[consumed..]);
            self.replies.telnet(&self.inbox.take_telnet_answers());
            self.advance(now);
        }
        consumed
    }

    /// Takes an event. Any event is legal at any time.
    pub fn handle(&mut self, event: Event, now: Now) {
        self.journal.set_time(now.instant);
        let was_busy = !matches!(self.work, Work::Idle);
        let is_progress = matches!(event, Event::Progress { .. } | Event::DigestProgress { .. });
        let (from, trigger) = (self.state(), Trigger::of_event(&event));
        if let Err(NotAwaited(id)) = self.take(event, now) {
            self.journal.ignored(format_args!("nothing waits for the answer #{}", id.0));
        }
        self.moved(from, trigger);
        if is_progress {
            // So frequent, and nothing that a command could wait for.
            return;
        }
        // While it waited for the server, the client was not idle.
        if was_busy && matches!(self.work, Work::Idle) {
            self.active = now.instant;
        }
        self.outlive_client();
        self.advance(now);
    }

    /// Returns the reply bytes to send.
    #[must_use = "a client that is not sent its reply waits for ever"]
    pub fn transmit(&self) -> &[u8] {
        self.replies.pending()
    }

    /// Drops the first `count` bytes of [`transmit`](Self::transmit), which have been sent.
    pub fn transmitted(&mut self, count: usize, now: Now) {
        self.journal.set_time(now.instant);
        self.replies.sent(count);
        self.advance(now);
    }

    /// Returns what the driver must do next, or `None` for now.
    ///
    /// [`Action::Close`] is withheld until the last reply has been sent.
    #[must_use = "an action that is not carried out leaves the session waiting for ever"]
    pub fn poll(&mut self) -> Option<Action> {
        if let Some(action) = self.actions.pop_front() {
            return Some(action);
        }
        // Many sessions are idle: they hold no room for actions.
        self.actions = VecDeque::new();
        if matches!(self.work, Work::Ending { .. }) && self.transmit().is_empty() {
            self.work = Work::Ended;
            self.moved(State::Ending, Trigger::Close);
            if let Some(notice) = self.last_notice() {
                self.actions.push_back(Action::Close);
                return Some(Action::Notice(notice));
            }
            return Some(Action::Close);
        }
        None
    }

    /// Returns `true` if control bytes would be consumed. While it is `false`, read none:
    /// backpressure, TCP makes the client wait.
    #[must_use = "bytes that are read before they are wanted fill the memory"]
    pub fn wants_read(&self) -> bool {
        match self.input {
            Input::Open | Input::Ending => {}
            Input::Ended => return false,
            // What came before the end may say how an upload is meant to end.
            Input::Lost(word) => return word == LastWord::None && self.is_uploading(),
        }
        !matches!(
            self.work,
            Work::Securing { .. } | Work::Clearing { .. } | Work::Ending { .. } | Work::Ended
        ) && self.transmit().len() < REPLIES_WAITING
            && self.inbox.has_room()
    }

    fn reply(&mut self, code: u16, text: impl Into<Text>) {
        self.replies.line(code, text);
    }

    /// Ends the session with this reply.
    fn end(&mut self, why: Parting, code: u16, text: &'static str, now: Now) {
        self.part(why);
        self.say_last(code, text, now);
    }

    /// Sends the last reply; the connection is closed after it.
    fn say_last(&mut self, code: u16, text: &'static str, now: Now) {
        self.reply(code, text);
        self.close_data();
        self.forget_login();
        self.work = Work::Ending { until: now.instant + LAST_REPLY_TIMEOUT };
    }

    /// Gives the account back, before the client hears of the end: it may log in again at once.
    fn forget_login(&mut self) {
        if self.drop_login() {
            self.actions.push_back(Action::Logout);
        }
    }

    fn next_id(&mut self) -> RequestId {
        self.last_id += 1;
        RequestId(self.last_id)
    }

    /// Asks for a file operation and lets the command wait for its outcome.
    fn ask(&mut self, request: StorageRequest, then: Continuation) {
        let id = self.request(request);
        self.work = Work::Waiting { id, awaiting: Awaiting::Storage(then) };
    }

    /// Asks for a file operation.
    fn request(&mut self, request: StorageRequest) -> RequestId {
        let id = self.next_id();
        self.actions.push_back(Action::Storage { id, request });
        id
    }

    /// Resolves a path name for a command that needs a permission there, or answers why it cannot
    /// be.
    fn resolve(&mut self, argument: &[u8], wanted: Permissions) -> Option<VirtualPath> {
        let located = self.locate(argument, wanted);
        let replied = located.map_err(|error| {
            let (code, text) = failure::failure(error);
            self.reply(code, text);
        });
        replied.ok()
    }

    /// Resolves a path name, and fails where a permission is wanting there.
    fn locate(&self, argument: &[u8], wanted: Permissions) -> Result<VirtualPath, StorageError> {
        match self.parameters.directory.resolve(argument) {
            Ok(path) if self.may(wanted, &path) => Ok(path),
            Ok(_) => Err(StorageError::PermissionDenied),
            Err(_) => Err(StorageError::BadName),
        }
    }

    /// What the account may do, has to protect and may use.
    fn grant(&self) -> Option<&Grant> {
        match &self.login {
            Login::In { grant, .. } => Some(grant),
            _ => None,
        }
    }

    /// Returns `true` if the account has all these permissions at `path`.
    fn may(&self, wanted: Permissions, path: &VirtualPath) -> bool {
        self.grant().is_some_and(|grant| grant.rights.at(path).contains(wanted))
    }

    /// Breaks off the transfer or digest that goes on, if it has not come to its end by itself.
    fn break_off(&mut self, why: StopReason) {
        match self.work {
            Work::Digesting(_) => self.stop_digest(why),
            _ => self.stop_transfer(why),
        }
    }
}

/// Cuts spaces from both ends.
fn trim(bytes: &[u8]) -> &[u8] {
    bytes.trim_ascii()
}

/// Reads an unsigned decimal number, nothing else; `None` on overflow too.
fn number(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    core::str::from_utf8(digits).ok()?.parse().ok()
}
