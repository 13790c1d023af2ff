//! Removing what a check has left on the server.

use std::collections::BTreeSet;

use crate::check::{Context, Failure};
use crate::client::{Client, Detail};
use crate::journal::Note;
use crate::listing::FactLine;
use crate::patience;
use crate::target::Profile;
use crate::wire::encode_name;

/// No check makes folders deeper than this.
const DEEPEST: usize = 16;

/// Removes the folder of a run over a new connection, and writes down when that is not possible.
pub(crate) fn remove_folder(context: &mut Context<'_>) {
    context.begin_patience();
    let folder = context.folder().to_owned();
    let removed = context.login_elsewhere(Profile::Standard).and_then(|mut client| {
        client.keep(Detail::None);
        // A check that did not log in has left nothing.
        if client.command(format!("CWD {folder}"))?.code != 250 {
            return Ok(());
        }
        empty(&mut client, folder.as_bytes(), 0)?;
        client.command("CDUP")?;
        client.expect(format!("RMD {folder}"), &[200, 250]).map(drop)
    });
    if let Err(error) = removed {
        context.journal().note(Note::NotChecked(format!("cleaning up, {folder} is left: {error}")));
    }
    patience::forget();
}

/// Removes what is in a directory, given by its whole path as it travels. Every name that is removed
/// has the folder's path before it: whatever the server makes of CWD, nothing else can be hit.
fn empty(client: &mut Client, path: &[u8], depth: usize) -> Result<(), Failure> {
    client.expect([b"CWD ", path].concat(), &[200, 250])?;
    for name in names(client)? {
        let path = [path, b"/", &encode_name(&name)].concat();
        let line = |command: &[u8]| [command, &path].concat();
        if client.command(line(b"DELE "))?.code < 300 || client.command(line(b"RMD "))?.code < 300 {
            continue;
        }
        if depth < DEEPEST && empty(client, &path, depth + 1).is_ok() {
            client.command("CDUP")?;
            client.command(line(b"RMD "))?;
        }
    }
    Ok(())
}

/// Returns the names in the working directory, by MLSD where there is one, as NLST may leave out
/// those that begin with a dot.
fn names(client: &mut Client) -> Result<BTreeSet<Vec<u8>>, Failure> {
    let decode = |name: &[u8]| crate::wire::decode_name(name);
    let mut names = BTreeSet::new();
    if let Some(lines) = lines(client, "MLSD")? {
        let entries = lines.iter().filter_map(|line| FactLine::parse(line).ok());
        let own = |entry: &FactLine| {
            !entry.find("type").is_some_and(|kind| ["cdir", "pdir"].contains(&kind))
        };
        names.extend(entries.filter(own).map(|entry| decode(&entry.name)));
    }
    for command in ["NLST", "NLST -a"] {
        if names.is_empty() {
            names.extend(lines(client, command)?.into_iter().flatten().map(|name| decode(&name)));
        }
    }
    names.retain(|name| name != b"." && name != b".." && !name.is_empty() && !name.contains(&b'/'));
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
