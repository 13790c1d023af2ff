//! What the drivers of wharf have in common: connections, transfers, TLS, limits, and threads for
//! blocking work.
//!
//! Core decides, a driver waits; what lies between is here, written once:
//!
//! | module | has |
//! |---|---|
//! | `connection` | a client's sockets and files, carrying out what Session decides: [`Connection`] |
//! | `observers` | what an embedding program hears of the sessions: [`Observer`] |
//! | `transfer` | file bytes to the data connection and back, and the digests of files |
//! | `server` | what all sessions share: [`Service`], [`Listener`], [`Stop`] and more |
//! | [`tls`] | certificates, and whose TLS sessions are resumed: [`Tls`](tls::Tls) |
//! | `wire` | the bytes of one TCP connection |
//! | `workers` | threads for blocking work: [`Workers`] |

#![forbid(unsafe_code)]
#![warn(missing_debug_implementations)]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod connection;
mod observers;
mod server;
#[cfg(feature = "tls")]
pub mod tls;
#[cfg(not(feature = "tls"))]
#[doc(hidden)]
#[path = "tls/absent.rs"]
pub mod tls;
mod transfer;
mod wire;
mod workers;

pub use connection::job::{Done, Job};
pub use connection::{Connection, DataSocket, SocketHandle, Turn};
pub use observers::{Observer, SessionEvent, Upload, UploadedFile, Wanted};
pub use server::{
    Accepted, Arrival, Clock, EXHAUSTION_PAUSE, Listener, ListenerRules, PassivePorts,
    PassivePortsError, PublicAddress, Seat, Seats, Service, ServiceSettings, SiteHandler,
    SiteRequest, Stop, StopWhenDropped,
};
pub use wharf_accounts as accounts;
pub use wharf_accounts::{
    Account, Accounts, Attempt, ClientCertificate, Credential, SimpleAccounts,
};
#[cfg(feature = "accounts-file")]
pub use wharf_accounts::{
    AccountsError, AccountsFile, AccountsText, FileHost, ListedUser, NewUser, hash_password,
};
pub use wharf_core as proto;
pub use wharf_storage as storage;
pub use wharf_storage::{
    Content, Entries, Memory, ReadFile, Storage, WriteFile, exposures, log_limited,
};
#[cfg(feature = "directory")]
pub use wharf_storage::{Directory, Durability};
pub use wire::Readiness;
pub use workers::Workers;
