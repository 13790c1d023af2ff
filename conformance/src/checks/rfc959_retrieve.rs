//! RFC 959: TYPE, RETR and REST.

use super::rfc959_connection::comes_otherwise;
use super::{
    Result, advise, denied, ensure, holds, pattern, quietly, same_bytes, stalled_download,
    wants_argument,
};
use crate::check::{Check, Context};
use crate::data::End;
use crate::target::{Account, Profile};

pub(super) const CHECKS: &[Check] = &[
    Check { id: "rfc959.type", run: r#type },
    Check { id: "rfc959.retr", run: retr },
    Check { id: "rfc959.rest", run: rest },
];

fn r#type(context: &mut Context<'_>) -> Result {
    let mut client = context.login()?;
    for argument in ["A", "a", "A N", "a n", "I", "i"] {
        client.expect(format!("TYPE {argument}"), &[200])?;
    }
    for argument in ["L 8", "l 8"] {
        client.prefer(format!("TYPE {argument}"), &[200], &[501, 504])?;
    }
    client.put("file", b"content")?;
    for argument in ["E", "E N", "A T", "A C"] {
        let reply = client.prefer(format!("TYPE {argument}"), &[504], &[200])?;
        if argument.starts_with('E') {
            // In EBCDIC no letter has the code that it has in ASCII.
            comes_otherwise(&mut client, &reply)?;
        }
    }
    client.prefer("TYPE A X", &[504], &[200])?;
    for argument in ["L 7", "L 16", "X"] {
        client.expect(format!("TYPE {argument}"), &[504])?;
    }
    wants_argument(context, &mut client, "TYPE")?;

    // Up: CRLF becomes the server's line end, and all else stays. A byte at a time, with a word to
    // the server in another session after each, most are read alone; and of very many lines some
    // are cut wherever the borders of reads lie.
    let mut bystander = context.login()?;
    // What becomes of a CR alone, which RFC 959 does not let a client send, is looked at by strict
    // checks only.
    let (words, stored_words): (&[u8], &[u8]) = match context.is_strict() {
        true => (
            b"one\r\ntwo\r\n\r\n\r\r\nlone\rCR, last line without end\r",
            b"one\ntwo\n\n\r\nlone\rCR, last line without end\r",
        ),
        false => (b"one\r\ntwo\r\n\r\nlast line without end", b"one\ntwo\n\nlast line without end"),
    };
    let (sent, stored) = (text(b"\r\n"), text(b"\n"));
    client.expect("TYPE A", &[200])?;
    let (_, mut data) = client.open("STOR words")?;
    for byte in words {
        data.send(&[*byte])?;
        quietly(&mut bystander, |client| client.is_alive())?;
    }
    data.finish();
    client.expect_reply(&[226, 250])?;
    client.put("text", &sent)?;
    client.put("empty", b"")?;
    client.expect("TYPE I", &[200])?;
    holds(&mut client, "words", stored_words)?;
    holds(&mut client, "text", &stored)?;
    holds(&mut client, "empty", b"")?;

    // Down.
    client.put("binary", &stored)?;
    let (short, sent_short): (&[u8], &[u8]) = match context.is_strict() {
        true => (b"\n\na\nhas\r\nlone\rCR, last", b"\r\n\r\na\r\nhas\r\nlone\rCR, last"),
        false => (b"\n\na\nlast line without end", b"\r\n\r\na\r\nlast line without end"),
    };
    client.put("short", short)?;
    client.expect("TYPE A N", &[200])?;
    holds(&mut client, "binary", &sent)?;
    holds(&mut client, "short", sent_short)?;
    holds(&mut client, "empty", b"")?;
    client.expect("TYPE I", &[200])?;
    holds(&mut client, "binary", &stored)
}

/// Returns lines of all lengths up to a hundred, ended in this manner, and two runs of empty ones:
/// of two bytes each, they begin at even places in one and at odd places in the other.
fn text(end: &[u8]) -> Vec<u8> {
    let mut text = Vec::new();
    for line in 0..10_000 {
        text.extend((0..line % 101).map(|column| b'a' + (column % 26) as u8));
        text.extend(end);
    }
    text.extend(end.repeat(100_000));
    text.push(b'x');
    text.extend(end.repeat(100_000));
    text
}

