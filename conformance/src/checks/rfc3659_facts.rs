//! RFC 3659 section 7: MLST, MLSD and the facts.

use super::rfc2389::features;
use super::{Result, advise, denied, ensure, holds, quietly};
use crate::check::{Check, Context, Failure, Why};
use crate::client::Client;
use crate::listing::{FactLine, Stamp};
use crate::reply::Reply;
use crate::target::Account;

pub(super) const CHECKS: &[Check] = &[
    Check { id: "rfc3659.mlst", run: mlst },
    Check { id: "rfc3659.mlsd", run: mlsd },
    Check { id: "rfc3659.facts", run: facts },
];

/// Returns the entry in a reply to MLST.
pub(super) fn entry(reply: &Reply) -> Result<FactLine> {
    let [line] = reply.inner() else {
        return Err(Failure::new(format!("not one line of facts: {}", reply.whole())));
    };
    let line = line.strip_prefix(b" ");
    FactLine::parse(line.ok_or_else(|| Failure::new("the line does not begin with a space"))?)
}

/// Returns what MLST says of a name.
pub(super) fn mlst_of(client: &mut Client, name: &str) -> Result<FactLine> {
    entry(&client.expect(format!("MLST {name}"), &[250])?)
}

/// Returns what MLSD says, sorted by name.
pub(super) fn mlsd_of(client: &mut Client, line: &str) -> Result<Vec<FactLine>> {
    let lines = client.list(line)?;
    let mut entries = lines.iter().map(|line| FactLine::parse(line)).collect::<Result<Vec<_>>>()?;
    entries.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(entries)
}

/// Returns the facts that FEAT lists, each with whether it is on.
fn listed_facts(client: &mut Client) -> Result<Vec<(String, bool)>> {
    let features = features(client)?;
    let facts = features.iter().find_map(|line| line.strip_prefix("MLST "));
    let facts = facts.ok_or_else(|| Failure::skip(Why::NotOffered, "FEAT does not list MLST"))?;
    ensure!(facts.ends_with(';'), "the last fact without ';': {facts}");
    let fact = |fact: &str| match fact.strip_suffix('*') {
        Some(name) => (name.to_lowercase(), true),
        None => (fact.to_lowercase(), false),
    };
    Ok(facts.split_terminator(';').map(fact).collect())
}

fn mlst(context: &mut Context<'_>) -> Result {
    let mut client = context.login()?;
    client.put("file", b"12345")?;
    client.expect("MKD folder", &[257])?;
    let first = client.command("MLST")?;
    client.is_offered(&first)?;
    client.judge(first, &[250], &[])?;
    for (given, path, kind) in [
        (" file", context.path("file"), "file"),
        (" folder/../file", context.path("file"), "file"),
        (" folder", context.path("folder"), "dir"),
        ("", context.folder().to_owned(), "dir"),
        (" /", "/".to_owned(), "dir"),
    ] {
        let entry = entry(&client.expect(format!("MLST{given}"), &[250])?)?;
        // The name may also be as it was given (RFC 3659 section 7.2).
        let shown = entry.name.escape_ascii();
        advise!(client, entry.name == path.as_bytes(), "MLST{given} names {shown}, not {path}");
        let last = |name: &[u8]| name.rsplit(|&b| b == b'/').next().map(<[u8]>::to_vec);
        let right = given.is_empty() || last(&entry.name) == last(path.as_bytes());
        ensure!(right, "MLST{given} names {shown}");
        let is = entry.fact("type")?.to_lowercase();
        let own = ["cdir", "pdir"].contains(&is.as_str()) && kind == "dir";
        ensure!(is == kind || own, "MLST{given}: type={is}");
    }
    for wrong in ["missing", "missing/file", "file/file"] {
        client.expect(format!("MLST {wrong}"), &[550])?;
    }
    denied(context, Account::Powerless, &format!("MLST {}", context.folder()), &[550])?;

    // The facts that are on are those with a star, and those that an entry has.
    let listed = listed_facts(&mut client)?;
    ensure!(listed.iter().any(|(_, on)| *on), "no fact is on: {listed:?}");
    stars_tell_the_truth(&mut client)?;
    client.expect("OPTS MLST size;type;", &[200])?;
    let on: Vec<_> = listed_facts(&mut client)?.into_iter().filter(|(_, on)| *on).collect();
    let names: Vec<_> = on.iter().map(|(name, _)| name.as_str()).collect();
    ensure!(names == ["type", "size"] || names == ["size", "type"], "on by FEAT: {names:?}");
    stars_tell_the_truth(&mut client)?;
    client.expect("OPTS MLST", &[200])?;
    let off = listed_facts(&mut client)?;
    ensure!(off.len() == listed.len(), "facts have left FEAT: {off:?}");
    ensure!(off.iter().all(|(_, on)| !on), "on by FEAT: {off:?}");
    stars_tell_the_truth(&mut client)
}

