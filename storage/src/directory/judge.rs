//! What the process may do with the entries of a folder, asked only once for all that are alike.
//!
//! The question costs nearly as much as looking at an entry. On the usual file systems of the machine
//! the answer follows from owner and mode, and is the same for all entries that have these in common,
//! where the process owns them, or may pass over modes as root does: an ACL has no say then. Of
//! others it might be the ACL that decides, and each is asked about. A security module (SELinux) that
//! tells alike entries apart is not heard. Access is advice in any case: the operation decides.

use std::ffi::OsStr;

use rustix::fd::BorrowedFd;
use rustix::fs::{AtFlags, Statx, StatxAttributes, StatxFlags, fstatfs, makedev, statx};
use rustix::io::Errno;
use rustix::process::geteuid;
use rustix::thread::{CapabilitySet, capabilities};
use wharf_core::{Access, Kind, Metadata, WallTime};

use super::medium::{ON_DISKS, TMPFS};
use super::metadata;

/// How many classes are remembered.
const MOST_CLASSES: usize = 16;

/// The type of overlayfs, statfs(2).
const OVERLAYFS: u32 = 0x794C_7630;

/// The user and the group of whose owners a user namespace does not know (user_namespaces(7)).
const OVERFLOW: u32 = 65534;

/// Looks at the entries of one folder.
pub(super) struct Judge {
    /// Entries can be removed from the folder.
    removable: bool,
    /// Whose entries have their access by their mode; `None` where even that is unknown.
    owner: Option<Owner>,
    known: Vec<(Class, Access)>,
}

#[derive(Clone, Copy)]
enum Owner {
    Anyone,
    User(u32),
}

/// What entries have in common that are alike.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Class {
    /// A mounted file system, or a subvolume of Btrfs, can be read-only.
    device: (u32, u32),
    owner: u32,
    group: u32,
    /// The type too.
    mode: u16,
    /// Such as `chattr +i`.
    attributes: StatxAttributes,
}

impl Judge {
    pub(super) fn new(dir: &BorrowedFd) -> Self {
        let kind = fstatfs(dir).map(|system| system.f_type as u32);
        let usual =
            kind.is_ok_and(|kind| ON_DISKS.contains(&kind) || [TMPFS, OVERLAYFS].contains(&kind));
        let overrides = || {
            capabilities(None).is_ok_and(|own| own.effective.contains(CapabilitySet::DAC_OVERRIDE))
        };
        let owner = || if overrides() { Owner::Anyone } else { Owner::User(geteuid().as_raw()) };
        Self {
            removable: metadata::can_change(dir, OsStr::new(".")),
            owner: usual.then(owner),
            known: Vec::new(),
        }
    }

    /// Looks at the entry `name` of the folder, access included. Where a link leads stays open.
    #[inline(always)]
    pub(super) fn look(
        &mut self,
        dir: &BorrowedFd,
        name: &OsStr,
        entry: &mut Metadata,
    ) -> Result<(), Errno> {
        // As stat(2) does, this leaves alone what is mounted on demand.
        let flags = AtFlags::SYMLINK_NOFOLLOW | AtFlags::NO_AUTOMOUNT;
        let class = match statx(dir, name, flags, StatxFlags::BASIC_STATS) {
            Ok(stat) => {
                *entry = of_statx(&stat);
                self.class(&stat)
            }
            // A sandbox may not know the call.
            Err(Errno::NOSYS | Errno::PERM) => {
                metadata::look(dir, name, entry)?;
                None
            }
            Err(error) => return Err(error),
        };
        let known = self.known.iter().find(|(known, _)| Some(*known) == class);
        entry.access = match known {
            Some((_, access)) => *access,
            None => self.ask(dir, name, &entry.kind, class),
        };
        Ok(())
    }

    fn ask(&mut self, dir: &BorrowedFd, name: &OsStr, kind: &Kind, class: Option<Class>) -> Access {
        let (access, answered) = metadata::ask_access(dir, name, kind, self.removable);
        // One that has gone since says nothing of its like.
        if let Some(class) = class.filter(|_| answered && self.known.len() < MOST_CLASSES) {
            self.known.push((class, access));
        }
        access
    }

    /// Returns the class of an entry whose like all have the same access.
    fn class(&self, stat: &Statx) -> Option<Class> {
        let by_mode = match self.owner? {
            // In a user namespace these two may be anyone's, and there a mode may not be passed over.
            Owner::Anyone => stat.stx_uid != OVERFLOW && stat.stx_gid != OVERFLOW,
            Owner::User(user) => stat.stx_uid == user,
        };
        // What is mounted on the entry is another file system, perhaps read-only. Linux before 5.8
        // does not say so.
        let mount = StatxAttributes::MOUNT_ROOT;
        let here = stat.stx_attributes_mask.contains(mount) && !stat.stx_attributes.contains(mount);
        (by_mode && here).then_some(Class {
            device: (stat.stx_dev_major, stat.stx_dev_minor),
            owner: stat.stx_uid,
            group: stat.stx_gid,
            mode: stat.stx_mode,
            attributes: stat.stx_attributes,
        })
    }
}

fn of_statx(stat: &Statx) -> Metadata {
    let time = stat.stx_mtime;
    let modified = WallTime { seconds: time.tv_sec, nanoseconds: time.tv_nsec };
    let mut metadata = metadata::of_mode(stat.stx_mode.into(), stat.stx_size, modified);
    metadata.links = stat.stx_nlink.into();
    metadata.owner = stat.stx_uid;
    metadata.group = stat.stx_gid;
    metadata.unique = Some((makedev(stat.stx_dev_major, stat.stx_dev_minor), stat.stx_ino));
    metadata
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};

    use rustix::fd::AsFd;

    use super::*;

    #[test]
    fn an_entry_that_has_gone_says_nothing_of_its_like() {
        let folder = tempfile::tempdir().unwrap();
        let dir = File::open(folder.path()).unwrap();
        let (dir, name) = (dir.as_fd(), OsStr::new("file"));
        let mut judge = Judge::new(&dir);
        let create = || fs::write(folder.path().join(name), "").unwrap();
        create();
        let stat = statx(dir, name, AtFlags::empty(), StatxFlags::BASIC_STATS).unwrap();
        let class = judge.class(&stat);
        fs::remove_file(folder.path().join(name)).unwrap();
        let access = judge.ask(&dir, name, &Kind::File, class);
        assert!(!access.read && !access.write);
        create();
        let mut entry = Metadata::directory();
        judge.look(&dir, name, &mut entry).unwrap();
        assert!(entry.access.read && entry.access.write);
    }
}
