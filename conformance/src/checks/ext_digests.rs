//! Digests of files: HASH (draft-bryan-ftpext-hash-02), and XCRC, XMD5, XSHA and their kin, which no
//! document describes.

use super::rfc2389::features;
use super::{Result, denied, ensure, holds, quietly, wants_argument};
use crate::check::{Check, Context, Failure, Why, advise};
use crate::client::Client;
use crate::reply::Reply;
use crate::target::{Account, Profile};

pub(super) const CHECKS: &[Check] =
    &[Check { id: "ext.hash", run: hash }, Check { id: "ext.xhash", run: xhash }];

/// The digests of "abc".
const ABC: [(&str, &str); 5] = [
    ("SHA-256", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
    (
        "SHA-512",
        "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a\
         2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
    ),
    ("SHA-1", "a9993e364706816aba3e25717850c26c9cd0d89d"),
    ("MD5", "900150983cd24fb0d6963f7d28e17f72"),
    ("CRC32", "352441c2"),
];

/// The commands that answer with a bare digest, and which.
const BARE: [(&str, &str); 6] = [
    ("XCRC", "CRC32"),
    ("XMD5", "MD5"),
    ("XSHA", "SHA-1"),
    ("XSHA1", "SHA-1"),
    ("XSHA256", "SHA-256"),
    ("XSHA512", "SHA-512"),
];

/// Returns the digest of "abc", where it is known.
fn of_abc(algorithm: &str) -> Option<&'static str> {
    let known = ABC.iter().find(|(name, _)| name.eq_ignore_ascii_case(algorithm));
    known.map(|(_, digest)| *digest)
}

/// Returns the text of the last line: those before it may say that it takes its time.
fn last_line(reply: &Reply) -> String {
    let last = reply.lines.last().map_or(&[][..], |line| &line[4.min(line.len())..]);
    String::from_utf8_lossy(last).trim().to_owned()
}

/// What FEAT says of HASH: the names, and the one that is marked.
fn offered(client: &mut Client) -> Result<Option<(Vec<String>, String)>> {
    let features = quietly(client, features)?;
    let Some(line) = features.iter().find(|line| line.to_uppercase().starts_with("HASH ")) else {
        return Ok(None);
    };
    client.note(line);
    let list: Vec<&str> = line[5..].split(';').filter(|name| !name.is_empty()).collect();
    let marked: Vec<_> = list.iter().filter_map(|name| name.strip_suffix('*')).collect();
    ensure!(marked.len() == 1, "one algorithm is to be marked: {line}");
    let names = list.iter().map(|name| name.trim_end_matches('*').to_owned()).collect();
    Ok(Some((names, marked[0].to_owned())))
}

/// What HASH answers.
struct Hashed {
    algorithm: String,
    first: u64,
    last: u64,
    digest: String,
    path: String,
}

fn hashed(client: &mut Client, name: &str) -> Result<Hashed> {
    let reply = client.expect(format!("HASH {name}"), &[213])?;
    let line = last_line(&reply);
    let form = || Failure::new(format!("not <algorithm> <first>-<last> <digest> <path>: {line}"));
    let [algorithm, range, digest, path] =
        line.splitn(4, ' ').collect::<Vec<_>>().try_into().map_err(|_| form())?;
    let (first, last) = range.split_once('-').ok_or_else(form)?;
    let number = |digits: &str| digits.parse::<u64>().map_err(|_| form());
    Ok(Hashed {
        algorithm: algorithm.to_owned(),
        first: number(first)?,
        last: number(last)?,
        digest: digest.to_lowercase(),
        path: path.to_owned(),
    })
}

fn hash(context: &mut Context<'_>) -> Result {
    let mut client = context.login()?;
    let Some((names, marked)) = offered(&mut client)? else {
        return Err(Failure::skip(Why::NotOffered, "FEAT does not list HASH"));
    };
    advise!(
        client,
        names.iter().any(|name| name.eq_ignore_ascii_case("SHA-1")),
        "no SHA-1: {names:?}"
    );
    client.put("abc", b"abc")?;
    client.put("a file", b"--abc--")?;
    client.put("empty", b"")?;
    client.expect("MKD folder", &[257])?;

    let selected = last_line(&client.expect("OPTS HASH", &[200])?);
    ensure!(selected.eq_ignore_ascii_case(&marked), "{marked} is marked, not {selected}");
    for name in &names {
        let chosen =
            last_line(&client.expect(format!("OPTS HASH {}", name.to_lowercase()), &[200])?);
        ensure!(chosen.eq_ignore_ascii_case(name), "{chosen} instead of {name}");
        let now_marked = offered(&mut client)?.map(|(_, marked)| marked).unwrap_or_default();
        ensure!(now_marked.eq_ignore_ascii_case(name), "{now_marked} is marked instead of {name}");
        let Some(expected) = of_abc(name) else { continue };
        let answer = hashed(&mut client, "abc")?;
        ensure!(answer.digest == expected, "{name} of \"abc\" is {expected}");
        ensure!(answer.algorithm.eq_ignore_ascii_case(name), "{} instead", answer.algorithm);
        ensure!(answer.path.ends_with("abc"), "the path is {}", answer.path);
        // The draft has ranges with their last byte, but does not say it for whole files; some
        // servers name the size.
        let whole = answer.first == 0 && [2, 3].contains(&answer.last);
        ensure!(whole, "the range of three bytes is {}-{}", answer.first, answer.last);
    }
    let answer = hashed(&mut client, "empty")?;
    ensure!((answer.first, answer.last) == (0, 0), "{}-{} of nothing", answer.first, answer.last);

    for unknown in ["CRC-37", "SHA-1;MD5"] {
        client.expect(format!("OPTS HASH {unknown}"), &[501, 504])?;
    }
    let still = last_line(&client.expect("OPTS HASH", &[200])?);
    let before = names.last().map(String::as_str).unwrap_or_default();
    ensure!(still.eq_ignore_ascii_case(before), "an unknown algorithm changed it to {still}");

    client.expect("HASH missing", &[550])?;
    client.expect("HASH folder", &[550, 553])?;
    wants_argument(context, &mut client, "HASH")?;
    // The digest is that of what TYPE I would send.
    client.put("lines", b"a\nb\n")?;
    let binary = hashed(&mut client, "lines")?.digest;
    client.expect("TYPE A", &[200])?;
    ensure!(hashed(&mut client, "lines")?.digest == binary, "TYPE A has another digest");
    client.expect("TYPE I", &[200])?;

    part(context, &mut client)?;
    denied(
        context,
        Account::Powerless,
        &format!("HASH {}", context.path("abc")),
        &[550, 552, 553],
    )?;
    context.connect(Profile::Standard)?.expect("HASH abc", &[530])?;
    beside_others(context, client)
}

