//! The vocabulary in which Session asks for file operations, and hears their outcome.
//!
//! Core never touches a file: it names the operation, the host carries it out.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::error::Error;
use core::fmt;

use crate::listing::{Allowance, Lines, ListingFormat};
use crate::path::VirtualPath;
use crate::time::WallTime;

/// What a directory entry is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link that was not followed.
    Symlink {
        /// Where it says that it leads; `None` where that is not for clients to know.
        target: Option<Vec<u8>>,
        /// What it leads to, as far as the tree reaches; never itself a symlink.
        leads_to: Option<Box<Metadata>>,
    },
    /// A device, socket, FIFO or the like: visible, but not to be opened.
    Other,
}

/// What the process may do with an entry, the account's permissions aside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Access {
    /// A file can be read; a directory can be listed, names and facts.
    pub read: bool,
    /// A file can be written; entries can be created in a directory.
    pub write: bool,
    /// The entry can be removed and renamed: the directory that holds it is writable.
    pub remove: bool,
    /// A directory can be entered, and what is in it reached by its name.
    pub enter: bool,
}

impl Access {
    /// Everything that can be done.
    pub const ALL: Self = Self { read: true, write: true, remove: true, enter: true };
    /// Reading alone: nothing can be changed.
    pub const READ: Self = Self { read: true, write: false, remove: false, enter: true };
    /// Nothing.
    pub const NONE: Self = Self { read: false, write: false, remove: false, enter: false };
}

/// What is known of a file or directory.
///
/// [`file`](Self::file) and [`directory`](Self::directory) make one of what is usual; what differs is
/// set in the fields.
///
/// ```
/// use wharf_core::{Metadata, WallTime};
///
/// let mut report = Metadata::file(1200, WallTime::from_seconds(1_732_174_800)).read_only();
/// report.owner = 1000;
/// assert_eq!(report.mode, 0o444);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Metadata {
    /// What it is.
    pub kind: Kind,
    /// Size in bytes.
    pub size: u64,
    /// When its content last changed.
    pub modified: WallTime,
    /// Unix permission bits, the lowest twelve, such as `0o644`.
    pub mode: u32,
    /// Number of hard links.
    pub links: u64,
    /// Numeric user id of its owner.
    pub owner: u32,
    /// Numeric group id.
    pub group: u32,
    /// A pair that tells this file from every other (device and inode), where there is one.
    pub unique: Option<(u64, u64)>,
    /// What the process may do with it.
    pub access: Access,
}

impl Metadata {
    /// Describes what can be read and changed, has the mode that is usual for its kind, one link,
    /// and belongs to root.
    pub const fn new(kind: Kind, size: u64, modified: WallTime) -> Self {
        let mode = match kind {
            Kind::File | Kind::Other => 0o644,
            Kind::Directory => 0o755,
            Kind::Symlink { .. } => 0o777,
        };
        let access = Access::ALL;
        Self { kind, size, modified, mode, links: 1, owner: 0, group: 0, unique: None, access }
    }

    /// Describes a file of `size` bytes; see [`new`](Self::new).
    pub const fn file(size: u64, modified: WallTime) -> Self {
        Self::new(Kind::File, size, modified)
    }

    /// Describes a directory, last changed at the Unix epoch; see [`new`](Self::new).
    pub const fn directory() -> Self {
        Self::new(Kind::Directory, 0, WallTime::from_seconds(0))
    }

    /// Takes away what lets it be changed, from its mode and its access.
    pub const fn read_only(mut self) -> Self {
        self.mode &= !0o222;
        self.access.write = false;
        self.access.remove = false;
        self
    }
}

/// A name in a directory, and what is known of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// One path component, any bytes but `/` and NUL; never `.` or `..`.
    pub name: Vec<u8>,
    /// What it is; of a symbolic link the link itself.
    pub metadata: Metadata,
}

