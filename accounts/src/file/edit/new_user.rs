//! A user that is to be added, and how it is written.

use std::fmt::Write;

/// A user that is to be added to an accounts file. What is not set is not written, so that the
/// default holds; what it may be says `docs/accounts.md`, and [`check`](super::AccountsText::check).
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct NewUser {
    /// The virtual host.
    pub host: Option<String>,
    /// The login name.
    pub name: String,
    /// The password's hash, by [`hash_password`](crate::hash_password).
    pub password: Option<String>,
    /// Fingerprints of client certificates.
    pub certificates: Vec<String>,
    /// The folder that it sees.
    pub root: Option<String>,
    /// What it may do.
    pub permissions: Option<String>,
    /// What it has to protect.
    pub tls: Option<String>,
    /// How its uploads within TLS may end.
    pub tls_upload_end: Option<String>,
    /// Networks that its clients have to be in.
    pub allow_from: Vec<String>,
    /// Networks that its clients must not be in.
    pub deny_from: Vec<String>,
    /// Whether it cannot log in for now.
    pub disabled: bool,
    /// Folders, and the permissions there.
    pub folders: Vec<(String, String)>,
    /// Sessions at once.
    pub sessions: Option<u64>,
    /// Bytes per second of each download.
    pub download_rate: Option<u64>,
    /// Bytes per second of each upload.
    pub upload_rate: Option<u64>,
}

impl NewUser {
    /// Makes a user of this name, of whom all else is the default.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), ..Self::default() }
    }

    /// Writes it as tables of an accounts file.
    pub(super) fn to_toml(&self, of_host: bool) -> String {
        let table = if of_host { "host.user" } else { "user" };
        let mut text = format!("[[{table}]]\nname = {}\n", quoted(&self.name));
        let fields = [
            ("password", self.password.as_deref().map(quoted)),
            ("certificate", one_or_more(&self.certificates)),
            ("root", self.root.as_deref().map(quoted)),
            ("permissions", self.permissions.as_deref().map(quoted)),
            ("tls", self.tls.as_deref().map(quoted)),
            ("tls_upload_end", self.tls_upload_end.as_deref().map(quoted)),
            ("allow_from", one_or_more(&self.allow_from)),
            ("deny_from", one_or_more(&self.deny_from)),
            ("enabled", self.disabled.then(|| "false".to_string())),
        ];
        let number = |number: Option<u64>| number.map(|number| number.to_string());
        let limits = [
            ("sessions", number(self.sessions)),
            ("download_rate", number(self.download_rate)),
            ("upload_rate", number(self.upload_rate)),
        ];
        let folders = self.folders.iter().map(|(path, may)| (quoted(path), Some(quoted(may))));
        write_fields(&mut text, fields);
        if !self.folders.is_empty() {
            text += &format!("\n[{table}.folders]\n");
            write_fields(&mut text, folders);
        }
        if limits.iter().any(|(_, limit)| limit.is_some()) {
            text += &format!("\n[{table}.limits]\n");
            write_fields(&mut text, limits);
        }
        text
    }
}

fn write_fields<K: AsRef<str>>(
    text: &mut String,
    fields: impl IntoIterator<Item = (K, Option<String>)>,
) {
    for (key, value) in fields {
        if let Some(value) = value {
            *text += &format!("{} = {value}\n", key.as_ref());
        }
    }
}

/// Writes a string, or an array of them; nothing where there is none.
fn one_or_more(texts: &[String]) -> Option<String> {
    match texts {
        [] => None,
        [one] => Some(quoted(one)),
        more => {
            let lines: String = more.iter().map(|one| format!("    {},\n", quoted(one))).collect();
            Some(format!("[\n{lines}]"))
        }
    }
}

/// Writes a string of TOML, in quotes.
pub(super) fn quoted(text: &str) -> String {
    let mut quoted = String::from('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if c.is_control() => {
                // Writing to a string does not fail.
                let _ = write!(quoted, "\\u{:04X}", u32::from(c));
            }
            c => quoted.push(c),
        }
    }
    quoted + "\""
}
