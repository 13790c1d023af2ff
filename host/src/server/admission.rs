//! Counting sessions, so that neither a crowd nor a single client takes the server for itself.

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, Shutdown};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use socket2::Socket;
use wharf_core::Admission;

use crate::server::client_address::ClientAddress;

/// How many sessions may exist at once only to be told that there is no room.
const REFUSED_AT_MOST: usize = 64;

/// How many of those whose place has been taken from them may still be told so.
const EVICTED_AT_MOST: usize = 64;

/// The places that a server has for sessions.
#[derive(Debug)]
pub(crate) struct AdmissionControl {
    max_sessions: usize,
    max_per_address: usize,
    counts: Mutex<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    admitted: usize,
    refused: usize,
    /// Only clients that are there; none has a count of zero.
    clients: HashMap<ClientAddress, usize>,
    last_seat: u64,
    /// How many there are whose place has been taken from them.
    evicted: usize,
    /// How many go on without a place.
    vacated: usize,
    /// Who has not logged in, by permit: the oldest comes first.
    strangers: BTreeMap<u64, Stranger>,
}

/// A session without a login.
#[derive(Debug)]
struct Stranger {
    client: ClientAddress,
    socket: Arc<Socket>,
    eviction: Arc<AtomicU8>,
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
    fn free(&mut self, client: ClientAddress) {
        self.admitted -= 1;
        if let Some(present) = self.clients.get_mut(&client) {
            *present -= 1;
            if *present == 0 {
                self.clients.remove(&client);
            }
        }
    }

    /// Takes the place of a session that has not logged in, of this client or of anybody, and so
    /// makes room; tells whether there was one.
    ///
    /// It is the oldest of those whose client holds more than half as many such places as the one
    /// that holds most: who is about to log in does not make room for a crowd.
    fn evict(&mut self, of: Option<ClientAddress>) -> bool {
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
        let (to_be_told, end) = if self.evicted <= EVICTED_AT_MOST {
            (Eviction::ToBeTold, Shutdown::Read)
        } else {
            (Eviction::Silent, Shutdown::Both)
        };
        eviction.store(to_be_told as u8, Ordering::Release);
        // The session sees an end, as if the client had gone. It may be gone.
        let _ = socket.shutdown(end);
        self.free(client);
        true
    }

    fn refuse(&mut self) -> Option<Place> {
        (self.refused < REFUSED_AT_MOST).then(|| {
            self.refused += 1;
            Place::Refused
        })
    }
}

impl AdmissionControl {
    /// Makes room for `max_sessions` in all, and `max_per_address` from one client.
    ///
    /// A client is an IPv4 address, in IPv6 clothes or not, or an IPv6 network of 64 bits.
    pub(crate) fn new(max_sessions: usize, max_per_address: usize) -> Arc<Self> {
        Arc::new(Self { max_sessions, max_per_address, counts: Mutex::default() })
    }

