//! Memory to compute hashes in.

use std::sync::{Mutex, MutexGuard, PoisonError};

use argon2::Block;

/// Memory that is used again by the next computation.
///
/// To ask the system for it each time, from whichever thread, would leave ever more of it with the
/// allocator: some keep what a thread has freed for that thread. So there is as much of it as was
/// ever used at the same time, and when none is in use, one piece.
#[derive(Default)]
pub(super) struct Scratch(Mutex<Pieces>);

#[derive(Default)]
struct Pieces {
    idle: Vec<Vec<Block>>,
    in_use: usize,
}

impl Scratch {
    /// Does something with `count` blocks; `None` when there is not so much memory.
    pub(super) fn with<T>(&self, count: usize, work: impl FnOnce(&mut [Block]) -> T) -> Option<T> {
        let idle = {
            let mut pieces = self.lock();
            pieces.in_use += 1;
            pieces.idle.pop()
        };
        let mut piece = idle.unwrap_or_default();
        let missing = count.saturating_sub(piece.len());
        let there_is = piece.try_reserve_exact(missing).is_ok();
        let done = there_is.then(|| {
            piece.resize(count.max(piece.len()), Block::new());
            work(&mut piece[..count])
        });
        let mut pieces = self.lock();
        pieces.in_use -= 1;
        pieces.idle.push(piece);
        if pieces.in_use == 0 {
            pieces.idle.truncate(1);
        }
        done
    }

    fn lock(&self) -> MutexGuard<'_, Pieces> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_used_again_and_one_piece_stays() {
        let scratch = Scratch::default();
        let place = |count| scratch.with(count, |blocks| (blocks.as_ptr() as usize, blocks.len()));
        let (first, length) = place(8).unwrap();
        assert_eq!(length, 8);
        assert_eq!(place(8), Some((first, 8)));
        assert_eq!(place(3), Some((first, 3)));
        // Another one while the first is in use.
        let both = scratch.with(8, |outer| (outer.as_ptr() as usize, place(8).unwrap().0));
        let (outer, inner) = both.unwrap();
        assert!(outer == first && inner != first);
        assert_eq!(scratch.lock().idle.len(), 1);
        assert_eq!(place(usize::MAX / 4096), None);
        assert_eq!(scratch.lock().in_use, 0);
    }
}
