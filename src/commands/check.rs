//! `wharf check`: checks the options and the accounts file, and starts nothing.

use std::process::ExitCode;

use crate::login::{self, Login};
use crate::options::Options;
use crate::tls::Ready;
use crate::{fail, logger, print, raise_file_limit, warnings};

/// Exit code for a server that could not be started.
const WRONG: u8 = 1;

/// What was found, line by line.
#[derive(Default)]
struct Findings {
    /// What is right.
    good: Vec<String>,
    /// What has to be changed.
    mistakes: Vec<String>,
}

/// Checks the folder, who may log in, and the certificates. Reports all
/// mistakes, not only the first. Addresses may be in use: the server may be running.
pub(crate) fn check(options: &Options) -> ExitCode {
    logger::start(options);
    raise_file_limit();
    let mut findings = Findings::default();
    let login = check_logins(options, &mut findings);
    check_tls(options, login.as_ref(), &mut findings);
    if let (Some(login), Ok(directory)) = (&login, login::open(options)) {
        warnings::exposed_files(options, &directory, login);
    }
    findings.mistakes.extend(options.networks.check_names());
    check_user(options, login.as_ref(), &mut findings);
    for line in &findings.good {
        print(&format!("{line}\n"));
    }
    for mistake in &findings.mistakes {
        fail(WRONG, mistake);
    }
    if findings.mistakes.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(WRONG) }
}

fn check_logins(options: &Options, findings: &mut Findings) -> Option<Login> {
    let folder = options.directory.display();
    match login::open(options) {
        Ok(_) => findings.good.push(format!("{folder}: a folder that can be served")),
        Err(mistake) => {
            // What lies beneath it cannot be looked at either.
            findings.mistakes.push(mistake);
            return None;
        }
    }
    let may = if options.write { "may write" } else { "read-only" };
    let login = match Login::choose(options) {
        Ok(login) => login,
        Err(mistakes) => {
            findings.mistakes.extend(mistakes);
            return None;
        }
    };
    findings.good.push(match &login {
        Login::Anonymous => format!("anybody, {may}"),
        Login::User { name, .. } => format!("user {name:?}, {may}"),
        Login::Accounts(accounts) => {
            format!("{}: {}", accounts.path().display(), accounts.summary())
        }
    });
    Some(login)
}

/// Checks the user to serve as. Run as root, becomes that user to find out what it may not do; so
/// this comes last.
fn check_user(options: &Options, login: Option<&Login>, findings: &mut Findings) {
    let Some(run_as) = &options.run_as else { return };
    match (run_as.find(), login) {
        (Ok(identity), Some(login)) if identity.assume().is_ok() => {
            warnings::missing_rights(options, login, &format!("user {run_as}"));
        }
        (Ok(_), _) => {}
        (Err(mistake), _) => findings.mistakes.push(mistake),
    }
}

/// Checks the certificates that the options and the accounts file name, and that there are those
/// that accounts need.
fn check_tls(options: &Options, login: Option<&Login>, findings: &mut Findings) {
    let hosts = login.map(Login::hosts).unwrap_or_default();
    let tls = options.tls.load(&options.listen, &hosts);
    if let (Ok(tls), Some(login)) = (&tls, login) {
        let has_client_ca = options.tls.tls_client_ca.is_some();
        findings.mistakes.extend(login.unmet_needs(tls.is_some(), has_client_ca));
    }
    match tls {
        Ok(Some(Ready { self_signed: true, .. })) => {
            findings.good.push("TLS, with a certificate that is made up at every start".into());
        }
        Ok(Some(Ready { fingerprint, .. })) => {
            findings.good.push(format!("TLS, certificate SHA-256 {fingerprint}"));
        }
        Ok(None) => findings.good.push("no TLS: passwords and files travel in clear".into()),
        Err(mistake) => findings.mistakes.push(mistake),
    }
}
