//! Files that have no name yet, or one that clients do not see.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::hash::{BuildHasher, RandomState};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
#[cfg(any(target_os = "linux", target_os = "android"))]
use std::sync::atomic::AtomicBool;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};

use cap_std::fs::Dir;
use rustix::fs::{AtFlags, FlockOperation, Mode, OFlags, RawMode};
use rustix::io::Errno;
use wharf_core::StorageError;

use super::errno;
use super::rename::{is_same_file, rename_no_replace};
use crate::names::RESERVED;

/// What marks an upload as under way.
const LOCK: FlockOperation = FlockOperation::NonBlockingLockExclusive;

/// How often a name is invented until it must be an attack that it is taken.
const NAME_ATTEMPTS: usize = 32;

/// The mode of a file that is for the process's user alone.
pub(super) const PRIVATE: u32 = 0o600;

/// The mode of a new file, of which the umask takes its part.
const SHARED: u32 = 0o666;

/// An unfinished upload.
///
/// Where the file system can, it has no name at all: the end of the process is its end. Elsewhere
/// it has a reserved name, and is locked as long as it is open: what has such a name and is not
/// locked was left by a crash. Dropping this removes the name.
pub(super) struct Temporary {
    pub(super) file: File,
    dir: Arc<Dir>,
    /// `None` before it has a name, and once it has its final one.
    name: Option<OsString>,
}

impl Temporary {
    /// Creates a file in `dir`, for one that shall be called `target`.
    ///
    /// Creating it tries the name too, where the file system may have rules of its own:
    /// [`StorageError::BadName`]. The file that stands there has the mode `old_mode`: where the new
    /// one has no name it gets that at once, as no other user can open it. With a name it is
    /// [`PRIVATE`].
    pub(super) fn create(
        dir: Arc<Dir>,
        target: &OsStr,
        old_mode: Option<u32>,
    ) -> Result<Self, StorageError> {
        let mode = |bits: u32| Mode::from_raw_mode(bits as RawMode);
        if let Some(file) = unnamed(&dir, mode(old_mode.map_or(SHARED, |old| old & 0o777))) {
            return Ok(Self { file, dir, name: None });
        }
        let bits = if old_mode.is_some() { PRIVATE } else { SHARED };
        let (file, name) = named(&dir, target, mode(bits))?;
        Ok(Self { file, dir, name: Some(name) })
    }

    /// Returns `true` if it has no name at all, so that one link gives it its own.
    pub(super) fn is_unnamed(&self) -> bool {
        self.name.is_none()
    }

    /// Puts the file in the place of whatever file stands at `name`; one was seen there if it is
    /// `taken`.
    pub(super) fn replace(&mut self, name: &OsStr, taken: bool) -> Result<(), Errno> {
        let own = match self.name.take() {
            Some(own) => own,
            None => match if taken { Err(Errno::EXIST) } else { link(&self.file, &self.dir, name) }
            {
                // A link replaces nothing: the file needs a name to be renamed from.
                Err(Errno::EXIST) => {
                    // Else it could be taken for what a crash has left.
                    let _ = rustix::fs::flock(&self.file, LOCK);
                    invent(OsStr::new(""), |own| link(&self.file, &self.dir, own))?.1
                }
                outcome => return outcome,
            },
        };
        let renamed = rustix::fs::renameat(&self.dir, &own, &self.dir, name);
        if renamed.is_err() {
            self.name = Some(own);
        }
        renamed
    }

