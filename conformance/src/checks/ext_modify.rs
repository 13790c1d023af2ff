//! Extensions: MFMT and MFF (draft-somers-ftp-mfxx-04), SITE CHMOD and SITE UTIME.

use super::rfc2389::features;
use super::rfc3659_facts::{entry, mlsd_of};
use super::{Result, advise, denied, ensure};
use crate::check::{Check, Context, Failure, Why};
use crate::client::Client;
use crate::listing::{FactLine, Stamp};
use crate::target::Account;

pub(super) const CHECKS: &[Check] = &[
    Check { id: "ext.mfmt", run: mfmt },
    Check { id: "ext.mff", run: mff },
    Check { id: "ext.site-chmod", run: site_chmod },
    Check { id: "ext.site-utime", run: site_utime },
];

/// A time that is even, for file systems that know every other second only.
const THEN: &str = "20260102030406";

/// Another, before most of this was written.
const BEFORE: &str = "19991231235958";

/// What is no time: too short, too long, no digits, no such month, day, hour or minute.
const NO_TIMES: [&str; 8] = [
    "2026010203040",
    "202601020304055",
    "2026-01-02T03:",
    "20261302030405",
    "20260230030405",
    "20260100030405",
    "20260102240405",
    "20260102036005",
];

/// What is no mode, or none that is written in octal digits.
const NO_MODES: [&str; 4] = ["u+x", "888", "0x1ff", "-644"];

/// Returns what MLST says of a file or folder; `None`, and a line in the journal, where a server
/// does not have it.
fn facts_of(context: &Context<'_>, client: &mut Client, name: &str) -> Result<Option<FactLine>> {
    let reply = client.command(format!("MLST {name}"))?;
    if [500, 502].contains(&reply.code) {
        context.skip("what MLST says, which is not offered");
        return Ok(None);
    }
    entry(&reply.expect(&[250])?).map(Some)
}

/// Fails unless MDTM and MLST say this time of a file.
fn is_of(context: &Context<'_>, client: &mut Client, name: &str, expected: &str) -> Result {
    let by_mdtm = client.expect(format!("MDTM {name}"), &[213])?.text();
    ensure!(Stamp::parse(&by_mdtm)? == Stamp::parse(expected)?, "MDTM {by_mdtm}, not {expected}");
    let Some(facts) = facts_of(context, client, name)? else { return Ok(()) };
    let by_mlst = facts.fact("modify")?;
    ensure!(Stamp::parse(by_mlst)? == Stamp::parse(expected)?, "MLST {by_mlst}, not {expected}");
    Ok(())
}

/// Fails unless MLST says this mode of a file or folder, where it says any.
fn has_mode(context: &Context<'_>, client: &mut Client, name: &str, expected: u32) -> Result {
    let Some(facts) = facts_of(context, client, name)? else { return Ok(()) };
    match facts.find("unix.mode") {
        None => context.skip("no fact UNIX.mode"),
        Some(text) => {
            let mode = u32::from_str_radix(text, 8).map_err(|_| Failure::new(text))?;
            ensure!(mode == expected, "UNIX.mode={text}, not {expected:04o}");
        }
    }
    Ok(())
}

/// Sends MFMT or MFF; returns the facts of the reply, which names this file.
fn changed(client: &mut Client, line: &str, name: &str) -> Result<FactLine> {
    let reply = FactLine::parse(client.expect(line, &[213])?.text().as_bytes())?;
    // Some say the whole path, and some end the sentence.
    let told = String::from_utf8_lossy(&reply.name).into_owned();
    let told = told.strip_suffix('.').unwrap_or(&told);
    ensure!(told == name || told.ends_with(&format!("/{name}")), "{line}: the reply names {told}");
    Ok(reply)
}

/// Fails unless the command is a syntax error.
fn is_wrong(client: &mut Client, line: &str) -> Result {
    client.expect(line, &[500, 501, 504]).map(drop)
}

