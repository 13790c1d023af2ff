//! The session: one control connection, from its greeting to its end.
//!
//! | file | decides |
//! |---|---|
//! | `state` | nothing: it is what the others decide about |
//! | `inbox` | which command line comes next |
//! | `access` | who may come in: USER, PASS, ACCT, REIN, QUIT |
//! | `parameters` | TYPE, STRU, MODE, REST, ALLO, OPTS |
//! | `data` | where the data connection comes from: PORT, PASV, EPRT, EPSV |
//! | `transfer` | the course of RETR, STOR, STOU, APPE, ABOR |
//! | `listing` | LIST, NLST, MLSD, and STAT with a path |
//! | `files` | CWD, MKD, DELE, RNFR, SIZE, MDTM and the like |
//! | `info` | FEAT, HELP, SITE, STAT, SYST |
//! | `deadlines` | when something takes too long |

mod access;
mod data;
mod deadlines;
mod files;
mod inbox;
mod info;
mod listing;
mod parameters;
mod state;
mod transfer;

use alloc::collections::VecDeque;
use alloc::sync::Arc;
use core::time::Duration;

use crate::action::Action;
use crate::command::{self, Argument, Command, Spec, Timing, Verb};
use crate::config::{Admission, Endpoint, SessionConfig};
use crate::event::{Event, RequestId};
use crate::line::Line;
use crate::path::VirtualPath;
use crate::permissions::Permissions;
use crate::reply::{Replies, Text};
use crate::storage::{StorageError, StorageRequest};
use crate::time::{Instant, Now};

use inbox::Inbox;
use state::{Data, Login, Parameters, Then, Work};

/// No command is taken while this many reply bytes wait: the client reads too slowly.
const REPLIES_WAITING: usize = 16 * 1024;

/// How long the last reply may take to leave.
const FAREWELL: Duration = Duration::from_secs(5);

/// One FTP session, as a pure state machine.
///
/// Bytes and events go in by [`receive`](Self::receive) and [`handle`](Self::handle). After each
/// call, drain what comes out: reply bytes by [`transmit`](Self::transmit), and actions by
/// [`poll`](Self::poll), until there are none. Same inputs, same outputs, byte for byte.
#[derive(Debug)]
pub struct Session {
    config: Arc<SessionConfig>,
    endpoint: Endpoint,
    inbox: Inbox,
    replies: Replies,
    actions: VecDeque<Action>,
    last_id: u64,
    login: Login,
    failed_logins: u32,
    parameters: Parameters,
    data: Data,
    work: Work,
    /// When the client last showed that it is there.
    active: Instant,
    /// When it must be logged in.
    login_deadline: Instant,
    /// The client sends no more.
    input_ended: bool,
    /// The server stops; transfers end by then.
    shutdown: Option<Instant>,
}

impl Session {
    /// Starts a session with its greeting, or with 421 when the endpoint was not admitted.
    pub fn new(config: Arc<SessionConfig>, endpoint: Endpoint, now: Now) -> Self {
        let login_deadline = now.instant + config.login_timeout;
        let mut session = Self {
            config,
            endpoint,
            inbox: Inbox::new(),
            replies: Replies::default(),
            actions: VecDeque::new(),
            last_id: 0,
            login: Login::Nobody,
            failed_logins: 0,
            parameters: Parameters::new(),
            data: Data::None,
            work: Work::Idle,
            active: now.instant,
            login_deadline,
            input_ended: false,
            shutdown: None,
        };
        match endpoint.admission() {
            Admission::Welcome => session.greet(),
            Admission::ServerFull => {
                session.end(421, "Too many sessions on this server; try later.", now);
            }
            Admission::AddressFull => {
                session.end(421, "Too many sessions from your address; try later.", now);
            }
        }
        session
    }

