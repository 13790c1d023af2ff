//! RFC 3659: MDTM, SIZE, REST STREAM, TVFS and times in UTC.

use std::time::{SystemTime, UNIX_EPOCH};

use super::rfc2389::features;
use super::rfc3659_facts::{mlsd_of, mlst_of};
use super::{Result, advise, denied, ensure, holds, is_in, quietly, same_bytes, wants_argument};
use crate::check::{Check, Context, Failure, Why};
use crate::client::Client;
use crate::listing::{Clock, LongLine, Stamp};
use crate::target::Account;

pub(super) const CHECKS: &[Check] = &[
    Check { id: "rfc3659.mdtm", run: mdtm },
    Check { id: "rfc3659.size", run: size },
    Check { id: "rfc3659.rest", run: rest },
    Check { id: "rfc3659.tvfs", run: tvfs },
    Check { id: "rfc3659.gmt", run: gmt },
];

/// Returns what MDTM says of a file.
fn modified(client: &mut Client, name: &str) -> Result<Stamp> {
    Stamp::parse(&client.expect(format!("MDTM {name}"), &[213])?.text())
}

/// Fails unless the time is now, by this machine's clock. Zones are quarters of an hour apart, so
/// half of that is let pass for clocks that are not set alike.
fn is_now(stamp: Stamp) -> Result {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let late = now as i64 - stamp.unix_seconds();
    ensure!(late.abs() < 450, "{stamp:?} is {late} seconds from now in UTC");
    Ok(())
}

fn mdtm(context: &mut Context<'_>) -> Result {
    let mut client = context.login()?;
    client.put("file", b"content")?;
    client.expect("MKD folder", &[257])?;
    client.offered("MDTM file", &[213])?;
    is_now(modified(&mut client, "file")?)?;
    ensure!(
        modified(&mut client, "file")? == modified(&mut client, &context.path("file"))?,
        "the time changes by looking"
    );
    for wrong in ["missing", "missing/file", "file/file"] {
        client.expect(format!("MDTM {wrong}"), &[550])?;
    }
    client.expect("MDTM folder", &[213, 550])?;
    wants_argument(&mut client, "MDTM")?;
    denied(context, Account::Powerless, &format!("MDTM {}", context.path("file")), &[550])
}

fn size(context: &mut Context<'_>) -> Result {
    let mut client = context.login()?;
    client.put("file", b"a\nb\nc")?;
    client.put("empty", b"")?;
    client.expect("MKD folder", &[257])?;
    client.offered("SIZE file", &[213])?;
    for (name, expected) in [("file", "5"), ("empty", "0"), ("folder/../file", "5")] {
        let got = client.expect(format!("SIZE {name}"), &[213])?.text();
        ensure!(got == expected, "SIZE {name} is {expected}, not {got}");
    }
    // As many bytes as RETR would send, or a refusal.
    client.expect("TYPE A", &[200])?;
    let reply = client.expect("SIZE file", &[213, 550])?;
    ensure!(reply.code == 550 || reply.text() == "7", "in TYPE A {}", reply.text());
    for r#type in ["TYPE A", "TYPE I"] {
        client.expect(r#type, &[200])?;
        for wrong in ["folder", "missing", "missing/file", "/"] {
            client.expect(format!("SIZE {wrong}"), &[550])?;
        }
    }
    wants_argument(&mut client, "SIZE")?;
    denied(context, Account::Powerless, &format!("SIZE {}", context.path("file")), &[550])
}

fn rest(context: &mut Context<'_>) -> Result {
    let mut client = context.login()?;
    let listed = features(&mut client)?;
    ensure!(listed.iter().any(|line| line == "REST STREAM"), "not in FEAT: {listed:?}");
    client.put("file", b"01234")?;
    resume_upload(&mut client, "file", 5, b"56789")?;
    same_bytes("file", &resume_download(&mut client, "file", 3)?, b"3456789")?;
    holds(&mut client, "file", b"0123456789")?;

    let Some(large) = context.large_file() else { return Ok(()) };
    let size = client.expect(format!("SIZE {large}"), &[213])?.text();
    let size: u64 = size.parse().map_err(|_| Failure::new(format!("SIZE {size}")))?;
    ensure!(size > 1 << 32, "the large file has but {size} bytes");
    let left = resume_download(&mut client, &large, size - 6)?;
    ensure!(left.len() == 6, "{} bytes of the last 6", left.len());
    resume_upload(&mut client, &large, size - 4, b"tail")?;
    let now = resume_download(&mut client, &large, size - 6)?;
    same_bytes("the end of the large file", &now, &[&left[..2], b"tail"].concat())?;
    let after = client.expect(format!("SIZE {large}"), &[213])?.text();
    ensure!(after == size.to_string(), "SIZE {after} after, {size} before");
    Ok(())
}

