//! The drivers that were compiled in. The one place that names them.

use std::fmt;
use std::io;
use std::str::FromStr;
use std::sync::Arc;

use wharf_host::{Listener, Service, Stop};

#[cfg(not(any(feature = "mio", feature = "smol", feature = "threaded")))]
compile_error!(
    "wharf needs a driver: enable at least one of the features `mio`, `smol` and `threaded`, \
     for example with `--no-default-features --features threaded`"
);

/// The drivers that were compiled in, each with its `run`, which [`ServerBuilder::run_with`]
/// takes too. The parts that [`ServerBuilder::build`] returns are what they want.
///
/// [`ServerBuilder::build`]: crate::ServerBuilder::build
/// [`ServerBuilder::run_with`]: crate::ServerBuilder::run_with
pub mod drivers {
    #[cfg(feature = "mio")]
    pub use wharf_mio as mio;
    #[cfg(feature = "smol")]
    pub use wharf_smol as smol;
    #[cfg(feature = "threaded")]
    pub use wharf_threaded as threaded;
}

/// What a driver is called with: what sessions share, where clients come in, and what stops it.
pub type Driver = fn(Arc<Service>, Vec<Listener>, Stop) -> io::Result<()>;

/// A driver: what waits for sockets and runs blocking work. All behave alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Backend {
    /// Reactor threads over mio; feature `mio`.
    #[cfg(feature = "mio")]
    Mio,
    /// One task a session on smol's executor; feature `smol`.
    #[cfg(feature = "smol")]
    Smol,
    /// One blocking thread a session; feature `threaded`.
    #[cfg(feature = "threaded")]
    Threaded,
}

impl Backend {
    /// The drivers that were compiled in; the first is the default.
    pub const ALL: &[Self] = &[
        #[cfg(feature = "mio")]
        Self::Mio,
        #[cfg(feature = "smol")]
        Self::Smol,
        #[cfg(feature = "threaded")]
        Self::Threaded,
    ];

    /// Returns the driver's name, which is also its cargo feature's.
    pub fn name(self) -> &'static str {
        match self {
            #[cfg(feature = "mio")]
            Self::Mio => "mio",
            #[cfg(feature = "smol")]
            Self::Smol => "smol",
            #[cfg(feature = "threaded")]
            Self::Threaded => "threaded",
        }
    }

    /// Returns the driver's `run`, which serves clients until the stop is called and the last session
    /// has ended. It is the one of [`drivers`] that has the same name.
    pub fn driver(self) -> Driver {
        match self {
            #[cfg(feature = "mio")]
            Self::Mio => wharf_mio::run,
            #[cfg(feature = "smol")]
            Self::Smol => wharf_smol::run,
            #[cfg(feature = "threaded")]
            Self::Threaded => wharf_threaded::run,
        }
    }
}

impl Default for Backend {
    fn default() -> Self {
        Self::ALL[0]
    }
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Backend {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let found = Self::ALL.iter().find(|backend| backend.name() == name);
        found.copied().ok_or_else(|| {
            let names: Vec<_> = Self::ALL.iter().map(|backend| backend.name()).collect();
            match name {
                "mio" | "smol" | "threaded" => format!(
                    "this program was built without the cargo feature `{name}`; it has {}",
                    names.join(", ")
                ),
                _ => format!("one of {} is wanted", names.join(", ")),
            }
        })
    }
}
