//! What stands in the place of TLS where it was not built in (feature `tls`): types of which there
//! is no value, so that the code that would use one is there and costs nothing.

use wharf_accounts::ClientCertificate;
use wharf_core::{DataProof, Resumption};

/// Certificates, of which there are none.
#[derive(Debug)]
pub struct Tls(Never);

/// A TLS connection.
#[derive(Debug)]
pub(crate) struct ServerConnection(Never);

/// Whose TLS sessions data connections may resume.
#[derive(Debug)]
pub(crate) struct Owner(Never);

/// Where a data connection comes from.
#[derive(Debug)]
pub(crate) struct DataOrigin(Never);

/// What TLS fails with.
pub(crate) type TlsError = std::convert::Infallible;

impl Tls {
    /// As the method of the same name where TLS is built in.
    pub fn resumption(self, _: Resumption) -> Self {
        match self.0 {}
    }

    pub(crate) fn preparation(&self) -> Box<dyn FnOnce() + Send> {
        match self.0 {}
    }

    pub(crate) fn control(&self, _: Option<&str>) -> Result<(ServerConnection, Owner), TlsError> {
        match self.0 {}
    }

    pub(crate) fn data(
        &self,
        _: &Owner,
        _: Option<&str>,
        _: bool,
    ) -> Result<(ServerConnection, DataOrigin), TlsError> {
        match self.0 {}
    }
}

impl ServerConnection {
    pub(crate) fn never(self) -> ! {
        match self.0 {}
    }
}

impl DataOrigin {
    pub(crate) fn with(self, _: Option<ClientCertificate>) -> Self {
        match self.0 {}
    }

    pub(crate) fn proof(&self, _: &ServerConnection) -> DataProof {
        match self.0 {}
    }
}

pub(crate) fn client_certificate(connection: &ServerConnection) -> Option<ClientCertificate> {
    match connection.0 {}
}

/// Hidden in the types above, so that code beyond this file does not count as unreachable.
#[derive(Debug)]
enum Never {}
