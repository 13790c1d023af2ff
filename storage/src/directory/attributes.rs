//! What a file keeps when its content is replaced: owner, group, mode, ACL, extended attributes.

use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;

use rustix::fs::{Gid, Mode, RawMode, Uid};

/// What tells one state of a file's attributes from the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    device: u64,
    inode: u64,
    changed: (i64, i64),
}

impl Stamp {
    pub(super) fn of(stat: &impl Changed) -> Self {
        let (device, inode, changed) = stat.changed();
        Self { device, inode, changed }
    }
}

/// What std's and cap-std's metadata have in common.
pub(super) trait Changed {
    fn changed(&self) -> (u64, u64, (i64, i64));
}

impl Changed for Metadata {
    fn changed(&self) -> (u64, u64, (i64, i64)) {
        (self.dev(), self.ino(), (self.ctime(), self.ctime_nsec()))
    }
}

impl Changed for cap_std::fs::Metadata {
    fn changed(&self) -> (u64, u64, (i64, i64)) {
        use cap_std::fs::MetadataExt;
        (self.dev(), self.ino(), (self.ctime(), self.ctime_nsec()))
    }
}

/// Gives `new` the attributes of `old`, whose place it is to take.
///
/// An error says that not all can be kept, and that `new` must not take the place: it could be read
/// or written by more than `old` could, or by fewer. Times are those of the new content.
pub(super) fn carry(old: &File, new: &File) -> io::Result<()> {
    let want = old.metadata()?;
    let has = new.metadata()?;
    let mode = want.mode() & 0o7777;
    // Nothing is open to more than the owner while it changes.
    let private = has.mode() & mode & 0o700;
    if (has.mode() & 0o7777) != mode && (has.mode() & 0o7777) != private {
        set_mode(new, private)?;
    }
    if (has.uid(), has.gid()) != (want.uid(), want.gid()) {
        let (owner, group) = (Uid::from_raw(want.uid()), Gid::from_raw(want.gid()));
        rustix::fs::fchown(new, Some(owner), Some(group))?;
    }
    extended::carry(old, new)?;
    set_mode(new, mode)?;
    // Not every file system does what it was told.
    let is = new.metadata()?;
    let kept =
        (is.uid(), is.gid()) == (want.uid(), want.gid()) && is.mode() & 0o777 == mode & 0o777;
    if kept { Ok(()) } else { Err(io::ErrorKind::Unsupported.into()) }
}

fn set_mode(file: &File, mode: u32) -> io::Result<()> {
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

    /// Makes the extended attributes of `new` those of `old`; a POSIX ACL is one of them.
    pub(super) fn carry(old: &File, new: &File) -> io::Result<()> {
        let (wanted, present) = (names(old)?, names(new)?);
        for name in &wanted {
            let value = value(old, name)?;
            if !present.contains(name) || self::value(new, name).ok().as_ref() != Some(&value) {
                rustix::fs::fsetxattr(new, name.as_c_str(), &value, XattrFlags::empty())?;
            }
        }
        for name in present.iter().filter(|name| !wanted.contains(name)) {
            // A label of the security module is its own matter.
            if !name.to_bytes().starts_with(b"security.") {
                rustix::fs::fremovexattr(new, name.as_c_str())?;
            }
        }
        if flags(old) == flags(new) { Ok(()) } else { Err(io::ErrorKind::Unsupported.into()) }
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

    pub(super) fn carry(_: &File, _: &File) -> io::Result<()> {
        Ok(())
    }
}
