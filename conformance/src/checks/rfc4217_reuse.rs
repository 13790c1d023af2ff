//! RFC 4217 section 10.2: data connections resume the TLS session of their control connection.

use super::rfc2228::needs_tls;
use super::rfc4217_data::{open, protected};
use super::{Result, ensure, pattern, quietly, same_bytes};
use crate::check::{Check, Context, Failure, Why};
use crate::client::Client;
use crate::data::Transfer;
use crate::target::Profile;
use crate::tls::{Handshake, Tls, TlsVersion};

pub(super) const CHECKS: &[Check] = &[Check { id: "rfc4217.reuse", run: reuse }];

fn reuse(context: &mut Context<'_>) -> Result {
    needs_tls(context)?;
    for profile in [Profile::Standard, Profile::Strict] {
        if !context.has_tls(profile) {
            continue;
        }
        for version in context.tls_versions() {
            let tls = Tls::only(version);
            let mut client = context.login_protected(profile, &tls)?;
            if !context.is_strict() && !once(&mut client)? {
                let why = format!("{tls}: data connections do not resume the session");
                return Err(Failure::skip(Why::NotOffered, why));
            }
            if let Err(error) = in_a_row(&mut client, &tls) {
                // That it goes on and on is what FileZilla wants, and no RFC.
                context.advise(error.to_string())?;
                continue;
            }
            match context.settings(profile).resumption_required {
                Some(true) => refused(context, &mut client, version, &tls)?,
                Some(false) => optional(&mut client, &tls)?,
                None => {
                    context.skip("whether a new session is refused (--tls-resumption-required)")
                }
            }
        }
    }
    Ok(())
}

/// Returns `true` if one transfer resumes the session of the control connection.
fn once(client: &mut Client) -> Result<bool> {
    client.put("first", b"content")?;
    let transfer = client.download("RETR first")?;
    Ok(transfer.handshake == Some(Handshake::Resumed))
}

/// Many transfers, both ways, over connections from either end: each resumes.
fn in_a_row(client: &mut Client, tls: &Tls) -> Result {
    let bytes = pattern(20_000);
    for turn in 0..6 {
        let active = turn % 3 == 2;
        ready(tls)?;
        let opened = open(client, active, &format!("STOR file-{turn}"))?;
        resumed(client.finish_upload(opened, &bytes)?)?;
        ready(tls)?;
        let opened = open(client, active, &format!("RETR file-{turn}"))?;
        let got = resumed(client.finish_download(opened)?)?;
        same_bytes("the file", &got, &bytes)?;
    }
    ready(tls)?;
    let transfer = quietly(client, |client| client.download("LIST"))?;
    resumed(transfer)?;
    client.note("LIST: resumed");
    Ok(())
}

/// Fails when the server has left the client nothing to resume with. Clients are to use a ticket of
/// TLS 1.3 once (RFC 8446 appendix C.4): downloads have to bring further ones.
fn ready(tls: &Tls) -> Result {
    ensure!(tls.can_resume(), "{tls}: no ticket is left to the client, after transfers both ways");
    Ok(())
}

fn resumed(transfer: Transfer) -> Result<Vec<u8>> {
    let (command, handshake) = (transfer.opening.command.clone(), transfer.handshake);
    let bytes = protected(transfer)?;
    let is_resumed = handshake == Some(Handshake::Resumed);
    ensure!(is_resumed, "{command}: the control connection's session was not resumed");
    Ok(bytes)
}

/// Where resumption is not required, a new session does as well.
fn optional(client: &mut Client, tls: &Tls) -> Result {
    client.protect_data(Some(&tls.fresh()));
    let transfer = client.download("RETR file-0")?;
    ensure!(transfer.handshake == Some(Handshake::Full), "resumed, with nothing to resume");
    protected(transfer)?;
    client.protect_data(Some(&tls.fresh()));
    protected(client.upload("STOR fresh", b"content")?)?;
    client.protect_data(Some(tls));
    Ok(())
}

/// Where it is required, a new session is refused and so is another control connection's.
fn refused(
    context: &mut Context<'_>,
    client: &mut Client,
    version: TlsVersion,
    tls: &Tls,
) -> Result {
    for command in ["RETR file-0", "STOR file-0", "STOR refused", "LIST"] {
        let fresh = tls.fresh();
        refuses(client, command, "a new session", &fresh)?;
        // It may have come with a ticket, which is worth no more.
        refuses(client, command, "the session of a data connection that was refused", &fresh)?;
        goes_on(client, tls)?;
    }

    let other_tls = Tls::only(version);
    let mut other = context.login_protected(Profile::Strict, &other_tls)?;
    quietly(&mut other, |other| other.put("others", b"content"))?;
    for command in ["RETR file-0", "STOR file-0"] {
        // Brings a further ticket, as a refusal need not.
        quietly(&mut other, |other| other.get("others"))?;
        ready(&other_tls)?;
        refuses(client, command, "another's session", &other_tls)?;
        goes_on(client, tls)?;
    }
    // The other has lost nothing by it.
    quietly(&mut other, |other| other.get("others"))?;
    ready(&other_tls)?;
    let transfer = quietly(&mut other, |other| other.download("RETR others"))?;
    resumed(transfer).map_err(|error| Failure::new(format!("the other session: {error}"))).map(drop)
}

/// Fails unless a transfer is refused whose data connection is protected with this.
fn refuses(client: &mut Client, command: &str, whose: &str, strange: &Tls) -> Result {
    client.note(&format!("with {whose}"));
    client.protect_data(Some(strange));
    let reply = client.attempt(command)?;
    ensure!(reply.code == 522, "{command} with {whose}: {}", reply.whole());
    Ok(())
}

/// Fails unless the control connection's own session is as good as before.
fn goes_on(client: &mut Client, tls: &Tls) -> Result {
    client.protect_data(Some(tls));
    ready(tls)?;
    let got = resumed(client.download("RETR file-0")?)?;
    same_bytes("file-0", &got, &pattern(20_000))
}
