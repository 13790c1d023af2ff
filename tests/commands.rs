//! The accounts file as the program serves it, and the commands that go with it.

mod support;

use std::fs::{self, File, Permissions};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{ChildStderr, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use rustix::fs::{Mode, OFlags};
use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, tcgetattr};

use support::LIMIT;
use support::program::Program;

/// Hashes of "old" and "new" that take no time.
const OLD: &str =
    "$argon2id$v=19$m=8,t=1,p=1$zlRmvLE26nIGE9ppWO/vrw$1RIFSAy+dU6KTlOgA4oFZZMi5NT/Su/qCVLSyjG/aB8";
const NEW: &str =
    "$argon2id$v=19$m=8,t=1,p=1$ny4o/z03YYM0U6ycu87ozA$9qd0RzGh6W/du5na7rJ3MSmj+oAifIk6kINAxIYJOUA";

/// A folder to serve, and an accounts file beside it.
struct Place(tempfile::TempDir);

impl Place {
    fn new(accounts: &str) -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        fs::create_dir_all(place.served().join("anna")).unwrap();
        fs::write(place.served().join("anna/hello.txt"), "hello").unwrap();
        place.write(accounts);
        place
    }

    fn served(&self) -> PathBuf {
        self.0.path().join("served")
    }

    fn file(&self) -> PathBuf {
        self.0.path().join("accounts.toml")
    }

    fn write(&self, accounts: &str) {
        fs::write(self.file(), accounts).unwrap();
        self.set_mode(0o600);
    }

    fn set_mode(&self, mode: u32) {
        fs::set_permissions(self.file(), Permissions::from_mode(mode)).unwrap();
    }

    /// Serves the folder to those in the file; returns the log too.
    fn serve(&self) -> (Program, Log) {
        let mut program = Program::start(&self.served(), |command| {
            command.arg("--accounts").arg(self.file()).arg("-v").stderr(Stdio::piped());
        });
        let log = Log::of(&mut program);
        (program, log)
    }

    fn check(&self) -> Output {
        let mut command = wharf("check");
        command.arg(self.served()).arg("--accounts").arg(self.file());
        command.output().unwrap()
    }
}

/// What the program writes to standard error, line by line.
struct Log(Receiver<String>);

impl Log {
    fn of(program: &mut Program) -> Self {
        let stderr = BufReader::new(program.child.stderr.take().unwrap());
        let (sender, receiver) = channel();
        thread::spawn(move || {
            stderr.lines().map_while(Result::ok).try_for_each(|line| sender.send(line))
        });
        Self(receiver)
    }

    /// Reads up to a line with this in it; returns all of them.
    #[track_caller]
    fn wait_for(&mut self, part: &str) -> String {
        let mut seen = String::new();
        loop {
            let line = self.0.recv_timeout(LIMIT);
            let line = line.unwrap_or_else(|_| panic!("no {part:?} in {seen:?}"));
            seen = seen + &line + "\n";
            if line.contains(part) {
                return seen;
            }
        }
    }
}

fn wharf(name: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wharf"));
    command.arg(name).env_remove("WHARF_PASSWORD").stdin(Stdio::null());
    command
}

fn anna(hash: &str) -> String {
    format!("[[user]]\nname = \"anna\"\npassword = \"{hash}\"\nroot = \"{{user}}\"\n")
}

/// Runs `wharf passwd` with this on standard input.
fn passwd(input: &str) -> Output {
    let mut child = wharf("passwd")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

fn text(bytes: &[u8]) -> &str {
    str::from_utf8(bytes).unwrap()
}

#[test]
fn a_hash_of_passwd_lets_in() {
    for input in ["pass word\n", "pass word\r\nmore\n", "pass word"] {
        let output = passwd(input);
        assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
        let hash = text(&output.stdout).strip_suffix('\n').unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        let place = Place::new(&anna(hash));
        let (program, _log) = place.serve();
        let mut client = program.log_in("anna", "pass word", 230);
        assert_eq!(client.get("RETR hello.txt"), b"hello");
        program.log_in("anna", "pass wor", 530);
    }
}

#[test]
fn passwd_wants_a_password() {
    for input in ["", "\n", "\r\n", &"x".repeat(1025)] {
        let output = passwd(input);
        assert_eq!(output.status.code(), Some(1));
        let told = text(&output.stderr);
        assert!(output.stdout.is_empty() && told.starts_with("wharf: passwd: "), "{told}");
        assert_eq!(told.lines().count(), 1, "{told}");
    }
}

/// Both ends of a terminal.
fn terminal() -> (File, File) {
    let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&ours).unwrap();
    unlockpt(&ours).unwrap();
    let name = ptsname(&ours, Vec::new()).unwrap();
    let theirs = rustix::fs::open(&name, OFlags::RDWR | OFlags::NOCTTY, Mode::empty()).unwrap();
    (ours.into(), theirs.into())
}

