//! The operations by their names.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::UNIX_EPOCH;

use serde_json::{Value, json};
use suppaftp::FtpResult;
use suppaftp::list::{File as Entry, ListParser};
use suppaftp::types::{FileType, FormatControl};

use crate::{Client, Fault};

/// Carries out an operation: its name, texts, and at the end maybe an offset.
pub fn perform(client: &mut Client, operation: &Value) -> Result<Value, Fault> {
    let words = operation.as_array().ok_or("no list")?;
    let offset = words.last().and_then(Value::as_u64).unwrap_or(0);
    let texts: Vec<&str> = words.iter().filter_map(Value::as_str).collect();
    match texts[..] {
        ["get", from, to] => get(client, from, Path::new(to), offset)?,
        ["put", from, to] => put(client, Path::new(from), to, offset)?,
        ["append", from, to] => drop(client.append_file(to, &mut File::open(from)?)?),
        ["get tree", by, from, to] => get_tree(client, by, from, Path::new(to))?,
        ["put tree", from, to] => put_tree(client, Path::new(from), to)?,
        ["list", by, path] => {
            return Ok(list(client, by, path)?.iter().map(describe).collect());
        }
        ["names", path] => return Ok(client.nlst(Some(path))?.into()),
        ["facts", path] => {
            return Ok(describe(&ListParser::parse_mlst(&client.mlst(Some(path))?)?));
        }
        ["size", path] => return Ok(client.size(path)?.into()),
        ["time", path] => return Ok(client.mdtm(path)?.and_utc().timestamp().into()),
        ["features"] => return Ok(client.feat()?.into_keys().collect()),
        ["where"] => return Ok(client.pwd()?.into()),
        ["enter", path] => client.cwd(path)?,
        ["leave"] => client.cdup()?,
        ["make", path] => client.mkdir(path)?,
        ["rename", from, to] => client.rename(from, to)?,
        ["remove", path] => client.rm(path)?,
        ["remove folder", path] => client.rmdir(path)?,
        ["ASCII"] => client.transfer_type(FileType::Ascii(FormatControl::Default))?,
        ["begin and abort", path] => {
            let mut transfer = client.retr_as_stream(path)?;
            transfer.read_exact(&mut [0; 1000])?;
            client.abort(transfer)?;
        }
        _ => return Err(format!("no such operation: {operation}").into()),
    }
    Ok(Value::Null)
}

fn get(client: &mut Client, from: &str, to: &Path, offset: u64) -> Result<(), Fault> {
    let mut file = File::options().write(true).create(true).truncate(offset == 0).open(to)?;
    file.seek(SeekFrom::Start(offset))?;
    client.resume_transfer(usize::try_from(offset)?)?;
    let mut transfer = client.retr_as_stream(from)?;
    io::copy(&mut transfer, &mut file)?;
    Ok(transfer.finish()?)
}

fn put(client: &mut Client, from: &Path, to: &str, offset: u64) -> Result<(), Fault> {
    let mut file = File::open(from)?;
    file.seek(SeekFrom::Start(offset))?;
    client.resume_transfer(usize::try_from(offset)?)?;
    client.put_file(to, &mut file)?;
    Ok(())
}

/// Lists a folder by suppaftp's own parsers.
fn list(client: &mut Client, by: &str, path: &str) -> Result<Vec<Entry>, Fault> {
    let (lines, parse): (FtpResult<_>, fn(&str) -> _) = match by {
        "MLSD" => (client.mlsd(Some(path)), ListParser::parse_mlsd),
        _ => (client.list(Some(path)), ListParser::parse_posix),
    };
    let mut entries = Vec::new();
    for line in lines? {
        entries.push(parse(&line).map_err(|fault| format!("{line:?}: {fault}"))?);
    }
    // It takes MLSD's cdir and pdir for folders like others.
    entries.retain(|entry| entry.name() != "." && entry.name() != "..");
    Ok(entries)
}

fn describe(entry: &Entry) -> Value {
    let modified = entry.modified().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
    json!({
        "name": entry.name(),
        "folder": entry.is_directory(),
        "link": entry.symlink(),
        "size": entry.size(),
        "modified": modified,
    })
}

fn get_tree(client: &mut Client, by: &str, from: &str, to: &Path) -> Result<(), Fault> {
    for entry in list(client, by, from)? {
        let (from, to) = (format!("{from}/{}", entry.name()), to.join(entry.name()));
        if let Some(target) = entry.symlink() {
            symlink(target, to)?;
        } else if entry.is_directory() {
            fs::create_dir(&to)?;
            get_tree(client, by, &from, &to)?;
        } else {
            get(client, &from, &to, 0)?;
        }
    }
    Ok(())
}

/// Follows links.
fn put_tree(client: &mut Client, from: &Path, to: &str) -> Result<(), Fault> {
    for entry in fs::read_dir(from)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()).ok_or("no UTF-8")?;
        let to = format!("{to}/{name}");
        if path.is_dir() {
            client.mkdir(&to)?;
            put_tree(client, &path, &to)?;
        } else {
            put(client, &path, &to, 0)?;
        }
    }
    Ok(())
}
