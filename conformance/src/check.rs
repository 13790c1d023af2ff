//! What a check is, and how it fails.

use std::error::Error;
use std::fmt;
use std::io;

use crate::journal::{Journal, Note};

pub(crate) use crate::context::login;
pub use crate::context::{Context, folder_prefix};

/// The proof that a server meets one row of the requirements.
#[derive(Clone, Copy)]
pub struct Check {
    /// The id of the row.
    pub id: &'static str,
    /// Carries it out.
    pub run: fn(&mut Context<'_>) -> Result<(), Failure>,
}

impl fmt::Debug for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Check({})", self.id)
    }
}

/// Says what the server did wrong, for a person to read; or why a check cannot tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    message: String,
    skipped: Option<Why>,
}

/// Why a check was not carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Why {
    /// The server does not offer what the check is about.
    NotOffered,
    /// The check has to be told something about the server that it cannot find out.
    NeedsOption,
    /// The check could reach others than the server.
    Unsafe,
    /// What the check is about does not come up at this server.
    DoesNotApply,
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotOffered => "not offered",
            Self::NeedsOption => "needs an option",
            Self::Unsafe => "unsafe here",
            Self::DoesNotApply => "does not apply",
        })
    }
}

impl Failure {
    /// Says it in these words.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), skipped: None }
    }

    /// Ends a check that cannot be carried out, which is then no failure.
    pub fn skip(why: Why, message: impl Into<String>) -> Self {
        Self { message: message.into(), skipped: Some(why) }
    }

    /// Returns why the check was not carried out; `None` where the server did wrong.
    pub fn skipped(&self) -> Option<Why> {
        self.skipped
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for Failure {}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::new(error.to_string())
    }
}

/// Fails the check unless a condition holds.
macro_rules! ensure {
    ($condition:expr, $($message:tt)+) => {
        if !$condition {
            return Err($crate::check::Failure::new(format!($($message)+)));
        }
    };
}
pub(crate) use ensure;

/// Fails the check unless a condition holds, where only the best will do; else writes it down.
macro_rules! advise {
    ($adviser:expr, $condition:expr, $($message:tt)+) => {
        if !$condition {
            $adviser.advise(format!($($message)+))?;
        }
    };
}
pub(crate) use advise;

/// Fails where only the best will do, and else writes down what would be better.
pub(crate) fn advise_or_fail(
    journal: &Journal,
    is_strict: bool,
    what: String,
) -> Result<(), Failure> {
    if is_strict {
        return Err(Failure::new(what));
    }
    journal.note(Note::Advice(what));
    Ok(())
}
