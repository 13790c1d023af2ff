//! RFC 2389: FEAT and OPTS.

use super::{Result, advise, ensure, quietly, wants_argument};
use crate::check::{Check, Context, Failure};
use crate::client::Client;
use crate::reply::Reply;
use crate::target::Profile;

pub(super) const CHECKS: &[Check] =
    &[Check { id: "rfc2389.feat", run: feat }, Check { id: "rfc2389.opts", run: opts }];

/// Returns the features, and fails when the reply is not of the form that RFC 2389 gives it.
pub(super) fn features(client: &mut Client) -> Result<Vec<String>> {
    let reply = client.offered("FEAT", &[211])?;
    let feature = |line: &Vec<u8>| {
        let text = String::from_utf8_lossy(line).into_owned();
        match text.strip_prefix(' ') {
            Some(name) if !name.starts_with(' ') && !name.is_empty() => Ok(name.to_owned()),
            _ => Err(Failure::new(format!("not a feature behind one space: {text:?}"))),
        }
    };
    reply.inner().iter().map(feature).collect()
}

/// Features that are no commands.
const WORDS: [&str; 5] = ["UTF8", "TVFS", "MLST", "TYPE", "LANG"];

/// Features of the RFCs that are commands.
const FEATURES: [&str; 12] = [
    "SIZE", "MDTM", "REST", "EPRT", "EPSV", "AUTH", "PBSZ", "PROT", "HOST", "LANG", "HASH", "MFMT",
];

/// Commands that MUST be listed where they work (RFC 3659 sections 3.3, 4.3 and 7.8, RFC 2640
/// section 4.3).
const LISTED: [&str; 4] = ["SIZE", "MDTM", "MLST", "LANG"];

/// Further commands that are features.
const COMMANDS: [&str; 16] = [
    "EPRT", "EPSV", "HASH", "MFMT", "MFF", "RANG", "AVBL", "CLNT", "CSID", "XCRC", "XMD5", "XSHA",
    "XSHA1", "XSHA256", "XSHA512", "MODE Z",
];

fn feat(context: &mut Context<'_>) -> Result {
    let mut stranger = context.connect(Profile::Standard)?;
    if let Err(error) = features(&mut stranger) {
        context.advise(format!("before the login: {error}"))?;
    }
    let mut client = context.login()?;
    let listed = features(&mut client)?;
    let mut names: Vec<_> = listed.iter().map(|line| line.to_uppercase()).collect();
    names.sort();
    names.dedup();
    ensure!(names.len() == listed.len(), "a feature is listed twice: {listed:?}");
    let first = |line: &str| line.split(' ').next().unwrap_or_default().to_uppercase();

    // What is listed is there: without its argument it is an error, but no unknown command.
    let unknown = quietly(&mut client, |client| client.command("NOSUCH"))?;
    let is_unknown = |reply: &Reply| {
        let text = |reply: &Reply| reply.text().replace(&reply.command, "");
        reply.code == 502 || reply.code == unknown.code && text(reply) == text(&unknown)
    };
    for line in &listed {
        let command = first(line);
        // Others may have labels that are no commands.
        let judged = context.is_strict() || FEATURES.contains(&command.as_str());
        if WORDS.contains(&command.as_str()) || !judged {
            continue;
        }
        let mut reply = quietly(&mut client, |client| client.command(&command))?;
        if command == "AUTH" && is_unknown(&reply) && !context.is_strict() {
            // After a login it may be too late for it.
            let mut stranger = context.connect_quietly(Profile::Standard)?;
            reply = stranger.command(&command)?;
        }
        // Before AUTH those that come after it need not be known.
        let later = ["PBSZ", "PROT", "CCC"].contains(&command.as_str()) && !client.is_protected();
        let fits = !is_unknown(&reply) || later && !context.is_strict();
        ensure!(fits, "{line} is listed, but: {}", reply.whole());
        client.note(&format!("{command} is there"));
    }
    // What is there is listed.
    let mut client = context.login()?;
    for command in LISTED.into_iter().chain(COMMANDS) {
        let reply = quietly(&mut client, |client| client.command(command))?;
        let is_listed =
            names.iter().any(|line| format!("{line} ").starts_with(&format!("{command} ")));
        let fits = is_listed || is_unknown(&reply) || command == "MODE Z" && reply.code != 200;
        ensure!(
            fits || !LISTED.contains(&command),
            "{command} is not listed, but: {}",
            reply.whole()
        );
        advise!(client, fits, "{command} is not listed, but: {}", reply.whole());
    }
    Ok(())
}

fn opts(context: &mut Context<'_>) -> Result {
    let mut client = context.login()?;
    let utf8 = client.command("OPTS UTF8 ON")?;
    let listed = features(&mut client)?;
    let has = |name: &str| listed.iter().any(|line| line.to_uppercase().starts_with(name));
    if !has("MLST ") {
        client.is_offered(&utf8)?;
    }
    if has("UTF8") {
        client.judge(utf8, &[200], &[202, 501, 504])?;
    }
    for (asked, expected) in [
        (" type;size;", "type;size;"),
        (" size;type;", "type;size;"),
        (" TYPE;Modify;", "type;modify;"),
        (" type;no-such-fact;", "type;"),
        (" no-such-fact;", ""),
        ("", ""),
    ]
    .into_iter()
    .filter(|_| has("MLST "))
    {
        let reply = client.expect(format!("OPTS MLST{asked}"), &[200])?;
        let text = reply.text().to_lowercase();
        let facts = text.strip_prefix("mlst opts").map(str::trim);
        let facts = facts.ok_or_else(|| Failure::new(format!("not MLST OPTS but {text}")))?;
        ensure!(facts.is_empty() || facts.ends_with(';'), "a fact without ';': {text}");
        let sorted = |facts: &str| {
            let mut facts: Vec<_> = facts.split_terminator(';').map(str::to_owned).collect();
            facts.sort();
            facts
        };
        ensure!(sorted(facts) == sorted(expected), "OPTS MLST{asked}: {text}");
        ensure!(reply.lines.len() == 1, "more than one line: {}", reply.whole());
    }
    if has("UTF8") {
        client.prefer("OPTS utf8 on", &[200], &[202, 501, 504])?;
    }
    if has("HASH") {
        client.expect("OPTS HASH", &[200])?;
    }
    for wrong in ["NOSUCH", "NOSUCH ON"] {
        client.prefer(format!("OPTS {wrong}"), &[501], &[451])?;
    }
    wants_argument(context, &mut client, "OPTS")
}
