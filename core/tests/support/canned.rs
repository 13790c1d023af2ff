//! A driver that answers whatever is asked, at once or when it is told to.

use std::collections::BTreeSet;
use std::time::Duration;

use wharf_core::{
    Action, DataProof, Denial, DigestEnd, Entry, Event, Grant, Kind, Metadata, Opened, Permissions,
    RequestId, SiteReply, StorageAnswer, StorageError, StorageRequest, TransferEnd, VirtualPath,
    WallTime,
};

use wharf_core::testing::{Harness, Reply, lines_of};

/// What is not answered yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hold {
    Nothing,
    /// Storage requests.
    Storage,
    /// Data connections do not come.
    Data,
    /// Their TLS handshakes do not end.
    Protection,
    /// Transfers do not end, nor are they stopped.
    Transfer,
    /// Storage requests to finish an upload.
    Finish,
    /// Digests are not computed, nor stopped.
    Digest,
}

/// `joe` may do everything and `reader` may read; directories are called `d…`, all else is a file.
pub(crate) struct Canned {
    pub(crate) harness: Harness,
    hold: Hold,
    held: Vec<Action>,
    /// Directories whose entries have been told.
    told: BTreeSet<u64>,
    replies: Vec<u8>,
}

impl Canned {
    pub(crate) fn new(harness: Harness) -> Self {
        Self {
            harness,
            hold: Hold::Nothing,
            held: Vec::new(),
            told: BTreeSet::new(),
            replies: Vec::new(),
        }
    }

    /// Answers everything but this from now on.
    pub(crate) fn hold(&mut self, hold: Hold) {
        self.hold = hold;
    }

    /// Sends a line and answers what comes of it.
    pub(crate) fn send(&mut self, line: &[u8]) {
        self.harness.receive(&[line, b"\r\n"].concat());
        self.pump();
    }

    /// Answers what was held back, and lets the delay of a failed login pass.
    pub(crate) fn settle(&mut self) {
        self.hold = Hold::Nothing;
        let mut held = std::mem::take(&mut self.held);
        if held.contains(&Action::StopTransfer) {
            held.retain(|action| !matches!(action, Action::Transfer { .. }));
        }
        if held.contains(&Action::StopDigest) {
            held.retain(|action| !matches!(action, Action::Digest { .. }));
        }
        held.iter().for_each(|action| self.answer(action));
        self.pump();
        while self.harness.time_left().is_some_and(|left| left <= Duration::from_secs(3)) {
            self.harness.pass_to_deadline();
            self.pump();
        }
    }

    /// Takes the replies that have come since the last time.
    pub(crate) fn take_replies(&mut self) -> Vec<Reply> {
        self.pump();
        let bytes = std::mem::take(&mut self.replies);
        Reply::read(&bytes).unwrap_or_else(|error| panic!("{error}"))
    }

    fn pump(&mut self) {
        loop {
            let actions = self.harness.take_actions();
            let idle = actions.is_empty();
            for action in actions {
                if self.is_held(&action) { self.held.push(action) } else { self.answer(&action) }
            }
            if let Some(id) = self.harness.listening()
                && self.hold != Hold::Data
            {
                let peer = "10.0.0.1".parse().unwrap();
                self.harness.handle(Event::DataArrived { id, peer });
            } else if idle {
                self.replies.extend(self.harness.take_replies());
                return;
            }
        }
    }

    fn is_held(&self, action: &Action) -> bool {
        match (self.hold, action) {
            (Hold::Storage, Action::Storage { .. }) => true,
            (Hold::Finish, Action::Storage { request, .. }) => {
                matches!(request, StorageRequest::Finish { .. })
            }
            (Hold::Data, Action::Connect { .. }) => true,
            (Hold::Protection, Action::ProtectData { .. }) => true,
            (Hold::Digest, Action::Digest { .. } | Action::StopDigest) => true,
            (Hold::Transfer, Action::Transfer { .. } | Action::StopTransfer) => true,
            _ => false,
        }
    }

