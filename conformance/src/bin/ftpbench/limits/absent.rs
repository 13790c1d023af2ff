//! Elsewhere than on Linux there are no limits to measure: they are those of its system calls.

use std::time::Duration;

use crate::control::Result;
use crate::report::Measured;

/// Measures a limit, for this long.
type Limit = fn(&str, Duration) -> Result<Measured>;

/// None.
pub(crate) const ALL: [(&str, Limit); 0] = [];
