//! RFC 959: STOR, STOU, APPE and ALLO.

use std::thread;
use std::time::Duration;

use super::{
    BIG, Result, advise, denied, ensure, holds, is_missing, pattern, quietly, same_bytes,
    until_aborted, wants_argument, with_detail,
};
use crate::check::{Check, Context, Failure};
use crate::client::{Client, Detail};
use crate::data::Data;
use crate::patience::Deadline;
use crate::target::{Account, Profile};

pub(super) const CHECKS: &[Check] = &[
    Check { id: "rfc959.stor", run: stor },
    Check { id: "rfc959.stou", run: stou },
    Check { id: "rfc959.appe", run: appe },
    Check { id: "rfc959.allo", run: allo },
];

fn stor(context: &mut Context<'_>) -> Result {
    let mut client = context.login()?;
    let bytes = pattern(300_007);
    client.put("file", &bytes)?;
    holds(&mut client, "file", &bytes)?;
    client.put("file", b"shorter")?;
    holds(&mut client, "file", b"shorter")?;
    client.put("file", b"")?;
    holds(&mut client, "file", b"")?;
    client.put(&context.path("absolute"), b"a")?;
    holds(&mut client, "absolute", b"a")?;

    client.expect("MKD folder", &[257])?;
    client.put("folder/inside", b"kept")?;
    let long = "n".repeat(300);
    for wrong in ["folder", "missing/file", "file/file", "/", long.as_str()] {
        client.refused(format!("STOR {wrong}"), &[550, 553])?;
    }
    holds(&mut client, "folder/inside", b"kept")?;
    wants_argument(context, &mut client, "STOR")?;
    is_missing(&mut client, "new")?;

    for account in [Account::Anonymous, Account::Powerless] {
        for name in ["absolute", "new"] {
            denied(context, account, &format!("STOR {}", context.path(name)), &[550, 553])?;
        }
    }
    holds(&mut client, "absolute", b"a")?;
    is_missing(&mut client, "new")?;

    cut_off(context, &mut client)
}

/// Cuts uploads off, which is never a success, and looks at the file during and after.
fn cut_off(context: &mut Context<'_>, client: &mut Client) -> Result {
    let bytes = pattern(BIG);
    upload_and_break(client, "cut", &bytes)?;
    if context.settings(Profile::Standard).atomic_uploads != Some(true) {
        context.skip("whether a reader sees an upload before it is whole (--atomic-uploads)");
        return Ok(());
    }
    let left = quietly(client, |client| client.get("cut"))?;
    ensure!(!left.is_empty(), "nothing is left of a new file whose upload was cut off");
    ensure!(bytes.starts_with(&left), "what is left of the upload is not its beginning");

    client.put("kept", b"the old content")?;
    upload_and_break(client, "kept", &bytes)?;
    holds(client, "kept", b"the old content")?;

    let (_, mut data) = client.open("STOR kept")?;
    data.send(&bytes)?;
    client.send("ABOR")?;
    until_aborted(client, &[225, 226, 425, 426])?;
    drop(data);
    holds(client, "kept", b"the old content")?;
    for name in ["killed", "kept"] {
        killed(context, name, &bytes)?;
    }
    let left = quietly(client, |client| first_part(client, "killed", &bytes))?;
    ensure!(left, "nothing is left of a new file whose client was killed");

    let mut reader = context.login()?;
    holds(&mut reader, "kept", b"the old content")?;
    let (_, mut data) = client.open("STOR kept")?;
    data.send(&bytes)?;
    holds(&mut reader, "kept", b"the old content")?;
    data.send(b"end")?;
    data.finish();
    client.expect_reply(&[226, 250])?;
    let size = BIG + 3;
    let now = reader.get("kept")?;
    ensure!(now.len() == size && now.ends_with(b"end"), "{} bytes, not {size}", now.len());
    Ok(())
}

/// A client that dies in the middle of an upload. RFC 959 section 4.1.1 takes that for ABOR and QUIT.
fn killed(context: &mut Context<'_>, name: &str, bytes: &[u8]) -> Result {
    for _ in 0..TRIES {
        let mut client = context.login_quietly(Profile::Standard)?;
        let (_, mut data) = client.open(format!("STOR {}", context.path(name)))?;
        data.send(&bytes[..bytes.len() / 2])?;
        // In the order in which they were opened, as a system closes them.
        drop(client);
        drop(data);
    }
    Ok(())
}

/// Who comes first at the server, the end of the data or that of the session, is a race.
const TRIES: usize = 4;

/// Waits until there is a beginning of a file; returns `true` if there is one. Nothing says when
/// the server has noticed that its client is gone.
fn first_part(client: &mut Client, name: &str, bytes: &[u8]) -> Result<bool> {
    let deadline = Deadline::new();
    while !deadline.has_passed() {
        if client.attempt(format!("RETR {name}"))?.code < 300 {
            let left = client.get(name)?;
            ensure!(bytes.starts_with(&left), "what is left of the upload is not its beginning");
            if !left.is_empty() {
                return Ok(true);
            }
        }
        thread::sleep(Duration::from_millis(10));
    }
    Ok(false)
}

