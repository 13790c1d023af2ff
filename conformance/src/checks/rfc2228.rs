//! RFC 2228: the commands of the security extensions, one by one, as RFC 4217 uses them.

use super::{Result, ensure};
use crate::check::{Check, Context};
use crate::client::Client;
use crate::target::Profile;
use crate::tls::Tls;

pub(super) const CHECKS: &[Check] = &[
    Check { id: "rfc2228.auth", run: auth },
    Check { id: "rfc2228.adat", run: adat },
    Check { id: "rfc2228.pbsz", run: pbsz },
    Check { id: "rfc2228.prot", run: prot },
    Check { id: "rfc2228.ccc", run: ccc },
    Check { id: "rfc2228.mic", run: mic },
    Check { id: "rfc2228.conf", run: conf },
    Check { id: "rfc2228.enc", run: enc },
];

fn auth(context: &mut Context<'_>) -> Result {
    if context.has_tls(Profile::Standard) {
        let mut client = context.connect(Profile::Standard)?;
        for (argument, code) in [("", 501), (" NO-SUCH", 504), (" GSSAPI", 504), (" T", 504)] {
            client.expect(format!("AUTH{argument}"), &[code])?;
        }
        client.auth(&Tls::new())?;
        client.expect("NOOP", &[200])?;
        client.expect("AUTH TLS", &[503])?;
        client.expect("AUTH NO-SUCH", &[503, 504])?;
        client.expect("NOOP", &[200])?;

        // The other names of the mechanism; the last stands for TLS and PROT P at once.
        for name in ["tls", "TLS-C", "SSL", "TLS-P"] {
            let mut client = context.connect(Profile::Standard)?;
            let codes: &[u16] = if name == "TLS-P" { &[234, 504] } else { &[234] };
            if client.expect(format!("AUTH {name}"), codes)?.code == 234 {
                client.start_tls(&Tls::new())?;
            }
            client.expect("NOOP", &[200])?;
        }
    }
    if context.has(Profile::Clear) {
        let mut client = context.connect(Profile::Clear)?;
        client.expect("AUTH TLS", &[431])?;
        client.expect("AUTH NO-SUCH", &[431, 504])?;
        context.enter(&mut client)?;
        client.expect("AUTH TLS", &[431])?;
        client.expect("PBSZ 0", &[503])?;
        client.expect("PROT P", &[503])?;
        super::quietly(&mut client, |client| client.put("file", b"content"))?;
        super::holds(&mut client, "file", b"content")?;
    }
    Ok(())
}

/// Has a client look at a command before and after its login, in clear and within TLS.
fn everywhere(context: &mut Context<'_>, check: impl Fn(&mut Client) -> Result<()>) -> Result {
    let mut client = context.connect(Profile::Standard)?;
    check(&mut client)?;
    check(&mut context.login()?)?;
    if context.has_tls(Profile::Standard) {
        let tls = Tls::new();
        check(&mut context.connect_protected(Profile::Standard, &tls)?)?;
        let mut client = context.login_protected(Profile::Standard, &tls)?;
        check(&mut client)?;
        ensure!(client.is_protected(), "TLS is over");
        client.put("file", b"content")?;
        super::holds(&mut client, "file", b"content")?;
    }
    Ok(())
}

fn adat(context: &mut Context<'_>) -> Result {
    everywhere(context, |client| {
        client.expect("ADAT Tk9PUA==", &[503])?;
        client.expect("ADAT", &[501, 503])?;
        client.expect("NOOP", &[200]).map(drop)
    })
}

