//! RFC 2640: names are bytes, and replies in several languages.

use super::{Result, advise, ensure, long_lines, quietly};
use crate::check::{Check, Context, Failure, Why};
use crate::client::Client;
use crate::listing::FactLine;
use crate::reply::Reply;
use crate::target::Profile;
use crate::wire::{decode_name, encode_name};

pub(super) const CHECKS: &[Check] =
    &[Check { id: "rfc2640.utf8", run: utf8 }, Check { id: "rfc2640.lang", run: lang }];

const NAMES: &[&[u8]] = &[
    "gr\u{fc}\u{df}e \u{65e5}\u{672c}\u{8a9e} \u{1f4c1}".as_bytes(),
    // Composed and decomposed: the same to the eye.
    "caf\u{e9}".as_bytes(),
    "cafe\u{301}".as_bytes(),
    b"semi;colon=",
    b"size=1; x",
    b"%41",
];

/// Names that not every server lets pass, each with a reason.
const TROUBLE: &[&[u8]] = &[
    // Not UTF-8.
    b"caf\xe9",
    b"\xc3(",
    b"\xff",
    b"a\xff\xffb\xfe",
    b"\xed\xa0\x80",
    // Trouble for parsers.
    b" leading",
    b"trailing ",
    b"-dash",
    b"\"quoted\"",
    b"back\\slash",
    b"tab\there",
    b"\x01\x1b\x7f",
    b"...",
    b"~user",
];

/// Names with line ends, where the server has a way to carry them.
const NEWLINES: &[&[u8]] =
    &[b"line\nfeed", b"carriage\rreturn", b"both\r\n", b"\n", b"\r", b"a\n226 b\r\n\r\nc"];

fn utf8(context: &mut Context<'_>) -> Result {
    let mut client = context.login()?;
    let features = super::rfc2389::features(&mut client)?;
    if !features.iter().any(|line| line.eq_ignore_ascii_case("UTF8")) {
        let why = format!("UTF8 is not in FEAT: {features:?}");
        return Err(Failure::skip(Why::NotOffered, why));
    }
    let has_facts = features.iter().any(|line| line.starts_with("MLST "));
    let mut trouble = TROUBLE.to_vec();
    if context.settings(Profile::Standard).newline_as_nul {
        trouble.extend(NEWLINES);
    }
    travel(&mut client, NAMES.to_vec(), has_facts)?;
    // What a server does not want in names it may refuse.
    client.expect("MKD trouble", &[257])?;
    client.expect("CWD trouble", &[250])?;
    if context.is_strict() {
        return travel(&mut client, trouble, has_facts);
    }
    for name in trouble {
        let mut client = context.login()?;
        client.expect("CWD trouble", &[250])?;
        if let Err(error) = travel(&mut client, vec![name], has_facts) {
            context.advise(format!("the name {}: {error}", name.escape_ascii()))?;
            // What is left of it would be in the way of the next.
            let _ = client.command(line("DELE ", name));
            let _ = client.command(line("RMD ", name));
        }
    }
    Ok(())
}

/// Stores files of these names in the working directory, and looks at the names wherever they come
/// back.
fn travel(client: &mut Client, mut names: Vec<&[u8]>, has_facts: bool) -> Result {
    names.sort_unstable();
    for (number, name) in names.iter().enumerate() {
        client.upload(line("STOR ", name), number.to_string().as_bytes())?.complete()?;
    }
    let listed = sorted(client.list("NLST")?.iter().map(|line| decode_name(line)));
    ensure!(listed == names, "NLST: {}", difference(&listed, &names));
    if has_facts {
        let lines = client.list("MLSD")?;
        let facts = lines.iter().map(|line| FactLine::parse(line)).collect::<Result<Vec<_>>>()?;
        let is_file = |entry: &&FactLine| entry.find("type").is_some_and(|kind| kind == "file");
        let files = facts.iter().filter(is_file);
        let listed = sorted(files.map(|entry| decode_name(&entry.name)));
        ensure!(listed == names, "MLSD: {}", difference(&listed, &names));
    }
    let lines = client.list("LIST")?;
    let entries = long_lines(client, &lines)?;
    let listed = sorted(entries.iter().map(|entry| decode_name(&entry.name)));
    ensure!(listed == names, "LIST: {}", difference(&listed, &names));

    for (number, name) in names.iter().enumerate() {
        let bytes = client.download(line("RETR ", name))?.complete()?;
        let shown = name.escape_ascii();
        ensure!(bytes == number.to_string().as_bytes(), "{shown} holds another file's content");
        client.expect(line("RNFR ", name), &[350])?;
        client.expect("RNTO renamed", &[250])?;
        client.expect("RNFR renamed", &[350])?;
        client.expect(line("RNTO ", name), &[250])?;
        client.expect(line("DELE ", name), &[250])?;
        as_directory(client, name, has_facts)?;
    }
    Ok(())
}

