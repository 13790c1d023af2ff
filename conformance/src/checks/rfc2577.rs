//! RFC 2577: security considerations.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use super::{Result, ensure, no_data_connection, quietly, same_bytes};
use crate::check::{Check, Context, Failure, Why};
use crate::client::{Client, Detail};
use crate::data::{Data, Dial, End, Offer, eprt_argument};
use crate::patience::Deadline;
use crate::target::{Account, Profile};

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
    let offer = Offer::listen(other)?;
    client.offer(offer.address()?, &[500, 501])?;
    let eprt = format!("EPRT {}", eprt_argument(offer.address()?, '|'));
    client.send_as(eprt, "EPRT to another's address")?;
    client.expect_reply(&[500, 501, 522])?;
    no_data_connection(&mut client, "RETR file")?;
    no_data_connection(&mut client, "STOR new")?;
    ensure!(!offer.was_approached(), "the server connected to another's address");

    // A stranger who is first at the passive port is sent away; before the command, and after it.
    let port = client.passive_port()?;
    let stranger = dial_from(port, other);
    let data = Data::dial(port, Dial::default())?;
    let opening = client.expect("RETR file", &[125, 150])?;
    let transfer = client.finish_download((opening, data))?;
    same_bytes("with a stranger before", &transfer.complete()?, b"content")?;
    sent_away(stranger)?;

    let port = client.passive_port()?;
    client.send("RETR file")?;
    let strangers: Vec<_> = (0..3).map(|_| dial_from(port, other)).collect();
    let mut data = Data::dial(port, Dial::default())?;
    client.expect_reply(&[125, 150])?;
    let (bytes, _) = data.receive();
    client.expect_reply(&[226, 250])?;
    same_bytes("with strangers after", &bytes, b"content")?;
    strangers.into_iter().try_for_each(sent_away)?;

    // Nor may one give.
    let port = client.passive_port()?;
    let stranger = dial_from(port, other);
    let mut data = Data::dial(port, Dial::default())?;
    client.expect("STOR new", &[125, 150])?;
    if let Some(mut stranger) = stranger {
        // It may have been sent away already.
        let _ = stranger.send(b"forged");
        stranger.finish();
    }
    data.send(b"genuine")?;
    data.finish();
    client.expect_reply(&[226, 250])?;
    super::holds(&mut client, "new", b"genuine")
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
    for port in [1, 20, 22, 80, 1023] {
        client.offer(SocketAddr::new(ip, port), &[500, 501])?;
        eprt(&mut client, SocketAddr::new(ip, port), &[500, 501, 522])?;
    }
    // From there on they are accepted; a server may connect at once, and find nobody.
    for port in [1024, 65535] {
        client.offer(SocketAddr::new(ip, port), &[200, 425])?;
        eprt(&mut client, SocketAddr::new(ip, port), &[200, 425])?;
    }
    Ok(())
}

fn eprt(client: &mut Client, address: SocketAddr, codes: &[u16]) -> Result {
    client.expect(format!("EPRT {}", eprt_argument(address, '|')), codes).map(drop)
}

fn attempts(context: &mut Context<'_>) -> Result {
    let limit = context.settings(Profile::Standard).login_attempts.unwrap_or(3);
    let known = context.credentials(Account::Full);
    let known = known.ok_or_else(|| Failure::new("no account to log in as"))?;
    // A known name, and names that change: what counts is the failures of the session.
    for change in [false, true] {
        let mut client = context.connect(Profile::Standard)?;
        for attempt in 1..=limit {
            let name = if change { format!("stranger-{attempt}") } else { known.user.clone() };
            client.expect(format!("USER {name}"), &[331])?;
            let codes: &[u16] = if attempt < limit { &[530] } else { &[421, 530] };
            if client.expect("PASS wrong", codes)?.code == 530 && attempt == limit {
                client.expect_reply(&[421])?;
            }
        }
        client.expect_close()?;
    }
    // The next connection starts anew.
    context.login()?.expect("NOOP", &[200]).map(drop)
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

/// Fails unless failed logins are answered late; tells whether another session was served before.
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
    quietly(&mut bystander, |client| client.expect("NOOP", &[200]))?;
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
    let steps: Vec<_> =
        ports.windows(2).map(|pair| i32::from(pair[1]) - i32::from(pair[0])).collect();
    let small = steps.iter().filter(|step| step.abs() <= 2).count();
    ensure!(small * 2 < steps.len(), "passive ports go up step by step: {ports:?}");
    let rising = steps.iter().filter(|step| **step > 0).count();
    ensure!((5..=34).contains(&rising), "passive ports go one way: {ports:?}");
    let mut distinct = ports.clone();
    distinct.sort_unstable();
    distinct.dedup();
    // Where most ports of the range are taken, even random ones repeat.
    ensure!(distinct.len() >= 8, "passive ports repeat: {ports:?}");
    client.note("40 passive ports in no order");
    Ok(())
}

fn per_ip(context: &mut Context<'_>) -> Result {
    if !context.has(Profile::Crowded) {
        return Ok(());
    }
    let Some([all, each]) = context.settings(Profile::Crowded).sessions else {
        context.skip("the limits of sessions are not known");
        return Ok(());
    };
    let mut inside = Vec::new();
    for _ in 0..each {
        inside.push(enter_from(context, None)?);
    }
    turned_away(context, None)?;
    // Who has come in is not disturbed, and nor is another address, until there is no room at all.
    inside.iter_mut().try_for_each(|client| client.expect("NOOP", &[200]).map(drop))?;
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

fn usernames(context: &mut Context<'_>) -> Result {
    let known = context.credentials(Account::Full);
    let known = known.ok_or_else(|| Failure::new("no account to log in as"))?;
    let mut answers = Vec::new();
    for user in [known.user.as_str(), "stranger", "root"] {
        let mut client = context.connect(Profile::Standard)?;
        let named = client.expect(format!("USER {user}"), &[331])?;
        let refused = client.expect("PASS wrong", &[530])?;
        // A text may name the user that it was given.
        answers.push([named, refused].map(|reply| reply.whole().replace(user, "NAME")));
    }
    let told = answers.iter().find(|answer| **answer != answers[0]);
    ensure!(told.is_none(), "a known name is answered {:?}, another {told:?}", answers[0]);
    context.skip("whether the time tells them apart");
    Ok(())
}
