//! The places of a server, counted.

use std::collections::{BTreeMap, HashMap};
use std::net::Shutdown;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use socket2::Socket;

use crate::server::client_address::ClientAddress;

/// How many sessions may exist at once only to be told that there is no room.
pub(super) const REFUSED_AT_MOST: usize = 64;

/// How many sessions whose place has been taken away may still be told so.
pub(super) const EVICTED_AT_MOST: usize = 64;

#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) admitted: usize,
    pub(super) refused: usize,
    /// How many connections have not said whose they are.
    pub(super) outside: usize,
    /// Only clients that are there; none has a count of zero.
    pub(super) clients: HashMap<ClientAddress, usize>,
    pub(super) last_number: u64,
    /// How many sessions there are whose place has been taken away.
    pub(super) evicted: usize,
    /// How many go on without a place.
    pub(super) vacated: usize,
    /// Sessions without a login, by the number of their permit: the oldest comes first.
    pub(super) strangers: BTreeMap<u64, Stranger>,
}

/// A session without a login.
#[derive(Debug)]
pub(super) struct Stranger {
    pub(super) client: ClientAddress,
    pub(super) socket: Arc<Socket>,
    pub(super) eviction: Arc<AtomicU8>,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Place {
    Counted(ClientAddress),
    Refused,
    /// Its client is not known yet.
    Outside,
    /// The session goes on without.
    Vacated,
}

/// Whether a session's place has been taken from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Eviction {
    /// It has not.
    No,
    /// It has, and the client can be told.
    ToBeTold,
    /// It has, and nothing can be said.
    Silent,
}

impl Counts {
    /// Takes the place of a session from it.
    pub(super) fn free(&mut self, client: ClientAddress) {
        self.admitted -= 1;
        if let Some(present) = self.clients.get_mut(&client) {
            *present -= 1;
            if *present == 0 {
                self.clients.remove(&client);
            }
        }
    }

    /// Takes the place of a session that has not logged in, of this client or of any, and so makes
    /// room; returns `true` if there was one.
    ///
    /// It is the oldest of those whose client holds more than half as many such places as the one
    /// that holds most: a client that is about to log in does not make room for a crowd.
    pub(super) fn evict(&mut self, of: Option<ClientAddress>) -> bool {
        let wanted = |client: &ClientAddress| of.is_none_or(|of| of == *client);
        let mut held: HashMap<ClientAddress, usize> = HashMap::new();
        for stranger in self.strangers.values().filter(|stranger| wanted(&stranger.client)) {
            *held.entry(stranger.client).or_default() += 1;
        }
        let most = held.values().max().copied().unwrap_or(0);
        let holds_many = |client| held.get(client).is_some_and(|&count| count * 2 > most);
        let oldest = self.strangers.iter().find(|(_, stranger)| holds_many(&stranger.client));
        let Some(permit) = oldest.map(|(permit, _)| *permit) else { return false };
        let Some(Stranger { client, socket, eviction }) = self.strangers.remove(&permit) else {
            return false;
        };
        self.evicted += 1;
        let (eviction_now, end) = if self.evicted <= EVICTED_AT_MOST {
            (Eviction::ToBeTold, Shutdown::Read)
        } else {
            (Eviction::Silent, Shutdown::Both)
        };
        eviction.store(eviction_now as u8, Ordering::Release);
        // The session sees an end, as if the client had gone. It may be gone.
        let _ = socket.shutdown(end);
        self.free(client);
        true
    }

    pub(super) fn refuse(&mut self) -> Option<Place> {
        (self.refused < REFUSED_AT_MOST).then(|| {
            self.refused += 1;
            Place::Refused
        })
    }
}
