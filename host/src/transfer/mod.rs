//! File bytes on their way between a file and the data connection, and through a digest.
//!
//! | file | has |
//! |---|---|
//! | `pump` | a transfer in motion: one of the three below |
//! | `step` | where a step of it runs, and what it comes to |
//! | `send` | from a file or listing to the socket |
//! | `send_file` | the same within the kernel, where nothing has to be changed on the way |
//! | `receive` | from the socket to a file |
//! | `splice` | the same within the kernel, where nothing has to be changed on the way |
//! | `source`, `sink` | the file's side of both: TYPE, lines of listings |
//! | `listed` | the directories of a listing |
//! | `deflate` | MODE Z |
//! | `digest` | the digest of a file |
//! | `files` | what a session has open |
//! | `rate_limiter` | how fast bytes may go |
//! | `memory` | what all transfers together may take |

#[cfg(feature = "mode-z")]
mod deflate;
#[cfg(not(feature = "mode-z"))]
#[path = "deflate_absent.rs"]
mod deflate;
#[cfg(feature = "digests")]
pub(crate) mod digest;
#[cfg(not(feature = "digests"))]
#[path = "digest_absent.rs"]
pub(crate) mod digest;
pub(crate) mod files;
mod listed;
pub(crate) mod memory;
pub(crate) mod pump;
pub(crate) mod rate_limiter;
mod receive;
mod send;
#[cfg(target_os = "linux")]
mod send_file;
mod sink;
mod source;
#[cfg(target_os = "linux")]
mod splice;
pub(crate) mod step;