    /// Takes bytes from the control connection and returns how many it consumed.
    ///
    /// When that is fewer than given, keep the rest, stop reading, and offer it again once
    /// [`wants_read`](Self::wants_read) is true.
    pub fn receive(&mut self, control: &[u8], now: Now) -> usize {
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
        match event {
            Event::Timeout => self.check_deadlines(now),
            Event::ControlClosed => self.control_closed(now),
            Event::ControlLost => {
                self.inbox.clear();
                self.replies.shut();
                self.control_closed(now);
            }
            Event::Shutdown { deadline } => self.shut_down(deadline, now),
            Event::Authenticated { id, outcome } => {
                let waits = |then: &Then| matches!(then, Then::LogIn { .. });
                if let Some(Then::LogIn { user }) = self.take_waiting(id, waits, now) {
                    self.logged_in(user, outcome, now);
                }
            }
            Event::Storage { id, outcome } => {
                if let Some(then) = self.take_waiting(id, Then::waits_for_storage, now) {
                    self.storage_answered(then, outcome, id);
                } else {
                    self.transfer_storage_answered(id, outcome, now);
                }
            }
            Event::Site { id, reply } => {
                if self.take_waiting(id, |then| matches!(then, Then::Site), now).is_some() {
                    self.site_answered(&reply);
                }
            }
            Event::Listening { id, port } => {
                if let Some(then) = self.take_waiting(id, Then::waits_for_port, now) {
                    self.listening(then, id, port);
                }
            }
            Event::DataArrived { id, peer } => self.data_arrived(id, peer, now),
            Event::Connected { id, established } => self.connected(id, established, now),
            Event::Progress { id, bytes } => self.transfer_progressed(id, bytes, now),
            Event::TransferEnded { id, bytes, end } => self.transfer_ended(id, bytes, end, now),
        }
        self.advance(now);
    }

    /// Returns the reply bytes to send.
    pub fn transmit(&self) -> &[u8] {
        self.replies.pending()
    }

    /// Takes note that the first `count` bytes of [`transmit`](Self::transmit) have been sent.
    pub fn transmitted(&mut self, count: usize, now: Now) {
        self.replies.sent(count);
        self.advance(now);
    }

    /// Returns what the driver must do next, or `None` for now.
    ///
    /// [`Action::Close`] is withheld until the last reply has been sent.
    pub fn poll(&mut self) -> Option<Action> {
        if let Some(action) = self.actions.pop_front() {
            return Some(action);
        }
        if matches!(self.work, Work::Ending { .. }) && self.transmit().is_empty() {
            self.work = Work::Ended;
            return Some(Action::Close);
        }
        None
    }

    /// Tells whether control bytes would be consumed. While it is false, read none: TCP then tells
    /// the client to wait.
    pub fn wants_read(&self) -> bool {
        !self.input_ended
            && !matches!(self.work, Work::Ending { .. } | Work::Ended)
            && self.transmit().len() < REPLIES_WAITING
            && self.inbox.has_room()
    }

    /// Executes command lines as long as there are any that may be executed now.
    fn advance(&mut self, now: Now) {
        loop {
            if matches!(self.work, Work::Idle) && self.shutdown.is_some() {
                return self.end(421, "The server is shutting down.", now);
            }
            if self.transmit().len() >= REPLIES_WAITING {
                break;
            }
            let Some(line) = self.next_line() else { break };
            self.active = now.instant;
            self.execute(line, now);
        }
        if matches!(self.work, Work::Idle) && self.inbox.is_empty() {
            self.inbox.lift_barrier();
        }
        if self.input_ended && matches!(self.work, Work::Idle) && self.inbox.is_empty() {
            self.work = Work::Ending { until: now.instant + FAREWELL };
        }
    }

    /// Takes the next line, if it may be executed now.
    fn next_line(&mut self) -> Option<Line> {
        let may = match &self.work {
            Work::Idle => true,
            Work::Transferring(transfer) => {
                let Line::Command(line) = self.inbox.front()? else { return None };
                match command::parse(line) {
                    // With a path STAT needs the storage: it waits.
                    Command::Known(Spec { verb: Verb::Stat, .. }, Some(_)) => false,
                    Command::Known(Spec { verb: Verb::Abor, .. }, _) => transfer.can_abort(),
                    Command::Known(spec, _) => {
                        spec.timing != Timing::Waits && transfer.is_announced()
                    }
                    _ => false,
                }
            }
            _ => false,
        };
        if may { self.inbox.pop() } else { None }
    }

