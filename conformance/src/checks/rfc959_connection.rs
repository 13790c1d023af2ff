//! RFC 959 section 4.1.2: the data port and the transfer parameters that are mere words.

use std::net::SocketAddr;

use super::{Result, ensure, holds, no_data_connection, same_bytes};
use crate::check::{Check, Context};
use crate::client::Client;
use crate::data::{Data, DeadPort, Dial, Offer};
use crate::target::Profile;

pub(super) const CHECKS: &[Check] = &[
    Check { id: "rfc959.port", run: port },
    Check { id: "rfc959.pasv", run: pasv },
    Check { id: "rfc959.stru", run: stru },
    Check { id: "rfc959.mode", run: mode },
];

fn port(context: &mut Context<'_>) -> Result {
    let mut client = context.login()?;
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
        " 127,0,0,1,8,0,0",
        " 127,0,0,1,8,256",
        " 256,0,0,1,8,0",
        " 127,0,0,1,-8,0",
        " 127,0,0,1,8,",
        " 127,0,0,1,,0",
        " 127,0,0,1,a,b",
        " 127.0.0.1.8.0",
        " 127,0,0,1,99999999999999999999,0",
    ] {
        client.expect(format!("PORT{wrong}"), &[501])?;
    }
    client.expect("PORT 127,0,0,1,0,0", &[500, 501])?;
    client.expect("PORT 127,0,0,1,3,255", &[500, 501])?;

    // Another's address: refused, and nobody connects to it.
    let local = client.local()?.ip();
    if let Some(other) = context.other_address(local) {
        let mut client = context.login()?;
        let offer = Offer::listen(other)?;
        client.offer(offer.address()?, &[500, 501])?;
        no_data_connection(&mut client, "RETR file")?;
        ensure!(!offer.was_approached(), "the server connected to another's address");
    }

    // A port on which nobody listens.
    let dead = DeadPort::reserve(local)?;
    let accepted = client.offer(dead.address()?, &[200, 425])?.code == 200;
    if accepted && client.expect("RETR file", &[125, 150, 425])?.code != 425 {
        client.expect_reply(&[425])?;
    }
    holds(&mut client, "file", b"content")
}

fn pasv(context: &mut Context<'_>) -> Result {
    let mut client = context.login()?;
    client.put("file", b"content")?;
    let address = client.pasv()?;
    let server = client.server()?;
    ensure!(address.ip() == server.ip(), "227 names {}, not the server", address.ip());
    ensure!(address.port() >= 1024, "227 names port {}", address.port());
    same_bytes("file", &retrieve_from(&mut client, address)?, b"content")?;
    // And the other way.
    let address = client.pasv()?;
    let mut data = Data::dial(address, Dial::default())?;
    client.expect("STOR other", &[125, 150])?;
    data.send(b"upload")?;
    data.finish();
    client.expect_reply(&[226, 250])?;
    holds(&mut client, "other", b"upload")?;

    if context.has(Profile::Ipv6) {
        let mut client = context.login_to(Profile::Ipv6)?;
        let reply = client.expect("PASV", &[425, 522])?;
        ensure!(reply.whole().contains("EPSV"), "EPSV is not named: {}", reply.whole());
        client.put("six", b"6")?;
        holds(&mut client, "six", b"6")?;
    }
    Ok(())
}

fn retrieve_from(client: &mut Client, address: SocketAddr) -> Result<Vec<u8>> {
    let data = Data::dial(address, Dial::default())?;
    let opening = client.expect("RETR file", &[125, 150])?;
    client.finish_download((opening, data))?.complete()
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
        client.expect(format!("STRU{argument}"), &[code])?;
    }
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
        client.expect(format!("MODE{argument}"), &[code])?;
    }
    holds(&mut client, "file", b"content")
}
