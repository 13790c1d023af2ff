//! What the tests of the session share: a textual form of events and actions, and a driver that
//! checks the rules of the contract at every step.

#![allow(dead_code, reason = "each test crate uses a part of it")]

pub(crate) mod actions;
pub(crate) mod canned;
pub(crate) mod events;
pub(crate) mod harness;
pub(crate) mod ledger;
pub(crate) mod replies;
pub(crate) mod text;
pub(crate) mod transcript;

/// Numbers that look random and are the same each time (xorshift64*).
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        // Spread small seeds over all bits; zero would stay zero for ever.
        Self(seed.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    /// Returns a number below `limit`.
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) as usize % limit
    }
}