fn upload_and_break(client: &mut Client, name: &str, bytes: &[u8]) -> Result {
    let (_, mut data) = client.open(format!("STOR {name}"))?;
    data.send(bytes)?;
    data.reset()?;
    client.expect_reply(&[425, 426, 451])?;
    client.note("after the reset");
    Ok(())
}

fn stou(context: &mut Context<'_>) -> Result {
    let (mut first, mut second) = (context.login()?, context.login()?);
    first.expect("MKD folder", &[257])?;
    for client in [&mut first, &mut second] {
        client.expect("CWD folder", &[250])?;
    }
    first.put("old", b"old")?;

    let mut one = open_unique(&mut first)?;
    let mut two = open_unique(&mut second)?;
    one.send(b"content one")?;
    two.send(b"content two")?;
    for (client, data) in [(&mut first, one), (&mut second, two)] {
        data.finish();
        with_detail(client, Detail::Codes, |client| client.expect_reply(&[226, 250]))?;
    }
    let mut three = open_unique(&mut first)?;
    three.send(b"content three")?;
    three.finish();
    with_detail(&mut first, Detail::Codes, |client| client.expect_reply(&[226, 250]))?;

    let mut contents = quietly(&mut first, |client| {
        let mut names = client.list("NLST")?;
        names.retain(|name| name != b"." && name != b"..");
        let mut content = |name: &Vec<u8>| client.get(&String::from_utf8_lossy(name));
        names.iter().map(&mut content).collect::<Result<Vec<_>>>()
    })?;
    contents.sort();
    let expected = [&b"content one"[..], b"content three", b"content two", b"old"];
    ensure!(contents == expected, "three files and an old one, not {contents:?}");

    for account in [Account::Anonymous, Account::Powerless] {
        let Some(mut client) = context.login_as(account)? else { continue };
        // Where it stores is where it stands.
        if client.command(format!("CWD {}", context.folder()))?.code >= 300 {
            context.skip("STOU of an account that may not enter the folder");
            continue;
        }
        client.refused("STOU", &[550, 553])?;
    }
    Ok(())
}

fn open_unique(client: &mut Client) -> Result<Data> {
    with_detail(client, Detail::Codes, |client| {
        let data = client.passive()?;
        client.offered("STOU", &[125, 150])?;
        Ok(data)
    })
}

fn appe(context: &mut Context<'_>) -> Result {
    let mut client = context.login()?;
    let mut append = |name: &str, bytes: &[u8]| {
        client.upload(format!("APPE {name}"), bytes)?.complete()?;
        Ok::<_, Failure>(())
    };
    append("new", b"made")?;
    append("new", b" and grown")?;
    append("new", b"")?;
    holds(&mut client, "new", b"made and grown")?;
    client.put("old", &pattern(100_000))?;
    client.upload("APPE old", &pattern(50_000))?.complete()?;
    same_bytes("old", &client.get("old")?, &[pattern(100_000), pattern(50_000)].concat())?;

    client.expect("MKD folder", &[257])?;
    for wrong in ["folder", "missing/file", "/"] {
        client.refused(format!("APPE {wrong}"), &[550, 553])?;
    }
    wants_argument(context, &mut client, "APPE")?;
    for account in [Account::Anonymous, Account::Powerless] {
        denied(context, account, &format!("APPE {}", context.path("new")), &[550, 553])?;
    }
    holds(&mut client, "new", b"made and grown")?;

    // What 226 says is there has to be there, whatever another session did to the name meanwhile.
    let mut other = context.login()?;
    for replaced in [false, true] {
        client.put("shared", b"old")?;
        let (_, mut data) = client.open("APPE shared")?;
        data.send(b" and new")?;
        quietly(&mut other, |other| {
            other.expect("DELE shared", &[250])?;
            if replaced {
                other.put("another", b"another's")?;
                other.expect("RNFR another", &[350])?;
                other.expect("RNTO shared", &[250])?;
            }
            Ok(())
        })?;
        data.finish();
        let reply = client.expect_reply(&[226, 250, 426, 450, 451, 452, 550, 551, 552, 553])?;
        let now = quietly(&mut other, |other| match other.attempt("RETR shared")?.code {
            ..300 => other.get("shared"),
            _ => Ok(Vec::new()),
        })?;
        let what = if replaced { "replaced" } else { "removed" };
        let is_true = reply.code >= 400 || now.ends_with(b" and new");
        advise!(client, is_true, "APPE to a file {what} meanwhile: 226, and the bytes are lost");
    }
    Ok(())
}

fn allo(context: &mut Context<'_>) -> Result {
    let mut client = context.login()?;
    for argument in ["0", "100"] {
        client.offered(format!("ALLO {argument}"), &[200, 202])?;
    }
    client.prefer("ALLO 100 R 10", &[200, 202], &[500, 501, 504])?;
    // To a server that has no use for it, it is NOOP, whatever it says.
    for wrong in [" abc", " -1", " 1x", " 100000000000000000000000", " 100 R x"] {
        client.prefer(format!("ALLO{wrong}"), &[501], &[200, 202, 452, 552])?;
    }
    client.put("file", b"content")?;
    holds(&mut client, "file", b"content")
}
