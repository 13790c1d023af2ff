//! How a transfer comes to its data connection, and to TLS on it.

use crate::action::Action;
use crate::event::{DataProof, RequestId};
use crate::notice::CutOff;
use crate::session::Session;
use crate::session::state::{Data, EarlyTls, NotAwaited, Protection, Stage, Transfer, Work};
use crate::time::Now;
use crate::tls::Resumption;

use super::HANDSHAKE_FAILED;

impl Session {
    /// Goes where the data connection comes from, if it is not there yet.
    pub(super) fn connect_data(&mut self, now: Now) {
        if let Some((code, text)) = self.missing_data() {
            return self.fail_transfer(code, text);
        }
        match self.data {
            Data::Active(to) => {
                let id = self.next_id();
                self.actions.push_back(Action::Connect { id, to });
                self.data = Data::Connecting(id);
            }
            _ => self.data_established(now),
        }
    }

    /// The connection that PORT or EPRT named stands, or cannot be.
    pub(in crate::session) fn connected(
        &mut self,
        id: RequestId,
        established: bool,
        now: Now,
    ) -> Result<(), NotAwaited> {
        if self.data != Data::Connecting(id) {
            return Err(NotAwaited(id));
        }
        if established {
            self.data = Data::Connected;
            self.data_established(now);
        } else {
            self.fail_transfer(425, "Can't open data connection.");
        }
        Ok(())
    }

    /// If the data connection stands and a transfer waits for it, the bytes begin to move, or what
    /// has to come before them.
    pub(in crate::session) fn data_established(&mut self, now: Now) {
        let Work::Transferring(transfer) = &mut self.work else { return };
        let Stage::Connecting { file, .. } = transfer.stage else { return };
        if !self.data.stands() {
            return;
        }
        let sends = transfer.what.sends();
        let text = transfer.what.announcement();
        let private = self.protection == Protection::Private;
        let early = match self.data {
            Data::Arrived { early, .. } => early,
            _ => EarlyTls::NotBegun,
        };
        if let (true, EarlyTls::Secured(proof)) = (private, early)
            && let Err(why) = self.judge_proof(proof)
        {
            return self.fail_transfer(522, why);
        }
        let is_ready = !private || matches!(early, EarlyTls::Secured(_));
        if is_ready && !sends {
            return self.open_upload(false);
        }
        self.reply(150, text);
        if is_ready {
            return self.start_moving(file, now);
        }
        let request = match early {
            // Some clients begin at once, and yet wait for the 150 before they go on.
            EarlyTls::Securing(request) => request,
            _ => {
                let request = self.next_id();
                // A client that only sends may never read tickets, and resets the connection over
                // them.
                let tickets = sends && self.resumption() != Resumption::Off;
                self.actions.push_back(Action::ProtectData { id: request, tickets });
                request
            }
        };
        let until = now.instant + self.config.data_timeout;
        self.set_stage(Stage::Securing { request, file, until });
    }

    /// The TLS handshake on the data connection is done, or has failed.
    pub(in crate::session) fn data_protected(
        &mut self,
        id: RequestId,
        proof: Option<DataProof>,
        now: Now,
    ) -> Result<(), NotAwaited> {
        let Work::Transferring(Transfer {
            what, stage: Stage::Securing { request, file, .. }, ..
        }) = &self.work
        else {
            return self.early_protected(id, proof);
        };
        if *request != id {
            return Err(NotAwaited(id));
        }
        let (sends, file) = (what.sends(), *file);
        match proof.ok_or(HANDSHAKE_FAILED).and_then(|proof| self.judge_proof(proof)) {
            Err(why) => {
                self.tell_cut_off(CutOff::Handshake);
                self.fail_transfer(522, why);
            }
            Ok(()) if sends => self.start_moving(file, now),
            Ok(()) => self.open_upload(true),
        }
        Ok(())
    }

    /// Decides by the handshake whether the peer is the client.
    fn judge_proof(&mut self, proof: DataProof) -> Result<(), &'static str> {
        match (proof, self.resumption()) {
            (DataProof::OtherCertificate, _) => {
                self.journal.refused(format_args!("data connection with another certificate"));
                Err("That is not the control connection's certificate.")
            }
            (DataProof::Fresh | DataProof::Foreign, Resumption::Require) => {
                self.journal.refused(format_args!(
                    "data connection without the control connection's TLS session"
                ));
                Err("The data connection has to resume the control connection's TLS session.")
            }
            _ => Ok(()),
        }
    }
}
