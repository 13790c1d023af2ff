//! A folder of the machine as a storage.

#[cfg(target_os = "linux")]
mod at_once;
mod attributes;
mod durable;
mod facts;
#[cfg_attr(not(any(target_os = "linux", target_os = "android")), path = "judge_absent.rs")]
mod judge;
mod listing;
mod medium;
mod metadata;
mod read;
mod remains;
mod rename;
mod stat;
mod temporary;
mod upload;

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;

use cap_std::ambient_authority;
use cap_std::fs::Dir;
use rustix::fs::{AtFlags, Mode};
use rustix::io::Errno;
use wharf_core::{Metadata, StorageError, VirtualPath, WallTime, WriteMode};

pub use self::durable::Durability;
use self::medium::Medium;
use self::stat::Stat;
use self::upload::Place;
use super::errors::{errno, storage_error};
use super::names::{check_new, check_path, is_reserved};
use super::{Entries, ReadFile, Storage, WriteFile};
use crate::exposure::lies_beneath;

/// A folder of the machine, held as a capability: neither `..` nor a symbolic link leads out of it.
///
/// Symbolic links that stay within the folder are followed; others are seen, but not followed.
/// Names that begin with `.wharf-upload-` belong to unfinished uploads: clients neither see nor
/// touch them. Cloning gives another handle on the same folder.
#[derive(Clone, Debug)]
pub struct Directory {
    root: Arc<Dir>,
    durability: Durability,
    medium: Medium,
}

/// Where an entry stands: a name in an open directory.
///
/// The name is one component, so that operations on it that follow no link cannot leave the
/// directory. The root of the tree is `.` in itself.
#[derive(Clone)]
struct Spot {
    dir: Arc<Dir>,
    name: OsString,
}

impl Spot {
    /// Names what is at `path`, by the directory that holds it.
    fn in_directory(dir: Arc<Dir>, path: &VirtualPath) -> Self {
        let name = OsStr::from_bytes(path.file_name().unwrap_or(b".")).to_owned();
        Self { dir, name }
    }

    fn stat(&self) -> Result<Stat, Errno> {
        Stat::at(&self.dir, &self.name)
    }

    /// Returns why the name cannot be created although nothing stands there: FUSE file
    /// systems say so of a name that they refuse.
    fn refused(&self) -> StorageError {
        match rustix::fs::fstat(&self.dir) {
            Ok(stat) if stat.st_nlink > 0 => StorageError::BadName,
            _ => StorageError::NotFound,
        }
    }

    /// Translates an error of creating something under the name.
    fn creating(&self, error: Errno) -> StorageError {
        if error == Errno::NOENT { self.refused() } else { errno(error) }
    }

    /// Translates an error of removing or renaming what stands there.
    fn taking_away(&self, error: Errno) -> StorageError {
        match error {
            Errno::BUSY if metadata::is_mount_point(self) => StorageError::PermissionDenied,
            error => errno(error),
        }
    }
}

impl Directory {
    /// Opens the folder at `path`, relative to the process's working directory.
    ///
    /// The folder stays the same one should it be renamed later.
    ///
    /// # Errors
    ///
    /// The path does not exist, is not a directory, or may not be entered. The error has the kind of
    /// the operating system's, and names the folder.
    pub fn open(path: impl AsRef<Path>) -> io::Result<Self> {
        let path = path.as_ref();
        let root = Dir::open_ambient_dir(path, ambient_authority()).map_err(|error| {
            // What a relative path is relative to is worth knowing then.
            let absolute = std::path::absolute(path);
            not_opened(absolute.as_deref().unwrap_or(path), &error)
        })?;
        let (medium, root) = (Medium::of(&root), Arc::new(root));
        Ok(Self { root, durability: Durability::default(), medium })
    }

    /// Sets what acknowledged changes survive; a power cut when unset.
    #[must_use]
    pub fn durability(self, durability: Durability) -> Self {
        Self { durability, ..self }
    }

    /// Opens a folder beneath this one, by a relative path.
    ///
    /// Neither `..` nor a symbolic link on the way leads out of this folder: that is an error, which
    /// names the path as [`open`](Self::open) does. The folder that comes of it is a tree of its own,
    /// which nothing leads out of either.
    pub fn open_beneath(&self, path: impl AsRef<Path>) -> io::Result<Self> {
        let path = path.as_ref();
        let root = self.root.open_dir(path).map_err(|error| not_opened(path, &error))?;
        Ok(Self { medium: Medium::of(&root), root: Arc::new(root), durability: self.durability })
    }

    /// Opens another folder with the settings of this one; see [`open`](Self::open).
    pub fn open_likewise(&self, path: impl AsRef<Path>) -> io::Result<Self> {
        Ok(Self::open(path)?.durability(self.durability))
    }

