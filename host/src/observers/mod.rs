//! What an embedding program hears of the sessions: see [`Observer`].
//!
//! | file | has |
//! |---|---|
//! | `mod` | what an observer is told: [`SessionEvent`], [`Upload`] |
//! | `hub` | which observers there are, and what each session adds to a notice |
//! | `queue` | the events that wait for an observer, and its thread |

mod hub;
mod queue;
#[cfg(test)]
mod tests;

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::SystemTime;

use wharf_core::{Notice, StorageError, Transferred, VirtualPath};
use wharf_storage::{ReadFile, Storage};

pub(crate) use hub::{Observers, Teller};

/// Hears what happens in the sessions of a server.
///
/// An observer hears on a thread of its own, one event after the other. It may take its time: no
/// session waits for it, and no other observer. Events wait in a queue; while that is full, further
/// ones are dropped, and [`SessionEvent::lost`] of the next says how many. A panic of an observer is
/// logged, and it hears the next event.
///
/// Any function that takes a `&SessionEvent` is one.
pub trait Observer: Send + Sync {
    /// Hears what has happened.
    fn observe(&self, event: &SessionEvent);
}

/// Returns `true` for the notices that an observer wants to hear. It is called on the session's thread.
pub type Wanted = fn(&Notice) -> bool;

impl<F: Fn(&SessionEvent) + Send + Sync> Observer for F {
    fn observe(&self, event: &SessionEvent) {
        self(event);
    }
}

/// What has happened in a session, and in which.
///
/// Events of a session come in the order in which things happened; the same is true of those of all
/// sessions, as far as they have an order. Each is in the queue before the client is told.
#[derive(Clone)]
#[non_exhaustive]
pub struct SessionEvent {
    /// What has happened.
    pub notice: Notice,
    /// The session: counted up from 1, and never given twice while the server runs.
    pub session: u64,
    /// The client's address.
    pub peer: SocketAddr,
    /// The address that it has connected to.
    pub local: SocketAddr,
    /// The name of the user, as the client gave it, while logged in: from
    /// [`LoggedIn`](Notice::LoggedIn) to [`LoggedOut`](Notice::LoggedOut), both included.
    pub user: Option<Arc<[u8]>>,
    /// The virtual host where it has logged in, if HOST chose one; as long as `user`.
    pub host: Option<Arc<str>>,
    /// The tree that the session sees, while logged in: paths in the notice are in it.
    pub storage: Option<Arc<dyn Storage>>,
    /// When it happened.
    pub at: SystemTime,
    /// How many events were dropped directly before this one, as the observer was too slow.
    pub lost: u64,
}

impl fmt::Debug for SessionEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionEvent")
            .field("notice", &self.notice)
            .field("session", &self.session)
            .field("peer", &self.peer)
            .field("lost", &self.lost)
            .finish_non_exhaustive()
    }
}

/// A file that a client has uploaded, whole: it stands under its name.
#[derive(Clone, Copy, Debug)]
pub struct Upload<'a> {
    event: &'a SessionEvent,
    transferred: &'a Transferred,
}

impl<'a> Upload<'a> {
    /// Returns the upload that an event tells of; `None` where it tells of something else, or the
    /// upload was cut off.
    pub fn of(event: &'a SessionEvent) -> Option<Self> {
        match &event.notice {
            Notice::Upload(transferred) if transferred.is_complete() => {
                Some(Self { event, transferred })
            }
            _ => None,
        }
    }

    /// Returns `true` if a notice tells of a file that was uploaded whole.
    pub fn is_told_by(notice: &Notice) -> bool {
        matches!(notice, Notice::Upload(transferred) if transferred.is_complete())
    }

    /// Returns the file's path in the tree that the session sees.
    pub fn path(&self) -> &'a VirtualPath {
        &self.transferred.path
    }

    /// Returns the name of the user, as the client gave it.
    pub fn user(&self) -> &'a [u8] {
        self.event.user.as_deref().unwrap_or_default()
    }

    /// Returns how it was transferred.
    pub fn transferred(&self) -> &'a Transferred {
        self.transferred
    }

    /// Returns the whole event.
    pub fn event(&self) -> &'a SessionEvent {
        self.event
    }

    /// Opens the file, to be read from its beginning. By now it may have been replaced or removed.
    pub fn open(&self) -> Result<UploadedFile, StorageError> {
        let storage = self.event.storage.as_ref().ok_or(StorageError::PermissionDenied)?;
        Ok(UploadedFile { file: storage.open_read(self.path())?, offset: 0 })
    }
}

/// A file that was uploaded, to be read by [`Read`](io::Read).
pub struct UploadedFile {
    file: Box<dyn ReadFile>,
    offset: u64,
}

impl io::Read for UploadedFile {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read_at(self.offset, buffer).map_err(io::Error::other)?;
        self.offset += count as u64;
        Ok(count)
    }
}

impl fmt::Debug for UploadedFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UploadedFile").field("offset", &self.offset).finish_non_exhaustive()
    }
}
