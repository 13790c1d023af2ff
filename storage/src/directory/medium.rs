//! Where a folder's files are.

use cap_std::fs::Dir;

/// The types of ext2 to ext4, XFS, Btrfs and F2FS; statfs(2).
#[cfg(target_os = "linux")]
pub(super) const ON_DISKS: [u32; 4] = [0xEF53, 0x5846_5342, 0x9123_683E, 0xF2F5_2010];

/// The type of tmpfs.
#[cfg(target_os = "linux")]
pub(super) const TMPFS: u32 = 0x0102_1994;

/// Where a folder's files are, as far as it matters to those who wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Medium {
    /// In memory alone, on this device: nothing waits.
    Memory {
        /// As stat(2) calls it.
        device: u64,
    },
    /// On a disk of this machine: what the kernel has in its caches does not wait.
    LocalDisk,
    /// Somewhere else, or not known: even a question may take its time.
    Unknown,
}

impl Medium {
    /// Finds out where the folder is.
    #[cfg(target_os = "linux")]
    pub(super) fn of(root: &Dir) -> Self {
        match rustix::fs::fstatfs(root).map(|system| system.f_type as u32) {
            Ok(TMPFS) => match rustix::fs::fstat(root) {
                Ok(stat) => Self::Memory { device: stat.st_dev },
                Err(_) => Self::Unknown,
            },
            Ok(kind) if ON_DISKS.contains(&kind) => Self::LocalDisk,
            _ => Self::Unknown,
        }
    }

    #[cfg(not(target_os = "linux"))]
    pub(super) fn of(_: &Dir) -> Self {
        Self::Unknown
    }
}
