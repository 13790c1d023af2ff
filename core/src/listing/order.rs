//! The order of a listing: the options -t, -S and -r of `ls`.

use alloc::vec::Vec;
use core::cmp::Ordering;
use core::mem;

use crate::storage::{Entry, Kind, Metadata};

use super::followed;

/// In which order the entries of a directory are listed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Order {
    /// What decides; names decide between equals.
    pub key: SortKey,
    /// The other way round.
    pub reversed: bool,
}

/// What decides which entry comes first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SortKey {
    /// The storage, which gives entries by name where it can.
    #[default]
    Storage,
    /// When it last changed, the newest first.
    Modified,
    /// Its size, the largest first.
    Size,
}

impl Order {
    /// Returns `true` if entries come as the storage gives them.
    pub(crate) fn is_plain(self) -> bool {
        self == Self::default()
    }

    fn compare(self, follow_links: bool, one: &Entry, other: &Entry) -> Ordering {
        let [a, b] = [one, other].map(|entry| match follow_links {
            true => followed(&entry.metadata),
            false => &entry.metadata,
        });
        let order = match self.key {
            SortKey::Storage => Ordering::Equal,
            SortKey::Modified => b.modified.cmp(&a.modified),
            SortKey::Size => b.size.cmp(&a.size),
        };
        let order = order.then_with(|| one.name.cmp(&other.name));
        if self.reversed { order.reverse() } else { order }
    }
}

/// Finds which entries of a directory come first, as many as there is memory for, and sorts them.
#[derive(Debug)]
pub(super) struct Sorter {
    order: Order,
    /// What counts of a link is what it leads to.
    follow_links: bool,
    /// How many bytes these may take.
    most: usize,
    entries: Vec<Entry>,
    bytes: usize,
    /// The last of them, once some found no room: those were behind it.
    last: Option<Entry>,
    is_sorted: bool,
}

impl Sorter {
    pub(super) fn new(order: Order, follow_links: bool, most: usize) -> Self {
        let entries = Vec::new();
        Self { order, follow_links, most, entries, bytes: 0, last: None, is_sorted: false }
    }

    /// Begins anew, for another directory.
    pub(super) fn restart(&mut self) {
        *self = Self::new(self.order, self.follow_links, self.most);
    }

    /// Takes an entry in, if it is one of the first.
    pub(super) fn add(&mut self, entry: Entry) {
        if self.is_behind(&entry) {
            return;
        }
        self.bytes += bytes(&entry);
        self.entries.push(entry);
        if self.bytes > self.most && self.entries.len() > 1 {
            // Half of them go at once, so that few are moved often.
            let kept = self.entries.len() / 2;
            let (order, follow_links) = (self.order, self.follow_links);
            self.entries.select_nth_unstable_by(kept - 1, |a, b| order.compare(follow_links, a, b));
            self.entries.truncate(kept);
            self.last = self.entries.last().cloned();
            self.bytes = self.entries.iter().map(bytes).sum();
        }
    }

    /// Returns `true` if the entry found no room, or would find none: others come first.
    pub(super) fn is_behind(&self, entry: &Entry) -> bool {
        let compare = |last| self.order.compare(self.follow_links, entry, last);
        self.last.as_ref().is_some_and(|last| compare(last).is_gt())
    }

    /// Returns `true` if all entries found room.
    pub(super) fn is_whole(&self) -> bool {
        self.last.is_none()
    }

    /// Returns the next of those that were taken in, in order. No more are added.
    pub(super) fn next(&mut self) -> Option<Entry> {
        if !self.is_sorted {
            self.is_sorted = true;
            let (order, follow_links) = (self.order, self.follow_links);
            // The first one is taken from the end.
            self.entries.sort_unstable_by(|one, other| order.compare(follow_links, other, one));
        }
        self.entries.pop()
    }
}

/// Returns how much memory an entry takes.
fn bytes(entry: &Entry) -> usize {
    let link = match &entry.metadata.kind {
        Kind::Symlink { target, leads_to } => {
            let leads_to = leads_to.as_ref().map_or(0, |_| mem::size_of::<Metadata>());
            target.as_ref().map_or(0, Vec::capacity) + leads_to
        }
        Kind::File | Kind::Directory | Kind::Other => 0,
    };
    mem::size_of::<Entry>() + entry.name.capacity() + link
}
