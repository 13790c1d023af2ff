//! What a file keeps when its content is replaced: owner, group, mode, ACL, extended attributes.

use std::fs::File;
use std::io;

use rustix::fs::{Gid, Mode, RawMode, Uid};

use super::stat::Stat;

/// Gives `new` the attributes of `old`, which are those of `want` as far as it has them, and whose
/// place it is to take.
///
/// An error says that not all can be kept, and that `new` must not take the place: it could be read
/// or written by more than `old` could, or by fewer. Times are those of the new content.
pub(super) fn carry(old: &File, want: &Stat, new: &File) -> io::Result<()> {
    let has = Stat::of(new)?;
    // Nothing is open to more than the owner while it changes.
    let private = has.mode & want.mode & 0o700;
    if has.mode != want.mode && has.mode != private {
        set_mode(new, private)?;
    }
    let other_owner = !is_alike(&has, want);
    if other_owner {
        let (owner, group) = (Uid::from_raw(want.owner), Gid::from_raw(want.group));
        rustix::fs::fchown(new, Some(owner), Some(group))?;
    }
    let has_changed = extended::carry(old, new)? || other_owner;
    if has.mode == want.mode && !has_changed {
        return Ok(());
    }
    set_mode(new, want.mode)?;
    // Not every file system does what it was told.
    let is = Stat::of(new)?;
    let kept = is_alike(&is, want) && is.mode & 0o777 == want.mode & 0o777;
    if kept { Ok(()) } else { Err(io::ErrorKind::Unsupported.into()) }
}

/// Returns `true` if both have the same owner and group.
fn is_alike(one: &Stat, other: &Stat) -> bool {
    (one.owner, one.group) == (other.owner, other.group)
}

/// Sets the lowest twelve bits of the mode.
pub(super) fn set_mode(file: &File, mode: u32) -> io::Result<()> {
    Ok(rustix::fs::fchmod(file, Mode::from_raw_mode(mode as RawMode))?)
}

#[cfg(any(target_os = "linux", target_os = "android"))]
mod extended {
    use std::ffi::{CStr, CString};
    use std::fs::File;
    use std::io;

    use rustix::fs::{IFlags, XattrFlags};
    use rustix::io::Errno;

    /// What speaks of the content, and not of the file: rights of a program, and its signatures.
    const OF_THE_CONTENT: [&[u8]; 3] = [b"security.capability", b"security.ima", b"security.evm"];

    /// How often an attribute is read that grows meanwhile.
    const ATTEMPTS: usize = 4;

    /// Makes the extended attributes of `new` those of `old`; a POSIX ACL is one of them. Returns
    /// `true` if something had to be changed.
    pub(super) fn carry(old: &File, new: &File) -> io::Result<bool> {
        let (wanted, present) = (names(old)?, names(new)?);
        let mut has_changed = false;
        for name in &wanted {
            let value = value(old, name)?;
            if !present.contains(name) || self::value(new, name).ok().as_ref() != Some(&value) {
                rustix::fs::fsetxattr(new, name.as_c_str(), &value, XattrFlags::empty())?;
                has_changed = true;
            }
        }
        for name in present.iter().filter(|name| !wanted.contains(name)) {
            // A label of the security module is its own matter.
            if !name.to_bytes().starts_with(b"security.") {
                rustix::fs::fremovexattr(new, name.as_c_str())?;
                has_changed = true;
            }
        }
        if flags(old) == flags(new) {
            Ok(has_changed)
        } else {
            Err(io::ErrorKind::Unsupported.into())
        }
    }

    fn names(file: &File) -> io::Result<Vec<CString>> {
        let listed = read(|buffer| rustix::fs::flistxattr(file, buffer));
        let listed = match listed {
            Err(Errno::OPNOTSUPP | Errno::NOSYS) => Vec::new(),
            listed => listed?,
        };
        let names = listed.split_inclusive(|&byte| byte == 0);
        let names = names.filter_map(|name| CStr::from_bytes_with_nul(name).ok());
        Ok(names
            .filter(|name| !OF_THE_CONTENT.contains(&name.to_bytes()))
            .map(CStr::to_owned)
            .collect())
    }

    fn value(file: &File, name: &CStr) -> Result<Vec<u8>, Errno> {
        read(|buffer| rustix::fs::fgetxattr(file, name, buffer))
    }

    /// Reads what `ask` puts into a buffer, which has to be large enough.
    fn read(ask: impl Fn(&mut [u8]) -> Result<usize, Errno>) -> Result<Vec<u8>, Errno> {
        let mut buffer = vec![0; 1024];
        for _ in 0..ATTEMPTS {
            match ask(&mut buffer) {
                Err(Errno::RANGE) => {
                    // No room at all asks for the size.
                    let size = ask(&mut [])?;
                    buffer.resize(size.max(buffer.len() * 2), 0);
                }
                answer => {
                    buffer.truncate(answer?);
                    return Ok(buffer);
                }
            }
        }
        Err(Errno::RANGE)
    }

    /// What `chattr` sets and a user would miss.
    fn flags(file: &File) -> IFlags {
        let kept = IFlags::COMPRESSED | IFlags::NOCOW | IFlags::NODUMP | IFlags::NOATIME;
        let kept = kept | IFlags::SYNC | IFlags::JOURNALING;
        rustix::fs::ioctl_getflags(file).map_or(IFlags::empty(), |flags| flags & kept)
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
mod extended {
    use std::fs::File;
    use std::io;

    pub(super) fn carry(_: &File, _: &File) -> io::Result<bool> {
        Ok(false)
    }
}
