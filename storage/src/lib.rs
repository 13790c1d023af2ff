//! Where the files of [wharf](https://docs.rs/wharf), the FTP server, are.
//!
//! | | |
//! |---|---|
//! | [`Storage`] | a tree of files and directories, as a session sees it; the trait for your own |
//! | [`Entries`], [`ReadFile`], [`WriteFile`] | what a storage opens |
//! | [`Directory`] | a folder of the local file system, which neither `..` nor a symbolic link leaves |
//! | [`Memory`] | a tree in memory, for tests and for programs without a disk |
//! | [`storage_error`], [`wall_time`] | the errors and times of `std` in the words of a storage |
//! | [`exposures`] | what other users of the computer can do to a file that the server relies on |
//!
//! A storage need not be files at all. This one writes its only file when it is asked for:
//!
//! ```
//! use wharf_storage::{
//!     Entries, Entry, Kind, Metadata, ReadFile, Storage, StorageError, VirtualPath, WallTime,
//! };
//!
//! struct Depths(Vec<u32>);
//!
//! impl Depths {
//!     fn render(&self) -> Vec<u8> {
//!         self.0.iter().map(|metres| format!("{metres} m\n")).collect::<String>().into()
//!     }
//! }
//!
//! impl Storage for Depths {
//!     fn metadata(&self, path: &VirtualPath) -> Result<Metadata, StorageError> {
//!         match path.as_bytes() {
//!             b"/" => Ok(Metadata::directory().read_only()),
//!             b"/depths.txt" => {
//!                 let size = self.render().len() as u64;
//!                 Ok(Metadata::file(size, WallTime::default()).read_only())
//!             }
//!             _ => Err(StorageError::NotFound),
//!         }
//!     }
//!
//!     fn open_directory(&self, path: &VirtualPath) -> Result<Box<dyn Entries>, StorageError> {
//!         let (name, path) = (b"depths.txt", path.join(b"depths.txt"));
//!         let metadata = self.metadata(&path)?;
//!         Ok(vec![Entry { name: name.to_vec(), metadata }].into())
//!     }
//!
//!     fn open_read(&self, path: &VirtualPath) -> Result<Box<dyn ReadFile>, StorageError> {
//!         match self.metadata(path)?.kind {
//!             Kind::Directory => Err(StorageError::IsADirectory),
//!             _ => Ok(self.render().into()),
//!         }
//!     }
//! }
//!
//! let (depths, path) = (Depths(vec![12, 7]), "/depths.txt".parse()?);
//! assert_eq!(depths.metadata(&path).map(|file| file.size), Ok(9));
//! assert_eq!(depths.remove_file(&path), Err(StorageError::ReadOnly));
//! # Ok::<(), wharf_storage::PathError>(())
//! ```
//!
//! # Features
//!
//! - `directory` (default): [`Directory`]. Without it cap-std and nix are not built, and the crate
//!   serves programs that bring their own storage.
//! - `testing`: `testing`, the rules that a storage keeps, as tests for your own.

#![forbid(unsafe_code)]
#![warn(missing_debug_implementations)]
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(feature = "directory")]
mod directory;
mod errors;
mod exposure;
mod log_limited;
mod memory;
mod names;
mod pointers;
mod ready;
#[cfg(feature = "testing")]
pub mod testing;

use std::fs::File;
use std::os::fd::BorrowedFd;
use std::sync::Arc;
use std::time::SystemTime;

#[cfg(feature = "directory")]
pub use directory::{Directory, Durability};
pub use errors::storage_error;
pub use exposure::{Content, exposures, warn_of_exposures};
#[doc(hidden)]
pub use log::Level;
#[doc(hidden)]
pub use log_limited::LogSite;
pub use memory::Memory;
pub use wharf_core::{
    Access, Detail, Disposition, Entry, Kind, Metadata, PathError, StorageError, VirtualPath,
    WallTime, WriteMode,
};

/// A tree of files and directories, as a session sees it.
///
/// Calls may block: drivers run them where no other session waits for them; but see
/// [`at_once`](Self::at_once). Paths are absolute within
/// the tree. A storage need not have anything to do with a local disk.
///
/// Three methods make a read-only view: [`metadata`](Self::metadata),
/// [`open_directory`](Self::open_directory) and [`open_read`](Self::open_read). What changes the tree
/// is refused unless implemented; a storage that takes uploads implements both
/// [`check_write`](Self::check_write) and [`open_write`](Self::open_write).
pub trait Storage: Send + Sync {
    /// Describes what stands at `path`, a symbolic link followed.
    fn metadata(&self, path: &VirtualPath) -> Result<Metadata, StorageError>;

    /// Describes what stands at `path` without following a symbolic link in its last component.
    /// [`metadata`](Self::metadata) unless implemented, which is right where there are no links.
    fn link_metadata(&self, path: &VirtualPath) -> Result<Metadata, StorageError> {
        self.metadata(path)
    }

