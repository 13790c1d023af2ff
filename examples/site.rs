//! A program that adds SITE commands of its own: what it is, and how much of its memory is in use.
//!
//! `cargo run --example site`, then `curl -Q 'SITE QUOTA' -v ftp://…/`. SITE HELP lists them.

use wharf::{Builder, Memory, Permissions, Server, SiteReply, Storage, VirtualPath};

const QUOTA_BYTES: u64 = 1_000_000;

/// Sets up a server with two more commands; `tests/site.rs` talks to it.
pub(crate) fn server() -> Builder {
    let files = Memory::new().with_capacity_bytes(QUOTA_BYTES).with_file("/hello.txt", "Hello.\n");
    let watched = files.clone();
    Server::builder()
        .storage(files)
        .anonymous(Permissions::ALL)
        .site_command("VERSION", "", |_| reply(200, "Example 1.0"))
        // The handler gets what stands behind the command's name, and may block.
        .site_command("QUOTA", "[BYTES|PERCENT]", move |unit| quota(&watched, unit))
}

fn quota(files: &dyn Storage, unit: &[u8]) -> SiteReply {
    let Ok(Some(left)) = files.space_left(&VirtualPath::root()) else {
        return reply(450, "The quota is not known just now.");
    };
    let used = QUOTA_BYTES - left;
    match unit.to_ascii_uppercase().as_slice() {
        b"" | b"BYTES" => reply(200, format!("{used} of {QUOTA_BYTES} bytes are in use.")),
        b"PERCENT" => reply(200, format!("{} % are in use.", used * 100 / QUOTA_BYTES)),
        _ => reply(501, "Bytes or percent?"),
    }
}

fn reply(code: u16, text: impl Into<Vec<u8>>) -> SiteReply {
    SiteReply { code, text: text.into() }
}

fn main() -> std::io::Result<()> {
    let server = server().spawn()?;
    println!("{}/hello.txt", server.url());
    server.wait()
}
