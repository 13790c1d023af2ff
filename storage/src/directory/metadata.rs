//! What is known of an entry of a folder, and what the process may do with it.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use cap_std::fs::Dir;
use rustix::fd::AsFd;
use rustix::fs::{Access as Check, AtFlags, FileType, RawMode, Stat as RawStat};
#[cfg(any(target_os = "linux", target_os = "android"))]
use rustix::fs::{StatxAttributes, StatxFlags};
use rustix::io::Errno;
use wharf_core::{Access, Kind, Metadata, StorageError, VirtualPath, WallTime};

use super::stat::Stat;
use super::{Directory, Spot, errno};

const ENTER_AND_LIST: Check = Check::READ_OK.union(Check::EXEC_OK);
const ENTER_AND_CHANGE: Check = Check::WRITE_OK.union(Check::EXEC_OK);

/// Describes what stands at `path`, a link followed.
///
/// Whether it can be removed is the link's own matter: removing the path removes the link.
pub(super) fn followed(tree: &Directory, path: &VirtualPath) -> Result<Metadata, StorageError> {
    let link = tree.locate(path)?;
    let removable = !path.is_root() && can_change(&link.dir, OsStr::new("."));
    let stat = link.stat().map_err(errno)?;
    let (Spot { dir, name }, stat) =
        if stat.is_symlink() { tree.follow(path)? } else { (link, stat) };
    let kind = kind(&stat);
    let access = access(&dir, &name, &kind, removable);
    Ok(describe(&stat, kind, access))
}

/// Describes the entry `name` of the directory `dir`, which is at `parent` in the tree; a link is not
/// followed.
pub(super) fn unfollowed(
    tree: &Directory,
    parent: &VirtualPath,
    dir: &impl AsFd,
    name: &OsStr,
    removable: bool,
) -> Result<Metadata, Errno> {
    let mut entry = Metadata::directory();
    look(dir, name, &mut entry)?;
    entry.access = access(dir, name, &entry.kind, removable);
    if let Kind::Symlink { .. } = entry.kind {
        add_target(&mut entry, tree, &parent.join(name.as_bytes()), dir, name);
    }
    Ok(entry)
}

/// Looks at the entry `name` of `dir`. Where a link leads stays open, and so does access.
///
/// The call is one for what stands there itself. It asks a file server for what is known of it now:
/// to leave that out saves nothing where all is local.
#[inline(always)]
pub(super) fn look(dir: &impl AsFd, name: &OsStr, entry: &mut Metadata) -> Result<(), Errno> {
    let stat = rustix::fs::statat(dir, name, AtFlags::SYMLINK_NOFOLLOW)?;
    *entry = of_stat(&stat);
    Ok(())
}

/// Adds to a link, which is at `path` in the tree, where it leads.
///
/// What can be done with it is what can be done with what it leads to; but removing removes the link.
pub(super) fn add_target(
    link: &mut Metadata,
    tree: &Directory,
    path: &VirtualPath,
    dir: &impl AsFd,
    name: &OsStr,
) {
    let remove = link.access.remove;
    let followed = tree.follow(path);
    let leads_to = followed.as_ref().ok().map(|(spot, stat)| {
        let kind = self::kind(stat);
        let access = access(&spot.dir, &spot.name, &kind, remove);
        Box::new(describe(stat, kind, access))
    });
    // Where the link leads out of the tree, or is absolute, its text would show the machine's
    // layout.
    let target = match &followed {
        Err(StorageError::PermissionDenied) => None,
        _ => rustix::fs::readlinkat(dir, name, Vec::new()).ok().map(|text| text.into_bytes()),
    };
    link.access = Access {
        remove,
        ..leads_to.as_deref().map_or(Access::NONE, |target: &Metadata| target.access)
    };
    link.kind = Kind::Symlink { target: target.filter(|text| !text.starts_with(b"/")), leads_to };
}

/// Returns `true` if entries can be created in, and removed from, the directory `name` of `dir`.
pub(super) fn can_change(dir: &impl AsFd, name: &OsStr) -> bool {
    may(dir, name, ENTER_AND_CHANGE)
}

/// Refuses a directory in which no entry can be created.
pub(super) fn check_change(dir: &Dir, name: &OsStr) -> Result<(), StorageError> {
    ask(dir, name, ENTER_AND_CHANGE).map_err(errno)
}

/// Refuses a file that cannot be written.
pub(super) fn check_write(dir: &Dir, name: &OsStr) -> Result<(), StorageError> {
    ask(dir, name, Check::WRITE_OK).map_err(errno)
}

