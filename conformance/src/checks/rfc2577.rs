//! RFC 2577: security considerations.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use super::{Result, ensure, no_data_connection, quietly, same_bytes, wants_password};
use crate::check::{Check, Context, Failure, Why};
use crate::client::{Client, Detail};
use crate::data::{Data, Dial, End, Offer, eprt_argument};
use crate::patience::Deadline;
use crate::target::Profile;

pub(super) const CHECKS: &[Check] = &[
    Check { id: "rfc2577.bounce", run: bounce },
    Check { id: "rfc2577.privileged", run: privileged },
    Check { id: "rfc2577.attempts", run: attempts },
    Check { id: "rfc2577.delay", run: delay },
    Check { id: "rfc2577.port-stealing", run: port_stealing },
    Check { id: "rfc2577.per-ip", run: per_ip },
    Check { id: "rfc2577.usernames", run: usernames },
];

fn bounce(context: &mut Context<'_>) -> Result {
    let mut client = context.login()?;
    client.put("file", b"content")?;
    let Some(other) = context.other_address(client.local()?.ip()) else {
        let why = "the server is not on this machine (--bounce-address)";
        return Err(Failure::skip(Why::Unsafe, why));
    };
    let mut asker = context.login()?;
    let offer = Offer::listen(other)?;
    asker.offer(offer.address()?, &[500, 501])?;
    let eprt = format!("EPRT {}", eprt_argument(offer.address()?, '|'));
    asker.send_as(eprt, "EPRT to another's address")?;
    asker.expect_reply(&[500, 501, 522])?;
    for command in ["RETR file", "STOR new"] {
        no_data_connection(&mut asker, command)?;
        ensure!(!offer.was_approached(), "the server connected to another's address");
    }

    // A stranger who is first at the passive port is sent away; before the command, and after it.
    // The client is served all the same; others break the transfer off.
    for command in ["RETR file", "STOR new"] {
        let mut client = context.login()?;
        let port = client.passive_port()?;
        let stranger = dial_from(port, other);
        let mut served = None;
        if let Err(error) = with_stranger(&mut client, port, command, stranger, &mut served)? {
            context.advise(format!("{command}, and a stranger at the passive port: {error}"))?;
        }
        let content: &[u8] = if command == "STOR new" { b"genuine" } else { b"content" };
        if let Some(served) = served {
            same_bytes("with a stranger", &served, content)?;
        }
    }
    let port = client.passive_port()?;
    client.send("RETR file")?;
    let strangers: Vec<_> = (0..3).map(|_| dial_from(port, other)).collect();
    let served = client.dial_data(port, Dial::default()).and_then(|mut data| {
        client.expect_reply(&[125, 150])?;
        let (bytes, _) = data.receive();
        client.expect_reply(&[226, 250])?;
        same_bytes("with strangers after", &bytes, b"content")
    });
    if let Err(error) = served {
        context.advise(format!("RETR, and strangers at the passive port: {error}"))?;
    }
    strangers.into_iter().try_for_each(sent_away)
}

/// Carries out a transfer for which a stranger connected first, who must have no part in it. Returns
/// what went wrong with the client's own part, and puts what was transferred into `served`.
fn with_stranger(
    client: &mut Client,
    port: SocketAddr,
    command: &str,
    stranger: Option<Data>,
    served: &mut Option<Vec<u8>>,
) -> Result<Result> {
    let is_download = command.starts_with("RETR");
    let data = client.dial_data(port, Dial::default()).and_then(|data| {
        client.expect(command, &[125, 150])?;
        Ok(data)
    });
    let mut data = match data {
        Ok(data) => data,
        Err(error) => return sent_away(stranger).map(|()| Err(error)),
    };
    if is_download {
        let (bytes, _) = data.receive();
        drop(data);
        sent_away(stranger)?;
        let done = client.expect_reply(&[226, 250]).map(drop);
        *served = Some(bytes).filter(|_| done.is_ok());
        return Ok(done);
    }
    if let Some(mut stranger) = stranger {
        // It may have been sent away already.
        let _ = stranger.send(b"forged");
        stranger.finish();
    }
    let done = data.send(b"genuine").and_then(|()| {
        data.finish();
        client.expect_reply(&[226, 250])
    });
    if client.attempt("RETR new").is_ok_and(|stored| stored.code < 300) {
        *served = Some(client.get("new")?);
    }
    if let (Some(stored), Err(_)) = (&served, &done) {
        // What was broken off may be there in part.
        ensure!(!stored.starts_with(b"forged"), "what a stranger sent was stored");
        *served = None;
    }
    Ok(done.map(drop))
}

