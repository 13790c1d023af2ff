//! An FTP server inside a program that uses smol: on the program's executor, beside its own tasks.
//!
//! Its aim is to show that nothing of the program's is taken away: no executor and no signals, and
//! no thread waits for the server. `cargo run --example smol --features smol`, then
//! `curl ftp://…/hello.txt`.

use std::future::Future;
use std::io;

use smol::{LocalExecutor, future};
use wharf::{Memory, Permissions, Server, ServerBuilder};

fn main() -> io::Result<()> {
    let executor = LocalExecutor::new();
    smol::block_on(executor.run(async {
        let enter = smol::unblock(|| io::stdin().read_line(&mut String::new()));
        serve(&executor, server(), |address| async move {
            println!("ftp://{address}/hello.txt; Enter stops it");
            enter.await.map(drop)
        })
        .await
    }))
}

/// Serves clients for as long as `program` runs, which is told the address.
pub(crate) async fn serve<F: Future<Output = io::Result<()>>>(
    executor: &LocalExecutor<'_>,
    server: ServerBuilder,
    program: impl FnOnce(std::net::SocketAddr) -> F,
) -> io::Result<()> {
    let parts = server.build()?;
    let (address, stop) = (parts.addresses[0], parts.stop.clone());
    let serving = wharf::drivers::smol::serve(executor, parts.service, parts.listeners, parts.stop);
    let running = async {
        let outcome = program(address).await;
        stop.call();
        outcome
    };
    future::try_zip(serving, running).await.map(drop)
}

/// Sets up a server; `tests/smol.rs` talks to it.
pub(crate) fn server() -> ServerBuilder {
    let files = Memory::new().with_file("/hello.txt", "Hello from a task.\n");
    Server::builder().storage(files).anonymous(Permissions::READ_ONLY)
}
