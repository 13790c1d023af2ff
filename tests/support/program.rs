//! The `wharf` program while it runs.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use super::Client;

/// The program while it runs; killed if a test ends without stopping it.
pub(crate) struct Program {
    pub(crate) child: Child,
    output: BufReader<ChildStdout>,
    /// What it printed until it was ready.
    pub(crate) welcome: String,
    pub(crate) address: SocketAddr,
}

/// The program, about to serve a folder.
pub(crate) fn command(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wharf"));
    command.arg(folder).env_remove("WHARF_PASSWORD").stdin(Stdio::null());
    command
}

impl Program {
    /// Serves the folder on a free port; returns when it has told how to reach it.
    pub(crate) fn start(folder: &Path, adjust: impl FnOnce(&mut Command)) -> Self {
        let mut command = command(folder);
        command.args(["--listen", "127.0.0.1:0", "--login-delay", "0"]).stdout(Stdio::piped());
        adjust(&mut command);
        Self::ready(command)
    }

    /// Starts it by a command whose standard output is piped; returns when it has told how to
    /// reach it.
    pub(crate) fn ready(mut command: Command) -> Self {
        let mut child = command.spawn().unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let mut welcome = String::new();
        while !welcome.contains("Ctrl-C") {
            if output.read_line(&mut welcome).unwrap() == 0 {
                let mut log = String::new();
                if let Some(mut stderr) = child.stderr.take() {
                    stderr.read_to_string(&mut log).unwrap();
                }
                panic!("it ended: {:?}: {welcome}{log}", child.wait());
            }
        }
        let (_, rest) = welcome.split_once("ftp://").unwrap();
        let address = rest.split('/').next().unwrap().parse().unwrap();
        Self { child, output, welcome, address }
    }

    pub(crate) fn log_in(&self, user: &str, password: &str, code: u16) -> Client {
        let mut client = Client::dial(self.address).unwrap();
        client.expect(220);
        client.ask(&format!("USER {user}"), 331);
        client.ask(&format!("PASS {password}"), code);
        client
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Sends a signal; returns the exit code and what else it printed.
    pub(crate) fn end(mut self, signal: Signal) -> (Option<i32>, String) {
        self.signal(signal);
        let mut rest = String::new();
        self.output.read_to_string(&mut rest).unwrap();
        (self.child.wait().unwrap().code(), rest)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
