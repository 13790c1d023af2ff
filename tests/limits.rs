//! Limits that the system sets the program: what goes past one fails alone, and all others are
//! served.

#![cfg(target_os = "linux")]

mod support;

use std::fs;
use std::path::Path;
use std::process::Stdio;

use rustix::process::{Pid, Resource, Rlimit, Signal, prlimit};
use wharf::Backend;

use support::program::Program;
use support::{for_each_driver, noise};

for_each_driver!(
    an_upload_past_the_file_size_limit_fails_alone,
    a_log_past_the_file_size_limit_ends_nothing,
    processor_time_that_is_used_up_ends_it_in_order,
);

/// Bytes that a file may have.
const LIMIT: usize = 300_000;

fn start(folder: &Path, backend: Backend, args: &[&str], stderr: Stdio) -> Program {
    Program::start(folder, |command| {
        command.args(["--backend", backend.name(), "--write"]).args(args).stderr(stderr);
    })
}

/// Limits the program while it runs.
fn limit(program: &Program, resource: Resource, current: u64) {
    let limit = Rlimit { current: Some(current), maximum: None };
    prlimit(Some(Pid::from_child(&program.child)), resource, limit).unwrap();
}

fn an_upload_past_the_file_size_limit_fails_alone(backend: Backend) {
    for args in [&[][..], &["--no-atomic-uploads"], &["--no-mode-z"]] {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("old"), "old content").unwrap();
        let program = start(folder.path(), backend, args, Stdio::null());
        limit(&program, Resource::Fsize, LIMIT as u64);
        let mut other = program.log_in("anonymous", "x", 230);
        let mut client = program.log_in("anonymous", "x", 230);
        client.ask("TYPE I", 200);
        for command in ["STOR new", "STOR old", "APPE grown", "STOU"] {
            let data = client.begin(command);
            // The server may close before it has read everything.
            let _ = std::io::Write::write_all(&mut &data, &noise(3 * LIMIT));
            drop(data);
            client.expect(552);
        }
        other.ask("NOOP", 200);
        // What fits is taken, to the last byte.
        client.put("STOR fits", &noise(LIMIT));
        assert_eq!(fs::read(folder.path().join("fits")).unwrap(), noise(LIMIT));
        if args != ["--no-atomic-uploads"] {
            assert_eq!(fs::read(folder.path().join("old")).unwrap(), b"old content");
        }
        assert_eq!(program.end(Signal::TERM).0, Some(0));
    }
}

fn a_log_past_the_file_size_limit_ends_nothing(backend: Backend) {
    let folder = tempfile::tempdir().unwrap();
    let log = tempfile::NamedTempFile::new().unwrap();
    let args = ["-vv", "--log-lines", "0"];
    let program = start(folder.path(), backend, &args, log.reopen().unwrap().into());
    limit(&program, Resource::Fsize, 1000);
    let mut client = program.log_in("anonymous", "x", 230);
    for _ in 0..100 {
        client.ask("PORT 192,0,2,1,200,1", 501);
    }
    assert_eq!(program.end(Signal::TERM).0, Some(0));
    assert_eq!(log.as_file().metadata().unwrap().len(), 1000);
}

fn processor_time_that_is_used_up_ends_it_in_order(backend: Backend) {
    let folder = tempfile::tempdir().unwrap();
    let program = start(folder.path(), backend, &[], Stdio::null());
    let mut client = program.log_in("anonymous", "x", 230);
    program.signal(Signal::XCPU);
    client.expect(421);
    // Nor does the next one hurry it.
    assert_eq!(program.end(Signal::XCPU).0, Some(0));
}