    fn execute(&mut self, line: Line, now: Now) {
        let rename_from = self.parameters.rename_from.take();
        let Line::Command(line) = line else {
            return self.reply(500, "Command line too long.");
        };
        match command::parse(&line) {
            Command::Known(spec, argument) => {
                if let Err((code, text)) = self.admit(spec, argument.as_deref()) {
                    return self.refuse(spec, code, text);
                }
                let argument = argument.unwrap_or_default();
                self.run(spec.verb, &argument, rename_from, now);
            }
            Command::Http => self.end(500, "This is an FTP server; it does not speak HTTP.", now),
            Command::Unknown => {
                let word = line.split(|&byte| byte == b' ').next().unwrap_or_default();
                let word = &word[..word.len().min(32)];
                self.reply(500, Text::of(&[b"Command \"", word, b"\" not understood."]));
            }
        }
    }

    /// Checks what can be checked without knowing what the command does.
    fn admit(
        &self,
        spec: &'static Spec,
        argument: Option<&[u8]>,
    ) -> Result<(), (u16, &'static str)> {
        if !spec.is_implemented() {
            return Err((502, "Command not implemented."));
        }
        if let Work::Transferring(_) = self.work
            && spec.timing == Timing::Refused
        {
            return Err((503, "Not while a transfer is in progress."));
        }
        let stat_path = spec.verb == Verb::Stat && argument.is_some();
        if (spec.login || stat_path) && self.permissions().is_none() {
            return Err((530, "Log in with USER and PASS first."));
        }
        match (spec.argument, argument) {
            (Argument::Required, None) => {
                return Err((501, "Syntax error: command needs an argument."));
            }
            (Argument::None, Some(_)) => {
                return Err((501, "Syntax error: command does not accept arguments."));
            }
            _ => {}
        }
        let wanted = if stat_path { Permissions::LIST } else { spec.permissions };
        if !self.permissions().unwrap_or_default().contains(wanted) {
            return Err((550, "Permission denied."));
        }
        Ok(())
    }

    /// Answers a command that was not admitted.
    fn refuse(&mut self, spec: &Spec, code: u16, text: &'static str) {
        self.reply(code, text);
        if spec.verb.uses_data() && matches!(self.work, Work::Idle) {
            self.parameters.restart = 0;
            self.close_data();
        }
    }

    fn run(&mut self, verb: Verb, argument: &[u8], rename_from: Option<VirtualPath>, now: Now) {
        match verb {
            Verb::User => self.user(argument, now),
            Verb::Pass => self.pass(argument),
            Verb::Acct => self.acct(),
            Verb::Rein => self.rein(now),
            Verb::Quit => self.end(221, "Goodbye.", now),
            Verb::Type => self.set_type(argument),
            Verb::Stru => self.set_structure(argument),
            Verb::Mode => self.set_mode(argument),
            Verb::Rest => self.restart(argument),
            Verb::Allo => self.allo(argument),
            Verb::Opts => self.opts(argument),
            Verb::Port => self.port(argument),
            Verb::Eprt => self.eprt(argument),
            Verb::Pasv => self.pasv(),
            Verb::Epsv => self.epsv(argument),
            Verb::Retr => self.retr(argument),
            Verb::Stor => self.stor(argument),
            Verb::Stou => self.stou(argument),
            Verb::Appe => self.appe(argument),
            Verb::Abor => self.abor(now),
            Verb::List => self.list(argument, now),
            Verb::Nlst => self.nlst(argument, now),
            Verb::Mlsd => self.mlsd(argument, now),
            Verb::Cwd => self.cwd(argument),
            Verb::Cdup => self.cdup(),
            Verb::Pwd => self.pwd(),
            Verb::Mkd => self.mkd(argument),
            Verb::Rmd => self.rmd(argument),
            Verb::Dele => self.dele(argument),
            Verb::Rnfr => self.rnfr(argument),
            Verb::Rnto => self.rnto(argument, rename_from),
            Verb::Size => self.size(argument),
            Verb::Mdtm => self.mdtm(argument),
            Verb::Mlst => self.mlst(argument),
            Verb::Feat => self.feat(),
            Verb::Help => self.help(argument),
            Verb::Site => self.site(argument),
            Verb::Stat => self.stat(argument, now),
            Verb::Syst => self.reply(215, "UNIX Type: L8"),
            Verb::Noop => self.reply(200, "NOOP command successful."),
            Verb::NotImplemented => unreachable!("refused by admit"),
        }
    }