fn retr(context: &mut Context<'_>) -> Result {
    let mut client = context.login()?;
    let bytes = pattern(300_007);
    client.put("file", &bytes)?;
    client.put("empty", b"")?;
    client.expect("MKD folder", &[257])?;
    let transfer = client.download("RETR file")?;
    let opening = transfer.opening.whole();
    advise!(client, opening.contains("300007"), "the size is not named: {opening}");
    same_bytes("file", &transfer.complete()?, &bytes)?;
    holds(&mut client, "empty", b"")?;
    let whole_path = context.path("file");
    holds(&mut client, &whole_path, &bytes)?;

    for wrong in ["missing", "folder", "missing/file", "file/file", "/"] {
        client.refused(format!("RETR {wrong}"), &[550])?;
    }
    wants_argument(context, &mut client, "RETR")?;
    denied(context, Account::Powerless, &format!("RETR {}", context.path("file")), &[550])?;

    // No data connection was agreed on, or none comes.
    let mut client = context.login()?;
    // Without a word, the client's end of the control connection is the data port (RFC 959 section
    // 3.2), and nothing listens there.
    if client.prefer("RETR file", &[425], &[125, 150, 500, 503, 550, 551])?.code < 200 {
        client.expect_reply(&[425])?;
    }
    let known = context.settings(Profile::Impatient).patience();
    if let Some((patience, _)) = known.filter(|_| context.has(Profile::Impatient)) {
        context.wait_longer(patience);
        let mut client = context.in_time(patience, |context| {
            let mut client = context.login_to(Profile::Impatient)?;
            client.put("other", b"content")?;
            client.passive_port()?;
            Ok(client)
        })?;
        if client.expect("RETR other", &[125, 150, 425])?.code < 200 {
            client.expect_reply(&[425])?;
        }
    }

    // The client drops the data connection.
    let (_, mut data) = stalled_download(&mut client, "big")?;
    if data.handshake()?.is_some() {
        // What breaks off is the transfer then, and not the handshake.
        data.receive_exactly(1)?;
    }
    data.reset()?;
    client.prefer_reply(&[426], &[550, 551])?;
    client.note("after the reset");
    holds(&mut client, "file", &bytes)
}

fn rest(context: &mut Context<'_>) -> Result {
    let mut client = context.login()?;
    client.put("file", b"0123456789")?;
    client.offered("REST 0", &[350])?;
    holds(&mut client, "file", b"0123456789")?;
    for wrong in [" -1", " abc", ""] {
        client.prefer(format!("REST{wrong}"), &[501], &[554])?;
    }
    for odd in [" 9223372036854775808", " 100000000000000000000000", " 1x", " 1 2"] {
        client.prefer(format!("REST{odd}"), &[501], &[350, 554])?;
    }
    client.expect("REST 0", &[350])?;

    // The next RETR, and that one only.
    let data = client.passive()?;
    client.expect("REST 4", &[350])?;
    let opening = client.expect("RETR file", &[125, 150])?;
    same_bytes("REST 4", &client.finish_download((opening, data))?.complete()?, b"456789")?;
    holds(&mut client, "file", b"0123456789")?;

    // The last of two counts; a bad one does not.
    let data = client.passive()?;
    client.expect("REST 4", &[350])?;
    client.expect("REST 7", &[350])?;
    let opening = client.expect("RETR file", &[125, 150])?;
    same_bytes("REST 7", &client.finish_download((opening, data))?.complete()?, b"789")?;

    // A failed RETR uses it up too.
    let _data = client.passive()?;
    client.expect("REST 4", &[350])?;
    client.expect("RETR missing", &[550])?;
    holds(&mut client, "file", b"0123456789")?;

    // And so does one that is not permitted.
    if let Some(mut guest) = context.login_as(Account::Anonymous)? {
        guest.expect("REST 4", &[350])?;
        guest.refused(format!("STOR {}", context.path("new")), &[550, 553])?;
        holds(&mut guest, &context.path("file"), b"0123456789")?;
    }

    // With another command in between: kept or dropped, but nothing else.
    let data = client.passive()?;
    client.expect("REST 4", &[350])?;
    client.is_alive()?;
    let opening = client.expect("RETR file", &[125, 150])?;
    let transfer = client.finish_download((opening, data))?;
    ensure!(transfer.end == End::Eof, "the data ended with {:?}", transfer.end);
    let bytes = transfer.complete()?;
    ensure!(bytes == b"0123456789" || bytes == b"456789", "REST, NOOP: {}", bytes.escape_ascii());

    // STOR goes on where REST says, and the one after it begins anew.
    let mut store = |offset: &str, command: &str, bytes: &[u8]| {
        let mut data = client.passive()?;
        client.expect(format!("REST {offset}"), &[350])?;
        client.expect(command, &[125, 150])?;
        data.send(bytes)?;
        data.finish();
        client.expect_reply(&[226, 250])
    };
    store("8", "STOR file", b"abcd")?;
    store("12", "STOR file", b"efg")?;
    holds(&mut client, "file", b"01234567abcdefg")?;
    client.put("file", b"new")?;
    holds(&mut client, "file", b"new")?;

    // Beyond the end there is nothing to go on from; other servers make a hole.
    for command in ["STOR file", "STOR nothing-there"].iter().filter(|_| context.is_strict()) {
        let _data = client.passive()?;
        client.expect("REST 4", &[350])?;
        client.expect(command, &[550, 551, 553, 554])?;
    }
    holds(&mut client, "file", b"new")?;

    // APPE adds at the end or goes on at the offset, or refuses; then the offset is gone.
    let mut data = client.passive()?;
    client.expect("REST 3", &[350])?;
    if client.command("APPE file")?.code < 200 {
        data.send(b"er")?;
        data.finish();
        client.expect_reply(&[226, 250])?;
        holds(&mut client, "file", b"newer")
    } else {
        if !context.is_strict() {
            // Others keep it for the next transfer.
            client.expect("REST 0", &[350])?;
        }
        holds(&mut client, "file", b"new")
    }
}