    fn answer(&mut self, action: &Action) {
        let event = match action {
            Action::Authenticate { id, user, .. } => {
                let granted =
                    |rights: Permissions| Ok(Grant { rights: rights.into(), ..Grant::default() });
                let outcome = match &user[..] {
                    b"joe" => granted(Permissions::ALL),
                    b"reader" => granted(Permissions::READ_ONLY),
                    _ => Err(Denial::Refused),
                };
                Event::Authenticated { id: *id, outcome }
            }
            Action::Storage { id, request } => {
                Event::Storage { id: *id, outcome: self.stored(request) }
            }
            Action::Site { id, .. } => {
                Event::Site { id: *id, reply: SiteReply { code: 200, text: b"Done.".to_vec() } }
            }
            Action::CheckControl { id } => Event::ControlChecked { id: *id },
            Action::StartTls { .. } => Event::TlsStarted { certificate: false },
            Action::ProtectData { id, .. } => {
                Event::DataProtected { id: *id, proof: Some(DataProof::Resumed) }
            }
            Action::Listen { id } => Event::Listening { id: *id, port: Some(50000) },
            Action::Connect { id, .. } => Event::Connected { id: *id, established: true },
            Action::Transfer { id, .. } => {
                self.harness.handle(Event::Progress { id: *id, bytes: 5 });
                Event::TransferEnded { id: *id, bytes: 12, end: TransferEnd::Complete }
            }
            Action::Digest { id, .. } => {
                self.harness.handle(Event::DigestProgress { id: *id, bytes: 5 });
                Event::DigestEnded { id: *id, end: DigestEnd::Complete(vec![0x1f, 0xff]) }
            }
            Action::StopDigest => {
                let mut waiting = self.harness.waiting();
                let digest = waiting.find_map(|action| match action {
                    Action::Digest { id, .. } => Some(*id),
                    _ => None,
                });
                // It may have been faster.
                let Some(id) = digest else { return };
                Event::DigestEnded { id, end: DigestEnd::Stopped }
            }
            Action::StopTransfer => {
                let waiting = self.harness.waiting();
                let mut transfers = waiting.filter_map(|action| match action {
                    Action::Transfer { id, .. } => Some(*id),
                    _ => None,
                });
                // It may have been faster.
                let Some(id) = transfers.next_back() else { return };
                Event::TransferEnded { id, bytes: 5, end: TransferEnd::Stopped }
            }
            _ => return,
        };
        self.harness.handle(event);
    }

    fn stored(&mut self, request: &StorageRequest) -> Result<StorageAnswer, StorageError> {
        use StorageRequest::*;
        match request {
            SpaceLeft(_) => Ok(StorageAnswer::Space(Some(1000))),
            Metadata(path) | LinkMetadata(path) | SetFacts { path, .. } => {
                let missing = path.file_name() == Some(b"missing");
                if missing { Err(StorageError::NotFound) } else { Ok(metadata_of(path)) }
            }
            NextLines { directory, .. } => {
                let entries = self.entries(*directory);
                Ok(StorageAnswer::Lines(lines_of(request, entries)))
            }
            OpenRead(_) => Ok(StorageAnswer::Opened(Opened { size: 12, ..Opened::default() })),
            UniqueName { .. } => Ok(StorageAnswer::Name(b"unique".to_vec())),
            OpenWrite(..) | OpenDirectory(_) => Ok(StorageAnswer::Opened(Opened::default())),
            _ => Ok(StorageAnswer::Done),
        }
    }

    fn entries(&mut self, directory: RequestId) -> Vec<Entry> {
        if !self.told.insert(directory.0) {
            return Vec::new();
        }
        vec![Entry { name: b"a".to_vec(), metadata: metadata(Kind::File) }]
    }
}

fn metadata_of(path: &VirtualPath) -> StorageAnswer {
    let directory = path.file_name().is_none_or(|name| name.starts_with(b"d"));
    StorageAnswer::Metadata(metadata(if directory { Kind::Directory } else { Kind::File }))
}

/// What a file or directory of 12 bytes is like.
pub(crate) fn metadata(kind: Kind) -> Metadata {
    let mut metadata = Metadata::new(kind, 12, WallTime::default());
    metadata.mode = 0o755;
    metadata
}
