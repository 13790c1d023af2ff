//! Counting sessions, so that neither a crowd nor a single client takes the server for itself.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::{IpAddr, Shutdown};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use socket2::Socket;
use wharf_core::Admission;

use crate::client::Client;

/// How many sessions may exist at once only to be told that there is no room.
const REFUSED_AT_MOST: usize = 64;

/// The places that a server has for sessions.
#[derive(Debug)]
pub struct Sessions {
    max_sessions: usize,
    max_per_address: usize,
    counts: Mutex<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    admitted: usize,
    refused: usize,
    /// Only clients that are there; none has a count of zero.
    clients: HashMap<Client, usize>,
    last_seat: u64,
    /// Seats whose place has been taken from them.
    evicted: HashSet<u64>,
    /// Who has begun a TLS handshake and not finished it, by seat: the oldest comes first.
    handshakes: BTreeMap<u64, (Client, Arc<Socket>)>,
}

impl Counts {
    /// Takes the place of a session from it.
    fn free(&mut self, client: Client) {
        self.admitted -= 1;
        if let Some(present) = self.clients.get_mut(&client) {
            *present -= 1;
            if *present == 0 {
                self.clients.remove(&client);
            }
        }
    }

    /// Ends the oldest TLS handshake there is, of this client or of anybody, and so makes room;
    /// tells whether there was one.
    fn end_handshake(&mut self, of: Option<Client>) -> bool {
        let wanted = |client: &Client| of.is_none_or(|of| of == *client);
        let oldest = self.handshakes.iter().find(|(_, (client, _))| wanted(client));
        let Some(seat) = oldest.map(|(seat, _)| *seat) else { return false };
        let Some((client, socket)) = self.handshakes.remove(&seat) else { return false };
        // The session sees an end, as if the client had gone. It may be gone.
        let _ = socket.shutdown(Shutdown::Both);
        self.evicted.insert(seat);
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

impl Sessions {
    /// Makes room for `max_sessions` in all, and `max_per_address` from one client.
    ///
    /// A client is an IPv4 address, in IPv6 clothes or not, or an IPv6 network of 64 bits.
    pub fn new(max_sessions: usize, max_per_address: usize) -> Arc<Self> {
        Arc::new(Self { max_sessions, max_per_address, counts: Mutex::default() })
    }

    /// Takes a place for a session with `peer`, which is given back when the [`Seat`] is dropped.
    ///
    /// A session that is not welcome has a seat too, to be told so and go: it takes no place from
    /// others, but there are few of these. `None` means that not even one of these is free, and
    /// the connection is best dropped without a word.
    ///
    /// Where there is no room, whoever has not finished the oldest TLS handshake has to go: a crowd
    /// that only begins them keeps nobody out.
    pub fn enter(self: &Arc<Self>, peer: IpAddr) -> Option<(Admission, Seat)> {
        let client = Client::of(peer);
        let mut counts = self.lock();
        let present = |counts: &Counts| counts.clients.get(&client).copied().unwrap_or(0);
        let is_full = present(&counts) >= self.max_per_address;
        let admission = if is_full && !counts.end_handshake(Some(client)) {
            Admission::AddressFull
        } else if counts.admitted >= self.max_sessions && !counts.end_handshake(None) {
            Admission::ServerFull
        } else {
            Admission::Welcome
        };
        let place = if admission == Admission::Welcome {
            counts.admitted += 1;
            *counts.clients.entry(client).or_default() += 1;
            counts.last_seat += 1;
            Place::Counted(client, counts.last_seat)
        } else {
            counts.refuse()?
        };
        Some((admission, Seat { sessions: Arc::clone(self), place }))
    }

    /// Takes a seat for a session that is not welcome whatever room there is; `None` as with
    /// [`enter`](Self::enter).
    pub fn refuse(self: &Arc<Self>) -> Option<Seat> {
        let place = self.lock().refuse()?;
        Some(Seat { sessions: Arc::clone(self), place })
    }

    /// Returns how many sessions there are that were welcome.
    pub fn count(&self) -> usize {
        self.lock().admitted
    }

    fn leave(&self, place: Place) {
        let mut counts = self.lock();
        match place {
            Place::Refused => counts.refused -= 1,
            Place::Counted(client, seat) => {
                counts.handshakes.remove(&seat);
                if !counts.evicted.remove(&seat) {
                    counts.free(client);
                }
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A session's place among the others; dropping it gives the place back.
#[derive(Debug)]
#[must_use = "the place is given back at once when this is dropped"]
pub struct Seat {
    sessions: Arc<Sessions>,
    place: Place,
}

#[derive(Clone, Copy, Debug)]
enum Place {
    /// With the seat's number, in the order in which they were taken.
    Counted(Client, u64),
    Refused,
}

impl Seat {
    /// Takes note that a TLS handshake has begun on this connection.
    pub(crate) fn begin_handshake(&self, socket: &Arc<Socket>) {
        if let Place::Counted(client, seat) = self.place {
            let mut counts = self.sessions.lock();
            if !counts.evicted.contains(&seat) {
                counts.handshakes.insert(seat, (client, socket.clone()));
            }
        }
    }

    /// Takes note that it has ended, one way or the other.
    pub(crate) fn end_handshake(&self) {
        if let Place::Counted(_, seat) = self.place {
            self.sessions.lock().handshakes.remove(&seat);
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.sessions.leave(self.place);
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
        let sessions = Sessions::new(3, 2);
        let enter = |text| sessions.enter(ip(text)).unwrap();
        let (first, seat) = enter("192.0.2.1");
        let (second, _seat2) = enter("192.0.2.1");
        assert_eq!((first, second), (Admission::Welcome, Admission::Welcome));
        assert_eq!(enter("192.0.2.1").0, Admission::AddressFull);
        let (third, _seat3) = enter("192.0.2.2");
        assert_eq!(third, Admission::Welcome);
        assert_eq!(enter("192.0.2.3").0, Admission::ServerFull);
        assert_eq!(sessions.count(), 3);
        drop(seat);
        assert_eq!(sessions.count(), 2);
        assert_eq!(enter("192.0.2.1").0, Admission::Welcome);
    }

    #[test]
    fn clients_have_many_addresses() {
        let sessions = Sessions::new(10, 1);
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
        let sessions = Sessions::new(0, 1);
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

    fn has_ended(mut theirs: &Socket) -> bool {
        theirs.set_nonblocking(true).unwrap();
        matches!(theirs.read(&mut [0]), Ok(0))
    }

    #[test]
    fn handshakes_that_are_not_finished_make_room() {
        let sessions = Sessions::new(4, 2);
        let enter = |text| sessions.enter(ip(text)).unwrap();
        let [(first, theirs), (second, also_theirs), (third, others)] =
            [connection(), connection(), connection()];
        let (_, seat) = enter("192.0.2.1");
        let (_, finished) = enter("192.0.2.1");
        let (_, other) = enter("192.0.2.2");
        seat.begin_handshake(&first);
        finished.begin_handshake(&second);
        finished.end_handshake();
        other.begin_handshake(&third);
        // The client's own goes before another's, and a place is not given back twice.
        let (admission, _new) = enter("192.0.2.1");
        assert_eq!(admission, Admission::Welcome);
        assert!(has_ended(&theirs) && !has_ended(&also_theirs) && !has_ended(&others));
        assert_eq!(sessions.count(), 3);
        seat.begin_handshake(&first);
        assert_eq!(enter("192.0.2.1").0, Admission::AddressFull);
        drop(seat);
        assert_eq!(sessions.count(), 3);
        assert_eq!(enter("192.0.2.1").0, Admission::AddressFull);
        // Where all is full, anybody's.
        let (_, _another) = enter("192.0.2.3");
        let (admission, _yet_another) = enter("192.0.2.3");
        assert_eq!(admission, Admission::Welcome);
        assert!(has_ended(&others));
        assert_eq!(enter("192.0.2.4").0, Admission::ServerFull);
        drop(other);
        assert_eq!(sessions.count(), 4);
        let counts = sessions.lock();
        assert!(counts.handshakes.is_empty() && counts.evicted.is_empty());
    }

    #[test]
    fn nothing_is_left_of_those_who_went() {
        let sessions = Sessions::new(1_000, 3);
        let seats: Vec<_> =
            (0..200_u8).map(|n| sessions.enter(IpAddr::from([198, 51, 100, n]))).collect();
        assert_eq!(sessions.lock().clients.len(), 200);
        drop(seats);
        assert!(sessions.lock().clients.is_empty());
        assert_eq!((sessions.count(), sessions.lock().refused), (0, 0));
    }

    #[test]
    fn limits_hold_among_threads() {
        let sessions = Sessions::new(20, 5);
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