/// Connects from another address; a server may refuse that at once.
fn dial_from(port: SocketAddr, from: IpAddr) -> Option<Data> {
    Data::dial(port, Dial { from: Some(from), narrow: false }).ok()
}

fn sent_away(stranger: Option<Data>) -> Result {
    if let Some(mut stranger) = stranger {
        let (bytes, end) = stranger.receive();
        ensure!(bytes.is_empty(), "another address was sent {}", bytes.escape_ascii());
        ensure!(end != End::Timeout, "a connection from another address stays open");
    }
    Ok(())
}

fn privileged(context: &mut Context<'_>) -> Result {
    let mut client = context.login()?;
    let ip = client.local()?.ip();
    if let Err(error) = context.login()?.active() {
        return Err(match context.is_strict() {
            true => error,
            false => Failure::skip(Why::DoesNotApply, format!("no active mode: {error}")),
        });
    }
    for port in [1, 20, 22, 80, 1023] {
        // 504 is what the section suggests.
        client.offer(SocketAddr::new(ip, port), &[500, 501, 504])?;
        eprt(&mut client, SocketAddr::new(ip, port), &[500, 501, 504, 522])?;
    }
    // From there on they are accepted; a server may connect at once, and find no listener.
    // RFC 2577 says nothing of those, and some refuse a few more.
    let codes: &[u16] = if context.is_strict() { &[200, 425] } else { &[200, 425, 500, 501] };
    for port in [1024, 65535] {
        client.offer(SocketAddr::new(ip, port), codes)?;
        eprt(&mut client, SocketAddr::new(ip, port), codes)?;
    }
    Ok(())
}

fn eprt(client: &mut Client, address: SocketAddr, codes: &[u16]) -> Result {
    client.expect(format!("EPRT {}", eprt_argument(address, '|')), codes).map(drop)
}

fn attempts(context: &mut Context<'_>) -> Result {
    let known = context.full_account()?;
    wants_password(context, &known)?;
    let limit = context.settings(Profile::Standard).login_attempts;
    if limit.is_none() {
        // Each failure may be answered later than the one before.
        context.wait_longer(Duration::from_secs(20));
    }
    // A known name, and names that change: what counts is the failures of the session.
    for change in [false, true] {
        let mut client = context.connect(Profile::Standard)?;
        let name = |attempt| match change {
            true => format!("stranger-{attempt}"),
            false => known.user.clone(),
        };
        match limit {
            Some(limit) => ends_after(&mut client, limit, name)?,
            None => ends_at_last(&mut client, name)?,
        }
    }
    // The next connection starts anew.
    context.login()?.is_alive().map(drop)
}

/// Fails unless the session ends after exactly this many failed logins.
fn ends_after(client: &mut Client, limit: u32, name: impl Fn(u32) -> String) -> Result {
    for attempt in 1..=limit {
        client.expect(format!("USER {}", name(attempt)), &[331])?;
        let codes: &[u16] = if attempt < limit { &[530] } else { &[421, 530] };
        if client.expect("PASS wrong", codes)?.code == 530 && attempt == limit {
            client.expect_reply(&[421])?;
        }
    }
    client.expect_close()
}

/// More failures than any server should let pass.
const MANY: u32 = 10;