fn pbsz(context: &mut Context<'_>) -> Result {
    context.connect(Profile::Standard)?.expect("PBSZ 0", &[503])?;
    let mut client = context.login()?;
    client.expect("PBSZ 0", &[503])?;
    client.expect("PBSZ", &[501, 503])?;
    if !context.has_tls(Profile::Standard) {
        return Ok(());
    }
    let mut client = context.connect_protected(Profile::Standard, &Tls::new())?;
    for wrong in ["", " x", " -1", " 0x10", " 1 2"] {
        client.expect(format!("PBSZ{wrong}"), &[501])?;
    }
    for size in ["0", "1024", "00", "4294967295"] {
        let reply = client.expect(format!("PBSZ {size}"), &[200])?;
        // TLS has no such size; who asks for one is told.
        let told = size.trim_matches('0').is_empty() || reply.text().contains("PBSZ=0");
        ensure!(told, "not PBSZ=0: {}", reply.whole());
    }
    context.enter(&mut client)?;
    client.expect("PBSZ 0", &[200]).map(drop)
}

fn prot(context: &mut Context<'_>) -> Result {
    context.connect(Profile::Standard)?.expect("PROT P", &[503])?;
    let mut client = context.login()?;
    for level in ["P", "C"] {
        client.expect(format!("PROT {level}"), &[503])?;
    }
    if context.has_tls(Profile::Standard) {
        let mut client = context.connect_protected(Profile::Standard, &Tls::new())?;
        for level in ["P", "C"] {
            client.expect(format!("PROT {level}"), &[503])?;
        }
        client.expect("PBSZ 0", &[200])?;
        levels(&mut client, &[200])?;
        context.enter(&mut client)?;
        levels(&mut client, &[200])?;
    }
    if context.has_tls(Profile::Strict) {
        let mut client = context.connect_protected(Profile::Strict, &Tls::new())?;
        client.expect("PROT P", &[503])?;
        client.expect("PBSZ 0", &[200])?;
        levels(&mut client, &[534])?;
    }
    Ok(())
}

fn levels(client: &mut Client, clear: &[u16]) -> Result {
    let levels = [("P", &[200][..]), ("p", &[200]), ("C", clear), ("c", clear), ("P", &[200])];
    for (level, codes) in levels {
        client.expect(format!("PROT {level}"), codes)?;
    }
    for (argument, code) in
        [(" S", 536), (" E", 536), (" s", 536), (" X", 504), (" PP", 504), ("", 501)]
    {
        client.expect(format!("PROT{argument}"), &[code])?;
    }
    Ok(())
}

fn ccc(context: &mut Context<'_>) -> Result {
    everywhere(context, |client| {
        client.expect("CCC", if client.is_protected() { &[533] } else { &[503, 533] })?;
        client.expect("NOOP", &[200]).map(drop)
    })?;
    if context.has_tls(Profile::Strict) {
        let mut client = context.login_protected(Profile::Strict, &Tls::new())?;
        client.expect("CCC", &[533, 534])?;
        client.expect("NOOP", &[200])?;
    }
    if context.has_tls(Profile::Ccc) {
        context.login_to(Profile::Ccc)?.expect("CCC", &[503, 533])?;
        let mut client = context.login_protected(Profile::Ccc, &Tls::new())?;
        client.ccc()?;
        client.expect("NOOP", &[200])?;
        client.expect("CCC", &[503, 533])?;
    }
    Ok(())
}

fn mic(context: &mut Context<'_>) -> Result {
    everywhere(context, |client| outside(client, "MIC"))
}

fn conf(context: &mut Context<'_>) -> Result {
    everywhere(context, |client| outside(client, "CONF"))
}

fn enc(context: &mut Context<'_>) -> Result {
    everywhere(context, |client| outside(client, "ENC"))
}

/// Sends a protected command, of which there are none with TLS: `NOOP` and CRLF, in base 64.
fn outside(client: &mut Client, command: &str) -> Result {
    client.expect(format!("{command} Tk9PUA0K"), &[503, 533])?;
    client.expect(format!("{command} ***"), &[501, 503, 533])?;
    client.expect(command, &[501, 503, 533])?;
    client.expect("NOOP", &[200]).map(drop)
}
