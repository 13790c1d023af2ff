//! The command line of ftpspec.

use std::env;
use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::values::{account, address, host, is_elsewhere, seconds, sessions};
use clap::{Args, Parser, Subcommand, ValueEnum};
use wharf_conformance::{Check, Credentials, Facts, Protection, Settings, VirtualHost, all};

/// Tests an FTP server by what the RFCs say, and reports section by section.
///
/// It connects to the server and to nothing else, works in a new folder for each check, and removes
/// what it made. An account that may read and write is all that it needs:
///
///   FTPSPEC_PASSWORD=secret ftpspec --server 127.0.0.1:2121 --user anna
///
/// A check that cannot tell is skipped, and says which option would help. The exit code is 0 when
/// nothing failed, 1 when something did, and 2 when the server could not be tried at all.
#[derive(Debug, Parser)]
#[command(name = "ftpspec", version, max_term_width = 100, verbatim_doc_comment)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
#[command(disable_help_subcommand = true)]
struct CommandLine {
    #[command(flatten)]
    options: Options,

    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make one page in Markdown of several reports written with --json, a column for each
    Page {
        /// The reports, in the order of the columns
        #[arg(value_name = "REPORT.json", required = true)]
        reports: Vec<PathBuf>,

        /// Write the page here; - is standard output
        #[arg(long, value_name = "FILE", default_value = "-")]
        output: PathBuf,

        /// Add a section on what a server's makers say of it: CSV with the header
        /// section,feature,level,SERVER_says,id
        #[arg(long, value_name = "FILE.csv")]
        claims: Option<PathBuf>,

        /// Show the reports in that section whose names begin so, beside the server's own
        #[arg(long, value_name = "NAME", requires = "claims")]
        beside: Vec<String>,
    },
}

/// What the program is asked to do.
pub(crate) enum Task {
    /// Test a server.
    Check(Box<Options>),
    /// Show what there is to test.
    List(Vec<String>),
    /// Make one page of several reports.
    Page { reports: Vec<PathBuf>, output: PathBuf, claims: Option<PathBuf>, beside: Vec<String> },
}

/// How connections are protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum TlsMode {
    /// AUTH TLS
    Explicit,
    /// TLS from the first byte
    Implicit,
    /// No TLS, not even for the checks about it
    None,
}

/// How a server is to be tested.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Where the server listens; the port is 21 when it is left out
    #[arg(long, value_name = "HOST:PORT", default_value = "", hide_default_value = true)]
    #[arg(required_unless_present = "list")]
    pub(crate) server: String,

    /// The account to use. It has to be allowed to do everything in its directory
    #[arg(long, value_name = "NAME", required_unless_present = "list")]
    user: Option<String>,

    /// Read the password from the first line of this file, instead of from the environment variable
    /// FTPSPEC_PASSWORD
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,

    /// Make all connections like this. When it is left out, they are in clear, and TLS is checked
    /// where it is offered
    #[arg(long, value_name = "HOW")]
    tls: Option<TlsMode>,

    /// Work below this directory, instead of the one that a login begins in
    #[arg(long, value_name = "DIR")]
    root: Option<String>,

    /// Fail what a server SHOULD have and has not, and replies for which there are better ones
    #[arg(long)]
    pub(crate) strict: bool,

    /// Run this check alone, or those whose ids begin so; give it again for more
    #[arg(long, value_name = "ID")]
    pub(crate) only: Vec<String>,

    /// List the checks, with their levels and sections, and do nothing
    #[arg(long)]
    list: bool,

    /// The longest wait for the server, in seconds; a check as a whole may take twelve times that
    #[arg(long, value_name = "SECONDS", default_value_t = 10)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=3600))]
    timeout: u64,

    /// Run this many checks at a time. Servers that allow few sessions from one address want 1
    #[arg(long, value_name = "N", default_value_t = 1)]
    #[arg(value_parser = clap::value_parser!(u8).range(1..=64))]
    pub(crate) jobs: u8,

    #[command(flatten)]
    reports: Reports,

    #[command(flatten)]
    known: Known,
}

impl std::ops::Deref for Options {
    type Target = Reports;

    fn deref(&self) -> &Reports {
        &self.reports
    }
}

