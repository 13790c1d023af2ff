//! The `wharf` program: serves a folder by FTP.

#![forbid(unsafe_code)]

mod options;

use std::fs;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::process::ExitCode;
use std::thread;

use log::LevelFilter;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use wharf::{Directory, PassivePorts, Permissions, Server};

use options::{Exit, Options};

/// Exit code for a mistake on the command line.
const USAGE: u8 = 2;

fn main() -> ExitCode {
    let options = match Options::parse_from_args(std::env::args_os()) {
        Ok(options) => options,
        Err(Exit::Show(text)) => {
            print(&text);
            return ExitCode::SUCCESS;
        }
        Err(Exit::Mistake(text)) => return fail(USAGE, &text),
    };
    let level = match options.verbose {
        0 => LevelFilter::Warn,
        1 => LevelFilter::Info,
        _ => LevelFilter::Debug,
    };
    env_logger::Builder::new().filter_level(level).init();
    raise_file_limit();
    let directory = match Directory::open(&options.directory) {
        Ok(directory) => directory,
        Err(error) => {
            let shown = options.directory.display();
            return fail(USAGE, &format!("cannot serve the folder {shown}: {error}"));
        }
    };
    let login = match Login::choose(&options) {
        Ok(login) => login,
        Err(mistake) => return fail(USAGE, &mistake),
    };
    match serve(&options, directory, login) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(1, &error.to_string()),
    }
}

fn serve(options: &Options, directory: Directory, login: Login) -> io::Result<()> {
    // Before the first thread, so that no signal is missed.
    let mut signals = Signals::new([SIGINT, SIGTERM])?;
    let permissions = if options.write { Permissions::ALL } else { Permissions::READ_ONLY };
    let mut server = Server::builder()
        .listen(&options.listen[..])
        .backend(options.backend)
        .storage(directory)
        .passive_ports(options.passive_ports.unwrap_or(PassivePorts::ANY))
        .max_sessions(options.max_sessions as usize)
        .max_sessions_per_address(options.max_sessions_per_address as usize)
        .login_attempts(options.max_login_attempts)
        .login_delay(options.login_delay)
        .idle_timeout(options.idle_timeout)
        .login_timeout(options.login_timeout)
        .data_timeout(options.data_timeout)
        .shutdown_grace(options.shutdown_timeout)
        .list_utc_offset_minutes(options.list_utc_offset)
        .allow_foreign_data(options.allow_foreign_data)
        .allow_privileged_ports(options.allow_privileged_ports)
        .atomic_uploads(!options.no_atomic_uploads);
    if let Some(address) = options.public_address {
        server = server.public_address(address);
    }
    server = match &login {
        Login::Anonymous => server.anonymous(permissions),
        Login::User { name, password, .. } => server.user(name, password, permissions),
    };
    let handle = server.spawn()?;
    print(&welcome(options, &login, handle.addresses()));
    let stop = handle.stop();
    thread::Builder::new().name("wharf-signals".into()).spawn(move || {
        let mut signals = signals.forever();
        if signals.next().is_some() {
            print("\nStopping; transfers may finish. Once more to stop at once.\n");
            stop.call();
        }
        if signals.next().is_some() {
            std::process::exit(1);
        }
    })?;
    handle.wait()?;
    print("Stopped.\n");
    Ok(())
}

/// Who may come in.
enum Login {
    Anonymous,
    User { name: String, password: String, generated: bool },
}

impl Login {
    fn choose(options: &Options) -> Result<Self, String> {
        let Some(name) = options.user.clone() else {
            if std::env::var_os("WHARF_PASSWORD").is_some() {
                log::warn!("WHARF_PASSWORD is not used: without --user, anybody may log in");
            }
            return Ok(Self::Anonymous);
        };
        if name.is_empty() {
            return Err("--user: a name is wanted".into());
        }
        let given = match &options.password_file {
            Some(file) => {
                let text = fs::read_to_string(file).map_err(|error| {
                    format!("--password-file: cannot read {}: {error}", file.display())
                })?;
                let first = text.lines().next().unwrap_or_default().to_string();
                if first.is_empty() {
                    let file = file.display();
                    return Err(format!("--password-file: the first line of {file} is empty"));
                }
                Some(first)
            }
            None => match std::env::var("WHARF_PASSWORD") {
                Ok(empty) if empty.is_empty() => {
                    return Err("WHARF_PASSWORD is empty: set it to a password, or unset it".into());
                }
                Ok(password) => Some(password),
                Err(std::env::VarError::NotPresent) => None,
                Err(error) => return Err(format!("WHARF_PASSWORD: {error}")),
            },
        };
        let generated = given.is_none();
        let password = given.map_or_else(generate_password, Ok)?;
        Ok(Self::User { name, password, generated })
    }
}

/// Makes up a password of 80 random bits, in letters that are not taken for one another.
fn generate_password() -> Result<String, String> {
    const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
    let mut random = [0; 16];
    getrandom::fill(&mut random).map_err(|error| format!("no randomness: {error}"))?;
    Ok(random.map(|byte| char::from(LETTERS[usize::from(byte % 32)])).iter().collect())
}

/// Tells a newcomer what is going on, and how to reach it.
fn welcome(options: &Options, login: &Login, addresses: &[SocketAddr]) -> String {
    let folder = options.directory.canonicalize().unwrap_or_else(|_| options.directory.clone());
    let (may, whom) = match (login, options.write) {
        (Login::Anonymous, false) => ("read-only", "anybody".to_string()),
        (Login::Anonymous, true) => ("for reading and WRITING", "ANYBODY".to_string()),
        (Login::User { name, .. }, false) => ("read-only", format!("the user {name}")),
        (Login::User { name, .. }, true) => ("for reading and writing", format!("the user {name}")),
    };
    let mut text = format!("Serving {} {may} to {whom}.\n\n", folder.display());
    if let Login::User { password, generated: true, .. } = login {
        text += &format!("  Password: {password}   (shown only now)\n\n");
    }
    text += "Connect with an FTP client, or try:\n";
    for address in addresses {
        let port = address.port();
        let place = match address.ip() {
            ip if ip.is_unspecified() => format!("<address of this computer>:{port}"),
            _ => address.to_string(),
        };
        text += &match login {
            Login::Anonymous => format!("  curl ftp://{place}/\n"),
            Login::User { name, .. } => format!("  curl --user {name} ftp://{place}/\n"),
        };
    }
    if addresses.iter().all(|address| address.ip().is_loopback()) {
        text += "\nOnly this computer can reach it; --listen 0.0.0.0:2121 lets others do so too.\n";
    } else {
        text += "\nThere is no encryption: use it in networks that you trust.\n";
    }
    text + "Press Ctrl-C to stop.\n"
}

/// Allows as many open files as the system lets us: each session has up to four.
fn raise_file_limit() {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        log::debug!("limit of open files stays as it is: {error}");
    }
}

fn fail(code: u8, text: &str) -> ExitCode {
    // Nobody to tell it is no reason to fail differently.
    let _ = writeln!(io::stderr(), "wharf: {text}");
    ExitCode::from(code)
}

fn print(text: &str) {
    let mut stdout = io::stdout().lock();
    let _ = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
}
