//! RFC 4217: TLS on the control connection.

use super::rfc2228::needs_tls;
use super::rfc2389::features;
use super::{Result, ensure, holds, quietly, same_bytes};
use crate::check::{Check, Context, Failure, Why, login};
use crate::client::Client;
use crate::target::{Account, Profile};
use crate::tls::Tls;

pub(super) const CHECKS: &[Check] = &[
    Check { id: "rfc4217.auth", run: auth },
    Check { id: "rfc4217.pbsz", run: pbsz },
    Check { id: "rfc4217.ccc", run: ccc },
    Check { id: "rfc4217.required", run: required },
];

fn auth(context: &mut Context<'_>) -> Result {
    needs_tls(context)?;
    for version in context.tls_versions() {
        let mut client = context.connect_in_clear(Profile::Standard)?;
        lists_tls(&mut client)?;
        client.auth(&Tls::only(version))?;
        if let Err(error) = lists_tls(&mut client) {
            context.advise(format!("within TLS: {error}"))?;
        }
        context.enter(&mut client)?;
        // One byte a record, and several commands in one.
        quietly(&mut client, |client| {
            "NOOP\r\n".bytes().try_for_each(|byte| client.send_raw(&[byte]))?;
            client.expect_reply(&[200])
        })?;
        client.send_raw(b"NOOP\r\nPWD\r\nNO")?;
        client.expect_reply(&[200])?;
        client.expect_reply(&[257])?;
        client.send_raw(b"OP\r\n")?;
        client.expect_reply(&[200])?;
        client.expect("QUIT", &[221])?;
        client.expect_close()?;
    }
    forgets(context)?;
    smuggled(context)?;
    reinitialised(context)
}

fn lists_tls(client: &mut Client) -> Result {
    let listed = features(client)?;
    for feature in ["AUTH TLS", "PBSZ", "PROT"] {
        let is_listed = listed.iter().any(|line| line.starts_with(feature));
        ensure!(is_listed, "FEAT does not list {feature}: {listed:?}");
    }
    Ok(())
}

/// What was said in clear is forgotten: who listens may have said it.
fn forgets(context: &mut Context<'_>) -> Result {
    let Some(known) = context.credentials(Account::Full) else { return Ok(()) };
    let mut client = context.connect_in_clear(Profile::Standard)?;
    client.expect(format!("USER {}", known.user), &[331])?;
    client.auth(&Tls::new())?;
    // RFC 2228 section 3: "some or all" of USER, PASS and ACCT are needed again.
    if client.prefer(format!("PASS {}", known.password), &[503], &[230])?.code != 230 {
        context.enter(&mut client)?;
    } else {
        client = context.connect_protected(Profile::Standard, &Tls::new())?;
        context.enter(&mut client)?;
    }
    client.put("file", b"0123456789")?;

    // A server need not take AUTH in a session that is logged in.
    let logged_in = |context: &mut Context<'_>, line: &str| {
        let mut client = context.connect_in_clear(Profile::Standard)?;
        context.enter(&mut client)?;
        client.expect(line, &[350])?;
        let reply = client.prefer("AUTH TLS", &[234], &[500, 501, 502, 503, 504, 534])?;
        if reply.code == 234 {
            client.start_tls(&Tls::new())?;
        }
        Ok::<_, Failure>((reply.code == 234).then_some(client))
    };
    if context.in_clear().is_err() {
        return Ok(());
    }
    if let Some(mut client) = logged_in(context, "REST 4")? {
        client.expect("PWD", &[530])?;
        context.enter(&mut client)?;
        client.protect()?;
        holds(&mut client, "file", b"0123456789")?;
    }
    let Some(mut client) = logged_in(context, "RNFR file")? else { return Ok(()) };
    context.enter(&mut client)?;
    client.expect("RNTO other", &[503])?;
    client.expect("SIZE file", &[213]).map(drop)
}

/// Commands that came in clear in one piece with AUTH are not carried out: the handshake fails
/// because of them, or they are dropped.
fn smuggled(context: &mut Context<'_>) -> Result {
    let Some(known) = context.credentials(Account::Full) else { return Ok(()) };
    let mut witness = context.login()?;
    let folder = context.path("smuggled");
    let whole = format!("USER {}\r\nPASS {}\r\nMKD {folder}\r\n", known.user, known.password);
    for more in [whole.as_str(), "NOOP\r\n", "MKD"] {
        let mut client = context.connect_in_clear(Profile::Standard)?;
        client.send_raw(format!("AUTH TLS\r\n{more}").as_bytes())?;
        client.expect_reply(&[234])?;
        match client.start_tls(&Tls::new()) {
            Err(_) => client.note("no handshake"),
            // The reply to this is the first.
            Ok(()) => client.expect("PWD", &[530]).map(drop)?,
        }
    }
    witness.expect(format!("CWD {folder}"), &[550]).map(drop)
}

/// REIN ends TLS, after its reply (RFC 4217 section 13).
fn reinitialised(context: &mut Context<'_>) -> Result {
    for version in context.tls_versions() {
        let tls = Tls::only(version);
        let mut client = context.login_protected(Profile::Standard, &tls)?;
        client.put("file", b"content")?;
        let reply = client.reinitialise()?;
        if reply.code != 220 {
            return client.advise(format!("REIN, which ends TLS: {}", reply.whole()));
        }
        client.end_tls()?;
        client.protect_data(None);
        client.expect("PWD", &[530])?;
        client.expect("PROT P", &[503])?;
        context.enter(&mut client)?;
        holds(&mut client, "file", b"content")?;
        client.auth(&tls)?;
        context.enter(&mut client)?;
        client.protect()?;
        holds(&mut client, "file", b"content")?;
    }
    Ok(())
}

