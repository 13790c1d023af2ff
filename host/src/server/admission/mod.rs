//! Counting sessions, so that neither a crowd nor a single client takes the server for itself.

mod counts;
#[cfg(test)]
mod tests;

use std::net::IpAddr;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use socket2::Socket;
use wharf_core::Admission;

use crate::server::client_address::ClientAddress;

pub(crate) use counts::Eviction;
use counts::{Counts, Place, Stranger};

/// The places that a server has for sessions.
#[derive(Debug)]
pub(crate) struct AdmissionControl {
    max_sessions: usize,
    max_per_address: usize,
    counts: Mutex<Counts>,
}

impl AdmissionControl {
    /// Makes room for `max_sessions` in all, and `max_per_address` from one client.
    ///
    /// A client is an IPv4 address, mapped into IPv6 or not, or an IPv6 network of 64 bits.
    pub(crate) fn new(max_sessions: usize, max_per_address: usize) -> Arc<Self> {
        Arc::new(Self { max_sessions, max_per_address, counts: Mutex::default() })
    }

    /// Takes a place for a session with `peer`, which is given back when the [`Permit`] is dropped.
    ///
    /// A session that is not welcome has a permit too, to be told so and go: it takes no place from
    /// others, but there are few of these. The error means that not even one of these is free,
    /// says why the client is not welcome, and the connection is best dropped without a word.
    ///
    /// Where there is no room, the oldest session that has not logged in has to go, of the same client
    /// where that has all it may have: a crowd that only connects keeps no client out. A session that
    /// has logged in stays.
    pub(crate) fn enter(self: &Arc<Self>, peer: IpAddr) -> Result<(Admission, Permit), Admission> {
        let client = ClientAddress::of(peer);
        let mut counts = self.lock();
        let present = |counts: &Counts| counts.clients.get(&client).copied().unwrap_or(0);
        let is_full = present(&counts) >= self.max_per_address;
        let admission = if is_full && !counts.evict(Some(client)) {
            Admission::AddressFull
        } else if counts.admitted >= self.max_sessions && !counts.evict(None) {
            Admission::ServerFull
        } else {
            Admission::Welcome
        };
        let place = if admission == Admission::Welcome {
            counts.admitted += 1;
            *counts.clients.entry(client).or_default() += 1;
            counts.last_number += 1;
            Place::Counted(client)
        } else {
            counts.refuse().ok_or(admission)?
        };
        let permit = counts.last_number;
        drop(counts);
        Ok((admission, Permit::new(self, place, permit)))
    }

    /// Takes a permit for a session that is not welcome whatever room there is; `None` as the
    /// error of [`enter`](Self::enter).
    pub(crate) fn refuse(self: &Arc<Self>) -> Option<Permit> {
        let place = self.lock().refuse()?;
        Some(Permit::new(self, place, 0))
    }

    /// Takes a permit for a connection whose client is not known yet: it counts as no client's.
    /// There may be as many of these as sessions.
    pub(crate) fn wait_outside(self: &Arc<Self>) -> Option<Permit> {
        let mut counts = self.lock();
        if counts.outside >= self.max_sessions {
            return None;
        }
        counts.outside += 1;
        drop(counts);
        Some(Permit::new(self, Place::Outside, 0))
    }

    /// Returns how many sessions there are that were welcome.
    #[cfg(test)]
    pub(crate) fn count(&self) -> usize {
        self.lock().admitted
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A session's place among the others; dropping it gives the place back.
#[derive(Debug)]
#[must_use = "the place is given back at once when this is dropped"]
pub(crate) struct Permit {
    sessions: Arc<AdmissionControl>,
    place: Place,
    /// In the order in which they were taken, or became those of strangers.
    number: u64,
    eviction: Arc<AtomicU8>,
}

impl Permit {
    fn new(sessions: &Arc<AdmissionControl>, place: Place, number: u64) -> Self {
        let eviction = Arc::new(AtomicU8::new(Eviction::No as u8));
        Self { sessions: Arc::clone(sessions), place, number, eviction }
    }

    /// Says that the session on this connection has not logged in, or not any more: its place may be
    /// needed for another.
    pub(crate) fn await_login(&mut self, socket: &Arc<Socket>) {
        let Place::Counted(client) = self.place else { return };
        let mut counts = self.sessions.lock();
        if self.eviction() == Eviction::No {
            counts.strangers.remove(&self.number);
            counts.last_number += 1;
            self.number = counts.last_number;
            let (socket, eviction) = (socket.clone(), self.eviction.clone());
            counts.strangers.insert(self.number, Stranger { client, socket, eviction });
        }
    }

    /// Says that the session has logged in: from now on its place is safe.
    pub(crate) fn log_in(&self) {
        self.sessions.lock().strangers.remove(&self.number);
    }

    /// Returns whether the place has been taken away.
    pub(crate) fn eviction(&self) -> Eviction {
        match self.eviction.load(Ordering::Acquire) {
            0 => Eviction::No,
            1 => Eviction::ToBeTold,
            _ => Eviction::Silent,
        }
    }

    /// Gives the place back though the session goes on. There may be as many of these as there are
    /// places; beyond, they keep theirs.
    pub(crate) fn vacate(&mut self) {
        let Place::Counted(client) = self.place else { return };
        let mut counts = self.sessions.lock();
        if self.eviction() == Eviction::No && counts.vacated < self.sessions.max_sessions {
            counts.strangers.remove(&self.number);
            counts.free(client);
            counts.vacated += 1;
            self.place = Place::Vacated;
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut counts = self.sessions.lock();
        counts.strangers.remove(&self.number);
        match self.place {
            Place::Outside => counts.outside -= 1,
            Place::Refused => counts.refused -= 1,
            Place::Vacated => counts.vacated -= 1,
            Place::Counted(_) if self.eviction() != Eviction::No => counts.evicted -= 1,
            Place::Counted(client) => counts.free(client),
        }
    }
}
