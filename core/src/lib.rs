//! stub
#![no_std]
#![forbid(unsafe_code)]
extern crate alloc;
#[cfg(test)]
extern crate std;

mod action;
pub mod ascii;
mod command;
mod config;
mod event;
mod facts;
pub mod glob;
mod line;
mod listing;
mod name;
mod path;
mod permissions;
mod reply;
mod session;
mod storage;
mod time;

pub use action::{Action, Filter, Password, Plan};
pub use config::{Admission, Endpoint, SessionConfig, SiteCommand};
pub use event::{Denial, Event, Grant, RequestId, SiteReply, TransferEnd};
pub use facts::Facts;
pub use listing::{ListingFormat, Style};
pub use path::{LONGEST_PATH, PathError, VirtualPath};
pub use permissions::Permissions;
pub use session::Session;
pub use storage::{
    Access, Disposition, Entry, Kind, Metadata, Opened, StorageAnswer, StorageError,
    StorageRequest, Target, WriteMode,
};
pub use time::{Civil, Instant, Now, WallTime};
