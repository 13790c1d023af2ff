//! RFC 2228: the commands of the security extensions, one by one, as RFC 4217 uses them.

use super::{Result, advise};
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
        let mut client = context.connect_in_clear(Profile::Standard)?;
        for (argument, code) in [("", 501), (" NO-SUCH", 504), (" GSSAPI", 504), (" T", 504)] {
            client.expect(format!("AUTH{argument}"), &[code])?;
        }
        client.auth(&Tls::new())?;
        still_there(&mut client)?;
        // RFC 2228 leaves room for a second handshake.
        if client.prefer("AUTH TLS", &[503], &[234])?.code != 234 {
            client.expect("AUTH NO-SUCH", &[503, 504])?;
            still_there(&mut client)?;
        }

        // The other names of the mechanism; the last stands for TLS and PROT P at once.
        for name in ["tls", "TLS-C", "SSL", "TLS-P"] {
            let mut client = context.connect_in_clear(Profile::Standard)?;
            let best: &[u16] = if name == "TLS-P" { &[234, 504] } else { &[234] };
            let also: &[u16] = if name == "tls" { &[] } else { &[500, 501, 502, 504, 534] };
            if client.prefer(format!("AUTH {name}"), best, also)?.code == 234 {
                client.start_tls(&Tls::new())?;
            }
            still_there(&mut client)?;
        }
    }
    if context.has(Profile::Clear) {
        let mut client = context.connect(Profile::Clear)?;
        let reply = client.command("AUTH TLS")?;
        client.is_offered(&reply)?;
        client.judge(reply, &[431], &[])?;
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
    if context.in_clear().is_ok() {
        // A server may speak of the login before it says that it knows no such command.
        let mut client = context.connect(Profile::Standard)?;
        let mut inside = context.login()?;
        check(&mut client)?;
        check(&mut inside)?;
    }
    if context.has_tls(Profile::Standard) {
        let tls = Tls::new();
        check(&mut context.connect_protected(Profile::Standard, &tls)?)?;
        let mut client = context.login_protected(Profile::Standard, &tls)?;
        check(&mut client)?;
        if !client.is_protected() {
            return Ok(());
        }
        client.put("file", b"content")?;
        super::holds(&mut client, "file", b"content")?;
    }
    Ok(())
}

/// Fails unless the session goes on. Before the login a server need not know NOOP.
fn still_there(client: &mut Client) -> Result {
    client.prefer("NOOP", &[200], &[530]).map(drop)
}

fn adat(context: &mut Context<'_>) -> Result {
    everywhere(context, |client| {
        client.offered("ADAT Tk9PUA==", &[503])?;
        client.expect("ADAT", &[501, 503])?;
        still_there(client)
    })
}

/// Ends a check whose rest is about sessions within TLS, where there are none.
pub(super) fn needs_tls(context: &Context<'_>) -> Result {
    context.needs_tls()
}

fn pbsz(context: &mut Context<'_>) -> Result {
    let mut client = context.connect_in_clear(Profile::Standard)?;
    client.prefer("PBSZ 0", &[503], &[200])?;
    if context.in_clear().is_ok() {
        let mut client = context.login()?;
        client.prefer("PBSZ 0", &[503], &[200])?;
        client.prefer("PBSZ", &[501, 503], &[200])?;
    }
    needs_tls(context)?;
    let mut client = context.connect_protected(Profile::Standard, &Tls::new())?;
    for wrong in ["", " x", " -1", " 0x10", " 1 2"] {
        // With TLS the size means nothing, and some do not look at it.
        client.prefer(format!("PBSZ{wrong}"), &[501], &[200])?;
    }
    for size in ["0", "1024", "00", "4294967295"] {
        let reply = client.expect(format!("PBSZ {size}"), &[200])?;
        // TLS has no such size; who asks for one is told.
        let told = size.trim_matches('0').is_empty() || reply.text().contains("PBSZ=0");
        advise!(client, told, "not PBSZ=0: {}", reply.whole());
    }
    context.enter(&mut client)?;
    client.expect("PBSZ 0", &[200]).map(drop)
}

fn prot(context: &mut Context<'_>) -> Result {
    context.connect_in_clear(Profile::Standard)?.expect("PROT P", &[503])?;
    if context.in_clear().is_ok() {
        let mut client = context.login()?;
        for level in ["P", "C"] {
            client.expect(format!("PROT {level}"), &[503])?;
        }
    }
    needs_tls(context)?;
    let mut client = context.connect_protected(Profile::Standard, &Tls::new())?;
    for level in ["P", "C"] {
        // RFC 2228 wants PBSZ first; that it must be 0 anyway makes some forget it.
        client.prefer(format!("PROT {level}"), &[503], &[200])?;
    }
    client.prefer("PBSZ 0", &[200], &[530])?;
    if context.is_strict() {
        levels(&mut client, &[200], &[])?;
    }
    context.enter(&mut client)?;
    client.expect("PBSZ 0", &[200])?;
    levels(&mut client, &[200], &[534])?;
    if context.has_tls(Profile::Strict) {
        let mut client = context.connect_protected(Profile::Strict, &Tls::new())?;
        client.expect("PROT P", &[503])?;
        client.expect("PBSZ 0", &[200])?;
        levels(&mut client, &[534], &[])?;
    }
    Ok(())
}

fn levels(client: &mut Client, clear: &[u16], also: &[u16]) -> Result {
    let levels = [("P", &[200][..]), ("p", &[200]), ("C", clear), ("c", clear), ("P", &[200])];
    for (level, codes) in levels {
        let also = match level {
            "P" => &[],
            "C" => also,
            // RFC 959 section 5.3 has it that case does not matter.
            _ => &[504, 534, 536],
        };
        client.prefer(format!("PROT {level}"), codes, also)?;
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
        let is_protected = client.is_protected();
        let reply = client.command("CCC")?;
        client.is_offered(&reply)?;
        let codes: &[u16] = if is_protected { &[533] } else { &[503, 533] };
        // It may be allowed.
        let also: &[u16] = if is_protected { &[200] } else { &[] };
        if client.judge(reply, codes, also)?.code == 200 {
            client.end_tls()?;
        }
        still_there(client)
    })?;
    if context.has_tls(Profile::Strict) {
        let mut client = context.login_protected(Profile::Strict, &Tls::new())?;
        client.expect("CCC", &[533, 534])?;
        still_there(&mut client)?;
    }
    if context.has_tls(Profile::Ccc) {
        context.login_to(Profile::Ccc)?.expect("CCC", &[503, 533])?;
        let mut client = context.login_protected(Profile::Ccc, &Tls::new())?;
        client.ccc()?;
        still_there(&mut client)?;
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
    client.offered(format!("{command} Tk9PUA0K"), &[503, 533])?;
    client.expect(format!("{command} ***"), &[501, 503, 533])?;
    client.expect(command, &[501, 503, 533])?;
    still_there(client)
}
