//! Implicit FTPS: TLS from the first byte, which no RFC describes.

use super::rfc4217_data::{protected, transfers};
use super::{Result, advise, ensure, holds};
use crate::check::{Check, Context};
use crate::data::End;
use crate::target::Profile;
use crate::tls::{Handshake, Tls};

pub(super) const CHECKS: &[Check] = &[Check { id: "ext.implicit", run: implicit }];

fn implicit(context: &mut Context<'_>) -> Result {
    if !context.has_tls(Profile::Implicit) {
        return Ok(());
    }
    for version in context.tls_versions() {
        let tls = Tls::only(version);
        let mut client = context.connect_protected(Profile::Implicit, &tls)?;
        client.expect("AUTH TLS", &[503])?;
        context.enter(&mut client)?;
        client.expect("AUTH TLS", &[503])?;
        // Data connections are protected without a word about it.
        client.protect_data(Some(&tls));
        if let Err(error) = client.download("LIST").and_then(protected) {
            // Others begin in clear, as RFC 4217 has it for AUTH.
            context.advise(format!("data connections without PROT P: {error}"))?;
            client = context.login_protected(Profile::Implicit, &tls)?;
        }
        for active in [false, true] {
            transfers(&mut client, active)?;
        }
        client.expect("QUIT", &[221])?;
        client.expect_close()?;
    }
    levels(context)?;
    in_clear(context)
}

fn levels(context: &mut Context<'_>) -> Result {
    let tls = Tls::new();
    let mut client = context.login_protected(Profile::Implicit, &tls)?;
    client.put("file", b"content")?;
    let transfer = client.download("RETR file")?;
    let resumed = transfer.handshake == Some(Handshake::Resumed);
    advise!(client, resumed, "the control connection's session was not resumed");
    protected(transfer)?;
    if context.settings(Profile::Implicit).tls_required {
        return client.expect("PROT C", &[534]).map(drop);
    }
    if client.prefer("PROT C", &[200], &[534])?.code == 534 {
        return Ok(());
    }
    client.protect_data(None);
    holds(&mut client, "file", b"content")?;
    client.protect()?;
    holds(&mut client, "file", b"content")
}

/// A client that speaks clear text there is not served; a last reply may say so.
fn in_clear(context: &mut Context<'_>) -> Result {
    let mut client = context.dial(Profile::Implicit)?;
    client.send("NOOP")?;
    let (bytes, end) = client.drain()?;
    ensure!(end != End::Timeout, "the server waits on after clear text");
    let served = matches!(bytes.first(), Some(b'1'..=b'3'));
    ensure!(!served, "a reply in clear: {}", bytes.escape_ascii());
    context.journal().record("clear text is not served");
    Ok(())
}
