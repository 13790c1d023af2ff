//! A program that adds SITE commands of its own: its version, and how much of its memory is in use.
//!
//! `cargo run --example site`, then `curl -u anna:secret -Q 'SITE QUOTA' -v ftp://…/`. SITE HELP lists
//! them.

use wharf::{Memory, Permissions, Server, ServerBuilder, SiteReply, SiteRequest};

const QUOTA_BYTES: u64 = 1_000_000;

/// Sets up a server with two more commands; `tests/site.rs` talks to it.
pub(crate) fn server() -> ServerBuilder {
    let files = Memory::new().with_capacity_bytes(QUOTA_BYTES).with_file("/hello.txt", "Hello.\n");
    Server::builder()
        .storage(files)
        .anonymous(Permissions::READ_ONLY)
        .user("anna", "secret", Permissions::ALL)
        .site_command("VERSION", "", |_| SiteReply::new(200, "Example 1.0"))
        // The request names the user, the directory and the storage. A handler may block.
        .site_command("QUOTA", "[BYTES|PERCENT]", quota)
}

fn quota(request: &SiteRequest) -> SiteReply {
    // Each account may ask; the handler decides whom it answers.
    if !request.rights.at(&request.directory).contains(Permissions::STORE) {
        return SiteReply::new(550, "Nothing can be stored here.");
    }
    let Ok(Some(left)) = request.storage.space_left(&request.directory) else {
        return SiteReply::new(450, "The quota is not known just now.");
    };
    let used = QUOTA_BYTES - left;
    match request.argument.to_ascii_uppercase().as_slice() {
        b"" | b"BYTES" => SiteReply::new(200, format!("{used} of {QUOTA_BYTES} bytes are in use.")),
        b"PERCENT" => SiteReply::new(200, format!("{} % are in use.", used * 100 / QUOTA_BYTES)),
        _ => SiteReply::new(501, "Bytes or percent?"),
    }
}

fn main() -> std::io::Result<()> {
    let server = server().spawn()?;
    println!("{}/hello.txt", server.url());
    server.wait()
}