/// Fails unless the session ends after some failed logins.
fn ends_at_last(client: &mut Client, name: impl Fn(u32) -> String) -> Result {
    let mut said = false;
    for attempt in 1..=MANY {
        for line in [format!("USER {}", name(attempt)), "PASS wrong".to_owned()] {
            if client.send(line).is_err() {
                return Ok(());
            }
            match client.reply_or_end()? {
                Ok(reply) if reply.code == 421 => return client.expect_close(),
                Ok(reply) => {
                    ensure!(reply.code >= 300, "a wrong password: {}", reply.whole());
                    said = true;
                }
                Err(End::Eof | End::Truncated | End::Reset) if said => {
                    return Err(Failure::new("the session ends without 421"));
                }
                Err(End::Timeout) if attempt > 2 => {
                    return client
                        .advise("failed logins are answered later and later, without end");
                }
                Err(end) => return Err(Failure::new(format!("a failed login: {end}"))),
            }
        }
    }
    Err(Failure::new(format!("{MANY} failed logins, and the session goes on")))
}

fn delay(context: &mut Context<'_>) -> Result {
    let known = context.settings(Profile::Impatient).login_delay;
    let delay = known.filter(|_| context.has(Profile::Impatient)).ok_or_else(|| {
        Failure::skip(Why::NeedsOption, "how late a failed login is answered (--login-delay)")
    })?;
    context.wait_longer(delay * 2);
    // A bystander may have to wait as long because the machine is busy; but not each time.
    context.attempt("another session waits while a failed login is delayed", |context| {
        Ok(waits_alone(context, delay)?.then_some(()))
    })?;
    context.journal().record("another session is served meanwhile");
    Ok(())
}

/// Fails unless failed logins are answered late. Returns `true` if another session was served before.
fn waits_alone(context: &mut Context<'_>, delay: Duration) -> Result<bool> {
    let mut bystander = context.login_quietly(Profile::Impatient)?;
    let mut waiting = Vec::new();
    for number in 0..8 {
        let mut client = context.connect_quietly(Profile::Impatient)?;
        client.expect(format!("USER stranger-{number}"), &[331])?;
        let begin = Instant::now();
        client.send("PASS wrong")?;
        waiting.push((client, begin));
    }
    quietly(&mut bystander, |client| client.is_alive())?;
    let mut in_time = true;
    for (client, begin) in &mut waiting {
        let answered = client.has_reply()?;
        let waited = begin.elapsed();
        ensure!(!answered || waited >= delay, "a failed login is answered after {waited:?}");
        in_time &= !answered;
    }
    for (mut client, begin) in waiting {
        client.expect_reply(&[421, 530])?;
        let waited = begin.elapsed() + Duration::from_millis(20);
        ensure!(waited >= delay, "a failed login is answered after {waited:?}");
    }
    Ok(in_time)
}

fn port_stealing(context: &mut Context<'_>) -> Result {
    let mut client = context.login()?;
    let ports = quietly(&mut client, |client| {
        (0..40).map(|_| Ok(client.passive_port()?.port())).collect::<Result<Vec<_>>>()
    })?;
    let mut distinct = ports.clone();
    distinct.sort_unstable();
    distinct.dedup();
    if distinct.len() == 1 && !context.is_strict() {
        let other = context.login_quietly(Profile::Standard)?.passive_port()?.port();
        if other != ports[0] {
            let why = "each session keeps to a port of its own";
            return Err(Failure::skip(Why::DoesNotApply, why));
        }
    }
    ensure!(distinct.len() > 1, "the passive port is always {}", ports[0]);
    let span = distinct[distinct.len() - 1] - distinct[0];
    if span < 32 {
        let why = format!("a range of {span} passive ports has no order to tell");
        return Err(Failure::skip(Why::DoesNotApply, why));
    }
    // Where most ports of the range are taken, even random ones repeat.
    ensure!(distinct.len() >= 8, "passive ports repeat: {ports:?}");
    let steps: Vec<_> =
        ports.windows(2).map(|pair| i32::from(pair[1]) - i32::from(pair[0])).collect();
    let small = steps.iter().filter(|step| step.abs() <= 2).count();
    ensure!(small * 2 < steps.len(), "passive ports go up step by step: {ports:?}");
    let rising = steps.iter().filter(|step| **step > 0).count();
    ensure!((5..=34).contains(&rising), "passive ports go one way: {ports:?}");
    // The same step each time, and round again, is as easy to guess. Others take ports meanwhile, so
    // that it may be a little longer.
    let mut kinds = steps.clone();
    kinds.sort_unstable();
    kinds.dedup_by_key(|step| *step / (i32::from(span) / 1000).max(1));
    ensure!(kinds.len() >= 8, "passive ports are in steps of {kinds:?}: {ports:?}");
    client.note("40 passive ports in no order");
    Ok(())
}

