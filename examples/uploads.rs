//! A drop box that processes each file as soon as a client has uploaded it whole; here it counts lines.
//!
//! `cargo run --example uploads`, then `curl -T report.txt ftp://…/`. A file that is cut off is not
//! processed. [docs/events.md](../docs/events.md) says what is guaranteed.

use std::io::{self, BufRead, BufReader};

use wharf::{Memory, Permissions, Server, ServerBuilder, Upload};

/// Sets up the server; `tests/events.rs` uploads to it.
pub(crate) fn server(report: impl Fn(String) + Send + Sync + 'static) -> ServerBuilder {
    Server::builder()
        .storage(Memory::new())
        .anonymous(Permissions::ALL)
        // It may take as long as it likes: clients go on, and further files wait for their turn.
        .on_upload(move |upload| match count_lines(upload) {
            Ok(lines) => report(format!("{}: {lines} lines", upload.path())),
            // Another client may have removed it by now.
            Err(error) => report(format!("{}: {error}", upload.path())),
        })
}

fn count_lines(upload: &Upload<'_>) -> io::Result<usize> {
    let file = upload.open().map_err(io::Error::other)?;
    BufReader::new(file).split(b'\n').try_fold(0, |lines, line| line.map(|_| lines + 1))
}

fn main() -> io::Result<()> {
    let server = server(|line| println!("{line}")).spawn()?;
    println!("upload to {}", server.url());
    server.wait()
}
