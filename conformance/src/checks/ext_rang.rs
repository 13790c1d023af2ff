//! Ranges of files: RANG (draft-bryan-ftp-range-08).

use super::rfc2389::features;
use super::{Result, denied, ensure, holds, quietly, same_bytes, wants_argument};
use crate::check::{Check, Context, Failure, Why};
use crate::client::Client;
use crate::reply::Reply;
use crate::target::Account;

pub(super) const CHECKS: &[Check] = &[Check { id: "ext.rang", run: rang }];

const CONTENT: &[u8] = b"0123456789";

/// The codes with which a range is refused by the command after RANG.
const REFUSED: &[u16] = &[450, 501, 503, 550, 551, 552, 553, 554];

fn rang(context: &mut Context<'_>) -> Result {
    let mut client = context.login()?;
    if !quietly(&mut client, features)?.iter().any(|line| line.eq_ignore_ascii_case("RANG STREAM"))
    {
        return Err(Failure::skip(Why::NotOffered, "FEAT does not list RANG STREAM"));
    }
    client.expect("RANG 0 4", &[350])?;
    client.expect("RANG 1 0", &[350])?;
    for wrong in ["5 4", "2 0", "5", "x y", "1 2 3", "-1 5", "100000000000000000000000 1"] {
        client.expect(format!("RANG {wrong}"), &[501])?;
    }
    wants_argument(context, &mut client, "RANG")?;
    client.put("file", CONTENT)?;
    retrieve(context, &mut client)?;
    store(context, &mut client)
}

/// Retrieves what a range covers.
fn get(client: &mut Client, range: &str, name: &str) -> Result<Vec<u8>> {
    let data = client.passive()?;
    client.expect(format!("RANG {range}"), &[350])?;
    let opening = client.expect(format!("RETR {name}"), &[125, 150])?;
    client.finish_download((opening, data))?.complete()
}

fn retrieve(context: &mut Context<'_>, client: &mut Client) -> Result {
    for (range, expected) in [
        ("2 5", &b"2345"[..]),
        ("0 0", b"0"),
        ("9 9", b"9"),
        ("0 9", CONTENT),
        // Of what lies beyond the end nothing comes.
        ("8 100", b"89"),
        ("10 20", b""),
        ("50 60", b""),
        // Of 32 bits, 2 and 5 would be left of these.
        ("4294967298 4294967301", b""),
    ] {
        let got = get(client, range, "file")?;
        same_bytes(&format!("RANG {range}"), &got, expected)?;
        // The next RETR, and that one only.
        holds(client, "file", CONTENT)?;
    }

    // RANG 1 0 takes it back, and so does a range that cannot be.
    for (takes_back, code) in [("RANG 1 0", 350), ("RANG 5 2", 501)] {
        let data = client.passive()?;
        client.expect("RANG 2 5", &[350])?;
        client.expect(takes_back, &[code])?;
        let opening = client.expect("RETR file", &[125, 150])?;
        let got = client.finish_download((opening, data))?.complete()?;
        same_bytes(takes_back, &got, CONTENT)?;
    }

    // A range that lies where 32 bits do not reach.
    if let Some(large) = context.large_file() {
        let got = get(client, "4294967294 4294967301", &large)?;
        ensure!(got.len() == 8, "{} bytes instead of 8", got.len());
    }
    Ok(())
}

/// Stores into a range, and returns the last reply.
fn put(client: &mut Client, range: &str, name: &str, bytes: &[u8]) -> Result<Reply> {
    let data = client.passive()?;
    client.expect(format!("RANG {range}"), &[350])?;
    let opening = client.command(format!("STOR {name}"))?;
    if opening.code >= 200 {
        return Ok(opening);
    }
    Ok(client.finish_upload((opening, data), bytes)?.closing)
}

fn store(context: &mut Context<'_>, client: &mut Client) -> Result {
    for (range, bytes, expected) in [
        ("2 5", &b"abcd"[..], &b"01abcd6789"[..]),
        ("0 0", b"A", b"A1abcd6789"),
        ("9 9", b"Z", b"A1abcd678Z"),
        ("8 11", b"wxyz", b"A1abcd67wxyz"),
        ("12 13", b"!?", b"A1abcd67wxyz!?"),
    ] {
        put(client, range, "file", bytes)?.expect(&[226, 250])?;
        holds(client, "file", expected)?;
    }
    // The next STOR, and that one only.
    client.put("file", CONTENT)?;
    holds(client, "file", CONTENT)?;

    // Where more or less comes, all outside the range stays as it was.
    for bytes in [&b"much more"[..], b"m", b""] {
        put(client, "2 5", "file", bytes)?;
        let got = client.get("file")?;
        let kept = got.len() == 10 && got.starts_with(b"01") && got.ends_with(b"6789");
        ensure!(kept, "{} bytes for 2-5: {}", bytes.len(), got.escape_ascii());
    }
    client.put("file", CONTENT)?;
    // There is no place to begin.
    put(client, "20 25", "file", b"abcdef")?.expect(REFUSED)?;
    holds(client, "file", CONTENT)?;
    client.expect("RANG 1 0", &[350])?;

    // A range is no way around permissions.
    let path = context.path("file");
    denied(context, Account::Powerless, &format!("STOR {path}"), &[550, 553])?;
    if let Some(mut guest) = context.login_as(Account::Anonymous)? {
        let reply = put(&mut guest, "2 5", &path, b"abcd")?;
        reply.expect(&[550, 551, 552, 553])?;
    }
    holds(client, "file", CONTENT)
}
