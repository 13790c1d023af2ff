//! What is told of what has happened, where the embedding program watches: see [`Notice`].

use alloc::boxed::Box;
use alloc::string::String;

use crate::action::Action;
use crate::config::Admission;
use crate::event::TransferEnd;
use crate::notice::{CutOff, LoginFailure, Notice, Parting, Transferred};
use crate::path::VirtualPath;
use crate::storage::WriteMode;
use crate::time::Instant;

use super::Session;
use super::state::{Login, Stage, Transfer, What, Work};
use super::stop::StopReason;

/// What has to be remembered for a notice that is yet to come.
#[derive(Debug)]
pub(super) struct Notices {
    /// When the client connected.
    began: Instant,
    /// What ends the session; the first cause counts.
    parting: Option<Parting>,
    /// The file that is sent.
    download: Option<VirtualPath>,
    /// When the bytes of the transfer began to move.
    moving_since: Option<Instant>,
}

impl Session {
    /// Tells that the client has connected. Of one that is refused nothing else is told.
    pub(super) fn tell_arrival(&mut self) {
        if !self.config.notices {
            return;
        }
        let notice = match self.endpoint.admission() {
            Admission::Welcome => {
                let began = self.journal.time();
                self.notices = Some(Box::new(Notices {
                    began,
                    parting: None,
                    download: None,
                    moving_since: None,
                }));
                Notice::Connected { implicit_tls: self.endpoint.implicit_tls() }
            }
            why => Notice::Refused { why },
        };
        self.actions.push_back(Action::Notice(Box::new(notice)));
    }

    /// Makes a notice, where notices are wanted.
    pub(super) fn notice(&self, make: impl FnOnce() -> Notice) -> Option<Box<Notice>> {
        self.notices.as_ref().map(|_| Box::new(make()))
    }

    /// Tells what has happened.
    pub(super) fn tell(&mut self, notice: Option<Box<Notice>>) {
        self.actions.extend(notice.map(Action::Notice));
    }

    /// Says what ends the session, unless something has ended it before.
    pub(super) fn part(&mut self, why: Parting) {
        if let Some(notices) = &mut self.notices {
            notices.parting.get_or_insert(why);
        }
    }

    /// Returns the last notice, where notices are wanted.
    pub(super) fn last_notice(&mut self) -> Option<Box<Notice>> {
        let Notices { began, parting, .. } = *self.notices.take()?;
        let duration = self.journal.time().saturating_since(began);
        let why = parting.unwrap_or(Parting::ClientClosed);
        Some(Box::new(Notice::Disconnected { why, duration }))
    }

    /// Tells of a login that was granted.
    pub(super) fn tell_login(&mut self, user: &[u8], by_certificate: bool) {
        let notice = self.notice(|| Notice::LoggedIn {
            user: user.to_vec(),
            host: self.host_name(),
            by_certificate,
            protected: self.is_protected(),
        });
        self.tell(notice);
    }

    /// Tells of a login that has failed.
    pub(super) fn tell_login_failure(&mut self, user: &[u8], why: LoginFailure) {
        let notice = self.notice(|| Notice::LoginFailed {
            user: user.to_vec(),
            host: self.host_name(),
            why,
        });
        self.tell(notice);
    }

    fn host_name(&self) -> Option<String> {
        self.host.and_then(|host| self.config.hosts.get(host)).cloned()
    }

    /// Ends the login, and tells so; returns `true` if there was one.
    pub(super) fn drop_login(&mut self) -> bool {
        let Login::In { user, .. } = core::mem::replace(&mut self.login, Login::None) else {
            return false;
        };
        let notice = self.notice(|| Notice::LoggedOut { user });
        self.tell(notice);
        true
    }

    /// Notes which file is to be sent.
    pub(super) fn note_download(&mut self, path: &VirtualPath) {
        if let Some(notices) = &mut self.notices {
            notices.download = Some(path.clone());
        }
    }

    /// Notes that bytes begin to move.
    pub(super) fn note_motion(&mut self) {
        let now = self.journal.time();
        if let Some(notices) = &mut self.notices {
            notices.moving_since = Some(now);
        }
    }

    /// Tells of a transfer that has come to its end, if it was announced and is one of a file;
    /// returns `true` if it did.
    pub(super) fn tell_transfer(&mut self, transfer: &Transfer, cut_off: Option<CutOff>) -> bool {
        let now = self.journal.time();
        let Some(notices) = &mut self.notices else { return false };
        let (download, began) = (notices.download.take(), notices.moving_since.take());
        let (path, filter, offset) = match &transfer.what {
            What::Retrieve { filter, offset, .. } => (download, *filter, Some(*offset)),
            What::Store(upload) => (Some(upload.path.clone()), upload.filter, upload.mode.offset()),
            What::List(_) => return false,
        };
        let Some(path) = path.filter(|_| transfer.was_announced()) else { return false };
        let transferred = Transferred {
            path,
            bytes: transfer.bytes,
            duration: began.map(|began| now.saturating_since(began)).unwrap_or_default(),
            protected: self.protects_data(),
            filter,
            mode: self.parameters.mode(),
            offset,
            cut_off,
        };
        let is_upload = !transfer.what.sends();
        let make = if is_upload { Notice::Upload } else { Notice::Download };
        self.actions.push_back(Action::Notice(Box::new(make(transferred))));
        true
    }

    /// Tells of the transfer that goes on that it is cut off, if it was announced. One that has been sent
    /// whole is not, though 226 was still to come.
    pub(super) fn tell_cut_off(&mut self, why: CutOff) {
        if !matches!(self.work, Work::Transferring(_)) {
            return;
        }
        let work = core::mem::replace(&mut self.work, Work::Idle);
        if let Work::Transferring(transfer) = &work {
            let is_sent = match transfer.stage {
                Stage::Closing { .. } => true,
                Stage::Stopping { file: None } => transfer.stop.is_none(),
                _ => false,
            };
            self.tell_transfer(transfer, (!is_sent).then_some(why));
        }
        self.work = work;
    }
}

impl WriteMode {
    /// Returns the first byte that is written; `None` for the end of the file.
    fn offset(&self) -> Option<u64> {
        match self {
            Self::ResumeAt(offset) => Some(*offset),
            Self::Append { .. } => None,
            Self::Replace { .. } | Self::Create { .. } => Some(0),
        }
    }
}

impl CutOff {
    /// Returns what a transfer was cut off by that ended so; `None` where it is complete.
    pub(super) fn of(end: TransferEnd, stop: Option<StopReason>) -> Option<Self> {
        Some(match end {
            TransferEnd::Complete => return None,
            TransferEnd::DataLost => Self::DataLost,
            TransferEnd::Unannounced => Self::Unannounced,
            TransferEnd::Excess => Self::Excess,
            TransferEnd::Damaged => Self::Damaged,
            TransferEnd::Storage(error) => Self::Storage(error),
            TransferEnd::NoMemory => Self::NoMemory,
            TransferEnd::Stopped => match stop.unwrap_or(StopReason::Aborted) {
                StopReason::Aborted | StopReason::AbortWaits => Self::Aborted,
                StopReason::Stalled => Self::Stalled,
                StopReason::Shutdown => Self::Shutdown,
                StopReason::ControlClosed => Self::ControlClosed,
            },
        })
    }
}
