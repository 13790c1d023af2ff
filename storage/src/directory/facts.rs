//! Setting the time and the mode of a file or directory.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use cap_std::fs::Permissions;
use rustix::fs::{AtFlags, Timespec, Timestamps};
use wharf_core::{StorageError, WallTime};

use super::stat::Stat;
use super::{Spot, errno, metadata, storage_error};

/// How far a time may be from the one that was set: FAT counts in steps of two seconds.
const COARSEST_SECONDS: u64 = 2;

/// Sets when the content of what stands at `spot` last changed. A file system that leaves it as it
/// is, or cannot express the time, is [`StorageError::Unsupported`].
pub(super) fn set_modified(spot: &Spot, stat: &Stat, to: WallTime) -> Result<(), StorageError> {
    // FUSE file systems by libfuse 2 ignore a call that leaves out one of the two times.
    let accessed =
        Timespec { tv_sec: stat.accessed.seconds, tv_nsec: stat.accessed.nanoseconds.into() };
    let modified = Timespec { tv_sec: to.seconds, tv_nsec: to.nanoseconds.min(999_999_999).into() };
    let times = Timestamps { last_access: accessed, last_modification: modified };
    rustix::fs::utimensat(&spot.dir, &spot.name, &times, AtFlags::SYMLINK_NOFOLLOW)
        .map_err(errno)?;
    let is = spot.stat().map_err(errno)?.modified.seconds;
    if is.abs_diff(to.seconds) <= COARSEST_SECONDS {
        Ok(())
    } else {
        Err(StorageError::Unsupported)
    }
}

/// Sets the lowest nine bits of the mode. A file system that leaves them as they are is
/// [`StorageError::Unsupported`].
pub(super) fn set_mode(spot: &Spot, stat: &Stat, mode: u32) -> Result<(), StorageError> {
    // cap-std may have to open what it changes, which is not to happen to a FIFO or a device.
    if !stat.is_dir() {
        metadata::regular(stat)?;
    }
    // A directory keeps the bit that hands its group down to what is created in it.
    let kept = if stat.is_dir() { stat.mode & 0o7000 } else { 0 };
    let permissions = Permissions::from_std(fs::Permissions::from_mode(mode & 0o777 | kept));
    spot.dir.set_permissions(&spot.name, permissions).map_err(storage_error)?;
    let is = spot.stat().map_err(errno)?.mode;
    if is & 0o777 == mode & 0o777 { Ok(()) } else { Err(StorageError::Unsupported) }
}
