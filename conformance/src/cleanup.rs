//! Removing what a check has left on the server.

use std::collections::BTreeMap;

use crate::check::{Context, Failure};
use crate::client::{Client, Detail};
use crate::journal::Note;
use crate::listing::FactLine;
use crate::patience;
use crate::target::Profile;
use crate::wire::{decode_name, encode_name};

/// No check makes folders deeper than this.
const DEEPEST: usize = 16;

/// Removes the folder of a run over a new connection, and returns what is left where that is not
/// possible.
pub(crate) fn remove_folder(context: &mut Context<'_>, is_gone: bool) -> Option<Note> {
    if !context.has_folder() {
        return None;
    }
    context.begin_patience();
    let removed = match is_gone {
        true => Err(Failure::new("the server answers nobody any more")),
        false => remove(context),
    };
    patience::forget();
    let why = removed.err()?;
    Some(Note::Left(format!("{}, as {why}", context.folder())))
}

fn remove(context: &mut Context<'_>) -> Result<(), Failure> {
    let mut client = context.login_elsewhere(Profile::Standard)?;
    client.keep(Detail::None);
    let folder = context.folder();
    let entered = client.command(format!("CWD {folder}"))?;
    if (550..=553).contains(&entered.code) {
        // The check has removed it, or it was never made.
        return Ok(());
    }
    entered.expect(&[200, 250])?;
    empty(&mut client, folder.as_bytes(), 0)?;
    client.command("CDUP")?;
    client.expect(format!("RMD {folder}"), &[200, 250]).map(drop)
}

/// Removes what is in a directory, given by its whole path as it travels. Every name that is removed
/// has the folder's path before it: whatever the server makes of CWD, nothing else can be hit.
fn empty(client: &mut Client, path: &[u8], depth: usize) -> Result<(), Failure> {
    client.expect([b"CWD ", path].concat(), &[200, 250])?;
    for (name, is_directory) in names(client)? {
        let path = [path, b"/", &encode_name(&name)].concat();
        let mut is_done = |command: &[u8]| {
            Ok::<_, Failure>(client.command([command, &path].concat())?.code < 300)
        };
        let mut ways: [&[u8]; 2] = [b"DELE ", b"RMD "];
        if is_directory {
            ways.reverse();
        }
        if is_done(ways[0])? || is_done(ways[1])? {
            continue;
        }
        if depth < DEEPEST && empty(client, &path, depth + 1).is_ok() {
            client.command("CDUP")?;
            client.command([b"RMD ", &path[..]].concat())?;
        }
    }
    Ok(())
}

/// Returns the names in the working directory, and whether they are known to be directories: by MLSD
/// where there is one, as NLST may leave out those that begin with a dot.
fn names(client: &mut Client) -> Result<BTreeMap<Vec<u8>, bool>, Failure> {
    let mut names = BTreeMap::new();
    for line in lines(client, "MLSD")?.unwrap_or_default() {
        let Ok(entry) = FactLine::parse(&line) else { continue };
        let kind = entry.find("type").map(str::to_lowercase).unwrap_or_default();
        if !["cdir", "pdir"].contains(&kind.as_str()) {
            names.insert(decode_name(&entry.name), kind == "dir");
        }
    }
    for command in ["NLST", "NLST -a"] {
        if names.is_empty() {
            let lines = lines(client, command)?.into_iter().flatten();
            names.extend(lines.map(|name| (decode_name(&name), false)));
        }
    }
    names.retain(|name, _| {
        name != b"." && name != b".." && !name.is_empty() && !name.contains(&b'/')
    });
    Ok(names)
}

fn lines(client: &mut Client, command: &str) -> Result<Option<Vec<Vec<u8>>>, Failure> {
    let bytes = match client.passive() {
        Ok(mut data) => match client.command(command)?.code {
            200.. => return Ok(None),
            _ => data.receive().0,
        },
        // A server that has run out of ports.
        Err(_) => {
            let offer = client.active()?;
            match client.command(command)?.code {
                200.. => return Ok(None),
                _ => offer.accept()?.receive().0,
            }
        }
    };
    client.reply()?;
    let lines = bytes
        .split(|&byte| byte == b'\n')
        .map(|line| line.strip_suffix(b"\r").unwrap_or(line).to_vec());
    Ok(Some(lines.filter(|line| !line.is_empty()).collect()))
}
