//! The driver's books: what a session asked for, what is open, and whether both fit together.

use std::collections::{BTreeMap, BTreeSet};

use crate::{Action, Event, Notice, Plan, RequestId, StorageAnswer, StorageRequest};

/// What stands where a driver would hold sockets and files.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    issued: BTreeSet<u64>,
    /// Requests without an answer yet.
    pub(super) waiting: BTreeMap<u64, Action>,
    open: BTreeMap<u64, Open>,
    data: Data,
    /// The digest that is computed, and its file.
    digest: Option<(u64, u64)>,
    digest_stopped: bool,
    /// The control connection has begun TLS.
    tls: bool,
    /// Its handshake goes on.
    pub(super) handshake: bool,
    pub(super) closed: bool,
    told: Told,
}

/// How far notices have come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Told {
    #[default]
    Nothing,
    Connected,
    LoggedIn,
    /// Nothing more is to be told.
    End,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Open {
    Read,
    Write,
    Directory,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Data {
    #[default]
    Nothing,
    Listening(u64),
    /// A connection to the passive port is to be accepted or refused.
    Knocking(u64),
    /// A connection is being made, stands, or has failed and is still to be closed.
    Connection,
    Moving {
        transfer: u64,
        file: Option<u64>,
        stopped: bool,
    },
}

impl Ledger {
    /// Enters an action; panics where it makes no sense.
    pub(super) fn action(&mut self, action: &Action) {
        assert!(!self.closed, "{action:?} after Close");
        match action {
            Action::Authenticate { id, .. }
            | Action::Site { id, .. }
            | Action::CheckControl { id } => self.issue(*id, action),
            Action::Storage { id, request } => {
                self.issue(*id, action);
                self.storage(request);
            }
            Action::Release(id) => {
                assert_ne!(self.file_in_transfer(), Some(id.0), "released while it moves");
                let in_digest = self.digest.is_some_and(|(_, file)| file == id.0);
                assert!(!in_digest, "released while it is read");
                assert!(self.open.remove(&id.0).is_some(), "{id:?} released, but not open");
            }
            Action::Listen { id } => {
                self.issue(*id, action);
                assert_eq!(self.data, Data::Nothing, "{action:?}");
            }
            Action::AcceptData | Action::RefuseData => {
                let Data::Knocking(port) = self.data else {
                    panic!("{action:?}: no connection has come")
                };
                let accepted = *action == Action::AcceptData;
                self.data = if accepted { Data::Connection } else { Data::Listening(port) };
            }
            Action::Connect { id, .. } => {
                self.issue(*id, action);
                assert_eq!(self.data, Data::Nothing, "{action:?}");
                self.data = Data::Connection;
            }
            // An address that PORT named, and that is not connected to yet, is "closed" too.
            Action::CloseData(_) => {
                assert!(!matches!(self.data, Data::Moving { .. }), "{action:?} while it moves");
                self.data = Data::Nothing;
            }
            Action::Transfer { id, plan, .. } => {
                self.issue(*id, action);
                assert_eq!(self.data, Data::Connection, "{action:?}");
                let file = self.planned(plan);
                self.data = Data::Moving { transfer: id.0, file, stopped: false };
            }
            Action::StopTransfer => match &mut self.data {
                Data::Moving { stopped: stopped @ false, .. } => *stopped = true,
                other => panic!("StopTransfer while {other:?}"),
            },
            Action::Digest { id, file, start, end, .. } => {
                self.issue(*id, action);
                assert!(start <= end, "{action:?}");
                assert_eq!(self.open.get(&file.0), Some(&Open::Read), "{action:?}");
                assert_eq!(self.digest.replace((id.0, file.0)), None, "{action:?}");
                self.digest_stopped = false;
            }
            Action::StopDigest => {
                assert!(self.digest.is_some(), "{action:?}: there is none");
                assert!(!std::mem::replace(&mut self.digest_stopped, true), "{action:?} twice");
            }
            Action::StartTls { .. } => {
                assert!(!std::mem::replace(&mut self.tls, true), "{action:?} within TLS");
                self.handshake = true;
            }
            Action::EndTls => {
                assert!(std::mem::replace(&mut self.tls, false), "{action:?} in clear");
            }
            Action::ProtectData { id, .. } => {
                self.issue(*id, action);
                assert_eq!(self.data, Data::Connection, "{action:?}");
            }
            Action::Close => {
                self.closed = true;
                assert!(
                    matches!(self.told, Told::Nothing | Told::End),
                    "{:?} at the end",
                    self.told
                );
                // What moves, or is read, is dropped with the rest.
                let used = [self.file_in_transfer(), self.digest.map(|(_, file)| file)];
                self.open.retain(|file, _| !used.contains(&Some(*file)));
            }
            Action::Notice(notice) => self.notice(notice),
            Action::Logout | Action::Vacate => {}
        }
    }

    /// Enters a notice: connected and disconnected, logged in and logged out come in pairs.
    fn notice(&mut self, notice: &Notice) {
        self.told = match (self.told, notice) {
            (Told::Nothing, Notice::Connected { .. }) => Told::Connected,
            (Told::Nothing, Notice::Refused { .. }) => Told::End,
            (Told::Connected, Notice::LoggedIn { .. }) => Told::LoggedIn,
            (Told::Connected, Notice::LoginFailed { .. }) => Told::Connected,
            (Told::Connected, Notice::Disconnected { .. }) => Told::End,
            (Told::LoggedIn, Notice::LoggedOut { .. }) => Told::Connected,
            (Told::LoggedIn, notice) if notice.is_operation() => Told::LoggedIn,
            (told, notice) => panic!("{notice} is told when {told:?}"),
        };
    }

    /// Enters an event that answers what was asked.
    pub(super) fn event(&mut self, event: &Event) {
        match event {
            Event::Storage { id, outcome } => {
                if let Some(Action::Storage { request, .. }) = self.waiting.remove(&id.0)
                    && let Ok(StorageAnswer::Opened(_)) = outcome
                    && let Some(kind) = opens(&request)
                {
                    self.open.insert(id.0, kind);
                }
            }
            Event::Authenticated { id, .. }
            | Event::Site { id, .. }
            | Event::ControlChecked { id }
            | Event::DataProtected { id, .. } => {
                self.waiting.remove(&id.0);
            }
            Event::Listening { id, port } => {
                let asked = self.waiting.remove(&id.0).is_some();
                self.data = if asked && port.is_some() { Data::Listening(id.0) } else { self.data };
            }
            Event::DataArrived { id, .. } if self.data == Data::Listening(id.0) => {
                self.data = Data::Knocking(id.0);
            }
            Event::TlsStarted { .. } => self.handshake = false,
            Event::PortLost { id, .. } if self.data == Data::Listening(id.0) => {
                self.data = Data::Nothing;
            }
            Event::Connected { id, .. } => {
                self.waiting.remove(&id.0);
            }
            Event::DigestEnded { id, .. } => {
                self.waiting.remove(&id.0);
                if let Some((_, file)) = self.digest.take_if(|(digest, _)| *digest == id.0) {
                    self.open.remove(&file);
                }
            }
            Event::TransferEnded { id, .. } => {
                self.waiting.remove(&id.0);
                if let Data::Moving { transfer, file, .. } = self.data
                    && transfer == id.0
                {
                    self.data = Data::Nothing;
                    if let Some(file) = file
                        && self.open.get(&file) != Some(&Open::Write)
                    {
                        self.open.remove(&file);
                    }
                }
            }
            _ => {}
        }
    }

    /// The passive port that waits for a connection.
    pub(super) fn listening(&self) -> Option<RequestId> {
        match self.data {
            Data::Listening(id) => Some(RequestId(id)),
            _ => None,
        }
    }

    /// Panics if a file or directory is open still.
    pub(super) fn assert_nothing_open(&self) {
        assert!(self.open.is_empty(), "still open: {:?}", self.open);
    }

    fn issue(&mut self, id: RequestId, action: &Action) {
        assert!(self.issued.insert(id.0), "{id:?} given twice");
        self.waiting.insert(id.0, action.clone());
    }

    fn storage(&mut self, request: &StorageRequest) {
        match request {
            StorageRequest::NextLines { directory, .. } => {
                assert_eq!(self.open.get(&directory.0), Some(&Open::Directory), "{request:?}");
            }
            StorageRequest::Sync { file } => {
                assert_ne!(self.file_in_transfer(), Some(file.0), "synced while it moves");
                assert_eq!(self.open.get(&file.0), Some(&Open::Write), "{request:?}");
            }
            // Before that it is not known whose file it is.
            StorageRequest::OpenWrite(..) => {
                assert_eq!(self.data, Data::Connection, "{request:?}");
            }
            StorageRequest::Finish { file, .. } => {
                assert_ne!(self.file_in_transfer(), Some(file.0), "finished while it moves");
                assert_eq!(self.open.remove(&file.0), Some(Open::Write), "{request:?}");
            }
            _ => {}
        }
    }

    fn planned(&self, plan: &Plan) -> Option<u64> {
        let (file, kind) = match plan {
            Plan::Send { file, .. } => (Some(*file), Open::Read),
            Plan::Receive { file, .. } => (Some(*file), Open::Write),
            Plan::List { directory, .. } => (*directory, Open::Directory),
        };
        let file = file?.0;
        assert_eq!(self.open.get(&file), Some(&kind), "{plan:?}");
        Some(file)
    }

    fn file_in_transfer(&self) -> Option<u64> {
        match self.data {
            Data::Moving { file, .. } => file,
            _ => None,
        }
    }
}

fn opens(request: &StorageRequest) -> Option<Open> {
    match request {
        StorageRequest::OpenRead(_) => Some(Open::Read),
        StorageRequest::OpenWrite(..) => Some(Open::Write),
        StorageRequest::OpenDirectory(_) => Some(Open::Directory),
        _ => None,
    }
}
