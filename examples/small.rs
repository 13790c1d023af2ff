//! The smallest server: a folder, read-only, to all clients, and nothing else in the program. What it
//! weighs is in the README.
//!
//! ```console
//! $ cargo build --profile small --no-default-features --features threaded,directory --example small
//! $ target/small/examples/small 127.0.0.1:2121 /srv/ftp
//! ```

use std::env;
use std::io;

use wharf::{Directory, Permissions, Server};

fn main() -> io::Result<()> {
    let mut arguments = env::args().skip(1);
    let (Some(address), Some(folder)) = (arguments.next(), arguments.next()) else {
        return Err(io::Error::other("usage: small ADDRESS FOLDER"));
    };
    let server = Server::builder()
        .storage(Directory::open(folder)?)
        .anonymous(Permissions::READ_ONLY)
        .listen(address)
        .spawn()?;
    println!("{}", server.url());
    server.wait()
}
