//! A listing on its way from a storage to lines: what is read next, and in which order it is written.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::mem;
use core::time::Duration;

use crate::facts::Role;
use crate::glob;
use crate::path::VirtualPath;
use crate::storage::{Entry, Kind, Metadata, StorageError};

use super::order::Sorter;
use super::walk::{Note, Walk};
use super::{Allowance, Detail, ENTRIES_AT_ONCE, LinesEnd, ListingFormat, STEPS_AT_ONCE, Style};

/// A tree of which a directory is open, as a listing reads it.
pub trait ListedTree {
    /// Puts the next entry of the directory in the place of `entry`, with as much detail as is asked
    /// for; returns `false` after the last.
    fn next(&mut self, entry: &mut Entry, detail: Detail) -> Result<bool, StorageError>;

    /// Opens another directory in the place of the one that is open, or the same once more. Called
    /// where the format [says so](ListingFormat::opens_directories) alone.
    fn open(&mut self, path: &VirtualPath) -> Result<(), StorageError>;

    /// Returns how long the calls have taken so far, all together. Asked for a
    /// [recursion](ListingFormat::recursion) alone.
    fn time_spent(&self) -> Duration;
}

/// Writes the lines of a directory, and of those within where that is asked for, portion by portion.
///
/// Without a [sorting](ListingFormat::order) and a [recursion](ListingFormat::recursion) it keeps
/// nothing of what it has read.
#[derive(Debug)]
pub struct Lister {
    format: Box<ListingFormat>,
    /// What has to be known of each entry.
    detail: Detail,
    sorter: Option<Sorter>,
    walk: Option<Walk>,
    entry: Entry,
    /// The directory that is open has been read to its end.
    is_read: bool,
    /// It is read once more, for the entries that the sorter had no room for.
    is_rest: bool,
    /// There were such.
    unsorted: bool,
    /// How many entries of the directory have been read; the second time, how many are still to be.
    count: u64,
}

/// What a look at the directory came to.
enum Look {
    /// This entry is next.
    Entry,
    /// There is nothing to be written yet.
    Nothing,
    /// There are no more.
    End,
}

impl Lister {
    /// Makes one that writes in this format.
    pub fn new(mut format: Box<ListingFormat>) -> Self {
        let (detail, bounds) = (format.detail(), format.bounds);
        let sorted = !format.order.is_plain();
        let path = format.path.clone();
        let walk = format.recursion.take().map(|recursion| Walk::new(path, recursion, bounds));
        Self {
            sorter: sorted.then(|| {
                Sorter::new(format.order, format.follow_links, bounds.memory_bytes as usize)
            }),
            walk,
            format,
            detail,
            entry: blank(),
            is_read: false,
            is_rest: false,
            unsorted: false,
            count: 0,
        }
    }

    /// Appends some lines, until these are `enough` bytes or work enough for once. Returns whether
    /// there is more to come; that need not be a line.
    pub fn write_portion(
        &mut self,
        tree: &mut impl ListedTree,
        enough: usize,
        out: &mut Vec<u8>,
    ) -> Result<bool, StorageError> {
        if self.sorter.is_none() && self.walk.is_none() {
            let next = |entry: &mut Entry, detail| tree.next(entry, detail);
            let (_, end) = self.format.write_portion(next, Allowance::ALL, enough, out)?;
            return Ok(end == LinesEnd::Enough);
        }
        if let Some(walk) = &mut self.walk
            && !walk.has_time(tree.time_spent())
        {
            self.is_read = true;
        }
        let mut steps = 0;
        for _ in 0..ENTRIES_AT_ONCE {
            if out.len() >= enough || steps >= STEPS_AT_ONCE {
                break;
            }
            match self.look(tree, &mut steps) {
                Ok(Look::Entry) => self.write_entry(out),
                Ok(Look::Nothing) => {}
                Ok(Look::End) => {
                    if !self.next_directory(tree, out) {
                        return self.end(out);
                    }
                }
                // One directory of many that cannot be read to its end is no reason to stop.
                Err(error) => match &mut self.walk {
                    Some(walk) => {
                        walk.unread(error, out);
                        self.is_read = true;
                    }
                    None => return Err(error),
                },
            }
        }
        Ok(true)
    }