/// How a file is opened for writing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WriteMode {
    /// A whole new content. When `atomic`, readers see the old file until
    /// [`Disposition::Publish`]; else it is truncated and written in place.
    Replace {
        /// Write beside the old file, then put it in its place in one step.
        atomic: bool,
    },
    /// In place, from this offset in bytes on; what follows stays. The file must exist and
    /// reach that far, else [`StorageError::BadOffset`]; from 0 on it is created when missing.
    ResumeAt(u64),
    /// At the end, wherever that is.
    Append {
        /// A file that is missing is created; else it is [`StorageError::NotFound`].
        create: bool,
    },
    /// A file that did not exist before; [`StorageError::AlreadyExists`] where something stands.
    /// When `atomic`, nothing is seen under the name until [`Disposition::Publish`], which looks
    /// again; else the name is taken when the file is opened.
    Create {
        /// Write beside the name, then take it in one step.
        atomic: bool,
    },
}

impl WriteMode {
    /// Returns `true` if a file that is missing is created.
    pub const fn may_create(&self) -> bool {
        !matches!(self, Self::ResumeAt(1..) | Self::Append { create: false })
    }
}

/// What becomes of a written file when its transfer has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disposition {
    /// The content is whole: it is the file from now on.
    Publish,
    /// The transfer was cut off where no file was before: what arrived becomes the file, unless
    /// nothing has, or another has come to stand under the name meanwhile.
    KeepPartial,
    /// The transfer was cut off where a file was, or nothing of it is worth keeping: a file that
    /// was there stays as it was. What was written in place into a file that was there (resumed,
    /// appended, not atomic) is there already and stays.
    Discard,
}

/// A file operation that Session wants done. Paths are absolute within the session's tree.
///
/// Not `#[non_exhaustive]`, on purpose: each request needs its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StorageRequest {
    /// Tell what is there, a symbolic link followed. Answer: [`StorageAnswer::Metadata`].
    Metadata(VirtualPath),
    /// Tell what is there without following a symbolic link in the last component. Answer:
    /// [`StorageAnswer::Metadata`].
    LinkMetadata(VirtualPath),
    /// Open a directory for listing; it stays open under the id of the request. Answer:
    /// [`StorageAnswer::Opened`].
    OpenDirectory(VirtualPath),
    /// Write the lines of the next entries of the directory opened under `directory`, a portion of
    /// them (see [`ListingFormat::write_portion`](crate::ListingFormat::write_portion)). Answer:
    /// [`StorageAnswer::Lines`].
    NextLines {
        /// The id under which the directory was opened.
        directory: crate::RequestId,
        /// How the lines look, and which entries have one.
        format: Box<ListingFormat>,
        /// How many lines there is room for.
        allowance: Allowance,
    },
    /// Open a regular file for reading; it stays open under the id of the request. Answer:
    /// [`StorageAnswer::Opened`].
    OpenRead(VirtualPath),
    /// Judge whether the file could be opened for writing like this, as far as that shows without
    /// creating or changing anything. Answer: [`StorageAnswer::Done`].
    CheckWrite(VirtualPath, WriteMode),
    /// Open a file for writing; it stays open under the id of the request. Answer:
    /// [`StorageAnswer::Opened`].
    OpenWrite(VirtualPath, WriteMode),
    /// Invent the name of a file that does not exist yet in this directory (RFC 959 STOU). Nothing
    /// is created: the file is opened with [`WriteMode::Create`]. Answer: [`StorageAnswer::Name`].
    UniqueName {
        /// Where the file is to stand.
        directory: VirtualPath,
        /// What the name should begin with; may be empty.
        hint: Vec<u8>,
    },
    /// Bring all that was written to the file opened under `file` to where the storage promises to
    /// keep it, and report errors that show late. The file stays open. Answer:
    /// [`StorageAnswer::Done`].
    Sync {
        /// The id under which the file was opened.
        file: crate::RequestId,
    },
    /// End the writing of the file opened under `file`. Answer: [`StorageAnswer::Done`].
    Finish {
        /// The id under which the file was opened.
        file: crate::RequestId,
        /// What becomes of it.
        disposition: Disposition,
    },
    /// Create a directory. Answer: [`StorageAnswer::Done`].
    CreateDirectory(VirtualPath),
    /// Remove a file or a symbolic link, not a directory. Answer: [`StorageAnswer::Done`].
    RemoveFile(VirtualPath),
    /// Remove an empty directory. Answer: [`StorageAnswer::Done`].
    RemoveDirectory(VirtualPath),
    /// Rename. Answer: [`StorageAnswer::Done`].
    Rename {
        /// What it is called now.
        from: VirtualPath,
        /// What it shall be called.
        to: VirtualPath,
        /// A file that stands at the new name is replaced; else it is
        /// [`StorageError::AlreadyExists`].
        replace: bool,
    },
    /// Change these facts of what is there, a symbolic link followed. Answer:
    /// [`StorageAnswer::Metadata`], as they are then: not every storage keeps each second of a time
    /// and each bit of a mode. An error may come after the time has been set.
    SetFacts {
        /// Whose.
        path: VirtualPath,
        /// When its content last changed.
        modified: Option<WallTime>,
        /// Unix permission bits, the lowest nine.
        mode: Option<u32>,
    },
    /// Tell how many bytes can still be stored there. Answer: [`StorageAnswer::Space`].
    SpaceLeft(VirtualPath),
}

