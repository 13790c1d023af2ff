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

/// Sorts the entries of a directory, as many as there is memory for.
#[derive(Debug)]
pub(super) struct Sorter {
    order: Order,
    /// What counts of a link is what it leads to.
    follow_links: bool,
    /// How many bytes these may take.
    most: usize,
    entries: Vec<Entry>,
    bytes: usize,
    stage: Stage,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Entries are taken in.
    Filling,
    /// They are sorted, and given back.
    Emptying,
    /// All that were sorted have been given back.
    Empty,
}

impl Sorter {
    pub(super) fn new(order: Order, follow_links: bool, most: usize) -> Self {
        let entries = Vec::new();
        Self { order, follow_links, most, entries, bytes: 0, stage: Stage::Filling }
    }

    /// Begins anew, for another directory.
    pub(super) fn restart(&mut self) {
        *self = Self::new(self.order, self.follow_links, self.most);
    }

    /// Returns `true` if there is room for an entry to be [added](Self::add).
    pub(super) fn has_room(&self) -> bool {
        self.stage == Stage::Filling && self.bytes < self.most
    }

    pub(super) fn add(&mut self, entry: Entry) {
        self.bytes += bytes(&entry);
        self.entries.push(entry);
    }

    /// Takes in no more: what was added comes back in order.
    pub(super) fn finish(&mut self) {
        if self.stage == Stage::Filling {
            self.stage = Stage::Emptying;
            let (order, follow_links) = (self.order, self.follow_links);
            // The first one is taken from the end.
            self.entries.sort_unstable_by(|one, other| order.compare(follow_links, other, one));
        }
    }

    /// Returns `true` once all that was added has come back.
    pub(super) fn is_empty(&self) -> bool {
        self.stage == Stage::Empty
    }

    /// Returns the next entry, once there will be no more.
    pub(super) fn next(&mut self) -> Option<Entry> {
        if self.stage != Stage::Emptying {
            return None;
        }
        let next = self.entries.pop();
        if next.is_none() {
            self.stage = Stage::Empty;
        }
        next
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
