//! RFC 959: renaming, removing and making, and PWD.

use super::{Result, advise, denied, ensure, holds, is_in, is_missing, wants_argument};
use crate::check::{Check, Context};
use crate::target::Account;

pub(super) const CHECKS: &[Check] = &[
    Check { id: "rfc959.rnfr", run: rnfr },
    Check { id: "rfc959.rnto", run: rnto },
    Check { id: "rfc959.dele", run: dele },
    Check { id: "rfc959.rmd", run: rmd },
    Check { id: "rfc959.mkd", run: mkd },
    Check { id: "rfc959.pwd", run: pwd },
];

const NOT_ALLOWED: [Account; 2] = [Account::Anonymous, Account::Powerless];

fn rnfr(context: &mut Context<'_>) -> Result {
    let mut client = context.login()?;
    client.put("file", b"content")?;
    client.expect("MKD folder", &[257])?;
    for name in ["file", "folder", "./folder/../file"] {
        context.login()?.expect(format!("RNFR {name}"), &[350])?;
    }
    for wrong in ["missing", "missing/file", "file/file"] {
        // It may also be found out by RNTO, as RFC 959 has RNFR do nothing by itself.
        if client.prefer(format!("RNFR {wrong}"), &[550], &[350])?.code == 350 {
            client.expect("RNTO other", &[450, 550, 553])?;
        }
    }
    // That the root cannot be renamed may also be found out by RNTO.
    for root in ["/", "/..", "//"] {
        context.login()?.prefer(format!("RNFR {root}"), &[550], &[350])?;
    }
    wants_argument(context, &mut client, "RNFR")?;
    // One that failed leaves nothing to rename.
    if context.is_strict() {
        client.expect("RNFR file", &[350])?;
        client.expect("RNFR missing", &[550])?;
        client.expect("RNTO other", &[503])?;
    }
    for account in NOT_ALLOWED {
        denied(context, account, &format!("RNFR {}", context.path("file")), &[550])?;
    }
    holds(&mut client, "file", b"content")
}

fn rnto(context: &mut Context<'_>) -> Result {
    let mut client = context.login()?;
    client.put("file", b"content")?;
    client.expect("MKD folder", &[257])?;
    client.put("folder/inside", b"inside")?;
    client.expect("RNTO other", &[503])?;
    let mut rename = |from: &str, to: &str, codes: &[u16]| {
        client.expect(format!("RNFR {from}"), &[350])?;
        client.expect(format!("RNTO {to}"), codes)
    };
    rename("file", "new name", &[250])?;
    rename("folder", "drawer", &[250])?;
    rename("new name", "drawer/moved", &[250])?;
    for (from, wrong) in [
        ("drawer/moved", "missing/file"),
        ("drawer/moved", "drawer"),
        ("drawer/moved", "/"),
        ("drawer", "drawer/moved"),
        ("drawer", "drawer/itself"),
    ] {
        rename(from, wrong, &[550, 553])?;
    }
    is_missing(&mut client, "file")?;
    is_missing(&mut client, "new name")?;
    is_missing(&mut client, "folder")?;
    holds(&mut client, "drawer/moved", b"content")?;
    holds(&mut client, "drawer/inside", b"inside")?;

    // RNFR has to be the command just before, and serves once.
    // RFC 959 has it "immediately" there; but it says so to clients, and other servers remember it.
    if context.is_strict() {
        client.expect("RNFR drawer/moved", &[350])?;
        client.is_alive()?;
        client.expect("RNTO other", &[503])?;
    }
    let mut spare = context.login()?;
    spare.expect("RNFR drawer/moved", &[350])?;
    let reply = spare.command("RNTO")?;
    ensure!(reply.code >= 400, "RNTO without an argument: {}", reply.whole());
    client.expect("RNFR drawer/moved", &[350])?;
    client.expect("RNTO missing/file", &[550, 553])?;
    // Some keep the name until there is a RNTO that works.
    if client.prefer("RNTO other", &[503], &[250])?.code == 250 {
        client.expect("RNFR other", &[350])?;
        client.expect("RNTO drawer/moved", &[250])?;
    }
    client.expect("RNFR drawer/moved", &[350])?;
    client.expect("RNTO other", &[250])?;
    client.expect("RNTO another", &[503])?;
    holds(&mut client, "other", b"content")
}

