//! `ftpspec`: tests any FTP server by what the RFCs say.

mod options;
mod values;

use std::fs;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::{ExitCode, exit};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use options::{Options, Task};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use wharf_conformance::{
    Check, Claims, Expectations, Header, Report, Saved, Stranger, Target, citation, escaped,
    folder_prefix, page, requirements, run_checks,
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
        Task::Page { reports, output, claims, beside } => {
            write_page(&reports, &output, claims.as_deref(), &beside)
        }
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
    let mut outputs = Outputs::open(options)?;
    let server = facts.server;
    let header = Header {
        name: options.name.clone().unwrap_or_else(|| options.server.clone()),
        strict: options.strict,
    };
    let stranger = Stranger::meet(facts);
    let stranger =
        stranger.map_err(|error| format!("{server}: {}", escaped(&error.to_string())))?;

    say_what_is_left(stranger.root())?;

    let progress = Progress::new(checks.len());
    let jobs = usize::from(options.jobs);
    let report = run_checks(&stranger, &checks, jobs, &|outcome| progress.show(outcome.id));
    progress.clear();
    outputs.write(&header, &report)?;

    let Some(expectations) = expectations else {
        let failed = report.failures().next().is_some();
        return Ok(if failed { FAILED } else { PASSED });
    };
    let differences = expectations.differences(&report);
    for difference in &differences {
        eprintln!("ftpspec: not as expected: {}", escaped(difference));
    }
    Ok(if differences.is_empty() { PASSED } else { FAILED })
}

/// Has Ctrl-C and SIGTERM end the program at once, with a word on the folders that are then left.
fn say_what_is_left(root: String) -> Result<(), String> {
    let signals = Signals::new([SIGINT, SIGTERM]);
    let mut signals = signals.map_err(|error| format!("waiting for signals: {error}"))?;
    thread::spawn(move || {
        if let Some(signal) = signals.forever().next() {
            eprintln!("\nftpspec: stopped; on the server there may be {root}/{}*", folder_prefix());
            exit(128 + signal);
        }
    });
    Ok(())
}

/// How a report is written.
type Form = fn(&Report, &Header) -> String;

/// The reports that were asked for, and where they go.
struct Outputs(Vec<(PathBuf, Box<dyn Write>, Form)>);

impl Outputs {
    /// Opens them, so that a wrong path is told before the checks.
    fn open(options: &Options) -> Result<Self, String> {
        let forms = [
            (&options.json, Report::json as Form),
            (&options.junit, Report::junit),
            (&options.markdown, Report::markdown),
        ];
        let asked = forms.into_iter().filter_map(|(path, form)| Some((path.as_ref()?, form)));
        let opened = asked.map(|(path, form)| Ok((path.clone(), open(path)?, form)));
        opened.collect::<Result<_, String>>().map(Self)
    }

    /// Writes them all, and the one for people unless another takes its place on standard output.
    fn write(&mut self, header: &Header, report: &Report) -> Result<(), String> {
        if !self.0.iter().any(|(path, ..)| path.as_os_str() == "-") {
            let mut output = io::stdout();
            write_to(Path::new("-"), &mut output, &format!("{report}\n"))?;
        }
        let written = self.0.iter_mut();
        let written = written.map(|(path, to, form)| write_to(path, to, &form(report, header)));
        // One that cannot be written is no reason to go without the others.
        written.fold(Ok(()), Result::and)
    }
}

fn write_page(
    reports: &[PathBuf],
    output: &Path,
    claims: Option<&Path>,
    beside: &[String],
) -> Result<u8, String> {
    let parse = |path: &PathBuf| {
        Saved::parse(&read(path)?).map_err(|error| format!("{}: {error}", path.display()))
    };
    let reports = reports.iter().map(parse).collect::<Result<Vec<_>, _>>()?;
    let parse = |path: &Path| {
        Claims::parse(&read(path)?).map_err(|error| format!("{}: {error}", path.display()))
    };
    let claims = claims.map(parse).transpose()?;
    let text = page(&reports, claims.as_ref().map(|claims| (claims, beside)));
    write_to(output, &mut *open(output)?, &text)?;
    Ok(PASSED)
}

fn read(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}

/// Opens a file to write, or standard output where it is named `-`.
fn open(path: &Path) -> Result<Box<dyn Write>, String> {
    if path.as_os_str() == "-" {
        return Ok(Box::new(io::stdout()));
    }
    let file = fs::File::create(path).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(Box::new(file))
}

fn write_to(path: &Path, output: &mut dyn Write, text: &str) -> Result<(), String> {
    match output.write_all(text.as_bytes()).and_then(|()| output.flush()) {
        // The reader has seen enough.
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
