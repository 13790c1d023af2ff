//! Changes in an accounts file that leave all else in it as it is, to the byte.
//!
//! The text is not written anew from what was understood of it: `layout` finds where things stand,
//! and the change is made there. So comments, order, line ends and each way to write a value stay.

mod layout;
mod new_user;

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use wharf_storage::Directory;

use self::layout::{Layout, Written, is_blank, line, line_end, line_start};
use super::error::{AccountsError, Source};
use super::places::Places;
use super::{fields, format, read};

pub use self::new_user::NewUser;

/// The text of an accounts file, in which users are added, removed and given passwords. All else
/// stays as it is, to the byte.
///
/// It is not a file: reading it, and putting the new text in its place, is for the caller.
///
/// ```
/// use wharf_accounts::{AccountsText, NewUser, hash_password};
///
/// let mut text = AccountsText::new("accounts.toml", "# Of the harbour.\n[anonymous]\n")?;
/// let mut anna = NewUser::new("anna");
/// anna.password = Some(hash_password(b"secret").unwrap());
/// anna.root = Some("homes/{user}".into());
/// text.add(&anna)?;
/// // As the server would read it, but for the folders.
/// text.check(None)?;
/// assert!(text.as_str().starts_with("# Of the harbour.\n[anonymous]\n\n[[user]]\nname = \"anna\"\n"));
/// # Ok::<(), wharf_accounts::AccountsError>(())
/// ```
#[derive(Clone, Debug)]
pub struct AccountsText {
    file: PathBuf,
    text: String,
}

/// An account, as an accounts file has it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ListedUser {
    /// The virtual host, in small letters.
    pub host: Option<String>,
    /// The login name; `None` for the anonymous.
    pub name: Option<String>,
    /// The root as written.
    pub root: Option<String>,
    /// The permissions as written, `read` where there are none.
    pub permissions: String,
    /// In how many folders others hold.
    pub folders: usize,
    /// Whether it can log in.
    pub enabled: bool,
    /// Whether a password lets it in.
    pub has_password: bool,
    /// Whether a client certificate lets it in.
    pub has_certificate: bool,
}

impl AccountsText {
    /// Takes the text of a file; `file` is for the errors. Fails where it is not TOML.
    pub fn new(file: impl Into<PathBuf>, text: impl Into<String>) -> Result<Self, AccountsError> {
        let text = Self { file: file.into(), text: text.into() };
        text.layout()?;
        Ok(text)
    }

    /// Returns the text.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns the file's name, as the errors have it.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// Names the file otherwise in errors.
    pub fn named(self, file: impl Into<PathBuf>) -> Self {
        Self { file: file.into(), ..self }
    }

    /// Checks the text as the server does that reads it. With the folder that is served, the
    /// folders of the accounts are opened too.
    pub fn check(&self, served: Option<&Directory>) -> Result<(), AccountsError> {
        let base = served.map(|base| Arc::new(base.clone()));
        read::parse(&self.file, &self.text, base.as_ref(), &Places::default()).map(|_| ())
    }

    /// Returns all accounts, in the order of the file.
    pub fn users(&self) -> Result<Vec<ListedUser>, AccountsError> {
        let file = toml::from_str::<format::File>(&self.text).map_err(|error| self.toml(&error))?;
        let mut listed = Vec::new();
        list(&mut listed, None, file.user, file.anonymous);
        for host in file.host {
            let host = host.into_inner();
            list(&mut listed, Some(host.name.get_ref()), host.user, host.anonymous);
        }
        Ok(listed)
    }

    /// Makes sure that there is a user of this name. The error names the hosts that have one.
    pub fn find(&self, host: Option<&str>, name: &str) -> Result<(), AccountsError> {
        let layout = self.layout()?;
        self.user(&layout, host, name).map(|_| ())
    }

    /// Makes sure that a user of this name can be added.
    pub fn find_room(&self, host: Option<&str>, name: &str) -> Result<(), AccountsError> {
        self.room(&self.layout()?, host, name).map(|_| ())
    }

