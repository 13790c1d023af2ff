//! A file whose text is replaced as a whole: readers see the old text or the new one, and of two
//! that change it at once neither loses what the other did.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, Gid, OFlags, Uid, fchown, flock};
use rustix::io::Errno;

/// A file that is locked against others that would change it, until this is dropped.
pub(super) struct Held {
    /// As it was given, for messages.
    named: PathBuf,
    /// Where it is, without symbolic links.
    path: PathBuf,
    file: File,
    text: String,
}

impl Held {
    /// Locks the file, and reads it; `None` where there is none. Waits for others that change it.
    pub(super) fn take(path: &Path) -> Result<Option<Self>, String> {
        loop {
            let Some((real, mut file)) = open(path)? else { return Ok(None) };
            let failed = |error: io::Error| format!("{}: cannot lock it: {error}", path.display());
            lock(&file).map_err(failed)?;
            // The one that had the lock before may have put another file here.
            let (ours, there) = (file.metadata().map_err(failed)?, fs::metadata(&real));
            let same =
                there.is_ok_and(|there| (there.dev(), there.ino()) == (ours.dev(), ours.ino()));
            if same {
                let text = read(path, &mut file)?;
                return Ok(Some(Self { named: path.into(), path: real, file, text }));
            }
        }
    }

    /// Reads a file without a lock; `None` where there is none.
    pub(super) fn read(path: &Path) -> Result<Option<String>, String> {
        open(path)?.map(|(_, mut file)| read(path, &mut file)).transpose()
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Puts a file with this text, and the owner and mode of the old one, in its place.
    pub(super) fn replace(&self, text: &str) -> Result<(), String> {
        let failed = |what: &str, error: io::Error| {
            format!("{}: {what}: {error}; it is as it was", self.named.display())
        };
        if has_acl(&self.file) {
            return Err(format!(
                "{}: it has an access control list, which would be lost; edit it by hand, or remove \
                 the list (setfacl -b)",
                self.named.display()
            ));
        }
        let old = self.file.metadata().map_err(|error| failed("cannot look at it", error))?;
        let new = Temporary::beside(&self.path);
        let mut new = new.map_err(|error| failed("cannot make a file beside it", error))?;
        new.belongs_as(&old).map_err(|error| failed("cannot keep its owner and mode", error))?;
        new.write(text).map_err(|error| failed("cannot write a new one", error))?;
        fs::rename(&new.path, &self.path)
            .map_err(|error| failed("cannot put a new one in its place", error))?;
        new.gone = true;
        sync_folder(&self.path);
        Ok(())
    }
}

/// Makes a file with this text, for its owner alone; returns `false` where there is one already.
pub(super) fn make(path: &Path, text: &str) -> Result<bool, String> {
    let failed = |error: io::Error| format!("{}: cannot make it: {error}", path.display());
    let mut new = Temporary::beside(path).map_err(failed)?;
    new.write(text).map_err(failed)?;
    // Unlike a rename, this replaces no file that has come since.
    match fs::hard_link(&new.path, path) {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::AlreadyExists => return Ok(false),
        Err(error) => return Err(failed(error)),
    }
    drop(new);
    sync_folder(path);
    Ok(true)
}

/// Opens the file that is there, after symbolic links.
fn open(path: &Path) -> Result<Option<(PathBuf, File)>, String> {
    let failed = |error: io::Error| format!("{}: cannot read it: {error}", path.display());
    let real = match fs::canonicalize(path) {
        Ok(real) => real,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return match fs::symlink_metadata(path) {
                Ok(_) => Err(format!("{}: a link to what is not there", path.display())),
                Err(_) => Ok(None),
            };
        }
        Err(error) => return Err(failed(error)),
    };
    let mut options = OpenOptions::new();
    // A FIFO must not hold it up.
    let options = options.read(true).custom_flags(OFlags::NONBLOCK.bits() as i32);
    // Over NFS a lock needs a file that is open for writing.
    let file = options.clone().write(true).open(&real).or_else(|_| options.open(&real));
    let file = file.map_err(failed)?;
    if !file.metadata().map_err(failed)?.is_file() {
        return Err(format!("{}: not a file", path.display()));
    }
    Ok(Some((real, file)))
}

fn read(path: &Path, file: &mut File) -> Result<String, String> {
    let mut bytes = Vec::new();
    let read = file.read_to_end(&mut bytes);
    read.map_err(|error| format!("{}: cannot read it: {error}", path.display()))?;
    String::from_utf8(bytes).map_err(|error| {
        let valid = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = 1 + valid.iter().filter(|&&byte| byte == b'\n').count();
        format!("{}: line {line} is not UTF-8 text", path.display())
    })
}

fn lock(file: &File) -> io::Result<()> {
    loop {
        match flock(file, FlockOperation::LockExclusive) {
            Err(Errno::INTR) => {}
            done => return Ok(done?),
        }
    }
}

/// Returns `true` if more than the mode says who may read the file: then the mode's group bits are not
/// the group's, and a copy with them would be open to others.
fn has_acl(file: &File) -> bool {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    return rustix::fs::fgetxattr(file, c"system.posix_acl_access", &mut [0u8; 0]).is_ok();
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    return false;
}

/// Makes a change of names survive a power cut. Not every file system can.
fn sync_folder(path: &Path) {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    if let Ok(folder) = File::open(folder.unwrap_or(Path::new("."))) {
        let _ = folder.sync_all();
    }
}

/// A file beside another, which is removed unless it took that one's place.
struct Temporary {
    path: PathBuf,
    file: File,
    gone: bool,
}

impl Temporary {
    fn beside(path: &Path) -> io::Result<Self> {
        let mut random = [0; 8];
        getrandom::fill(&mut random).map_err(|error| io::Error::other(error.to_string()))?;
        let name = format!(".wharf-user-{:016x}.tmp", u64::from_ne_bytes(random));
        let path = path.with_file_name(name);
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
        Ok(Self { path, file, gone: false })
    }

    /// Gives it the owner, the group and the mode of another.
    fn belongs_as(&self, other: &fs::Metadata) -> io::Result<()> {
        let own = self.file.metadata()?;
        if (own.uid(), own.gid()) != (other.uid(), other.gid()) {
            let (owner, group) = (Uid::from_raw(other.uid()), Gid::from_raw(other.gid()));
            fchown(&self.file, Some(owner), Some(group))?;
        }
        self.file.set_permissions(fs::Permissions::from_mode(other.mode() & 0o7777))
    }

    fn write(&mut self, text: &str) -> io::Result<()> {
        self.file.write_all(text.as_bytes())?;
        self.file.sync_all()
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if !self.gone {
            let _ = fs::remove_file(&self.path);
        }
    }
}
