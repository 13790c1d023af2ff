//! The accounts that need no file.

use std::fmt;
use std::sync::Arc;

use wharf_core::{Denial, Password, Permissions, is_same};

use super::{Account, Accounts, Attempt, Credential};
use wharf_storage::Storage;

/// The accounts that need no file: anonymous, and single users with a password each.
///
/// All of them see the same storage. Passwords are held in the clear, so this is not the place for
/// the users of a busy server. Without [`anonymous`](Self::anonymous) or [`user`](Self::user) every
/// login is refused.
#[derive(Clone)]
pub struct SimpleAccounts {
    storage: Arc<dyn Storage>,
    anonymous: Option<Permissions>,
    users: Vec<User>,
}

#[derive(Clone, Debug)]
struct User {
    name: Vec<u8>,
    password: Password,
    permissions: Permissions,
}

impl SimpleAccounts {
    /// Makes accounts that lead to `storage`; there are none yet.
    pub fn new(storage: Arc<dyn Storage>) -> Self {
        Self { storage, anonymous: None, users: Vec::new() }
    }

    /// Lets `anonymous` and `ftp` in, in capitals or not, with any password (RFC 1635).
    pub fn anonymous(mut self, permissions: Permissions) -> Self {
        self.anonymous = Some(permissions);
        self
    }

    /// Lets one user in. Name and password are compared byte for byte.
    ///
    /// A user may be named `anonymous` or `ftp`; the right password then gives these permissions.
    pub fn user(
        mut self,
        name: impl Into<Vec<u8>>,
        password: impl Into<Vec<u8>>,
        permissions: Permissions,
    ) -> Self {
        let (name, password) = (name.into(), Password::new(password.into()));
        self.users.push(User { name, password, permissions });
        self
    }
}

impl fmt::Debug for SimpleAccounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimpleAccounts")
            .field("anonymous", &self.anonymous)
            .field("users", &self.users)
            .finish_non_exhaustive()
    }
}

impl Accounts for SimpleAccounts {
    fn login(&self, attempt: &Attempt<'_>) -> Result<Account, Denial> {
        let Credential::Password(password) = attempt.credential else {
            return Err(Denial::Refused);
        };
        let (user, mut permissions) = (attempt.user, None);
        // Every user is looked at, name and password both, so that time tells nothing of them.
        for known in &self.users {
            let name = is_same(user, &known.name);
            let password = *password == known.password;
            if name & password {
                permissions = Some(known.permissions);
            }
        }
        if user.eq_ignore_ascii_case(b"anonymous") || user.eq_ignore_ascii_case(b"ftp") {
            permissions = permissions.or(self.anonymous);
        }
        let permissions = permissions.ok_or(Denial::Refused)?;
        Ok(Account::new(Arc::clone(&self.storage), permissions))
    }

    fn login_at_once(&self, attempt: &Attempt<'_>) -> Option<Result<Account, Denial>> {
        Some(self.login(attempt))
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;
    use wharf_storage::Memory;

    fn login(accounts: &SimpleAccounts, user: &str, password: &str) -> Result<Permissions, Denial> {
        let peer = IpAddr::from([192, 0, 2, 1]);
        let password = Password::new(password);
        let credential = Credential::Password(&password);
        let account = accounts.login(&Attempt { user: user.as_bytes(), credential, peer });
        account.map(|account| account.grant.rights.anywhere())
    }

    fn none() -> SimpleAccounts {
        SimpleAccounts::new(Arc::new(Memory::new()))
    }

    #[test]
    fn debug_shows_no_password() {
        let accounts = none().user("ann", "harbour", Permissions::ALL);
        let text = format!("{accounts:?}");
        assert!(text.starts_with("SimpleAccounts") && !text.contains("harbour"), "{text}");
    }

    #[test]
    fn anonymous_has_two_names_and_any_password() {
        let accounts = none().anonymous(Permissions::READ_ONLY);
        for name in ["anonymous", "ftp", "Anonymous", "FTP"] {
            assert_eq!(login(&accounts, name, "me@example"), Ok(Permissions::READ_ONLY));
            assert_eq!(login(&accounts, name, ""), Ok(Permissions::READ_ONLY));
            assert_eq!(login(&none(), name, ""), Err(Denial::Refused));
        }
        assert_eq!(login(&accounts, "anonymou", ""), Err(Denial::Refused));
        assert_eq!(login(&accounts, "", ""), Err(Denial::Refused));
    }

    #[test]
    fn users_need_their_own_password() {
        let accounts = none()
            .user("ann", "secret", Permissions::ALL)
            .user("ben", "abab", Permissions::READ_ONLY)
            .user("cat", "", Permissions::NONE);
        assert_eq!(login(&accounts, "ann", "secret"), Ok(Permissions::ALL));
        assert_eq!(login(&accounts, "ben", "abab"), Ok(Permissions::READ_ONLY));
        assert_eq!(login(&accounts, "cat", ""), Ok(Permissions::NONE));
        for (user, password) in [
            ("ann", ""),
            ("ann", "secre"),
            ("ann", "secrets"),
            ("ann", "secretsecret"),
            ("ann", "Secret"),
            ("ann", "abab"),
            ("Ann", "secret"),
            ("annann", "secret"),
            ("", "secret"),
            ("ben", "ab"),
            ("ben", "ababab"),
            ("cat", "\0"),
            ("ftp", ""),
        ] {
            assert_eq!(login(&accounts, user, password), Err(Denial::Refused), "{user} {password}");
        }
    }

    #[test]
    fn a_user_named_anonymous_comes_before_the_anonymous() {
        let accounts =
            none().anonymous(Permissions::READ_ONLY).user("ftp", "secret", Permissions::ALL);
        assert_eq!(login(&accounts, "ftp", "secret"), Ok(Permissions::ALL));
        assert_eq!(login(&accounts, "ftp", "guess"), Ok(Permissions::READ_ONLY));
    }
}
