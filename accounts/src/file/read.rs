//! From what is written in an accounts file to accounts that can be used.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::io;
use std::num::{NonZeroU64, NonZeroUsize};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use toml::Spanned;
use wharf_core::{Grant, NetworkRules, Networks, Permissions, Rates, Rights, TlsRequired};

use super::book::{Book, Entry, HostEntry, Realm, User, is_anonymous};
use super::error::{AccountsError, Source};
use super::fields;
use super::format::{self, Common, Number, OneOrMore, Text};
use super::password::StoredHash;
use super::places::Places;
use wharf_storage::Directory;
use wharf_storage::{Content, warn_of_exposures};

/// What stands for the login name in a root.
const USER: &str = "{user}";

/// Reads the accounts file and opens its folders, the relative ones beneath `base`.
pub(super) fn read(
    file: &Path,
    base: &Arc<Directory>,
    places: &Places,
) -> Result<Book, AccountsError> {
    let bytes = fs::read(file)
        .map_err(|error| AccountsError::whole(file, format!("cannot read it: {error}")))?;
    let text = String::from_utf8(bytes).map_err(|error| {
        let valid = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = 1 + valid.iter().filter(|&&byte| byte == b'\n').count();
        AccountsError::whole(file, format!("line {line} is not UTF-8 text"))
    })?;
    let book = parse(file, &text, Some(base), places)?;
    warn_of_exposures(file, Content::Secret);
    Ok(book)
}

/// Makes accounts of the text of a file. Without a base no folder is opened, and the accounts are
/// not to be used: all but their folders is checked.
pub(super) fn parse(
    file: &Path,
    text: &str,
    base: Option<&Arc<Directory>>,
    places: &Places,
) -> Result<Book, AccountsError> {
    let source = Source::new(file, text);
    let written = match toml::from_str::<format::File>(text) {
        Ok(written) => written,
        Err(error) => return Err(source.toml(&error)),
    };
    let beside = file.parent().unwrap_or(Path::new(""));
    let mut reader = Reader { source, beside, base, places, roots: HashMap::new() };
    let (default, hosts) = reader.file(written);
    reader.source.finish()?;
    let hashes = [&default].into_iter().chain(hosts.iter().map(|host| &host.realm));
    let hashes =
        hashes.flat_map(|realm| realm.users.values()).filter_map(|user| user.hash.as_ref());
    let decoy = StoredHash::decoy(hashes.max_by_key(|hash| hash.cost()));
    let decoy = decoy.map_err(|error| AccountsError::whole(file, error))?;
    Ok(Book { default, hosts, decoy })
}

struct Reader<'a> {
    source: Source<'a>,
    /// The folder that holds the accounts file.
    beside: &'a Path,
    /// `None`: folders are not opened.
    base: Option<&'a Arc<Directory>>,
    places: &'a Places,
    /// The folders that are open already: users of one root share it.
    roots: HashMap<String, Arc<Directory>>,
}

/// Whose fields are being read.
#[derive(Clone, Copy)]
struct Owner<'a> {
    /// Empty for no host in particular.
    host: &'a str,
    /// `None` for the anonymous.
    user: Option<&'a str>,
}

impl Owner<'_> {
    /// Returns what begins a mistake's text.
    fn label(&self) -> String {
        let host = match self.host {
            "" => String::new(),
            host => format!("host {host:?}: "),
        };
        match self.user {
            Some(user) => format!("{host}user {user:?}: "),
            None => format!("{host}anonymous: "),
        }
    }
}