    /// Returns a view of this tree whose calls wait for nothing, neither for a disk nor for another
    /// machine; `None`, unless implemented: then each call has a thread of its own.
    ///
    /// A driver asks it first, where other sessions wait: [`metadata`](Self::metadata),
    /// [`link_metadata`](Self::link_metadata), [`open_read`](Self::open_read),
    /// [`check_write`](Self::check_write) and [`open_write`](Self::open_write), and nothing else. So a
    /// view implements all five; what it cannot do like that is [`StorageError::WouldBlock`], nothing
    /// has changed then, and the tree itself is asked, on a thread of its own. Any other error is the
    /// answer. Dropping a tree that has a view waits for nothing either.
    fn at_once(&self) -> Option<Arc<dyn Storage>> {
        None
    }

    /// Opens a directory for listing. A `Vec` of entries becomes one with `into()`.
    fn open_directory(&self, path: &VirtualPath) -> Result<Box<dyn Entries>, StorageError>;

    /// Opens a regular file for reading. A `Vec` of bytes becomes one with `into()`.
    fn open_read(&self, path: &VirtualPath) -> Result<Box<dyn ReadFile>, StorageError>;

    /// Checks whether `path` could be opened for writing in this mode, as far as that shows without
    /// creating or changing anything. Asked before there is a data connection, so that a client is
    /// refused early; [`open_write`](Self::open_write) has the last word.
    /// [`StorageError::ReadOnly`] unless implemented, as with `open_write`; a storage that checks
    /// nothing early returns `Ok(())`.
    fn check_write(&self, path: &VirtualPath, mode: &WriteMode) -> Result<(), StorageError> {
        let _ = (path, mode);
        Err(StorageError::ReadOnly)
    }

    /// Invents the name of a file that does not exist yet in `directory`, and that begins with
    /// `hint`, which may be empty (RFC 959 STOU). It creates nothing: the file is opened with
    /// [`WriteMode::Create`], and where another has taken the name by then, asked for anew. Unless
    /// implemented, it tries `hint`, then `hint` with a random ending, until
    /// [`link_metadata`](Self::link_metadata) finds nothing.
    fn unique_name(&self, directory: &VirtualPath, hint: &[u8]) -> Result<Vec<u8>, StorageError> {
        names::invent(hint, |name| match self.link_metadata(&directory.join(name)) {
            Ok(_) => Ok(false),
            Err(StorageError::NotFound) => Ok(true),
            Err(error) => Err(error),
        })
    }

    /// Opens a file for writing; see [`WriteMode`]. Called once there is a data connection.
    /// [`StorageError::ReadOnly`] unless implemented.
    fn open_write(
        &self,
        path: &VirtualPath,
        mode: &WriteMode,
    ) -> Result<Box<dyn WriteFile>, StorageError> {
        let _ = (path, mode);
        Err(StorageError::ReadOnly)
    }

    /// Creates a directory. This, and each change below, once it has succeeded survives whatever the
    /// storage promises to survive: with [`Directory`], a power cut, unless told otherwise
    /// ([`Durability`]). [`StorageError::ReadOnly`] unless implemented.
    fn create_directory(&self, path: &VirtualPath) -> Result<(), StorageError> {
        let _ = path;
        Err(StorageError::ReadOnly)
    }

    /// Removes a file or a symbolic link. [`StorageError::ReadOnly`] unless implemented.
    fn remove_file(&self, path: &VirtualPath) -> Result<(), StorageError> {
        let _ = path;
        Err(StorageError::ReadOnly)
    }

    /// Removes an empty directory; what the storage hides from clients is not in the way.
    /// [`StorageError::ReadOnly`] unless implemented.
    fn remove_directory(&self, path: &VirtualPath) -> Result<(), StorageError> {
        let _ = path;
        Err(StorageError::ReadOnly)
    }

    /// Renames `from` to `to`. A file that stands there is replaced where `replace` is set, and is
    /// [`StorageError::AlreadyExists`] where it is not; one that comes to stand there meanwhile is
    /// not lost either. Another name of the same file is no obstacle. [`StorageError::ReadOnly`]
    /// unless implemented.
    fn rename(
        &self,
        from: &VirtualPath,
        to: &VirtualPath,
        replace: bool,
    ) -> Result<(), StorageError> {
        let _ = (from, to, replace);
        Err(StorageError::ReadOnly)
    }

    /// Sets when the content of what stands at `path` last changed, a symbolic link followed.
    /// [`StorageError::Unsupported`] unless implemented.
    fn set_modified(&self, path: &VirtualPath, to: WallTime) -> Result<(), StorageError> {
        let _ = (path, to);
        Err(StorageError::Unsupported)
    }

