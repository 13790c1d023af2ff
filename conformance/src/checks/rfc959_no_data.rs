//! RFC 959: an upload whose data connection never comes has done nothing.

use std::time::Duration;

use super::rfc2389::features;
use super::{Result, ensure, holds, is_missing, quietly, same_bytes};
use crate::check::{Check, Context, Failure};
use crate::client::Client;
use crate::data::End;
use crate::reply::Reply;
use crate::target::Profile;

pub(super) const CHECKS: &[Check] = &[Check { id: "rfc959.no-data", run: no_data }];

const OLD: &[u8] = b"the old content";
const OTHERS: &[u8] = b"what another session has written";

/// A command that waits for a data connection, with the one that comes before it.
struct Upload {
    word: &'static str,
    before: Option<&'static str>,
    command: &'static str,
}

const UPLOADS: &[Upload] = &[
    Upload { word: "stor", before: None, command: "STOR" },
    Upload { word: "appe", before: None, command: "APPE" },
    Upload { word: "rest", before: Some("REST 0"), command: "STOR" },
    Upload { word: "rang", before: Some("RANG 0 3"), command: "STOR" },
];

/// What becomes of the name while the upload waits.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Meanwhile {
    /// There is nothing, and nothing comes.
    Missing,
    /// A file that was there before.
    Old,
    /// Another session stores a new file.
    Stored,
    /// Another session stores over an old one.
    Replaced,
    /// Another session renames a file to it.
    Renamed,
}

const ALL: &[Meanwhile] = &[
    Meanwhile::Missing,
    Meanwhile::Old,
    Meanwhile::Stored,
    Meanwhile::Replaced,
    Meanwhile::Renamed,
];

impl Meanwhile {
    fn word(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Old => "old",
            Self::Stored => "stored",
            Self::Replaced => "replaced",
            Self::Renamed => "renamed",
        }
    }

    /// Returns what the name holds before.
    fn before(self) -> Option<&'static [u8]> {
        matches!(self, Self::Old | Self::Replaced).then_some(OLD)
    }

    /// Returns what it holds afterwards.
    fn after(self) -> Option<&'static [u8]> {
        match self {
            Self::Missing => None,
            Self::Old => Some(OLD),
            Self::Stored | Self::Replaced | Self::Renamed => Some(OTHERS),
        }
    }
}

