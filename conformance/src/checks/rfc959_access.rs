//! RFC 959 section 4.1.1: access control commands.

use super::{Result, advise, both_replies, ensure, holds, is_in, quietly, wants_password};
use crate::check::{Check, Context, Failure};
use crate::client::Client;
use crate::data::Data;
use crate::reply::Reply;
use crate::target::{Account, Credentials, Profile};

pub(super) const CHECKS: &[Check] = &[
    Check { id: "rfc959.user", run: user },
    Check { id: "rfc959.pass", run: pass },
    Check { id: "rfc959.acct", run: acct },
    Check { id: "rfc959.cwd", run: cwd },
    Check { id: "rfc959.cdup", run: cdup },
    Check { id: "rfc959.smnt", run: smnt },
    Check { id: "rfc959.rein", run: rein },
    Check { id: "rfc959.quit", run: quit },
];

fn user(context: &mut Context<'_>) -> Result {
    let known = context.full_account()?;
    let mut client = context.connect(Profile::Standard)?;
    // RFC 959 has 230 for who needs no password, and 530 for who is not let in at all.
    client.prefer(format!("USER {}", known.user), &[331], &[230, 332])?;
    for name in ["nobody-of-this-name", "anonymous", "two words"] {
        if !context.is_strict() {
            // A second name is another matter: see below.
            client = context.connect(Profile::Standard)?;
        }
        client.prefer(format!("USER {name}"), &[331], &[230, 332, 421, 501, 530])?;
    }

    // In a session it starts the login anew; that a server allows it at all is up to it.
    let home = context.home()?;
    let mut client = context.login()?;
    let again = format!("USER {}", known.user);
    if client.prefer(&again, &[331], &[230, 500, 501, 503, 530])?.code == 331 {
        client.expect("PWD", &[530])?;
        client.expect(format!("MKD {}", context.path("new")), &[530])?;
        client.expect(&again, &[331])?;
        client.expect(format!("PASS {}", known.password), &[230])?;
        is_in(&mut client, &home)?;
    }

    // Not so while a transfer runs: that goes on, and so does the session.
    let mut client = context.login()?;
    let (_, mut data) = client.open("STOR upload")?;
    client.send(&again)?;
    quietly(&mut client, |client| client.waits_for_reply())?;
    data.send(b"one ")?;
    data.send(b"two")?;
    data.finish();
    let (_, answer) = both_replies(&mut client, &[226, 250], "a new USER")?;
    advise!(client, answer.code == 503, "USER during a transfer: {}", answer.whole());
    if answer.code >= 400 {
        is_in(&mut client, context.folder())?;
    }
    holds(&mut context.login()?, "upload", b"one two")
}

fn pass(context: &mut Context<'_>) -> Result {
    let known = context.full_account()?;
    wants_password(context, &known)?;
    let mut client = context.connect(Profile::Standard)?;
    client.expect(format!("PASS {}", known.password), &[503])?;
    without_login(&mut client)?;
    client.expect(format!("USER {}", known.user), &[331])?;
    client.expect(format!("PASS {}", known.password), &[230])?;
    client.prefer(format!("PASS {}", known.password), &[202, 230], &[503, 530])?;
    client.expect("PWD", &[257])?;

    // One failure a connection, so that no limit of attempts plays a part.
    let mut failure = |name: &str, password: &str| {
        let mut client = context.connect(Profile::Standard)?;
        let named = client.prefer(format!("USER {name}"), &[331], &[530])?;
        if named.code == 530 {
            return Ok::<_, Failure>(named);
        }
        let reply = client.prefer(format!("PASS {password}"), &[530], &[421])?;
        if reply.code == 530 {
            client.expect("PWD", &[530])?;
        }
        Ok(reply)
    };
    let wrong = failure(&known.user, "wrong")?;
    let unknown = failure("nobody-of-this-name", "wrong")?;
    let borrowed = failure("nobody-of-this-name", &known.password)?;
    failure(&known.user, &format!("{}x", known.password))?;
    if known.password.to_uppercase() != known.password {
        failure(&known.user, &known.password.to_uppercase())?;
    }
    // What is left of a reply that repeats the password.
    let answer = |reply: &Reply| reply.whole().replace(&known.password, "***");
    advise!(
        context,
        answer(&wrong) == answer(&unknown) && answer(&wrong) == answer(&borrowed),
        "the reply tells a known name from an unknown one: {:?}, {:?}",
        wrong.whole(),
        unknown.whole()
    );

    // After a failure there is another try, and it is for the name then given.
    let mut client = context.connect(Profile::Standard)?;
    client.expect(format!("USER {}", known.user), &[331])?;
    client.expect("PASS wrong", &[530])?;
    client.expect(format!("USER {}", known.user), &[331])?;
    client.expect(format!("PASS {}", known.password), &[230])?;
    if let Some(anonymous) = context.credentials(Account::Anonymous) {
        let mut client = context.connect(Profile::Standard)?;
        client.expect(format!("USER {}", anonymous.user), &[331])?;
        client.expect(format!("PASS {}", anonymous.password), &[230])?;
    }
    Ok(())
}

