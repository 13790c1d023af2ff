//! RFC 4217: a client that begins TLS on a passive data connection before it sends its command.

use super::rfc2228::needs_tls;
use super::rfc4217_data::protected;
use super::{Result, ensure, holds, pattern, quietly, same_bytes};
use crate::check::{Check, Context, Failure};
use crate::client::Client;
use crate::data::Data;
use crate::reply::Reply;
use crate::target::Profile;
use crate::tls::{Tls, TlsVersion};

pub(super) const CHECKS: &[Check] =
    &[Check { id: "rfc4217.early-handshake", run: early_handshake }];

/// When the client begins TLS on its data connection.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Order {
    /// As soon as it has connected, and before the command is sent.
    HandshakeFirst,
    /// When the command is sent; the reply may come before or after the handshake.
    CommandFirst,
}

fn early_handshake(context: &mut Context<'_>) -> Result {
    needs_tls(context)?;
    for profile in [Profile::Standard, Profile::Implicit] {
        // Where it has to be resumed there are not as many tickets as transfers: see below.
        let resumes = context.settings(profile).resumption_required == Some(true);
        if !context.has_tls(profile) || resumes {
            continue;
        }
        for version in context.tls_versions() {
            let tls = Tls::only(version);
            let mut client = context.login_protected(profile, &tls)?;
            for order in [Order::HandshakeFirst, Order::CommandFirst, Order::HandshakeFirst] {
                transfers(&mut client, order).map_err(|error| match order {
                    Order::CommandFirst => error,
                    Order::HandshakeFirst => {
                        Failure::new(format!("TLS begun before the command: {error}"))
                    }
                })?;
            }
            given_up(&mut client)?;
        }
    }
    if context.has_tls(Profile::Strict) {
        for version in context.tls_versions() {
            resumed(context, version)?;
        }
    }
    Ok(())
}

/// Where data connections have to resume the session, one that is begun early may do so too. Each
/// transfer has a control connection of its own: tickets of TLS 1.3 are used once, and a server need
/// not send further ones before it knows which way the data goes.
fn resumed(context: &mut Context<'_>, version: TlsVersion) -> Result {
    for line in ["STOR file", "RETR file", "NLST"] {
        let mut client = context.login_protected(Profile::Strict, &Tls::only(version))?;
        let opened = open(&mut client, Order::HandshakeFirst, line)?;
        let transfer = match line {
            "STOR file" => client.finish_upload(opened, b"content")?,
            _ => client.finish_download(opened)?,
        };
        let got = protected(transfer)?;
        ensure!(line != "RETR file" || got == b"content", "RETR file: {}", got.escape_ascii());
    }
    Ok(())
}

/// Makes a passive data connection and has a command use it.
fn open(client: &mut Client, order: Order, line: &str) -> Result<(Reply, Data)> {
    if order == Order::CommandFirst {
        return client.open(line);
    }
    let mut data = client.passive()?;
    data.handshake()?;
    client.note("data: TLS stands");
    Ok((client.expect(line, &[125, 150])?, data))
}

/// Carries out each kind of transfer.
fn transfers(client: &mut Client, order: Order) -> Result {
    for (name, bytes) in [("small", pattern(9)), ("none", vec![]), ("large", pattern(300_007))] {
        let opened = open(client, order, &format!("STOR {name}"))?;
        protected(client.finish_upload(opened, &bytes)?)?;
        let opened = open(client, order, &format!("RETR {name}"))?;
        let got = protected(client.finish_download(opened)?)?;
        same_bytes(name, &got, &bytes)?;
    }
    for command in ["LIST", "NLST"] {
        let listing = quietly(client, |client| {
            let opened = open(client, order, command)?;
            protected(client.finish_download(opened)?)
        })?;
        let listing = String::from_utf8_lossy(&listing);
        let complete = ["small", "none", "large"].iter().all(|name| listing.contains(name));
        ensure!(complete, "{command}: {listing:?}");
        client.note(&format!("{command}: complete and protected"));
    }
    let opened = open(client, order, "APPE small")?;
    protected(client.finish_upload(opened, b"more")?)?;
    holds(client, "small", &[pattern(9), b"more".to_vec()].concat())
}

/// A connection on which TLS stands, and a command that is refused, or none: the next transfer is
/// served as ever, over a connection of its own.
fn given_up(client: &mut Client) -> Result {
    let mut data = client.passive()?;
    data.handshake()?;
    client.expect("RETR missing", &[550])?;
    drop(data);
    let mut data = client.passive()?;
    data.handshake()?;
    drop(data);
    client.put("after", b"content")?;
    holds(client, "after", b"content")
}