    fn reply(&mut self, code: u16, text: impl Into<Text>) {
        self.replies.line(code, text);
    }

    /// Sends the last reply; the connection is closed behind it.
    fn end(&mut self, code: u16, text: &str, now: Now) {
        self.reply(code, text);
        self.close_data();
        self.work = Work::Ending { until: now.instant + FAREWELL };
    }

    fn next_id(&mut self) -> RequestId {
        self.last_id += 1;
        RequestId(self.last_id)
    }

    /// Asks for a file operation and lets the command wait for its outcome.
    fn ask(&mut self, request: StorageRequest, then: Then) {
        let id = self.request(request);
        self.work = Work::Waiting(id, then);
    }

    /// Asks for a file operation.
    fn request(&mut self, request: StorageRequest) -> RequestId {
        let id = self.next_id();
        self.actions.push_back(Action::Storage { id, request });
        id
    }

    /// Returns what waits for an outcome of this sort of the request `id`, and goes idle; `None`
    /// when nothing does. The client is not idle while it waits for the server.
    fn take_waiting(
        &mut self,
        id: RequestId,
        waits: impl FnOnce(&Then) -> bool,
        now: Now,
    ) -> Option<Then> {
        match core::mem::replace(&mut self.work, Work::Idle) {
            Work::Waiting(waiting, then) if waiting == id && waits(&then) => {
                self.active = now.instant;
                Some(then)
            }
            other => {
                self.work = other;
                None
            }
        }
    }

    /// Resolves a path name, or answers why it cannot be.
    fn resolve(&mut self, argument: &[u8]) -> Option<VirtualPath> {
        let resolved = self.parameters.directory.resolve(argument);
        if resolved.is_err() {
            self.reply(550, "File name not allowed.");
        }
        resolved.ok()
    }

    /// The permissions of who is logged in.
    fn permissions(&self) -> Option<Permissions> {
        match self.login {
            Login::In { permissions, .. } => Some(permissions),
            _ => None,
        }
    }

    /// The client sends no more: what it sent is still answered, but a transfer stops.
    fn control_closed(&mut self, now: Now) {
        self.input_ended = true;
        if let Work::Transferring(_) = self.work {
            self.abandon_transfer(now);
        }
    }

    fn shut_down(&mut self, deadline: Instant, now: Now) {
        self.shutdown.get_or_insert(deadline);
        if let Work::Delaying { .. } = self.work {
            self.end(421, "The server is shutting down.", now);
        }
    }
}

/// Says why a file operation failed: the code that suits most commands, and the text.
fn failure(error: StorageError) -> (u16, &'static str) {
    match error {
        StorageError::NotFound => (550, "No such file or directory."),
        StorageError::PermissionDenied => (550, "Permission denied."),
        StorageError::AlreadyExists => (550, "File exists."),
        StorageError::NotADirectory => (550, "Not a directory."),
        StorageError::IsADirectory => (550, "Is a directory."),
        StorageError::NotRegular => (550, "Not a regular file."),
        StorageError::NotEmpty => (550, "Directory not empty."),
        StorageError::BadName => (550, "File name not allowed."),
        StorageError::BadOffset => (554, "Restart position is beyond the end of the file."),
        StorageError::NoSpace => (550, "No space left on device."),
        StorageError::QuotaExceeded => (550, "Quota exceeded."),
        StorageError::ReadOnly => (550, "Read-only file system."),
        StorageError::CrossesDevices => (550, "Cannot move across file systems."),
        StorageError::Busy => (450, "The server is short of resources; try later."),
        StorageError::Unsupported => (550, "Not supported here."),
        StorageError::Other => (550, "Input/output error."),
    }
}

/// [`failure`] for STOR, STOU, APPE and RNTO, which have codes of their own (RFC 959 section 5.4).
fn store_failure(error: StorageError) -> (u16, &'static str) {
    let (code, text) = failure(error);
    match error {
        StorageError::BadName => (553, text),
        StorageError::NoSpace => (452, text),
        StorageError::QuotaExceeded => (552, text),
        StorageError::Other => (451, text),
        _ => (code, text),
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

/// Writes bytes for a log.
fn shown(bytes: &[u8]) -> impl core::fmt::Display + '_ {
    bytes.escape_ascii()
}