/// A client that has not logged in is not served.
fn without_login(client: &mut Client) -> Result {
    for line in ["PWD", "CWD /", "MKD stranger", "RMD stranger", "DELE stranger", "RNFR /"] {
        client.expect(line, &[530])?;
    }
    // Others say first what else is missing.
    for line in ["RETR stranger", "STOR stranger", "APPE stranger", "LIST", "NLST"] {
        client.prefer(line, &[530], &[425, 500, 501, 503, 550, 553])?;
    }
    // A port that is opened or named for no transfer is but a waste.
    for line in ["PASV", "EPSV"] {
        client.prefer(line, &[530], &[227, 229, 500, 501, 502, 503])?;
    }
    let status = client.prefer("STAT /", &[530], &[450, 500, 501, 502, 503, 504, 550])?;
    ensure!(status.lines.len() == 1, "STAT lists files without a login: {}", status.whole());
    Ok(())
}

fn acct(context: &mut Context<'_>) -> Result {
    let mut client = context.connect(Profile::Standard)?;
    let before = client.command("ACCT something")?;
    let mut client = context.login()?;
    client.offered("ACCT something", &[202, 230, 503])?;
    client.judge(before, &[503], &[202, 230])?;
    client.prefer("ACCT", &[501], &[202, 230, 530])?;
    client.is_alive().map(drop)
}

fn cwd(context: &mut Context<'_>) -> Result {
    let mut client = context.login()?;
    for folder in ["sub", "sub/deep", "with space"] {
        client.expect(format!("MKD {folder}"), &[257])?;
    }
    client.put("file", b"")?;
    let mut enter = |given: &str, expected: &str| {
        let reply = client.expect(format!("CWD {given}"), &[250])?;
        let named = reply.whole().contains(expected);
        advise!(client, named, "{expected} is not named: {}", reply.whole());
        is_in(&mut client, expected)
    };
    enter("sub", &context.path("sub"))?;
    enter("deep", &context.path("sub/deep"))?;
    enter("../..", context.folder())?;
    enter(&context.path("with space"), &context.path("with space"))?;
    enter("/", "/")?;
    enter(context.folder(), context.folder())?;

    for wrong in ["missing", "file", "file/", "missing/..", "file/sub"] {
        // RFC 3659 leaves open whether "missing/.." is looked up step by step.
        let codes: &[u16] = if wrong == "missing/.." { &[250, 550] } else { &[550] };
        client.expect(format!("CWD {wrong}"), codes)?;
        is_in(&mut client, context.folder())?;
    }
    if let Some(mut client) = context.login_as(Account::Powerless)? {
        client.expect(format!("CWD {}", context.folder()), &[550])?;
    }
    Ok(())
}

fn cdup(context: &mut Context<'_>) -> Result {
    let mut client = context.login()?;
    client.expect("MKD sub", &[257])?;
    client.expect("MKD sub/deep", &[257])?;
    client.expect("CWD sub/deep", &[250])?;
    // RFC 959 lists 200 for CDUP in section 5.4, and says in 4.1.1 that it is answered as CWD is.
    for parent in [&context.path("sub"), context.folder(), context.parent()] {
        client.prefer("CDUP", &[250], &[200])?;
        is_in(&mut client, parent)?;
    }
    client.expect("CWD /", &[250])?;
    for _ in 0..2 {
        client.prefer("CDUP", &[250], &[200, 550])?;
        is_in(&mut client, "/")?;
    }
    Ok(())
}

fn smnt(context: &mut Context<'_>) -> Result {
    let mut client = context.login()?;
    let reply = client.command("SMNT /somewhere")?;
    if reply.code == 500 {
        client.is_offered(&reply)?;
    }
    client.judge(reply, &[502], &[200, 202, 250])?;
    is_in(&mut client, context.folder())
}