/// Reads from `stderr` up to this prompt.
fn expect_prompt(stderr: &mut ChildStderr, prompt: &str) {
    let mut seen = Vec::new();
    while !seen.ends_with(prompt.as_bytes()) {
        let mut byte = [0];
        stderr.read_exact(&mut byte).unwrap();
        seen.push(byte[0]);
    }
}

fn echoes(terminal: &File) -> bool {
    tcgetattr(terminal).unwrap().local_modes.contains(LocalModes::ECHO)
}

/// Types two lines at `wharf passwd`, or sends a signal after the first.
fn type_passwords(first: &str, second: Result<&str, Signal>) -> Output {
    type_at(wharf("passwd"), first, second)
}

/// Does the same at another command that asks for a password.
fn type_at(mut command: Command, first: &str, second: Result<&str, Signal>) -> Output {
    let (mut keyboard, terminal) = terminal();
    assert!(echoes(&terminal));
    let mut child = command
        .stdin(terminal.try_clone().unwrap())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stderr = child.stderr.take().unwrap();
    expect_prompt(&mut stderr, "Password: ");
    assert!(!echoes(&terminal));
    writeln!(keyboard, "{first}").unwrap();
    expect_prompt(&mut stderr, "Once more: ");
    match second {
        Ok(second) => writeln!(keyboard, "{second}").unwrap(),
        Err(signal) => kill_process(Pid::from_child(&child), signal).unwrap(),
    }
    let mut output = child.wait_with_output().unwrap();
    stderr.read_to_end(&mut output.stderr).unwrap();
    assert!(echoes(&terminal), "the terminal echoes again");
    output
}

#[test]
fn a_terminal_is_asked_twice_and_echoes_again() {
    let output = type_passwords("secret", Ok("secret"));
    assert!(output.status.success(), "{output:?}");
    assert!(text(&output.stdout).starts_with("$argon2id$"));

    let output = type_passwords("secret", Ok("sekret"));
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("not the same") && output.stdout.is_empty());

    let output = type_passwords("secret", Ok(""));
    assert!(text(&output.stderr).contains("empty") && output.stdout.is_empty());

    let output = type_passwords("secret", Err(Signal::INT));
    assert_eq!((output.status.code(), output.stdout.len()), (Some(130), 0));
}

#[test]
fn the_password_of_a_user_is_typed_twice_too() {
    let place = Place::new(&anna(OLD));
    let before = fs::read_to_string(place.file()).unwrap();
    let password = || {
        let mut command = wharf("user");
        command.args(["password", "anna", "--accounts"]).arg(place.file());
        command
    };
    let output = type_at(password(), "secret", Ok("sekret"));
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("not the same"), "{output:?}");
    let output = type_at(password(), "secret", Err(Signal::INT));
    assert_eq!(output.status.code(), Some(130));
    assert_eq!(fs::read_to_string(place.file()).unwrap(), before);

    let (program, mut log) = place.serve();
    let output = type_at(password(), "secret", Ok("secret"));
    assert!(output.status.success(), "{output:?}");
    program.log_in("anna", "old", 230);
    program.signal(Signal::HUP);
    log.wait_for("accounts reloaded: 1 user");
    program.log_in("anna", "secret", 230);
    program.log_in("anna", "old", 530);
}

#[test]
fn check_says_what_there_is() {
    let place = Place::new(&(anna(OLD) + "[anonymous]\n"));
    let output = place.check();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let told = text(&output.stdout);
    assert!(told.contains("accounts.toml: 1 user, anonymous read-only\n"), "{told}");
    assert!(output.stderr.is_empty());

    let output = wharf("check").arg(place.served()).output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert!(text(&output.stdout).contains("anybody, read-only"));
}

#[test]
fn check_says_what_is_wrong_by_line_and_field() {
    let place = Place::new(&(anna("secret") + "permissions = \"x\"\n"));
    let output = place.check();
    assert_eq!(output.status.code(), Some(1));
    let told: Vec<_> = text(&output.stderr).lines().collect();
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told[0].contains("accounts.toml:3: user \"anna\": password: not an Argon2id"));
    assert!(told[1].contains("accounts.toml:5: user \"anna\": permissions: \"x\""));

    // The server says the same, and does not start.
    let mut serve = wharf("--listen");
    serve.arg("127.0.0.1:0").arg(place.served()).arg("--accounts").arg(place.file());
    let output = serve.output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(text(&output.stderr).lines().collect::<Vec<_>>(), told);

    let output = wharf("check").arg("/nonexistent/folder").output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("/nonexistent/folder"));
}

