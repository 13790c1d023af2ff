//! Writing a file of a folder.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use cap_std::fs::{Dir, Metadata as Stat, MetadataExt};
use rustix::fs::{AtFlags, Mode, OFlags};
use rustix::io::Errno;
use wharf_core::{Disposition, StorageError, VirtualPath, WriteMode};

use super::read::open_regular;
use super::{Directory, Spot, errno, metadata, storage_error};
use crate::storage::WriteFile;
use crate::storage::names::{RESERVED, random};

/// How often a name is invented until it must be somebody's doing that it is taken.
const NAME_ATTEMPTS: usize = 32;

/// Opens the file at `path` for writing.
///
/// A link is resolved once, and what it leads to is written; one that leads nowhere, or out of
/// the tree, is [`StorageError::PermissionDenied`]. So is a file that the process may not write,
/// even where the directory would let it be replaced.
pub(super) fn open(
    tree: &Directory,
    path: &VirtualPath,
    mode: &WriteMode,
) -> Result<Box<dyn WriteFile>, StorageError> {
    let (spot, old) = examine(tree, path, mode)?;
    let existed = old.is_some();
    let flags = OFlags::WRONLY | if mode.may_create() { OFlags::CREATE } else { OFlags::empty() };
    let file = match *mode {
        WriteMode::Replace { atomic: true } => {
            return Ok(Box::new(Beside::create(spot, old.as_ref(), false)?));
        }
        WriteMode::Create { atomic: true } => {
            return Ok(Box::new(Beside::create(spot, None, true)?));
        }
        WriteMode::Create { atomic: false } => open_regular(&spot, flags | OFlags::EXCL)?,
        WriteMode::Replace { atomic: false } => {
            let file = open_regular(&spot, flags)?;
            file.set_len(0).map_err(|e| storage_error(&e))?;
            file
        }
        WriteMode::ResumeAt(offset) => {
            let mut file = open_regular(&spot, flags)?;
            if offset > file.metadata().map_err(|e| storage_error(&e))?.len() {
                return Err(StorageError::BadOffset);
            }
            file.seek(SeekFrom::Start(offset)).map_err(|e| storage_error(&e))?;
            file
        }
        WriteMode::Append { .. } => open_regular(&spot, flags | OFlags::APPEND)?,
    };
    let placeholder = (!existed).then(|| Temporary { dir: spot.dir, name: Some(spot.name) });
    Ok(Box::new(InPlace { file, existed, placeholder }))
}

/// Checks whether the file at `path` could be opened like this, and creates nothing.
pub(super) fn check(
    tree: &Directory,
    path: &VirtualPath,
    mode: &WriteMode,
) -> Result<(), StorageError> {
    let (spot, old) = examine(tree, path, mode)?;
    match (mode, old) {
        (WriteMode::ResumeAt(offset), Some(old)) if *offset > old.len() => {
            Err(StorageError::BadOffset)
        }
        (mode, None) if !mode.may_create() => Err(StorageError::NotFound),
        (_, None) if !metadata::can_change(&spot.dir, OsStr::new(".")) => {
            Err(StorageError::PermissionDenied)
        }
        _ => Ok(()),
    }
}

/// Finds where a file is to be written, and what stands there: a regular file that may be written,
/// or nothing.
fn examine(
    tree: &Directory,
    path: &VirtualPath,
    mode: &WriteMode,
) -> Result<(Spot, Option<Stat>), StorageError> {
    if let WriteMode::Create { .. } = mode {
        if path.is_root() {
            return Err(StorageError::IsADirectory);
        }
        let spot = tree.locate_new(path)?;
        return match spot.stat() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok((spot, None)),
            Err(error) => Err(storage_error(&error)),
            Ok(_) => Err(StorageError::AlreadyExists),
        };
    }
    let (spot, old) = locate(tree, path)?;
    if let Some(old) = &old {
        metadata::regular(old)?;
        if !metadata::can_write(&spot.dir, &spot.name) {
            return Err(StorageError::PermissionDenied);
        }
    }
    Ok((spot, old))
}

