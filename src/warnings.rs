//! Warnings of what works and is dangerous: at the start, by `wharf check`, and about files also
//! when the accounts are read again.

use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};
use wharf::{Content, Directory, exposures};

use crate::login::Login;
use crate::options::Options;

/// Warns of a program that runs as root without need.
pub(crate) fn running_as_root(options: &Options) {
    if !rustix::process::geteuid().is_root() || options.run_as.is_some() {
        return;
    }
    let harm = if options.write || options.accounts.is_some() {
        "what clients may do to files is done as root, and what they store belongs to root"
    } else {
        "a fault in this program would be one of the whole computer"
    };
    log::warn!("running as root: {harm}; see --run-as, and docs/running.md");
}

/// Warns of secrets that other users of the computer can read, or clients by FTP. Certificates and
/// accounts files are checked where they are read.
pub(crate) fn exposed_files(options: &Options, directory: &Directory, login: &Login) {
    if let Some(file) = &options.password_file {
        exposures(file, Content::Secret).iter().for_each(|exposure| log::warn!("{exposure}"));
    }
    for file in secrets(options, login) {
        let served = match login {
            Login::Accounts(accounts) => accounts.serves(&file).map(|whom| format!(" to {whom}")),
            _ => directory.holds(&file).then(String::new),
        };
        if let Some(whom) = served {
            let file = file.display();
            log::warn!("{file}: lies in a folder that is served{whom}: clients can fetch it");
        }
    }
}

/// Warns of what the program could do as root, and cannot do as this user.
pub(crate) fn missing_rights(options: &Options, login: &Login, user: &str) {
    let lacks = |path: &Path, wanted| access(path, wanted).is_err();
    let mut read_again = secrets(options, login);
    read_again.extend(options.tls.tls_cert.clone());
    read_again.extend(options.tls.tls_client_ca.clone());
    read_again.extend(certificates(login).map(|(cert, _)| cert));
    read_again.retain(|file| Some(file) != options.password_file.as_ref());
    read_again.sort();
    read_again.dedup();
    for file in read_again.iter().filter(|file| lacks(file, Access::READ_OK)) {
        let file = file.display();
        log::warn!("{file}: {user} cannot read it: a change will need a restart");
    }
    let folder = &options.directory;
    let wanted = if matches!(login, Login::Accounts(_)) {
        Access::EXEC_OK
    } else if options.write {
        Access::READ_OK | Access::WRITE_OK | Access::EXEC_OK
    } else {
        Access::READ_OK | Access::EXEC_OK
    };
    if lacks(folder, wanted) {
        let may = if options.write { "read and change" } else { "read" };
        log::warn!("{}: {user} cannot {may} this folder", folder.display());
    }
    let lowest = options.passive_ports.map_or(u16::MAX, |ports| ports.first());
    let free_from = std::fs::read_to_string("/proc/sys/net/ipv4/ip_unprivileged_port_start");
    let free_from = free_from.ok().and_then(|text| text.trim().parse().ok()).unwrap_or(1024);
    if lowest < free_from {
        log::warn!("--passive-ports: {user} cannot open ports below {free_from}");
    }
}

/// Returns the files that hold secrets.
fn secrets(options: &Options, login: &Login) -> Vec<PathBuf> {
    let named = [&options.accounts, &options.password_file, &options.tls.tls_key];
    let named = named.into_iter().flatten().cloned();
    named.chain(certificates(login).map(|(_, key)| key)).collect()
}

/// Returns the certificates and keys of virtual hosts.
fn certificates(login: &Login) -> impl Iterator<Item = (PathBuf, PathBuf)> {
    login.hosts().into_iter().filter_map(|host| host.certificate)
}
