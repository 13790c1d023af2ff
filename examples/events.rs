//! A program that feeds all that happens in the sessions to a channel, and reads them where it suits it:
//! here its main thread prints them.
//!
//! `cargo run --example events`, then `curl ftp://…/hello.txt`. [docs/events.md](../docs/events.md) says
//! what there is to hear.

use std::sync::mpsc::{Receiver, channel};

use wharf::{Memory, Permissions, Server, ServerBuilder, SessionEvent};

/// Sets up the server, and the channel that it feeds; `tests/events.rs` reads it.
pub(crate) fn server() -> (ServerBuilder, Receiver<SessionEvent>) {
    let (sender, events) = channel();
    let files = Memory::new().with_file("/hello.txt", "Hello.\n");
    let server = Server::builder()
        .storage(files)
        .anonymous(Permissions::READ_ONLY)
        // The channel ends when the server has stopped and all has been heard.
        .observer(move |event: &SessionEvent| drop(sender.send(event.clone())));
    (server, events)
}

/// Writes an event as one line.
pub(crate) fn line(event: &SessionEvent) -> String {
    let user = String::from_utf8_lossy(event.user.as_deref().unwrap_or(b"-"));
    format!("#{} {} {user} {}", event.session, event.peer, event.notice)
}

fn main() -> std::io::Result<()> {
    let (server, events) = server();
    let server = server.spawn()?;
    println!("{}/hello.txt", server.url());
    events.iter().for_each(|event| println!("{}", line(&event)));
    server.wait()
}