/// Finds where a file is to be written, and what stands there.
fn locate(tree: &Directory, path: &VirtualPath) -> Result<(Spot, Option<Stat>), StorageError> {
    if path.is_root() {
        return Err(StorageError::IsADirectory);
    }
    let spot = tree.locate_new(path)?;
    match spot.stat() {
        Ok(stat) if stat.is_symlink() => match tree.follow(path) {
            Ok((spot, stat)) => Ok((spot, Some(stat))),
            Err(StorageError::NotFound) => Err(StorageError::PermissionDenied),
            Err(error) => Err(error),
        },
        Ok(stat) => Ok((spot, Some(stat))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok((spot, None)),
        Err(error) => Err(storage_error(&error)),
    }
}

/// A file that is written where it stands: what was written stays, however the transfer ends.
struct InPlace {
    file: File,
    existed: bool,
    /// The file came into being for this, and is still empty: it goes if nothing comes of it.
    placeholder: Option<Temporary>,
}

impl WriteFile for InPlace {
    fn existed(&self) -> bool {
        self.existed
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), StorageError> {
        self.keep();
        self.file.write_all(bytes).map_err(|e| storage_error(&e))
    }

    fn finish(mut self: Box<Self>, disposition: Disposition) -> Result<(), StorageError> {
        if disposition != Disposition::Discard {
            self.keep();
        }
        Ok(())
    }
}

impl InPlace {
    fn keep(&mut self) {
        if let Some(mut placeholder) = self.placeholder.take() {
            placeholder.name = None;
        }
    }
}

impl Drop for InPlace {
    fn drop(&mut self) {
        // Another session may have written to it meanwhile, or put another file in its place: then
        // what stands there stays.
        let Some(Temporary { dir, name: Some(name) }) = &self.placeholder else { return };
        let (Ok(own), Ok(there)) = (rustix::fs::fstat(&self.file), dir.symlink_metadata(name))
        else {
            return self.keep();
        };
        if own.st_size != 0 || (own.st_dev, own.st_ino) != (there.dev(), there.ino()) {
            self.keep();
        }
    }
}

/// A file that is written beside the one whose place it takes in the end.
///
/// It belongs to the process's user, whoever the old file belonged to.
struct Beside {
    file: File,
    existed: bool,
    temporary: Temporary,
    name: OsString,
    /// Nothing is to be replaced.
    only_new: bool,
}

impl Beside {
    fn create(target: Spot, old: Option<&Stat>, only_new: bool) -> Result<Self, StorageError> {
        for _ in 0..NAME_ATTEMPTS {
            let mut temporary = RESERVED.to_vec();
            temporary.extend_from_slice(format!("{:016x}", random()?).as_bytes());
            let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
            // Nobody is to read the new content who could not read the old.
            let mode = Mode::from_raw_mode(if old.is_some() { 0o600 } else { 0o666 });
            match rustix::fs::openat(&target.dir, OsStr::from_bytes(&temporary), flags, mode) {
                Ok(file) => {
                    let Spot { dir, name } = target;
                    let temporary = Temporary { dir, name: Some(OsString::from_vec(temporary)) };
                    if let Some(old) = old {
                        carry_mode(&file, old);
                    }
                    let existed = old.is_some();
                    let file = file.into();
                    return Ok(Self { file, existed, temporary, name, only_new });
                }
                Err(Errno::EXIST) => {}
                Err(error) => return Err(errno(error)),
            }
        }
        Err(StorageError::AlreadyExists)
    }
}

impl WriteFile for Beside {
    fn existed(&self) -> bool {
        self.existed
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), StorageError> {
        self.file.write_all(bytes).map_err(|e| storage_error(&e))
    }

    fn finish(self: Box<Self>, disposition: Disposition) -> Result<(), StorageError> {
        match disposition {
            Disposition::Publish if self.only_new => self.temporary.take_free(&self.name),
            Disposition::Publish => self.temporary.replace(&self.name),
            Disposition::KeepPartial => match self.temporary.take_free(&self.name) {
                Err(StorageError::AlreadyExists) => Ok(()),
                outcome => outcome,
            },
            Disposition::Discard => Ok(()),
        }
    }
}

/// Gives the new file the permissions of the old; not every file system has any.
fn carry_mode(file: impl rustix::fd::AsFd, old: &Stat) {
    let mode = Mode::from_raw_mode((old.mode() & 0o777) as rustix::fs::RawMode);
    if let Err(error) = rustix::fs::fchmod(file, mode) {
        log::debug!("a replaced file does not keep its mode: {error}");
    }
}

/// The name of an unfinished upload; it is removed when this is dropped.
struct Temporary {
    dir: Dir,
    /// `None` once the name is gone.
    name: Option<OsString>,
}

impl Temporary {
    /// Puts the file in the place of whatever file stands at `name`.
    fn replace(mut self, name: &OsStr) -> Result<(), StorageError> {
        let Some(own) = &self.name else { return Ok(()) };
        rustix::fs::renameat(&self.dir, own, &self.dir, name).map_err(errno)?;
        self.name = None;
        Ok(())
    }

    /// Gives the file its name unless another has it; then the file goes.
    fn take_free(mut self, name: &OsStr) -> Result<(), StorageError> {
        let Some(own) = &self.name else { return Ok(()) };
        match rename_to_free(&self.dir, own, name) {
            Ok(()) => self.name = None,
            // A link of a second name does the same where the file system cannot rename so; the
            // first name goes with `self`.
            Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {
                return rustix::fs::linkat(&self.dir, own, &self.dir, name, AtFlags::empty())
                    .map_err(errno);
            }
            Err(error) => return Err(errno(error)),
        }
        Ok(())
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if let Some(name) = &self.name
            && let Err(error) = rustix::fs::unlinkat(&self.dir, name, AtFlags::empty())
        {
            log::debug!("an unfinished upload stays behind: {error}");
        }
    }
}

#[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
fn rename_to_free(dir: &Dir, from: &OsStr, to: &OsStr) -> Result<(), Errno> {
    rustix::fs::renameat_with(dir, from, dir, to, rustix::fs::RenameFlags::NOREPLACE)
}

#[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple")))]
fn rename_to_free(_: &Dir, _: &OsStr, _: &OsStr) -> Result<(), Errno> {
    Err(Errno::NOSYS)
}
