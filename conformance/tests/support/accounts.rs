//! Accounts of which one is let in within TLS only.

use std::path::Path;
use std::sync::Arc;

use wharf::{
    Account, Accounts, Attempt, Denial, Directory, Permissions, SimpleAccounts, Storage,
    TlsRequired,
};

/// The name of the user whose login has to be protected.
pub(crate) const TLS_ONLY: &str = "tls-only";

/// The name of the user that the virtual host alone knows.
pub(crate) const HOSTED: &str = "hosted";

/// The password of all users but anonymous.
pub(crate) const PASSWORD: &str = "password";

/// The accounts of the default host.
pub(crate) struct People(SimpleAccounts);

impl People {
    /// Makes the accounts; all see this folder.
    pub(crate) fn new(folder: &Path) -> Self {
        let accounts = SimpleAccounts::new(open(folder))
            .anonymous(Permissions::READ_ONLY)
            .user("user", PASSWORD, Permissions::ALL)
            .user("powerless", PASSWORD, Permissions::NONE)
            .user(TLS_ONLY, PASSWORD, Permissions::ALL);
        Self(accounts)
    }
}

impl Accounts for People {
    fn login(&self, attempt: &Attempt<'_>) -> Result<Account, Denial> {
        let account = self.0.login(attempt)?;
        let tls_only = attempt.user == TLS_ONLY.as_bytes();
        Ok(if tls_only { account.tls(TlsRequired::Login) } else { account })
    }
}

/// Returns the accounts of the virtual host, which see this folder.
pub(crate) fn hosted(folder: &Path) -> SimpleAccounts {
    SimpleAccounts::new(open(folder)).user(HOSTED, PASSWORD, Permissions::ALL)
}

fn open(folder: &Path) -> Arc<dyn Storage> {
    Arc::new(Directory::open(folder).expect("the folder was just made"))
}