    /// Gives the file its name unless something has it: [`Errno::EXIST`].
    pub(super) fn take_free(&mut self, name: &OsStr) -> Result<(), Errno> {
        let Some(own) = self.name.as_deref() else { return link(&self.file, &self.dir, name) };
        match rename_no_replace(&self.dir, own, &self.dir, name) {
            Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {}
            outcome => {
                outcome?;
                self.name = None;
                return Ok(());
            }
        }
        // A second name does the same; the first goes with `self`.
        match rustix::fs::linkat(&self.dir, own, &self.dir, name, AtFlags::empty()) {
            Err(Errno::PERM | Errno::OPNOTSUPP | Errno::NOSYS | Errno::MLINK) => {}
            outcome => return outcome,
        }
        // A memory card can do neither. An empty file takes the name, which only one can make; the
        // upload takes its place. Another session could write to it in between, for microseconds.
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let mode = Mode::from_raw_mode(0o600);
        let placeholder = File::from(rustix::fs::openat(&self.dir, name, flags, mode)?);
        let renamed = match rustix::fs::renameat(&self.dir, own, &self.dir, name) {
            // Another file system still: the placeholder has to go first.
            Err(Errno::EXIST | Errno::PERM | Errno::ACCESS) => {
                remove_own(&self.dir, name, &placeholder, 0);
                rustix::fs::renameat(&self.dir, own, &self.dir, name)
            }
            outcome => outcome,
        };
        match renamed {
            Ok(()) => self.name = None,
            Err(_) => remove_own(&self.dir, name, &placeholder, 0),
        }
        renamed
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if let Some(name) = &self.name
            && let Err(error) = rustix::fs::unlinkat(&self.dir, name, AtFlags::empty())
        {
            log::debug!("an unfinished upload stays: {error}");
        }
    }
}

/// Removes the file at `name` if it is the very file that is open as `file`, and has so many bytes.
///
/// Looking and removing are two steps: the file is moved aside in between, looked at again, and put
/// back if it is another's.
pub(super) fn remove_own(dir: &Dir, name: &OsStr, file: &File, length: u64) {
    let is_own = |name: &OsStr| is_same_file(dir, name, file);
    let unchanged = || file.metadata().is_ok_and(|stat| stat.len() == length);
    if !is_own(name) || !unchanged() {
        return;
    }
    let aside = invent(OsStr::new(""), |aside| match rename_no_replace(dir, name, dir, aside) {
        // The name is a random number: nothing has it.
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {
            rustix::fs::renameat(dir, name, dir, aside)
        }
        outcome => outcome,
    });
    let Ok(((), aside)) = aside else { return };
    if !is_own(&aside) || !unchanged() {
        match rename_no_replace(dir, &aside, dir, name) {
            Ok(()) => return,
            // A third has come, and would have replaced the second.
            Err(Errno::EXIST) => {}
            Err(_) => {
                if rustix::fs::statat(dir, name, AtFlags::SYMLINK_NOFOLLOW).is_err() {
                    let _ = rustix::fs::renameat(dir, &aside, dir, name);
                    return;
                }
            }
        }
    }
    if let Err(error) = rustix::fs::unlinkat(dir, &aside, AtFlags::empty()) {
        log::debug!("an unfinished upload stays: {error}");
    }
}

/// Creates a file without a name, if the file system can, and can give it a name later.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn unnamed(dir: &Dir, mode: Mode) -> Option<File> {
    let flags = OFlags::RDWR | OFlags::TMPFILE | OFlags::CLOEXEC;
    let file = File::from(rustix::fs::openat(dir, ".", flags, mode).ok()?);
    // In a chroot without /proc there may be no way to link it: no file is ever called `.`. That is
    // the process's matter, and asked until it has been possible once.
    static CAN_LINK: AtomicBool = AtomicBool::new(false);
    if !CAN_LINK.load(Ordering::Relaxed) {
        if link(&file, dir, OsStr::new(".")) != Err(Errno::EXIST) {
            return None;
        }
        CAN_LINK.store(true, Ordering::Relaxed);
    }
    Some(file)
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn unnamed(_: &Dir, _: Mode) -> Option<File> {
    None
}