fn dele(context: &mut Context<'_>) -> Result {
    let mut client = context.login()?;
    client.put("file", b"content")?;
    client.put("kept", b"content")?;
    client.expect("MKD folder", &[257])?;
    client.expect("DELE file", &[250])?;
    is_missing(&mut client, "file")?;
    for wrong in ["file", "missing", "missing/file", "kept/file", "/"] {
        client.expect(format!("DELE {wrong}"), &[550])?;
    }
    // To the BSD servers an empty directory is a file too, and RFC 959 does not say that it is not.
    let is_gone = client.prefer("DELE folder", &[550], &[250])?.code == 250;
    wants_argument(context, &mut client, "DELE")?;
    for account in NOT_ALLOWED {
        denied(context, account, &format!("DELE {}", context.path("kept")), &[550])?;
    }
    holds(&mut client, "kept", b"content")?;
    client.expect("CWD folder", if is_gone { &[550] } else { &[250] }).map(drop)
}

fn rmd(context: &mut Context<'_>) -> Result {
    let mut client = context.login()?;
    client.put("file", b"content")?;
    for folder in ["empty", "kept", "full"] {
        client.expect(format!("MKD {folder}"), &[257])?;
    }
    client.put("full/inside", b"inside")?;
    client.expect("RMD empty", &[250])?;
    is_missing(&mut client, "empty")?;
    for wrong in ["empty", "missing", "missing/folder", "file", "full", "/", "/.."] {
        client.expect(format!("RMD {wrong}"), &[550])?;
    }
    wants_argument(context, &mut client, "RMD")?;
    for account in NOT_ALLOWED {
        denied(context, account, &format!("RMD {}", context.path("kept")), &[550])?;
    }
    holds(&mut client, "file", b"content")?;
    holds(&mut client, "full/inside", b"inside")?;
    client.expect("CWD kept", &[250]).map(drop)
}

fn mkd(context: &mut Context<'_>) -> Result {
    let mut client = context.login()?;
    client.put("file", b"content")?;
    let mut make = |given: &str, expected: &str| {
        let made = client.expect(format!("MKD {given}"), &[257])?.quoted()?;
        // Appendix II shows the whole path, for which that in the working directory can stand.
        let is_whole = made == expected.as_bytes();
        let fits = is_whole || made == given.as_bytes();
        ensure!(fits, "257 names {}, not {expected}", made.escape_ascii());
        advise!(client, is_whole, "257 names {}, not {expected}", made.escape_ascii());
        Ok(())
    };
    for name in ["folder", "folder/deeper", "a\"quoted\"name", "\"", "with space"] {
        make(name, &context.path(name))?;
    }
    make(&context.path("absolute"), &context.path("absolute"))?;

    client.put("folder/inside", b"inside")?;
    let long = "n".repeat(300);
    for existing in ["folder", "file", "/", "folder/../folder/"] {
        client.expect(format!("MKD {existing}"), &[550])?;
    }
    for wrong in ["missing/folder", "file/folder", long.as_str()] {
        client.expect(format!("MKD {wrong}"), &[550, 553])?;
    }
    wants_argument(context, &mut client, "MKD")?;
    for account in NOT_ALLOWED {
        denied(context, account, &format!("MKD {}", context.path("new")), &[550, 553])?;
    }
    is_missing(&mut client, "new")?;
    holds(&mut client, "folder/inside", b"inside")?;
    holds(&mut client, "file", b"content")
}

fn pwd(context: &mut Context<'_>) -> Result {
    let mut client = context.login()?;
    is_in(&mut client, context.folder())?;
    for name in ["a\"quoted\"name", "with  spaces", "\"\""] {
        client.expect(format!("MKD {}", context.path(name)), &[257])?;
        client.expect(format!("CWD {}", context.path(name)), &[250])?;
        is_in(&mut client, &context.path(name))?;
    }
    client.expect("CWD /", &[250])?;
    is_in(&mut client, "/")
}
