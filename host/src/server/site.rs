//! SITE commands of the embedding program.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use wharf_core::{Rights, SiteReply, VirtualPath};

use wharf_storage::Storage;

/// Answers a SITE command of the embedding program. It may block.
pub type SiteHandler = Arc<dyn Fn(&SiteRequest) -> SiteReply + Send + Sync>;

/// A SITE command, as its handler meets it: the request, and the client. It comes of a session that
/// has logged in; whether that may ask it is up to the handler.
#[non_exhaustive]
pub struct SiteRequest {
    /// What stood after the command's name.
    pub argument: Vec<u8>,
    /// The name of the user, as USER had it.
    pub user: Vec<u8>,
    /// Where the client is.
    pub peer: IpAddr,
    /// The working directory.
    pub directory: VirtualPath,
    /// What the session may do.
    pub rights: Rights,
    /// The tree that the session sees.
    pub storage: Arc<dyn Storage>,
}

impl fmt::Debug for SiteRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SiteRequest")
            .field("argument_length", &self.argument.len())
            .finish_non_exhaustive()
    }
}
