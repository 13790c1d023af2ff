//! Counting sessions, so that neither a crowd nor a single client takes the server for itself.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use wharf_core::Admission;

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
}

/// Whom a peer address stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Client {
    V4(Ipv4Addr),
    /// The first 64 bits: whoever has one address of such a network has all of them.
    V6(u64),
}

impl Client {
    fn of(peer: IpAddr) -> Self {
        match peer.to_canonical() {
            IpAddr::V4(ip) => Self::V4(ip),
            IpAddr::V6(ip) => Self::V6((ip.to_bits() >> 64) as u64),
        }
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
    pub fn enter(self: &Arc<Self>, peer: IpAddr) -> Option<(Admission, Seat)> {
        let client = Client::of(peer);
        let mut counts = self.lock();
        let present = counts.clients.get(&client).copied().unwrap_or(0);
        let admission = if counts.admitted >= self.max_sessions {
            Admission::ServerFull
        } else if present >= self.max_per_address {
            Admission::AddressFull
        } else {
            Admission::Welcome
        };
        let place = if admission == Admission::Welcome {
            counts.admitted += 1;
            counts.clients.insert(client, present + 1);
            Place::Counted(client)
        } else if counts.refused < REFUSED_AT_MOST {
            counts.refused += 1;
            Place::Refused
        } else {
            return None;
        };
        Some((admission, Seat { sessions: Arc::clone(self), place }))
    }

    /// Returns how many sessions there are that were welcome.
    pub fn count(&self) -> usize {
        self.lock().admitted
    }

    fn leave(&self, place: Place) {
        let mut counts = self.lock();
        match place {
            Place::Refused => counts.refused -= 1,
            Place::Counted(client) => {
                counts.admitted -= 1;
                if let Some(present) = counts.clients.get_mut(&client) {
                    *present -= 1;
                    if *present == 0 {
                        counts.clients.remove(&client);
                    }
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
    Counted(Client),
    Refused,
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.sessions.leave(self.place);
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

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
