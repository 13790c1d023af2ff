//! MODE Z: transfers as zlib streams (draft-preston-ftpext-deflate).

use std::io::{Read, Write};

use flate2::Compression;
use flate2::read::ZlibDecoder;
use flate2::write::ZlibEncoder;

use super::rfc2389::features;
use super::{Result, advise, ensure, holds, quietly, same_bytes};
use crate::check::{Check, Context, Failure, Why};
use crate::client::Client;
use crate::target::Profile;
use crate::tls::Tls;
use crate::wire::split_lines;

pub(super) const CHECKS: &[Check] = &[Check { id: "ext.mode-z", run: mode_z }];

fn mode_z(context: &mut Context<'_>) -> Result {
    let mut client = context.login()?;
    let listed = quietly(&mut client, features)?;
    let offers = |feature: &str| {
        listed.iter().any(|line| line.to_uppercase().split(' ').eq(feature.split(' ')))
    };
    if !offers("MODE Z") {
        return Err(Failure::skip(Why::NotOffered, "FEAT does not list MODE Z"));
    }
    both_ways(&mut client)?;
    if offers("REST STREAM") {
        offset(&mut client)?;
    }
    lists(&mut client)?;
    levels(&mut client)?;
    no_streams(&mut client)?;
    bomb(&mut client)?;
    ends(context, &mut client)?;
    within_tls(context)
}

/// Bytes that shrink, but not to nothing.
fn content() -> Vec<u8> {
    (0..50_000).flat_map(|line: u32| format!("{:x}\n", line.pow(2)).into_bytes()).collect()
}

fn deflate(bytes: &[u8]) -> Result<Vec<u8>> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes)?;
    Ok(encoder.finish()?)
}

/// Returns what a stream holds, and fails unless it is one, whole, with nothing after it.
fn inflate(what: &str, stream: &[u8]) -> Result<Vec<u8>> {
    let (mut decoder, mut bytes) = (ZlibDecoder::new(stream), Vec::new());
    let read = decoder.read_to_end(&mut bytes);
    read.map_err(|error| Failure::new(format!("{what}: not a whole zlib stream: {error}")))?;
    let rest = stream.len() as u64 - decoder.total_in();
    ensure!(rest == 0, "{what}: {rest} bytes behind the zlib stream");
    Ok(bytes)
}

fn get(client: &mut Client, line: &str) -> Result<Vec<u8>> {
    inflate(line, &client.download(line)?.complete()?)
}

fn put(client: &mut Client, line: &str, bytes: &[u8]) -> Result {
    client.upload(line, &deflate(bytes)?)?.closing.expect(&[226, 250]).map(drop)
}

/// Sends what is no zlib stream, or not a whole one, and fails when that is a success.
fn refused(client: &mut Client, what: &str, bytes: &[u8]) -> Result {
    let closing = client.upload("STOR wrong", bytes)?.closing;
    ensure!(closing.code >= 400, "{what} is taken for an upload: {}", closing.whole());
    Ok(())
}

fn both_ways(client: &mut Client) -> Result {
    let content = content();
    client.put("file", &content)?;
    client.put("none", b"")?;
    client.expect("MODE Z", &[200])?;
    let stream = client.download("RETR file")?.complete()?;
    same_bytes("file", &inflate("RETR file", &stream)?, &content)?;
    ensure!(stream.len() < content.len(), "RETR file: {} bytes, not deflated", stream.len());
    same_bytes("none", &get(client, "RETR none")?, b"")?;
    put(client, "STOR up", &content)?;
    put(client, "APPE up", b"more")?;
    put(client, "STOR up-none", b"")?;
    client.expect("TYPE A", &[200])?;
    put(client, "STOR text", b"one\r\ntwo\r\n")?;
    same_bytes("text", &get(client, "RETR text")?, b"one\r\ntwo\r\n")?;
    client.expect("TYPE I", &[200])?;
    client.expect("MODE S", &[200])?;
    holds(client, "file", &content)?;
    holds(client, "up", &[&content[..], b"more"].concat())?;
    holds(client, "up-none", b"")
}

