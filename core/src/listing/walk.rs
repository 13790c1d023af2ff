//! The way of a recursive listing through a tree: the option -R of `ls`.
//!
//! One directory is open at a time. Those found in it wait until it has been listed; then the first of
//! them is opened, so that the order is that of `ls`.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::mem;
use core::time::Duration;

use crate::digits::Digits;
use crate::name;
use crate::path::VirtualPath;
use crate::permissions::Permissions;
use crate::rights::Rights;
use crate::storage::{Kind, Metadata, StorageError};

/// How far LIST and NLST go where more is asked than the entries of one directory as they come.
///
/// A listing that meets one of the bounds of -R ends with a line that says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListBounds {
    /// How many levels of directories below the first one -R lists; 32 unless changed.
    pub depth: usize,
    /// How many entries -R looks at; 100,000 unless changed. 0 switches -R off.
    pub entries: u64,
    /// How long -R reads directories, not counting the time in which the client takes what was
    /// read; 30 s unless changed. Looked at between directories, and every few hundred entries.
    pub time: Duration,
    /// How many bytes of memory are used to sort a directory (-t, -S, -r), and as many again for
    /// the directories that -R has yet to list; 2 MiB unless changed, which is enough for about
    /// 10,000 entries. Of a directory that has more, those that come first are sorted, about 5,000,
    /// and the others follow unsorted; it is read twice.
    pub memory_bytes: u32,
}

impl Default for ListBounds {
    fn default() -> Self {
        let memory_bytes = 2 * 1024 * 1024;
        Self { depth: 32, entries: 100_000, time: Duration::from_secs(30), memory_bytes }
    }
}

/// The option -R: the directories in a directory are listed after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recursion {
    /// What stands before the names of the directories in it, such as `./`; raw bytes.
    pub base: Vec<u8>,
    /// Each directory has a line with its name before its entries, as `ls` has it. Else each name
    /// carries that of its directory.
    pub headings: bool,
    /// Each directory has the entries `.` and `..`.
    pub all: bool,
    /// What is known of the first directory.
    pub directory: Option<Metadata>,
    /// What the account may list.
    pub rights: Rights,
}

/// Appends the line that says which directory follows.
pub(crate) fn heading(base: &[u8], out: &mut Vec<u8>) {
    name::encode(title(base), out);
    out.extend_from_slice(b":\r\n");
}

/// Returns what a directory is called whose entries have this before their names.
fn title(base: &[u8]) -> &[u8] {
    base.strip_suffix(b"/").filter(|title| !title.is_empty()).unwrap_or(base)
}

/// Where a recursive listing is, and where it is still to go.
#[derive(Debug)]
pub(super) struct Walk {
    recursion: Box<Recursion>,
    bounds: ListBounds,
    /// The directory that is listed, and before it those that it is in, from the first one on.
    trail: Vec<Place>,
    /// Directories that are still to be listed, the next one last.
    pending: Vec<Pending>,
    /// Where in `pending` those begin that were found in the directory that is listed.
    found: usize,
    /// How much memory the names of those that are pending take.
    bytes: usize,
    entries: u64,
    /// Nothing more is read.
    stopped: bool,
    /// Why names are missing that only NLST's reply can tell of.
    failed: Option<StorageError>,
    /// What is said in the end.
    notes: Vec<Note>,
}

/// A directory on the way.
#[derive(Debug)]
struct Place {
    path: VirtualPath,
    /// What stands before the names in it.
    base: Vec<u8>,
    unique: Option<(u64, u64)>,
    /// Where its `.` and `..` are to be shown.
    metadata: Option<Metadata>,
}

/// A directory that has been found.
#[derive(Debug)]
struct Pending {
    /// How many directories it is in, counted from the first one.
    depth: usize,
    name: Box<[u8]>,
    unique: Option<(u64, u64)>,
    /// A link leads there.
    linked: bool,
    metadata: Option<Box<Metadata>>,
}

