//! RFC 959: SITE, SYST, HELP and NOOP.

use super::{Result, advise, ensure, quietly, wants_argument};
use crate::check::{Check, Context, Failure, Why};
use crate::target::Profile;

pub(super) const CHECKS: &[Check] = &[
    Check { id: "rfc959.site", run: site },
    Check { id: "rfc959.syst", run: syst },
    Check { id: "rfc959.help", run: help },
    Check { id: "rfc959.noop", run: noop },
];

fn site(context: &mut Context<'_>) -> Result {
    let mut client = context.login()?;
    let reply = client.command("SITE HELP")?;
    client.is_offered(&reply)?;
    if reply.code >= 500 && !context.is_strict() {
        // RFC 959 has HELP SITE tell what there is, and no SITE command that has to be.
        return Err(Failure::skip(Why::NotOffered, format!("SITE HELP: {}", reply.whole())));
    }
    let help = client.judge(reply, &[200, 211, 214], &[])?.whole();
    client.expect("SITE NO-SUCH-COMMAND", &[502, 504])?;
    client.expect("SITE NO-SUCH-COMMAND with words", &[502, 504])?;
    wants_argument(context, &mut client, "SITE")?;
    match context.settings(Profile::Standard).site_echo {
        None => {}
        Some(name) => {
            ensure!(help.contains(&name), "SITE HELP does not list {name}: {help}");
            let reply = client.expect(format!("SITE {name} hello, world"), &[200])?;
            ensure!(reply.text() == "hello, world", "SITE {name}: {}", reply.whole());
            client.expect(format!("SITE {} again", name.to_lowercase()), &[200])?;
        }
    }
    client.expect("NOOP", &[200]).map(drop)
}

fn syst(context: &mut Context<'_>) -> Result {
    let mut client = context.login()?;
    let reply = client.expect("SYST", &[215])?;
    // RFC 959 wants a name from the list of operating systems, and there are more of those.
    advise!(client, reply.text().starts_with("UNIX Type: L8"), "{}", reply.whole());
    ensure!(!reply.text().trim().is_empty(), "no system is named");
    Ok(())
}

fn help(context: &mut Context<'_>) -> Result {
    let mut client = context.login()?;
    let all = client.prefer("HELP", &[214], &[211])?.whole();
    for command in ["USER", "RETR", "STOR", "PASV", "LIST", "QUIT", "HELP"] {
        advise!(client, all.contains(command), "HELP does not list {command}: {all}");
    }
    for command in ["RETR", "retr", "NOOP", "TYPE"] {
        let line = format!("HELP {command}");
        let reply = client.prefer(line, &[214], &[211, 500, 501, 502, 504])?.whole();
        let upper = command.to_uppercase();
        advise!(client, reply.contains(&upper), "HELP {command}: {reply}");
        advise!(client, reply != all, "HELP {command} is HELP");
    }
    client.prefer("HELP NOSUCH", &[501, 502], &[211, 214]).map(drop)
}

fn noop(context: &mut Context<'_>) -> Result {
    let mut client = context.login()?;
    for command in ["NOOP", "noop", "NoOp"] {
        client.expect(command, &[200])?;
    }

    // However the bytes are cut, and whatever came before.
    for piece in [&b"NO"[..], b"OP", b"\r", b"\n"] {
        client.send_raw(piece)?;
    }
    client.expect_reply(&[200])?;
    client.send_raw(b"NOOP\r\nNOOP\r\nNO")?;
    client.expect_reply(&[200])?;
    client.expect_reply(&[200])?;
    client.send_raw(b"OP\r\n")?;
    client.expect_reply(&[200])?;
    client.expect("NOSUCH", &[500, 502])?;
    client.expect("NOOP", &[200])?;
    quietly(&mut client, |client| {
        client.expect("N".repeat(1_000), &[500, 501, 502])?;
        client.send("NOOP")?;
        // No RFC says how long a line may be, and some take the rest of it for another.
        for _ in 0..4 {
            if client.prefer_reply(&[200], &[500, 501, 502])?.code == 200 {
                return Ok(());
            }
        }
        Err(Failure::new("a line of 1000 bytes is answered again and again"))
    })
}
