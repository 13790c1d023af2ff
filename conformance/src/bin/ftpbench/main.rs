//! `ftpbench`: measures how fast an FTP server is, any FTP server, and the machine's limits.

mod bench;
mod client;
mod control;
mod idle;
#[cfg(target_os = "linux")]
mod limits;
#[cfg(not(target_os = "linux"))]
#[path = "limits/absent.rs"]
mod limits;
mod machine;
mod options;
mod prepare;
mod report;
mod sample;
mod tls;
mod wire;
mod workload;

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

use bench::Settings;
use control::Control;
use options::{Options, Task};
use report::{Failed, Measured, Report};

/// A workload could not be carried out.
const FAILED: u8 = 1;
/// The command line is wrong.
const UNUSABLE: u8 = 2;

fn main() -> ExitCode {
    let (report, json) = match options::read() {
        Task::Bench(options) => (bench(&options), options.json),
        Task::Limits(limits) => (Ok(measure_limits(&limits)), limits.json),
    };
    let report = match report {
        Ok(report) => report,
        Err(error) => {
            eprintln!("ftpbench: {error}");
            return UNUSABLE.into();
        }
    };
    let text = if json { report.json() } else { report.table() };
    if let Err(error) = io::stdout().write_all(text.as_bytes()) {
        eprintln!("ftpbench: standard output: {error}");
        return FAILED.into();
    }
    if report.failed.is_empty() { ExitCode::SUCCESS } else { FAILED.into() }
}

/// Measures a server; fails where the options make no sense here.
fn bench(options: &Options) -> Result<Report, String> {
    let server = options.server()?;
    options.cpu.map_or(Ok(()), machine::pin)?;
    if let Some(pid) = options.pid {
        machine::Meter::start(Some(pid)).map_err(|error| format!("--pid: {error}"))?;
    }
    let size = u64::from(options.size) << 20;
    let settings = Settings { seconds: options.seconds, pid: options.pid, size };
    let mut report = Report {
        schema: 1,
        host: options.host.clone(),
        port: options.port,
        tls: options.tls,
        banner: Control::connect(&server, None).ok().map(|control| control.text()),
        results: Vec::new(),
        failed: Vec::new(),
    };
    let workloads = options.workloads();
    let progress = Progress::new(workloads.len());
    if options.prepare {
        progress.show(0, "--prepare");
        if let Err(error) = prepare::prepare(&workloads, &server, size) {
            report.failed.push(Failed { workload: "--prepare".to_owned(), error });
        }
    }
    for (done, workload) in workloads.into_iter().enumerate() {
        let name = workload.to_string();
        progress.show(done, &name);
        report.add(name, bench::run(workload, &server, &settings));
    }
    progress.clear();
    Ok(report)
}

fn measure_limits(options: &options::Limits) -> Report {
    let mut report = Report {
        schema: 1,
        host: "127.0.0.1".to_owned(),
        port: 0,
        tls: false,
        banner: None,
        results: Vec::new(),
        failed: Vec::new(),
    };
    let is_asked =
        |name: &str| options.names.is_empty() || options.names.iter().any(|it| it == name);
    let asked: Vec<_> = limits::ALL.iter().filter(|(name, _)| is_asked(name)).collect();
    let progress = Progress::new(asked.len());
    for (done, (name, limit)) in asked.into_iter().enumerate() {
        progress.show(done, name);
        let measured = limit(name, options.seconds);
        report.add((*name).to_owned(), measured.map(|measured| vec![measured]));
    }
    progress.clear();
    report
}

impl Report {
    fn add(&mut self, workload: String, measured: Result<Vec<Measured>, String>) {
        match measured {
            Ok(measured) => self.results.extend(measured),
            Err(error) => self.failed.push(Failed { workload, error }),
        }
    }
}

/// A line that says how far it is, on a terminal.
struct Progress {
    total: usize,
    is_shown: bool,
}

impl Progress {
    fn new(total: usize) -> Self {
        Self { total, is_shown: io::stderr().is_terminal() }
    }

    fn show(&self, done: usize, name: &str) {
        if self.is_shown {
            eprint!("\r\x1b[K{done} of {} {name}", self.total);
        }
    }

    fn clear(&self) {
        if self.is_shown {
            eprint!("\r\x1b[K");
        }
    }
}
