//! Accounts from a file that an administrator writes, and that is read again at will.
//!
//! `docs/accounts.md` describes the file. Here `format` is its shape, `fields` what its fields may
//! hold, `read` makes a `book` of it, and `error` says what is wrong with it; `password`,
//! `remember` and `places` are what a login needs besides. `edit` changes the file's text.

mod book;
mod edit;
mod error;
mod fields;
mod format;
mod password;
mod places;
mod read;
mod remember;
mod scratch;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Duration, Instant};

use wharf_core::{Denial, TlsRequired};

use self::book::{Book, Entry, Realm};
use self::password::LONGEST_PASSWORD;
use self::places::Places;
use self::remember::{Remembered, Stamp};
use self::scratch::Scratch;
use super::{Account, Accounts, Attempt, Credential};
use wharf_storage::Directory;

pub use self::edit::{AccountsText, ListedUser, NewUser};
pub use self::error::AccountsError;
pub use self::password::hash_password;

/// How long a login is remembered where nothing else is said.
const REMEMBERED: Duration = Duration::from_secs(60);

/// The accounts of a file, which can be read again while the server runs. Clones are handles on
/// the same accounts.
///
/// It answers for clients that name no virtual host; [`hosts`](Self::hosts) has the others.
///
/// A password is checked by one computation of Argon2id. An unknown user, one that is disabled or
/// has no password, and a password that is wrong or too long cost one each, with the parameters of
/// the file's most expensive hash where there is no other, and get the same
/// [`Denial::Refused`]. So time tells nothing where all hashes of the file have the same
/// parameters, as those of [`hash_password`] do. A login that was [remembered](Self::remember) is
/// answered faster, which tells something to those alone who know the password.
///
/// Each computation takes the memory that its hash names, 19 MiB with [`hash_password`]. It is for
/// the driver to run few logins at a time.
#[derive(Clone)]
pub struct AccountsFile {
    shared: Arc<Shared>,
}

/// A virtual host of an accounts file.
#[derive(Clone)]
pub struct FileHost {
    /// The name, in small letters.
    pub name: String,
    /// The files with the certificate and its key, in PEM, if the host has them.
    pub certificate: Option<(PathBuf, PathBuf)>,
    /// Who may log in there, as of the last [reload](AccountsFile::reload).
    pub accounts: Arc<dyn Accounts>,
}

struct Shared {
    file: PathBuf,
    base: Arc<Directory>,
    places: Places,
    book: RwLock<Arc<Book>>,
    /// Held while the file is read again, so that the last one to read it is the last one to say.
    reloading: Mutex<()>,
    stamp: Stamp,
    remembered: Mutex<Remembered>,
    scratch: Scratch,
    /// How often Argon2id was computed.
    computed: AtomicU64,
}

/// The accounts of one virtual host.
struct HostAccounts {
    shared: Arc<Shared>,
    name: String,
}

impl AccountsFile {
    /// Reads the file at `path`, and opens the folders that it names, the relative ones beneath
    /// the folder `base`. A file that [others can get at](wharf_storage::exposures) is warned of in the log.
    ///
    /// Each folder is opened once, and stays open; a link beneath `base` does not lead out of it.
    pub fn load(path: impl Into<PathBuf>, base: &Path) -> Result<Self, AccountsError> {
        let path = path.into();
        let directory =
            Directory::open(base).map_err(|error| AccountsError::whole(&path, error))?;
        Self::load_beneath(path, directory)
    }