fn mfmt(context: &mut Context<'_>) -> Result {
    let mut client = context.login()?;
    client.put("file", b"content")?;
    client.offered(format!("MFMT {THEN} file"), &[213])?;
    let listed = features(&mut client)?;
    advise!(client, listed.iter().any(|line| line == "MFMT"), "not in FEAT: {listed:?}");
    client.put("a b", b"content")?;
    client.expect("MKD folder", &[257])?;
    for (name, time) in [("file", THEN), ("file", BEFORE), ("a b", THEN)] {
        let reply = changed(&mut client, &format!("MFMT {time} {name}"), name)?;
        ensure!(reply.fact("modify")? == time, "Modify={}, not {time}", reply.fact("modify")?);
        is_of(context, &mut client, name, time)?;
    }
    let entries = mlsd_of(&mut client, "MLSD")?;
    let entry = entries.iter().find(|entry| entry.name == b"a b");
    let entry = entry.ok_or_else(|| Failure::new("MLSD does not list the file"))?;
    ensure!(entry.fact("modify")? == THEN, "MLSD {}, not {THEN}", entry.fact("modify")?);

    // A fraction may be kept or not; the reply and the file agree.
    let reply = client.prefer(format!("mfmt {THEN}.500 file"), &[213], &[501, 504, 550])?;
    if reply.code == 213 {
        let told = FactLine::parse(reply.text().as_bytes())?;
        is_of(context, &mut client, "file", told.fact("modify")?)?;
    }
    client.expect(format!("MFMT {THEN} folder"), &[213, 550])?;
    for missing in ["missing", "missing/file", "file/file"] {
        client.expect(format!("MFMT {THEN} {missing}"), &[550])?;
    }
    client.expect(format!("MFMT {THEN} file"), &[213])?;
    for time in NO_TIMES {
        is_wrong(&mut client, &format!("MFMT {time} file"))?;
    }
    is_wrong(&mut client, "MFMT")?;
    is_wrong(&mut client, &format!("MFMT {THEN}"))?;
    is_wrong(&mut client, &format!("MFMT file {THEN}"))?;
    is_of(context, &mut client, "file", THEN)?;
    for account in [Account::Anonymous, Account::Powerless] {
        denied(context, account, &format!("MFMT {BEFORE} {}", context.path("file")), &[550])?;
    }
    is_of(context, &mut client, "file", THEN)
}

fn mff(context: &mut Context<'_>) -> Result {
    let mut client = context.login()?;
    let listed = features(&mut client)?;
    let facts = listed.iter().find_map(|line| line.strip_prefix("MFF "));
    let facts = facts.ok_or_else(|| Failure::skip(Why::NotOffered, "FEAT does not list MFF"))?;
    let facts = facts.to_lowercase();
    let offered = |fact: &str| facts.split(';').any(|offered| offered == fact);
    ensure!(offered("modify") && offered("unix.mode"), "MFF {facts}");
    client.put("a file", b"content")?;
    client.expect("MKD folder", &[257])?;

    let both = format!("MFF Modify={THEN};UNIX.mode=0640; a file");
    let reply = changed(&mut client, &both, "a file")?;
    ensure!(reply.fact("modify")? == THEN, "Modify={}", reply.fact("modify")?);
    let mode = reply.fact("unix.mode")?;
    ensure!(u32::from_str_radix(mode, 8) == Ok(0o640), "UNIX.mode={mode}");
    is_of(context, &mut client, "a file", THEN)?;
    has_mode(context, &mut client, "a file", 0o640)?;

    let reply = changed(&mut client, &format!("mff modify={BEFORE}; a file"), "a file")?;
    ensure!(reply.find("unix.mode").is_none(), "the reply tells of a mode that was not changed");
    is_of(context, &mut client, "a file", BEFORE)?;
    has_mode(context, &mut client, "a file", 0o640)?;
    changed(&mut client, "MFF unix.MODE=750; folder", "folder")?;
    has_mode(context, &mut client, "folder", 0o750)?;

    // All facts or none.
    let others = ["Size=1", "Type=dir", "no-such-fact=1", "X.no-such-fact=1"];
    for fact in others.map(|fact| format!("Modify={THEN};{fact}")) {
        client.expect(format!("MFF {fact}; a file"), &[501, 504, 550])?;
    }
    for time in NO_TIMES {
        is_wrong(&mut client, &format!("MFF UNIX.mode=0600;Modify={time}; a file"))?;
    }
    for mode in NO_MODES {
        is_wrong(&mut client, &format!("MFF Modify={THEN};UNIX.mode={mode}; a file"))?;
    }
    is_of(context, &mut client, "a file", BEFORE)?;
    has_mode(context, &mut client, "a file", 0o640)?;
    client.expect(format!("MFF Modify={THEN}; missing"), &[550])?;
    for wrong in ["MFF", "MFF Modify=; a file", "MFF Modify; a file", "MFF file"] {
        is_wrong(&mut client, wrong)?;
    }
    let path = context.path("a file");
    for account in [Account::Anonymous, Account::Powerless] {
        denied(context, account, &format!("MFF Modify={THEN}; {path}"), &[550])?;
        denied(context, account, &format!("MFF UNIX.mode=0777; {path}"), &[550])?;
    }
    is_of(context, &mut client, "a file", BEFORE)?;
    has_mode(context, &mut client, "a file", 0o640)
}

