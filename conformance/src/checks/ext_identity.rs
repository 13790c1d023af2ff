//! Extensions: CLNT, and CSID and AVBL (draft-peterson-streamlined-ftp-command-extensions).

use super::rfc2389::features;
use super::{Result, advise, denied, ensure, quietly, wants_argument, with_detail};
use crate::check::{Check, Context, Failure, Why};
use crate::client::{Client, Detail};
use crate::listing::FactLine;
use crate::target::{Account, Profile};

pub(super) const CHECKS: &[Check] = &[
    Check { id: "ext.clnt", run: clnt },
    Check { id: "ext.csid", run: csid },
    Check { id: "ext.avbl", run: avbl },
];

/// FEAT is to list a command that works (RFC 2389 section 3.2).
fn is_listed(client: &mut Client, name: &str) -> Result {
    let listed = features(client)?;
    let is_there = listed.iter().any(|line| line.eq_ignore_ascii_case(name));
    advise!(client, is_there, "not in FEAT: {listed:?}");
    Ok(())
}

fn clnt(context: &mut Context<'_>) -> Result {
    let mut client = context.login()?;
    client.offered("CLNT conformance", &[200])?;
    is_listed(&mut client, "CLNT")?;
    context.connect(Profile::Standard)?.prefer("CLNT conformance", &[200], &[530])?;
    for line in ["CLNT conformance/1.0", "clnt with words; and=signs %s%n\\n"] {
        client.expect(line, &[200])?;
    }
    quietly(&mut client, |client| {
        client.expect(format!("CLNT {}", "x".repeat(400)), &[200])?;
        client.expect(b"CLNT \xe2\x82\xac\x1b[2K\x80", &[200])
    })?;
    if context.is_strict() {
        wants_argument(context, &mut client, "CLNT")?;
    }
    client.is_alive().map(drop)
}

fn csid(context: &mut Context<'_>) -> Result {
    let mut client = context.login()?;
    client.offered("CSID Name=conformance; Version=1.0;", &[200])?;
    is_listed(&mut client, "CSID")?;
    identify(&mut client, "CSID Name=conformance; Version=1.0;")?;
    let mut stranger = context.connect(Profile::Standard)?;
    stranger.prefer("CSID Name=conformance; Version=1.0;", &[200], &[530])?;
    identify(&mut client, "csid Name=with words; Version=1;")?;
    if context.is_strict() {
        wants_argument(context, &mut client, "CSID")?;
    }
    client.is_alive().map(drop)
}

/// Fails unless the server answers with its name and version.
fn identify(client: &mut Client, line: &str) -> Result {
    let text = client.expect(line, &[200])?.text();
    // The same form as a line of facts, but for the spaces and the missing name.
    let fields = FactLine::parse(format!("{} -", text.replace("; ", ";").trim_end()).as_bytes())
        .map_err(|_| Failure::new(format!("not Name=...; Version=...; but {text}")))?;
    for field in ["name", "version"] {
        ensure!(!fields.fact(field)?.is_empty(), "{field} is empty: {text}");
    }
    Ok(())
}

fn avbl(context: &mut Context<'_>) -> Result {
    let mut client = context.login()?;
    let reply = quietly(&mut client, |client| client.offered("AVBL", &[213, 550]))?;
    is_listed(&mut client, "AVBL")?;
    if reply.code == 550 {
        return Err(Failure::skip(Why::DoesNotApply, "how much space is left is not known"));
    }
    client.expect("MKD folder", &[257])?;
    // The disk is not this check's alone: how much is left varies.
    for line in ["AVBL", "AVBL folder", "AVBL /", "avbl .."] {
        let text = with_detail(&mut client, Detail::Codes, |client| {
            Ok(client.expect(line, &[213])?.text())
        })?;
        ensure!(text.parse::<u64>().is_ok(), "{line} is not a number of bytes: {text}");
    }
    client.expect("AVBL missing", &[550])?;
    client.expect("AVBL missing/folder", &[550])?;
    denied(context, Account::Powerless, "AVBL /", &[550])
}
