//! The command line.

use std::collections::HashSet;
use std::ffi::OsString;
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::time::Duration;

use clap::error::{ContextKind, ErrorKind};
use clap::{Args, Parser, Subcommand};
use wharf::{Backend, Durability, ListBounds, OnHangup, PassivePorts};

use crate::networks::NetworkOptions;
use crate::run_as::RunAs;
use crate::tls::TlsOptions;

pub(crate) use self::user::{AddUser, ListUsers, UserCommand, WhichUser};

mod user;

/// Serves a folder by FTP.
///
/// Without options: the current folder, read-only, to anybody on this computer. A folder that is
/// named like a command is served as ./check.
#[derive(Debug, Parser)]
#[command(name = "wharf", version, max_term_width = 100, allow_negative_numbers = true)]
#[command(args_conflicts_with_subcommands = true, disable_help_subcommand = true)]
struct CommandLine {
    #[command(flatten)]
    options: Options,

    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Check the options and the accounts file, and say what is wrong; starts nothing
    ///
    /// It takes the options that serving takes. The exit code is 0 when all is right, and 1 when
    /// it is not. What works but is dangerous is warned of, and changes nothing in the exit code.
    #[command(allow_negative_numbers = true)]
    Check(Box<Options>),

    /// Make the hash of a password, for the accounts file
    ///
    /// The password is asked for twice on a terminal, and not shown there; elsewhere it is the
    /// first line of standard input. The hash alone goes to standard output.
    Passwd,

    /// Add, remove and list the users of an accounts file, and set their passwords
    ///
    /// All else in the file stays as it is, comments and order too. What the server would not take
    /// is not written. A running server reads the file again on SIGHUP.
    #[command(subcommand, disable_help_subcommand = true, arg_required_else_help = false)]
    User(UserCommand),
}

/// What the program is asked to do.
#[derive(Debug)]
pub(crate) enum Task {
    /// Serve a folder.
    Serve(Box<Options>),
    /// Check whether it could be served like this.
    Check(Box<Options>),
    /// Make the hash of a password.
    Passwd,
    /// Change an accounts file, or show what is in it.
    User(UserCommand),
}

/// How a folder is to be served.
#[derive(Clone, Debug, Args)]
pub(crate) struct Options {
    /// The folder to serve
    #[arg(value_name = "DIR", default_value = ".")]
    pub(crate) directory: PathBuf,

    /// Listen here; give it again for more addresses, IPv4 or IPv6 ([::1]:2121)
    #[arg(long, value_name = "ADDR:PORT", value_parser = address, default_value = "127.0.0.1:2121")]
    pub(crate) listen: Vec<SocketAddr>,

    /// Let only this user in, instead of anybody. The password comes from --password-file, else
    /// from the environment variable WHARF_PASSWORD, else it is made up and shown once
    #[arg(long, value_name = "NAME", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    pub(crate) user: Option<String>,

    /// Read the user's password from the first line of this file
    #[arg(long, value_name = "FILE", requires = "user")]
    pub(crate) password_file: Option<PathBuf>,

    /// Let the user, or anybody where there is no --user, change files
    #[arg(long)]
    pub(crate) write: bool,

    /// Let those in whom this file names, each to a folder and with permissions of their own. It
    /// is read again on SIGHUP
    #[arg(long, value_name = "FILE", conflicts_with_all = ["user", "write"])]
    pub(crate) accounts: Option<PathBuf>,

