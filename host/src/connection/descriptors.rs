//! The open files that a session may have beside its control connection.

use super::Connection;

impl Connection {
    /// Takes what a transfer may open, unless the session has it already; `false` where others have all
    /// that the limit of open files allows.
    pub(super) fn take_descriptors(&mut self) -> bool {
        if self.for_transfer.is_none() {
            self.for_transfer = self.service.descriptors.take();
        }
        if self.for_transfer.is_none() {
            wharf_storage::log_limited!(
                Warn,
                "{}: no descriptors for a transfer (ulimit -n, LimitNOFILE)",
                self.peer.ip()
            );
        }
        self.for_transfer.is_some()
    }

    /// Gives back what a transfer may open, where nothing of it is open any more. A job may still have
    /// a file.
    pub(super) fn give_descriptors_back(&mut self) {
        let is_open = !self.data.is_closed() || !self.files.is_empty() || self.digest.is_some();
        if !is_open && self.jobs.is_empty() && self.out == 0 {
            self.for_transfer = None;
        }
    }
}
