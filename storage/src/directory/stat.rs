//! What the system knows of an entry of a folder, or of an open file, by one question.

use rustix::fd::AsFd;
use rustix::fs::{AtFlags, FileType, RawMode, Stat as RawStat};
#[cfg(any(target_os = "linux", target_os = "android"))]
use rustix::fs::{Statx, StatxAttributes, StatxFlags, makedev};
use rustix::io::Errno;
use wharf_core::WallTime;

/// What is known of a file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stat {
    pub(super) kind: FileType,
    /// The lowest twelve bits.
    pub(super) mode: u32,
    pub(super) size: u64,
    pub(super) device: u64,
    pub(super) inode: u64,
    pub(super) links: u64,
    pub(super) owner: u32,
    pub(super) group: u32,
    pub(super) accessed: WallTime,
    pub(super) modified: WallTime,
    changed: WallTime,
    /// Bytes can only be added to it (`chattr +a`).
    pub(super) only_grows: bool,
}

/// What tells one state of a file's attributes from the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    device: u64,
    inode: u64,
    changed: WallTime,
}

impl Stat {
    /// Looks at the entry `name` of `dir`; a link is not followed.
    pub(super) fn at(dir: impl AsFd, name: &std::ffi::OsStr) -> Result<Self, Errno> {
        look(dir, name.as_encoded_bytes(), AtFlags::SYMLINK_NOFOLLOW)
    }

    /// Does the same without a question to a file server, and mounts nothing: for those who must not
    /// wait.
    #[cfg(target_os = "linux")]
    pub(super) fn at_hand(dir: impl AsFd, name: &std::ffi::OsStr) -> Result<Self, Errno> {
        let flags = AtFlags::SYMLINK_NOFOLLOW | AtFlags::NO_AUTOMOUNT | AtFlags::STATX_DONT_SYNC;
        look(dir, name.as_encoded_bytes(), flags)
    }

    /// Looks at an open file.
    pub(super) fn of(file: impl AsFd) -> Result<Self, Errno> {
        #[cfg(any(target_os = "linux", target_os = "android"))]
        return look(file, b"", AtFlags::EMPTY_PATH);
        #[cfg(not(any(target_os = "linux", target_os = "android")))]
        return rustix::fs::fstat(file).map(|stat| of_stat(&stat));
    }

    pub(super) fn is_file(&self) -> bool {
        self.kind == FileType::RegularFile
    }

    pub(super) fn is_dir(&self) -> bool {
        self.kind == FileType::Directory
    }

    pub(super) fn is_symlink(&self) -> bool {
        self.kind == FileType::Symlink
    }

    /// Returns `true` if both are of one file, whatever its names.
    pub(super) fn is_same_file(&self, other: &Self) -> bool {
        (self.device, self.inode) == (other.device, other.inode)
    }

    pub(super) fn stamp(&self) -> Stamp {
        Stamp { device: self.device, inode: self.inode, changed: self.changed }
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn look(dir: impl AsFd, name: &[u8], flags: AtFlags) -> Result<Stat, Errno> {
    let dir = dir.as_fd();
    match rustix::fs::statx(dir, name, flags, StatxFlags::BASIC_STATS) {
        Ok(stat) => Ok(of_statx(&stat)),
        // A sandbox may not know the call, and the older one not what is particular to this.
        Err(Errno::NOSYS | Errno::PERM) if name.is_empty() => {
            rustix::fs::fstat(dir).map(|stat| of_stat(&stat))
        }
        Err(Errno::NOSYS | Errno::PERM) => {
            rustix::fs::statat(dir, name, AtFlags::SYMLINK_NOFOLLOW).map(|stat| of_stat(&stat))
        }
        Err(error) => Err(error),
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn look(dir: impl AsFd, name: &[u8], flags: AtFlags) -> Result<Stat, Errno> {
    rustix::fs::statat(dir, name, flags).map(|stat| of_stat(&stat))
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn of_statx(stat: &Statx) -> Stat {
    let time = |time: rustix::fs::StatxTimestamp| WallTime {
        seconds: time.tv_sec,
        nanoseconds: time.tv_nsec,
    };
    let mode = stat.stx_mode.into();
    Stat {
        kind: FileType::from_raw_mode(mode),
        mode: mode & 0o7777,
        size: stat.stx_size,
        device: makedev(stat.stx_dev_major, stat.stx_dev_minor),
        inode: stat.stx_ino,
        links: stat.stx_nlink.into(),
        owner: stat.stx_uid,
        group: stat.stx_gid,
        accessed: time(stat.stx_atime),
        modified: time(stat.stx_mtime),
        changed: time(stat.stx_ctime),
        only_grows: stat.stx_attributes.contains(StatxAttributes::APPEND),
    }
}

// The types of the fields differ among systems.
#[allow(clippy::unnecessary_cast, clippy::useless_conversion)]
fn of_stat(stat: &RawStat) -> Stat {
    let time = |seconds, nanoseconds| WallTime { seconds, nanoseconds };
    let mode = stat.st_mode as RawMode;
    Stat {
        kind: FileType::from_raw_mode(mode),
        mode: u32::from(mode) & 0o7777,
        size: stat.st_size as u64,
        device: stat.st_dev as u64,
        inode: stat.st_ino as u64,
        links: stat.st_nlink as u64,
        owner: stat.st_uid,
        group: stat.st_gid,
        accessed: time(stat.st_atime as i64, u32::try_from(stat.st_atime_nsec).unwrap_or(0)),
        modified: time(stat.st_mtime as i64, u32::try_from(stat.st_mtime_nsec).unwrap_or(0)),
        changed: time(stat.st_ctime as i64, u32::try_from(stat.st_ctime_nsec).unwrap_or(0)),
        only_grows: false,
    }
}
