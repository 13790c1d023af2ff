//! Logins that were right a moment ago, so that a client's next ones need no hash.

use std::collections::{HashSet, VecDeque};
use std::io;
use std::time::{Duration, Instant};

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::password::random;

/// How many are remembered at most; the oldest make room.
const MOST: usize = 1024;

/// Stands for a host, a user, its stored hash and a password, and tells none of them.
pub(super) type Ticket = [u8; 32];

/// The tickets that were good a moment ago. Only what was right gets here: guessing costs a whole
/// hash each time.
#[derive(Debug)]
pub(super) struct Remembered {
    duration: Duration,
    tickets: HashSet<Ticket>,
    /// The same ones with when they expire, which is the order in which they came.
    order: VecDeque<(Instant, Ticket)>,
}

impl Remembered {
    pub(super) fn new(duration: Duration) -> Self {
        Self { duration, tickets: HashSet::new(), order: VecDeque::new() }
    }

    pub(super) fn knows(&mut self, ticket: &Ticket, now: Instant) -> bool {
        while self.order.front().is_some_and(|(expiry, _)| *expiry <= now) {
            self.forget_oldest();
        }
        self.tickets.contains(ticket)
    }

    /// Remembers a ticket that was good just now; one that is known does not live longer by it.
    pub(super) fn keep(&mut self, ticket: Ticket, now: Instant) {
        let Some(expiry) = now.checked_add(self.duration) else { return };
        if self.duration.is_zero() || !self.tickets.insert(ticket) {
            return;
        }
        self.order.push_back((expiry, ticket));
        if self.order.len() > MOST {
            self.forget_oldest();
        }
    }

    /// Forgets all of them.
    pub(super) fn forget(&mut self) {
        *self = Self::new(self.duration);
    }

    fn forget_oldest(&mut self) {
        if let Some((_, ticket)) = self.order.pop_front() {
            self.tickets.remove(&ticket);
        }
    }
}

/// Makes tickets, by a secret key that ends with this process.
pub(super) struct Stamp(Hmac<Sha256>);

impl Stamp {
    pub(super) fn new() -> io::Result<Self> {
        let key = random::<32>()?;
        // HMAC takes keys of any length.
        Hmac::new_from_slice(&key).map(Self).map_err(io::Error::other)
    }

    /// Makes the ticket of these fields, each with its length, so that no two flow into each other.
    pub(super) fn ticket(&self, fields: [&[u8]; 4]) -> Ticket {
        let mut context = self.0.clone();
        for field in fields {
            context.update(&(field.len() as u64).to_le_bytes());
            context.update(field);
        }
        context.finalize().into_bytes().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn ticket(number: usize) -> Ticket {
        let mut ticket = Ticket::default();
        ticket[..8].copy_from_slice(&number.to_le_bytes());
        ticket
    }

    #[test]
    fn tickets_expire_from_when_they_were_earned() {
        let (start, mut remembered) = (Instant::now(), Remembered::new(MINUTE));
        remembered.keep(ticket(1), start);
        remembered.keep(ticket(2), start + MINUTE / 2);
        remembered.keep(ticket(1), start + MINUTE / 2);
        let last = start + MINUTE - Duration::from_nanos(1);
        assert!(remembered.knows(&ticket(1), last) && remembered.knows(&ticket(2), last));
        assert!(!remembered.knows(&ticket(3), last));
        assert!(!remembered.knows(&ticket(1), start + MINUTE));
        assert!(remembered.knows(&ticket(2), start + MINUTE));
        assert!(!remembered.knows(&ticket(2), start + 2 * MINUTE));
        assert!(remembered.order.is_empty() && remembered.tickets.is_empty());
    }

    #[test]
    fn the_oldest_make_room() {
        let (now, mut remembered) = (Instant::now(), Remembered::new(MINUTE));
        for number in 0..=MOST {
            remembered.keep(ticket(number), now);
        }
        assert!(!remembered.knows(&ticket(0), now));
        assert!(remembered.knows(&ticket(1), now) && remembered.knows(&ticket(MOST), now));
        assert_eq!((remembered.order.len(), remembered.tickets.len()), (MOST, MOST));
    }

    #[test]
    fn no_time_is_off() {
        let (now, mut remembered) = (Instant::now(), Remembered::new(Duration::ZERO));
        remembered.keep(ticket(1), now);
        assert!(!remembered.knows(&ticket(1), now));
    }

    #[test]
    fn fields_do_not_flow_into_each_other() {
        let stamp = Stamp::new().unwrap();
        let one = stamp.ticket([b"", b"anna", b"hash", b"secret"]);
        assert_eq!(one, stamp.ticket([b"", b"anna", b"hash", b"secret"]));
        assert_ne!(one, stamp.ticket([b"a", b"nna", b"hash", b"secret"]));
        assert_ne!(one, stamp.ticket([b"", b"anna", b"hashs", b"ecret"]));
        assert_ne!(one, Stamp::new().unwrap().ticket([b"", b"anna", b"hash", b"secret"]));
    }
}
