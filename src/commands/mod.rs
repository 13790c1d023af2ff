//! The subcommands.

mod check;
mod passwd;
mod user;

pub(crate) use check::check;
pub(crate) use passwd::passwd;
pub(crate) use user::user;