/// A name, and what is to be found there whatever happens.
type Found = (String, Option<&'static [u8]>);

fn no_data(context: &mut Context<'_>) -> Result {
    let mut other = context.login()?;
    let uploads = offered(context, &mut other)?;
    let mut expected = Vec::new();
    aborted(context, &mut other, &uploads, &mut expected)?;
    hung_up(context, &mut other, &uploads, &mut expected)?;
    unique(context, &mut other)?;
    timed_out(context, &uploads, &mut expected)?;

    // Now that all sessions are over that waited.
    let mut other = context.login()?;
    for found in &expected {
        is_as(&mut other, found)?;
    }
    let names = expected.iter().filter(|(_, content)| content.is_some());
    let names: Vec<_> = names.map(|(name, _)| name.as_bytes().to_vec()).collect();
    let listed = quietly(&mut other, listed)?;
    // An attempt that came too late may have left any of these.
    let is_expected =
        |name: &Vec<u8>| name == b"unique" || name.starts_with(b"late-") || names.contains(name);
    let extra = listed.iter().find(|name| !is_expected(name));
    if let Some(name) = extra {
        return Err(Failure::new(format!("{} has been left", name.escape_ascii())));
    }
    other.note("nothing was created, emptied or removed");
    Ok(())
}

/// Returns the ways of uploading that the server has.
fn offered(context: &Context<'_>, client: &mut Client) -> Result<Vec<&'static Upload>> {
    let features = quietly(client, |client| Ok(features(client).unwrap_or_default()))?;
    let has_rang = features.iter().any(|line| line.eq_ignore_ascii_case("RANG STREAM"));
    let has_rest = client.command("REST 0")?.code == 350;
    if has_rest {
        // The next upload is to be a plain one.
        quietly(client, |client| client.put("before", b""))?;
        quietly(client, |client| client.expect("DELE before", &[200, 250]))?;
    }
    let mut uploads = Vec::new();
    for upload in UPLOADS {
        let missing = match upload.word {
            "rest" => !has_rest,
            "rang" => !has_rang,
            _ => false,
        };
        match missing {
            true => context.skip(&format!("{}, which is not offered", upload.word.to_uppercase())),
            false => uploads.push(upload),
        }
    }
    Ok(uploads)
}

/// How far the server is with an upload that has no data connection.
#[derive(PartialEq, Eq)]
enum Stage {
    /// It waits for one.
    Waiting,
    /// It has said that there is none.
    Refused,
}

/// Prepares the name, begins the upload, and has the other session do its part.
fn begin(
    client: &mut Client,
    other: &mut Client,
    upload: &Upload,
    path: &str,
    meanwhile: Meanwhile,
) -> Result<Stage> {
    if let Some(before) = meanwhile.before() {
        quietly(other, |other| other.put(path, before))?;
    }
    let stage = wait_in_vain(client, upload.before, &format!("{} {path}", upload.command))?;
    // The file of the upload itself is what others see or do not see.
    let now = meanwhile.before();
    is_as(other, &(path.to_owned(), now)).map_err(|error| during(upload, &error))?;
    let done = quietly(other, |other| match meanwhile {
        Meanwhile::Missing | Meanwhile::Old => Ok(()),
        Meanwhile::Stored | Meanwhile::Replaced => other.put(path, OTHERS),
        Meanwhile::Renamed => {
            let from = format!("{path}-from");
            other.put(&from, OTHERS)?;
            other.expect(format!("RNFR {from}"), &[350])?;
            other.expect(format!("RNTO {path}"), &[200, 250]).map(drop)
        }
    });
    done.map_err(|error| during(upload, &error))?;
    Ok(stage)
}

fn during(upload: &Upload, error: &Failure) -> Failure {
    let word = upload.word.to_uppercase();
    Failure::new(format!("{word}, while there is no data connection: {error}"))
}

/// How long a server has for a command of which it may say nothing, as it waits for data.
const MOMENT: Duration = Duration::from_millis(50);

/// Sends an upload's command with a passive port to which nothing connects, and gives the server a
/// moment for it. Where that is too short, less is seen, and nothing is taken for wrong.
fn wait_in_vain(client: &mut Client, before: Option<&str>, line: &str) -> Result<Stage> {
    client.passive_port()?;
    if let Some(before) = before {
        client.expect(before, &[350])?;
    }
    client.send(line)?;
    while client.has_reply_within(MOMENT)? {
        let reply = client.reply()?;
        if ![125, 150].contains(&reply.code) {
            refused(client, reply)?;
            return Ok(Stage::Refused);
        }
    }
    Ok(Stage::Waiting)
}

/// Fails unless an upload is refused as one without a data connection, or as one to a place that is
/// none.
fn refused(client: &Client, reply: Reply) -> Result {
    client.judge(reply, &[425, 426, 450, 451], &[500, 501, 503, 550, 551, 552, 553, 554]).map(drop)
}

/// Fails unless there is this under a name, or nothing.
fn is_as(client: &mut Client, (name, content): &Found) -> Result {
    quietly(client, |client| match content {
        Some(content) => {
            let reply = client.attempt(format!("RETR {name}"))?;
            ensure!(reply.code < 300, "{name} is gone: {}", reply.whole());
            let got = client.get(name)?;
            same_bytes(name, &got, content)
        }
        None => is_missing(client, name),
    })
}

/// Ended by ABOR.
fn aborted(
    context: &mut Context<'_>,
    other: &mut Client,
    uploads: &[&Upload],
    expected: &mut Vec<Found>,
) -> Result {
    let mut client = context.login()?;
    for upload in uploads {
        for &meanwhile in ALL {
            let name = format!("abor-{}-{}", upload.word, meanwhile.word());
            let stage = begin(&mut client, other, upload, &context.path(&name), meanwhile)?;
            let found = (name, meanwhile.after());
            if stage == Stage::Waiting && !abort(&mut client)? {
                // That is for the check of ABOR to say.
                context.skip("ABOR, which the server does not see while it waits for data");
                client.reset()?;
                is_as(other, &found).map_err(|error| after(upload, &error))?;
                expected.push(found);
                return Ok(());
            }
            is_as(other, &found).map_err(|error| after(upload, &error))?;
            expected.push(found);
        }
    }
    Ok(())
}

fn after(upload: &Upload, error: &Failure) -> Failure {
    let word = upload.word.to_uppercase();
    Failure::new(format!("{word}, after it got no data connection: {error}"))
}

/// Sends ABOR, and takes the replies to it and to the upload. Returns `true` if there are any.
fn abort(client: &mut Client) -> Result<bool> {
    client.send("ABOR")?;
    let mut was_refused = false;
    for _ in 0..4 {
        let reply = match client.reply_or_end()? {
            Ok(reply) => reply,
            Err(End::Timeout) if !client.is_strict() => return Ok(false),
            Err(end) => return Err(Failure::new(format!("ABOR: no reply but {end}"))),
        };
        let reply = client.judge(reply, &[225, 226, 425, 426], &[125, 150, 450, 451])?;
        was_refused |= reply.code >= 400;
        if [225, 226].contains(&reply.code) {
            if !was_refused {
                client.advise("ABOR of an upload that waits: 426 is left out")?;
            }
            return Ok(true);
        }
    }
    Err(Failure::new("replies to ABOR without an end"))
}

/// Ended by the loss of the control connection.
fn hung_up(
    context: &mut Context<'_>,
    other: &mut Client,
    uploads: &[&Upload],
    expected: &mut Vec<Found>,
) -> Result {
    for upload in uploads {
        let mut latest = Vec::new();
        for &meanwhile in ALL {
            let name = format!("gone-{}-{}", upload.word, meanwhile.word());
            let mut client = context.login()?;
            begin(&mut client, other, upload, &context.path(&name), meanwhile)?;
            client.reset()?;
            latest.push((name, meanwhile.after()));
        }
        // The server learns of it some time: these are looked at again when all else is done.
        context.login_quietly(Profile::Standard)?.is_alive()?;
        for found in latest {
            is_as(other, &found).map_err(|error| after(upload, &error))?;
            expected.push(found);
        }
    }
    Ok(())
}

/// STOU, of which the name is not known: nothing is to come into its folder.
fn unique(context: &mut Context<'_>, other: &mut Client) -> Result {
    other.expect("MKD unique", &[257])?;
    quietly(other, |other| other.put("unique/anchor", OLD))?;
    let anchor = vec![b"anchor".to_vec()];
    let is_empty = |other: &mut Client, when: &str| {
        quietly(other, |other| {
            other.expect("CWD unique", &[200, 250])?;
            let names = listed(other)?;
            other.expect("CDUP", &[200, 250])?;
            ensure!(names == anchor, "STOU, {when}: {} names, not 1", names.len());
            holds(other, "unique/anchor", OLD)
        })
    };
    for by_abort in [true, false] {
        let mut client = context.login()?;
        client.expect("CWD unique", &[200, 250])?;
        if by_abort && is_unknown(&mut client)? {
            context.skip("STOU, which is not offered");
            return Ok(());
        }
        let stage = wait_in_vain(&mut client, None, "STOU")?;
        is_empty(other, "while there is no data connection")?;
        if by_abort && stage == Stage::Waiting && abort(&mut client)? {
            is_empty(other, "after ABOR")?;
        }
        client.reset()?;
    }
    context.login_quietly(Profile::Standard)?.is_alive()?;
    is_empty(other, "after the client has gone")
}

/// Returns `true` if there is no STOU, by what HELP says of it.
fn is_unknown(client: &mut Client) -> Result<bool> {
    quietly(client, |client| {
        let help = client.command("HELP")?;
        Ok(help.code < 300 && !help.whole().to_uppercase().contains("STOU"))
    })
}

/// Returns the names in the working directory.
fn listed(client: &mut Client) -> Result<Vec<Vec<u8>>> {
    let mut names = client.list("NLST")?;
    names.retain(|name| name != b"." && name != b"..");
    names.sort();
    Ok(names)
}

/// The longest time-out of a server that is waited for.
const LONGEST: Duration = Duration::from_secs(10);

/// Ended by the server, whose patience is known.
fn timed_out(context: &mut Context<'_>, uploads: &[&Upload], expected: &mut Vec<Found>) -> Result {
    if !context.has(Profile::Impatient) {
        return Ok(());
    }
    let known = context.settings(Profile::Impatient).patience();
    let Some((_, patience)) = known.filter(|(_, data)| *data <= LONGEST) else {
        context.skip("how an upload without data ends by itself (--data-timeout)");
        return Ok(());
    };
    context.wait_longer(patience * 2);
    // All of them wait at the same time, each over a session of its own.
    let mut attempt = 0;
    let waiting = context.in_time(patience, |context| {
        attempt += 1;
        let mut other = context.login_quietly(Profile::Standard)?;
        let mut waiting = Vec::new();
        for upload in uploads {
            let name = format!("late-{}-{attempt}", upload.word);
            let path = context.path(&name);
            let mut client = context.login_quietly(Profile::Impatient)?;
            let stage = begin(&mut client, &mut other, upload, &path, Meanwhile::Stored)?;
            waiting.push((client, stage, (name, Meanwhile::Stored.after())));
        }
        Ok(waiting)
    })?;
    let mut found = Vec::new();
    for (mut client, stage, name) in waiting {
        if stage == Stage::Waiting {
            let mut reply = client.reply()?;
            if [125, 150].contains(&reply.code) {
                reply = client.reply()?;
            }
            client.judge(reply, &[425, 426], &[421])?;
        }
        found.push(name);
    }
    let mut other = context.login_quietly(Profile::Standard)?;
    for (upload, found) in uploads.iter().zip(&found) {
        is_as(&mut other, found).map_err(|error| after(upload, &error))?;
    }
    context.journal().record("the server's own time-out: 425, and nothing else");
    expected.extend(found);
    Ok(())
}
