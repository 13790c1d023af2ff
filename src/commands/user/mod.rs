//! `wharf user`: changes an accounts file, or shows what is in it.

mod file;
mod list;

use std::path::Path;
use std::process::ExitCode;

use wharf::{AccountsText, Directory, NewUser, hash_password};

use self::file::Held;
use super::passwd::read_password;
use crate::options::{AddUser, ListUsers, UserCommand, WhichUser};
use crate::{fail, print};

/// Exit code for what could not be done.
const WRONG: u8 = 1;

/// How a running server takes the file up.
const RELOAD: &str = "A server that is running reads it on SIGHUP: systemctl reload wharf, or \
                      kill -HUP and its process ID.\n";

/// What a new file begins with.
const HEADING: &str = "\
# Who may log in, and what they see and may do there; `wharf user` adds and removes users, and leaves
# all else as it is. `wharf check DIR --accounts FILE` says what is wrong. Passwords are Argon2id hashes.
";

/// Does it; each mistake is one line.
pub(crate) fn user(command: &UserCommand) -> ExitCode {
    let done = match command {
        UserCommand::Add(options) => add(options),
        UserCommand::Remove(which) => remove(which),
        UserCommand::List(options) => list(options),
        UserCommand::Password(which) => set_password(which),
    };
    match done {
        Ok(told) => {
            print(&told);
            ExitCode::SUCCESS
        }
        Err(mistakes) => {
            for mistake in &mistakes {
                fail(WRONG, mistake);
            }
            ExitCode::from(WRONG)
        }
    }
}

/// What is to be printed, or all that is wrong.
type Done = Result<String, Vec<String>>;

fn add(options: &AddUser) -> Done {
    let which = &options.user;
    let (path, host) = (&which.file.accounts, which.host.as_deref());
    // Before a password is typed in vain.
    look(path, |text| text.find_room(host, &which.name).map_err(mistakes))?;
    let mut user = NewUser::new(&which.name);
    user.host = which.host.clone();
    user.root = options.root.clone();
    user.permissions = options.permissions.clone();
    if options.write {
        user.permissions = Some("write".into());
    }
    user.folders = options.folder.clone();
    user.tls = options.tls.clone();
    user.tls_upload_end = options.tls_upload_end.clone();
    user.certificates = options.certificate.clone();
    user.allow_from = options.allow_from.clone();
    user.deny_from = options.deny_from.clone();
    user.sessions = options.sessions.map(u64::from);
    user.download_rate = options.download_rate;
    user.upload_rate = options.upload_rate;
    user.disabled = options.disabled;
    if !options.no_password {
        user.password = Some(new_hash()?);
    }
    let (made, ()) = change(which, true, |text| text.add(&user).map_err(mistakes))?;
    let mut told = String::new();
    if made {
        told = format!("{}: made, for its owner alone (mode 0600)\n", path.display());
    }
    told += &format!("{}: added {}\n", path.display(), label(which));
    if options.root.is_some() && which.served.is_none() {
        told += "Its folder has to be there, which was not looked at; with --served DIR it is.\n";
    }
    Ok(told + RELOAD)
}

fn remove(which: &WhichUser) -> Done {
    let host = which.host.as_deref();
    let (_, removed) =
        change(which, false, |text| text.remove(host, &which.name).map_err(mistakes))?;
    let (file, lines) = (which.file.accounts.display(), removed.lines().count());
    let comments = removed.lines().any(|line| line.trim_start().starts_with('#'));
    let comments = if comments { ", its comments among them" } else { "" };
    Ok(format!("{file}: removed {}: {lines} lines{comments}\n{RELOAD}", label(which)))
}

fn set_password(which: &WhichUser) -> Done {
    let (path, host) = (&which.file.accounts, which.host.as_deref());
    // Before a password is typed in vain.
    if !look(path, |text| text.find(host, &which.name).map_err(mistakes))? {
        return Err(missing(path));
    }
    let hash = new_hash()?;
    change(which, false, |text| text.set_password(host, &which.name, &hash).map_err(mistakes))?;
    Ok(format!("{}: {} has the new password\n{RELOAD}", path.display(), label(which)))
}

fn list(options: &ListUsers) -> Done {
    let path = &options.file.accounts;
    let mut users = Vec::new();
    let there = look(path, |text| {
        users = text.users().map_err(mistakes)?;
        Ok(())
    })?;
    match (there, options.json) {
        (false, _) => Err(missing(path)),
        (true, false) => Ok(list::columns(&users)),
        (true, true) => Ok(list::json(&users)),
    }
}

/// Looks at a file as it is now; returns `false` where there is none.
fn look(
    path: &Path,
    at: impl FnOnce(&AccountsText) -> Result<(), Vec<String>>,
) -> Result<bool, Vec<String>> {
    match Held::read(path).map_err(|mistake| vec![mistake])? {
        Some(text) => at(&AccountsText::new(path, text).map_err(mistakes)?).map(|()| true),
        None => Ok(false),
    }
}

/// Changes a file while no other `wharf user` does. The new text takes the place of the old one
/// where the server would take it. Returns whether the file was made, and what the change returns.
fn change<T>(
    which: &WhichUser,
    make: bool,
    mut change: impl FnMut(&mut AccountsText) -> Result<T, Vec<String>>,
) -> Result<(bool, T), Vec<String>> {
    let path = &which.file.accounts;
    let served = which.served.as_ref().map(Directory::open).transpose();
    let served = served.map_err(|error| vec![format!("--served: {error}")])?;
    loop {
        let held = Held::take(path).map_err(|mistake| vec![mistake])?;
        let old = match &held {
            Some(held) => held.text(),
            None if make => HEADING,
            None => return Err(missing(path)),
        };
        let old = AccountsText::new(path, old).map_err(mistakes)?;
        let mut new = old.clone();
        let changed = change(&mut new)?;
        check(&old, &new, served.as_ref())?;
        let written = match &held {
            Some(held) => held.replace(new.as_str()).map(|()| true),
            None => file::make(path, new.as_str()),
        };
        // Another one may have made it since.
        if written.map_err(|mistake| vec![mistake])? {
            return Ok((held.is_none(), changed));
        }
    }
}

/// Checks that the server would take the new text. What is wrong in the old one already is told by
/// its lines.
fn check(
    old: &AccountsText,
    new: &AccountsText,
    served: Option<&Directory>,
) -> Result<(), Vec<String>> {
    if new.check(served).is_ok() {
        return Ok(());
    }
    let renamed = new.clone().named(format!("{} (as it would be)", new.file().display()));
    // A file without accounts is one that is only begun.
    let begun = old.users().is_ok_and(|users| users.is_empty());
    let wrong_before = !begun && old.check(served).is_err();
    let shown = if wrong_before { old } else { &renamed };
    let mut told = shown.check(served).map_err(mistakes).err().unwrap_or_default();
    told.push(format!("{}: nothing was changed", new.file().display()));
    Err(told)
}

fn new_hash() -> Result<String, Vec<String>> {
    let hash = read_password().and_then(|password| hash_password(&password));
    hash.map_err(|error| vec![format!("password: {error}")])
}

fn label(which: &WhichUser) -> String {
    match &which.host {
        Some(host) => format!("user {:?} of the host {host:?}", which.name),
        None => format!("user {:?}", which.name),
    }
}

fn missing(path: &Path) -> Vec<String> {
    vec![format!("{}: there is no such file", path.display())]
}

fn mistakes(error: wharf::AccountsError) -> Vec<String> {
    error.mistakes().to_vec()
}