fn per_ip(context: &mut Context<'_>) -> Result {
    if !context.has(Profile::Crowded) {
        return Ok(());
    }
    let Some([all, each]) = context.settings(Profile::Crowded).sessions else {
        return Err(Failure::skip(Why::NeedsOption, Profile::Crowded.missing()));
    };
    let mut inside = Vec::new();
    for _ in 0..each {
        inside.push(enter_from(context, None)?);
    }
    turned_away(context, None)?;
    // Who has come in is not disturbed, and nor is another address, until there is no room at all.
    inside.iter_mut().try_for_each(|client| client.is_alive().map(drop))?;
    if let Some(other) = context.other_address(inside[0].local()?.ip()) {
        for _ in each..all {
            inside.push(enter_from(context, Some(other))?);
        }
        turned_away(context, Some(other))?;
    }
    // A place that is given up is free again.
    inside.remove(0).expect("QUIT", &[221])?;
    let deadline = Deadline::new();
    loop {
        let mut client = context.dial(Profile::Crowded)?;
        if client.expect_reply(&[220, 421])?.code == 220 {
            break;
        }
        ensure!(!deadline.has_passed(), "a place that was given up is not free again");
    }
    inside[0].note("a place that is given up is free again");
    Ok(())
}

fn enter_from(context: &mut Context<'_>, from: Option<IpAddr>) -> Result<Client> {
    let mut client = context.dial_from(Profile::Crowded, from)?;
    client.expect_reply(&[220])?;
    context.enter(&mut client)?;
    client.keep(Detail::Full);
    client.note("logged in, Crowded");
    Ok(client)
}

fn turned_away(context: &mut Context<'_>, from: Option<IpAddr>) -> Result {
    let mut client = context.dial_from(Profile::Crowded, from)?;
    client.keep(Detail::Full);
    client.expect_reply(&[421])?;
    client.expect_close()
}

/// Returns a text, which may name the user that it was given, without that name.
fn without_word(text: &str, word: &str) -> String {
    let parts = text.split_inclusive(|c: char| c.is_whitespace() || "'\".,:()[]<>".contains(c));
    let unnamed = parts.map(|part| {
        let bare = part.trim_end_matches(|c: char| !c.is_alphanumeric());
        if bare == word { part.replacen(word, "NAME", 1) } else { part.to_owned() }
    });
    unnamed.collect()
}

fn usernames(context: &mut Context<'_>) -> Result {
    let known = context.full_account()?;
    known.have_a_password()?;
    let mut answers = Vec::new();
    for user in [known.user.as_str(), "stranger", "somebody"] {
        let mut client = context.connect(Profile::Standard)?;
        // Whatever the answers are, they have to be the same ones.
        let answer = [client.command(format!("USER {user}"))?, client.command("PASS wrong")?];
        answers.push(answer.map(|reply| without_word(&reply.whole(), user)));
    }
    let told = answers.iter().find(|answer| **answer != answers[0]);
    ensure!(told.is_none(), "a known name is answered {:?}, another {told:?}", answers[0]);
    context.skip("whether the time tells them apart");
    Ok(())
}
