//! For tests of what is built on [`Session`](crate::Session), without sockets, files and waiting
//! (feature `testing`).
//!
//! | | |
//! |---|---|
//! | [`Transcript`] | sessions as text: what goes in, and what must come out |
//! | [`Harness`] | a session with a clock that is set by hand; it checks the rules of the contract at every step |
//! | [`ScriptedClient`] | a client whose commands are answered at once by [`Answers`]: files, accounts, SITE commands |
//! | [`Reply`] | replies as a client reads them |
//! | [`show_action`], [`parse_event`] | actions and events as text |
//!
//! With `std`, and with panics where a rule is broken: it is for tests alone.

mod actions;
mod client;
mod dice;
mod events;
mod harness;
mod ledger;
mod replies;
mod text;
mod transcript;

pub use actions::show as show_action;
pub use client::{Answers, ScriptedClient};
pub use events::parse as parse_event;
pub use harness::{BEGINNING, Harness, MOST_WAITING, lines_of};
pub use replies::Reply;
pub use text::{line as show_line, unescape, word as show_word};
pub use transcript::{Outcome, Section, Step, Transcript, TranscriptError};
