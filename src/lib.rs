//! An FTP server that fits where others do not.
//!
//! The protocol is a pure state machine ([`wharf_core`](core)); a driver of your choice feeds it
//! real sockets. This crate puts them together: [`Server::builder`] sets a server up, and
//! [`Builder::spawn`] starts it, in a test as in a program.
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
//! What it does not do: it is no FTP client, and it runs on Unix only.

#![forbid(unsafe_code)]

mod backend;
mod builder;
mod handle;
mod signals;

pub use backend::Backend;
pub use builder::{Bound, Builder, Server};
pub use handle::Handle;
pub use wharf_host::core::{
    self, Access, Denial, Disposition, Entry, Grant, Kind, Metadata, Password, Permissions, Rates,
    Resumption, Rights, SiteReply, StorageError, TlsRequired, VirtualPath, WallTime, WriteMode,
};
pub use wharf_host::tls::{
    Certificate, ClientCertificate, ClientCertificates, ClientRoots, Tls, TlsError,
};
pub use wharf_host::{
    Account, Accounts, AccountsError, AccountsFile, Attempt, Content, Directory, Entries, FileHost,
    Memory, PassivePorts, PassivePortsError, Proof, ReadFile, SimpleAccounts, SiteRequest, Stop,
    Storage, WriteFile, exposures, hash_password,
};