/// What is written.
#[derive(Debug, Args)]
#[command(next_help_heading = "Reports (FILE is a path, or - for standard output)")]
pub(crate) struct Reports {
    /// Write a report in JSON
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,

    /// Write a report in JUnit's XML
    #[arg(long, value_name = "FILE")]
    pub(crate) junit: Option<PathBuf>,

    /// Write a report in Markdown
    #[arg(long, value_name = "FILE")]
    pub(crate) markdown: Option<PathBuf>,

    /// Call the server this in reports, instead of by its address
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,

    /// Read the ids that are known to fail, one a line with the reason after it. What fails and is
    /// not there counts, and so does what is there and does not fail
    #[arg(long, value_name = "FILE")]
    pub(crate) expect: Option<PathBuf>,
}

/// What the program cannot find out.
#[derive(Debug, Args)]
#[command(
    next_help_heading = "What ftpspec cannot find out, each for checks that are else skipped"
)]
struct Known {
    /// Anonymous may log in, sees the tree that --user sees, and may not change it
    #[arg(long)]
    anonymous: bool,

    /// An account that may log in and nothing else; FILE holds the password
    #[arg(long, value_name = "USER:FILE", value_parser = account)]
    powerless: Option<(String, PathBuf)>,

    /// An account like --user that has to log in within TLS
    #[arg(long, value_name = "USER:FILE", value_parser = account)]
    tls_only: Option<(String, PathBuf)>,

    /// A virtual host for HOST (RFC 7151), and an account that only it knows
    #[arg(long, value_name = "NAME:USER:FILE", value_parser = host)]
    host: Option<(String, String, PathBuf)>,

    /// Where the server listens on IPv6
    #[arg(long, value_name = "[ADDRESS]:PORT")]
    ipv6: Option<SocketAddr>,

    /// Where the server listens for implicit FTPS
    #[arg(long, value_name = "PORT")]
    implicit: Option<u16>,

    /// How long the server waits for a command. It is waited for, several times
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    idle_timeout: Option<Duration>,

    /// How long the server waits for data, where that is something else
    #[arg(long, value_name = "SECONDS", value_parser = seconds, requires = "idle_timeout")]
    data_timeout: Option<Duration>,

    /// How late a failed login is answered
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    login_delay: Option<Duration>,

    /// How many failed logins end a session; else ten are tried
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100))]
    login_attempts: Option<u32>,

    /// A stored file takes the place of the old one only once it is whole
    #[arg(long)]
    atomic_uploads: bool,

    /// A file of more than 4 GiB (it may be sparse) whose last bytes may be overwritten
    #[arg(long, value_name = "PATH")]
    large_file: Option<String>,

    /// The server lets clients leave TLS with CCC
    #[arg(long)]
    ccc: bool,

    /// The server wants TLS from every client; --tls explicit goes with it
    #[arg(long, requires = "tls")]
    tls_required: bool,

    /// Data connections have to resume the TLS session; --tls-required goes with it
    #[arg(long, requires = "tls_required")]
    tls_resumption_required: bool,

    /// How many sessions there may be, altogether and from one address
    #[arg(long, value_name = "ALL:EACH", value_parser = sessions)]
    max_sessions: Option<[usize; 2]>,

    /// An address of this machine to be a stranger at: to name in PORT, and to connect from. When
    /// it is left out that is 127.0.0.2, and only where the server is at 127.0.0.1
    #[arg(long, value_name = "ADDRESS")]
    bounce_address: Option<IpAddr>,
}

/// Reads the command line.
pub(crate) fn read() -> Task {
    let CommandLine { options, command } = CommandLine::parse();
    match command {
        Some(Command::Page { reports, output, claims, beside }) => {
            Task::Page { reports, output, claims, beside }
        }
        None if options.list => Task::List(options.only),
        None => Task::Check(Box::new(options)),
    }
}

/// Returns the checks that are meant by `--only`.
pub(crate) fn chosen(only: &[String]) -> Result<Vec<Check>, String> {
    for prefix in only {
        if !all().any(|check| check.id.starts_with(prefix.as_str())) {
            return Err(format!("--only {prefix}: there is no such check, see --list"));
        }
    }
    let is_chosen = |check: &Check| {
        only.is_empty() || only.iter().any(|prefix| check.id.starts_with(prefix.as_str()))
    };
    Ok(all().filter(is_chosen).collect())
}

