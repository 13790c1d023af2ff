//! Why a transfer or digest is told to stop, and what the client is told of it.

/// Why a transfer or digest is told to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StopReason {
    /// ABOR.
    Aborted,
    /// ABOR, which has its own reply when its turn comes.
    AbortWaits,
    /// No byte has moved for too long.
    Stalled,
    /// The server cannot wait any longer.
    Shutdown,
    /// The control connection has ended.
    ControlClosed,
}

/// What is stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stopped {
    Transfer,
    Digest,
}

impl StopReason {
    /// Returns the text of 426.
    pub(super) fn text(self, what: Stopped) -> &'static str {
        match (self, what) {
            (Self::Aborted | Self::AbortWaits, Stopped::Transfer) => "Transfer aborted via ABOR.",
            (Self::Aborted | Self::AbortWaits, Stopped::Digest) => "Digest aborted via ABOR.",
            // Only a data connection can stand still.
            (Self::Stalled, _) => "Data connection stalled; transfer aborted.",
            (Self::Shutdown, Stopped::Transfer) => "The server is shutting down; transfer aborted.",
            (Self::Shutdown, Stopped::Digest) => "The server is shutting down; digest aborted.",
            // A digest goes on when the client has closed its side, and goes with its session.
            (Self::ControlClosed, _) => "The control connection was closed; transfer aborted.",
        }
    }
}
