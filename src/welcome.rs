//! The text that is shown when the server has started.

use std::net::SocketAddr;

use wharf::TlsRequired;

use crate::login::Login;
use crate::options::Options;

/// Says what is served to whom, and how to reach it. `self_signed` is the fingerprint of a certificate
/// that was made at this start.
pub(crate) fn text(
    options: &Options,
    login: &Login,
    (addresses, implicit): (&[SocketAddr], &[SocketAddr]),
    self_signed: Option<&str>,
) -> String {
    let mut text = served(options, login);
    if let Login::User { password, generated: true, .. } = login {
        text += &format!("\n  Password: {password}   (shown only now)\n");
    }
    if let Some(fingerprint) = self_signed {
        text += &format!("\n  Certificate, made up just now, SHA-256:\n    {fingerprint}\n");
    }
    text += "\nConnect with an FTP client, or try:\n";
    let has_tls = self_signed.is_some() || options.tls.tls_cert.is_some();
    // curl knows no authority that has signed it.
    let insecure = if self_signed.is_some() { " --insecure" } else { "" };
    let user = match login {
        Login::Anonymous => String::new(),
        Login::User { name, .. } => format!(" --user {name}"),
        Login::Accounts(_) => " --user <name>".into(),
    };
    let required = if has_tls { format!(" --ssl-reqd{insecure}") } else { String::new() };
    for address in addresses {
        text += &format!("  curl{user}{required} ftp://{}/\n", place(address));
    }
    for address in implicit {
        text += &format!("  curl{user}{insecure} ftps://{}/\n", place(address));
    }
    text += "\n";
    if addresses.iter().chain(implicit).all(|address| address.ip().is_loopback()) {
        text += "Only this computer can reach it; --listen 0.0.0.0:2121 lets others do so too.\n";
    } else if !has_tls {
        text += "There is no encryption: use it in networks that you trust, or see --tls-cert.\n";
    } else if options.tls.tls_required != TlsRequired::All {
        text += "Clients may use TLS or not; --tls-required all leaves them no choice.\n";
    }
    text + "Press Ctrl-C to stop.\n"
}

fn served(options: &Options, login: &Login) -> String {
    let folder = options.directory.canonicalize().unwrap_or_else(|_| options.directory.clone());
    let (may, whom) = match (login, options.write) {
        (Login::Anonymous, false) => (" read-only", "anybody".to_string()),
        (Login::Anonymous, true) => (" for reading and WRITING", "ANYBODY".to_string()),
        (Login::User { name, .. }, false) => (" read-only", format!("the user {name}")),
        (Login::User { name, .. }, true) => {
            (" for reading and writing", format!("the user {name}"))
        }
        (Login::Accounts(accounts), _) => {
            ("", format!("the accounts of {} ({})", accounts.path().display(), accounts.summary()))
        }
    };
    format!("Serving {}{may} to {whom}.\n", folder.display())
}

fn place(address: &SocketAddr) -> String {
    match address.ip() {
        ip if ip.is_unspecified() => format!("<address of this computer>:{}", address.port()),
        _ => address.to_string(),
    }
}
