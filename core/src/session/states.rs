//! The states of a session and what moves it from one to another, as a table.
//!
//! The code does not run by this table: the functions of the session do what they do, and log each
//! step at the level `trace`, target `wharf_core::states`. Tests hold the steps of all transcripts,
//! and of random sessions, against the table, and draw the diagram in `docs/architecture.md` from
//! it.

use alloc::string::String;
use core::fmt::{self, Write as _};

use crate::command::{Begins, Command, Timing};
use crate::event::Event;

use super::Session;
use super::state::{Awaiting, DigestStage, Handshake, Stage, Work};

use State::*;
use Trigger::*;

/// What a session is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// Nothing has come yet.
    Start,
    /// The next command may come.
    Ready,
    /// A command waits for the accounts.
    AwaitingAccounts,
    /// A command waits for the storage.
    AwaitingStorage,
    /// A command waits for a passive port.
    AwaitingPort,
    /// A command waits for the embedding program.
    AwaitingSite,
    /// A failed login is not answered yet.
    Delaying,
    /// The control connection goes over to TLS when the reply has left.
    TlsWithheld,
    /// The control connection's TLS handshake goes on.
    TlsHandshake,
    /// TLS ends when the reply has left.
    TlsEnding,
    /// A transfer: the storage is asked for the file or directory.
    Preparing,
    /// A transfer: the data connection has not come yet.
    Connecting,
    /// A transfer: the data connection's TLS handshake goes on.
    Securing,
    /// An upload: the file is opened.
    Opening,
    /// A transfer: bytes move.
    Moving,
    /// A transfer: all has been sent, and the client is to close the data connection.
    Closing,
    /// A transfer: the driver has been told to stop.
    Stopping,
    /// An upload: what has come is made to last.
    Syncing,
    /// An upload: the control connection is looked at once more.
    Checking,
    /// An upload: the file is put in its place, or away.
    Finishing,
    /// A digest: the storage is asked for the file.
    DigestOpening,
    /// A digest: the file is read.
    DigestReading,
    /// The last reply leaves.
    Ending,
    /// The session is over.
    Ended,
}

/// What moves a session to another state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Trigger {
    /// The driver has a connection.
    New,
    /// A command that begins neither a transfer nor a digest.
    Command,
    /// RETR, STOR, LIST and the like.
    TransferCommand,
    /// HASH, XCRC and the like.
    DigestCommand,
    /// ABOR, in its turn or before it.
    Abor,
    /// QUIT.
    Quit,
    /// The reply has left.
    Transmitted,
    /// The driver has taken [`Action::Close`](crate::Action::Close).
    Close,
    /// [`Event::Timeout`].
    Timeout,
    /// The client has closed its side, the connection is lost, or the driver gives it up.
    ControlClosed,
    /// [`Event::Evicted`].
    Evicted,
    /// [`Event::Shutdown`].
    Shutdown,
    /// [`Event::TlsStarted`].
    TlsStarted,
    /// [`Event::Authenticated`].
    Authenticated,
    /// [`Event::Storage`].
    Stored,
    /// [`Event::Site`].
    SiteAnswered,
    /// [`Event::Listening`].
    Listening,
    /// [`Event::DataArrived`] and [`Event::Connected`].
    DataConnected,
    /// [`Event::PortLost`].
    PortLost,
    /// [`Event::DataProtected`].
    DataProtected,
    /// [`Event::Sent`].
    Sent,
    /// [`Event::TransferEnded`].
    TransferEnded,
    /// [`Event::ControlChecked`].
    ControlChecked,
    /// [`Event::DigestEnded`].
    DigestEnded,
    /// An event that only reports.
    Report,
}

