//! When the client has gone, or an answer does not come: nothing is waited for without end.

use core::time::Duration;

use crate::action::Action;
use crate::event::RequestId;
use crate::notice::{CutOff, Parting};
use crate::time::{Instant, Now};

use super::listing::REST_UNREAD;
use super::state::{Awaiting, Continuation, Data, Input, LastWord, Transfer, Work};
use super::{LAST_REPLY_TIMEOUT, SERVER_FULL, Session};

/// How long an answer may take for a client in half-close: it may still read, but most clients that
/// close their side have gone.
const HALF_CLOSE_TIMEOUT: Duration = Duration::from_secs(10);

/// The text of 421 where the storage, the accounts or the like do not answer.
const NO_ANSWER: &str = "No answer came in time.";

impl Session {
    /// The client sends no more than there is to be read.
    pub(super) fn control_ending(&mut self, now: Now) {
        if self.input == Input::Open {
            self.input = Input::Ending;
            self.active = now.instant;
        }
    }

    /// The client sends no more: what it has sent is still answered, and what goes on goes on.
    pub(super) fn control_closed(&mut self, now: Now) {
        self.control_ending(now);
        if self.input == Input::Ending {
            self.input = Input::Ended;
        }
        if let Work::Securing { .. } = self.work {
            self.abandon_handshake(now);
        }
    }

    /// The control connection broke. Nothing can be said, so nothing is waited for that would only
    /// have been said; what was sent to be stored is another matter.
    pub(super) fn control_lost(&mut self, now: Now) {
        self.part(Parting::Lost);
        self.input = Input::Lost(self.last_word());
        self.inbox.drop_commands();
        self.replies.shut();
        match self.work {
            Work::Securing { .. } => self.abandon_handshake(now),
            _ if self.upload_outlives_control() || self.has_to_tell() => {}
            _ => self.leave(now),
        }
    }

    /// Returns `true` if something changes that observers are told of when the answer comes.
    fn has_to_tell(&self) -> bool {
        let Work::Waiting { awaiting, .. } = &self.work else { return false };
        match awaiting {
            Awaiting::Storage(
                Continuation::Reply(_, _, notice)
                | Continuation::RenameTo(notice)
                | Continuation::Changed(_, notice),
            ) => notice.is_some(),
            Awaiting::Site(_) => self.config.notices,
            _ => false,
        }
    }

    /// Returns what the client has said of the end, whenever its turn is.
    pub(super) fn last_word(&self) -> LastWord {
        match self.input {
            Input::Lost(word @ (LastWord::Quit | LastWord::Abor)) => word,
            _ if self.inbox.aborts(&self.config) => LastWord::Abor,
            _ if self.inbox.has_quit() => LastWord::Quit,
            _ => LastWord::None,
        }
    }

    /// Takes what came before a loss that showed first, for the sake of a QUIT.
    pub(super) fn skim(&mut self, control: &[u8]) -> usize {
        let mut consumed = 0;
        while consumed < control.len() && self.wants_read() {
            consumed += self.inbox.feed(&control[consumed..]);
            self.input = Input::Lost(self.last_word());
            self.inbox.drop_commands();
        }
        consumed
    }

    /// The session's place has been given to another, as it had not logged in.
    pub(super) fn evicted(&mut self, now: Now) {
        self.part(Parting::Evicted);
        match self.work {
            Work::Securing { .. } => self.abandon_handshake(now),
            Work::Ending { .. } | Work::Ended => {}
            _ => {
                self.inbox.drop_commands();
                self.dismiss(SERVER_FULL, now);
            }
        }
    }

    /// The driver gives the session up.
    pub(super) fn dropped(&mut self, now: Now) {
        self.part(Parting::Dropped);
        self.inbox.drop_commands();
        self.replies.shut();
        self.leave(now);
    }

