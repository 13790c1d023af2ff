//! The `wharf` program: serves a folder by FTP.

#![forbid(unsafe_code)]

mod commands;
mod login;
mod options;
mod remains;
mod tls;
mod welcome;

use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::thread;

use log::LevelFilter;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use wharf::{AccountsFile, Builder, Directory, PassivePorts, Permissions, Server, Stop};

use login::Login;
use options::{Exit, Options, Task};
use remains::Remains;
use tls::Ready;

/// Exit code for a mistake on the command line.
const USAGE: u8 = 2;

fn main() -> ExitCode {
    match Task::parse_from_args(std::env::args_os()) {
        Ok(Task::Serve(options)) => run(&options),
        Ok(Task::Check(options)) => commands::check(&options),
        Ok(Task::Passwd) => commands::passwd(),
        Err(Exit::Show(text)) => {
            print(&text);
            ExitCode::SUCCESS
        }
        Err(Exit::Mistake(text)) => fail(USAGE, &text),
    }
}

fn run(options: &Options) -> ExitCode {
    start_log(options);
    raise_file_limit();
    let directory = match login::open(options) {
        Ok(directory) => directory,
        Err(mistake) => return fail(USAGE, &mistake),
    };
    let login = match Login::choose(options) {
        Ok(login) => login,
        Err(mistakes) => {
            for mistake in &mistakes {
                fail(USAGE, mistake);
            }
            return ExitCode::from(USAGE);
        }
    };
    let tls = match options.tls.load(&options.listen, &login.hosts()) {
        Ok(tls) => tls,
        Err(mistake) => return fail(USAGE, &mistake),
    };
    if let Some(mistake) = login.in_vain(tls.is_some(), options.tls.tls_client_ca.is_some()) {
        return fail(USAGE, &mistake);
    }
    match serve(options, directory, login, tls) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(1, &error.to_string()),
    }
}

fn start_log(options: &Options) {
    let level = match options.verbose {
        0 => LevelFilter::Warn,
        1 => LevelFilter::Info,
        _ => LevelFilter::Debug,
    };
    env_logger::Builder::new().filter_level(level).init();
}

fn serve(
    options: &Options,
    directory: Directory,
    login: Login,
    tls: Option<Ready>,
) -> io::Result<()> {
    // Before the first thread, so that no signal is missed.
    let signals = Signals::new([SIGINT, SIGTERM, SIGHUP])?;
    let permissions = if options.write { Permissions::ALL } else { Permissions::READ_ONLY };
    let mut server = Server::builder()
        .listen(&options.listen[..])
        .listen_implicit(&options.tls.implicit_tls[..])
        .tls_required(options.tls.required())
        .tls_resumption(options.tls.tls_resumption)
        .allow_ccc(options.tls.allow_ccc)
        .backend(options.backend)
        .storage(directory.clone())
        .passive_ports(options.passive_ports.unwrap_or(PassivePorts::ANY))
        .max_sessions(options.max_sessions as usize)
        .max_sessions_per_address(options.max_sessions_per_address as usize)
        .login_attempts(options.max_login_attempts)
        .login_failures_per_address(options.max_login_failures)
        .login_cool_down(options.login_cool_down)
        .login_delay(options.login_delay)
        .idle_timeout(options.idle_timeout)
        .login_timeout(options.login_timeout)
        .data_timeout(options.data_timeout)
        .shutdown_grace(options.shutdown_timeout)
        .list_utc_offset_minutes(options.list_utc_offset)
        .allow_foreign_data(options.allow_foreign_data)
        .allow_privileged_ports(options.allow_privileged_ports)
        .mode_z(!options.no_mode_z)
        .atomic_uploads(!options.no_atomic_uploads);
    if let Some(address) = options.public_address {
        server = server.public_address(address);
    }
    let mut made_up = None;
    if let Some(ready) = tls {
        made_up = ready.made_up.then_some(ready.fingerprint);
        server = server.tls(ready.tls);
    }
    server = match &login {
        Login::Anonymous => server.anonymous(permissions),
        Login::User { name, password, .. } => server.user(name, password, permissions),
        Login::Accounts(accounts) => with_accounts(server, accounts),
    };
    let handle = server.spawn()?;
    let addresses = (handle.addresses(), handle.implicit_addresses());
    print(&welcome::text(options, &login, addresses, made_up.as_deref()));
    let stop = handle.stop();
    let login = Arc::new(login);
    let remains = Remains::look(directory, options.write, Arc::clone(&login))?;
    let thread = thread::Builder::new().name("wharf-signals".into());
    thread.spawn(move || obey(signals, &stop, &login, &remains))?;
    handle.wait()?;
    print("Stopped.\n");
    Ok(())
}

/// Lets in whom the accounts file names, those of its virtual hosts at their hosts.
fn with_accounts(server: Builder, accounts: &AccountsFile) -> Builder {
    let hosts = accounts.hosts().into_iter();
    hosts
        .fold(server, |server, host| server.host(host.name, host.accounts))
        .accounts(accounts.clone())
}

/// Does what signals ask for: to stop, to stop at once, to read the accounts again.
fn obey(mut signals: Signals, stop: &Stop, login: &Login, remains: &Remains) {
    let mut stopping = false;
    for signal in signals.forever() {
        match signal {
            SIGHUP => {
                login.reload();
                remains.look_again();
            }
            _ if stopping => std::process::exit(1),
            _ => {
                print("\nStopping; transfers may finish. Once more to stop at once.\n");
                stop.call();
                stopping = true;
            }
        }
    }
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
