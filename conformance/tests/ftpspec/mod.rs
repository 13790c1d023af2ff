//! The program ftpspec, and servers for it.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Command, Output};
use std::time::Duration;

use wharf::{Backend, Certificate, Memory, Permissions, Server, ServerBuilder, Tls};

pub(crate) fn start() -> Server {
    builder().spawn().expect("the server starts")
}

pub(crate) fn builder() -> ServerBuilder {
    Server::builder()
        .backend(Backend::ALL[0])
        .storage(Memory::new())
        .user("user", "password", Permissions::ALL)
        .user("reader", "password", Permissions::READ_ONLY)
        .listen("127.0.0.1:0")
        .login_delay(Duration::ZERO)
        .max_sessions_per_address(1000)
        .shutdown_timeout(Duration::ZERO)
}

/// A server that has TLS too.
pub(crate) fn secure() -> ServerBuilder {
    let certificate = Certificate::self_signed(&["localhost"]).expect("a certificate");
    builder().tls(Tls::new(certificate).expect("the provider has what TLS needs"))
}

pub(crate) fn ftpspec(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ftpspec"));
    let command = command.args(arguments).env("FTPSPEC_PASSWORD", "password");
    command.output().expect("the program starts")
}

pub(crate) fn against(server: SocketAddr, arguments: &[&str]) -> (i32, String, String) {
    let server = server.to_string();
    let limit: &[&str] = if arguments.contains(&"--timeout") { &[] } else { &["--timeout", "2"] };
    let output = ftpspec(&[&["--server", &server, "--user", "user"], limit, arguments].concat());
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let code = output.status.code().expect("it was not killed");
    (code, text(&output.stdout), text(&output.stderr))
}

/// A file that is there for one test.
pub(crate) fn file(name: &str, text: &str) -> PathBuf {
    let name = format!("ftpspec-{}-{name}", std::process::id());
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::write(&path, text).expect("a file among cargo's temporary ones");
    path
}