fn rein(context: &mut Context<'_>) -> Result {
    context.in_clear()?;
    let known = context.full_account()?;
    let reply = context.login_quietly(Profile::Standard)?.reinitialise()?;
    let mut client = context.login()?;
    client.is_offered(&reply)?;
    client.put("file", b"0123456789")?;
    let offer = client.active()?;
    client.prefer("REST 5", &[350], &[500, 501, 502])?;
    if context.is_strict() {
        // Others know but one command after it.
        client.expect("RNFR file", &[350])?;
    }
    let reply = client.reinitialise()?;
    client.is_offered(&reply)?;
    client.judge(reply, &[220], &[])?;
    client.expect("PWD", &[530])?;
    client.expect(format!("PASS {}", known.password), &[503])?;

    // What a new session answers is what this one answers from here on.
    let file = context.path("file");
    let mut fresh = context.connect(Profile::Standard)?;
    let expected = quietly(&mut fresh, |client| first_steps(client, &known, &file))?;
    let again = quietly(&mut client, |client| first_steps(client, &known, &file))?;
    for (fresh, again) in expected.iter().zip(&again) {
        ensure!(fresh == again, "a new session answers {fresh:?}, this one {again:?}");
        client.note(&format!("as in a new session: {fresh}"));
    }
    ensure!(!offer.was_approached(), "the port given before REIN was used after it");

    // The offset too is gone, with a data connection at hand.
    let mut client = context.login()?;
    client.prefer("REST 5", &[350], &[500, 501, 502])?;
    client.expect("REIN", &[220])?;
    context.enter(&mut client)?;
    holds(&mut client, &file, b"0123456789")?;

    // A transfer under way finishes first.
    let mut client = context.login()?;
    let (_, mut data) = client.open("STOR upload")?;
    data.send(b"before ")?;
    client.send("REIN")?;
    data.send(b"and after")?;
    data.finish();
    client.expect_reply(&[226, 250])?;
    if client.expect_reply(&[120, 220])?.code == 120 {
        client.expect_reply(&[220])?;
    }
    client.expect("PWD", &[530])?;
    holds(&mut context.login()?, "upload", b"before and after")
}

/// Logs in, and returns what shows the user, the working directory, TYPE, RNFR, REST and the data
/// port of the session.
fn first_steps(client: &mut Client, known: &Credentials, file: &str) -> Result<Vec<String>> {
    let mut answers = Vec::new();
    for line in [
        format!("USER {}", known.user),
        format!("PASS {}", known.password),
        "PWD".to_owned(),
        format!("SIZE {file}"),
        format!("RNTO {file}.new"),
        format!("RETR {file}"),
    ] {
        let reply = client.command(&line)?;
        answers.push(format!("{} {}", reply.command.replace(file, "FILE"), reply.code));
        if line == "PWD" {
            answers.push(reply.whole());
        }
    }
    answers.push(client.get(file)?.escape_ascii().to_string());
    Ok(answers)
}

fn quit(context: &mut Context<'_>) -> Result {
    for mut client in [context.connect(Profile::Standard)?, context.login()?] {
        client.expect("QUIT", &[221])?;
        client.expect_close()?;
    }

    // During an upload.
    let mut client = context.login()?;
    let (_, mut data) = client.open("STOR upload")?;
    data.send(b"before ")?;
    client.send("QUIT")?;
    data.send(b"and after")?;
    data.finish();
    quits(&mut client)?;
    holds(&mut context.login()?, "upload", b"before and after")?;

    // During a download that waits for its reader.
    let mut client = context.login()?;
    let expected = super::put_big(&mut client, "big")?;
    let (_, mut data): (_, Data) = client.open_narrow("RETR big")?;
    client.send("QUIT")?;
    let (bytes, _) = data.receive();
    super::same_bytes("big", &bytes, &expected)?;
    drop(data);
    quits(&mut client)
}

/// Fails unless the transfer's reply and that to QUIT come, and then the end. RFC 959 wants the
/// transfer to be reported, and does not say in which order.
fn quits(client: &mut Client) -> Result {
    let (first, quit) = both_replies(client, &[226, 250], "QUIT")?;
    ensure!(quit.code == 221, "QUIT during a transfer: {}", quit.whole());
    advise!(client, first, "221 comes before the transfer is over");
    client.expect_close()
}
