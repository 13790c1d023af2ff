//! What uploads have left that a crash cut off.

use std::ffi::OsStr;
use std::fs::File;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use cap_std::fs::Dir;
use rustix::fs::{AtFlags, FileType, FlockOperation, Mode, OFlags};
use rustix::io::Errno;

use super::Spot;
use super::rename::is_same_file;
use crate::names::is_reserved;

/// How many directories may wait to be looked at; what lies below more is left.
const WAITING_AT_MOST: usize = 100_000;

/// For how long nothing may have been written to what is taken for left on a network file system,
/// where a lock may say nothing of another machine's uploads.
const IDLE_ON_THE_NETWORK: Duration = Duration::from_secs(3600);

/// Removes all remains in the tree, and returns how many there were.
pub(super) fn remove_below(root: &Dir) -> usize {
    let Some(device) = rustix::fs::fstat(root).ok().map(|stat| stat.st_dev) else { return 0 };
    let mut waiting = vec![PathBuf::new()];
    let mut removed = 0;
    while let Some(path) = waiting.pop() {
        let Ok(open) = descend(root, &path) else { continue };
        if !rustix::fs::fstat(&open).is_ok_and(|stat| stat.st_dev == device) {
            continue;
        }
        let walked = entries(&open, |name, kind| {
            if is_reserved(name.as_bytes()) {
                removed += usize::from(remove(&open, name, &path));
            } else if kind != FileType::RegularFile && waiting.len() < WAITING_AT_MOST {
                waiting.push(path.join(name));
            }
            true
        });
        if let Err(error) = walked {
            log::debug!("{path:?} is not searched for unfinished uploads: {error}");
        }
    }
    removed
}

/// Removes the remains from a directory that has nothing else in it, and returns `true` if it is
/// empty then.
pub(super) fn remove_from(spot: &Spot) -> bool {
    let Ok(open) = open_directory(&spot.dir, &spot.name) else { return false };
    let mut names = Vec::new();
    let walked = entries(&open, |name, _| {
        names.push(name.to_owned());
        is_reserved(name.as_bytes())
    });
    walked.is_ok()
        && names.iter().all(|name| is_reserved(name.as_bytes()))
        && names.iter().all(|name| remove(&open, name, Path::new(&spot.name)))
}

/// Opens a directory of the tree, step by step, so that no link is followed.
fn descend(root: &Dir, path: &Path) -> Result<OwnedFd, Errno> {
    let mut open = open_directory(root, OsStr::new("."))?;
    for name in path {
        open = open_directory(&open, name)?;
    }
    Ok(open)
}

fn open_directory(dir: impl rustix::fd::AsFd, name: &OsStr) -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::openat(dir, name, flags, Mode::empty())
}

/// Shows each entry to `seen`, until it has seen enough.
fn entries(dir: &OwnedFd, mut seen: impl FnMut(&OsStr, FileType) -> bool) -> Result<(), Errno> {
    let mut listed = rustix::fs::Dir::read_from(dir)?;
    while let Some(entry) = listed.read() {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        if name != b"." && name != b".." && !seen(OsStr::from_bytes(name), entry.file_type()) {
            break;
        }
    }
    Ok(())
}

/// Removes the file if no process holds it locked, and logs it.
fn remove(dir: &OwnedFd, name: &OsStr, below: &Path) -> bool {
    let Some(file) = open_file(dir, name) else { return false };
    let Some(stat) = file.metadata().ok().filter(std::fs::Metadata::is_file) else { return false };
    // Without locks there is no knowing.
    if rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
        return false;
    }
    let is_idle = || {
        let since = stat.modified().ok().and_then(|time| time.elapsed().ok());
        since.is_some_and(|since| since >= IDLE_ON_THE_NETWORK)
    };
    // It was locked in time, or it got its final name.
    if !is_same_file(dir, name, &file) || is_on_the_network(&file) && !is_idle() {
        return false;
    }
    let removed = rustix::fs::unlinkat(dir, name, AtFlags::empty());
    let path = below.join(name);
    match removed {
        Ok(()) => log::warn!(
            "removed {}, {} bytes: what an upload left that a crash cut off",
            path.display(),
            stat.size()
        ),
        Err(error) => log::warn!("cannot remove the unfinished upload {}: {error}", path.display()),
    }
    removed.is_ok()
}

/// Opens the file, for writing where that is possible: a network file system locks no other.
fn open_file(dir: &OwnedFd, name: &OsStr) -> Option<File> {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    [OFlags::RDWR, OFlags::RDONLY].into_iter().find_map(|access| {
        rustix::fs::openat(dir, name, flags | access, Mode::empty()).ok().map(File::from)
    })
}

/// Returns `true` if other machines may have the file open too.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn is_on_the_network(file: &File) -> bool {
    /// NFS, SMB, SMB 2, CIFS, AFS, Ceph, 9P.
    const NETWORK: [u64; 7] =
        [0x6969, 0x517b, 0xfe53_4d42, 0xff53_4d42, 0x5346_414f, 0x00c3_6400, 0x0102_1997];
    #[allow(clippy::unnecessary_cast, reason = "its width differs from machine to machine")]
    rustix::fs::fstatfs(file)
        .is_ok_and(|stat| NETWORK.contains(&(stat.f_type as u64 & 0xffff_ffff)))
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn is_on_the_network(_: &File) -> bool {
    true
}
