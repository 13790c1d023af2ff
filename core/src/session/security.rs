//! TLS: AUTH, PBSZ, PROT, CCC and the commands around them (RFC 2228, RFC 4217).

use crate::action::Action;
use crate::event::TransferEnd;
use crate::reply::Text;
use crate::time::Now;
use crate::tls::{Resumption, TlsRequired, UploadEnd};

use super::state::{Handshake, Parameters, Protection, Security, TlsCause, Work};
use super::{LAST_REPLY_TIMEOUT, Session, number, trim};

impl Session {
    /// AUTH. Nothing after it is read before the handshake.
    pub(crate) fn auth(&mut self, argument: &[u8], now: Now) {
        if let Security::Protected { .. } = self.security {
            return self.reply(503, "TLS is in use already.");
        }
        let mechanism = trim(argument).to_ascii_uppercase();
        if !matches!(mechanism.as_slice(), b"TLS" | b"TLS-C" | b"SSL") {
            return self.reply(504, "Unknown security mechanism; TLS is supported.");
        }
        if self.config.tls.is_none() {
            return self.reply(431, "TLS is not set up on this server.");
        }
        // RFC 2228 section 3: as fresh as a new connection. The host stays, for its certificate, and
        // the language of LANG, which best comes first (RFC 2640 section 4.1).
        self.log_out(now);
        self.parameters = Parameters::new();
        self.protection = Protection::Unsized;
        self.security = Security::Clear;
        self.reply(234, "AUTH command successful; begin the TLS handshake.");
        self.work = Work::Securing { cause: TlsCause::Auth, handshake: Handshake::Withheld };
    }

    /// Goes on where TLS waits for the last reply to leave.
    pub(super) fn change_security(&mut self) {
        if !self.transmit().is_empty() {
            return;
        }
        match self.work {
            Work::Securing { cause, handshake: Handshake::Withheld } => {
                self.work = Work::Securing { cause, handshake: Handshake::UnderWay };
                self.actions.push_back(Action::StartTls { host: self.host });
            }
            Work::Clearing { to } => {
                self.work = Work::Idle;
                self.security = to;
                self.actions.push_back(Action::EndTls);
            }
            _ => {}
        }
    }

    /// The handshake is done.
    pub(super) fn tls_started(&mut self, certificate: bool, now: Now) {
        let Work::Securing { cause, handshake: Handshake::UnderWay } = self.work else { return };
        self.security = Security::Protected { certificate };
        self.work = Work::Idle;
        if cause == TlsCause::Implicit {
            self.protection = Protection::Private;
            self.open(now);
        }
    }

    /// The handshake has to end: there is nothing that could be said.
    pub(super) fn abandon_handshake(&mut self, now: Now) {
        self.replies.shut();
        self.close_data();
        self.work = Work::Ending { until: now.instant + LAST_REPLY_TIMEOUT };
    }

    /// PBSZ: TLS has no use for a buffer size (RFC 4217 section 9).
    pub(crate) fn pbsz(&mut self, argument: &[u8]) {
        if self.security == Security::Clear {
            return self.reply(503, "PBSZ needs AUTH TLS first.");
        }
        if number(trim(argument)).is_none_or(|size| size > u64::from(u32::MAX)) {
            return self.reply(501, "Invalid parameter: a number is wanted, 0 for TLS.");
        }
        if self.protection == Protection::Unsized {
            self.protection = Protection::Clear;
        }
        self.reply(200, Text::verbatim("PBSZ=0"));
    }

    /// PROT.
    pub(crate) fn prot(&mut self, argument: &[u8]) {
        if self.security == Security::Clear || self.protection == Protection::Unsized {
            return self.reply(503, "PROT needs AUTH TLS and PBSZ 0 first.");
        }
        match trim(argument).to_ascii_uppercase().as_slice() {
            b"C" if self.tls_required().data() => {
                self.reply(534, "Data connections need TLS here; send PROT P.");
            }
            b"C" => {
                self.protection = Protection::Clear;
                self.unprotect_data();
                self.reply(200, "Data connections are in clear.");
            }
            b"P" => {
                self.protection = Protection::Private;
                self.reply(200, "Data connections are protected.");
            }
            b"S" | b"E" => self.reply(536, "TLS has no such level; C and P are supported."),
            _ => self.reply(504, "Unknown protection level; C and P are supported."),
        }
    }

    /// CCC (RFC 4217 section 5): safety for a NAT that has to read along.
    pub(crate) fn ccc(&mut self) {
        let Security::Protected { .. } = self.security else {
            return self.reply(533, "The control connection is not protected.");
        };
        let allowed = self.config.tls.is_some_and(|tls| tls.allow_ccc);
        if !allowed || self.tls_required() == TlsRequired::All {
            return self.reply(533, "The control connection has to stay protected.");
        }
        self.reply(200, "CCC command successful; the control connection is in clear from now on.");
        self.work = Work::Clearing { to: Security::Cleared };
    }

    /// ADAT: TLS brings its own handshake, so there is never an exchange of this kind.
    pub(crate) fn adat(&mut self) {
        self.reply(503, "No security data is wanted.");
    }

    /// MIC, CONF and ENC wrap commands for mechanisms that do not protect the connection itself.
    pub(crate) fn wrapped(&mut self) {
        match self.security {
            Security::Clear => self.reply(503, "No security mechanism with wrapped commands."),
            _ => self.reply(533, "TLS protects the connection, not single commands."),
        }
    }

    /// What has to be protected, by the server's word and the account's.
    pub(super) fn tls_required(&self) -> TlsRequired {
        let server = self.config.tls.map(|tls| tls.required).unwrap_or_default();
        let account = self.grant().map(|grant| grant.tls).unwrap_or_default();
        server.and(account)
    }

    /// Returns `true` if the control connection is within TLS.
    pub(super) fn is_protected(&self) -> bool {
        matches!(self.security, Security::Protected { .. })
    }

    /// Returns `true` if a login with these requirements is in the wrong place.
    pub(super) fn is_too_open_for(&self, required: TlsRequired) -> bool {
        required.login() && !self.is_protected()
    }

    /// Decides what the end of an upload without close_notify is worth.
    pub(super) fn judge_end(&mut self, end: TransferEnd) -> TransferEnd {
        if end != TransferEnd::Unannounced {
            return end;
        }
        let own = self.grant().and_then(|grant| grant.upload_end);
        let server = || self.config.tls.map(|tls| tls.upload_end).unwrap_or_default();
        match own.unwrap_or_else(server) {
            UploadEnd::Lenient => TransferEnd::Complete,
            UploadEnd::Strict => {
                self.journal.refused(format_args!(
                    "upload refused: its end came without TLS's close_notify \
                     (--tls-upload-end lenient, or tls_upload_end of the account, takes it)"
                ));
                end
            }
        }
    }

    /// Returns whether data connections have to resume.
    pub(super) fn resumption(&self) -> Resumption {
        self.config.tls.map(|tls| tls.resumption).unwrap_or_default()
    }
}
