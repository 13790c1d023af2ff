//! What has to stand under each name, after whatever happened.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

/// The content of a file.
pub(crate) type Content = Arc<Vec<u8>>;

/// A change that was begun, and has not been acknowledged.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    /// The new content takes the place of the old.
    Store {
        new: Content,
        /// All of it was sent, and the data connection closed in order.
        whole: bool,
        /// A QUIT followed it: it has to take place, unless the server is stopped.
        quit: bool,
    },
    /// What is added may arrive in part.
    Append { whole: Content },
    /// The file goes.
    Remove,
    /// The file goes there, and what stood there goes.
    RenameTo(String),
    /// The file of that name comes here.
    RenameFrom(String),
}

/// One name that one client alone changes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Name {
    /// What was acknowledged last; `None`: no file.
    pub(crate) content: Option<Content>,
    pub(crate) pending: Option<Change>,
}

/// A content that some client wants to give a shared name.
#[derive(Clone, Debug)]
struct Attempt {
    content: Content,
    begun: u64,
    acknowledged: Option<u64>,
}

/// What the clients have done.
#[derive(Clone, Debug, Default)]
pub(crate) struct Model {
    pub(crate) names: BTreeMap<String, Name>,
    shared: BTreeMap<String, Vec<Attempt>>,
    clock: u64,
    /// The power was cut: nothing is promised of bytes that were added and not acknowledged, but
    /// that they come after the others.
    pub(crate) power_cut: bool,
}

impl Model {
    /// Adds a name that many clients replace; this stands there now.
    pub(crate) fn share(&mut self, name: &str, content: Content) {
        let first = Attempt { content, begun: 0, acknowledged: Some(0) };
        self.shared.insert(name.to_owned(), vec![first]);
    }

    pub(crate) fn begin(&mut self, name: &str, change: Change) {
        if let Change::RenameTo(to) = &change {
            let from = Change::RenameFrom(name.to_owned());
            self.names.entry(to.clone()).or_default().pending = Some(from);
        }
        self.names.entry(name.to_owned()).or_default().pending = Some(change);
    }

    /// The change was acknowledged.
    pub(crate) fn acknowledge(&mut self, name: &str) {
        let entry = self.names.entry(name.to_owned()).or_default();
        match entry.pending.take() {
            Some(Change::Store { new, .. } | Change::Append { whole: new }) => {
                entry.content = Some(new)
            }
            Some(Change::Remove) => entry.content = None,
            Some(Change::RenameTo(to)) => {
                let content = entry.content.take();
                self.names.insert(to, Name { content, pending: None });
            }
            Some(Change::RenameFrom(_)) | None => panic!("{name}: nothing was begun"),
        }
    }

    /// Returns the content that has to stand there, unless a change is pending.
    pub(crate) fn settled(&self, name: &str) -> Option<Option<Content>> {
        match self.names.get(name) {
            None => Some(None),
            Some(Name { content, pending: None }) => Some(content.clone()),
            Some(_) => None,
        }
    }

    /// A client begins to replace a shared file; returns the number of the attempt.
    pub(crate) fn attempt(&mut self, name: &str, content: Content) -> u64 {
        self.clock += 1;
        let attempt = Attempt { content, begun: self.clock, acknowledged: None };
        self.shared.get_mut(name).expect("a shared name").push(attempt);
        self.clock
    }

    pub(crate) fn succeed(&mut self, name: &str, attempt: u64) {
        self.clock += 1;
        let attempts = self.shared.get_mut(name).expect("a shared name");
        let attempt = attempts.iter_mut().find(|one| one.begun == attempt);
        attempt.expect("an attempt").acknowledged = Some(self.clock);
    }

    /// Compares with what stands in the folder: what must not be is told.
    pub(crate) fn check(&self, folder: &Path) -> Vec<String> {
        let mut faults = Vec::new();
        for (name, entry) in &self.names {
            let found = read(folder, name);
            if let Err(why) = self.allows(entry, found.as_deref(), folder) {
                faults.push(format!("{name}: {why}; {}", describe(entry, found.as_deref())));
            }
        }
        for (name, attempts) in &self.shared {
            let found = read(folder, name);
            if !found.as_ref().is_some_and(|found| is_current(attempts, found)) {
                let length = found.map(|found| found.len());
                faults.push(format!(
                    "{name}, which many replace: {length:?} bytes that it cannot have"
                ));
            }
        }
        faults
    }

