//! Taking up certificates that have changed.

use std::sync::{Arc, PoisonError, TryLockError};

use super::Tls;
use super::error::TlsError;
use super::generation::Generation;
use super::watched::Watched;

impl Tls {
    /// Reads all files again, for the connections to come; with an error in any of them, what was
    /// in use stays so.
    ///
    /// Connections that stand keep what they have, and so do the data connections of their
    /// sessions.
    pub fn reload(&self) -> Result<(), TlsError> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        self.take_up(&mut seen)
    }

    /// Does the same if a file has changed since the last time, whether that went well or not. What
    /// comes of it is logged, once.
    ///
    /// Otherwise it only asks the system for the files' time stamps. While another thread does so,
    /// this one goes on with what is in use.
    pub fn reload_if_changed(&self) {
        let mut seen = match self.seen.try_lock() {
            Ok(seen) => seen,
            Err(TryLockError::Poisoned(error)) => error.into_inner(),
            Err(TryLockError::WouldBlock) => return,
        };
        if !seen.iter().any(Watched::has_changed) {
            return;
        }
        if let Err(error) = self.take_up(&mut seen) {
            log::warn!("{error} (the certificates from before stay in use)");
        }
    }

    fn take_up(&self, seen: &mut [Watched]) -> Result<(), TlsError> {
        // Before the files are read: a change from now on is another one.
        seen.iter_mut().for_each(Watched::look);
        let old = self.generation();
        let new = old.reread(&self.builder)?;
        tell(&old, &new);
        *self.generation.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(new);
        Ok(())
    }
}

/// Logs what is new.
fn tell(old: &Generation, new: &Generation) {
    for (old, new) in old.certificates().zip(new.certificates()) {
        if old.key().cert != new.key().cert {
            let file = new.files().first().map(Watched::name).unwrap_or_default();
            log::info!("certificate {file} taken up, SHA-256 {}", new.fingerprint());
        }
    }
    if let (Some(old), Some(new)) = (old.clients().roots(), new.clients().roots())
        && !old.same(new)
    {
        let file = new.file().map(Watched::name).unwrap_or_default();
        log::info!("client CAs {file} taken up");
    }
}
