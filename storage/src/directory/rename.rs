//! Renaming, and what may stand at the new name.

use std::ffi::OsStr;
use std::fs::File;

use cap_std::fs::Dir;
use rustix::fd::AsFd;
use rustix::fs::AtFlags;
use rustix::io::Errno;
use wharf_core::StorageError;

use super::temporary::invent;
use super::{Spot, errno, metadata};

/// Renames `old` to `new`.
///
/// A file that stands there is replaced only where `replace` is set. A directory replaces nothing.
/// Another name of the same file is no obstacle: on a file system that ignores case it may be the
/// very name.
pub(super) fn rename(old: &Spot, new: &Spot, replace: bool) -> Result<(), StorageError> {
    let moved = old.stat().map_err(errno)?;
    let there = new.stat().ok();
    if there.is_some() && is_other_case(old, new) {
        return to_other_case(old, new).map_err(|error| old.taking_away(error));
    }
    if there.is_some_and(|there| there.is_same_file(&moved)) || replace && !moved.is_dir() {
        return plainly(old, new).map_err(|error| explain(error, old, new));
    }
    match to_free_name(old, new, moved.is_dir()) {
        Err(Errno::EXIST) if moved.is_dir() && !new.stat().is_ok_and(|stat| stat.is_dir()) => {
            Err(StorageError::NotADirectory)
        }
        Err(Errno::EXIST) if !moved.is_dir() && new.stat().is_ok_and(|stat| stat.is_dir()) => {
            Err(StorageError::IsADirectory)
        }
        outcome => outcome.map_err(|error| explain(error, old, new)),
    }
}

fn explain(error: Errno, old: &Spot, new: &Spot) -> StorageError {
    match error {
        // What is to be renamed is there: it is the new name that is wrong.
        Errno::NOENT if old.stat().is_ok() => new.refused(),
        Errno::BUSY if metadata::is_mount_point(new) => StorageError::PermissionDenied,
        error => old.taking_away(error),
    }
}

/// Returns `true` if both names are those of one entry, on a file system that ignores case.
///
/// Its number does not say so: FUSE file systems number names, not files.
fn is_other_case(old: &Spot, new: &Spot) -> bool {
    let folded = |spot: &Spot| spot.name.to_str().map(|name| name.to_uppercase().to_lowercase());
    let same_directory = || {
        let numbers =
            |dir: &Dir| rustix::fs::fstat(dir).ok().map(|stat| (stat.st_dev, stat.st_ino));
        numbers(&old.dir).is_some() && numbers(&old.dir) == numbers(&new.dir)
    };
    old.name != new.name
        && folded(old).is_some()
        && folded(old) == folded(new)
        && same_directory()
        && is_listed(new) == Some(false)
}

/// Returns `true` if the directory lists the very name, `None` where it cannot be read.
fn is_listed(spot: &Spot) -> Option<bool> {
    for entry in spot.dir.entries().ok()? {
        if entry.ok()?.file_name() == spot.name {
            return Some(true);
        }
    }
    Some(false)
}

/// Renames to another case of the same name.
fn to_other_case(old: &Spot, new: &Spot) -> Result<(), Errno> {
    plainly(old, new)?;
    if is_listed(new) == Some(true) {
        return Ok(());
    }
    // Both names are those of one file to some systems, and nothing was to be done: by a third.
    let ((), aside) =
        invent(OsStr::new(""), |aside| rustix::fs::renameat(&old.dir, &old.name, &old.dir, aside))?;
    rustix::fs::renameat(&old.dir, &aside, &new.dir, &new.name).inspect_err(|_| {
        let _ = rustix::fs::renameat(&old.dir, &aside, &old.dir, &old.name);
    })
}

/// Returns `true` if `name` leads to the file that is open.
pub(super) fn is_same_file(dir: impl AsFd, name: &OsStr, file: &File) -> bool {
    let there = rustix::fs::statat(dir, name, AtFlags::SYMLINK_NOFOLLOW);
    let open = rustix::fs::fstat(file);
    match (there, open) {
        (Ok(there), Ok(open)) => (there.st_dev, there.st_ino) == (open.st_dev, open.st_ino),
        _ => false,
    }
}

