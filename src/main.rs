//! The `wharf` program: serves a folder by FTP.

#![forbid(unsafe_code)]

mod commands;
mod event_log;
mod log_bound;
mod logger;
mod login;
mod networks;
mod options;
mod output;
mod remains;
mod run_as;
mod tls;
mod warnings;
mod welcome;

use std::io;
use std::process::ExitCode;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGXCPU};
use signal_hook::iterator::Signals;
use wharf::{
    AccountsFile, Directory, ListBounds, PassivePorts, Permissions, Server, ServerBuilder, Stop,
};

use login::Login;
use options::{Exit, Options, Task};
use output::{STDERR, STDOUT};
use remains::Remains;
use run_as::{Identity, RunAs};
use tls::Ready;

/// Exit code for a mistake on the command line.
const USAGE: u8 = 2;

/// How long the program waits at its end for readers of its output.
const OUTPUT_TIMEOUT: Duration = Duration::from_secs(2);

fn main() -> ExitCode {
    let mut timeout = None;
    let code = match Task::parse_from_args(std::env::args_os()) {
        Ok(Task::Serve(options)) => {
            timeout = Some(OUTPUT_TIMEOUT);
            run(&options)
        }
        Ok(Task::Check(options)) => commands::check(&options),
        Ok(Task::Passwd) => commands::passwd(),
        Ok(Task::User(command)) => commands::user(&command),
        Err(Exit::Show(text)) => {
            print(&text);
            ExitCode::SUCCESS
        }
        Err(Exit::Mistake(text)) => fail(USAGE, &text),
    };
    finish(timeout);
    code
}

/// Writes the output that is left; a reader that does not read delays that by `timeout` at most.
fn finish(timeout: Option<Duration>) {
    let start = std::time::Instant::now();
    STDOUT.finish(timeout);
    logger::finish(timeout.map(|timeout| timeout.saturating_sub(start.elapsed())));
}

fn run(options: &Options) -> ExitCode {
    logger::start(options);
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
    if let Some(mistake) = login.unmet_needs(tls.is_some(), options.tls.tls_client_ca.is_some()) {
        return fail(USAGE, &mistake);
    }
    let identity = match options.run_as.as_ref().map(RunAs::find).transpose() {
        Ok(identity) => identity,
        Err(mistake) => return fail(USAGE, &mistake),
    };
    match serve(options, directory, login, tls, identity) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(1, &error.to_string()),
    }
}

