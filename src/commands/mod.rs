//! The subcommands.

mod check;
mod passwd;

pub(crate) use check::check;
pub(crate) use passwd::passwd;
