//! Carries out workloads against a server.

use std::time::Duration;

use wharf_conformance::Tls;

use crate::client::{Client, log_in};
use crate::control::{Control, Result, Server};
use crate::idle;
use crate::machine::Meter;
use crate::report::{Measured, Unit};
use crate::sample::{Done, Load, sample};
use crate::workload::Workload;

/// The size of a small file.
pub(crate) const SMALL: u64 = 4096;
/// How many small files there are.
pub(crate) const SMALL_FILES: u32 = 16;
/// How many names a client stores small files under, one after another.
const SMALL_NAMES: u32 = 100;
/// How many bytes all clients together store at a time, so that memory suffices for a tmpfs.
const MOST_STORED: u64 = 2 << 30;
/// How many commands are sent at once.
const PIPELINED: usize = 100;

/// How to measure.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    /// The length of a sample.
    pub(crate) seconds: Duration,
    /// The server's first process.
    pub(crate) pid: Option<u32>,
    /// The size of the big file, in bytes.
    pub(crate) size: u64,
}

/// Carries out a workload; one of idle sessions has several results.
pub(crate) fn run(
    workload: Workload,
    server: &Server,
    settings: &Settings,
) -> Result<Vec<Measured>> {
    if let Workload::Idle(count) = workload {
        return idle::run(count, server, settings);
    }
    let loads = (0..workload.clients()).map(|number| load(workload, number, server, settings.size));
    let mut loads = loads.collect::<Result<Vec<_>>>()?;
    let unit = match workload {
        Workload::Retr(_) | Workload::Stor(_) => Unit::Bytes,
        Workload::List(count) | Workload::Mlsd(count) => Unit::Entries(count),
        _ => Unit::Operations,
    };
    let measured = measure(&workload.to_string(), unit, &mut loads, settings);
    drop(loads);
    remove_stored(workload, server);
    Ok(vec![measured?])
}

/// Takes a sample. The clients stay connected until the server's processor time was read.
pub(crate) fn measure(
    name: &str,
    unit: Unit,
    loads: &mut [Load],
    settings: &Settings,
) -> Result<Measured> {
    let meter = Meter::start(settings.pid)?;
    let sample = sample(loads, settings.seconds)?;
    Ok(Measured::new(name.to_owned(), loads.len() as u32, unit, &sample, meter.stop()?))
}

/// Connects a client, and returns what it does; `size` is that of the big file.
pub(crate) fn load(workload: Workload, number: u32, server: &Server, size: u64) -> Result<Load> {
    Ok(match workload {
        Workload::Retr(_) => retrieve(server, "RETR big".to_owned(), size)?,
        Workload::SmallRetr(_) => small_retrieve(server, number)?,
        Workload::Stor(clients) => {
            let size = size.min(MOST_STORED / u64::from(clients)).max(1);
            let mut client = Client::in_folder(server)?;
            let command = format!("STOR {}", stored(number));
            Box::new(move || Ok(Done { operations: 1, bytes: client.store(&command, size)? }))
        }
        Workload::SmallStor(_) => {
            let mut client = Client::in_folder(server)?;
            let names = (0..SMALL_NAMES).map(|at| small_stored(number, at));
            let commands: Vec<_> = names.map(|name| format!("STOR {name}")).collect();
            let mut next = 0;
            Box::new(move || {
                let command = &commands[next % commands.len()];
                next += 1;
                Ok(Done { operations: 1, bytes: client.store(command, SMALL)? })
            })
        }
        Workload::Login(_) => login(server),
        Workload::Noop | Workload::Idle(_) => noop(server)?,
        Workload::NoopPipelined => pipelined(server)?,
        Workload::List(count) => list(server, "LIST", count)?,
        Workload::Mlsd(count) => list(server, "MLSD", count)?,
    })
}

/// Retrieves a file of this size.
fn retrieve(server: &Server, command: String, size: u64) -> Result<Load> {
    let mut client = Client::in_folder(server)?;
    Ok(Box::new(move || {
        let bytes = client.retrieve(&command, |_| ())?;
        if bytes != size {
            return Err(format!("{command}: {bytes} bytes came instead of {size}"));
        }
        Ok(Done { operations: 1, bytes })
    }))
}

/// Retrieves one of the small files.
pub(crate) fn small_retrieve(server: &Server, number: u32) -> Result<Load> {
    retrieve(server, format!("RETR small-{}", number % SMALL_FILES), SMALL)
}

/// Sends NOOP and waits for the reply.
pub(crate) fn noop(server: &Server) -> Result<Load> {
    let mut control = control(server)?;
    Ok(Box::new(move || {
        control.expect("NOOP", &[200])?;
        Ok(Done { operations: 1, bytes: 0 })
    }))
}

/// Sends many NOOPs at once, and waits for all replies.
fn pipelined(server: &Server) -> Result<Load> {
    let mut control = control(server)?;
    let lines = b"NOOP\r\n".repeat(PIPELINED);
    Ok(Box::new(move || {
        control.send(&lines, "NOOP")?;
        for _ in 0..PIPELINED {
            let code = control.reply("NOOP")?;
            control.check("NOOP", code, &[200])?;
        }
        Ok(Done { operations: PIPELINED as u64, bytes: 0 })
    }))
}

fn control(server: &Server) -> Result<Control> {
    log_in(server, server.tls.then(Tls::new).as_ref(), None)
}

/// Connects, logs in as a new client does, without a session to resume, and quits.
fn login(server: &Server) -> Load {
    let tls = server.tls.then(Tls::new);
    let server = server.clone();
    Box::new(move || {
        tls.as_ref().inspect(|tls| tls.forget());
        let mut control = log_in(&server, tls.as_ref(), None)?;
        control.expect("QUIT", &[221])?;
        Ok(Done { operations: 1, bytes: 0 })
    })
}

/// Lists a directory. Servers may add entries for the directory itself and its parent, and a total.
fn list(server: &Server, command: &'static str, count: u32) -> Result<Load> {
    let mut client = Client::in_folder(server)?;
    let entered = client.control.expect(&format!("CWD list-{count}"), &[250, 200]);
    entered.map_err(|error| format!("{error} (--prepare makes it)"))?;
    let count = u64::from(count);
    Ok(Box::new(move || {
        let mut lines = 0;
        let count_lines = |part: &[u8]| lines += part.iter().filter(|&&it| it == b'\n').count();
        let bytes = client.retrieve(command, count_lines)?;
        if !(count..=count + 3).contains(&(lines as u64)) {
            return Err(format!("{command}: {lines} lines came, and there are {count} entries"));
        }
        Ok(Done { operations: 1, bytes })
    }))
}

fn stored(number: u32) -> String {
    format!("stored-{number}")
}

fn small_stored(number: u32, at: u32) -> String {
    format!("small-stored-{number}-{at}")
}

/// Removes what a workload has stored, as far as that is possible.
fn remove_stored(workload: Workload, server: &Server) {
    let names: Vec<_> = match workload {
        Workload::Stor(clients) => (0..clients).map(stored).collect(),
        Workload::SmallStor(clients) => (0..clients)
            .flat_map(|number| (0..SMALL_NAMES).map(move |at| small_stored(number, at)))
            .collect(),
        _ => return,
    };
    let Ok(mut client) = Client::in_folder(server) else { return };
    for name in names {
        if client.control.command(&format!("DELE {name}")).is_err() {
            return;
        }
    }
}