fn plainly(old: &Spot, new: &Spot) -> Result<(), Errno> {
    rustix::fs::renameat(&old.dir, &old.name, &new.dir, &new.name)
}

/// Renames to a name that nothing has; the error is [`Errno::EXIST`] if something has it.
fn to_free_name(old: &Spot, new: &Spot, is_directory: bool) -> Result<(), Errno> {
    match rename_no_replace(&old.dir, &old.name, &new.dir, &new.name) {
        // Not every file system can. A directory that goes into itself is INVAL too, and will be
        // again.
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) if is_directory => checked(old, new),
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => linked(old, new),
        outcome => outcome,
    }
}

/// Gives the file a second name, which no other can have meanwhile, and takes the first from it.
fn linked(old: &Spot, new: &Spot) -> Result<(), Errno> {
    match rustix::fs::linkat(&old.dir, &old.name, &new.dir, &new.name, AtFlags::empty()) {
        Ok(()) => {}
        // A file system without hard links, or a file that is not the process's own.
        Err(Errno::PERM | Errno::OPNOTSUPP | Errno::NOSYS | Errno::MLINK) => {
            return checked(old, new);
        }
        Err(error) => return Err(error),
    }
    rustix::fs::unlinkat(&old.dir, &old.name, AtFlags::empty()).inspect_err(|_| {
        let _ = rustix::fs::unlinkat(&new.dir, &new.name, AtFlags::empty());
    })
}

/// Looks, then renames: all that is left where the file system offers nothing better.
fn checked(old: &Spot, new: &Spot) -> Result<(), Errno> {
    if new.stat().is_ok() {
        return Err(Errno::EXIST);
    }
    plainly(old, new)
}

#[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
pub(super) fn rename_no_replace(
    old_dir: &Dir,
    old: &OsStr,
    new_dir: &Dir,
    new: &OsStr,
) -> Result<(), Errno> {
    let flags = rustix::fs::RenameFlags::NOREPLACE;
    rustix::fs::renameat_with(old_dir, old, new_dir, new, flags)
}

#[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple")))]
pub(super) fn rename_no_replace(_: &Dir, _: &OsStr, _: &Dir, _: &OsStr) -> Result<(), Errno> {
    Err(Errno::NOSYS)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use cap_std::ambient_authority;

    use super::*;

    fn spot(folder: &Path, name: &str) -> Spot {
        let dir = Dir::open_ambient_dir(folder, ambient_authority()).unwrap();
        Spot { dir: dir.into(), name: name.into() }
    }

    /// The ways for file systems that cannot rename to a free name by themselves.
    #[test]
    fn by_hand_nothing_is_replaced_either() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| spot(folder.path(), name);
        for way in [linked, checked] {
            fs::write(folder.path().join("a"), "a").unwrap();
            fs::write(folder.path().join("b"), "b").unwrap();
            assert_eq!(way(&at("a"), &at("b")), Err(Errno::EXIST));
            way(&at("a"), &at("c")).unwrap();
            assert_eq!(fs::read_to_string(folder.path().join("b")).unwrap(), "b");
            assert_eq!(fs::read_to_string(folder.path().join("c")).unwrap(), "a");
            assert!(!folder.path().join("a").exists());
            fs::remove_file(folder.path().join("c")).unwrap();
        }
    }

    #[test]
    fn another_name_of_the_same_file_is_no_obstacle() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("a"), "a").unwrap();
        fs::hard_link(folder.path().join("a"), folder.path().join("b")).unwrap();
        rename(&spot(folder.path(), "a"), &spot(folder.path(), "b"), false).unwrap();
        assert_eq!(fs::read_to_string(folder.path().join("b")).unwrap(), "a");
    }
}