impl Reader<'_> {
    fn file(&mut self, file: format::File) -> (Realm, Vec<HostEntry>) {
        let no_login = file.user.is_empty() && file.anonymous.is_none() && file.host.is_empty();
        if no_login {
            self.source
                .mistake(&(0..0), "nobody could log in: a [[user]] or [anonymous] is wanted");
        }
        let default = self.realm("", file.user, file.anonymous);
        let mut lines = HashMap::new();
        let mut hosts = Vec::new();
        for host in file.host {
            let at = host.span();
            let host = host.into_inner();
            let name_at = host.name.span();
            let name = fields::host_name(host.name.get_ref()).unwrap_or_else(|mistake| {
                self.source.mistake(&name_at, format!("host: name: {mistake}"));
                host.name.get_ref().clone()
            });
            let line = self.source.line(name_at.start);
            if let Some(other) = lines.insert(name.clone(), line) {
                let mistake =
                    format!("host {name:?}: name: there is one of this name in line {other}");
                self.source.mistake(&name_at, mistake);
            }
            if host.user.is_empty() && host.anonymous.is_none() {
                let wanted = "nobody could log in: a [[host.user]] or [host.anonymous] is wanted";
                self.source.mistake(&at, format!("host {name:?}: {wanted}"));
            }
            let certificate = self.certificate(&name, &at, host.certificate, host.key);
            let realm = self.realm(&name, host.user, host.anonymous);
            hosts.push(HostEntry { name, certificate, realm });
        }
        (default, hosts)
    }

    /// Finds the files of a host's certificate and key.
    fn certificate(
        &mut self,
        host: &str,
        at: &Range<usize>,
        certificate: Option<Text>,
        key: Option<Text>,
    ) -> Option<(PathBuf, PathBuf)> {
        match (certificate, key) {
            (None, None) => None,
            (Some(certificate), Some(key)) => {
                let certificate = self.beside_it(host, "certificate", &certificate);
                certificate.zip(self.beside_it(host, "key", &key))
            }
            (certificate, _) => {
                let missing = if certificate.is_some() { "key" } else { "certificate" };
                let mistake = format!("host {host:?}: {missing}: missing; both files are wanted");
                self.source.mistake(at, mistake);
                None
            }
        }
    }

    /// Finds a file whose name is relative to the accounts file.
    fn beside_it(&mut self, host: &str, field: &str, name: &Text) -> Option<PathBuf> {
        let path = self.beside.join(name.get_ref());
        let problem = match fs::metadata(&path) {
            Ok(metadata) if metadata.is_file() => return Some(path),
            Ok(_) => "not a file".to_string(),
            Err(error) => error.to_string(),
        };
        let shown = path.display();
        self.source.mistake(&name.span(), format!("host {host:?}: {field}: {shown}: {problem}"));
        None
    }

    fn realm(
        &mut self,
        host: &str,
        users: Vec<Spanned<format::User>>,
        anonymous: Option<Spanned<format::Anonymous>>,
    ) -> Realm {
        let mut realm = Realm::default();
        let mut lines = HashMap::new();
        for user in users {
            let at = user.span();
            let user = user.into_inner();
            let name = user.name.clone();
            let owner = Owner { host, user: Some(name.get_ref()) };
            let line = self.source.line(name.span().start);
            if let Err(mistake) = fields::login_name(name.get_ref()) {
                self.mistake(owner, "name", &name.span(), mistake);
            }
            if let Some(other) = lines.insert(name.get_ref().clone(), line) {
                let mistake = format!("there is one of this name in line {other}");
                self.mistake(owner, "name", &name.span(), mistake);
            }
            if anonymous.is_some() && is_anonymous(name.get_ref().as_bytes()) {
                let mistake = "this is the name of [anonymous]; choose another";
                self.mistake(owner, "name", &name.span(), mistake);
            }
            if let Some(user) = self.user(owner, &at, user) {
                realm.users.insert(name.get_ref().clone().into_bytes(), user);
            }
        }
        if let Some(anonymous) = anonymous {
            let owner = Owner { host, user: None };
            realm.anonymous = self.entry(owner, anonymous.into_inner().into());
        }
        realm
    }

    fn user(
        &mut self,
        owner: Owner<'_>,
        at: &Range<usize>,
        mut user: format::User,
    ) -> Option<User> {
        let entry = self.entry(owner, user.common());
        if user.password.is_none() && user.certificate.is_none() {
            let mistake = "missing, and there is no certificate; make one with \"wharf passwd\"";
            self.mistake(owner, "password", at, mistake);
        }
        let hash = self.field(owner, "password", user.password.as_ref(), StoredHash::parse);
        let mut certificates = Vec::new();
        if let Some(given) = user.certificate {
            let at = given.span();
            let given = given.into_inner().into_vec();
            if given.is_empty() {
                self.mistake(owner, "certificate", &at, "a fingerprint is wanted");
            }
            for text in given {
                match fields::fingerprint(&text) {
                    Ok(fingerprint) => certificates.push(fingerprint),
                    Err(mistake) => self.mistake(owner, "certificate", &at, mistake),
                }
            }
        }
        Some(User { enabled: user.enabled, hash, certificates, entry: entry? })
    }

    fn entry(&mut self, owner: Owner<'_>, given: Common) -> Option<Entry> {
        let storage = self.root(owner, given.root.as_ref());
        let permissions = given.permissions.as_ref();
        let permissions = self.field(owner, "permissions", permissions, fields::permissions);
        let rights = Rights::everywhere(permissions.unwrap_or(Permissions::READ_ONLY));
        let rights = self.folders(owner, rights, given.folders);
        let tls = self.field(owner, "tls", given.tls.as_ref(), fields::word);
        let tls = tls.unwrap_or(TlsRequired::None);
        let upload_end = given.tls_upload_end.as_ref();
        let upload_end = self.field(owner, "tls_upload_end", upload_end, fields::word);
        let networks = NetworkRules {
            allow: self.networks(owner, "allow_from", given.allow_from),
            deny: self.networks(owner, "deny_from", given.deny_from),
        };
        let limits = given.limits;
        let most_sessions = self.limit(owner, "limits.sessions", limits.sessions);
        let rates = Rates {
            download: self.limit(owner, "limits.download_rate", limits.download_rate),
            upload: self.limit(owner, "limits.upload_rate", limits.upload_rate),
        };
        let sessions = self.places.of(owner.host, owner.user.unwrap_or_default());
        let most_sessions = most_sessions.and_then(|most| NonZeroUsize::try_from(most).ok());
        let grant = Grant { rights, tls, rates, upload_end };
        Some(Entry { storage: storage?, grant, networks, most_sessions, sessions })
    }

    /// Reads a list of networks; one that is there names at least one.
    fn networks(
        &mut self,
        owner: Owner<'_>,
        field: &str,
        given: Option<Spanned<OneOrMore>>,
    ) -> Networks {
        let Some(given) = given else { return Networks::default() };
        let at = given.span();
        let texts = given.into_inner().into_vec();
        if texts.is_empty() {
            self.mistake(owner, field, &at, "a network is wanted, such as \"192.168.0.0/16\"");
        }
        let mut networks = Networks::default();
        for text in texts {
            match text.parse::<Networks>() {
                Ok(more) => networks.extend(more),
                Err(mistake) => self.mistake(owner, field, &at, mistake),
            }
        }
        networks
    }

    fn folders(
        &mut self,
        owner: Owner<'_>,
        mut rights: Rights,
        folders: BTreeMap<Text, Text>,
    ) -> Rights {
        let mut seen = HashMap::new();
        for (name, permissions) in folders {
            let field = format!("folders: {:?}", name.get_ref());
            let folder = self.field(owner, &field, Some(&name), fields::folder);
            let permissions = self.field(owner, &field, Some(&permissions), fields::permissions);
            let Some((folder, permissions)) = folder.zip(permissions) else { continue };
            let line = self.source.line(name.span().start);
            if let Some(other) = seen.insert(folder.clone(), line) {
                let mistake = format!("line {other} has the same folder");
                self.mistake(owner, &field, &name.span(), mistake);
            }
            rights = rights.with_folder(folder, permissions);
        }
        rights
    }

    /// Opens the folder that is the account's root; relative ones do not leave the base.
    fn root(&mut self, owner: Owner<'_>, given: Option<&Text>) -> Option<Arc<Directory>> {
        let Some(given) = given else { return self.base.cloned() };
        let mut root = given.get_ref().clone();
        if root.contains(USER) {
            let name = owner.user.ok_or("{user} stands for a login name, and there is none here");
            let name = name.map_err(String::from).and_then(|name| {
                fields::folder_name(name)?;
                Ok(name)
            });
            match name {
                Ok(name) => root = root.replace(USER, name),
                Err(mistake) => {
                    self.mistake(owner, "root", &given.span(), mistake);
                    return None;
                }
            }
        }
        if let Some(open) = self.roots.get(&root) {
            return Some(Arc::clone(open));
        }
        match open(self.base?, &root) {
            Ok(directory) => {
                let directory = Arc::new(directory);
                self.roots.insert(root, Arc::clone(&directory));
                Some(directory)
            }
            Err(error) => {
                self.mistake(owner, "root", &given.span(), error);
                None
            }
        }
    }

    /// Reads a field, where it is there.
    fn field<T>(
        &mut self,
        owner: Owner<'_>,
        field: &str,
        given: Option<&Text>,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Option<T> {
        let given = given?;
        parse(given.get_ref())
            .map_err(|mistake| self.mistake(owner, field, &given.span(), mistake))
            .ok()
    }

    fn limit(
        &mut self,
        owner: Owner<'_>,
        field: &str,
        given: Option<Number>,
    ) -> Option<NonZeroU64> {
        let given = given?;
        let positive = u64::try_from(*given.get_ref()).ok().and_then(NonZeroU64::new);
        if positive.is_none() {
            let mistake = format!("{}: a number of at least 1 is wanted", given.get_ref());
            self.mistake(owner, field, &given.span(), mistake);
        }
        positive
    }

    fn mistake(
        &mut self,
        owner: Owner<'_>,
        field: &str,
        at: &Range<usize>,
        what: impl std::fmt::Display,
    ) {
        self.source.mistake(at, format!("{}{field}: {what}", owner.label()));
    }
}

fn open(base: &Directory, root: &str) -> io::Result<Directory> {
    if Path::new(root).is_absolute() { base.open_likewise(root) } else { base.open_beneath(root) }
}
