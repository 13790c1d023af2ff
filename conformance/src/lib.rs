//! Black-box conformance checks for FTP servers.
//!
//! `requirements.csv` is the specification: one row, with an id, for each thing that an FTP server
//! has to do. This crate holds a [`Check`] for each row that is within its reach, a [`Client`] of
//! its own to carry them out with, and a [`Report`] of what came of them. A check knows the server
//! by its address and by the [`Settings`] it was started with, and by nothing else; so it runs
//! against any server that a [`Target`] describes.
//!
//! The program `ftpspec` runs them against a [`Stranger`].
//!
//! # What it is
//!
//! - *Strict*: where the [`Target`] wants it, a reply that the RFCs allow is a failure when there is
//!   a better one; else it is a [`Note`]. Either way a reply that breaks the grammar of RFC 959
//!   section 4.2 fails the check, and so does a line that ends in a bare LF, or a data connection
//!   that is reset where it should end, or within TLS ends without close_notify.
//! - *Bounded*: nothing waits longer than [`LIMIT`], or what the target says instead, and a check as
//!   a whole not longer than some of these; nothing passes or fails by being fast.
//! - *Repeatable*: a check sends the same bytes each time, in a folder of its own, and writes down
//!   the whole dialogue, passwords aside. With what may vary (ports, times, invented names) replaced,
//!   servers that behave alike have the same dialogues, byte by byte: see [`Report::dialogues`].
//!
//! # What it refuses to do
//!
//! It does not look into the server's file system or process, does not judge its certificates, does
//! not measure speed, does not sleep in order to be in time for something, and is no FTP client for
//! anything but this: it takes no reply for an answer that a lenient client would let pass.
//!
//! # Example
//!
//! ```no_run
//! use std::net::SocketAddr;
//! use wharf_conformance::{Profile, Settings, Target};
//!
//! struct Local;
//!
//! impl Target for Local {
//!     fn address(&self, profile: Profile) -> Option<SocketAddr> {
//!         (profile == Profile::Standard).then(|| "127.0.0.1:2121".parse().unwrap())
//!     }
//!     fn settings(&self, _: Profile) -> Settings {
//!         Settings { tls: true, ..Settings::unknown() }
//!     }
//! }
//!
//! println!("{}", wharf_conformance::run(&Local, 4));
//! ```

mod channel;
mod check;
mod checks;
mod citations;
mod claims;
mod cleanup;
mod client;
mod context;
mod data;
mod journal;
mod listing;
mod patience;
mod reply;
mod report;
mod requirements;
mod run;
mod stranger;
mod target;
mod tls;
mod wire;

pub use check::{Check, Context, Failure, Why, folder_prefix};
pub use checks::all;
pub use citations::citation;
pub use claims::{Claim, Claims};
pub use client::{Client, Detail};
pub use data::{Data, End, Offer, Transfer};
pub use journal::{Journal, Note};
pub use listing::{Clock, FactLine, LongLine, Stamp};
pub use patience::LIMIT;
pub use reply::Reply;
pub use report::{Expectations, Header, Outcome, Report, Saved, SavedRow, Verdict, page};
pub use requirements::{Requirement, requirements};
pub use run::{run, run_checks, run_one};
pub use stranger::{Facts, Stranger};
pub use target::{Account, Credentials, Profile, Protection, Settings, Target, VirtualHost};
pub use tls::{Handshake, Tls, TlsVersion};
pub use wire::{decode_name, encode_name, escaped};
