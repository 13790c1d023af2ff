//! A client whose commands are answered at once.

use core::time::Duration;
use std::vec::Vec;

use super::harness::Harness;
use super::replies::Reply;
use crate::{
    Action, DataProof, Denial, DigestEnd, Event, Grant, LoginMethod, Permissions, Plan, RequestId,
    SessionConfig, SiteReply, StorageAnswer, StorageError, StorageRequest, TransferEnd,
};

/// What a driver would ask of accounts, files and SITE commands.
pub trait Answers {
    /// Checks a login. Unless implemented, every client may do everything.
    fn login(&mut self, user: &[u8], method: &LoginMethod) -> Result<Grant, Denial> {
        let _ = (user, method);
        Ok(Grant { rights: Permissions::ALL.into(), ..Grant::default() })
    }

    /// Carries out a request. What it opens stays open under `id`.
    fn storage(
        &mut self,
        id: RequestId,
        request: &StorageRequest,
    ) -> Result<StorageAnswer, StorageError>;

    /// Carries out a transfer: `data` is what the client sends, or where to append what it is sent.
    /// [`Plan::dropped`] is closed then.
    fn transfer(&mut self, plan: &Plan, data: &mut Vec<u8>) -> TransferEnd;

    /// Closes what is open under `id`; a file that was to be written is discarded.
    fn release(&mut self, id: RequestId);

    /// Answers a SITE command, given by its index in
    /// [`SessionConfig::site_commands`](crate::SessionConfig::site_commands).
    fn site(&mut self, command: usize, argument: &[u8]) -> SiteReply {
        let _ = (command, argument);
        SiteReply::new(502, "Not implemented.")
    }
}

/// A client whose commands are answered at once, without sockets: data connections are always there,
/// TLS handshakes succeed, and no time passes.
///
/// `wharf_storage::testing::client` makes one whose files are those of a storage.
#[derive(Debug)]
pub struct ScriptedClient<A> {
    harness: Harness,
    answers: A,
    /// What the client sends or has received over the data connection.
    data: Vec<u8>,
}

impl<A: Answers> ScriptedClient<A> {
    /// Connects, with the default settings but for what is not answered (digests, MODE Z) and the
    /// delay after a login that fails.
    pub fn new(answers: A) -> Self {
        let settings = SessionConfig::default();
        let login_delay = Duration::ZERO;
        Self::with_config(
            SessionConfig { login_delay, digests: false, mode_z: false, ..settings },
            answers,
        )
    }

    /// Connects to a server with these settings.
    pub fn with_config(config: SessionConfig, answers: A) -> Self {
        let harness = Harness::with_config(config);
        let mut client = Self { harness, answers, data: Vec::new() };
        client.take_replies();
        client
    }

    /// Returns what answers, to be looked at or changed.
    pub fn answers(&mut self) -> &mut A {
        &mut self.answers
    }

    /// Returns the session's driver, such as to let time pass.
    pub fn harness(&mut self) -> &mut Harness {
        &mut self.harness
    }

    /// Logs in, and returns the code of the last reply.
    pub fn log_in(&mut self, user: &str, password: &str) -> u16 {
        match self.send(["USER ", user].concat()) {
            331 => self.send(["PASS ", password].concat()),
            code => code,
        }
    }

    /// Sends a line, and returns the code of the last reply; 0 where there is none.
    pub fn send(&mut self, line: impl AsRef<[u8]>) -> u16 {
        self.ask(line).last().map_or(0, |reply| reply.code)
    }

    /// Sends a line, and returns all replies to it.
    pub fn ask(&mut self, line: impl AsRef<[u8]>) -> Vec<Reply> {
        self.harness.receive(&[line.as_ref(), b"\r\n"].concat());
        self.take_replies()
    }

    /// Sends `content` by a command such as `STOR a`, and returns the code of the last reply.
    pub fn upload(&mut self, command: impl AsRef<[u8]>, content: impl Into<Vec<u8>>) -> u16 {
        self.send("PASV");
        self.data = content.into();
        self.send(command)
    }

    /// Receives what a command such as `RETR a` or `LIST` sends.
    ///
    /// # Errors
    ///
    /// The code of the last reply, where the transfer has failed.
    pub fn download(&mut self, command: impl AsRef<[u8]>) -> Result<Vec<u8>, u16> {
        self.send("PASV");
        self.data.clear();
        match self.send(command) {
            226 => Ok(core::mem::take(&mut self.data)),
            code => Err(code),
        }
    }

    /// Has all answered that the session asks for, and takes the replies.
    fn take_replies(&mut self) -> Vec<Reply> {
        loop {
            let actions = self.harness.take_actions();
            for action in &actions {
                self.answer(action);
            }
            if let Some(id) = self.harness.listening() {
                let peer = core::net::Ipv4Addr::new(10, 0, 0, 1).into();
                self.harness.handle(Event::DataArrived { id, peer });
            } else if self.harness.time_left() == Some(Duration::ZERO) {
                // What waits for no time at all, such as a delay that is switched off.
                self.harness.pass(Duration::ZERO);
            } else if actions.is_empty() {
                break;
            }
        }
        Reply::read(&self.harness.take_replies()).unwrap_or_else(|error| panic!("{error}"))
    }

    fn answer(&mut self, action: &Action) {
        let event = match action {
            Action::Authenticate { id, user, method, .. } => {
                Event::Authenticated { id: *id, outcome: self.answers.login(user, method) }
            }
            Action::Storage { id, request } => {
                Event::Storage { id: *id, outcome: self.answers.storage(*id, request) }
            }
            Action::Release(id) => return self.answers.release(*id),
            Action::Site { id, command, argument, .. } => {
                Event::Site { id: *id, reply: self.answers.site(*command, argument) }
            }
            Action::Listen { id } => Event::Listening { id: *id, port: Some(50000) },
            Action::Connect { id, .. } => Event::Connected { id: *id, established: true },
            Action::StartTls { .. } => Event::TlsStarted { certificate: false },
            Action::ProtectData { id, .. } => {
                Event::DataProtected { id: *id, proof: Some(DataProof::Resumed) }
            }
            Action::Transfer { id, plan, .. } => {
                let end = self.answers.transfer(plan, &mut self.data);
                Event::TransferEnded { id: *id, bytes: self.data.len() as u64, end }
            }
            Action::Digest { id, file, .. } => {
                self.answers.release(*file);
                let end = DigestEnd::Storage(StorageError::Unsupported);
                Event::DigestEnded { id: *id, end }
            }
            Action::CheckControl { id } => Event::ControlChecked { id: *id },
            _ => return,
        };
        self.harness.handle(event);
    }
}