/// Returns `true` if something is mounted there.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(super) fn is_mount_point(spot: &Spot) -> bool {
    let unfollowed = AtFlags::SYMLINK_NOFOLLOW | AtFlags::NO_AUTOMOUNT;
    rustix::fs::statx(&spot.dir, &spot.name, unfollowed, StatxFlags::empty())
        .is_ok_and(|known| known.stx_attributes.contains(StatxAttributes::MOUNT_ROOT))
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(super) fn is_mount_point(_: &Spot) -> bool {
    false
}

/// Refuses what is not a regular file.
pub(super) fn regular(stat: &Stat) -> Result<(), StorageError> {
    match kind(stat) {
        Kind::File => Ok(()),
        Kind::Directory => Err(StorageError::IsADirectory),
        Kind::Symlink { .. } | Kind::Other => Err(StorageError::NotRegular),
    }
}

fn kind(stat: &Stat) -> Kind {
    if stat.is_file() {
        Kind::File
    } else if stat.is_dir() {
        Kind::Directory
    } else {
        Kind::Other
    }
}

/// Asks what the process may do with the entry `name` of `dir`, which can be removed if `remove` says
/// so.
pub(super) fn access(dir: &impl AsFd, name: &OsStr, kind: &Kind, remove: bool) -> Access {
    ask_access(dir, name, kind, remove).0
}

/// As [`access`], and returns `false` too if some question had no answer: the entry may have gone.
pub(super) fn ask_access(
    dir: &impl AsFd,
    name: &OsStr,
    kind: &Kind,
    remove: bool,
) -> (Access, bool) {
    let (read, write, enter) = match kind {
        // A name that cannot be looked at makes no listing.
        Kind::Directory => (ENTER_AND_LIST, ENTER_AND_CHANGE, Some(Check::EXEC_OK)),
        Kind::File => (Check::READ_OK, Check::WRITE_OK, None),
        Kind::Symlink { .. } | Kind::Other => return (Access { remove, ..Access::NONE }, true),
    };
    // Most often all is allowed, and one question is enough.
    if may(dir, name, read.union(write)) {
        return (Access { read: true, write: true, remove, enter: enter.is_some() }, true);
    }
    let mut answered = true;
    let mut may = |what| match ask(dir, name, what) {
        Ok(()) => true,
        Err(error) => {
            answered &= matches!(error, Errno::ACCESS | Errno::PERM | Errno::ROFS);
            false
        }
    };
    let access =
        Access { read: may(read), write: may(write), remove, enter: enter.is_some_and(may) };
    (access, answered)
}

fn may(dir: &impl AsFd, name: &OsStr, what: Check) -> bool {
    ask(dir, name, what).is_ok()
}

/// Asks for the process's effective rights; a link that has come to stand there is not followed.
fn ask(dir: &impl AsFd, name: &OsStr, what: Check) -> Result<(), Errno> {
    let strict = AtFlags::EACCESS | AtFlags::SYMLINK_NOFOLLOW;
    match rustix::fs::accessat(dir, name, what, strict) {
        // Linux before 5.8 cannot leave links alone here. The answer is advice in any case: the
        // operation itself is what decides.
        Err(Errno::NOSYS | Errno::INVAL) => rustix::fs::accessat(dir, name, what, AtFlags::EACCESS),
        answer => answer,
    }
}

/// Describes what has this type and mode; access aside.
pub(super) fn of_mode(mode: u32, size: u64, modified: WallTime) -> Metadata {
    let kind = match FileType::from_raw_mode(mode as RawMode) {
        FileType::RegularFile => Kind::File,
        FileType::Directory => Kind::Directory,
        FileType::Symlink => Kind::Symlink { target: None, leads_to: None },
        _ => Kind::Other,
    };
    let mut metadata = Metadata::new(kind, size, modified);
    metadata.mode = mode & 0o7777;
    metadata.access = Access::NONE;
    metadata
}

// The types of the fields differ among systems.
#[allow(clippy::unnecessary_cast, clippy::useless_conversion)]
fn of_stat(stat: &RawStat) -> Metadata {
    let nanoseconds = u32::try_from(stat.st_mtime_nsec).unwrap_or(0);
    let modified = WallTime { seconds: stat.st_mtime as i64, nanoseconds };
    let mut metadata = of_mode(stat.st_mode.into(), stat.st_size as u64, modified);
    metadata.links = stat.st_nlink as u64;
    metadata.owner = stat.st_uid;
    metadata.group = stat.st_gid;
    metadata.unique = Some((stat.st_dev as u64, stat.st_ino as u64));
    metadata
}

fn describe(stat: &Stat, kind: Kind, access: Access) -> Metadata {
    let mut metadata = Metadata::new(kind, stat.size, stat.modified);
    metadata.mode = stat.mode;
    metadata.links = stat.links;
    metadata.owner = stat.owner;
    metadata.group = stat.group;
    metadata.unique = Some((stat.device, stat.inode));
    metadata.access = access;
    metadata
}
