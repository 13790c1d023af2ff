//! The memory that all transfers of a server together may take.
//!
//! A client that stands still in the middle of a transfer keeps its buffers busy. Each transfer has
//! its share before it begins: buffers that are large while there is plenty, and small when others
//! have taken much. Where not even that is left, it is refused. What a transfer holds is known
//! beforehand, so that the bound holds whatever clients do; and as each that stands still ends in
//! time, so does the shortage.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use wharf_core::{Filter, Mode, Plan};

/// A buffer's size while there is plenty, in bytes: a system call costs little beside reading, writing
/// or encrypting it.
pub(crate) const LARGEST: usize = 128 * 1024;

/// The same for what TLS sends. Twice as much takes a tenth more of the processor: what was read last
/// has to be in its cache when it is encrypted, and then when it is sent.
const LARGEST_ENCRYPTED: usize = 64 * 1024;

/// A buffer's size when there is little, in bytes.
pub(crate) const SMALLEST: usize = 32 * 1024;

/// The most plain bytes that MODE Z works on at once, in either direction.
pub(crate) const DEFLATED_AT_ONCE: usize = 64 * 1024;

/// What a compressor keeps, in bytes, as flate2's own has it.
const COMPRESSOR: u64 = 384 * 1024;

/// What the other direction keeps.
const DECOMPRESSOR: u64 = 64 * 1024;

/// What an open directory keeps: names that are sorted, and what the system gave of them at once.
const DIRECTORY: u64 = 256 * 1024;

/// What a listing keeps of entries that are sorted, and of folders to come, where there is little.
const LEAST_LISTED: u32 = 64 * 1024;

/// What is read of TLS records at once, at first.
pub(crate) const TLS_FIRST: usize = 16 * 1024;

/// How many buffers' worth is read of TLS records at once, when a client is fast. Two take 7 % less
/// processor time than a half: the kernel tells the client each time that there is room again.
pub(crate) const TLS_READ_BUFFERS: usize = 2;

/// What TLS keeps besides: a record each that is cut, being decrypted, and left over.
const TLS_RECORDS: u64 = 64 * 1024;

/// The memory that all transfers of a server together may take.
#[derive(Debug)]
pub(crate) struct TransferMemory {
    most: u64,
    taken: AtomicU64,
}

impl TransferMemory {
    /// Lets transfers take `most` bytes together. A single one is let through whatever it needs.
    pub(crate) fn new(most: u64) -> Arc<Self> {
        Arc::new(Self { most, taken: AtomicU64::new(0) })
    }

    /// Returns how many bytes transfers have taken.
    #[cfg(test)]
    pub(crate) fn taken(&self) -> u64 {
        self.taken.load(Ordering::Relaxed)
    }

    /// As [`share`](Self::share), for a plan: where memory is short, a listing keeps less, sorts a
    /// part, and says so.
    pub(crate) fn share_for(
        self: &Arc<Self>,
        plan: &mut Plan,
        mode: Mode,
        encrypted: bool,
    ) -> Option<Arc<Share>> {
        let share = self.share(Needs::of(plan, mode, encrypted));
        match plan {
            Plan::List { format, .. } if share.is_none() => {
                let bounds = &mut format.bounds;
                bounds.memory_bytes = bounds.memory_bytes.min(LEAST_LISTED);
                self.share(Needs::of(plan, mode, encrypted))
            }
            _ => share,
        }
    }

    /// Takes what a transfer needs, until the share is dropped; `None` if it is not to be had.
    ///
    /// Large buffers go only to the first quarter, and compressors and listings that are sorted or
    /// recurse to the first half: whatever some clients hold up, there is room left for many files in
    /// MODE S.
    pub(crate) fn share(self: &Arc<Self>, needs: Needs) -> Option<Arc<Share>> {
        let size = |taken: u64| {
            let small = if needs.is_much { self.most / 2 } else { self.most };
            let fits = |buffer, most| taken + needs.bytes(buffer) <= most;
            if fits(needs.largest, self.most / 4) {
                Some(needs.largest)
            } else if taken == 0 || fits(SMALLEST, small) {
                Some(SMALLEST)
            } else {
                None
            }
        };
        let more = |taken| size(taken).map(|buffer| taken + needs.bytes(buffer));
        let before = self.taken.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).ok()?;
        let buffer = size(before)?;
        let bytes = needs.bytes(buffer);
        Some(Arc::new(Share { memory: Arc::clone(self), bytes, buffer }))
    }
}

/// A transfer's part of the memory. What holds its buffers holds this too.
#[derive(Debug)]
pub(crate) struct Share {
    memory: Arc<TransferMemory>,
    bytes: u64,
    buffer: usize,
}

