//! `wharf passwd`: makes the hash of a password.

use std::io::{self, BufRead, Read, Write};
use std::process::ExitCode;
use std::thread;

use rustix::termios::{LocalModes, OptionalActions, Termios, isatty, tcgetattr, tcsetattr};
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP};
use signal_hook::iterator::{Handle, Signals};
use wharf::hash_password;

use crate::fail;

/// The longest line that is read; [`hash_password`] has the limit of a password.
const LONGEST_LINE: u64 = 64 * 1024;

/// Reads a password and prints its hash.
pub(crate) fn passwd() -> ExitCode {
    let hash = read_password().and_then(|password| hash_password(&password));
    // That the hash could not be written is an error, unlike with other output.
    match hash.and_then(|hash| writeln!(io::stdout(), "{hash}")) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(1, &format!("passwd: {error}")),
    }
}

/// Asks for a password twice on a terminal; elsewhere takes the first line of standard input.
pub(super) fn read_password() -> io::Result<Vec<u8>> {
    if !isatty(io::stdin()) {
        return read_line();
    }
    let no_echo = NoEcho::begin()?;
    let first = ask("Password: ")?;
    let second = ask("Once more: ")?;
    drop(no_echo);
    if first == second { Ok(first) } else { Err(io::Error::other("the two are not the same")) }
}

fn ask(prompt: &str) -> io::Result<Vec<u8>> {
    let mut stderr = io::stderr();
    stderr.write_all(prompt.as_bytes())?;
    let password = read_line();
    // The Enter that was typed is not echoed either.
    stderr.write_all(b"\n")?;
    password
}

/// Reads a line without its end; one that is empty is an error.
fn read_line() -> io::Result<Vec<u8>> {
    let mut line = Vec::new();
    io::stdin().lock().take(LONGEST_LINE).read_until(b'\n', &mut line)?;
    if line.ends_with(b"\n") {
        line.pop();
        if line.ends_with(b"\r") {
            line.pop();
        }
    }
    if line.is_empty() { Err(io::Error::other("the password is empty")) } else { Ok(line) }
}

/// A terminal that does not show what is typed, until this is dropped or a signal ends the program.
struct NoEcho {
    before: Termios,
    signals: Handle,
}

impl NoEcho {
    fn begin() -> io::Result<Self> {
        let before = tcgetattr(io::stdin())?;
        let mut signals = Signals::new([SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP])?;
        let no_echo = Self { before: before.clone(), signals: signals.handle() };
        let mut quiet = before.clone();
        quiet.local_modes -= LocalModes::ECHO;
        tcsetattr(io::stdin(), OptionalActions::Flush, &quiet)?;
        // A signal that came since then waits for this thread.
        thread::Builder::new().name("wharf-signals".into()).spawn(move || {
            if let Some(signal) = signals.forever().next() {
                show(&before);
                let _ = io::stderr().write_all(b"\n");
                std::process::exit(128 + signal);
            }
        })?;
        Ok(no_echo)
    }
}

impl Drop for NoEcho {
    fn drop(&mut self) {
        show(&self.before);
        self.signals.close();
    }
}

fn show(before: &Termios) {
    let _ = tcsetattr(io::stdin(), OptionalActions::Now, before);
}
