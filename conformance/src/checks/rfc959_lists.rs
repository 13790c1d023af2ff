//! RFC 959: LIST, NLST and STAT with a path.

use super::{Result, advise, denied, ensure, holds, long_lines, quietly};
use crate::check::{Check, Context, Failure};
use crate::client::Client;
use crate::data::End;
use crate::listing::LongLine;
use crate::target::{Account, Profile};
use crate::wire::{decode_name, encode_name};

pub(super) const CHECKS: &[Check] = &[
    Check { id: "rfc959.list", run: list },
    Check { id: "rfc959.nlst", run: nlst },
    Check { id: "rfc959.stat", run: stat },
];

/// Returns the entries of a LIST, sorted by name.
fn long(client: &mut Client, line: &str) -> Result<Vec<LongLine>> {
    let lines = client.list(line)?;
    let mut entries = long_lines(client, &lines)?;
    entries.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(entries)
}

fn shown(entries: &[LongLine]) -> Vec<(char, u64, String)> {
    let shown = |entry: &LongLine| {
        let size = if entry.kind == b'd' { 0 } else { entry.size };
        (char::from(entry.kind), size, entry.name.escape_ascii().to_string())
    };
    entries.iter().map(shown).collect()
}

fn list(context: &mut Context<'_>) -> Result {
    let mut client = context.login()?;
    client.expect("MKD sub", &[257])?;
    ensure!(long(&mut client, "LIST sub")?.is_empty(), "an empty directory has entries");
    client.expect("MKD sub/folder", &[257])?;
    for (name, size) in [("a", 0), ("two  spaces", 5), ("-dash", 7), ("z", 12345)] {
        client.put(&format!("sub/{name}"), &vec![b'x'; size])?;
    }
    let file = |size, name: &str| ('-', size, name.to_owned());
    let all = [
        file(7, "-dash"),
        file(0, "a"),
        ('d', 0, "folder".to_owned()),
        file(5, "two  spaces"),
        file(12345, "z"),
    ];
    let absolute = format!("LIST {}", context.path("sub"));
    let lists_all = |client: &mut Client, command: &str| {
        let got = shown(&long(client, command)?);
        ensure!(got == all, "{command}: {got:?}");
        Ok(())
    };
    for command in ["LIST sub", "LIST sub/", &absolute] {
        lists_all(&mut client, command)?;
    }
    client.expect("CWD sub", &[250])?;
    for command in ["LIST", "LIST ."] {
        lists_all(&mut client, command)?;
    }
    // A file; and one whose name looks like an option.
    let lists_one = |client: &mut Client, command: &str, size, name: &str| {
        let entries = long(client, command)?;
        ensure!(
            matches!(&entries[..], [one] if one.size == size && one.name.ends_with(name.as_bytes())),
            "{command}: {:?}",
            shown(&entries)
        );
        Ok(())
    };
    lists_one(&mut client, "LIST z", 12345, "z")?;
    lists_one(&mut client, "LIST ./-dash", 7, "-dash")?;

    // No RFC has options, but clients send them.
    let absolute = context.path("sub");
    let in_folder = |options: &str| format!("LIST {options} {absolute}");
    for command in [in_folder("-a"), in_folder("-la"), "LIST -a".into(), "LIST -l".into()] {
        let mut client = context.login()?;
        client.expect("CWD sub", &[250])?;
        if let Err(error) = lists_all(&mut client, &command) {
            context.advise(format!("{command}, which clients send: {error}"))?;
        }
    }
    options_of_ls(context)?;
    let mut spare = context.login()?;
    spare.expect("CWD sub", &[250])?;
    if let Err(error) = lists_one(&mut spare, "LIST -- -dash", 7, "-dash") {
        context.advise(format!("the end of options, --: {error}"))?;
    }
    // What is not there: an error, or nothing.
    empty_or_refused(&mut client, "LIST missing")?;
    denied(context, Account::Powerless, &format!("LIST {}", context.folder()), &[450, 550])?;

    client.expect("MKD many", &[257])?;
    client.expect("CWD many", &[250])?;
    quietly(&mut client, |client| {
        for number in 0..300 {
            client.expect(format!("MKD folder-{number}"), &[257])?;
        }
        let entries = long(client, "LIST")?;
        ensure!(entries.len() == 300, "{} entries of 300", entries.len());
        Ok(())
    })
}