    /// As [`load`](Self::load), with a folder that is open. The folders that are opened have its
    /// settings.
    pub fn load_beneath(path: impl Into<PathBuf>, base: Directory) -> Result<Self, AccountsError> {
        let (file, places) = (path.into(), Places::default());
        let failed = |what: String| AccountsError::whole(&file, what);
        let base = Arc::new(base);
        let stamp = Stamp::new().map_err(|error| failed(error.to_string()))?;
        let book = RwLock::new(Arc::new(read::read(&file, &base, &places)?));
        let remembered = Mutex::new(Remembered::new(REMEMBERED));
        let (reloading, computed) = (Mutex::default(), AtomicU64::new(0));
        let scratch = Scratch::default();
        let shared =
            Shared { file, base, places, book, reloading, stamp, remembered, scratch, computed };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Reads the file again; returns how many users it has now.
    ///
    /// All of it holds from then on, for new logins: sessions that are logged in go on as they are,
    /// and count among those of their account. Where anything is wrong the accounts stay as they
    /// were. Virtual hosts neither come nor go: that is an error too.
    pub fn reload(&self) -> Result<usize, AccountsError> {
        let shared = &self.shared;
        let _alone = shared.reloading.lock().unwrap_or_else(PoisonError::into_inner);
        let book = read::read(&shared.file, &shared.base, &shared.places)?;
        let names = |book: &Book| book.hosts.iter().map(|host| host.name.clone()).collect();
        let (old, new): (BTreeSet<_>, BTreeSet<_>) = (names(&shared.book()), names(&book));
        if let Some(name) = old.symmetric_difference(&new).next() {
            let what = if new.contains(name) { "new" } else { "gone" };
            let what = format!("host {name:?}: {what}; for that, restart the server");
            return Err(AccountsError::whole(&shared.file, what));
        }
        let users = book.users();
        *shared.book.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(book);
        shared.remembered().forget();
        shared.places.tidy();
        Ok(users)
    }

    /// Sets how long a password that was right is taken without computing its hash again; 60 s
    /// when unset, and never with zero.
    ///
    /// A wrong one is never remembered, and a reload forgets them all. What is kept is an HMAC by
    /// a key that ends with the process, of 1024 logins at most.
    pub fn remember(self, duration: Duration) -> Self {
        *self.shared.remembered() = Remembered::new(duration);
        self
    }

    /// Returns the virtual hosts, in the order of the file. The accounts of each follow reloads.
    pub fn hosts(&self) -> Vec<FileHost> {
        let book = self.shared.book();
        let hosts = book.hosts.iter().map(|host| {
            let (shared, name) = (Arc::clone(&self.shared), host.name.clone());
            let certificate = host.certificate.clone();
            FileHost {
                name: name.clone(),
                certificate,
                accounts: Arc::new(HostAccounts { shared, name }),
            }
        });
        hosts.collect()
    }

    /// Returns how many users there are, those of virtual hosts and the disabled ones among them.
    pub fn users(&self) -> usize {
        self.shared.book().users()
    }

    /// Returns a summary such as `3 users, 1 host, anonymous read-only`.
    pub fn summary(&self) -> String {
        self.shared.book().summary()
    }

    /// Returns the folders of the accounts that may change anything there, each once.
    pub fn writable_folders(&self) -> Vec<Arc<Directory>> {
        self.shared.book().writable_folders()
    }

    /// Names an account that can log in, or transfer files, by TLS alone, if there is one.
    pub fn needs_tls(&self) -> Option<String> {
        self.shared.book().first(|_, entry| entry.grant.tls != TlsRequired::None)
    }

    /// Names an account that comes in by a client certificate alone, if there is one.
    pub fn needs_client_certificates(&self) -> Option<String> {
        self.shared.book().first(|user, _| user.is_some_and(|user| user.hash.is_none()))
    }

    /// Names an account that can see the file at `path` in its folder, or beneath it, if there is
    /// one.
    pub fn serves(&self, path: impl AsRef<Path>) -> Option<String> {
        self.shared.book().first(|_, entry| entry.storage.holds(&path))
    }

    /// Returns the path that it was loaded from.
    pub fn path(&self) -> &Path {
        &self.shared.file
    }
}

impl Shared {
    fn book(&self) -> Arc<Book> {
        Arc::clone(&self.book.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn remembered(&self) -> MutexGuard<'_, Remembered> {
        self.remembered.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Checks a login at a virtual host, or at none in particular.
    fn login(&self, host: Option<&str>, attempt: &Attempt<'_>) -> Result<Account, Denial> {
        let book = self.book();
        let realm = book.realm(host).ok_or(Denial::Refused)?;
        let entry = match attempt.credential {
            Credential::Certificate(certificate) => realm.certified(attempt.user, certificate),
            Credential::Password(password) => match realm.anonymous(attempt.user) {
                Some(anonymous) => Some(anonymous),
                None => {
                    let host = host.unwrap_or_default();
                    self.by_password(&book, realm, host, attempt, password.as_bytes())?
                }
            },
        };
        entry.ok_or(Denial::Refused)?.admit(attempt.peer)
    }

    /// Finds the user whose password it is. All that fails takes the same way, and as long.
    fn by_password<'a>(
        &self,
        book: &Book,
        realm: &'a Realm,
        host: &str,
        attempt: &Attempt<'_>,
        password: &[u8],
    ) -> Result<Option<&'a Entry>, Denial> {
        let name = attempt.user;
        let user = realm.users.get(name).filter(|user| user.enabled);
        let stored = user.and_then(|user| user.hash.as_ref());
        let possible = stored.is_some() && password.len() <= LONGEST_PASSWORD;
        let hash = stored.unwrap_or(&book.decoy);
        let password = &password[..password.len().min(LONGEST_PASSWORD)];

        let hash_text = hash.as_str().as_bytes();
        let ticket = self.stamp.ticket([host.as_bytes(), name, hash_text, password]);
        // From elsewhere the right password takes as long as a wrong one each time.
        let is_here = user.is_some_and(|user| user.entry.networks.admit(attempt.peer));
        let known = is_here && self.remembered().knows(&ticket, Instant::now());
        if !(known && possible) {
            self.computed.fetch_add(1, Ordering::Relaxed);
            let right = hash.matches(password, &self.scratch).map_err(|_| Denial::Unavailable)?;
            if !(right && possible) {
                return Ok(None);
            }
            if is_here {
                self.remembered().keep(ticket, Instant::now());
            }
        }
        Ok(user.map(|user| &user.entry))
    }
}

impl Accounts for AccountsFile {
    fn login(&self, attempt: &Attempt<'_>) -> Result<Account, Denial> {
        self.shared.login(None, attempt)
    }
}

impl Accounts for HostAccounts {
    fn login(&self, attempt: &Attempt<'_>) -> Result<Account, Denial> {
        self.shared.login(Some(&self.name), attempt)
    }
}

impl fmt::Debug for AccountsFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AccountsFile({}: {})", self.shared.file.display(), self.summary())
    }
}

impl fmt::Debug for FileHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let certificate = &self.certificate;
        f.debug_struct("FileHost")
            .field("name", &self.name)
            .field("certificate", certificate)
            .finish_non_exhaustive()
    }
}