    /// Sets the Unix permission bits of what stands at `path`, the lowest nine, a symbolic link
    /// followed. [`StorageError::Unsupported`] unless implemented.
    fn set_mode(&self, path: &VirtualPath, mode: u32) -> Result<(), StorageError> {
        let _ = (path, mode);
        Err(StorageError::Unsupported)
    }

    /// Returns how many bytes can still be stored at or below `path`, quotas counted in, or `None`
    /// where that is unknown, as it is unless implemented.
    fn space_left(&self, path: &VirtualPath) -> Result<Option<u64>, StorageError> {
        let _ = path;
        Ok(None)
    }
}

/// The entries of an open directory, each once, in the storage's own order; never `.` or `..`.
pub trait Entries: Send {
    /// Returns the next entry, or `None` after the last.
    fn next(&mut self) -> Result<Option<Entry>, StorageError>;

    /// Puts the next entry in the place of `entry`, or returns `false` after the last. What the
    /// listing does not need, see [`Detail`], may be left as it was. [`next`](Self::next) unless
    /// implemented, which pays where it is work to find out all, or to make a name for each entry.
    fn next_into(&mut self, entry: &mut Entry, detail: Detail) -> Result<bool, StorageError> {
        let _ = detail;
        let next = self.next()?;
        Ok(next.map(|next| *entry = next).is_some())
    }
}

/// A file open for reading.
pub trait ReadFile: Send {
    /// Returns the size in bytes.
    fn size(&self) -> u64;

    /// Reads from `offset` on into `buffer`; returns how many bytes, 0 only at the end.
    fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> Result<usize, StorageError>;

    /// Returns the file of the operating system, where it is one: its bytes then go from the disk
    /// to the network within the kernel.
    fn as_file(&self) -> Option<&File> {
        None
    }

    /// Returns `true` if `length` bytes from `offset` on can be read without waiting, for a disk or
    /// for anything else: a driver then reads them where other sessions wait. `false` unless
    /// implemented.
    fn is_at_hand(&self, offset: u64, length: u64) -> bool {
        let _ = (offset, length);
        false
    }

    /// Returns `true` if dropping the file waits for nothing. `false` unless implemented.
    fn closes_at_once(&self) -> bool {
        false
    }
}

/// A file open for writing. Dropped without [`finish`](Self::finish), it is discarded.
///
/// Whatever ends the writing, no file is removed but the very one that was made for it, and no empty
/// one stays unless it was published. Where the space did not suffice, what was written takes no more
/// room than was taken before.
pub trait WriteFile: Send {
    /// Returns `true` if a file stood under the name before.
    fn existed(&self) -> bool;

    /// Returns `true` if no call waits for anything: neither writing nor finishing nor dropping it.
    /// A driver then makes them where other sessions wait. `false` unless implemented.
    fn is_in_memory(&self) -> bool {
        false
    }

    /// Writes all of `bytes` after what was written before.
    fn write(&mut self, bytes: &[u8]) -> Result<(), StorageError>;

    /// Writes up to `count` bytes that stand in a pipe, after what was written before, within the
    /// kernel; returns how many. `None`, unless implemented: then they are read from the pipe, and
    /// [written](Self::write).
    fn write_from_pipe(
        &mut self,
        pipe: BorrowedFd<'_>,
        count: usize,
    ) -> Option<Result<usize, StorageError>> {
        let _ = (pipe, count);
        None
    }

    /// Brings all that was written to where the storage promises to keep it (a disk, a bucket),
    /// and reports errors that show late. Called before [`finish`](Self::finish) where the file is
    /// to stay. What is under the name is as it was. Does nothing unless implemented.
    fn sync(&mut self) -> Result<(), StorageError> {
        Ok(())
    }

    /// Ends the writing; see [`Disposition`]. Once [`Disposition::Publish`] has succeeded, the file
    /// survives whatever the storage promises to survive, under its name, with the owner, mode and
    /// the like that a file had that it replaces. It fails if writing or syncing has failed before,
    /// and with [`StorageError::Displaced`] if a file that was written in place is gone.
    fn finish(self: Box<Self>, disposition: Disposition) -> Result<(), StorageError>;
}

/// Converts a system time; times that do not fit become the nearest that does.
pub fn wall_time(time: SystemTime) -> WallTime {
    match time.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(after) => WallTime {
            seconds: i64::try_from(after.as_secs()).unwrap_or(i64::MAX),
            nanoseconds: after.subsec_nanos(),
        },
        Err(before) => {
            let before = before.duration();
            let seconds = i64::try_from(before.as_secs()).unwrap_or(i64::MAX);
            match before.subsec_nanos() {
                0 => WallTime::from_seconds(-seconds),
                part => WallTime { seconds: -seconds - 1, nanoseconds: 1_000_000_000 - part },
            }
        }
    }
}

/// The README, so that its code is compiled.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