/// Steps: from a state, by any of these, to a state.
pub type Transition = (State, &'static [Trigger], State);

/// What may end a session in any state: it goes to [`State::Ending`].
///
/// An upload goes on without its client in the states from [`State::Opening`] on.
pub static FROM_ANY: &[Trigger] = &[ControlClosed, Evicted];

/// All other steps.
pub static TRANSITIONS: &[Transition] = &[
    (Start, &[New], Ready),
    (Start, &[New], TlsHandshake),
    (Start, &[New], Ending),
    (Ready, &[Command], AwaitingAccounts),
    (Ready, &[Command], AwaitingStorage),
    (Ready, &[Command], AwaitingPort),
    (Ready, &[Command], AwaitingSite),
    (Ready, &[Command], TlsWithheld),
    (Ready, &[Command], TlsEnding),
    (Ready, &[TransferCommand], Preparing),
    (Ready, &[DigestCommand], DigestOpening),
    (Ready, &[Command, Quit, Timeout, Shutdown], Ending),
    (AwaitingAccounts, &[Authenticated], Ready),
    (AwaitingAccounts, &[Authenticated], Delaying),
    (AwaitingAccounts, &[Timeout, Authenticated], Ending),
    (AwaitingStorage, &[Stored], Ready),
    (AwaitingStorage, &[Timeout], Ending),
    (AwaitingPort, &[Listening], Ready),
    (AwaitingPort, &[Timeout], Ending),
    (AwaitingSite, &[SiteAnswered], Ready),
    (AwaitingSite, &[Timeout], Ending),
    (Delaying, &[Timeout], Ready),
    (Delaying, &[Timeout, Shutdown], Ending),
    (TlsWithheld, &[Transmitted], TlsHandshake),
    (TlsWithheld, &[Timeout, Shutdown], Ending),
    (TlsHandshake, &[TlsStarted], Ready),
    (TlsHandshake, &[Timeout, Shutdown, TlsStarted], Ending),
    (TlsEnding, &[Transmitted], Ready),
    (TlsEnding, &[Timeout], Ending),
    (Preparing, &[Stored], Ready),
    (Preparing, &[Stored], Connecting),
    (Preparing, &[Stored], Securing),
    (Preparing, &[Stored], Opening),
    (Preparing, &[Stored], Moving),
    (Preparing, &[Timeout], Ending),
    (Connecting, &[Abor, Timeout, DataConnected, PortLost], Ready),
    (Connecting, &[DataConnected], Securing),
    (Connecting, &[DataConnected], Opening),
    (Connecting, &[DataConnected], Moving),
    (Securing, &[Abor, Timeout, DataProtected], Ready),
    (Securing, &[DataProtected], Opening),
    (Securing, &[DataProtected], Moving),
    (Opening, &[Stored], Ready),
    (Opening, &[Stored], Moving),
    (Opening, &[Timeout], Ending),
    (Moving, &[TransferEnded], Ready),
    (Moving, &[Sent], Closing),
    (Moving, &[Abor, Timeout], Stopping),
    (Moving, &[TransferEnded], Syncing),
    (Moving, &[TransferEnded], Finishing),
    (Closing, &[TransferEnded], Ready),
    (Closing, &[Timeout], Stopping),
    (Stopping, &[TransferEnded], Ready),
    (Stopping, &[TransferEnded], Syncing),
    (Stopping, &[TransferEnded], Finishing),
    (Stopping, &[Timeout], Ending),
    (Syncing, &[Stored], Checking),
    (Syncing, &[Stored], Finishing),
    (Checking, &[ControlChecked], Finishing),
    (Finishing, &[Stored], Ready),
    (DigestOpening, &[Stored], Ready),
    (DigestOpening, &[Stored], DigestReading),
    (DigestOpening, &[Timeout], Ending),
    (DigestReading, &[DigestEnded], Ready),
    (DigestReading, &[Timeout], Ending),
    (Ending, &[Close], Ended),
];

/// Draws the table as a Mermaid diagram.
pub fn mermaid() -> String {
    let mut text = String::from("stateDiagram-v2\n    state \"any state\" as Any\n");
    for (from, triggers, to) in TRANSITIONS {
        draw(&mut text, format_args!("{} --> {}", Node(*from), Node(*to)), triggers);
    }
    draw(&mut text, format_args!("Any --> {}", Node(Ending)), FROM_ANY);
    text
}

fn draw(text: &mut String, arrow: fmt::Arguments<'_>, triggers: &[Trigger]) {
    let _ = write!(text, "    {arrow}: ");
    for (index, trigger) in triggers.iter().enumerate() {
        let _ = write!(text, "{}{trigger:?}", if index > 0 { ", " } else { "" });
    }
    text.push('\n');
}

/// A state as Mermaid has it.
struct Node(State);

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Start | Ended => f.write_str("[*]"),
            state => write!(f, "{state:?}"),
        }
    }
}