fn pbsz(context: &mut Context<'_>) -> Result {
    needs_tls(context)?;
    // Before the login, and kept by it.
    let tls = Tls::new();
    let mut client = context.connect_protected(Profile::Standard, &tls)?;
    client.prefer("PROT P", &[503], &[200, 530])?;
    if let Err(error) = client.protect() {
        client.advise(format!("before the login: {error}"))?;
        context.enter(&mut client)?;
        client.protect()?;
    } else {
        context.enter(&mut client)?;
    }
    quietly(&mut client, |client| client.put("file", b"content"))?;
    holds(&mut client, "file", b"content")?;

    if !context.begins_in_clear() {
        return Ok(());
    }
    // Each AUTH begins anew: data connections are in clear, and PBSZ comes before PROT.
    let reply = client.reinitialise()?;
    if reply.code != 220 {
        return client.advise(format!("REIN, which ends TLS: {}", reply.whole()));
    }
    client.end_tls()?;
    client.expect("PBSZ 0", &[503])?;
    client.auth(&tls)?;
    client.expect("PROT P", &[503])?;
    context.enter(&mut client)?;
    client.protect_data(None);
    holds(&mut client, "file", b"content")?;
    client.protect()?;
    holds(&mut client, "file", b"content")
}

fn ccc(context: &mut Context<'_>) -> Result {
    if !context.has_tls(Profile::Ccc) {
        return Ok(());
    }
    for version in context.tls_versions() {
        let mut client = context.login_protected(Profile::Ccc, &Tls::only(version))?;
        client.put("file", b"content")?;
        client.ccc()?;
        // The login stays, and the data connections are as they were.
        super::is_in(&mut client, context.folder())?;
        let transfer = client.download("RETR file")?;
        ensure!(transfer.handshake.is_some(), "in clear after PROT P");
        same_bytes("file", &transfer.complete()?, b"content")?;
        client.upload("STOR other", b"upload")?.complete()?;
        holds(&mut client, "other", b"upload")?;
        client.send_raw(b"NOOP\r\nNOOP\r\n")?;
        client.expect_reply(&[200])?;
        client.expect_reply(&[200])?;
        client.expect("QUIT", &[221])?;
        client.expect_close()?;
    }
    // The same with data connections in clear, and with a command right after it.
    let mut client = context.login_protected(Profile::Ccc, &Tls::new())?;
    client.expect("PROT C", &[200])?;
    client.protect_data(None);
    client.ccc()?;
    client.put("clear", b"content")?;
    holds(&mut client, "clear", b"content")
}

fn required(context: &mut Context<'_>) -> Result {
    if context.has_tls(Profile::Strict) {
        in_clear(context)?;
        data_in_clear(context)?;
    }
    if !context.has_tls(Profile::Standard) {
        return Ok(());
    }
    let Some(known) = context.credentials(Account::TlsOnly) else {
        // One of the two is enough.
        return match context.has_tls(Profile::Strict) {
            true => Ok(()),
            false => Err(Failure::skip(Why::NeedsOption, Profile::Strict.missing())),
        };
    };
    let mut client = context.connect_in_clear(Profile::Standard)?;
    if client.expect(format!("USER {}", known.user), &[331, 530, 534])?.code == 331 {
        client.expect(format!("PASS {}", known.password), &[530, 534])?;
    }
    client.expect("PWD", &[530])?;
    client.auth(&Tls::new())?;
    login(&mut client, &known)?;
    client.expect("PWD", &[257]).map(drop)
}

/// On the server that requires TLS: the control connection.
fn in_clear(context: &mut Context<'_>) -> Result {
    let Some(known) = context.credentials(Account::Full) else { return Ok(()) };
    let mut client = context.connect_in_clear(Profile::Strict)?;
    for user in [known.user.as_str(), "anonymous", "no-such-user"] {
        let reply = client.expect(format!("USER {user}"), &[530, 534])?;
        let text = reply.whole().to_uppercase();
        let named = ["TLS", "SSL", "ENCRYPT"].iter().any(|word| text.contains(word));
        ensure!(named, "the reply does not say what is missing: {}", reply.whole());
        client.expect(format!("PASS {}", known.password), &[503, 530, 534])?;
        client.expect("PWD", &[530])?;
    }
    client.is_alive()?;
    client.expect("HELP", &[211, 214])?;
    client.expect("FEAT", &[211])?;
    client.auth(&Tls::new())?;
    context.enter(&mut client)?;
    context.connect_in_clear(Profile::Strict)?.expect("QUIT", &[221]).map(drop)
}

/// On the server that requires TLS: the data connections.
fn data_in_clear(context: &mut Context<'_>) -> Result {
    let tls = Tls::new();
    let mut client = context.connect_protected(Profile::Strict, &tls)?;
    context.enter(&mut client)?;
    let commands = ["STOR new", "LIST", "NLST", "MLSD", "RETR new", "APPE new", "STOU"];
    for command in commands {
        client.refused(command, &[521, 522, 530, 534])?;
    }
    client.expect("PBSZ 0", &[200])?;
    client.refused("LIST", &[521, 522, 530, 534])?;
    client.expect("PROT C", &[534])?;
    client.refused("STOR new", &[521, 522, 530, 534])?;
    client.protect()?;
    ensure!(client.list("NLST")?.is_empty(), "a refused upload left a file");
    client.put("new", b"content")?;
    client.expect("PROT C", &[534])?;
    holds(&mut client, "new", b"content")
}