    /// Finds the next entry.
    fn look(
        &mut self,
        tree: &mut impl ListedTree,
        steps: &mut usize,
    ) -> Result<Look, StorageError> {
        if self.is_read {
            return self.look_at_sorted(tree);
        }
        let more = tree.next(&mut self.entry, self.detail)?;
        if !more || !self.count() {
            self.is_read = true;
            return Ok(Look::Nothing);
        }
        if let Some(pattern) = &self.format.pattern {
            *steps += pattern.len() * self.entry.name.len();
            if !glob::matches(pattern, &self.entry.name) {
                return Ok(Look::Nothing);
            }
        }
        match &mut self.sorter {
            None => Ok(Look::Entry),
            Some(sorter) if self.is_rest => match sorter.is_behind(&self.entry) {
                true => Ok(Look::Entry),
                false => Ok(Look::Nothing),
            },
            Some(sorter) => {
                sorter.add(mem::replace(&mut self.entry, blank()));
                Ok(Look::Nothing)
            }
        }
    }

    /// Counts an entry; returns `false` if it is one too many.
    fn count(&mut self) -> bool {
        if self.is_rest {
            let left = self.count.checked_sub(1);
            self.count = left.unwrap_or_default();
            return left.is_some();
        }
        let counts = self.walk.as_mut().is_none_or(Walk::count);
        self.count += u64::from(counts);
        counts
    }

    /// Finds the next entry of those that have been sorted. Those for which there was no room are
    /// read anew after them: so what is shown first is what comes first, however large the directory.
    fn look_at_sorted(&mut self, tree: &mut impl ListedTree) -> Result<Look, StorageError> {
        let Some(sorter) = &mut self.sorter else { return Ok(Look::End) };
        if let Some(next) = sorter.next() {
            self.entry = next;
            return Ok(Look::Entry);
        }
        if self.is_rest || sorter.is_whole() {
            return Ok(Look::End);
        }
        (self.is_rest, self.unsorted) = (true, true);
        let path = match &mut self.walk {
            Some(walk) => match walk.has_time(tree.time_spent()) {
                true => walk.path(),
                false => None,
            },
            None => Some(&self.format.path),
        };
        let Some(path) = path else { return Ok(Look::End) };
        tree.open(path)?;
        self.is_read = false;
        Ok(Look::Nothing)
    }

    fn write_entry(&mut self, out: &mut Vec<u8>) {
        let Entry { name, metadata } = &self.entry;
        let linked = matches!(metadata.kind, Kind::Symlink { .. });
        let shown = self.format.shown(metadata);
        self.format.write_as(Role::Entry, name, shown, out);
        if let Some(walk) = &mut self.walk {
            walk.pass(name, shown, linked);
        }
    }

    /// Goes on with the next directory; `false`: the listing is over.
    fn next_directory(&mut self, tree: &mut impl ListedTree, out: &mut Vec<u8>) -> bool {
        let more = match &mut self.walk {
            Some(walk) => {
                walk.has_time(tree.time_spent());
                walk.advance(|path| tree.open(path), out)
            }
            None => None,
        };
        match more {
            None => return false,
            // There is nothing to be read of this one.
            Some(Err(())) => return true,
            Some(Ok(next)) => {
                self.format.pattern = None;
                self.format.prefix = next.prefix.to_vec();
                let names = [&b"."[..], b".."];
                for (name, metadata) in names.into_iter().zip(next.dots) {
                    if let Some(metadata) = metadata {
                        self.format.write_as(Role::Entry, name, metadata, out);
                    }
                }
            }
        }
        if let Some(sorter) = &mut self.sorter {
            sorter.restart();
        }
        (self.is_read, self.is_rest, self.count) = (false, false, 0);
        true
    }

    /// Ends the listing, in a portion of its own where that is an error.
    fn end(&mut self, out: &mut Vec<u8>) -> Result<bool, StorageError> {
        match self.walk.as_ref().and_then(Walk::failed) {
            Some(_) if !out.is_empty() => return Ok(true),
            Some(error) => return Err(error),
            None => {}
        }
        let headings = self.walk.as_ref().map_or(self.format.style == Style::Long, Walk::headings);
        // A program takes each line of NLST for a name: there the order is not worth one.
        if self.unsorted && headings {
            Note::Unsorted.write(&self.format.bounds, out);
        }
        if let Some(walk) = &self.walk {
            walk.write_notes(out);
        }
        Ok(false)
    }
}

fn blank() -> Entry {
    Entry { name: Vec::new(), metadata: Metadata::directory() }
}

#[cfg(test)]
mod tests;