impl Trigger {
    pub(super) fn of_command(command: &Command) -> Self {
        match command {
            Command::Known(spec, _) => match spec.begins {
                Begins::Transfer => Self::TransferCommand,
                Begins::Digest => Self::DigestCommand,
                Begins::End => Self::Quit,
                Begins::Nothing if spec.timing == Timing::Aborts => Self::Abor,
                Begins::Nothing => Self::Command,
            },
            _ => Self::Command,
        }
    }

    pub(super) fn of_event(event: &Event) -> Self {
        match event {
            Event::Timeout => Self::Timeout,
            Event::ControlEnding | Event::ControlClosed | Event::ControlLost | Event::Dropped => {
                Self::ControlClosed
            }
            Event::Evicted => Self::Evicted,
            Event::Shutdown { .. } => Self::Shutdown,
            Event::TlsStarted { .. } => Self::TlsStarted,
            Event::Authenticated { .. } => Self::Authenticated,
            Event::Storage { .. } => Self::Stored,
            Event::Site { .. } => Self::SiteAnswered,
            Event::Listening { .. } => Self::Listening,
            Event::DataArrived { .. } | Event::Connected { .. } => Self::DataConnected,
            Event::PortLost { .. } => Self::PortLost,
            Event::DataProtected { .. } => Self::DataProtected,
            Event::Sent { .. } => Self::Sent,
            Event::TransferEnded { .. } => Self::TransferEnded,
            Event::ControlChecked { .. } => Self::ControlChecked,
            Event::DigestEnded { .. } => Self::DigestEnded,
            Event::DataReadable { .. } | Event::Progress { .. } | Event::DigestProgress { .. } => {
                Self::Report
            }
        }
    }
}

impl Session {
    pub(super) fn state(&self) -> State {
        match &self.work {
            Work::Idle => State::Ready,
            Work::Waiting { awaiting, .. } => match awaiting {
                Awaiting::Accounts { .. } => State::AwaitingAccounts,
                Awaiting::Storage(_) => State::AwaitingStorage,
                Awaiting::Port(_) => State::AwaitingPort,
                Awaiting::Site(_) => State::AwaitingSite,
            },
            Work::Securing { handshake: Handshake::Withheld, .. } => State::TlsWithheld,
            Work::Securing { handshake: Handshake::UnderWay, .. } => State::TlsHandshake,
            Work::Clearing { .. } => State::TlsEnding,
            Work::Delaying { .. } => State::Delaying,
            Work::Transferring(transfer) => match transfer.stage {
                Stage::Preparing(_) => State::Preparing,
                Stage::Connecting { .. } => State::Connecting,
                Stage::Securing { .. } => State::Securing,
                Stage::Opening { .. } => State::Opening,
                Stage::Moving { .. } => State::Moving,
                Stage::Closing { .. } => State::Closing,
                Stage::Stopping { .. } => State::Stopping,
                Stage::Syncing { .. } => State::Syncing,
                Stage::Checking { .. } => State::Checking,
                Stage::Finishing { .. } => State::Finishing,
            },
            Work::Digesting(digesting) => match digesting.stage {
                DigestStage::Opening(_) => State::DigestOpening,
                DigestStage::Reading { .. } => State::DigestReading,
            },
            Work::Ending { .. } => State::Ending,
            Work::Ended => State::Ended,
        }
    }

    /// Logs the step that was made, if one was.
    pub(super) fn moved(&mut self, from: State, trigger: Trigger) {
        let to = self.state();
        if from != to {
            self.journal.moved(format_args!("{from:?} -> {to:?}: {trigger:?}"));
        }
    }
}
