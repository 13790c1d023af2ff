//! RFC 7151: HOST.

use super::{Result, ensure};
use crate::check::{Check, Context, Failure, Why, login};
use crate::client::Client;
use crate::target::{Credentials, Profile, VirtualHost};
use crate::tls::Tls;

pub(super) const CHECKS: &[Check] = &[Check { id: "rfc7151.host", run: host }];

fn host(context: &mut Context<'_>) -> Result {
    let Some(host) = context.settings(Profile::Standard).host else {
        let mut client = context.connect(Profile::Standard)?;
        let mut inside = context.login()?;
        inside.offered("HOST no-such-host.example", &[503, 504])?;
        client.expect("HOST no-such-host.example", &[504])?;
        client.expect("HOST", &[501])?;
        return Err(Failure::skip(Why::NeedsOption, "a virtual host (--host)"));
    };
    let name = &host.name;
    let mut client = context.connect(Profile::Standard)?;
    client.expect("HOST", &[501])?;
    client.expect("HOST no-such-host.example", &[504])?;
    let features = super::rfc2389::features(&mut client)?;
    ensure!(features.iter().any(|line| line == "HOST"), "FEAT does not list HOST: {features:?}");
    for name in [name.clone(), name.to_uppercase(), name.clone()] {
        client.expect(format!("HOST {name}"), &[220])?;
    }
    // One that is refused changes nothing.
    client.expect("HOST no-such-host.example", &[504])?;
    login(&mut client, &host.credentials)?;
    client.expect(format!("HOST {name}"), &[503])?;
    client.expect("HOST no-such-host.example", &[503, 504])?;
    client.expect("PWD", &[257])?;

    picks_accounts(context, &host)?;
    if context.has_tls(Profile::Standard) && context.begins_in_clear() {
        picks_certificate(context, &host)?;
    }
    Ok(())
}

/// Accounts and files are those of the host, until REIN.
fn picks_accounts(context: &mut Context<'_>, host: &VirtualHost) -> Result {
    // Makes the run's folder, on the default host.
    context.login()?.expect("PWD", &[257])?;
    let mut client = context.connect(Profile::Standard)?;
    unknown(&mut client, &host.credentials)?;
    client.expect(format!("HOST {}", host.name), &[220])?;
    login(&mut client, &host.credentials)?;
    client.expect(format!("CWD {}", context.folder()), &[550])?;
    client.reinitialise()?.expect(&[220])?;
    unknown(&mut client, &host.credentials)?;
    client.expect(format!("HOST {}", host.name), &[220])?;
    login(&mut client, &host.credentials)?;
    client.expect("PWD", &[257]).map(drop)
}

fn unknown(client: &mut Client, credentials: &Credentials) -> Result {
    client.expect(format!("USER {}", credentials.user), &[331])?;
    client.expect(format!("PASS {}", credentials.password), &[530]).map(drop)
}

/// The certificate is that of the host which HOST or the handshake names.
fn picks_certificate(context: &mut Context<'_>, host: &VirtualHost) -> Result {
    let versions = context.tls_versions();
    let mut shown = |host: Option<&str>, tls: &Tls| {
        let mut client = context.connect_in_clear(Profile::Standard)?;
        if let Some(name) = host {
            client.expect(format!("HOST {name}"), &[220])?;
        }
        client.auth(tls)?;
        client.is_alive()?;
        client.certificate().ok_or_else(|| Failure::new("the server showed no certificate"))
    };
    for version in versions {
        let tls = || Tls::only(version);
        let default = shown(None, &tls())?;
        let chosen = shown(Some(&host.name), &tls())?;
        ensure!(default != chosen, "after HOST {}: the default host's certificate", host.name);
        let named = shown(None, &tls().named(&host.name)?)?;
        ensure!(named == chosen, "with SNI {}: not that host's certificate", host.name);
        let both = shown(Some(&host.name), &tls().named(&host.name)?)?;
        ensure!(both == chosen, "with HOST and SNI {}: not that host's certificate", host.name);
    }

    // The login is that of the host within TLS too. HOST may come too late after AUTH; the one
    // before it stays.
    let tls = Tls::new();
    let mut client = context.connect_in_clear(Profile::Standard)?;
    client.expect(format!("HOST {}", host.name), &[220])?;
    client.auth(&tls)?;
    client.expect(format!("HOST {}", host.name), &[220, 503])?;
    login(&mut client, &host.credentials)?;
    client.protect()?;
    client.expect("HOST no-such-host.example", &[503, 504])?;
    client.download("NLST").and_then(super::rfc4217_data::protected).map(drop)
}