    /// Removes what uploads have left that a crash cut off, here and below, and logs each.
    ///
    /// Only a file system without unnamed files has any. They are told from uploads under way, of
    /// this process or another, by not being locked. Links are not followed, nor mounts entered. It
    /// may take long, and is best called in a thread of its own, when the server starts and when it
    /// is told to reload. Returns how many it has removed.
    pub fn remove_remains(&self) -> usize {
        remains::remove_below(&self.root)
    }

    /// Returns `true` if the file at `path`, relative to the process's working directory, lies in
    /// this folder or beneath it, wherever links lead.
    pub fn holds(&self, path: impl AsRef<Path>) -> bool {
        use std::os::unix::fs::MetadataExt;
        // The file that it is the folder of, not one of its name.
        let root = self.root.try_clone().map(Dir::into_std_file).and_then(|root| root.metadata());
        root.is_ok_and(|root| lies_beneath(path.as_ref(), (root.dev(), root.ino())))
    }

    /// Finds the directory that holds `path`; links on the way there are followed within the tree.
    fn locate(&self, path: &VirtualPath) -> Result<Spot, StorageError> {
        check_path(path)?;
        let parent = path.parent();
        let dir = if parent.is_root() {
            Arc::clone(&self.root)
        } else {
            Arc::new(self.open_dir(&parent).map_err(storage_error)?)
        };
        Ok(Spot::in_directory(dir, path))
    }

    /// Does the same for a name that is to come into being.
    fn locate_new(&self, path: &VirtualPath) -> Result<Spot, StorageError> {
        check_new(path)?;
        self.locate(path)
    }

    /// Finds what a symbolic link leads to within the tree, which is never itself a link.
    ///
    /// Resolving and looking are two steps. Where the tree changes between them the outcome may
    /// name something that is gone, or a link again; then it is done anew, a few times.
    fn follow(&self, path: &VirtualPath) -> Result<(Spot, Stat), StorageError> {
        for _ in 0..4 {
            let real = self.root.canonicalize(relative(path)).map_err(storage_error)?;
            let name = real.file_name().unwrap_or(OsStr::new("."));
            if is_reserved(name.as_bytes()) {
                break;
            }
            let dir = match real.parent() {
                Some(parent) if parent != Path::new("") => {
                    Arc::new(self.root.open_dir(parent).map_err(storage_error)?)
                }
                _ => Arc::clone(&self.root),
            };
            let spot = Spot { dir, name: name.to_owned() };
            match spot.stat() {
                Ok(stat) if !stat.is_symlink() => return Ok((spot, stat)),
                Ok(_) | Err(Errno::NOENT) => {}
                Err(error) => return Err(errno(error)),
            }
        }
        Err(StorageError::NotFound)
    }

    /// Finds `path`, and what it leads to if it is a link.
    fn locate_followed(&self, path: &VirtualPath) -> Result<(Spot, Stat), StorageError> {
        let spot = self.locate(path)?;
        let stat = spot.stat().map_err(errno)?;
        if stat.is_symlink() { self.follow(path) } else { Ok((spot, stat)) }
    }

    fn open_dir(&self, path: &VirtualPath) -> io::Result<Dir> {
        self.root.open_dir(relative(path))
    }
}

impl Storage for Directory {
    #[cfg(target_os = "linux")]
    fn at_once(&self) -> Option<Arc<dyn Storage>> {
        at_once::AtOnce::of(self)
    }

    fn metadata(&self, path: &VirtualPath) -> Result<Metadata, StorageError> {
        metadata::followed(self, path)
    }

    fn link_metadata(&self, path: &VirtualPath) -> Result<Metadata, StorageError> {
        let spot = self.locate(path)?;
        // The root cannot be removed, even where the directory that holds it is writable.
        let removable = !path.is_root() && metadata::can_change(&spot.dir, OsStr::new("."));
        metadata::unfollowed(self, &path.parent(), &spot.dir, &spot.name, removable).map_err(errno)
    }

    fn open_directory(&self, path: &VirtualPath) -> Result<Box<dyn Entries>, StorageError> {
        check_path(path)?;
        let dir = self.open_dir(path).map_err(storage_error)?;
        Ok(Box::new(listing::Listing::new(self.clone(), path.clone(), dir)?))
    }

    fn open_read(&self, path: &VirtualPath) -> Result<Box<dyn ReadFile>, StorageError> {
        let (spot, stat) = self.locate_followed(path)?;
        metadata::regular(&stat)?;
        Ok(Box::new(read::Reader::open(&spot)?))
    }

    fn check_write(&self, path: &VirtualPath, mode: &WriteMode) -> Result<(), StorageError> {
        upload::check(&Place::find(self, path)?, mode)
    }