/// The good outcome of a [`StorageRequest`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StorageAnswer {
    /// It is done.
    Done,
    /// What is there.
    Metadata(Metadata),
    /// It is open under the id of the request.
    Opened(Opened),
    /// A name that nothing has: one path component.
    Name(Vec<u8>),
    /// The next lines of a listing.
    Lines(Lines),
    /// How many bytes can still be stored, or `None` where the storage cannot tell.
    Space(Option<u64>),
}

/// What is known of a file that was just opened. For a directory all is unset.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Opened {
    /// Size in bytes of a file opened for reading.
    pub size: u64,
    /// Opened for writing: a file stood under that name before.
    pub existed: bool,
}

/// The bad outcome of a [`StorageRequest`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StorageError {
    /// There is nothing under that name, or a directory on the way is missing.
    NotFound,
    /// The operating system, or the tree's boundary, forbids it.
    PermissionDenied,
    /// Something stands there already.
    AlreadyExists,
    /// It, or something on the way, is not a directory.
    NotADirectory,
    /// It is a directory where a file is wanted.
    IsADirectory,
    /// It is neither a file nor a directory.
    NotRegular,
    /// The directory is not empty.
    NotEmpty,
    /// The name cannot be stored here (too long, reserved, or with bytes that are not allowed).
    BadName,
    /// The offset lies beyond the end of the file.
    BadOffset,
    /// The disk is full.
    NoSpace,
    /// The quota, or the largest file size, is reached.
    QuotaExceeded,
    /// The storage is read-only.
    ReadOnly,
    /// Source and target lie on different file systems.
    CrossesDevices,
    /// The file that was written has been removed, or another has come to stand in its place: what
    /// was written is not to be found under the name.
    Displaced,
    /// The system is short of something (file descriptors, memory): it may work later.
    Busy,
    /// The storage cannot do this.
    Unsupported,
    /// It cannot be done without waiting; asked where waiting is allowed, it may be.
    WouldBlock,
    /// The storage broke off in a panic, and the host has logged where.
    Panicked,
    /// Anything else; the host has logged what.
    Other,
}

impl fmt::Display for StorageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotFound => "no such file or directory",
            Self::PermissionDenied => "permission denied",
            Self::AlreadyExists => "something stands there already",
            Self::NotADirectory => "not a directory",
            Self::IsADirectory => "is a directory",
            Self::NotRegular => "not a regular file",
            Self::NotEmpty => "directory not empty",
            Self::BadName => "name not allowed",
            Self::BadOffset => "offset beyond the end of the file",
            Self::NoSpace => "no space left",
            Self::QuotaExceeded => "quota exceeded",
            Self::ReadOnly => "read-only storage",
            Self::CrossesDevices => "cannot move across file systems",
            Self::Displaced => "file removed or replaced while it was written",
            Self::Busy => "short of resources",
            Self::Unsupported => "not supported",
            Self::WouldBlock => "cannot be done without waiting",
            Self::Panicked => "panic in the storage",
            Self::Other => "input/output error",
        })
    }
}

impl Error for StorageError {}
