//! RFC 4217: TLS on the data connection.

use super::rfc2228::needs_tls;
use super::{Result, advise, ensure, holds, pattern, quietly, same_bytes};
use crate::check::{Check, Context};
use crate::client::Client;
use crate::data::{Data, End, Transfer};
use crate::reply::Reply;
use crate::target::Profile;
use crate::tls::Tls;

pub(super) const CHECKS: &[Check] = &[Check { id: "rfc4217.prot", run: prot }];

fn prot(context: &mut Context<'_>) -> Result {
    needs_tls(context)?;
    for version in context.tls_versions() {
        let mut client = context.login_protected(Profile::Standard, &Tls::only(version))?;
        for active in [false, true] {
            transfers(&mut client, active)?;
        }
        answered_in_clear(context, &mut client)?;
    }
    both_levels(context)?;
    for version in context.tls_versions() {
        let mut client = context.login_protected(Profile::Standard, &Tls::only(version))?;
        cut_off(context, &mut client)?;
    }
    Ok(())
}

/// Opens a data connection, from either end, and has a command use it.
pub(super) fn open(client: &mut Client, active: bool, line: &str) -> Result<(Reply, Data)> {
    if !active {
        return client.open(line);
    }
    let offer = client.active()?;
    let opening = client.expect(line, &[125, 150])?;
    Ok((opening, offer.accept()?))
}

/// Fails unless a transfer was successful, and its data connection was protected and ended with the
/// server's close_notify.
pub(super) fn protected(transfer: Transfer) -> Result<Vec<u8>> {
    let command = &transfer.opening.command;
    ensure!(transfer.handshake.is_some(), "{command}: the data connection is in clear");
    ensure!(transfer.end != End::Truncated, "{command}: no close_notify from the server");
    transfer.complete()
}

/// Carries out each kind of transfer.
pub(super) fn transfers(client: &mut Client, active: bool) -> Result {
    for (name, bytes) in [("small", pattern(9)), ("none", vec![]), ("large", pattern(300_007))] {
        let opened = open(client, active, &format!("STOR {name}"))?;
        protected(client.finish_upload(opened, &bytes)?)?;
        let opened = open(client, active, &format!("RETR {name}"))?;
        let got = protected(client.finish_download(opened)?)?;
        same_bytes(name, &got, &bytes)?;
    }
    let has_mlsd = quietly(client, |client| client.command("FEAT"))?.whole().contains("MLST");
    for command in ["LIST", "NLST", "MLSD"].iter().filter(|name| **name != "MLSD" || has_mlsd) {
        let listing = quietly(client, |client| {
            let opened = open(client, active, command)?;
            protected(client.finish_download(opened)?)
        })?;
        let listing = String::from_utf8_lossy(&listing).into_owned();
        let complete = ["small", "none", "large"].iter().all(|name| listing.contains(name));
        ensure!(complete, "{command}: {listing:?}");
        client.note(&format!("{command}: complete and protected"));
    }
    let opened = open(client, active, "APPE small")?;
    protected(client.finish_upload(opened, b"more")?)?;
    holds(client, "small", &[pattern(9), b"more".to_vec()].concat())
}

/// An upload that ends without close_notify may have been cut off by a stranger: it is no success.
fn cut_off(context: &Context<'_>, client: &mut Client) -> Result {
    let bytes = pattern(300_007);
    upload_and_cut(client, "STOR cut", &bytes)?;
    let left = quietly(client, |client| {
        let transfer = client.attempt("RETR cut")?;
        if transfer.code >= 400 { Ok(Vec::new()) } else { client.get("cut") }
    })?;
    let is_left = !left.is_empty();
    advise!(client, is_left, "nothing is left of a new file whose upload was cut off");
    ensure!(bytes.starts_with(&left), "what is left of the upload is not its beginning");
    if is_left {
        client.expect("DELE cut", &[250])?;
    }

    if context.settings(Profile::Standard).atomic_uploads == Some(true) {
        client.put("kept", b"the old content")?;
        upload_and_cut(client, "STOR kept", &bytes)?;
        holds(client, "kept", b"the old content")?;
    } else {
        context.skip("whether a reader sees an upload before it is whole (--atomic-uploads)");
    }
    // Nothing at all, and then the end.
    upload_and_cut(client, "STOR empty", b"")?;
    client.put("kept", b"the new content")?;
    holds(client, "kept", b"the new content")
}

fn upload_and_cut(client: &mut Client, line: &str, bytes: &[u8]) -> Result {
    let (_, mut data) = client.open(line)?;
    data.handshake()?;
    data.send(bytes)?;
    data.cut();
    client.note("data: cut without close_notify");
    client.expect_reply(&[426]).map(drop)
}

/// A client that said PROT P and then sends clear text is not served.
fn answered_in_clear(context: &Context<'_>, client: &mut Client) -> Result {
    let secret = b"not to be seen in clear";
    client.put("secret", secret)?;
    for command in ["STOR new", "RETR secret", "LIST", "STOR secret"] {
        // In clear, and long enough for a record of TLS.
        let address = client.passive_port()?;
        let mut data = Data::dial(address, Default::default())?;
        // Some do the handshake first, and then say no.
        let opening = client.command(command)?;
        if opening.code >= 400 {
            continue;
        }
        client.judge(opening, &[125, 150], &[])?;
        // The server may be done with it at any byte.
        let _ = data.send(&b"in clear\r\n".repeat(10));
        let (bytes, end) = if command.starts_with("STOR") {
            data.cut();
            (Vec::new(), End::Reset)
        } else {
            data.receive()
        };
        ensure!(end != End::Timeout, "{command}: the server waits on after clear text");
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let leaked = text.contains("not to be seen") || text.contains("secret");
        ensure!(!leaked, "{command}: sent in clear after PROT P");
        let reply = client.reply()?;
        ensure!(reply.code >= 400, "{command}, and clear text: {}", reply.whole());
    }
    client.is_alive()?;
    let new = quietly(client, |client| {
        let transfer = client.attempt("RETR new")?;
        Ok(if transfer.code < 300 { client.get("new")? } else { Vec::new() })
    })?;
    ensure!(new.is_empty(), "clear text was taken after PROT P: {}", new.escape_ascii());
    if context.settings(Profile::Standard).atomic_uploads == Some(true) {
        holds(client, "secret", secret)?;
    }
    Ok(())
}

/// The level is that of the last PROT that was accepted, transfer by transfer.
fn both_levels(context: &mut Context<'_>) -> Result {
    let tls = Tls::new();
    let mut client = context.login_protected(Profile::Standard, &tls)?;
    client.put("file", b"content")?;
    for _ in 0..2 {
        if client.prefer("PROT C", &[200], &[534])?.code != 200 {
            return Ok(());
        }
        client.protect_data(None);
        holds(&mut client, "file", b"content")?;
        client.expect("PROT S", &[536])?;
        client.put("clear", b"clear")?;
        client.expect("PROT P", &[200])?;
        client.protect_data(Some(&tls));
        client.expect("PROT S", &[536])?;
        protected(client.upload("STOR protected", b"protected")?)?;
        same_bytes("clear", &protected(client.download("RETR clear")?)?, b"clear")?;
    }
    Ok(())
}