/// Makes a directory of this name, and looks at the name in replies.
fn as_directory(client: &mut Client, name: &[u8], has_facts: bool) -> Result {
    let parent = client.expect("PWD", &[257])?.quoted()?;
    let expected = [&parent[..], b"/", name].concat();
    // That it is the whole path, and in quotes, is a matter of the check for MKD.
    let made = client.expect(line("MKD ", name), &[257])?;
    match made.quoted().map(|path| decode_name(&path)) {
        Ok(path) => {
            advise!(client, path == expected, "MKD names {}", path.escape_ascii());
            ensure!(path.ends_with(name), "MKD names {}", path.escape_ascii());
        }
        Err(error) => client.advise(error.to_string())?,
    }
    client.expect(line("CWD ", name), &[250])?;
    let here = decode_name(&client.expect("PWD", &[257])?.quoted()?);
    ensure!(here == expected, "PWD names {}", here.escape_ascii());
    client.expect("CDUP", &[200, 250])?;
    if !has_facts {
        return client.expect(line("RMD ", name), &[250]).map(drop);
    }
    let reply = client.expect(line("MLST ", name), &[250])?;
    let entry = reply.inner().first().map(|line| line.strip_prefix(b" ").unwrap_or(line));
    let named = decode_name(&FactLine::parse(entry.unwrap_or_default())?.name);
    advise!(client, named == expected, "MLST names {}", named.escape_ascii());
    ensure!(named == expected || named == name, "MLST names {}", named.escape_ascii());
    client.expect(line("RMD ", name), &[250]).map(drop)
}

/// Returns a command line with a name as it travels.
fn line(command: &str, name: &[u8]) -> Vec<u8> {
    [command.as_bytes(), &encode_name(name)].concat()
}

fn sorted(names: impl Iterator<Item = Vec<u8>>) -> Vec<Vec<u8>> {
    let mut names: Vec<_> = names.filter(|name| name != b"." && name != b"..").collect();
    names.sort_unstable();
    names
}

fn difference(got: &[Vec<u8>], expected: &[&[u8]]) -> String {
    let extra = got.iter().filter(|name| !expected.contains(&name.as_slice()));
    let missing = expected.iter().filter(|name| !got.iter().any(|other| other == *name));
    let extra: Vec<_> = extra.map(|name| name.escape_ascii().to_string()).collect();
    let missing: Vec<_> = missing.map(|name| name.escape_ascii().to_string()).collect();
    format!("not expected {extra:?}, missing {missing:?}")
}

/// What FEAT says about LANG (section 4.3).
#[derive(Debug, PartialEq, Eq)]
struct Languages {
    tags: Vec<String>,
    /// The one with the asterisk.
    current: String,
}

/// LANG may come at any time, best before the login (section 4.1).
fn lang(context: &mut Context<'_>) -> Result {
    let absent = || Failure::skip(Why::NotOffered, "FEAT does not list LANG");
    // Not everyone answers FEAT before the login.
    if !context.is_strict() && languages(&mut context.login()?)?.is_none() {
        return Err(absent());
    }
    let mut client = context.connect(Profile::Standard)?;
    let offered = languages(&mut client)?.ok_or_else(absent)?;
    if offered.tags.len() == 1 {
        context.skip("there is no second language");
    }
    each_language(&mut client, &offered)?;
    let mut client = context.login()?;
    each_language(&mut client, &offered)?;

    // REIN begins with the default again, where it is implemented.
    if context.in_clear().is_err() {
        context.skip("LANG behind REIN, which ends TLS too: run without --tls");
        return Ok(());
    }
    let other = offered.tags.last().unwrap_or(&offered.current);
    client.expect(format!("LANG {other}"), &[200])?;
    if client.reinitialise()?.expect(&[220, 500, 502])?.code == 220 {
        is_in_force(&mut client, &offered.current)?;
    }
    Ok(())
}