fn site_chmod(context: &mut Context<'_>) -> Result {
    let mut client = context.login()?;
    client.put("a file", b"content")?;
    site(&mut client, "CHMOD", "600 a file")?;
    client.expect("MKD folder", &[257])?;
    for (name, mode, expected) in [
        ("a file", "600", 0o600),
        ("a file", "0644", 0o644),
        ("a file", "755", 0o755),
        ("folder", "700", 0o700),
        ("folder", "0755", 0o755),
    ] {
        client.expect(format!("SITE CHMOD {mode} {name}"), &[200, 250])?;
        has_mode(context, &mut client, name, expected)?;
    }
    client.expect("site chmod 640 a file", &[200, 250])?;
    for mode in NO_MODES {
        // Some know such modes here, as chmod does: no document says that there are none.
        client.prefer(format!("SITE CHMOD {mode} a file"), &[500, 501, 504], &[200, 250])?;
    }
    // Some let clients set the bits that make a program run as another user, and some do not.
    client.expect("SITE CHMOD 4640 a file", &[200, 250, 501, 504, 550])?;
    client.expect("SITE CHMOD 640 a file", &[200, 250])?;
    for wrong in ["SITE CHMOD", "SITE CHMOD 644", "SITE CHMOD file"] {
        is_wrong(&mut client, wrong)?;
    }
    client.expect("SITE CHMOD 644 missing", &[550])?;
    client.expect("SITE CHMOD 644 missing/file", &[550])?;
    let path = context.path("a file");
    for account in [Account::Anonymous, Account::Powerless] {
        denied(context, account, &format!("SITE CHMOD 777 {path}"), &[550])?;
    }
    has_mode(context, &mut client, "a file", 0o640)
}

fn site_utime(context: &mut Context<'_>) -> Result {
    let mut client = context.login()?;
    client.put("a file", b"content")?;
    site(&mut client, "UTIME", &format!("{THEN} a file"))?;
    client.expect(format!("SITE UTIME {THEN} a file"), &[200, 213, 250])?;
    is_of(context, &mut client, "a file", THEN)?;
    let three = format!("SITE UTIME a file {THEN} {BEFORE} {THEN} UTC");
    client.expect(three, &[200, 213, 250])?;
    is_of(context, &mut client, "a file", BEFORE)?;
    client.expect(format!("site utime {THEN} a file"), &[200, 213, 250])?;
    for time in NO_TIMES {
        is_wrong(&mut client, &format!("SITE UTIME {time} a file"))?;
        is_wrong(&mut client, &format!("SITE UTIME a file {THEN} {time} {THEN} UTC"))?;
    }
    is_wrong(&mut client, "SITE UTIME")?;
    is_wrong(&mut client, &format!("SITE UTIME {THEN}"))?;
    client.expect(format!("SITE UTIME {THEN} missing"), &[550])?;
    client.expect(format!("SITE UTIME missing {THEN} {THEN} {THEN} UTC"), &[550])?;
    let path = context.path("a file");
    for account in [Account::Anonymous, Account::Powerless] {
        denied(context, account, &format!("SITE UTIME {BEFORE} {path}"), &[550])?;
    }
    is_of(context, &mut client, "a file", THEN)
}

/// Ends the check where SITE has no such command. SITE HELP is to list one that it has.
fn site(client: &mut Client, name: &str, arguments: &str) -> Result {
    let help = client.command("SITE HELP")?;
    let is_listed = (200..300).contains(&help.code) && help.whole().to_uppercase().contains(name);
    let reply = client.command(format!("SITE {name} {arguments}"))?;
    if !is_listed && [500, 501, 502, 504].contains(&reply.code) {
        return Err(Failure::skip(Why::NotOffered, format!("SITE {name}: {}", reply.whole())));
    }
    let text = reply.text().to_lowercase();
    let forbids = ["privilege", "permission", "denied"].iter().any(|word| text.contains(word));
    if reply.code == 550 && forbids && !client.is_strict() {
        // It is this account's own file.
        let why = format!("SITE {name}, not allowed: {}", reply.whole());
        return Err(Failure::skip(Why::NotOffered, why));
    }
    advise!(client, is_listed, "SITE HELP does not list {name}: {}", help.whole());
    reply.expect(&[200, 213, 250]).map(drop)
}