fn resume_download(client: &mut Client, name: &str, offset: u64) -> Result<Vec<u8>> {
    let data = client.passive()?;
    client.expect(format!("REST {offset}"), &[350])?;
    let opening = client.expect(format!("RETR {name}"), &[125, 150])?;
    client.finish_download((opening, data))?.complete()
}

fn resume_upload(client: &mut Client, name: &str, offset: u64, bytes: &[u8]) -> Result {
    let mut data = client.passive()?;
    client.expect(format!("REST {offset}"), &[350])?;
    client.expect(format!("STOR {name}"), &[125, 150])?;
    data.send(bytes)?;
    data.finish();
    client.expect_reply(&[226, 250]).map(drop)
}

fn tvfs(context: &mut Context<'_>) -> Result {
    let mut client = context.login()?;
    let listed = features(&mut client)?;
    if !listed.iter().any(|line| line == "TVFS") {
        return Err(Failure::skip(Why::NotOffered, "TVFS is not in FEAT"));
    }
    client.expect("MKD a", &[257])?;
    client.expect("MKD a/b", &[257])?;
    client.put("a/file", b"content")?;
    let folder = context.folder().to_owned();
    // As many as lead to the root, and more.
    let up = "../".repeat(folder.matches('/').count());
    for (given, expected) in [
        ("a".to_owned(), context.path("a")),
        ("a/b/".to_owned(), context.path("a/b")),
        ("a//b".to_owned(), context.path("a/b")),
        ("./a/./b/.".to_owned(), context.path("a/b")),
        ("a/b/..".to_owned(), context.path("a")),
        ("a/../a/b".to_owned(), context.path("a/b")),
        (format!("/{folder}///a"), context.path("a")),
        (format!("/..{folder}/{up}..{folder}"), folder.clone()),
        ("/".to_owned(), "/".to_owned()),
        ("/../..".to_owned(), "/".to_owned()),
        (format!("{up}../.."), "/".to_owned()),
    ] {
        client.expect(format!("CWD {given}"), &[250])?;
        is_in(&mut client, &expected)?;
        client.expect(format!("CWD {folder}"), &[250])?;
    }
    for name in ["a/file", "a//file", "a/b/../file", "./a/./file"] {
        holds(&mut client, name, b"content")?;
        client.expect(format!("SIZE {name}"), &[213])?;
    }
    // Only / parts names; but a server may not like the other one in them.
    let transfer = client.attempt("STOR a\\file")?;
    if transfer.code >= 500 {
        client.advise(format!("a name with a backslash: {}", transfer.whole()))?;
        return holds(&mut client, "a/file", b"content");
    }
    client.put("a\\file", b"another")?;
    holds(&mut client, "a/file", b"content")?;
    holds(&mut client, "a\\file", b"another")
}

fn gmt(context: &mut Context<'_>) -> Result {
    let mut client = context.login()?;
    client.put("file", b"content")?;
    client.offered("MDTM file", &[213])?;
    let stamp = modified(&mut client, "file")?;
    is_now(stamp)?;
    if features(&mut client)?.iter().any(|line| line.starts_with("MLST ")) {
        let by_mlst = Stamp::parse(mlst_of(&mut client, "file")?.fact("modify")?)?;
        ensure!(by_mlst == stamp, "MLST {by_mlst:?}, MDTM {stamp:?}");
        let entries = mlsd_of(&mut client, "MLSD")?;
        let entry = entries.iter().find(|entry| entry.name == b"file");
        let entry = entry.ok_or_else(|| Failure::new("MLSD does not list the file"))?;
        let by_mlsd = Stamp::parse(entry.fact("modify")?)?;
        ensure!(by_mlsd == stamp, "MLSD {by_mlsd:?}, MDTM {stamp:?}");
    } else {
        context.skip("no MLST");
    }

    let lines = quietly(&mut client, |client| client.list("LIST"))?;
    let lines = lines.iter().filter(|line| !line.starts_with(b"total "));
    for line in lines.map(|line| LongLine::parse(line)).collect::<Result<Vec<_>>>()? {
        if line.name == b"file" {
            let clock = Clock::Time(stamp.time.0, stamp.time.1);
            let same = line.date == (stamp.date.1, stamp.date.2) && line.clock == clock;
            advise!(client, same, "LIST {:?} {:?}, MDTM {stamp:?}", line.date, line.clock);
        }
    }
    Ok(())
}
