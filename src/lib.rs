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
//! What it does not do: it is no FTP client, it has no TLS yet, and it runs on Unix only.

#![forbid(unsafe_code)]

mod backend;
mod builder;

pub use backend::Backend;
pub use builder::{Builder, Handle, Server};
pub use wharf_host::core::{
    self, Access, Denial, Disposition, Entry, Kind, Metadata, Password, Permissions, SiteReply,
    StorageError, VirtualPath, WallTime, WriteMode,
};
pub use wharf_host::{
    Account, Accounts, Directory, Entries, Memory, PassivePorts, PassivePortsError, ReadFile,
    SimpleAccounts, Stop, Storage, WriteFile,
};
