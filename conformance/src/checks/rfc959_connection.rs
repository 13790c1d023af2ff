//! RFC 959 section 4.1.2: the data port and the transfer parameters that are mere words.

use std::net::{IpAddr, SocketAddr};

use super::{Result, advise, ensure, holds, no_data_connection, same_bytes};
use crate::check::{Check, Context, Failure, Why};
use crate::client::Client;
use crate::data::{DeadPort, Dial, Offer, port_argument};
use crate::reply::Reply;
use crate::target::Profile;

pub(super) const CHECKS: &[Check] = &[
    Check { id: "rfc959.port", run: port },
    Check { id: "rfc959.pasv", run: pasv },
    Check { id: "rfc959.stru", run: stru },
    Check { id: "rfc959.mode", run: mode },
];

fn port(context: &mut Context<'_>) -> Result {
    let mut client = context.login()?;
    let local = client.local()?.ip();
    let IpAddr::V4(own) = local else {
        return Err(Failure::skip(Why::NeedsOption, "the server on IPv4 (--server)"));
    };
    client.put("file", b"content")?;

    // Both ways.
    let offer = client.active()?;
    client.expect("RETR file", &[125, 150])?;
    let (bytes, _) = offer.accept()?.receive();
    client.expect_reply(&[226, 250])?;
    same_bytes("file", &bytes, b"content")?;
    let offer = client.active()?;
    client.expect("STOR other", &[125, 150])?;
    let mut data = offer.accept()?;
    data.send(b"upload")?;
    data.finish();
    client.expect_reply(&[226, 250])?;
    holds(&mut client, "other", b"upload")?;

    for wrong in [
        "",
        " 127,0,0,1,8",
        " 127,0,0,1,8,256",
        " 256,0,0,1,8,0",
        " 127,0,0,1,-8,0",
        " 127,0,0,1,8,",
        " 127,0,0,1,,0",
        " 127,0,0,1,a,b",
        " 127.0.0.1.8.0",
        " 127,0,0,1,99999999999999999999,0",
    ] {
        client.prefer(format!("PORT{wrong}"), &[501], &[425])?;
    }
    // More than six is no less wrong, but some stop reading there; and low ports are a matter of
    // RFC 2577. Such a port is this machine's own, and no transfer follows.
    for (argument, codes) in [
        ("127,0,0,1,8,0,0".to_owned(), &[501][..]),
        (port_argument(own, 0), &[500, 501]),
        (port_argument(own, 1023), &[500, 501, 504]),
    ] {
        client.prefer(format!("PORT {argument}"), codes, &[200, 425])?;
    }

    // Another's address: refused, and nothing connects to it.
    if let Some(other) = context.other_address(local) {
        let mut client = context.login()?;
        let offer = Offer::listen(other)?;
        client.offer(offer.address()?, &[500, 501])?;
        no_data_connection(&mut client, "RETR file")?;
        ensure!(!offer.was_approached(), "the server connected to another's address");
    }

    // A port on which nothing listens.
    let dead = DeadPort::reserve(local)?;
    let accepted = client.offer(dead.address()?, &[200, 425])?.code == 200;
    if accepted && client.expect("RETR file", &[125, 150, 425])?.code < 200 {
        client.expect_reply(&[425])?;
    }
    holds(&mut client, "file", b"content")
}

fn pasv(context: &mut Context<'_>) -> Result {
    let mut client = context.login()?;
    client.put("file", b"content")?;
    let server = client.server()?;
    if server.is_ipv6() {
        return Err(Failure::skip(Why::NeedsOption, "the server on IPv4 (--server)"));
    }
    let address = client.pasv_as_named()?;
    ensure!(address.ip() == server.ip(), "227 names {}, not the server", address.ip());
    ensure!(address.port() >= 1024, "227 names port {}", address.port());
    same_bytes("file", &retrieve_from(&mut client, address)?, b"content")?;
    // And the other way.
    let address = client.pasv()?;
    let mut data = client.dial_data(address, Dial::default())?;
    client.expect("STOR other", &[125, 150])?;
    data.send(b"upload")?;
    data.finish();
    client.expect_reply(&[226, 250])?;
    holds(&mut client, "other", b"upload")?;

    if context.has(Profile::Ipv6) {
        let mut client = context.login_to(Profile::Ipv6)?;
        let reply = client.expect("PASV", &[425, 522])?;
        advise!(client, reply.whole().contains("EPSV"), "EPSV is not named: {}", reply.whole());
        client.put("six", b"6")?;
        holds(&mut client, "six", b"6")?;
    }
    Ok(())
}

fn retrieve_from(client: &mut Client, address: SocketAddr) -> Result<Vec<u8>> {
    let data = client.dial_data(address, Dial::default())?;
    let opening = client.expect("RETR file", &[125, 150])?;
    client.finish_download((opening, data))?.complete()
}

/// Fails when the server has agreed to another form, and sends the bytes of `file` as they are.
pub(super) fn comes_otherwise(client: &mut Client, reply: &Reply) -> Result {
    if reply.code != 200 {
        return Ok(());
    }
    let bytes = client.download("RETR file")?.bytes;
    ensure!(bytes != b"content", "{} is accepted, and changes nothing", reply.command);
    Ok(())
}

fn stru(context: &mut Context<'_>) -> Result {
    let mut client = context.login()?;
    client.put("file", b"content")?;
    for (argument, code) in [
        (" F", 200),
        (" f", 200),
        (" R", 504),
        (" P", 504),
        (" r", 504),
        (" X", 501),
        (" FF", 501),
        ("", 501),
    ] {
        // Others may have records and pages, and read no further than the letter.
        let also: &[u16] = if code == 504 || argument == " FF" { &[200] } else { &[] };
        let reply = client.prefer(format!("STRU{argument}"), &[code], also)?;
        if code == 504 {
            comes_otherwise(&mut client, &reply)?;
        }
    }
    client.expect("STRU F", &[200])?;
    holds(&mut client, "file", b"content")
}

fn mode(context: &mut Context<'_>) -> Result {
    let mut client = context.login()?;
    client.put("file", b"content")?;
    for (argument, code) in [
        (" S", 200),
        (" s", 200),
        (" B", 504),
        (" C", 504),
        (" c", 504),
        (" X", 501),
        (" SS", 501),
        ("", 501),
    ] {
        let also: &[u16] = if code == 504 || argument == " SS" { &[200] } else { &[] };
        let reply = client.prefer(format!("MODE{argument}"), &[code], also)?;
        if code == 504 {
            comes_otherwise(&mut client, &reply)?;
        }
    }
    client.expect("MODE S", &[200])?;
    holds(&mut client, "file", b"content")
}