impl Pending {
    fn bytes(&self) -> usize {
        let metadata = self.metadata.as_ref().map_or(0, |_| mem::size_of::<Metadata>());
        mem::size_of::<Self>() + self.name.len() + metadata
    }
}

/// What a listing says in the end of what it lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Note {
    Entries,
    Time,
    Depth,
    Memory,
    Unsorted,
}

impl Note {
    pub(super) fn write(self, bounds: &ListBounds, out: &mut Vec<u8>) {
        let (before, number, after) = match self {
            Self::Entries => {
                ("ls: the listing ends here: more than ", Some(bounds.entries), " entries")
            }
            Self::Time => {
                ("ls: the listing ends here: more than ", Some(bounds.time.as_secs()), " seconds")
            }
            Self::Depth => {
                let levels = bounds.depth as u64;
                ("ls: some directories are not listed: more than ", Some(levels), " levels down")
            }
            Self::Memory => ("ls: some directories are not listed: too many at once", None, ""),
            Self::Unsorted => ("ls: not all is sorted: too many entries in a directory", None, ""),
        };
        out.extend_from_slice(before.as_bytes());
        if let Some(number) = number {
            Digits::decimal(number).append(out);
        }
        out.extend_from_slice(after.as_bytes());
        out.extend_from_slice(b"\r\n");
    }
}

/// The next directory of a walk.
pub(super) struct Next<'a> {
    /// What stands before each name in it.
    pub(super) prefix: &'a [u8],
    /// What its entries `.` and `..` are, as far as they are to be shown.
    pub(super) dots: [Option<&'a Metadata>; 2],
}

impl Walk {
    /// Begins in the directory at `path`.
    pub(super) fn new(
        path: VirtualPath,
        mut recursion: Box<Recursion>,
        bounds: ListBounds,
    ) -> Self {
        let metadata = recursion.directory.take();
        let first = Place {
            path,
            base: recursion.base.clone(),
            unique: metadata.as_ref().and_then(|metadata| metadata.unique),
            metadata: metadata.filter(|_| recursion.all),
        };
        Self {
            recursion,
            bounds,
            trail: Vec::from([first]),
            pending: Vec::new(),
            found: 0,
            bytes: 0,
            entries: 0,
            stopped: false,
            failed: None,
            notes: Vec::new(),
        }
    }

    pub(super) fn headings(&self) -> bool {
        self.recursion.headings
    }

    /// Returns where the directory is that is listed.
    pub(super) fn path(&self) -> Option<&VirtualPath> {
        self.trail.last().map(|here| &here.path)
    }

    /// Counts an entry; returns `false` if it is one too many.
    pub(super) fn count(&mut self) -> bool {
        self.entries += 1;
        if self.entries > self.bounds.entries {
            self.stop(Note::Entries);
        }
        !self.stopped
    }

    /// Returns `true` if the time that has been spent leaves some.
    pub(super) fn has_time(&mut self, spent: Duration) -> bool {
        let has_time = spent < self.bounds.time;
        if !has_time {
            self.stop(Note::Time);
        }
        has_time
    }

    fn stop(&mut self, note: Note) {
        if !self.stopped {
            self.stopped = true;
            self.pending.clear();
            self.found = 0;
            self.say(note);
        }
    }

    fn say(&mut self, note: Note) {
        if !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }

    /// Takes an entry of the directory that is listed: if it is a directory, it is listed later.
    /// `shown` is the entry itself, or where the link leads that it is.
    pub(super) fn pass(&mut self, name: &[u8], shown: &Metadata, linked: bool) {
        if shown.kind != Kind::Directory || self.stopped {
            return;
        }
        let depth = self.trail.len();
        if depth > self.bounds.depth {
            return self.say(Note::Depth);
        }
        let metadata = self.recursion.all.then(|| Box::new(shown.clone()));
        let pending = Pending { depth, name: name.into(), unique: shown.unique, linked, metadata };
        if self.bytes + pending.bytes() > self.bounds.memory_bytes as usize {
            return self.say(Note::Memory);
        }
        self.bytes += pending.bytes();
        self.pending.push(pending);
    }