    /// Takes a place for a session with `peer`, which is given back when the [`Permit`] is dropped.
    ///
    /// A session that is not welcome has a permit too, to be told so and go: it takes no place from
    /// others, but there are few of these. `None` means that not even one of these is free, and
    /// the connection is best dropped without a word.
    ///
    /// Where there is no room, the oldest session that has not logged in has to go, of the same client
    /// where that has all it may have: a crowd that only connects keeps nobody out. Who has logged
    /// in stays.
    pub(crate) fn enter(self: &Arc<Self>, peer: IpAddr) -> Option<(Admission, Permit)> {
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
            counts.last_seat += 1;
            Place::Counted(client)
        } else {
            counts.refuse()?
        };
        let permit = counts.last_seat;
        drop(counts);
        Some((admission, Permit::new(self, place, permit)))
    }

    /// Takes a permit for a session that is not welcome whatever room there is; `None` as with
    /// [`enter`](Self::enter).
    pub(crate) fn refuse(self: &Arc<Self>) -> Option<Permit> {
        let place = self.lock().refuse()?;
        Some(Permit::new(self, place, 0))
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

#[derive(Clone, Copy, Debug)]
enum Place {
    Counted(ClientAddress),
    Refused,
    /// The session goes on without.
    Vacated,
}

impl Permit {
    fn new(sessions: &Arc<AdmissionControl>, place: Place, number: u64) -> Self {
        let eviction = Arc::new(AtomicU8::new(Eviction::No as u8));
        Self { sessions: Arc::clone(sessions), place, number, eviction }
    }

    /// Takes note that whoever is on this connection has not logged in, or not any more: this place
    /// may be needed for another.
    pub(crate) fn await_login(&mut self, socket: &Arc<Socket>) {
        let Place::Counted(client) = self.place else { return };
        let mut counts = self.sessions.lock();
        if self.eviction() == Eviction::No {
            counts.strangers.remove(&self.number);
            counts.last_seat += 1;
            self.number = counts.last_seat;
            let (socket, eviction) = (socket.clone(), self.eviction.clone());
            counts.strangers.insert(self.number, Stranger { client, socket, eviction });
        }
    }

    /// Takes note of a login: from now on the place is safe.
    pub(crate) fn log_in(&self) {
        self.sessions.lock().strangers.remove(&self.number);
    }

    /// Tells whether the place has been taken away.
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
            Place::Refused => counts.refused -= 1,
            Place::Vacated => counts.vacated -= 1,
            Place::Counted(_) if self.eviction() != Eviction::No => counts.evicted -= 1,
            Place::Counted(client) => counts.free(client),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::thread;

    use socket2::{Domain, Type};

    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn both_limits_hold_and_places_come_back() {
        let sessions = AdmissionControl::new(3, 2);
        let enter = |text| sessions.enter(ip(text)).unwrap();
        let (first, permit) = enter("192.0.2.1");
        let (second, _seat2) = enter("192.0.2.1");
        assert_eq!((first, second), (Admission::Welcome, Admission::Welcome));
        assert_eq!(enter("192.0.2.1").0, Admission::AddressFull);
        let (third, _seat3) = enter("192.0.2.2");
        assert_eq!(third, Admission::Welcome);
        assert_eq!(enter("192.0.2.3").0, Admission::ServerFull);
        assert_eq!(sessions.count(), 3);
        drop(permit);
        assert_eq!(sessions.count(), 2);
        assert_eq!(enter("192.0.2.1").0, Admission::Welcome);
    }

    #[test]
    fn clients_have_many_addresses() {
        let sessions = AdmissionControl::new(10, 1);
        let (_, _v4) = sessions.enter(ip("192.0.2.1")).unwrap();
        let (_, _v6) = sessions.enter(ip("2001:db8::1")).unwrap();
        for (text, expected) in [
            ("::ffff:192.0.2.1", Admission::AddressFull),
            ("::ffff:192.0.2.2", Admission::Welcome),
            ("2001:db8::ffff:2", Admission::AddressFull),
            ("2001:db8:0:1::1", Admission::Welcome),
        ] {
            assert_eq!(sessions.enter(ip(text)).unwrap().0, expected, "{text}");
        }
    }

    #[test]
    fn the_refused_are_few() {
        let sessions = AdmissionControl::new(0, 1);
        let refused: Vec<_> =
            (0..REFUSED_AT_MOST).map(|_| sessions.enter(ip("192.0.2.1")).unwrap()).collect();
        assert!(refused.iter().all(|(admission, _)| *admission == Admission::ServerFull));
        assert!(sessions.enter(ip("192.0.2.1")).is_none());
        assert_eq!(sessions.count(), 0);
        drop(refused);
        assert!(sessions.enter(ip("192.0.2.1")).is_some());
    }

    /// A connection's two ends.
    fn connection() -> (Arc<Socket>, Socket) {
        let (ours, theirs) = Socket::pair(Domain::UNIX, Type::STREAM, None).unwrap();
        (Arc::new(ours), theirs)
    }

    fn has_ended(mut ours: &Socket) -> bool {
        ours.set_nonblocking(true).unwrap();
        matches!(ours.read(&mut [0]), Ok(0))
    }

    #[test]
    fn the_oldest_without_a_login_makes_room() {
        let sessions = AdmissionControl::new(4, 2);
        let enter = |text| sessions.enter(ip(text)).unwrap();
        let [(first, theirs), (second, also_theirs), (third, others)] =
            [connection(), connection(), connection()];
        let (_, mut permit) = enter("192.0.2.1");
        let (_, mut logged_in) = enter("192.0.2.1");
        let (_, mut other) = enter("192.0.2.2");
        permit.await_login(&first);
        logged_in.await_login(&second);
        logged_in.log_in();
        other.await_login(&third);
        // The client's own goes before another's, and a place is not given back twice.
        let (admission, _new) = enter("192.0.2.1");
        assert_eq!(admission, Admission::Welcome);
        assert_eq!(permit.eviction(), Eviction::ToBeTold);
        assert!(has_ended(&first) && !has_ended(&second) && !has_ended(&third));
        assert_eq!(sessions.count(), 3);
        permit.await_login(&first);
        assert_eq!(enter("192.0.2.1").0, Admission::AddressFull);
        drop(permit);
        assert_eq!(sessions.count(), 3);
        assert_eq!(enter("192.0.2.1").0, Admission::AddressFull);
        // Where all is full, anybody's.
        let (_, _another) = enter("192.0.2.3");
        let (admission, _yet_another) = enter("192.0.2.3");
        assert_eq!(admission, Admission::Welcome);
        assert_eq!((other.eviction(), logged_in.eviction()), (Eviction::ToBeTold, Eviction::No));
        assert_eq!(enter("192.0.2.4").0, Admission::ServerFull);
        drop(other);
        assert_eq!(sessions.count(), 4);
        // Who logs out is a stranger again.
        logged_in.await_login(&second);
        assert_eq!(enter("192.0.2.4").0, Admission::Welcome);
        assert_eq!(logged_in.eviction(), Eviction::ToBeTold);
        drop((logged_in, theirs, also_theirs, others));
        let counts = sessions.lock();
        assert!(counts.strangers.is_empty() && counts.evicted == 0);
    }

    #[test]
    fn who_comes_alone_does_not_make_room_for_a_crowd() {
        let sessions = AdmissionControl::new(5, 5);
        let come = |text| {
            let (admission, mut permit) = sessions.enter(ip(text)).unwrap();
            assert_eq!(admission, Admission::Welcome);
            let (ours, _) = connection();
            permit.await_login(&ours);
            permit
        };
        let honest = come("192.0.2.1");
        let mut crowd: Vec<_> = (0..4).map(|_| come("192.0.2.2")).collect();
        for _ in 0..20 {
            crowd.push(come("192.0.2.3"));
        }
        assert_eq!(honest.eviction(), Eviction::No);
        drop(crowd);
        assert_eq!(sessions.count(), 1);
    }

    #[test]
    fn of_many_who_make_room_some_hear_nothing() {
        let sessions = AdmissionControl::new(1, 1);
        let mut seats = Vec::new();
        for number in 0..EVICTED_AT_MOST + 3 {
            let (_, mut permit) = sessions.enter(ip("192.0.2.1")).unwrap();
            let (ours, _) = connection();
            permit.await_login(&ours);
            seats.push(permit);
            assert_eq!(sessions.count(), 1, "{number}");
        }
        let silent = seats.iter().filter(|permit| permit.eviction() == Eviction::Silent).count();
        assert_eq!(silent, 2);
    }

    #[test]
    fn a_session_can_go_on_without_its_place() {
        let sessions = AdmissionControl::new(1, 1);
        let (_, mut first) = sessions.enter(ip("192.0.2.1")).unwrap();
        first.vacate();
        assert_eq!(sessions.count(), 0);
        let (admission, mut second) = sessions.enter(ip("192.0.2.1")).unwrap();
        assert_eq!(admission, Admission::Welcome);
        // There are no more of these than places.
        second.vacate();
        assert_eq!(sessions.count(), 1);
        drop(first);
        second.vacate();
        assert_eq!(sessions.count(), 0);
        drop(second);
        assert_eq!((sessions.count(), sessions.lock().vacated), (0, 0));
    }

    #[test]
    fn nothing_is_left_of_those_who_went() {
        let sessions = AdmissionControl::new(1_000, 3);
        let seats: Vec<_> =
            (0..200_u8).map(|n| sessions.enter(IpAddr::from([198, 51, 100, n]))).collect();
        assert_eq!(sessions.lock().clients.len(), 200);
        drop(seats);
        assert!(sessions.lock().clients.is_empty());
        assert_eq!((sessions.count(), sessions.lock().refused), (0, 0));
    }

    #[test]
    fn limits_hold_among_threads() {
        let sessions = AdmissionControl::new(20, 5);
        thread::scope(|scope| {
            for n in 0..8_u8 {
                let sessions = &sessions;
                scope.spawn(move || {
                    for _ in 0..500 {
                        let seats: Vec<_> = (0..4)
                            .filter_map(|_| sessions.enter(IpAddr::from([192, 0, 2, n % 3])))
                            .collect();
                        assert!(sessions.count() <= 20);
                        assert!(sessions.lock().clients.values().all(|&count| count <= 5));
                        drop(seats);
                    }
                });
            }
        });
        assert_eq!(sessions.count(), 0);
        assert!(sessions.lock().clients.is_empty());
    }
}
