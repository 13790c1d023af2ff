//! Renaming, and what may stand at the new name.

use std::ffi::OsStr;

use cap_std::fs::{Dir, Metadata as Stat, MetadataExt};
use rustix::fs::AtFlags;
use rustix::io::Errno;
use wharf_core::StorageError;

use super::{Spot, errno, storage_error};

/// Renames `old` to `new`.
///
/// A file that stands there is replaced only where `replace` is set. A directory replaces nothing.
/// Another name of the same file is no obstacle: on a file system that ignores case it may be the
/// very name.
pub(super) fn rename(old: &Spot, new: &Spot, replace: bool) -> Result<(), StorageError> {
    let moved = old.stat().map_err(|e| storage_error(&e))?;
    let there = new.stat().ok();
    if there.as_ref().is_some_and(|there| is_same(&moved, there)) || replace && !moved.is_dir() {
        return plainly(old, new).map_err(errno);
    }
    match to_free_name(old, new, moved.is_dir()) {
        Err(Errno::EXIST) if moved.is_dir() && !new.stat().is_ok_and(|stat| stat.is_dir()) => {
            Err(StorageError::NotADirectory)
        }
        Err(Errno::EXIST) if !moved.is_dir() && new.stat().is_ok_and(|stat| stat.is_dir()) => {
            Err(StorageError::IsADirectory)
        }
        outcome => outcome.map_err(errno),
    }
}

fn plainly(old: &Spot, new: &Spot) -> Result<(), Errno> {
    rustix::fs::renameat(&old.dir, &old.name, &new.dir, &new.name)
}

fn is_same(one: &Stat, other: &Stat) -> bool {
    (one.dev(), one.ino()) == (other.dev(), other.ino())
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
fn rename_no_replace(old_dir: &Dir, old: &OsStr, new_dir: &Dir, new: &OsStr) -> Result<(), Errno> {
    let flags = rustix::fs::RenameFlags::NOREPLACE;
    rustix::fs::renameat_with(old_dir, old, new_dir, new, flags)
}

#[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple")))]
fn rename_no_replace(_: &Dir, _: &OsStr, _: &Dir, _: &OsStr) -> Result<(), Errno> {
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
        Spot { dir, name: name.into() }
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
