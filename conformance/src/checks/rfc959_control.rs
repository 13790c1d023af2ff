//! RFC 959: ABOR.

use super::{Result, advise, ensure, holds, until_aborted};
use crate::check::{Check, Context, Failure};
use crate::client::Client;
use crate::data::{Data, End};
use crate::reply::{DATA_MARK, IAC, INTERRUPT, Reply};

pub(super) const CHECKS: &[Check] = &[Check { id: "rfc959.abor", run: abor }];

fn abor(context: &mut Context<'_>) -> Result {
    let mut client = context.login()?;
    client.put("file", b"content")?;
    client.offered("ABOR", &[225, 226])?;
    client.passive_port()?;
    client.expect("ABOR", &[225, 226])?;
    holds(&mut client, "file", b"content")?;

    super::put_big(&mut client, "big")?;
    let by_telnet = !client.is_protected();
    if by_telnet {
        with_synch(&mut client)?;
    }
    // RFC 959 has ABOR come after Telnet's IP and Synch, and some look for it only then.
    let answered = plainly(&mut context.login()?)?;
    ensure!(answered || by_telnet, "ABOR is not answered during a transfer");
    advise!(context, answered, "ABOR is answered only behind Telnet's Synch");
    Ok(())
}

/// As most clients send it: a line like any other. Returns `true` if it was answered at all.
fn plainly(client: &mut Client) -> Result<bool> {
    // A download whose reader has stopped.
    let (_, data) = client.open_narrow("RETR big")?;
    client.send("ABOR")?;
    match client.reply_or_end()? {
        Ok(first) => aborted(client, first, Some(data))?,
        Err(End::Timeout) => return Ok(false),
        Err(end) => return Err(Failure::new(format!("ABOR: no reply but {end}"))),
    }

    // An upload that stands still.
    let (_, mut data) = client.open("STOR upload")?;
    data.send(b"half")?;
    client.send("ABOR")?;
    let first = client.reply()?;
    aborted(client, first, None)?;
    let (_, end) = data.receive();
    ensure!(end != End::Timeout, "the data connection of the upload stays open");

    // A transfer whose data connection has not come.
    client.passive_port()?;
    client.send("RETR file")?;
    client.send("ABOR")?;
    until_aborted(client, &[125, 150, 225, 226, 425, 426])?;
    settled(client)?;
    holds(client, "file", b"content")?;
    Ok(true)
}

/// As Telnet has it.
fn with_synch(client: &mut Client) -> Result {
    // The byte sent last is the urgent one: the data mark itself (RFC 854), or what stands before it
    // (the BSD client and its heirs).
    let ways: [(&[u8], &[u8]); 2] = [
        (&[IAC, INTERRUPT, IAC, DATA_MARK], b"ABOR\r\n"),
        (&[IAC, INTERRUPT, IAC], &[DATA_MARK, b'A', b'B', b'O', b'R', b'\r', b'\n']),
    ];
    for (urgent, rest) in ways {
        let (_, data) = client.open_narrow("RETR big")?;
        client.send_urgent(urgent)?;
        client.send_raw(rest)?;
        let first = client.reply()?;
        aborted(client, first, Some(data))?;
        client.send_urgent(urgent)?;
        client.send_raw(rest)?;
        client.expect_reply(&[225, 226])?;
    }
    Ok(())
}

/// Takes replies that come beyond those to ABOR, which a lenient client lets pass.
fn settled(client: &mut Client) -> Result {
    client.send("NOOP")?;
    for _ in 0..3 {
        let reply = client.expect_reply(&[200, 225, 226, 426])?;
        if reply.code == 200 {
            return Ok(());
        }
        client.advise(format!("one more reply to ABOR: {}", reply.whole()))?;
    }
    Err(Failure::new("replies to ABOR without an end"))
}

/// Fails unless the replies are those to ABOR, the download is cut short, and the session goes on.
fn aborted(client: &mut Client, first: Reply, download: Option<Data>) -> Result {
    client.judge(first, &[426], &[])?;
    client.expect_reply(&[225, 226])?;
    if let Some(mut data) = download {
        let (bytes, end) = data.receive();
        ensure!(end != End::Timeout, "the data connection stays open");
        ensure!(bytes.len() < super::BIG, "the whole file came after ABOR");
    }
    holds(client, "file", b"content")
}
