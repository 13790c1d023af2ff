//! The FTP protocol as a pure state machine.
//!
//! [`Session`] is one FTP session: control bytes and [`Event`]s go in, reply bytes and [`Action`]s
//! come out. It has no socket, no file, no clock and no randomness, so it does the same thing each
//! time, and can be tested without a network and without waiting. Everything that decides about
//! FTP is here: permissions, replies, timeouts, the defences of RFC 2577.
//!
//! What it refuses to do: move file bytes. A transfer is a [`Plan`] that a driver carries out.
//!
//! ```
//! use std::sync::Arc;
//! use wharf_core::{Action, Admission, Endpoint, Now, Session, SessionConfig};
//!
//! let (server, client) = ("192.0.2.1:21".parse().unwrap(), "192.0.2.7:4000".parse().unwrap());
//! let endpoint = Endpoint::new(server, client, Admission::Welcome);
//! let mut session = Session::new(Arc::new(SessionConfig::default()), endpoint, Now::default());
//! assert_eq!(session.transmit(), b"220 wharf FTP server ready.\r\n");
//! session.transmitted(session.transmit().len(), Now::default());
//!
//! let lines = b"USER anna\r\nPASS secret\r\n";
//! assert_eq!(session.receive(lines, Now::default()), lines.len());
//! assert_eq!(session.transmit(), b"331 Password required.\r\n");
//! assert!(matches!(session.poll(), Some(Action::Authenticate { .. })));
//! ```
//!
//! Where to look: `command` is the table of commands, `session` has a file for each kind of
//! decision, `line`, `name`, `path` and `reply` are the words between client and server, and
//! `listing`, `facts`, `glob` and [`ascii`] the pure filters that a driver runs over bytes.
//! Reply texts stand in English where they are sent; `language` has them in other languages.
//!
//! # Features
//!
//! - `testing`: `testing`, a harness, transcripts and a scripted client for tests of what is built on
//!   a session. Brings `std`, and no other crate.

#![no_std]
#![forbid(unsafe_code)]
#![warn(missing_debug_implementations)]
#![cfg_attr(docsrs, feature(doc_cfg))]
extern crate alloc;
#[cfg(any(test, feature = "testing"))]
extern crate std;

mod action;
pub mod ascii;
mod command;
mod config;
mod digest;
mod digits;
mod event;
mod facts;
pub mod glob;
mod language;
mod line;
mod listing;
mod log_limiter;
mod name;
mod networks;
mod notice;
mod path;
mod permissions;
mod reply;
mod rights;
mod session;
mod storage;
#[cfg(feature = "testing")]
pub mod testing;
mod time;
mod timestamp;
mod tls;
mod words;

#[doc(hidden)]
pub use action::is_same;
pub use action::{Action, DataEnd, Filter, LoginMethod, Mode, Password, Plan};
pub use config::{Admission, Endpoint, OnHangup, SessionConfig, SiteCommand};
pub use digest::DigestAlgorithm;
pub use event::{
    DataProof, Denial, DigestEnd, Event, Grant, PortLoss, Rates, RequestId, SiteReply, TransferEnd,
};
pub use facts::Facts;
pub use listing::{
    Allowance, Detail, Lines, LinesEnd, ListBounds, ListedTree, Lister, ListingFormat, Order,
    Recursion, SortKey, Style,
};
pub use log_limiter::LogLimiter;
pub use networks::{Network, NetworkError, NetworkRules, Networks};
pub use notice::{CutOff, LoginFailure, Notice, Parting, Quoted, Transferred};
pub use path::{LONGEST_PATH, PathError, VirtualPath};
pub use permissions::Permissions;
pub use rights::Rights;
pub use session::Session;
#[doc(hidden)]
pub use session::states;
pub use storage::{
    Access, Disposition, Entry, Kind, Metadata, Opened, StorageAnswer, StorageError,
    StorageRequest, WriteMode,
};
pub use time::{Civil, Instant, Now, WallTime};
pub use tls::{Resumption, TlsPolicy, TlsRequired, UploadEnd};
pub use words::UnknownWord;

/// The README, so that its code is compiled.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
