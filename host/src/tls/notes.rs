//! What happened in the handshake of one connection.

use std::sync::atomic::{AtomicBool, Ordering};

/// What the parts of a handshake tell each other.
#[derive(Debug, Default)]
pub(super) struct Notes {
    own: AtomicBool,
    foreign: AtomicBool,
    signs: AtomicBool,
}

impl Notes {
    /// Says that the handshake uses the private key: it does not resume.
    pub(super) fn signs(&self) {
        self.signs.store(true, Ordering::Relaxed);
    }

    /// Returns `true` if the handshake has used the private key.
    pub(super) fn has_signed(&self) -> bool {
        self.signs.load(Ordering::Relaxed)
    }

    /// Says that the client has offered a TLS session to resume: its own or another's.
    pub(super) fn offers(&self, own: bool) {
        let note = if own { &self.own } else { &self.foreign };
        note.store(true, Ordering::Relaxed);
    }

    /// Returns `true` if the client has offered a TLS session of its own control connection.
    pub(super) fn has_offered_own(&self) -> bool {
        self.own.load(Ordering::Relaxed)
    }

    /// Returns `true` if the client has offered a TLS session of another control connection.
    pub(super) fn has_offered_foreign(&self) -> bool {
        self.foreign.load(Ordering::Relaxed)
    }
}