fn stars_tell_the_truth(client: &mut Client) -> Result {
    let mut on: Vec<_> = listed_facts(client)?;
    on.retain(|(_, on)| *on);
    let mut expected: Vec<_> = on.into_iter().map(|(name, _)| name).collect();
    expected.sort();
    let entry = mlst_of(client, "file")?;
    let mut got: Vec<_> = entry.facts.into_iter().map(|(name, _)| name).collect();
    got.sort();
    // A server need not have every fact for every file, but none that is off.
    ensure!(got.iter().all(|name| expected.contains(name)), "on {expected:?}, there {got:?}");
    ensure!(expected.is_empty() || !got.is_empty(), "on {expected:?}, and none there");
    Ok(())
}

fn mlsd(context: &mut Context<'_>) -> Result {
    let mut client = context.login()?;
    client.expect("MKD sub", &[257])?;
    client.expect("MKD sub/folder", &[257])?;
    for (name, size) in [("a", 0), ("two  spaces", 5), ("-dash", 7), ("z", 12345)] {
        client.put(&format!("sub/{name}"), &vec![b'x'; size])?;
    }
    let names = ["-dash", "a", "folder", "two  spaces", "z"];
    let absolute = format!("MLSD {}", context.path("sub"));
    let first = client.attempt("MLSD sub")?;
    client.is_offered(&first)?;
    for command in ["MLSD sub", "MLSD sub/", "MLSD ./sub/../sub", &absolute] {
        let entries = mlsd_of(&mut client, command)?;
        inhabitants_are(command, &entries, &names)?;
        let kind = |name: &[u8]| entries.iter().find(|e| e.name == name)?.find("type");
        ensure!(kind(b"folder") == Some("dir"), "{command}: {:?}", kind(b"folder"));
        ensure!(kind(b"a") == Some("file"), "{command}: {:?}", kind(b"a"));
        for (kind, at_most) in [("cdir", 1), ("pdir", usize::MAX)] {
            let count = entries.iter().filter(|e| e.find("type") == Some(kind)).count();
            ensure!(count <= at_most, "{command}: {count} entries of type {kind}");
        }
    }
    client.expect("CWD sub", &[250])?;
    inhabitants_are("MLSD", &mlsd_of(&mut client, "MLSD")?, &names)?;
    let root = quietly(&mut client, |client| mlsd_of(client, "MLSD /"))?;
    let pdir = root.iter().any(|entry| entry.find("type") == Some("pdir"));
    advise!(client, !pdir, "the root has a parent");

    client.refused("MLSD z", &[501])?;
    for wrong in ["missing", "missing/folder"] {
        client.refused(format!("MLSD {wrong}"), &[501, 550])?;
    }
    denied(context, Account::Powerless, &format!("MLSD {}", context.folder()), &[550])?;

    // The facts that were asked for, whatever their order and case.
    for (facts, expected) in
        [("size;type;", &["size", "type"][..]), ("TYPE;", &["type"]), ("", &[])]
    {
        client.expect(format!("OPTS MLST {facts}").trim_end(), &[200])?;
        for entry in mlsd_of(&mut client, "MLSD")? {
            let mut got: Vec<_> = entry.facts.iter().map(|(name, _)| name.as_str()).collect();
            got.sort_unstable();
            let shown = entry.name.escape_ascii();
            ensure!(got.iter().all(|name| expected.contains(name)), "{shown}: {got:?}");
            let typed = expected.contains(&"type") == got.contains(&"type");
            ensure!(typed, "{shown}: {got:?} instead of {expected:?}");
            if entry.name == b"z" && !expected.is_empty() {
                ensure!(got == expected, "{shown}: {got:?} instead of {expected:?}");
            }
        }
    }
    // That holds for this session only.
    let entries = mlsd_of(&mut context.login()?, "MLSD sub")?;
    ensure!(entries.iter().all(|entry| entry.facts.len() > 1), "another session's facts");
    Ok(())
}

/// Fails unless the entries, the directory itself and its parents aside, have these names.
fn inhabitants_are(command: &str, entries: &[FactLine], names: &[&str]) -> Result {
    let own = |entry: &&FactLine| !matches!(entry.find("type"), Some("cdir" | "pdir"));
    let got: Vec<_> = entries.iter().filter(own).map(|entry| entry.name.as_slice()).collect();
    let shown: Vec<_> = got.iter().map(|name| name.escape_ascii().to_string()).collect();
    ensure!(got == names.map_bytes(), "{command}: {shown:?}");
    Ok(())
}

trait MapBytes {
    fn map_bytes(&self) -> Vec<&[u8]>;
}

impl MapBytes for &[&str] {
    fn map_bytes(&self) -> Vec<&[u8]> {
        self.iter().map(|name| name.as_bytes()).collect()
    }
}