    /// Goes to the next directory, and opens it. `None`: there are no more. A directory that cannot
    /// be listed has a line in `out` that says why, and is the error then.
    pub(super) fn advance(
        &mut self,
        open: impl FnOnce(&VirtualPath) -> Result<(), StorageError>,
        out: &mut Vec<u8>,
    ) -> Option<Result<Next<'_>, ()>> {
        self.pending[self.found..].reverse();
        let next = self.pending.pop()?;
        self.found = self.pending.len();
        self.bytes -= next.bytes();
        self.trail.truncate(next.depth);
        let around = self.trail.last()?;
        let base = [&around.base[..], &next.name, b"/"].concat();
        if self.is_on_trail(next.unique, next.linked) {
            self.complain(&base, "not listing an already listed directory", "", out);
            return Some(Err(()));
        }
        let path = around.path.join(&next.name);
        let opened = match self.recursion.rights.at(&path).contains(Permissions::LIST) {
            true => open(&path),
            false => Err(StorageError::PermissionDenied),
        };
        match opened {
            Ok(()) => {}
            // It has gone since it was found.
            Err(StorageError::NotFound) => return Some(Err(())),
            Err(error) => {
                self.complain(&base, "cannot open directory", reason(error), out);
                return Some(Err(()));
            }
        }
        if self.recursion.headings {
            out.extend_from_slice(b"\r\n");
            heading(&base, out);
        }
        let metadata = next.metadata.map(|metadata| *metadata);
        self.trail.push(Place { path, base, unique: next.unique, metadata });
        let mut latest = self.trail.iter().rev();
        let here = latest.next()?;
        let above = latest.next().and_then(|above| above.metadata.as_ref());
        let dots = [here.metadata.as_ref(), above.filter(|_| here.metadata.is_some())];
        let prefix = if self.recursion.headings { &[][..] } else { &here.base };
        Some(Ok(Next { prefix, dots }))
    }

    /// Appends a line that says that the directory could not be read to its end. Where there are
    /// names alone, the listing [fails](Self::failed) in the end.
    pub(super) fn unread(&mut self, error: StorageError, out: &mut Vec<u8>) {
        if !self.recursion.headings {
            self.failed = Some(error);
        }
        if let Some(here) = self.trail.last() {
            self.complain(&here.base, "cannot read all of the directory", reason(error), out);
        }
    }

    fn complain(&self, base: &[u8], what: &str, why: &str, out: &mut Vec<u8>) {
        if !self.recursion.headings {
            return;
        }
        out.extend_from_slice(b"ls: ");
        out.extend_from_slice(what.as_bytes());
        out.extend_from_slice(b" '");
        name::encode(title(base), out);
        out.push(b'\'');
        if !why.is_empty() {
            out.extend_from_slice(b": ");
            out.extend_from_slice(why.as_bytes());
        }
        out.extend_from_slice(b"\r\n");
    }

    /// Returns `true` if it is one of the directories that it is in itself. Where nothing tells
    /// directories apart, that is taken of each to which a link leads.
    fn is_on_trail(&self, unique: Option<(u64, u64)>, linked: bool) -> bool {
        match unique {
            Some(_) => self.trail.iter().any(|place| place.unique == unique),
            None => linked,
        }
    }

    /// Returns why the listing is not whole, where no line says it.
    pub(super) fn failed(&self) -> Option<StorageError> {
        self.failed
    }

    /// Appends what is to be said in the end.
    pub(super) fn write_notes(&self, out: &mut Vec<u8>) {
        self.notes.iter().for_each(|note| note.write(&self.bounds, out));
    }
}

/// What a line of a listing says of an error.
fn reason(error: StorageError) -> &'static str {
    match error {
        StorageError::PermissionDenied => "Permission denied",
        StorageError::NotADirectory => "Not a directory",
        StorageError::BadName => "File name too long",
        StorageError::Busy => "Too many open files",
        _ => "Input/output error",
    }
}
