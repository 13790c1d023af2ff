//! What every wharf driver needs from the machine: storage, accounts, limits, and the pumps that
//! move file bytes.
//!
//! Core decides, a driver waits; what lies between is here, written once:
//!
//! | module | has |
//! |---|---|
//! | [`storage`] | where the files are: [`Storage`], [`Directory`], [`Memory`] |
//! | [`accounts`] | who may come in: [`Accounts`], [`SimpleAccounts`], [`AccountsFile`] |
//! | [`tls`] | certificates, and whose TLS sessions are resumed: [`Tls`](tls::Tls) |
//! | `admission` | how many may be in at once: [`Sessions`] |
//! | `failures` | who has failed to log in too often: [`Failures`] |
//! | `passive` | where passive ports are opened: [`PassivePorts`] |
//! | `ports` | which are open, and whose: [`OpenPorts`] |
//! | `listener` | where clients come in: [`Listener`] |
//! | `connection` | a client's sockets and files, carrying out what Session decides: [`Connection`] |
//! | `wire` | the bytes of one TCP connection |
//! | `pump` | file bytes to the data connection and back |
//! | `digest` | the digests of files |
//! | `files`, `job`, `workers` | blocking work, and the threads for it: [`Job`], [`Workers`] |
//! | `memory`, `descriptors` | what all transfers together may take: [`TransferMemory`] |
//! | `bounded` | log lines that a client may cause again and again: [`say!`] |
//! | `exposure` | files that others can get at: [`exposures`] |
//! | `server`, `stop`, `clock` | what all sessions share: [`Server`], [`Stop`], [`Clock`] |

#![forbid(unsafe_code)]

pub mod accounts;
mod admission;
mod bounded;
mod client;
mod clock;
mod connection;
mod descriptors;
mod digest;
mod exposure;
mod failures;
mod files;
mod job;
mod listener;
mod memory;
mod passive;
mod ports;
mod pump;
mod server;
mod site;
mod stop;
pub mod storage;
mod throttle;
pub mod tls;
mod wire;
mod workers;

pub use accounts::{
    Account, Accounts, AccountsError, AccountsFile, Attempt, FileHost, Proof, SimpleAccounts,
    hash_password,
};
pub use admission::{Seat, Sessions};
#[doc(hidden)]
pub use bounded::Place;
pub use clock::Clock;
pub use connection::{Connection, DataSocket, Turn};
pub use descriptors::affordable_sessions;
pub use exposure::{Content, exposures};
pub use failures::Failures;
pub use job::{Done, Job, Lane};
pub use listener::{Accepted, Arrival, EXHAUSTION_PAUSE, Listener};
#[doc(hidden)]
pub use log::Level;
pub use memory::TransferMemory;
pub use passive::{PassivePorts, PassivePortsError};
pub use ports::OpenPorts;
pub use server::Server;
pub use site::{SiteHandler, SiteRequest};
pub use stop::Stop;
pub use storage::{Directory, Durability, Entries, Memory, ReadFile, Storage, WriteFile};
pub use wharf_core as core;
pub use wire::Readiness;
pub use workers::Workers;