    /// Take a password of the accounts file that was right for so long without computing its hash
    /// again; 0 for never
    #[arg(long, value_name = "SECONDS", value_parser = delay, default_value = "60",
          requires = "accounts")]
    pub(crate) remember_logins: Duration,

    /// Serve as this user (names or numbers), once ports, certificates and accounts are open; only
    /// root can. Nothing of root is left then
    #[arg(long, value_name = "USER[:GROUP]")]
    pub(crate) run_as: Option<RunAs>,

    #[command(flatten)]
    pub(crate) tls: TlsOptions,

    /// Open passive data ports in this range, such as 50000-50100 [default: 49152-65535]. When all
    /// are taken, the oldest that no command uses is closed, of the client that has most of them
    #[arg(long, value_name = "A-B")]
    pub(crate) passive_ports: Option<PassivePorts>,

    #[command(flatten)]
    pub(crate) networks: NetworkOptions,

    /// The driver to run on
    #[arg(long, value_name = "NAME", default_value_t)]
    pub(crate) backend: Backend,

    /// Most sessions at once; fewer where the limit of open files is too low
    #[arg(long, value_name = "N", value_parser = positive, default_value = "1000")]
    pub(crate) max_sessions: u32,

    /// Most sessions at once from one address
    #[arg(long, value_name = "N", value_parser = positive, default_value = "250")]
    pub(crate) max_sessions_per_address: u32,

    /// Most storage calls at work at once, and most large transfers; those that hang are not counted
    #[arg(long, value_name = "N", value_parser = positive, default_value = "64")]
    pub(crate) storage_threads: u32,

    /// Most calls that hang at once, on a disk that does not answer: each keeps a thread. A quarter
    /// may be of one address, half of one folder served; beyond that clients are told 450
    #[arg(long, value_name = "N", value_parser = positive, default_value = "1024")]
    pub(crate) max_stuck_calls: u32,

    /// Let all transfers together take so many MiB of memory; one more is refused
    #[arg(long, value_name = "MIB", value_parser = positive, default_value = "256")]
    pub(crate) max_transfer_memory: u32,

    /// Close a session after so many failed logins
    #[arg(long, value_name = "N", value_parser = positive, default_value = "3")]
    pub(crate) max_login_attempts: u32,

    /// Make an address stay away after so many failed logins within ten minutes; 0: never
    #[arg(long, value_name = "N", default_value = "100")]
    pub(crate) max_login_failures: u32,

    /// Make it stay away for so long
    #[arg(long, value_name = "SECONDS", value_parser = timeout, default_value = "300")]
    pub(crate) login_cool_down: Duration,

    /// Answer a failed login so much later
    #[arg(long, value_name = "SECONDS", value_parser = delay, default_value = "3")]
    pub(crate) login_delay: Duration,

    /// Close a session that has sent no command for so long
    #[arg(long, value_name = "SECONDS", value_parser = timeout, default_value = "300")]
    pub(crate) idle_timeout: Duration,

    /// Close a session that has not logged in for so long
    #[arg(long, value_name = "SECONDS", value_parser = timeout, default_value = "60")]
    pub(crate) login_timeout: Duration,

    /// Give up a data connection that does not come, or stands still, for so long; and a passive
    /// port, or the connection to it, that no command has used by then
    #[arg(long, value_name = "SECONDS", value_parser = timeout, default_value = "60")]
    pub(crate) data_timeout: Duration,

    /// Let transfers go on for so long when told to stop; goodbyes may take a few seconds more
    #[arg(long, value_name = "SECONDS", value_parser = delay, default_value = "30")]
    pub(crate) shutdown_timeout: Duration,

    /// Show times in LIST so far from UTC, such as +02:00
    #[arg(long, value_name = "±HH:MM", value_parser = utc_offset, default_value = "+00:00",
          allow_hyphen_values = true)]
    pub(crate) list_utc_offset: i16,

    /// Most entries that LIST -R and NLST -R show; 0: they are refused
    #[arg(long, value_name = "N", default_value_t = ListBounds::default().entries)]
    pub(crate) list_entries: u64,

    /// How many levels of folders LIST -R and NLST -R go down
    #[arg(long, value_name = "N", default_value_t = ListBounds::default().depth)]
    pub(crate) list_depth: usize,

    /// Allow data connections to and from other addresses than the client's (unsafe: RFC 2577)
    #[arg(long)]
    pub(crate) allow_foreign_data: bool,

    /// Allow clients to name data ports below 1024
    #[arg(long)]
    pub(crate) allow_privileged_ports: bool,

    /// Leave out MODE Z, which compresses what travels and takes the processor's time
    #[arg(long)]
    pub(crate) no_mode_z: bool,

    /// Write uploads in place, instead of putting them there when they are whole
    #[arg(long)]
    pub(crate) no_atomic_uploads: bool,

    /// What becomes of an upload whose client closes the control connection without QUIT: keep (an
    /// old file stays, where there is none what came is kept) or publish (it is whole), for devices
    /// that never say QUIT
    #[arg(long, value_name = "WHAT", default_value_t)]
    pub(crate) on_hangup: OnHangup,

    /// What a stored file survives once it is acknowledged: full: a power cut; none: the end of
    /// the program only, which is faster for many small files
    #[arg(long, value_name = "HOW", default_value_t)]
    pub(crate) durability: Durability,

    /// Most log lines a minute about what one client was refused, and as many about its failed
    /// logins; twenty times as many about what it transfers and changes; ten times as many of all
    /// clients together. 0: any number
    #[arg(long, value_name = "N", default_value = "60")]
    pub(crate) log_lines: u32,

    /// Say more on standard error than transfers, changes and warnings: -v logins and sessions, -vv
    /// everything
    #[arg(short, long, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
}