impl Share {
    /// Returns how large a buffer may be.
    pub(crate) fn buffer(&self) -> usize {
        self.buffer
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.memory.taken.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// What a transfer needs at the most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Needs {
    /// Bytes, whatever the size of its buffers.
    fixed: u64,
    /// How many buffers of one size.
    buffers: u64,
    /// How large each of them is made while there is plenty.
    largest: usize,
    /// It compresses what it sends, or sorts or recurses, which takes far more than all else.
    is_much: bool,
}

impl Needs {
    pub(crate) fn of(plan: &Plan, mode: Mode, encrypted: bool) -> Self {
        let deflates = mode != Mode::Stream;
        let listed = match plan {
            Plan::List { directory: Some(_), format, .. } => format.memory_bytes(),
            _ => 0,
        };
        let ascii = |filter| u64::from(filter == Filter::Ascii);
        let (mut fixed, mut buffers) = match plan {
            Plan::Send { filter, .. } => (0, 1 + ascii(*filter)),
            Plan::List { directory, .. } => (directory.map_or(0, |_| DIRECTORY) + listed, 1),
            Plan::Receive { filter, .. } => (0, 1 + ascii(*filter)),
        };
        let sends = !matches!(plan, Plan::Receive { .. });
        if deflates {
            fixed += if sends { COMPRESSOR } else { DECOMPRESSOR + DEFLATED_AT_ONCE as u64 };
            buffers += 1;
        }
        if encrypted {
            fixed += TLS_RECORDS;
            buffers += if sends { 1 } else { TLS_READ_BUFFERS as u64 };
        }
        let largest = if encrypted && sends { LARGEST_ENCRYPTED } else { LARGEST };
        let is_much = deflates && sends || listed > 2 * u64::from(LEAST_LISTED);
        Self { fixed, buffers, largest, is_much }
    }

    fn bytes(self, buffer: usize) -> u64 {
        self.fixed + self.buffers * buffer as u64
    }
}

#[cfg(test)]
mod tests {
    use wharf_core::{ListingFormat, Permissions, RequestId, Style, WallTime};

    use super::*;

    const MIB: u64 = 1024 * 1024;

    fn upload(encrypted: bool) -> Needs {
        let plan = Plan::Receive { file: RequestId(1), filter: Filter::Identity, most: None };
        Needs::of(&plan, Mode::Stream, encrypted)
    }

    fn download(mode: Mode) -> Needs {
        let file = RequestId(1);
        let plan = Plan::Send { file, filter: Filter::Identity, offset: 0, end: None };
        Needs::of(&plan, mode, true)
    }

    #[test]
    fn buffers_shrink_and_then_there_is_no_more() {
        let memory = TransferMemory::new(4 * MIB);
        let mut shares = Vec::new();
        while let Some(share) = memory.share(upload(true)) {
            assert!(memory.taken() <= 4 * MIB);
            shares.push(share);
        }
        let sizes: Vec<_> = shares.iter().map(|share| share.buffer()).collect();
        assert!(sizes.is_sorted_by(|one, other| one >= other), "{sizes:?}");
        assert_eq!((sizes[0], sizes[sizes.len() - 1]), (LARGEST, SMALLEST));
        assert!(shares.len() >= 15, "{}", shares.len());
        // One that goes makes room for one.
        shares.pop();
        shares.push(memory.share(upload(true)).unwrap());
        assert!(memory.share(upload(true)).is_none());
        drop(shares);
        assert_eq!(memory.taken(), 0);
        assert_eq!(memory.share(upload(true)).unwrap().buffer(), LARGEST);
    }

    #[test]
    fn what_takes_much_leaves_half_to_others() {
        let mut format = ListingFormat::new(Style::Long, Permissions::ALL, WallTime::default());
        format.order.reversed = true;
        let (head, directory) = (Vec::new(), Some(RequestId(1)));
        let plan = Plan::List { head, directory, format: Box::new(format) };
        let sorted = Needs::of(&plan, Mode::Stream, false);
        for much in [download(Mode::Deflate { level: 6 }), sorted] {
            let memory = TransferMemory::new(16 * MIB);
            let mut shares = Vec::new();
            while let Some(share) = memory.share(much) {
                shares.push(share);
            }
            assert!(shares.len() >= 3 && memory.taken() <= 8 * MIB, "{}", shares.len());
            for _ in 0..40 {
                shares.push(memory.share(download(Mode::Stream)).unwrap());
                shares.push(memory.share(upload(false)).unwrap());
            }
        }
    }

    #[test]
    fn listings_keep_less_where_memory_is_short() {
        let memory = TransferMemory::new(16 * MIB);
        let mut shares = Vec::new();
        let list = || {
            let mut format = ListingFormat::new(Style::Long, Permissions::ALL, WallTime::default());
            format.order.reversed = true;
            let (head, directory) = (Vec::new(), Some(RequestId(1)));
            let mut plan = Plan::List { head, directory, format: Box::new(format) };
            let share = memory.share_for(&mut plan, Mode::Stream, false)?;
            let Plan::List { format, .. } = plan else { return None };
            shares.push(share);
            Some(format.bounds.memory_bytes)
        };
        let kept: Vec<_> = std::iter::from_fn(list).collect();
        let much = kept.iter().filter(|&&kept| kept > LEAST_LISTED).count();
        assert!((3..8).contains(&much) && kept.len() > 20, "{kept:?}");
        assert_eq!(kept.last(), Some(&LEAST_LISTED));
    }

    #[test]
    fn a_single_transfer_is_let_through() {
        let memory = TransferMemory::new(1);
        let share = memory.share(download(Mode::Deflate { level: 6 })).unwrap();
        assert_eq!(share.buffer(), SMALLEST);
        assert!(memory.share(upload(false)).is_none());
        drop(share);
        assert!(memory.share(upload(false)).is_some());
    }

    #[test]
    fn the_bound_holds_among_threads() {
        let memory = TransferMemory::new(2 * MIB);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..500 {
                        let shares: Vec<_> =
                            (0..8).filter_map(|_| memory.share(upload(true))).collect();
                        assert!(memory.taken() <= 2 * MIB);
                        drop(shares);
                    }
                });
            }
        });
        assert_eq!(memory.taken(), 0);
    }
}
