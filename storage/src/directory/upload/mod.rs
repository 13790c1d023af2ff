//! Writing a file of a folder.
//!
//! A file is received beside the one whose place it takes in one step, wherever that is possible
//! and keeps what the old one has; else it is written where it stands.

mod beside;
mod in_place;

use std::ffi::OsStr;
use std::fs::File;
use std::os::fd::BorrowedFd;
#[cfg(target_os = "linux")]
use std::sync::Arc;

#[cfg(target_os = "linux")]
use cap_std::fs::Dir;
use rustix::io::Errno;
use wharf_core::{StorageError, VirtualPath, WriteMode};

use self::beside::Beside;
use self::in_place::InPlace;
#[cfg(target_os = "linux")]
use super::check_new;
use super::stat::Stat;
use super::{Directory, Spot, errno, metadata};
use crate::WriteFile;

/// How large what is freed at once may be, in bytes.
const SMALL: u64 = 16 * 1024 * 1024;

/// How large a file in memory may be that is emptied before the reply, in bytes.
pub(super) const EMPTIED_AT_ONCE: u64 = 1024 * 1024;

/// Where a file is to be written, links in its last component not followed.
pub(super) struct Place<'a> {
    tree: &'a Directory,
    path: &'a VirtualPath,
    spot: Spot,
    /// On this device, which is in memory, or not now.
    in_memory: Option<u64>,
}

impl<'a> Place<'a> {
    /// Finds it.
    pub(super) fn find(tree: &'a Directory, path: &'a VirtualPath) -> Result<Self, StorageError> {
        Ok(Self { tree, path, spot: tree.locate_new(path)?, in_memory: None })
    }

    /// Takes the directory that holds it, whose own path has been checked, on this device in memory. What
    /// lies on another, or takes its time to be freed, is [`StorageError::WouldBlock`].
    #[cfg(target_os = "linux")]
    pub(super) fn in_memory(
        dir: Arc<Dir>,
        device: u64,
        tree: &'a Directory,
        path: &'a VirtualPath,
    ) -> Result<Self, StorageError> {
        check_new(path)?;
        let spot = Spot::in_directory(dir, path);
        Ok(Self { tree, path, spot, in_memory: Some(device) })
    }

    /// Finds what stands there, and where it leads to; for a file that is to be `new`, nothing may.
    fn look(&self, new: bool) -> Result<(Spot, Option<Stat>), StorageError> {
        let Self { tree, path, spot, .. } = self;
        if path.is_root() {
            return Err(StorageError::IsADirectory);
        }
        match spot.stat() {
            Ok(_) if new => Err(StorageError::AlreadyExists),
            Ok(stat)
                if self.in_memory.is_some_and(|device| {
                    stat.is_symlink() || stat.device != device || stat.size > SMALL
                }) =>
            {
                Err(StorageError::WouldBlock)
            }
            Ok(stat) if stat.is_symlink() => match tree.follow(path) {
                Ok((spot, stat)) => Ok((spot, Some(stat))),
                Err(StorageError::NotFound) => Err(StorageError::PermissionDenied),
                Err(error) => Err(error),
            },
            Ok(stat) => Ok((spot.clone(), Some(stat))),
            Err(Errno::NOENT) => Ok((spot.clone(), None)),
            Err(error) => Err(errno(error)),
        }
    }
}

/// Opens the file at `place` for writing.
///
/// A link is resolved once, and what it leads to is written; one that leads nowhere, or out of
/// the tree, is [`StorageError::PermissionDenied`]. So is a file that the process may not write,
/// even where the directory would let it be replaced.
///
/// Where all this happens in memory, the file says so, as long as it is small: even memory takes its
/// time to be freed.
pub(super) fn open(
    place: &Place<'_>,
    mode: &WriteMode,
) -> Result<Box<dyn WriteFile>, StorageError> {
    let (spot, old) = judge(place, mode)?;
    let durability = place.tree.durability;
    let room = if place.in_memory.is_some() { SMALL } else { 0 };
    let in_place =
        |spot| Ok(Box::new(InPlace::open(spot, mode, durability, old.is_some(), room)?) as _);
    let fresh = match mode {
        WriteMode::Replace { atomic: true } => false,
        WriteMode::Create { atomic: true } => true,
        _ => return in_place(spot),
    };
    match Beside::create(spot.clone(), durability, old.as_ref(), fresh, room) {
        Ok(file) => Ok(Box::new(file)),
        // The directory may not be written, but the file may.
        Err(StorageError::PermissionDenied | StorageError::ReadOnly) if old.is_some() => {
            in_place(spot)
        }
        Err(error) => Err(error),
    }
}

/// Checks whether the file at `place` could be opened, without creating or changing anything.
pub(super) fn check(place: &Place<'_>, mode: &WriteMode) -> Result<(), StorageError> {
    judge(place, mode).map(drop)
}

/// Returns `true` if the disk, or what a user may have of it, is full.
fn is_for_want_of_space(error: StorageError) -> bool {
    matches!(error, StorageError::NoSpace | StorageError::QuotaExceeded)
}

/// Moves up to `count` bytes from a pipe to where the file stands; `None` where the file system, or a
/// file that is opened to append, takes none.
#[cfg(target_os = "linux")]
fn splice(file: &File, pipe: BorrowedFd<'_>, count: usize) -> Option<Result<usize, StorageError>> {
    use rustix::pipe::SpliceFlags;

    loop {
        match rustix::pipe::splice(pipe, None, file, None, count, SpliceFlags::MOVE) {
            Err(Errno::INTR) => {}
            Err(Errno::INVAL) => return None,
            outcome => return Some(outcome.map_err(errno)),
        }
    }
}

#[cfg(not(target_os = "linux"))]
fn splice(_: &File, _: BorrowedFd<'_>, _: usize) -> Option<Result<usize, StorageError>> {
    None
}

/// Finds where a file is to be written, and what stands there; an error says that it cannot be.
fn judge(place: &Place<'_>, mode: &WriteMode) -> Result<(Spot, Option<Stat>), StorageError> {
    let (spot, old) = place.look(matches!(mode, WriteMode::Create { .. }))?;
    match &old {
        Some(old) => {
            metadata::regular(old)?;
            metadata::check_write(&spot.dir, &spot.name)?;
            match *mode {
                WriteMode::ResumeAt(offset) if offset > old.size => {
                    return Err(StorageError::BadOffset);
                }
                WriteMode::Append { .. } => {}
                // A file that only grows takes nothing else.
                _ if old.only_grows => return Err(StorageError::PermissionDenied),
                _ => {}
            }
        }
        None if mode.may_create() => metadata::check_change(&spot.dir, OsStr::new("."))?,
        None => return Err(StorageError::NotFound),
    }
    Ok((spot, old))
}
