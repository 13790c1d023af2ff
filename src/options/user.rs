//! The options of `wharf user`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::positive;

/// What is to be done with the users of an accounts file.
#[derive(Debug, Subcommand)]
pub(crate) enum UserCommand {
    /// Add a user; a file that is not there is made
    ///
    /// The password is asked for twice on a terminal, and not shown there; elsewhere it is the
    /// first line of standard input.
    Add(Box<AddUser>),

    /// Remove a user, with the comments in its tables and right above them
    Remove(WhichUser),

    /// Show all users: name, host, root, permissions, and what lets them in
    List(ListUsers),

    /// Give a user another password
    ///
    /// It is asked for twice on a terminal, and not shown there; elsewhere it is the first line of
    /// standard input.
    Password(WhichUser),
}

/// Which file.
#[derive(Debug, Args)]
pub(crate) struct InFile {
    /// The accounts file
    #[arg(long, value_name = "FILE")]
    pub(crate) accounts: PathBuf,
}

/// What to show.
#[derive(Debug, Args)]
pub(crate) struct ListUsers {
    #[command(flatten)]
    pub(crate) file: InFile,

    /// Show an array in JSON instead of columns, as the file has the values
    #[arg(long)]
    pub(crate) json: bool,
}

/// A user of a file.
#[derive(Debug, Args)]
pub(crate) struct WhichUser {
    /// The login name
    #[arg(value_name = "NAME")]
    pub(crate) name: String,

    #[command(flatten)]
    pub(crate) file: InFile,

    /// A user of this virtual host, which the file has
    #[arg(long, value_name = "NAME")]
    pub(crate) host: Option<String>,

    /// The folder that the server serves: then it is checked too that all accounts' folders can be
    /// opened
    #[arg(long, value_name = "DIR")]
    pub(crate) served: Option<PathBuf>,
}

/// A user to add.
#[derive(Debug, Args)]
pub(crate) struct AddUser {
    #[command(flatten)]
    pub(crate) user: WhichUser,

    /// The folder that the user sees, beneath the one that is served unless absolute; {user} stands
    /// for the name. Default: the folder that is served
    #[arg(long, value_name = "DIR")]
    pub(crate) root: Option<String>,

    /// Let the user change files, as --permissions write does
    #[arg(long, conflicts_with = "permissions")]
    pub(crate) write: bool,

    /// What the user may do: read (the default), write (everything), or letters of elradfmwnMT
    #[arg(long, value_name = "LETTERS")]
    pub(crate) permissions: Option<String>,

    /// Other permissions in this folder and beneath; give it again for more
    #[arg(long, value_name = "PATH=LETTERS", value_parser = folder)]
    pub(crate) folder: Vec<(String, String)>,

    /// What the user has to protect by TLS: none (the default), login, data or all
    #[arg(long, value_name = "WHAT")]
    pub(crate) tls: Option<String>,

    /// How uploads within TLS may end: strict or lenient. Default: as the server has it
    #[arg(long, value_name = "HOW")]
    pub(crate) tls_upload_end: Option<String>,

    /// The SHA-256 fingerprint of a client certificate that lets the user in; give it again for more
    #[arg(long, value_name = "FINGERPRINT")]
    pub(crate) certificate: Vec<String>,

    /// Ask for no password: the certificate alone lets the user in
    #[arg(long, requires = "certificate")]
    pub(crate) no_password: bool,

    /// Let the user in from these networks alone; give it again for more
    #[arg(long, value_name = "NETWORK")]
    pub(crate) allow_from: Vec<String>,

    /// Do not let the user in from these networks; give it again for more
    #[arg(long, value_name = "NETWORK")]
    pub(crate) deny_from: Vec<String>,

    /// Most sessions of the user at once
    #[arg(long, value_name = "N", value_parser = positive)]
    pub(crate) sessions: Option<u32>,

    /// Most bytes per second of each download
    #[arg(long, value_name = "BYTES", value_parser = rate)]
    pub(crate) download_rate: Option<u64>,

    /// Most bytes per second of each upload
    #[arg(long, value_name = "BYTES", value_parser = rate)]
    pub(crate) upload_rate: Option<u64>,

    /// Do not let the user in for now
    #[arg(long)]
    pub(crate) disabled: bool,
}

fn folder(text: &str) -> Result<(String, String), String> {
    // Letters have no =, paths may.
    let parts = text.rsplit_once('=').filter(|(path, _)| path.starts_with('/'));
    let (path, letters) = parts.ok_or("a path and letters are wanted, such as /incoming=eln")?;
    Ok((path.to_string(), letters.to_string()))
}

fn rate(text: &str) -> Result<u64, String> {
    // As much as TOML's numbers hold.
    let number = text.parse().ok().filter(|number| (1..=i64::MAX as u64).contains(number));
    number.ok_or_else(|| "a whole number of bytes per second is wanted, at least 1".to_string())
}
