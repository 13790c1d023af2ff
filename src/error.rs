//! Why a server cannot start.

use std::fmt;
use std::io;

/// Why a server cannot start: a mistake in its settings, or a failure of the system.
///
/// It becomes an [`io::Error`] by `?`: of the kind [`InvalidInput`](io::ErrorKind::InvalidInput)
/// where it is a mistake, else of the kind that the system's error has.
#[derive(Debug)]
#[non_exhaustive]
pub enum StartError {
    /// A setting makes no sense, contradicts another, or is missing. It was found before anything
    /// was opened or started.
    #[non_exhaustive]
    Setting {
        /// The call, such as `max_sessions(0)`, or the method that is missing.
        setting: String,
        /// What is wrong with it, and what would be right.
        problem: String,
    },
    /// The system refuses an address to listen on.
    #[non_exhaustive]
    Listen {
        /// The address, as it was given.
        address: String,
        /// What the system says.
        error: io::Error,
    },
    /// The system refuses something else, such as a thread.
    #[non_exhaustive]
    System {
        /// What the server could not do.
        what: &'static str,
        /// What the system says.
        error: io::Error,
    },
}

impl StartError {
    pub(crate) fn setting(setting: impl Into<String>, problem: impl Into<String>) -> Self {
        Self::Setting { setting: setting.into(), problem: problem.into() }
    }

    pub(crate) fn listen(address: impl fmt::Display, error: io::Error) -> Self {
        Self::Listen { address: address.to_string(), error }
    }

    /// Returns a function for [`Result::map_err`].
    pub(crate) fn system(what: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |error| Self::System { what, error }
    }

    /// Returns `true` if the program has to be changed, and not what it runs on.
    pub fn is_mistake(&self) -> bool {
        matches!(self, Self::Setting { .. })
    }
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Setting { setting, problem } => write!(f, "{setting}: {problem}"),
            Self::Listen { address, error } => write!(f, "cannot listen on {address}: {error}"),
            Self::System { what, error } => write!(f, "cannot {what}: {error}"),
        }
    }
}

impl std::error::Error for StartError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Setting { .. } => None,
            Self::Listen { error, .. } | Self::System { error, .. } => Some(error),
        }
    }
}

impl From<StartError> for io::Error {
    fn from(error: StartError) -> Self {
        let kind = match &error {
            StartError::Setting { .. } => io::ErrorKind::InvalidInput,
            StartError::Listen { error, .. } | StartError::System { error, .. } => error.kind(),
        };
        io::Error::new(kind, error)
    }
}
