//! What a client does to have its connections protected (RFC 4217).

use super::Client;
use crate::check::Failure;
use crate::tls::{Handshake, Tls};
use crate::wire::without;

impl Client {
    /// Asks for TLS on the control connection with `AUTH TLS`, and does the handshake.
    pub fn auth(&mut self, tls: &Tls) -> Result<(), Failure> {
        self.expect("AUTH TLS", &[234])?;
        self.start_tls(tls)
    }

    /// Does a handshake on the control connection.
    pub fn start_tls(&mut self, tls: &Tls) -> Result<(), Failure> {
        if !self.pending.is_empty() {
            let pending = without(self.pending.clone(), &self.secrets);
            let pending = pending.escape_ascii();
            return Err(Failure::new(format!("in clear before the handshake: {pending}")));
        }
        let done = self.channel.start_tls(tls);
        done.map_err(|error| Failure::new(format!("handshake of {tls}: {error}")))?;
        self.tls = Some(tls.clone());
        self.note(&format!("{tls} begins"));
        Ok(())
    }

    /// Exchanges close_notify on the control connection, and goes on in clear. Fails when the
    /// server does not send its own.
    pub fn end_tls(&mut self) -> Result<(), Failure> {
        let ended = self.channel.end_tls();
        ended.map_err(|error| Failure::new(format!("no close_notify from the server: {error}")))?;
        self.note("TLS ends");
        Ok(())
    }

    /// Goes back to clear text on the control connection with CCC (RFC 4217 section 5).
    pub fn ccc(&mut self) -> Result<(), Failure> {
        self.expect("CCC", &[200])?;
        self.end_tls()
    }

    /// Has the data connections protected, with `PBSZ 0` and `PROT P`. They resume the session of
    /// the control connection.
    pub fn protect(&mut self) -> Result<(), Failure> {
        self.expect("PBSZ 0", &[200])?;
        self.expect("PROT P", &[200])?;
        let tls = self.tls.clone();
        self.protect_data(tls.as_ref());
        Ok(())
    }

    /// Has data connections protected too, as soon as there is a login.
    pub(crate) fn protect_later(&mut self) {
        self.protects_later = true;
    }

    /// Does what [`protect_later`](Self::protect_later) has put off.
    pub(crate) fn protect_if_due(&mut self) -> Result<(), Failure> {
        if !self.protects_later || self.data_tls.is_some() {
            return Ok(());
        }
        let before = self.keep(super::Detail::None);
        let protected = self.protect();
        self.keep(before);
        protected
    }

    /// Sets what the client does on its data connections from now on, and says nothing to the
    /// server: a handshake, or clear text.
    pub fn protect_data(&mut self, tls: Option<&Tls>) {
        self.data_tls = tls.cloned();
    }

    /// Returns `true` if the control connection is protected.
    pub fn is_protected(&self) -> bool {
        self.channel.is_protected()
    }

    /// Returns how the control connection's handshake went; `None` in clear.
    pub fn handshake(&self) -> Option<Handshake> {
        self.channel.handshake()
    }

    /// Returns the certificate that the server showed on the control connection, in DER.
    pub fn certificate(&self) -> Option<Vec<u8>> {
        self.channel.certificate()
    }
}
