//! The command line of ftpbench.

use std::net::{SocketAddr, ToSocketAddrs};
use std::time::Duration;

use clap::{Args, Parser, Subcommand};

use crate::control::Server;
use crate::limits::ALL;
use crate::workload::{Named, Workload, named};

/// Measures how fast an FTP server is, any FTP server.
///
/// Workloads; N is any number, and `all` those with the numbers in brackets:
///   retr-N, stor-N (1, 4, 16)            a big file, N clients at a time
///   small-retr-N, small-stor-N (1, 8)    EPSV and a file of 4 KiB
///   login-N (1, 8)                       connect, log in, QUIT
///   noop, noop-pipelined                 one at a time, 100 at a time
///   list-N, mlsd-N (10000, 100000)       a directory of N entries
///   idle-N (1000, 10000)                 memory of N sessions; NOOP, and a small RETR, among them
///
/// It works in the folder `bench` below the one that a login begins in. With --prepare it makes what
/// the workloads need and is not there; else these have to be there:
///   bench/big                            of --size MiB exactly
///   bench/small-0 ... small-15           of 4096 bytes each
///   bench/list-N/file-0 ... file-(N-1)   N empty files, and nothing else
///
/// The exit code is 0 when all workloads ran, 1 when some could not, and 2 for a wrong command line.
#[derive(Debug, Parser)]
#[command(name = "ftpbench", version, max_term_width = 100, verbatim_doc_comment)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
#[command(disable_help_subcommand = true)]
struct CommandLine {
    #[command(flatten)]
    options: Option<Options>,

    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Measure what this machine can do at most, without a server
    Limits(Limits),
}

/// What is measured of the machine.
#[derive(Debug, Args)]
pub(crate) struct Limits {
    /// The length of a sample
    #[arg(long, value_name = "S", default_value = "3", value_parser = seconds)]
    pub(crate) seconds: Duration,

    /// Write JSON
    #[arg(long)]
    pub(crate) json: bool,

    /// Measure these only
    #[arg(value_name = "LIMIT", value_parser = limit)]
    pub(crate) names: Vec<String>,
}

/// What is measured of a server.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The server's name or address
    #[arg(long)]
    pub(crate) host: String,

    /// The server's port
    #[arg(long, value_name = "P", default_value_t = 21)]
    pub(crate) port: u16,

    /// An account that may read and write
    #[arg(long, value_name = "NAME")]
    user: String,

    /// Its password
    #[arg(long, value_name = "PW")]
    password: String,

    /// Protect control and data connections with TLS; certificates are not checked
    #[arg(long)]
    pub(crate) tls: bool,

    /// The server's first process, on this machine: its processor time and memory, and those of its
    /// descendants, are measured
    #[arg(long)]
    pub(crate) pid: Option<u32>,

    /// The length of a sample
    #[arg(long, value_name = "S", default_value = "3", value_parser = seconds)]
    pub(crate) seconds: Duration,

    /// The longest wait for the server, in seconds
    #[arg(long, value_name = "S", default_value = "30", value_parser = seconds)]
    timeout: Duration,

    /// The size of the big file
    #[arg(long, value_name = "MIB", default_value_t = 512)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) size: u32,

    /// Make the files that are needed, by FTP
    #[arg(long)]
    pub(crate) prepare: bool,

    /// Run on this processor only
    #[arg(long, value_name = "N")]
    pub(crate) cpu: Option<usize>,

    /// Write JSON
    #[arg(long)]
    pub(crate) json: bool,

    #[arg(value_name = "WORKLOAD", required = true, value_parser = named)]
    workloads: Vec<Named>,
}

/// What the program is asked to do.
pub(crate) enum Task {
    /// Measure a server.
    Bench(Options),
    /// Measure the machine.
    Limits(Limits),
}

/// Reads the command line.
pub(crate) fn read() -> Task {
    match CommandLine::parse() {
        CommandLine { command: Some(Command::Limits(limits)), .. } => Task::Limits(limits),
        CommandLine { options: Some(options), .. } => Task::Bench(options),
        // Without a command there have to be options.
        CommandLine { options: None, command: None } => unreachable!("clap asks for options"),
    }
}

impl Options {
    /// Returns the workloads in the order in which they were given.
    pub(crate) fn workloads(&self) -> Vec<Workload> {
        self.workloads.iter().flat_map(|Named(workloads)| workloads.clone()).collect()
    }

    /// Returns what is known of the server; of several addresses, one of IPv4.
    pub(crate) fn server(&self) -> Result<Server, String> {
        let found = (self.host.as_str(), self.port).to_socket_addrs();
        let found = found.map_err(|error| format!("--host {}: {error}", self.host))?;
        let found: Vec<SocketAddr> = found.collect();
        let best = found.iter().find(|address| address.is_ipv4()).or(found.first());
        Ok(Server {
            address: *best.ok_or_else(|| format!("--host {}: no address", self.host))?,
            user: self.user.clone(),
            password: self.password.clone(),
            tls: self.tls,
            timeout: self.timeout,
        })
    }
}

fn limit(name: &str) -> Result<String, String> {
    let is_known = ALL.iter().any(|(known, _)| *known == name);
    if is_known { Ok(name.to_owned()) } else { Err("there is no such limit".to_owned()) }
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "not a number of seconds".to_owned())?;
    let allowed = (0.001..=3600.0).contains(&seconds);
    if allowed { Ok(Duration::from_secs_f64(seconds)) } else { Err("not in an hour".to_owned()) }
}