    /// Adds a user after the others, of the same virtual host.
    pub fn add(&mut self, user: &NewUser) -> Result<(), AccountsError> {
        let host = user.host.as_deref().map(str::to_ascii_lowercase);
        let at = self.room(&self.layout()?, host.as_deref(), &user.name)?;
        let end = if self.text.contains("\r\n") { "\r\n" } else { "\n" };
        let mut text = user.to_toml(host.is_some()).replace('\n', end);
        let (before, after) = self.text.split_at(at);
        // A blank line on both sides, where there is something.
        if !before.is_empty() && !is_blank(line(before, line_start(before, before.len() - 1))) {
            text.insert_str(0, end);
        }
        if !before.is_empty() && !before.ends_with('\n') {
            text.insert_str(0, end);
        }
        if !after.is_empty() && !is_blank(line(after, 0)) {
            text.push_str(end);
        }
        self.splice(at..at, &text)
    }

    /// Removes a user, with its tables and the comments in them and right above them. Returns the
    /// lines that were removed.
    pub fn remove(&mut self, host: Option<&str>, name: &str) -> Result<String, AccountsError> {
        let layout = self.layout()?;
        let user = self.user(&layout, host, name)?;
        if user.headers.is_empty() {
            return Err(self.mistake(
                &user.name_at,
                format!("user {name:?}: within brackets; remove it there by hand"),
            ));
        }
        let mut removed = String::new();
        for &header in user.headers.iter().rev() {
            let start = layout.start_of_table(&self.text, header);
            let end = layout.end_of_table(&self.text, header);
            removed.insert_str(0, &self.text[start..end]);
            let range = self.with_blank_lines(start, end);
            self.text.replace_range(range, "");
        }
        self.layout()?;
        Ok(removed)
    }

    /// Sets the password's hash of a user.
    pub fn set_password(
        &mut self,
        host: Option<&str>,
        name: &str,
        hash: &str,
    ) -> Result<(), AccountsError> {
        let layout = self.layout()?;
        let user = self.user(&layout, host, name)?;
        let hash = new_user::quoted(hash);
        if let Some(at) = user.password_at.clone() {
            return self.splice(at, &hash);
        }
        if user.headers.is_empty() {
            let at = user.name_at.end;
            return self.splice(at..at, &format!(", password = {hash}"));
        }
        let start = line_start(&self.text, user.name_at.start);
        let indent =
            self.text[start..].len() - self.text[start..].trim_start_matches([' ', '\t']).len();
        let indent = &self.text[start..start + indent];
        let at = line_end(&self.text, user.name_at.end);
        let written = &self.text[..at];
        let end = if written.ends_with("\r\n") { "\r\n" } else { "\n" };
        let text = match written.ends_with('\n') {
            true => format!("{indent}password = {hash}{end}"),
            false => format!("{end}{indent}password = {hash}"),
        };
        self.splice(at..at, &text)
    }

    fn layout(&self) -> Result<Layout, AccountsError> {
        Layout::of(&self.text).map_err(|error| self.toml(&error))
    }

