//! A program that adds SITE commands of its own: what it is, and how much of its memory is in use.
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
        .site_command("VERSION", "", |_| reply(200, "Example 1.0"))
        // The handler learns who asks, of which files, and may block.
        .site_command("QUOTA", "[BYTES|PERCENT]", quota)
}

fn quota(request: &SiteRequest) -> SiteReply {
    // Whoever has logged in may ask; what that is worth is for the handler to say.
    if !request.rights.at(&request.directory).contains(Permissions::STORE) {
        return reply(550, "Nothing can be stored here.");
    }
    let Ok(Some(left)) = request.storage.space_left(&request.directory) else {
        return reply(450, "The quota is not known just now.");
    };
    let used = QUOTA_BYTES - left;
    match request.argument.to_ascii_uppercase().as_slice() {
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
