//! `ftpspec`: tests any FTP server by what the RFCs say.

mod options;

use std::fs;
use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};

use options::{Options, Task};
use wharf_conformance::{
    Check, Expectations, Header, Report, Saved, Stranger, citation, page, requirements, run_checks,
};

/// All that counts has passed.
const PASSED: u8 = 0;
/// Something failed, or not as expected.
const FAILED: u8 = 1;
/// It could not be tried.
const UNUSABLE: u8 = 2;

fn main() -> ExitCode {
    let done = match options::read() {
        Task::Check(options) => check(&options),
        Task::List(only) => options::chosen(&only).map(|checks| list(&checks)),
        Task::Page { reports, output } => write_page(&reports, &output),
    };
    ExitCode::from(done.unwrap_or_else(|error| {
        eprintln!("ftpspec: {error}");
        UNUSABLE
    }))
}

fn list(checks: &[Check]) -> u8 {
    for row in requirements() {
        if checks.iter().any(|check| check.id == row.id) {
            println!("{:<26} {:<6}  {} ({})", row.id, row.level, row.name, citation(row));
        }
    }
    PASSED
}

fn check(options: &Options) -> Result<u8, String> {
    let checks = options::chosen(&options.only)?;
    let expectations = match &options.expect {
        Some(path) => {
            let parsed = Expectations::parse(&read(path)?);
            Some(parsed.map_err(|error| format!("{}: {error}", path.display()))?)
        }
        None => None,
    };
    let facts = options.facts()?;
    let server = facts.server;
    let header = Header {
        name: options.name.clone().unwrap_or_else(|| options.server.clone()),
        strict: options.strict,
    };
    let stranger = Stranger::meet(facts).map_err(|error| format!("{server}: {error}"))?;

    let progress = Progress::new(checks.len());
    let report = run_checks(&stranger, &checks, options.jobs, &|outcome| progress.show(outcome.id));
    progress.clear();
    write_reports(options, &header, &report)?;

    let Some(expectations) = expectations else {
        let failed = report.failures().next().is_some();
        return Ok(if failed { FAILED } else { PASSED });
    };
    let differences = expectations.differences(&report);
    for difference in &differences {
        eprintln!("ftpspec: not as expected: {difference}");
    }
    Ok(if differences.is_empty() { PASSED } else { FAILED })
}

/// Writes the reports that were asked for; the one for people unless another takes its place on
/// standard output.
fn write_reports(options: &Options, header: &Header, report: &Report) -> Result<(), String> {
    let mut shown = false;
    for (output, write) in [
        (&options.json, Report::json as fn(&Report, &Header) -> String),
        (&options.junit, Report::junit),
        (&options.markdown, Report::markdown),
    ] {
        if let Some(output) = output {
            shown |= output.as_os_str() == "-";
            write_to(output, &write(report, header))?;
        }
    }
    if shown { Ok(()) } else { write_to(Path::new("-"), &format!("{report}\n")) }
}

fn write_page(reports: &[std::path::PathBuf], output: &Path) -> Result<u8, String> {
    let parse = |path: &std::path::PathBuf| {
        Saved::parse(&read(path)?).map_err(|error| format!("{}: {error}", path.display()))
    };
    let reports = reports.iter().map(parse).collect::<Result<Vec<_>, _>>()?;
    write_to(output, &page(&reports))?;
    Ok(PASSED)
}

fn read(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}

/// Writes to a file, or to standard output where it is named `-`.
fn write_to(path: &Path, text: &str) -> Result<(), String> {
    let written = match path.as_os_str() == "-" {
        true => io::stdout().lock().write_all(text.as_bytes()),
        false => fs::write(path, text),
    };
    match written {
        // Whoever reads it has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written.map_err(|error| format!("{}: {error}", path.display())),
    }
}

/// A line that says how far it is, on a terminal.
struct Progress {
    total: usize,
    done: AtomicUsize,
    is_shown: bool,
}

impl Progress {
    fn new(total: usize) -> Self {
        let progress =
            Self { total, done: AtomicUsize::new(0), is_shown: io::stderr().is_terminal() };
        progress.write("");
        progress
    }

    fn show(&self, id: &str) {
        self.done.fetch_add(1, Ordering::Relaxed);
        self.write(id);
    }

    fn write(&self, id: &str) {
        if self.is_shown {
            let done = self.done.load(Ordering::Relaxed);
            eprint!("\r\x1b[K{done} of {} {id}", self.total);
        }
    }

    fn clear(&self) {
        if self.is_shown {
            eprint!("\r\x1b[K");
        }
    }
}