    fn open_write(
        &self,
        path: &VirtualPath,
        mode: &WriteMode,
    ) -> Result<Box<dyn WriteFile>, StorageError> {
        upload::open(&Place::find(self, path)?, mode)
    }

    fn create_directory(&self, path: &VirtualPath) -> Result<(), StorageError> {
        if path.is_root() {
            return Err(StorageError::AlreadyExists);
        }
        let spot = self.locate_new(path)?;
        rustix::fs::mkdirat(&spot.dir, &spot.name, Mode::from_raw_mode(0o777))
            .map_err(|error| spot.creating(error))?;
        self.durability.sync_directory(&spot.dir, &spot.name)
    }

    fn remove_file(&self, path: &VirtualPath) -> Result<(), StorageError> {
        let spot = self.locate(path)?;
        if spot.stat().map_err(errno)?.is_dir() {
            return Err(StorageError::IsADirectory);
        }
        rustix::fs::unlinkat(&spot.dir, &spot.name, AtFlags::empty())
            .map_err(|error| spot.taking_away(error))?;
        self.durability.sync_directory(&spot.dir, OsStr::new("."))
    }

    fn remove_directory(&self, path: &VirtualPath) -> Result<(), StorageError> {
        if path.is_root() {
            return Err(StorageError::PermissionDenied);
        }
        let spot = self.locate(path)?;
        let remove = || rustix::fs::unlinkat(&spot.dir, &spot.name, AtFlags::REMOVEDIR);
        let removed = match remove() {
            // What clients do not see must not be in their way.
            Err(Errno::NOTEMPTY | Errno::EXIST) if remains::remove_from(&spot) => remove(),
            outcome => outcome,
        };
        removed.map_err(|error| spot.taking_away(error))?;
        self.durability.sync_directory(&spot.dir, OsStr::new("."))
    }

    /// Renames `from` to `to`; the root takes no part in it.
    ///
    /// A file replaces a file where it may, a link itself is moved and replaced. A directory replaces nothing:
    /// neither a file ([`StorageError::NotADirectory`]) nor another directory
    /// ([`StorageError::AlreadyExists`]), and does not go into itself ([`StorageError::BadName`]).
    fn rename(
        &self,
        from: &VirtualPath,
        to: &VirtualPath,
        replace: bool,
    ) -> Result<(), StorageError> {
        if from.is_root() || to.is_root() {
            return Err(StorageError::PermissionDenied);
        }
        let (old, new) = (self.locate(from)?, self.locate_new(to)?);
        rename::rename(&old, &new, replace)?;
        // The new name first: better twice than not at all.
        self.durability.sync_directory(&new.dir, &new.name)?;
        if from.parent() == to.parent() {
            return Ok(());
        }
        self.durability.sync_directory(&old.dir, OsStr::new("."))
    }

    fn set_modified(&self, path: &VirtualPath, to: WallTime) -> Result<(), StorageError> {
        let (spot, stat) = self.locate_followed(path)?;
        facts::set_modified(&spot, &stat, to)?;
        self.durability.sync_attributes(&spot.dir, &spot.name)
    }

    fn set_mode(&self, path: &VirtualPath, mode: u32) -> Result<(), StorageError> {
        let (spot, stat) = self.locate_followed(path)?;
        facts::set_mode(&spot, &stat, mode)?;
        self.durability.sync_attributes(&spot.dir, &spot.name)
    }

    fn space_left(&self, path: &VirtualPath) -> Result<Option<u64>, StorageError> {
        let (spot, stat) = self.locate_followed(path)?;
        let below = if stat.is_dir() {
            Arc::new(spot.dir.open_dir(&spot.name).map_err(storage_error)?)
        } else {
            spot.dir
        };
        let space = rustix::fs::fstatvfs(&below).map_err(errno)?;
        Ok(Some(space.f_bavail.saturating_mul(space.f_frsize)))
    }
}

/// Makes the error that names the folder, why it could not be opened, and what would be right.
fn not_opened(path: &Path, error: &io::Error) -> io::Error {
    let right = match error.kind() {
        io::ErrorKind::NotFound => "; it has to be there",
        io::ErrorKind::NotADirectory => "; it has to be a directory",
        io::ErrorKind::PermissionDenied if error.raw_os_error().is_some() => {
            "; the user that this process runs as needs the rights to read and enter it"
        }
        _ => "",
    };
    io::Error::new(error.kind(), format!("cannot open the folder {path:?}: {error}{right}"))
}

/// The same path as cap-std wants it: relative, and never empty.
fn relative(path: &VirtualPath) -> &Path {
    let bytes = if path.is_root() { b"." } else { &path.as_bytes()[1..] };
    Path::new(OsStr::from_bytes(bytes))
}
