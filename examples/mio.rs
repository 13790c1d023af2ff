//! A server for many clients: thousands of sessions on a few reactor threads (the mio driver).
//!
//! Its aim is to show the limits that such a server sets. `cargo run --example mio -- FOLDER`.

use std::time::Duration;

use wharf::{Backend, Directory, Permissions, Server};

fn main() -> std::io::Result<()> {
    let folder = std::env::args_os().nth(1).unwrap_or_else(|| ".".into());
    let server = Server::builder()
        .backend(Backend::Mio)
        .listen("127.0.0.1:0")
        .storage(Directory::open(folder)?)
        .anonymous(Permissions::READ_ONLY)
        // Fewer, and a warning, where the limit of open files is too low for so many.
        .max_sessions(10_000)
        .max_sessions_per_address(50)
        .idle_timeout(Duration::from_secs(60))
        // Buffers become small when much of it is taken.
        .max_transfer_memory(64 << 20)
        .spawn()?;
    println!("{}/", server.url());
    server.wait()
}