/// Asks for every language, then for the default, and for what is none.
fn each_language(client: &mut Client, offered: &Languages) -> Result {
    let default = &offered.current;
    let texts = samples(client)?;
    for tag in &offered.tags {
        for tag in [tag.to_lowercase(), tag.to_uppercase()] {
            client.expect(format!("LANG {tag}"), &[200])?;
        }
        is_in_force(client, tag)?;
        let translated = samples(client)?;
        for (reply, other) in texts.iter().zip(&translated) {
            let (code, whole) = (reply.code, other.whole());
            ensure!(other.code == code, "{}: {code}, but {whole} in {tag}", reply.command);
            let utf8 = other.lines.iter().all(|line| std::str::from_utf8(line).is_ok());
            ensure!(utf8, "not in UTF-8: {whole}");
        }
        // Variants of a language may have these texts in common.
        let differs = texts.iter().zip(&translated).any(|(one, other)| one.lines != other.lines);
        ensure!(differs || primary(tag) == primary(default), "{tag} says the same as {default}");
    }
    let last = offered.tags.last().unwrap_or(default);
    client.expect("LANG qaa", &[504])?;
    client.expect("LANG -", &[501, 504])?;
    is_in_force(client, last)?;
    client.expect("LANG", &[200])?;
    is_in_force(client, default)?;
    let again = samples(client)?;
    let same = texts.iter().zip(&again).all(|(one, other)| one.lines == other.lines);
    ensure!(same, "LANG alone does not bring back the texts of the default language");
    Ok(())
}

/// Returns what FEAT says about LANG, if anything.
fn languages(client: &mut Client) -> Result<Option<Languages>> {
    let features = quietly(client, super::rfc2389::features)?;
    let mut lines = features.iter().filter(|line| {
        let name = line.split(' ').next().unwrap_or_default();
        name.eq_ignore_ascii_case("LANG")
    });
    let Some(line) = lines.next() else { return Ok(None) };
    let wrong = |what| Failure::new(format!("{what}: {line:?}"));
    let (_, facts) = line.split_once(' ').ok_or_else(|| wrong("no languages"))?;
    let mut languages = Languages { tags: Vec::new(), current: String::new() };
    for fact in facts.split(';') {
        let tag = fact.strip_suffix('*').unwrap_or(fact);
        let is_subtag = |subtag: &str| {
            matches!(subtag.len(), 1..=8) && subtag.bytes().all(|byte| byte.is_ascii_alphanumeric())
        };
        ensure!(tag.split('-').all(is_subtag), "{tag:?} is no language tag: {line:?}");
        if tag != fact {
            ensure!(languages.current.is_empty(), "two asterisks: {line:?}");
            languages.current = tag.to_owned();
        }
        languages.tags.push(tag.to_owned());
    }
    ensure!(!languages.current.is_empty(), "no asterisk: {line:?}");
    Ok(Some(languages))
}

fn is_in_force(client: &mut Client, tag: &str) -> Result {
    let current = languages(client)?.map(|languages| languages.current);
    ensure!(current.as_deref() == Some(tag), "FEAT has the asterisk at {current:?}, not {tag}");
    client.note(&format!("{tag} is in force"));
    Ok(())
}

/// Returns replies to commands that do nothing.
fn samples(client: &mut Client) -> Result<Vec<Reply>> {
    ["NOOP", "NOSUCH", "TYPE X"].iter().map(|line| client.command(line)).collect()
}

fn primary(tag: &str) -> String {
    tag.split('-').next().unwrap_or_default().to_lowercase()
}
