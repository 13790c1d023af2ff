//! A server in a small device: a scan or two at a time, into memory (the threaded driver).
//!
//! Its aim is to show how little a server for a few clients needs, and that the program has the same
//! files as the clients. `cargo run --example threaded --features threaded`, then
//! `curl -T FILE --user scanner:secret ftp://…/`.

use std::io;

use wharf::{Backend, Memory, Permissions, Server};

fn main() -> io::Result<()> {
    let files = Memory::new().with_capacity_bytes(8 << 20);
    let server = Server::builder()
        .backend(Backend::Threaded)
        .storage(files.clone())
        .user("scanner", "secret", Permissions::ALL)
        .max_sessions(4)
        .storage_threads(2)
        .logins_at_once(1)
        .max_transfer_memory(1 << 20)
        .spawn()?;
    println!("{}/; Enter stops it", server.url());
    io::stdin().read_line(&mut String::new())?;
    server.shutdown()?;
    for name in files.list("/").unwrap_or_default() {
        let size = files.read(&format!("/{name}")).map_or(0, |content| content.len());
        println!("{name}: {size} bytes");
    }
    Ok(())
}