/// A command line that asks for no task.
pub(crate) enum Exit {
    /// Show this text: --help, --version.
    Show(String),
    /// A mistake, in one line.
    Mistake(String),
}

impl Task {
    pub(crate) fn parse_from_args(args: impl Iterator<Item = OsString>) -> Result<Self, Exit> {
        let line = CommandLine::try_parse_from(args).map_err(|error| match error.kind() {
            ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
                Exit::Show(error.render().to_string())
            }
            _ => Exit::Mistake(one_line(&error)),
        })?;
        match line.command {
            None => line.options.checked().map(Self::Serve),
            Some(Command::Check(options)) => options.checked().map(Self::Check),
            Some(Command::Passwd) => Ok(Self::Passwd),
            Some(Command::User(command)) => Ok(Self::User(command)),
        }
    }
}

impl Options {
    /// Looks for what each option for itself cannot show.
    fn checked(self) -> Result<Box<Self>, Exit> {
        let mut addresses = HashSet::new();
        for address in self.listen.iter().chain(&self.tls.implicit_tls) {
            if address.port() != 0 && !addresses.insert(address) {
                return Err(Exit::Mistake(format!("the address {address} is given twice")));
            }
        }
        let listeners = [&self.listen[..], &self.tls.implicit_tls].concat();
        self.networks.check(&listeners).map_err(Exit::Mistake)?;
        Ok(Box::new(self))
    }
}

/// Returns the message without usage and further paragraphs, but with clap's suggestion.
fn one_line(error: &clap::Error) -> String {
    let rendered = error.render().to_string();
    let mut lines = rendered.lines().map(str::trim).take_while(|line| !line.is_empty());
    let first = lines.next().unwrap_or_default();
    let mut text = first.strip_prefix("error: ").unwrap_or(first).to_string();
    for line in lines {
        text = format!("{text} {line}");
    }
    if let Some(suggestion) = error.get(ContextKind::SuggestedArg) {
        text = format!("{text}; did you mean {suggestion}?");
    }
    text
}

pub(crate) fn address(text: &str) -> Result<SocketAddr, String> {
    let resolved = text.to_socket_addrs().ok().and_then(|mut addresses| addresses.next());
    resolved.ok_or_else(|| {
        "an address and a port are wanted, such as 0.0.0.0:2121 or [::1]:2121".to_string()
    })
}

fn positive(text: &str) -> Result<u32, String> {
    let number = text.parse().ok().filter(|&number| number > 0);
    number.ok_or_else(|| format!("a whole number from 1 to {} is wanted", u32::MAX))
}

fn delay(text: &str) -> Result<Duration, String> {
    let seconds = text.parse::<f64>().ok().filter(|seconds| *seconds >= 0.0);
    let duration = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    duration.ok_or_else(|| "a number of seconds is wanted, such as 2 or 0.5".to_string())
}

fn timeout(text: &str) -> Result<Duration, String> {
    let duration = delay(text)?;
    if duration.is_zero() {
        Err("more than 0 seconds are wanted".to_string())
    } else {
        Ok(duration)
    }
}

fn utc_offset(text: &str) -> Result<i16, String> {
    let parse = || {
        let (sign, rest) = match text.split_at_checked(1)? {
            ("+", rest) => (1, rest),
            ("-", rest) => (-1, rest),
            _ => return None,
        };
        let (hours, minutes) = rest.split_once(':')?;
        let field = |digits: &str, below: i16| {
            let two_digits = digits.len() == 2 && digits.bytes().all(|byte| byte.is_ascii_digit());
            digits.parse::<i16>().ok().filter(|&number| two_digits && number < below)
        };
        Some(sign * (field(hours, 24)? * 60 + field(minutes, 60)?))
    };
    parse().ok_or_else(|| "a sign, hours and minutes are wanted, such as +02:00".to_string())
}

#[cfg(test)]
mod manual;
#[cfg(test)]
mod tests;