/// The next HASH covers what RANG says, or is refused; the one after it covers all.
fn part(context: &mut Context<'_>, client: &mut Client) -> Result {
    if !quietly(client, features)?.iter().any(|line| line.eq_ignore_ascii_case("RANG STREAM")) {
        context.skip("RANG is not offered");
        return Ok(());
    }
    let name = last_line(&client.expect("OPTS HASH", &[200])?);
    let whole = hashed(client, "a file")?.digest;
    client.expect("RANG 2 4", &[350])?;
    let refused = quietly(client, |client| client.command("HASH a file"))?.code != 213;
    if refused {
        context.skip("the server refuses digests of parts");
        return client.expect("RANG 1 0", &[350]).map(drop);
    }
    client.expect("RANG 2 4", &[350])?;
    let answer = hashed(client, "a file")?;
    ensure!((answer.first, answer.last) == (2, 4), "the range is {}-{}", answer.first, answer.last);
    if let Some(expected) = of_abc(&name) {
        ensure!(answer.digest == expected, "{name} of \"abc\" is {expected}");
    }
    client.expect("RANG 1 0", &[350])?;
    ensure!(hashed(client, "a file")?.digest == whole, "RANG 1 0 is not the whole file");
    Ok(())
}

/// While a long file is read other sessions are served, and ABOR ends it.
fn beside_others(context: &mut Context<'_>, mut client: Client) -> Result {
    let Some(large) = context.large_file() else { return Ok(()) };
    let mut other = context.login()?;
    // One that every server has, and that is not too fast.
    client.expect("OPTS HASH SHA-1", &[200])?;
    client.send(format!("HASH {large}"))?;
    for _ in 0..5 {
        holds(&mut other, "abc", b"abc")?;
        hashed(&mut other, "abc")?;
    }
    client.send("ABOR")?;
    // It is no transfer: a server may have another word for it.
    client.expect_reply(&[426, 450, 451])?;
    client.expect_reply(&[225, 226])?;
    hashed(&mut client, "abc").map(drop)
}

fn xhash(context: &mut Context<'_>) -> Result {
    let mut client = context.login()?;
    client.put("abc", b"abc")?;
    client.put("a file", b"abc")?;
    client.put("a \"file\" 0 2", b"abc")?;
    client.put("from", b"--abc")?;
    client.put("to", b"abc--")?;
    client.expect("MKD folder", &[257])?;
    let mut offered = 0;
    for (command, algorithm) in BARE {
        let reply = quietly(&mut client, |client| client.command(format!("{command} abc")))?;
        if [500, 502, 504].contains(&reply.code) {
            context.skip(&format!("no {command}"));
            continue;
        }
        offered += 1;
        let expected = of_abc(algorithm).unwrap_or_default();
        let mut is_abc = |argument: &str| -> Result {
            let reply = client.expect(format!("{command} {argument}"), &[250])?;
            let digest = last_line(&reply).to_lowercase();
            ensure!(digest == expected, "{algorithm} of \"abc\" is {expected}, not {digest}");
            Ok(())
        };
        is_abc("abc")?;
        is_abc("\"abc\"")?;
        is_abc("\"a file\"")?;
        if let Err(error) = is_abc("\"a \"\"file\"\" 0 2\"") {
            context.advise(format!("doubled quotes in a quoted name: {error}"))?;
        }
        // The second number is where to end, not the last byte; or how much, to some servers. Here
        // that is the same.
        is_abc("\"to\" 0 3")?;
        is_abc("\"from\" 2 5")?;
        is_abc("to 0 3")?;

        client.expect(format!("{command} \"abc\" 3 1"), &[501, 550, 554])?;
        client.expect(format!("{command} \"abc\" x y"), &[501, 550, 554])?;
        client.expect(format!("{command} missing"), &[550])?;
        client.expect(format!("{command} folder"), &[550, 553])?;
        wants_argument(context, &mut client, command)?;
        denied(context, Account::Powerless, &format!("{command} {}", context.path("abc")), &[550])?;
        context.connect(Profile::Standard)?.expect(format!("{command} abc"), &[530])?;
    }
    if offered == 0 {
        return Err(Failure::skip(Why::NotOffered, "none of XCRC, XMD5, XSHA and their kin"));
    }
    Ok(())
}
