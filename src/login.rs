//! Who may log in, as the command line has it.

use std::fs;

use wharf::{AccountsFile, Directory, FileHost};

use crate::options::Options;

/// Opens the folder to serve; the error names it.
pub(crate) fn open(options: &Options) -> Result<Directory, String> {
    let folder = &options.directory;
    Directory::open(folder)
        .map(|directory| directory.durability(options.durability))
        .map_err(|error| error.to_string())
}

/// Which users may log in.
pub(crate) enum Login {
    /// Any user, without a password.
    Anonymous,
    /// One user; the password was given or generated.
    User { name: String, password: String, generated: bool },
    /// Those of an accounts file.
    Accounts(AccountsFile),
}

impl Login {
    /// Finds out what the options ask for. The errors are one line each.
    pub(crate) fn choose(options: &Options) -> Result<Self, Vec<String>> {
        let unused = std::env::var_os("WHARF_PASSWORD").is_some();
        if let Some(file) = &options.accounts {
            if unused {
                log::warn!("WHARF_PASSWORD is not used: --accounts says who may log in");
            }
            let accounts = AccountsFile::load_beneath(file, open(options).map_err(|e| vec![e])?);
            let accounts = accounts.map_err(|error| error.mistakes().to_vec())?;
            return Ok(Self::Accounts(accounts.remember(options.remember_logins)));
        }
        if let Some(name) = &options.user {
            return Self::user(name.clone(), options).map_err(|mistake| vec![mistake]);
        }
        if unused {
            log::warn!("WHARF_PASSWORD is not used: without --user, anybody may log in");
        }
        Ok(Self::Anonymous)
    }

    /// Returns the virtual hosts of the accounts file.
    pub(crate) fn hosts(&self) -> Vec<FileHost> {
        match self {
            Self::Accounts(accounts) => accounts.hosts(),
            _ => Vec::new(),
        }
    }

    /// Returns what the accounts file needs that is not there: TLS, or client certificates.
    pub(crate) fn unmet_needs(&self, has_tls: bool, has_client_ca: bool) -> Option<String> {
        let Self::Accounts(accounts) = self else { return None };
        let file = accounts.path().display();
        let tls = accounts.needs_tls().filter(|_| !has_tls);
        let tls = tls.map(|who| {
            format!("{file}: {who}: needs TLS: --tls-cert and --tls-key, or --tls-self-signed")
        });
        let certificates = accounts.needs_client_certificates().filter(|_| !has_client_ca);
        tls.or(certificates.map(|who| format!("{file}: {who}: certificate: needs --tls-client-ca")))
    }

    /// Reads the accounts file again, if there is one. What is wrong is logged, and changes nothing.
    pub(crate) fn reload(&self) {
        let Self::Accounts(accounts) = self else {
            log::info!("nothing to read again: there is no accounts file");
            return;
        };
        match accounts.reload() {
            Ok(users) => log::info!("accounts reloaded: {users} users"),
            Err(error) => {
                for mistake in error.mistakes() {
                    log::error!("{mistake}");
                }
                log::error!("accounts not reloaded: those from before stay in use");
            }
        }
    }

    fn user(name: String, options: &Options) -> Result<Self, String> {
        if name.is_empty() {
            return Err("--user: a name is wanted".into());
        }
        let given = match &options.password_file {
            Some(file) => {
                let text = fs::read_to_string(file).map_err(|error| {
                    format!("--password-file: cannot read {}: {error}", file.display())
                })?;
                let first = text.lines().next().unwrap_or_default().to_string();
                if first.is_empty() {
                    let file = file.display();
                    return Err(format!("--password-file: the first line of {file} is empty"));
                }
                Some(first)
            }
            None => match std::env::var("WHARF_PASSWORD") {
                Ok(empty) if empty.is_empty() => {
                    return Err("WHARF_PASSWORD is empty: set it to a password, or unset it".into());
                }
                Ok(password) => Some(password),
                Err(std::env::VarError::NotPresent) => None,
                Err(error) => return Err(format!("WHARF_PASSWORD: {error}")),
            },
        };
        let generated = given.is_none();
        let password = given.map_or_else(generate_password, Ok)?;
        Ok(Self::User { name, password, generated })
    }
}

/// Generates a password of 80 random bits, in letters that do not look alike.
fn generate_password() -> Result<String, String> {
    const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
    let mut random = [0; 16];
    getrandom::fill(&mut random).map_err(|error| format!("no randomness: {error}"))?;
    Ok(random.map(|byte| char::from(LETTERS[usize::from(byte % 32)])).iter().collect())
}