    /// Ends the session without a word more than has been said. Whatever is still at work is
    /// dropped with [`Action::Close`].
    fn leave(&mut self, now: Now) {
        if let Work::Ending { .. } | Work::Ended = self.work {
            return;
        }
        self.tell_cut_off(CutOff::SessionEnded);
        self.drop_login();
        self.let_go(now);
    }

    /// Lets go of what goes on; nothing more is said.
    fn let_go(&mut self, now: Now) {
        if self.is_in_motion() {
            // The driver has it, and drops it with the rest.
            self.data = Data::None;
        } else {
            self.release_transfer();
            self.close_data();
        }
        if let Some(directory) = self.stat_directory() {
            self.actions.push_back(Action::Release(directory));
        }
        self.work = Work::Ending { until: now.instant + LAST_REPLY_TIMEOUT };
    }

    /// Lets go of the session's place, where only an upload is to come to its end.
    pub(super) fn outlive_client(&mut self) {
        if matches!(self.input, Input::Lost(_)) && self.is_ending_upload() {
            self.vacate();
        }
    }

    fn vacate(&mut self) {
        if !core::mem::replace(&mut self.vacated, true) {
            self.actions.push_back(Action::Vacate);
        }
    }

    fn is_ending_upload(&self) -> bool {
        matches!(&self.work, Work::Transferring(transfer) if transfer.is_ending_upload())
    }

    /// When an answer has to be there that only a client in half-close waits for. A client that
    /// is certainly there may wait for as long as it likes.
    pub(super) fn answer_deadline(&self) -> Option<Instant> {
        let waits = match &self.work {
            // Where the embedding program is at work, it knows best.
            Work::Waiting { awaiting: Awaiting::Site(_), .. } => {
                return self.half_closed(self.config.idle_timeout);
            }
            Work::Waiting { .. } | Work::Digesting(_) => true,
            Work::Transferring(transfer) => {
                transfer.waits_for_storage() || transfer.is_ending_upload() && !self.vacated
            }
            _ => false,
        };
        if waits {
            self.half_closed(HALF_CLOSE_TIMEOUT.min(self.config.idle_timeout))
        } else {
            None
        }
    }

    /// When the client has taken too long with a transfer. One that has closed its side, and has not
    /// opened the data connection, may be gone: it gets less time.
    pub(super) fn transfer_deadline(&self, transfer: &Transfer) -> Option<Instant> {
        let until = transfer.deadline()?;
        let sooner = self.half_closed(HALF_CLOSE_TIMEOUT).filter(|_| transfer.is_connecting());
        Some(sooner.map_or(until, |sooner| sooner.min(until)))
    }

    fn half_closed(&self, patience: Duration) -> Option<Instant> {
        (self.input != Input::Open).then(|| self.active + patience)
    }

    /// An answer has not come in time, and will not be waited for, but for that of an upload.
    pub(super) fn unanswered(&mut self, now: Now) {
        if self.is_ending_upload() {
            return self.vacate();
        }
        self.part(Parting::NoAnswer);
        self.dismiss(NO_ANSWER, now);
    }

    /// Tells the client why the session ends, after the end of a reply that has begun.
    fn dismiss(&mut self, why: &'static str, now: Now) {
        if self.stat_directory().is_some() {
            self.reply(212, REST_UNREAD);
        }
        self.reply(421, why);
        self.tell_cut_off(CutOff::SessionEnded);
        self.forget_login();
        self.let_go(now);
    }

    /// The directory whose lines STAT waits for.
    fn stat_directory(&self) -> Option<RequestId> {
        match &self.work {
            Work::Waiting {
                awaiting: Awaiting::Storage(Continuation::StatLines(lines)), ..
            } => Some(lines.directory),
            _ => None,
        }
    }

    /// Returns `true` if the driver moves bytes: until it has come to an end, their connection is its.
    fn is_in_motion(&self) -> bool {
        matches!(&self.work, Work::Transferring(transfer) if transfer.is_in_motion())
    }
}