/// Gives a file without a name one.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn link(file: &File, dir: &Dir, name: &OsStr) -> Result<(), Errno> {
    use std::os::fd::AsRawFd;

    match rustix::fs::linkat(file, "", dir, name, AtFlags::EMPTY_PATH) {
        // Linux before 6.10 wants CAP_DAC_READ_SEARCH for that.
        Err(Errno::NOENT | Errno::PERM | Errno::INVAL) => {
            let number = file.as_raw_fd().to_string();
            let proc = rustix_linux_procfs::proc_self_fd()?;
            rustix::fs::linkat(proc, number, dir, name, AtFlags::SYMLINK_FOLLOW)
        }
        outcome => outcome,
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn link(_: &File, _: &Dir, _: &OsStr) -> Result<(), Errno> {
    Err(Errno::NOSYS)
}

/// Creates a file with a reserved name, and locks it.
fn named(dir: &Dir, target: &OsStr, mode: Mode) -> Result<(File, OsString), StorageError> {
    match create_named(dir, target, mode) {
        Ok(named) => Ok(named),
        Err(Errno::NAMETOOLONG) => in_halves(dir, target, mode),
        // FUSE file systems say so of names that they refuse, and of directories that are gone.
        Err(Errno::NOENT) if can_create(dir, mode) => Err(StorageError::BadName),
        Err(error) => Err(errno(error)),
    }
}

/// Returns `true` if a file can be created in the directory, whatever its name.
fn can_create(dir: &Dir, mode: Mode) -> bool {
    create_named(dir, OsStr::new(""), mode)
        .is_ok_and(|(_, name)| rustix::fs::unlinkat(dir, name, AtFlags::empty()).is_ok())
}

/// Does the same for a name that leaves no room for more: each half of it is tried.
fn in_halves(dir: &Dir, target: &OsStr, mode: Mode) -> Result<(File, OsString), StorageError> {
    let target = target.as_bytes();
    let is_boundary = |at: &usize| target.get(*at).is_none_or(|byte| byte & 0xc0 != 0x80);
    let middle = (target.len() / 2..target.len()).find(is_boundary).unwrap_or(target.len());
    let (head, tail) = target.split_at(middle);
    let (file, name) = create_named(dir, OsStr::from_bytes(head), mode).map_err(refused)?;
    let renamed =
        invent(OsStr::from_bytes(tail), |tried| rustix::fs::renameat(dir, &name, dir, tried));
    match renamed {
        Ok(((), name)) => Ok((file, name)),
        Err(error) => {
            let _ = rustix::fs::unlinkat(dir, name, AtFlags::empty());
            Err(refused(error))
        }
    }
}

/// Where a file of another name could be created a moment ago.
fn refused(error: Errno) -> StorageError {
    if error == Errno::NOENT { StorageError::BadName } else { errno(error) }
}

fn create_named(dir: &Dir, target: &OsStr, mode: Mode) -> Result<(File, OsString), Errno> {
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
    invent(target, |name| {
        let file = File::from(rustix::fs::openat(dir, name, flags, mode)?);
        // One that looks for what a crash has left may have come first: then it removes the file.
        match rustix::fs::flock(&file, LOCK) {
            Err(Errno::WOULDBLOCK) => Err(Errno::EXIST),
            // Without locks no file is ever taken for one that a crash has left.
            _ if is_same_file(dir, name, &file) => Ok(file),
            _ => Err(Errno::EXIST),
        }
    })
}

/// Returns a number for a name that no other process can guess, to take the name on purpose.
///
/// The system is asked for random bits once, not for each file: a counter that is hashed with a
/// secret key does as well. Should a name be taken all the same, the next one is tried.
fn number() -> u64 {
    static KEY: LazyLock<RandomState> = LazyLock::new(RandomState::new);
    static NEXT: AtomicU64 = AtomicU64::new(0);
    KEY.hash_one(NEXT.fetch_add(1, Ordering::Relaxed))
}

/// Invents reserved names that end in `target`, until one is free.
pub(super) fn invent<T>(
    target: &OsStr,
    mut attempt: impl FnMut(&OsStr) -> Result<T, Errno>,
) -> Result<(T, OsString), Errno> {
    for _ in 0..NAME_ATTEMPTS {
        let mut name = [RESERVED, format!("{:016x}", number()).as_bytes()].concat();
        if !target.is_empty() {
            name.push(b'-');
            name.extend_from_slice(target.as_bytes());
        }
        let name = OsString::from_vec(name);
        match attempt(&name) {
            Ok(done) => return Ok((done, name)),
            Err(Errno::EXIST) => {}
            Err(error) => return Err(error),
        }
    }
    Err(Errno::EXIST)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write;
    use std::path::Path;

    use cap_std::ambient_authority;

    use super::*;

    fn open(folder: &Path) -> Dir {
        Dir::open_ambient_dir(folder, ambient_authority()).unwrap()
    }

    /// As where no file can be without a name.
    fn with_name(folder: &Path, target: &str) -> Temporary {
        let dir = open(folder);
        let (mut file, name) = named(&dir, OsStr::new(target), Mode::from_raw_mode(0o600)).unwrap();
        file.write_all(target.as_bytes()).unwrap();
        Temporary { file, dir: dir.into(), name: Some(name) }
    }

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_name_is_locked_tried_and_removed() {
        let folder = tempfile::tempdir().unwrap();
        let temporary = with_name(folder.path(), "target");
        let name = names(folder.path()).remove(0);
        assert!(name.starts_with(".wharf-upload-") && name.ends_with("-target"), "{name}");
        let other = File::open(folder.path().join(&name)).unwrap();
        let lock = || rustix::fs::flock(&other, FlockOperation::NonBlockingLockExclusive);
        assert_eq!(lock(), Err(Errno::WOULDBLOCK));
        drop(temporary);
        assert_eq!(lock(), Ok(()));
        assert!(names(folder.path()).is_empty());
    }

    #[test]
    fn a_long_name_is_tried_in_halves() {
        let folder = tempfile::tempdir().unwrap();
        for target in ["n".repeat(255), "\u{e4}".repeat(127), format!("n{}", "\u{e4}".repeat(127))]
        {
            let mut temporary = with_name(folder.path(), &target);
            assert_eq!(names(folder.path()).len(), 1);
            temporary.take_free(OsStr::new(&target)).unwrap();
            drop(temporary);
            assert_eq!(names(folder.path()), [target.as_str()]);
            fs::remove_file(folder.path().join(target)).unwrap();
        }
    }

    #[test]
    fn with_a_name_or_without_it_ends_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let unnamed = |target: &str| {
            let mut made =
                Temporary::create(open(folder.path()).into(), OsStr::new(target), None).unwrap();
            made.file.write_all(target.as_bytes()).unwrap();
            made
        };
        for make in [&unnamed as &dyn Fn(&str) -> Temporary, &|name| with_name(folder.path(), name)]
        {
            let f = OsStr::new("f");
            make("first").take_free(f).unwrap();
            assert_eq!(make("second").take_free(f), Err(Errno::EXIST));
            assert_eq!(fs::read_to_string(folder.path().join("f")).unwrap(), "first");
            make("third").replace(f, true).unwrap();
            assert_eq!(fs::read_to_string(folder.path().join("f")).unwrap(), "third");
            make("fourth").replace(OsStr::new("g"), false).unwrap();
            drop(make("fifth"));
            fs::create_dir(folder.path().join("d")).unwrap();
            assert_eq!(make("sixth").replace(OsStr::new("d"), false), Err(Errno::ISDIR));
            assert_eq!(names(folder.path()), ["d", "f", "g"]);
            fs::remove_dir(folder.path().join("d")).unwrap();
            fs::remove_file(folder.path().join("f")).unwrap();
            fs::remove_file(folder.path().join("g")).unwrap();
        }
    }

    #[test]
    fn a_file_is_removed_if_it_is_the_very_one() {
        let folder = tempfile::tempdir().unwrap();
        let dir = open(folder.path());
        let at = folder.path().join("f");
        let own = File::create(&at).unwrap();
        remove_own(&dir, OsStr::new("f"), &own, 1);
        assert!(at.exists(), "it is longer than it should be");
        fs::remove_file(&at).unwrap();
        fs::write(&at, "").unwrap();
        remove_own(&dir, OsStr::new("f"), &own, 0);
        assert!(at.exists(), "it is another's");
        remove_own(&dir, OsStr::new("f"), &File::open(&at).unwrap(), 0);
        assert!(names(folder.path()).is_empty());
    }
}