#[test]
fn a_folder_named_like_a_command_can_be_served() {
    let place = Place::new("");
    fs::create_dir(place.0.path().join("check")).unwrap();
    let program = Program::start(Path::new("./check"), |command| {
        command.current_dir(place.0.path());
    });
    program.log_in("anonymous", "x", 230);
}

#[test]
fn sighup_reads_the_accounts_again() {
    let place = Place::new(&anna(OLD));
    let (program, mut log) = place.serve();
    assert!(program.welcome.contains("(1 user)"), "{}", program.welcome);
    program.log_in("anna", "new", 530);
    let mut live = program.log_in("anna", "old", 230);

    place.write(&(anna(NEW) + "[anonymous]\n"));
    program.signal(Signal::HUP);
    log.wait_for("accounts reloaded: 1 user");
    program.log_in("anna", "old", 530);
    program.log_in("anna", "new", 230);
    program.log_in("anonymous", "x", 230);
    assert_eq!(live.get("RETR hello.txt"), b"hello");

    place.write(&anna("broken"));
    program.signal(Signal::HUP);
    let told = log.wait_for("stay in use");
    assert!(told.contains("accounts.toml:3: user \"anna\": password"), "{told}");
    program.log_in("anna", "new", 230);
    assert_eq!(live.get("RETR hello.txt"), b"hello");

    let (code, rest) = program.end(Signal::TERM);
    assert_eq!(code, Some(0), "{rest}");
}

#[test]
fn sighup_without_accounts_is_harmless() {
    let place = Place::new("");
    let mut program = Program::start(&place.served(), |command| {
        command.arg("-v").stderr(Stdio::piped());
    });
    program.signal(Signal::HUP);
    Log::of(&mut program).wait_for("no accounts file");
    program.log_in("anonymous", "x", 230);
    assert_eq!(program.end(Signal::TERM).0, Some(0));
}

/// What others can get at is warned of, by all who read it, and changes no exit code.
#[test]
fn files_that_others_can_get_at_are_warned_of() {
    let place = Place::new(&anna(OLD));
    place.set_mode(0o644);
    let output = place.check();
    assert_eq!(output.status.code(), Some(0));
    let told = text(&output.stderr);
    assert_eq!(told.lines().count(), 1, "{told}");
    assert!(told.contains("WARN") && told.contains("accounts.toml: every user"), "{told}");

    let (program, mut log) = place.serve();
    log.wait_for("accounts.toml: every user of this computer can read it");
    place.set_mode(0o620);
    program.signal(Signal::HUP);
    log.wait_for("accounts.toml: its group can write to it");
    // A server that starts says so of its password, too.
    let secret = place.0.path().join("password");
    fs::write(&secret, "x\n").unwrap();
    fs::set_permissions(&secret, Permissions::from_mode(0o604)).unwrap();
    let mut check = wharf("check");
    check.arg(place.served()).args(["--user", "anna", "--password-file"]).arg(&secret);
    let output = check.output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert!(text(&output.stderr).contains("password: every user"), "{output:?}");
}

#[test]
fn secrets_that_clients_can_fetch_are_warned_of() {
    let place = Place::new(&anna(OLD));
    assert!(place.check().stderr.is_empty());
    // In the folder that is served, but not in anna's.
    let beside_anna = place.served().join("accounts.toml");
    fs::copy(place.file(), &beside_anna).unwrap();
    let check = |file: &Path| {
        let output =
            wharf("check").arg(place.served()).arg("--accounts").arg(file).output().unwrap();
        assert_eq!(output.status.code(), Some(0));
        text(&output.stderr).to_string()
    };
    assert_eq!(check(&beside_anna), "");
    let with_anna = place.served().join("anna/accounts.toml");
    fs::copy(place.file(), &with_anna).unwrap();
    let told = check(&with_anna);
    assert!(told.contains("served to user \"anna\": clients can fetch it"), "{told}");
    // By another way to it, and by a server without accounts.
    let link = place.0.path().join("link.toml");
    std::os::unix::fs::symlink(&with_anna, &link).unwrap();
    assert_eq!(check(&link).lines().count(), 1);
    let mut alone = wharf("check");
    alone.arg(place.served()).args(["--user", "anna", "--password-file"]).arg(&beside_anna);
    let output = alone.output().unwrap();
    assert!(text(&output.stderr).contains("lies in a folder that is served: clients"));
}
