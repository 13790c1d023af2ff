//! What comes of blocking work.

use wharf_core::{DigestEnd, Event, StorageError};

use super::Connection;
use super::job::{Done, Outcome};
use crate::transfer::files::StorageDone;

impl Connection {
    /// Takes the outcome of a job, of a session that goes on.
    pub(super) fn take_outcome(&mut self, done: Done) {
        if done.panicked {
            let peer = self.peer.ip();
            wharf_storage::log_limited!(Error, "{peer}: a storage, accounts or SITE call panicked");
        }
        let now = self.service.clock.now();
        match done.outcome {
            Outcome::Nothing => {}
            Outcome::LoggedIn(id, outcome) => self.logged_in(id, outcome, now),
            Outcome::Stored(StorageDone { id, outcome, file }) => {
                if let Some((id, file)) = file {
                    self.files.insert(id, file);
                }
                self.session.handle(Event::Storage { id, outcome }, now);
            }
            Outcome::Site(id, reply) => self.session.handle(Event::Site { id, reply }, now),
            Outcome::Moved(slice) => {
                let (_, data, mut cx) = self.parts(now);
                data.take_back(slice, &mut cx);
            }
            Outcome::Digested(reading, outcome) => {
                if let Some(digest) = &mut self.digest {
                    let (id, bytes) = (digest.id(), digest.complete(reading, outcome));
                    self.session.handle(Event::DigestProgress { id, bytes }, now);
                }
            }
            Outcome::DigestLost => {
                if let Some(digest) = self.digest.take() {
                    let end = DigestEnd::Storage(StorageError::Panicked);
                    self.session.handle(Event::DigestEnded { id: digest.id(), end }, now);
                }
            }
        }
    }
}
