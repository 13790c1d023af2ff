//! RFC 2428: EPRT and EPSV.

use std::net::SocketAddr;

use super::{Result, advise, ensure, holds, no_data_connection, quietly, same_bytes};
use crate::check::{Check, Context};
use crate::client::Client;
use crate::data::{Offer, eprt_argument, other_family};
use crate::target::Profile;

pub(super) const CHECKS: &[Check] =
    &[Check { id: "rfc2428.eprt", run: eprt }, Check { id: "rfc2428.epsv", run: epsv }];

fn eprt(context: &mut Context<'_>) -> Result {
    let mut client = context.login()?;
    client.put("file", b"content")?;
    let probe = eprt_argument(Offer::listen(client.local()?.ip())?.address()?, '|');
    client.send_as(format!("EPRT {probe}"), "EPRT")?;
    let reply = client.reply()?;
    client.is_offered(&reply)?;
    let port = Offer::listen(client.local()?.ip())?;
    let address = port.address()?;

    // Every delimiter that cannot be taken for a part of the address.
    quietly(&mut client, |client| {
        let ip = address.ip().to_string();
        for delimiter in ('!'..='~').filter(|d| !d.is_ascii_digit() && !ip.contains(*d)) {
            // "|" is the one that the RFC recommends, and all that clients use.
            let also: &[u16] = if delimiter == '|' { &[] } else { &[500, 501, 522] };
            let line = format!("EPRT {}", eprt_argument(address, delimiter));
            client.prefer(line, &[200], also)?;
        }
        Ok(())
    })?;
    client.note("EPRT with every delimiter");
    // A server may connect as soon as it knows the port, so this is a new one.
    let offer = client.listen()?;
    client.send_as(format!("EPRT {}", eprt_argument(offer.address()?, '|')), "EPRT")?;
    client.expect_reply(&[200])?;
    retrieve_by(&mut client, &offer)?;

    for wrong in [
        "",
        " |",
        " ||||",
        " |1|127.0.0.1|",
        " |1|127.0.0.1|2000",
        " |1|127.0.0.1|99999|",
        " |1|127.0.0.1|-1|",
        " |1|127.0.0.1|abc|",
        " |1|127.0.0|2000|",
        " |1|300.0.0.1|2000|",
        " |1||2000|",
        " 1,127.0.0.1,2000,",
    ] {
        client.expect(format!("EPRT{wrong}"), &[500, 501, 522])?;
    }
    let more = format!("EPRT {}extra|", eprt_argument(address, '|'));
    client.send_as(more, "EPRT with one more field")?;
    client.prefer_reply(&[500, 501, 522], &[200])?;
    for unknown in ["|3|127.0.0.1|2000|", "|0|127.0.0.1|2000|", "|99|x|2000|"] {
        let reply = client.expect(format!("EPRT {unknown}"), &[522])?;
        advise!(client, reply.text().contains("(1,2)"), "(1,2) is not named: {}", reply.whole());
    }

    // The rules of PORT.
    for port in [1023, 0] {
        if let Err(error) = refused(&mut client, SocketAddr::new(address.ip(), port)) {
            context.advise(error.to_string())?;
        }
    }
    of_another_family(&mut client)?;
    if let Some(other) = context.other_address(address.ip()) {
        let mut client = context.login()?;
        let offer = Offer::listen(other)?;
        refused(&mut client, offer.address()?)?;
        no_data_connection(&mut client, "RETR file")?;
        ensure!(!offer.was_approached(), "the server connected to another's address");
    }

    if context.has(Profile::Ipv6) {
        let mut client = context.login_to(Profile::Ipv6)?;
        client.put("file", b"content")?;
        let offer = client.active()?;
        retrieve_by(&mut client, &offer)?;
        of_another_family(&mut client)?;
    }
    Ok(())
}

fn retrieve_by(client: &mut Client, offer: &Offer) -> Result {
    client.expect("RETR file", &[125, 150])?;
    let (bytes, _) = offer.accept()?.receive();
    client.expect_reply(&[226, 250])?;
    same_bytes("file", &bytes, b"content")
}

/// Fails unless EPRT with this address is refused.
fn refused(client: &mut Client, address: SocketAddr) -> Result {
    let line = format!("EPRT {}", eprt_argument(address, '|'));
    client.send_as(line, &format!("EPRT {}", address.ip()))?;
    client.expect_reply(&[500, 501, 504, 522]).map(drop)
}

/// Fails unless EPRT with an address of the other protocol is refused; 522 says which would do.
fn of_another_family(client: &mut Client) -> Result {
    let address = SocketAddr::new(other_family(client.local()?.ip()), 2000);
    client.prefer(format!("EPRT {}", eprt_argument(address, '|')), &[522], &[500, 501]).map(drop)
}

fn epsv(context: &mut Context<'_>) -> Result {
    let mut client = context.login()?;
    client.put("file", b"content")?;
    holds(&mut client, "file", b"content")?;
    let v4 = client.server()?.is_ipv4();
    let (own, other) = if v4 { ("1", "2") } else { ("2", "1") };
    client.offered("EPSV", &[229])?;
    client.expect(format!("EPSV {own}"), &[229])?;
    // The reply names a port alone, at the address that the client has reached (RFC 2428 section 3).
    client.prefer(format!("EPSV {other}"), &[522], &[229, 425])?;
    client.expect("EPSV 3", &[522])?;
    client.expect("EPSV no-number", &[500, 501, 522])?;
    holds(&mut client, "file", b"content")?;

    // From EPSV ALL on, nothing else will do.
    let all = client.command("EPSV ALL")?;
    if all.code >= 500 {
        return client.advise(format!("EPSV ALL: {}", all.whole()));
    }
    client.judge(all, &[200], &[202, 220, 229, 250])?;
    client.expect("PASV", &[501, 503])?;
    let offer = Offer::listen(client.local()?.ip())?;
    if v4 {
        client.offer(offer.address()?, &[501, 503])?;
    }
    client.send_as(format!("EPRT {}", eprt_argument(offer.address()?, '|')), "EPRT")?;
    client.expect_reply(&[501, 503])?;
    ensure!(!offer.was_approached(), "the server connected to a port that it refused");
    holds(&mut client, "file", b"content")?;
    client.prefer("epsv all", &[200], &[202, 220, 229, 250])?;
    // Another session is not concerned.
    context.login()?.pasv()?;

    if context.has(Profile::Ipv6) {
        let mut client = context.login_to(Profile::Ipv6)?;
        client.put("file", b"content")?;
        client.expect("EPSV 2", &[229])?;
        client.prefer("EPSV 1", &[522], &[229])?;
        client.expect("EPSV 3", &[522])?;
        holds(&mut client, "file", b"content")?;
    }
    Ok(())
}
