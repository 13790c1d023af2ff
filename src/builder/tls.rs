//! Setting up TLS.

use std::fmt;
use std::net::{TcpListener, ToSocketAddrs};

use wharf_host::proto::{Resumption, TlsRequired, UploadEnd};
use wharf_host::tls::Tls;

use super::{ServerBuilder, Socket};

impl ServerBuilder {
    /// As [`listen`](Self::listen), for clients that begin with a TLS handshake (implicit FTPS).
    /// Needs [`tls`](Self::tls).
    pub fn listen_implicit(mut self, address: impl ToSocketAddrs + fmt::Debug) -> Self {
        let addresses = self.resolve("listen_implicit", address);
        self.listen_implicit.extend(addresses.into_iter().map(Socket::Address));
        self
    }

    /// As [`listener`](Self::listener), for clients that begin with a TLS handshake (implicit FTPS).
    /// Needs [`tls`](Self::tls).
    pub fn listener_implicit(mut self, listener: TcpListener) -> Self {
        self.listen_implicit.push(Socket::Open(listener));
        self
    }

    /// Offers TLS with these certificates (RFC 4217): AUTH TLS, PROT P.
    pub fn tls(mut self, tls: Tls) -> Self {
        self.tls = Some(tls);
        self
    }

    /// Sets what all clients have to protect by TLS; nothing when unset. Needs [`tls`](Self::tls).
    pub fn tls_required(mut self, required: TlsRequired) -> Self {
        self.tls_policy.required = required;
        self
    }

    /// Sets whether data connections have to resume the TLS session of their control connection,
    /// which proves that they are the same client's; [`Resumption::Prefer`] when unset.
    pub fn tls_resumption(mut self, resumption: Resumption) -> Self {
        self.tls_policy.resumption = resumption;
        self
    }

    /// Sets whether uploads within TLS may end without close_notify, where an account does not say
    /// otherwise; [`UploadEnd::Strict`] when unset.
    pub fn tls_upload_end(mut self, end: UploadEnd) -> Self {
        self.tls_policy.upload_end = end;
        self
    }

    /// Allows clients to go back to clear text on the control connection (CCC), for a NAT that has
    /// to read along.
    pub fn allow_ccc(mut self, allow: bool) -> Self {
        self.tls_policy.allow_ccc = allow;
        self
    }
}