fn facts(context: &mut Context<'_>) -> Result {
    let wanted =
        ["type", "size", "modify", "perm", "unique", "unix.mode", "unix.owner", "unix.group"];
    let mut client = context.login()?;
    client.put("file", b"12345")?;
    client.put("other", b"12345")?;
    client.expect("MKD folder", &[257])?;
    let listed = listed_facts(&mut client)?;
    for name in wanted {
        let is_there = listed.iter().any(|(fact, _)| fact == name);
        ensure!(is_there || !["type", "size", "modify"].contains(&name), "no fact {name}");
        advise!(client, is_there, "FEAT does not list {name}");
    }
    let has = |name: &str| listed.iter().any(|(fact, _)| fact == name);
    client.expect(format!("OPTS MLST {};", wanted.join(";")), &[200])?;

    let file = mlst_of(&mut client, "file")?;
    ensure!(file.fact("size")? == "5", "size={}", file.fact("size")?);
    Stamp::parse(file.fact("modify")?)?;
    if has("unix.mode") {
        let mode = file.fact("unix.mode")?;
        let octal = mode.len() >= 3 && mode.bytes().all(|digit| (b'0'..=b'7').contains(&digit));
        ensure!(octal, "UNIX.mode={mode}");
    }
    for name in ["unix.owner", "unix.group", "unique"].iter().filter(|name| has(name)) {
        ensure!(!file.fact(name)?.is_empty(), "{name} is empty");
    }
    let other = mlst_of(&mut client, "other")?;
    if has("unique") {
        ensure!(file.fact("unique")? != other.fact("unique")?, "two files, one unique fact");
    }
    let entries = mlsd_of(&mut client, "MLSD")?;
    let same = entries.iter().find(|entry| entry.name == b"file");
    ensure!(same.is_some_and(|same| same.facts == file.facts), "MLSD and MLST do not agree");
    client.expect("RNFR other", &[350])?;
    client.expect("RNTO renamed", &[250])?;
    let renamed = mlst_of(&mut client, "renamed")?;
    let same = renamed.find("unique") == other.find("unique");
    advise!(client, same, "unique changed with the name");

    // What perm says is so.
    let folder = context.folder().to_owned();
    if has("perm") {
        perm_is(&mut client, &format!("{folder}/file"), "adfrw", "celmp")?;
        perm_is(&mut client, &format!("{folder}/folder"), "cdeflmp", "arw")?;
        perm_is(&mut client, "/", "el", "").and_then(|()| {
            perm_is(&mut client, "/", "", "df").or_else(|error| client.advise(error.to_string()))
        })?;
    }
    if has("perm") {
        entered_but_not_read(context, &mut client)?;
    }
    if let Some(mut guest) = context.login_as(Account::Anonymous)? {
        perm_is(&mut guest, &format!("{folder}/file"), "r", "adfw")?;
        perm_is(&mut guest, &format!("{folder}/folder"), "el", "cdfmp")?;
        perm_is(&mut guest, "/", "el", "cdfmp")?;
    }
    client.expect("RMD folder", &[250])?;
    holds(&mut client, "file", b"12345")
}

/// Fails unless `perm` has e and l just where CWD and NLST are allowed, for a folder that its owner
/// may enter and not read: RFC 3659 section 7.5.5 has a letter for each. What the owner may do all
/// the same is the server's matter.
fn entered_but_not_read(context: &Context<'_>, client: &mut Client) -> Result {
    quietly(client, |client| client.put("folder/inside", b"1"))?;
    if client.command("SITE CHMOD 311 folder")?.code >= 300 {
        context.skip("a folder that may not be read (SITE CHMOD)");
        return client.expect("DELE folder/inside", &[250]).map(drop);
    }
    quietly(client, |client| {
        let perm = mlst_of(client, "folder")?.fact("perm")?.to_lowercase();
        let is_entered = client.command("CWD folder")?.code < 300;
        if is_entered {
            client.expect("CDUP", &[200, 250])?;
        }
        // An empty listing is a refusal too.
        let is_listed =
            client.attempt("NLST folder")?.code < 300 && !client.list("NLST folder")?.is_empty();
        for (letter, command, is_done) in [('e', "CWD", is_entered), ('l', "NLST", is_listed)] {
            let does = if is_done { "is" } else { "is not" };
            let is_said = perm.contains(letter) == is_done;
            ensure!(is_said, "a folder of mode 311: perm={perm}, and {command} {does} allowed");
        }
        Ok(())
    })?;
    client.note("a folder of mode 311: perm is true");
    client.expect("SITE CHMOD 755 folder", &[200, 250])?;
    client.expect("DELE folder/inside", &[250]).map(drop)
}

/// Fails unless `perm` has all these letters, and none of those.
fn perm_is(client: &mut Client, path: &str, letters: &str, not: &str) -> Result {
    let entry = mlst_of(client, path)?;
    let perm = entry.fact("perm")?.to_lowercase();
    let right = letters.chars().all(|letter| perm.contains(letter))
        && !not.chars().any(|letter| perm.contains(letter));
    ensure!(right, "{path}: perm={perm}, expected {letters} and none of {not}");
    Ok(())
}