    fn allows(
        &self,
        entry: &Name,
        found: Option<&[u8]>,
        folder: &Path,
    ) -> Result<(), &'static str> {
        let is_old = found == entry.content.as_ref().map(|content| &content[..]);
        let allowed = match &entry.pending {
            None => is_old,
            Some(Change::Store { new, whole, .. }) => {
                let is_new = found.is_some_and(|found| found == &new[..]);
                let is_kept =
                    entry.content.is_none() && found.is_some_and(|found| new.starts_with(found));
                is_old || is_kept || *whole && is_new
            }
            Some(Change::Append { whole }) => {
                let old: &[u8] = entry.content.as_ref().map_or(&[], |content| content);
                let grown = |found: &[u8]| {
                    let is_part = whole.starts_with(found);
                    let is_added = self.power_cut && found.len() <= whole.len();
                    found.starts_with(old) && (is_part || is_added)
                };
                is_old || found.is_some_and(grown)
            }
            Some(Change::Remove) => is_old || found.is_none(),
            Some(Change::RenameTo(to)) => {
                let came = || read(folder, to).as_ref() == entry.content.as_deref();
                is_old || found.is_none() && came()
            }
            Some(Change::RenameFrom(from)) => {
                let content = self.names.get(from).and_then(|from| from.content.as_ref());
                is_old || found == content.map(|content| &content[..])
            }
        };
        if allowed { Ok(()) } else { Err("that cannot be") }
    }

    /// Returns the uploads followed by a QUIT that have not taken place yet.
    pub(crate) fn owed(&self, folder: &Path) -> Vec<String> {
        let owed = self.names.iter().filter(|(name, entry)| match &entry.pending {
            Some(Change::Store { new, quit: true, .. }) => {
                read(folder, name).as_ref() != Some(&**new)
            }
            _ => false,
        });
        owed.map(|(name, _)| name.clone()).collect()
    }

    /// Takes what stands in the folder for what was acknowledged.
    pub(crate) fn settle(&mut self, folder: &Path) {
        for (name, entry) in &mut self.names {
            *entry = Name { content: read(folder, name).map(Arc::new), pending: None };
        }
        for (name, attempts) in &mut self.shared {
            let content = Arc::new(read(folder, name).unwrap_or_default());
            *attempts = vec![Attempt { content, begun: 0, acknowledged: Some(0) }];
        }
    }
}

/// Returns `true` unless a later attempt was acknowledged than any that brought this content.
fn is_current(attempts: &[Attempt], found: &[u8]) -> bool {
    attempts.iter().filter(|one| one.content[..] == *found).any(|one| {
        let replaced = |other: &&Attempt| {
            other.acknowledged.is_some() && one.acknowledged.is_some_and(|at| at < other.begun)
        };
        !attempts.iter().any(|other| replaced(&other))
    })
}

fn read(folder: &Path, name: &str) -> Option<Vec<u8>> {
    match std::fs::read(folder.join(name)) {
        Ok(content) => Some(content),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => panic!("{name}: {error}"),
    }
}

fn describe(entry: &Name, found: Option<&[u8]>) -> String {
    let length = |content: &Content| content.len();
    let pending = match &entry.pending {
        None => "nothing pending".to_owned(),
        Some(Change::Store { new, whole, quit }) => {
            format!("pending: store {} bytes, whole: {whole}, QUIT: {quit}", new.len())
        }
        Some(Change::Append { whole }) => format!("pending: append up to {} bytes", whole.len()),
        Some(other) => format!("pending: {other:?}"),
    };
    let found = found.map(|found| (found.len(), found.iter().all(|&byte| byte == 0)));
    format!(
        "found {found:?} (bytes, all zero), acknowledged {:?} bytes, {pending}",
        entry.content.as_ref().map(length)
    )
}