/// The order of entries, and what is in the directories within, as `ls` has them. To leave them out is
/// no fault, but clients and scripts send them.
fn options_of_ls(context: &mut Context<'_>) -> Result {
    let mut client = context.login()?;
    client.put("sub/folder/within", b"")?;
    let names = |client: &mut Client, command: &str| {
        let lines = client.list(command)?;
        let entries = long_lines(client, &lines)?.into_iter().filter(|entry| entry.kind == b'-');
        let names: Vec<_> = entries.map(|entry| entry.name.escape_ascii().to_string()).collect();
        Ok::<_, Failure>(names)
    };
    let by_size = ["z", "-dash", "two  spaces", "a"];
    let from_small = by_size.iter().rev().copied().collect::<Vec<_>>();
    for (options, expected) in [("-S", &by_size[..]), ("-Sr", &from_small)] {
        let mut client = context.login()?;
        client.expect("CWD sub", &[250])?;
        let command = format!("LIST {options}");
        match names(&mut client, &command) {
            Ok(got) if got == expected => {}
            Ok(got) => context.advise(format!("{command}: {got:?} is not sorted by size"))?,
            Err(error) => context.advise(format!("{command}: {error}"))?,
        }
    }
    for command in ["LIST -R sub", "NLST -R sub"] {
        let mut client = context.login()?;
        let found = client
            .list(command)
            .map(|lines| lines.iter().filter(|line| line.ends_with(b"within")).count() == 1);
        match found {
            Ok(true) => {}
            Ok(false) => context.advise(format!("{command}: what is further down is missing"))?,
            Err(error) => context.advise(format!("{command}: {error}"))?,
        }
    }
    client.expect("DELE sub/folder/within", &[250]).map(drop)
}

fn empty_or_refused(client: &mut Client, line: &str) -> Result {
    let data = client.passive()?;
    let opening = client.expect(line, &[125, 150, 450, 550])?;
    if opening.code >= 200 {
        return Ok(());
    }
    let transfer = client.finish_download((opening, data))?;
    // LIST is for people, and some tell them there what is wrong.
    let is_list = line.starts_with("LIST") && !client.is_strict();
    advise!(client, transfer.bytes.is_empty() || !is_list, "{line}: lists something");
    ensure!(transfer.bytes.is_empty() || is_list, "{line}: lists something");
    transfer.closing.expect(&[226, 250, 450, 550]).map(drop)
}

fn nlst(context: &mut Context<'_>) -> Result {
    let mut client = context.login()?;
    client.expect("MKD sub", &[257])?;
    client.expect("MKD sub/folder", &[257])?;
    for name in ["a.txt", "b.txt", "c.bin", "two  spaces", "-dash"] {
        client.put(&format!("sub/{name}"), name.as_bytes())?;
    }
    let all = ["two  spaces", "-dash", "a.txt", "b.txt", "c.bin", "folder"];
    names_are(&mut client, "NLST sub", "sub/", &all)?;
    let absolute = context.path("sub");
    names_are(&mut client, &format!("NLST {absolute}"), &format!("{absolute}/"), &all)?;
    // Names are arguments for RETR and the like as they are (RFC 1123 section 4.1.2.7).
    for name in client.list("NLST sub")?.iter().filter(|name| name.ends_with(b".txt")) {
        let name = String::from_utf8_lossy(name).into_owned();
        let content = name.rsplit('/').next().unwrap_or_default().to_owned();
        holds(&mut client, &name, content.as_bytes())?;
    }

    client.expect("CWD sub", &[250])?;
    names_are(&mut client, "NLST", "", &all)?;
    // RFC 959 speaks of directories and groups of files.
    if let Err(error) = names_are(&mut context.login()?, "NLST sub/a.txt", "sub/", &["a.txt"]) {
        context.advise(format!("NLST of a file: {error}"))?;
    }
    empty_or_refused(&mut client, "NLST missing")?;
    denied(context, Account::Powerless, &format!("NLST {}", context.folder()), &[450, 550])?;

    let mut spare = context.login()?;
    if let Err(error) = wildcards(&mut spare) {
        // No RFC has them, but clients send them.
        context.advise(format!("wildcards: {error}"))?;
    }
    // A pattern that takes a naive matcher longer than the world has been there.
    let (name, pattern) = ("a".repeat(200), "*a".repeat(60));
    client.put(&name, b"")?;
    empty_or_refused(&mut client, &format!("NLST {pattern}*b"))?;
    client.is_alive().map(drop)
}

fn wildcards(client: &mut Client) -> Result {
    names_are(client, "NLST sub/*.txt", "sub/", &["a.txt", "b.txt"])?;
    names_are(client, "NLST sub/?.???", "sub/", &["a.txt", "b.txt", "c.bin"])?;
    client.expect("CWD sub", &[250])?;
    names_are(client, "NLST *.txt", "", &["a.txt", "b.txt"])?;
    names_are(client, "NLST ?.bin", "", &["c.bin"])?;
    names_are(client, "NLST *two*", "", &["two  spaces"])?;
    empty_or_refused(client, "NLST *.missing")
}

