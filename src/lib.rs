//! An FTP server that fits where others do not.
//!
//! The protocol is a pure state machine ([`wharf_core`](proto)); a driver of your choice feeds it
//! real sockets. This crate puts them together: [`Server::builder`] sets a server up, and
//! [`ServerBuilder::spawn`] starts it, in a test as in a program.
//!
//! ```
//! use wharf::{Memory, Permissions, Server};
//!
//! let files = Memory::new().with_file("/hello.txt", "Hello from the harbour.\n");
//! let server = Server::builder().storage(files).anonymous(Permissions::READ_ONLY).spawn()?;
//! println!("{}/hello.txt", server.url()); // ftp://127.0.0.1:<a free port>/hello.txt
//! server.shutdown()?;
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! A program may hear what happens ([`ServerBuilder::observer`], [`ServerBuilder::on_upload`]), and
//! bring parts of its own: files ([`Storage`]) and accounts ([`Accounts`]), SITE commands
//! ([`ServerBuilder::site_command`]), sockets ([`ServerBuilder::listener`],
//! [`ServerBuilder::connection`]), a driver ([`ServerBuilder::run_with`]), or the executor of smol
//! ([`ServerBuilder::build`], [`drivers`]).
//!
//! What it does not do: it is no FTP client, and it runs on Unix only.

#![forbid(unsafe_code)]
#![warn(missing_debug_implementations)]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod backend;
mod builder;
mod error;
mod server;
mod signals;

pub use backend::{Backend, Driver, drivers};
pub use builder::{Bound, Parts, ServerBuilder};
pub use error::StartError;
pub use server::Server;
pub use wharf_host as host;
pub use wharf_host::proto::{
    self, Access, Admission, CutOff, Denial, Disposition, Entry, Filter, Grant, Kind, ListBounds,
    LoginFailure, Metadata, Mode, Network, NetworkError, NetworkRules, Networks, Notice, OnHangup,
    Parting, Password, PathError, Permissions, Rates, Resumption, Rights, SiteReply, StorageError,
    TlsRequired, Transferred, UploadEnd, VirtualPath, WallTime, WriteMode,
};
pub use wharf_host::storage::{storage_error, wall_time};
#[cfg(feature = "tls")]
pub use wharf_host::tls::{Certificate, ClientCertificates, ClientRoots, Tls, TlsError};
pub use wharf_host::{
    Account, Accounts, Attempt, ClientCertificate, Content, Credential, Entries, ListenerRules,
    Memory, Observer, PassivePorts, PassivePortsError, PublicAddress, ReadFile, SessionEvent,
    SimpleAccounts, SiteRequest, Stop, Storage, Upload, UploadedFile, Wanted, WriteFile, exposures,
};
#[cfg(feature = "accounts-file")]
pub use wharf_host::{
    AccountsError, AccountsFile, AccountsText, FileHost, ListedUser, NewUser, hash_password,
};
#[cfg(feature = "directory")]
pub use wharf_host::{Directory, Durability};

/// For tests of what you bring to the server, without sockets and waiting (feature `testing`).
///
/// [`storage`](testing::storage) and [`storage_contract!`](testing::storage_contract) are for a
/// storage; the rest plays the client and the driver of a [`Session`](proto::Session).
///
/// ```
/// use wharf::{Memory, testing};
///
/// let files = Memory::new().with_directory("/in");
/// let mut client = testing::storage::client(files.clone());
/// assert_eq!(client.upload("STOR in/report.txt", "16 m"), 226);
/// assert_eq!(client.send("CWD out"), 550);
/// assert_eq!(files.list("/in").unwrap(), ["report.txt"]);
/// ```
#[cfg(feature = "testing")]
pub mod testing {
    pub use wharf_host::proto::testing::*;
    pub use wharf_host::storage::{storage_contract, testing as storage};
}

/// The README, so that its code is compiled.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

/// The page on events, likewise.
#[cfg(doctest)]
#[doc = include_str!("../docs/events.md")]
struct Events;