fn serve(
    options: &Options,
    directory: Directory,
    login: Login,
    tls: Option<Ready>,
    identity: Option<Identity>,
) -> io::Result<()> {
    // Before the first thread, so that no signal is missed.
    let signals = Signals::new([SIGINT, SIGTERM, SIGHUP, SIGXCPU])?;
    let permissions = if options.write { Permissions::ALL } else { Permissions::READ_ONLY };
    let mut server = Server::builder()
        .listen(&options.listen[..])
        .listen_implicit(&options.tls.implicit_tls[..])
        .tls_required(options.tls.required())
        .tls_resumption(options.tls.tls_resumption)
        .tls_upload_end(options.tls.tls_upload_end)
        .allow_ccc(options.tls.allow_ccc)
        .backend(options.backend)
        .passive_ports(options.passive_ports.unwrap_or(PassivePorts::ANY))
        .max_sessions(options.max_sessions as usize)
        .max_sessions_per_address(options.max_sessions_per_address as usize)
        .storage_threads(options.storage_threads as usize)
        .max_stuck_calls(options.max_stuck_calls as usize)
        .max_transfer_memory(u64::from(options.max_transfer_memory) << 20)
        .max_login_attempts(options.max_login_attempts)
        .max_login_failures(options.max_login_failures)
        .login_cool_down(options.login_cool_down)
        .login_delay(options.login_delay)
        .idle_timeout(options.idle_timeout)
        .login_timeout(options.login_timeout)
        .data_timeout(options.data_timeout)
        .shutdown_timeout(options.shutdown_timeout)
        // The log has a bound of its own, which counts what was left out of all sessions.
        .log_lines_per_minute(0)
        .list_utc_offset_minutes(options.list_utc_offset)
        .list_bounds(ListBounds {
            entries: options.list_entries,
            depth: options.list_depth,
            ..ListBounds::default()
        })
        .allow_foreign_data(options.allow_foreign_data)
        .allow_privileged_ports(options.allow_privileged_ports)
        .mode_z(!options.no_mode_z)
        .atomic_uploads(!options.no_atomic_uploads)
        .on_hangup(options.on_hangup);
    server = options.networks.apply(server);
    let mut self_signed = None;
    if let Some(ready) = tls {
        self_signed = ready.self_signed.then_some(ready.fingerprint);
        server = server.tls(ready.tls);
    }
    server = match &login {
        Login::Anonymous => server.storage(directory.clone()).anonymous(permissions),
        Login::User { name, password, .. } => {
            server.storage(directory.clone()).user(name, password, permissions)
        }
        Login::Accounts(accounts) => with_accounts(server, accounts),
    };
    let bound = event_log::watch(server).bind()?;
    warnings::running_as_root(options);
    warnings::exposed_files(options, &directory, &login);
    if let (Some(identity), Some(run_as)) = (identity, &options.run_as) {
        // Before the first thread: capabilities are each thread's own.
        let become_it = identity.assume();
        become_it.map_err(|mistake| io::Error::other(format!("--run-as {run_as}: {mistake}")))?;
        warnings::missing_rights(options, &login, &format!("user {run_as}"));
    }
    logger::write().and_then(|()| STDOUT.start(|| ())).map_err(no_thread)?;
    let handle = bound.spawn()?;
    let addresses = (handle.addresses(), handle.implicit_addresses());
    let welcome = welcome::text(options, &login, addresses, self_signed.as_deref());
    let stop = handle.stop_handle();
    let login = Arc::new(login);
    let remains = Remains::look(directory.clone(), options.write, Arc::clone(&login));
    let remains = remains.map_err(no_thread)?;
    let thread = thread::Builder::new().name("wharf-signals".into());
    let reload = reload(options.clone(), directory, login, remains);
    thread.spawn(move || obey(signals, &stop, reload)).map_err(no_thread)?;
    // All that it needs is there.
    print(&welcome);
    handle.wait()?;
    print("Stopped.\n");
    Ok(())
}

/// Sets up the accounts of the file, and of each virtual host in it.
fn with_accounts(server: ServerBuilder, accounts: &AccountsFile) -> ServerBuilder {
    let hosts = accounts.hosts().into_iter();
    hosts
        .fold(server, |server, host| server.host(host.name, host.accounts))
        .accounts(accounts.clone())
}

/// Returns a function that reads the accounts again, on a thread of its own: a disk that does not
/// answer must not keep the program from being stopped.
fn reload(
    options: Options,
    directory: Directory,
    login: Arc<Login>,
    remains: Remains,
) -> impl Fn() {
    let all = Arc::new((options, directory, login, remains));
    move || {
        let all = all.clone();
        let thread = thread::Builder::new().name("wharf-reload".into());
        let started = thread.spawn(move || {
            let (options, directory, login, remains) = &*all;
            login.reload();
            options.networks.look_up_names();
            remains.look_again();
            warnings::exposed_files(options, directory, login);
        });
        if let Err(error) = started {
            log::error!("accounts not reloaded: {}", no_thread(error));
        }
    }
}

/// Does what signals ask for: to stop, to stop at once, to read the accounts again.
fn obey(mut signals: Signals, stop: &Stop, reload: impl Fn()) {
    let mut stopping = false;
    for signal in signals.forever() {
        match signal {
            SIGHUP => reload(),
            // It comes again each second, up to the hard limit.
            SIGXCPU => {
                log::error!("stopping: the processor time that RLIMIT_CPU allows is used up");
                stop.call();
            }
            _ if stopping => {
                finish(Some(Duration::ZERO));
                std::process::exit(1);
            }
            _ => {
                stop.call();
                print("\nStopping; transfers may finish. Once more to stop at once.\n");
                stopping = true;
            }
        }
    }
}

/// Allows as many open files as the system lets us: sessions and transfers take them.
fn raise_file_limit() {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        log::debug!("limit of open files stays as it is: {error}");
    }
}

fn no_thread(error: io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("cannot start a thread: {error}"))
}

fn fail(code: u8, text: &str) -> ExitCode {
    STDERR.push(format!("wharf: {text}\n").as_bytes());
    ExitCode::from(code)
}

fn print(text: &str) {
    STDOUT.push(text.as_bytes());
}