impl Options {
    /// Returns what is known of the server.
    pub(crate) fn facts(&self) -> Result<Facts, String> {
        let server = address(&self.server).map_err(|error| format!("--server {error}"))?;
        self.fits()?;
        self.known.bounce_address.map_or(Ok(()), |address| is_elsewhere(address, server))?;
        let user = self.user.clone().unwrap_or_default();
        let account = Credentials { password: self.password(&user)?, user };
        let known = &self.known;
        let host = known.host.as_ref().map(|(name, user, file)| {
            let credentials = credentials(&(user.clone(), file.clone()))?;
            Ok::<_, String>(VirtualHost { name: name.clone(), credentials })
        });
        let powerless = known.powerless.as_ref().map(credentials).transpose();
        let tls_only = known.tls_only.as_ref().map(credentials).transpose();
        Ok(Facts {
            protection: match self.tls {
                Some(TlsMode::Explicit) => Protection::Explicit,
                Some(TlsMode::Implicit) => Protection::Implicit,
                Some(TlsMode::None) | None => Protection::None,
            },
            without_tls: self.tls == Some(TlsMode::None),
            root: self.root.clone(),
            strict: self.strict,
            limit: Duration::from_secs(self.timeout),
            anonymous: known.anonymous,
            powerless: powerless.map_err(|error| format!("--powerless: {error}"))?,
            tls_only: tls_only.map_err(|error| format!("--tls-only: {error}"))?,
            ipv6: known.ipv6,
            implicit: known.implicit.map(|port| SocketAddr::new(server.ip(), port)),
            settings: Settings {
                idle_timeout: known.idle_timeout,
                data_timeout: known.data_timeout,
                login_delay: known.login_delay,
                login_attempts: known.login_attempts,
                atomic_uploads: known.atomic_uploads.then_some(true),
                tls_required: known.tls_required,
                resumption_required: known.tls_resumption_required.then_some(true),
                sessions: known.max_sessions,
                host: host.transpose().map_err(|error| format!("--host: {error}"))?,
                ..Settings::unknown()
            },
            large_file: known.large_file.clone(),
            ccc: known.ccc,
            bounce_address: known.bounce_address,
            ..Facts::new(server, account)
        })
    }

    /// Fails where options contradict each other.
    fn fits(&self) -> Result<(), String> {
        let known = &self.known;
        let tls = [
            ("--tls-required", known.tls_required),
            ("--ccc", known.ccc),
            ("--tls-only", known.tls_only.is_some()),
            ("--implicit", known.implicit.is_some()),
        ];
        let about_tls = tls.iter().find(|(_, given)| *given).map(|(option, _)| option);
        match about_tls.filter(|_| self.tls == Some(TlsMode::None)) {
            Some(option) => Err(format!("{option} is about TLS, and --tls none is without")),
            None if self.standard_output() > 1 => {
                Err("standard output takes one of --json, --junit and --markdown".to_owned())
            }
            None => Ok(()),
        }
    }

    /// Counts the reports that go to standard output.
    fn standard_output(&self) -> usize {
        let reports = [&self.json, &self.junit, &self.markdown].into_iter().flatten();
        reports.filter(|path| path.as_os_str() == "-").count()
    }

    fn password(&self, user: &str) -> Result<String, String> {
        if let Some(file) = &self.password_file {
            return first_line(file).map_err(|error| format!("--password-file: {error}"));
        }
        match env::var("FTPSPEC_PASSWORD") {
            Ok(password) => Ok(password),
            Err(env::VarError::NotUnicode(_)) => Err("FTPSPEC_PASSWORD is not UTF-8".to_owned()),
            Err(_) if ["anonymous", "ftp"].contains(&user) => Ok("ftpspec@example.org".to_owned()),
            Err(_) => Err("no password: give --password-file, or set FTPSPEC_PASSWORD".to_owned()),
        }
    }
}

fn credentials((user, file): &(String, PathBuf)) -> Result<Credentials, String> {
    Ok(Credentials { user: user.clone(), password: first_line(file)? })
}

fn first_line(path: &Path) -> Result<String, String> {
    let text = fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let line = text.lines().next().filter(|line| !line.is_empty());
    line.map(str::to_owned).ok_or_else(|| format!("{}: no password in it", path.display()))
}
