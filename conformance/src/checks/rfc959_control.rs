//! RFC 959: ABOR.

use super::{Result, ensure, holds, stalled_download};
use crate::check::{Check, Context};
use crate::client::Client;
use crate::data::{Data, End};
use crate::reply::{DATA_MARK, IAC, INTERRUPT};

pub(super) const CHECKS: &[Check] = &[Check { id: "rfc959.abor", run: abor }];

fn abor(context: &mut Context<'_>) -> Result {
    let mut client = context.login()?;
    client.put("file", b"content")?;
    client.expect("ABOR", &[225, 226])?;
    client.passive_port()?;
    client.expect("ABOR", &[225, 226])?;
    holds(&mut client, "file", b"content")?;

    // A download whose reader has stopped.
    let (_, data) = stalled_download(&mut client, "big")?;
    client.send("ABOR")?;
    aborted(&mut client, Some(data))?;

    // An upload that stands still.
    let (_, mut data) = client.open("STOR upload")?;
    data.send(b"half")?;
    client.send("ABOR")?;
    aborted(&mut client, None)?;
    let (_, end) = data.receive();
    ensure!(end != End::Timeout, "the data connection of the upload stays open");

    // A transfer whose data connection has not come.
    client.passive_port()?;
    client.send("RETR file")?;
    client.send("ABOR")?;
    while ![225, 226].contains(&client.expect_reply(&[125, 150, 225, 226, 425, 426])?.code) {}
    holds(&mut client, "file", b"content")?;

    // As Telnet has it. The byte sent last is the urgent one: the data mark itself (RFC 854), or
    // what stands before it (the BSD client and its heirs).
    let ways: [(&[u8], &[u8]); 2] = [
        (&[IAC, INTERRUPT, IAC, DATA_MARK], b"ABOR\r\n"),
        (&[IAC, INTERRUPT, IAC], &[DATA_MARK, b'A', b'B', b'O', b'R', b'\r', b'\n']),
    ];
    for (urgent, rest) in ways {
        let (_, data) = client.open_narrow("RETR big")?;
        client.send_urgent(urgent)?;
        client.send_raw(rest)?;
        aborted(&mut client, Some(data))?;
        client.send_urgent(urgent)?;
        client.send_raw(rest)?;
        client.expect_reply(&[225, 226])?;
    }
    Ok(())
}

/// Fails unless the replies are those to ABOR, the download is cut short, and the session goes on.
fn aborted(client: &mut Client, download: Option<Data>) -> Result {
    client.expect_reply(&[426])?;
    client.expect_reply(&[225, 226])?;
    if let Some(mut data) = download {
        let (bytes, end) = data.receive();
        ensure!(end != End::Timeout, "the data connection stays open");
        ensure!(bytes.len() < super::BIG, "the whole file came after ABOR");
    }
    holds(client, "file", b"content")
}