/// An offset is one into the file, not into the stream.
fn offset(client: &mut Client) -> Result {
    client.expect("MODE Z", &[200])?;
    client.expect("REST 100000", &[350])?;
    let rest = get(client, "RETR file")?;
    same_bytes("file from 100000 on", &rest, &content()[100_000..])?;
    client.expect("MODE S", &[200]).map(drop)
}

fn lists(client: &mut Client) -> Result {
    client.expect("MODE Z", &[200])?;
    for command in ["LIST", "NLST"] {
        let listing = quietly(client, |client| get(client, command))?;
        let lines = split_lines(&listing, command)?;
        let is_listed = |name: &str| lines.iter().any(|line| line.ends_with(name.as_bytes()));
        ensure!(is_listed("file") && is_listed("none"), "{command}: {}", listing.escape_ascii());
        client.note(&format!("{command}: complete"));
    }
    client.expect("MODE S", &[200]).map(drop)
}

fn levels(client: &mut Client) -> Result {
    let content = content();
    client.expect("MODE Z", &[200])?;
    for level in [0, 1, 9] {
        client.expect(format!("OPTS MODE Z LEVEL {level}"), &[200])?;
        same_bytes("file", &get(client, "RETR file")?, &content)?;
    }
    client.expect("OPTS MODE Z LEVEL 10", &[501])?;
    client.expect("OPTS MODE Z NOSUCH 1", &[501])?;
    client.expect("MODE S", &[200]).map(drop)
}

fn no_streams(client: &mut Client) -> Result {
    let stream = deflate(&content()[..10_000])?;
    client.expect("MODE Z", &[200])?;
    refused(client, "half a stream", &stream[..stream.len() / 2])?;
    refused(client, "a stream without its checksum", &stream[..stream.len() - 4])?;
    let mut wrong = stream.clone();
    wrong.iter_mut().rev().take(4).for_each(|byte| *byte ^= 0xFF);
    refused(client, "a stream with a wrong checksum", &wrong)?;
    let closing = client.upload("STOR wrong", &[&stream[..], b"more"].concat())?.closing;
    // The draft does not say what they are.
    advise!(client, closing.code >= 400, "bytes behind a stream: {}", closing.whole());
    refused(client, "what is no stream", b"These are bytes as they are.")?;
    // The session bears it.
    put(client, "STOR right", b"content")?;
    same_bytes("right", &get(client, "RETR right")?, b"content")?;
    client.expect("MODE S", &[200]).map(drop)
}

/// A thousand times its length. That it does not meet the memory cannot be seen from outside.
fn bomb(client: &mut Client) -> Result {
    const LENGTH: usize = 8 << 20;
    client.expect("MODE Z", &[200])?;
    put(client, "STOR bomb", &vec![0; LENGTH])?;
    client.expect("MODE S", &[200])?;
    let size = client.expect("SIZE bomb", &[213])?.text();
    ensure!(size == LENGTH.to_string(), "not {LENGTH} bytes but {size}");
    client.expect("DELE bomb", &[250]).map(drop)
}

/// It ends with MODE S, and belongs to its session alone.
fn ends(context: &mut Context<'_>, client: &mut Client) -> Result {
    client.expect("MODE Z", &[200])?;
    let content = content();
    holds(&mut context.login()?, "file", &content)?;
    client.expect("MODE S", &[200])?;
    holds(client, "file", &content)
}

/// Deflated first, and then encrypted. A server may have the one or the other only.
fn within_tls(context: &mut Context<'_>) -> Result {
    if !context.has_tls(Profile::Standard) {
        return Ok(());
    }
    let mut client = context.login_protected(Profile::Standard, &Tls::new())?;
    if client.expect("MODE Z", &[200, 504])?.code == 504 {
        context.skip("no MODE Z within TLS");
        return Ok(());
    }
    let content = content();
    put(&mut client, "STOR protected", &content)?;
    same_bytes("protected", &get(&mut client, "RETR protected")?, &content)?;
    refused(&mut client, "half a stream", &deflate(&content)?[..10_000])?;
    client.expect("MODE S", &[200])?;
    holds(&mut client, "protected", &content)
}