fn names_are(client: &mut Client, line: &str, prefix: &str, names: &[&str]) -> Result {
    let mut got = client.list(line)?;
    // Nothing asks for such names, but they are names.
    let all = got.len();
    got.retain(|name| {
        name.rsplit(|&byte| byte == b'/').next().is_none_or(|n| n != b"." && n != b"..")
    });
    advise!(client, got.len() == all, "{line}: . and .. are listed");
    got.sort();
    let mut expected: Vec<_> = names.iter().map(|name| format!("{prefix}{name}")).collect();
    expected.sort();
    let same = got.iter().map(Vec::as_slice).eq(expected.iter().map(String::as_bytes));
    let shown: Vec<_> = got.iter().map(|name| name.escape_ascii().to_string()).collect();
    ensure!(same, "{line}: {shown:?} instead of {expected:?}");
    Ok(())
}

fn stat(context: &mut Context<'_>) -> Result {
    let mut client = context.login()?;
    let status = super::with_detail(&mut client, crate::client::Detail::Codes, |client| {
        client.offered("STAT", &[211])
    })?;
    advise!(client, status.lines.len() > 1, "the status has one line only");
    ensure!(safe(&status.lines), "a line can be taken for the last: {}", status.whole());

    // With a path, in the same shape as LIST.
    client.expect("MKD sub", &[257])?;
    for name in ["a", "213 End", "211-x", "212 two  spaces", "-dash"] {
        client.put(&format!("sub/{name}"), b"12345")?;
    }
    let mut names = vec![
        b"-dash".to_vec(),
        b"211-x".to_vec(),
        b"212 two  spaces".to_vec(),
        b"213 End".to_vec(),
        b"a".to_vec(),
    ];
    if context.settings(Profile::Standard).newline_as_nul {
        let name = b"x\n213 End\n212 End\r\n211 End";
        client.upload([b"STOR sub/", &encode_name(name)[..]].concat(), b"12345")?.complete()?;
        names.push(name.to_vec());
    }
    for line in ["STAT sub", "STAT sub/", &format!("STAT {}", context.path("sub"))] {
        let got = status_names(&mut client, line)?;
        ensure!(got == names, "{line}: {got:?}");
    }
    let got = status_names(&mut client, "STAT sub/a")?;
    ensure!(matches!(&got[..], [name] if name.ends_with(b"a")), "STAT sub/a: {got:?}");
    let missing = client.prefer("STAT missing", &[212, 213, 450, 550], &[211])?;
    advise!(client, missing.inner().is_empty(), "STAT missing: {}", missing.whole());
    denied(context, Account::Powerless, &format!("STAT {}", context.folder()), &[450, 550])?;

    during_transfer(&mut client)
}

/// Waits until the status shows how far an upload has come.
fn during_transfer(client: &mut Client) -> Result {
    let (_, mut data) = client.open("STOR upload")?;
    data.send(&[b'x'; 12_345])?;
    let begin = std::time::Instant::now();
    quietly(client, |client| {
        loop {
            client.send("STAT")?;
            let status = match client.reply_or_end()? {
                Ok(reply) => client.judge(reply, &[211], &[212, 213, 500, 502, 503])?,
                // RFC 959 has it come after Telnet's Synch, as ABOR does.
                Err(End::Timeout) => return client.advise("STAT waits for the end of a transfer"),
                Err(end) => return Err(Failure::new(format!("STAT: no reply but {end}"))),
            };
            if status.whole().replace([',', '.'], "").contains("12345") {
                return Ok(());
            }
            let limit = crate::patience::limit();
            if begin.elapsed() > limit / 2 {
                let status = status.whole();
                return client.advise(format!("no 12345 bytes in the status: {status}"));
            }
        }
    })?;
    client.note("STAT shows how far the transfer has come");
    data.finish();
    client.expect_reply(&[226, 250]).map(drop)
}

/// Returns the names in a 212 or 213 reply, sorted, and fails when a line is not safe.
fn status_names(client: &mut Client, line: &str) -> Result<Vec<Vec<u8>>> {
    // RFC 959 says that it is the status of a directory or a file; 211 is that of the system.
    let reply = client.prefer(line, &[212, 213], &[211])?;
    ensure!(safe(&reply.lines), "{line}: a line can be taken for the last: {}", reply.whole());
    // Whatever else was taken for the end would now be taken for this reply.
    client.is_alive()?;
    let lines = reply.inner().iter().map(|line| line.strip_prefix(b" ").unwrap_or(line).to_vec());
    let entries = long_lines(client, &lines.collect::<Vec<_>>())?;
    let mut names: Vec<_> = entries.iter().map(|entry| decode_name(&entry.name)).collect();
    names.sort();
    Ok(names)
}

/// Returns `true` if no inner line begins as a reply line does.
fn safe(lines: &[Vec<u8>]) -> bool {
    let inner = &lines[1..lines.len().max(2) - 1];
    inner.iter().all(|line| crate::reply::code_of(line).is_none() && !line.contains(&b'\n'))
}