    fn user<'a>(
        &self,
        layout: &'a Layout,
        host: Option<&str>,
        name: &str,
    ) -> Result<&'a Written, AccountsError> {
        let host = host.map(str::to_ascii_lowercase);
        if let Some(user) = layout.user(host.as_deref(), name) {
            return Ok(user);
        }
        let place = host.map(|host| format!(" at the host {host:?}")).unwrap_or_default();
        let mut what = format!("there is no user {name:?}{place}");
        let others = layout.users.iter().filter(|user| user.name == name);
        for other in others {
            what += &match &other.host {
                Some(host) => format!("; the host {host:?} has one"),
                None => "; there is one without a host".to_string(),
            };
        }
        Err(AccountsError::whole(&self.file, what))
    }

    /// Finds where one more user has its place.
    fn room(
        &self,
        layout: &Layout,
        host: Option<&str>,
        name: &str,
    ) -> Result<usize, AccountsError> {
        let host = host.map(str::to_ascii_lowercase);
        fields::login_name(name).map_err(|what| AccountsError::whole(&self.file, what))?;
        if let Some(user) = layout.user(host.as_deref(), name) {
            return Err(self.mistake(&user.name_at, format!("there is a user {name:?} already")));
        }
        let (bracketed, headers) = match &host {
            None => {
                let users = layout.users.iter().filter(|user| user.host.is_none());
                let headers: Vec<_> = users.flat_map(|user| user.headers.clone()).collect();
                (&layout.bracketed, headers)
            }
            Some(name) => {
                let host = layout.hosts.iter().find(|host| host.name == *name);
                let host = host.ok_or_else(|| {
                    let what = format!("there is no host {name:?}; write a [[host]] for it first");
                    AccountsError::whole(&self.file, what)
                })?;
                if host.headers.is_empty() {
                    let what = format!("host {name:?}: within braces; add the user there by hand");
                    return Err(self.mistake(&host.at, what));
                }
                (&host.bracketed, host.headers.clone())
            }
        };
        if let Some(at) = bracketed {
            let what =
                "the users are within brackets; add one there by hand, or write each as [[user]]";
            return Err(self.mistake(at, what.to_string()));
        }
        let last = headers.into_iter().max();
        Ok(last.map_or(self.text.len(), |last| layout.end_of_table(&self.text, last)))
    }

    /// Takes blank lines to the lines that are removed, so that as many stay as there were between
    /// others.
    fn with_blank_lines(&self, mut start: usize, end: usize) -> Range<usize> {
        let text = &self.text;
        let above = start.checked_sub(1).map(|above| line_start(text, above));
        if above.is_some_and(|above| !is_blank(line(text, above))) {
            return start..end;
        }
        let mut after = end;
        while after < text.len() && is_blank(line(text, after)) {
            after = line_end(text, after);
        }
        while after == text.len() && start > 0 {
            let above = line_start(text, start - 1);
            if !is_blank(line(text, above)) {
                break;
            }
            start = above;
        }
        start..after
    }

    /// Puts `new` in the place of a part, where what comes of it is TOML.
    fn splice(&mut self, at: Range<usize>, new: &str) -> Result<(), AccountsError> {
        let mut text = self.text.clone();
        text.replace_range(at, new);
        *self = Self::new(&self.file, text)?;
        Ok(())
    }

    fn mistake(&self, at: &Range<usize>, what: String) -> AccountsError {
        Source::new(&self.file, &self.text).one(at, what)
    }

    fn toml(&self, error: &toml::de::Error) -> AccountsError {
        Source::new(&self.file, &self.text).toml(error)
    }
}

fn list(
    listed: &mut Vec<ListedUser>,
    host: Option<&String>,
    users: Vec<toml::Spanned<format::User>>,
    anonymous: Option<toml::Spanned<format::Anonymous>>,
) {
    let host = host.map(|host| host.to_ascii_lowercase());
    let of = |name: Option<String>, common: format::Common| ListedUser {
        host: host.clone(),
        name,
        root: common.root.map(toml::Spanned::into_inner),
        permissions: common.permissions.map_or_else(|| "read".into(), toml::Spanned::into_inner),
        folders: common.folders.len(),
        enabled: true,
        has_password: false,
        has_certificate: false,
    };
    for user in users {
        let mut user = user.into_inner();
        let common = user.common();
        listed.push(ListedUser {
            enabled: user.enabled,
            has_password: user.password.is_some(),
            has_certificate: user.certificate.is_some(),
            ..of(Some(user.name.into_inner()), common)
        });
    }
    listed.extend(anonymous.map(|anonymous| of(None, anonymous.into_inner().into())));
}

#[cfg(test)]
mod tests;
