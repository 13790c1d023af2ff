//! Counting failed logins, so that no client guesses passwords for as long as it likes.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use wharf_core::Instant;

use crate::server::client_address::ClientAddress;

/// How many clients are remembered.
const CLIENTS_AT_MOST: usize = 10_000;

/// The failed logins of each client, which has to stay away for a while after too many.
///
/// A client is an IPv4 address, or an IPv6 network of 64 bits.
///
/// Memory is bounded: 10 000 clients are remembered. Beyond, those are forgotten that would soon be
/// anyway: first those whose time is over, then those that have failed least and longest ago, and
/// only then those that are cooling down. So a client with many addresses cannot end a cool-down
/// before each one has failed as often as it may.
#[derive(Debug)]
pub(crate) struct Failures {
    max: u32,
    window: Duration,
    cool_down: Duration,
    clients: Mutex<HashMap<ClientAddress, Record>>,
}

/// What is remembered of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Record {
    /// It may not try until then.
    cooling_until: Option<Instant>,
    /// The logins that have failed.
    failed: u32,
    /// When the first of them did.
    since: Instant,
}

impl Failures {
    /// Makes a client whose logins have failed `max` times within `window` of the first stay away
    /// for `cool_down`. With a `max` of 0 no client ever has to.
    pub(crate) fn new(max: u32, window: Duration, cool_down: Duration) -> Arc<Self> {
        Arc::new(Self { max, window, cool_down, clients: Mutex::default() })
    }

    /// Counts a failed login.
    pub(crate) fn failed(&self, peer: IpAddr, now: Instant) {
        if self.max == 0 {
            return;
        }
        let client = ClientAddress::of(peer);
        let mut clients = self.lock();
        let known = clients.get(&client).copied().filter(|record| !self.is_over(record, now));
        if known.is_none() {
            self.make_room(&mut clients, client, now);
        }
        let mut record = known.unwrap_or(Record { cooling_until: None, failed: 0, since: now });
        record.failed += 1;
        if record.failed >= self.max && record.cooling_until.is_none() {
            record.cooling_until = Some(now + self.cool_down);
        }
        clients.insert(client, record);
    }

    /// Returns `true` if a client has to stay away.
    pub(crate) fn is_cooling(&self, peer: IpAddr, now: Instant) -> bool {
        let cooling_until = |record: &Record| record.cooling_until;
        let until = self.lock().get(&ClientAddress::of(peer)).and_then(cooling_until);
        until.is_some_and(|until| now < until)
    }

    /// Returns `true` if a record means nothing any more.
    fn is_over(&self, record: &Record, now: Instant) -> bool {
        record.cooling_until.unwrap_or(record.since + self.window) <= now
    }

    /// Forgets others, where a newcomer finds no room.
    fn make_room(
        &self,
        clients: &mut HashMap<ClientAddress, Record>,
        newcomer: ClientAddress,
        now: Instant,
    ) {
        if clients.len() < CLIENTS_AT_MOST || clients.contains_key(&newcomer) {
            return;
        }
        clients.retain(|_, record| !self.is_over(record, now));
        if clients.len() >= CLIENTS_AT_MOST {
            // The order of the fields decides.
            let least = clients.iter().min_by_key(|(_, record)| **record);
            if let Some(client) = least.map(|(client, _)| *client) {
                clients.remove(&client);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ClientAddress, Record>> {
        self.clients.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::thread;

    use super::*;

    const COOL_DOWN: Duration = Duration::from_secs(5);

    fn failures(max: u32) -> Arc<Failures> {
        Failures::new(max, Duration::from_secs(10), COOL_DOWN)
    }

    fn at(seconds: u64) -> Instant {
        Instant::from_epoch(Duration::from_secs(seconds))
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn number(number: usize) -> IpAddr {
        Ipv4Addr::from(u32::try_from(number).unwrap()).into()
    }

    #[test]
    fn too_many_failures_and_the_client_stays_away_for_a_while() {
        let (failures, peer) = (failures(3), ip("192.0.2.1"));
        for second in 0..3 {
            assert!(!failures.is_cooling(peer, at(second)));
            failures.failed(peer, at(second));
        }
        // The third came at 2 s; one that was under way already does not make it longer.
        for second in 2..7 {
            assert!(failures.is_cooling(peer, at(second)), "{second}");
            failures.failed(peer, at(second));
        }
        assert!(!failures.is_cooling(peer, at(7)));
        // It may fail as often again.
        for _ in 0..3 {
            assert!(!failures.is_cooling(peer, at(7)));
            failures.failed(peer, at(7));
        }
        assert!(failures.is_cooling(peer, at(7)));
    }

    #[test]
    fn a_window_ends() {
        let (failures, peer) = (failures(3), ip("192.0.2.1"));
        for second in [0, 9, 10, 19, 20, 29] {
            failures.failed(peer, at(second));
            assert!(!failures.is_cooling(peer, at(second)), "{second}");
        }
        failures.failed(peer, at(29));
        assert!(failures.is_cooling(peer, at(29)));
    }

    #[test]
    fn clients_have_many_addresses_and_harm_no_others() {
        let failures = failures(1);
        for text in ["192.0.2.1", "2001:db8::1"] {
            failures.failed(ip(text), at(0));
        }
        for (text, cooling) in [
            ("192.0.2.1", true),
            ("::ffff:192.0.2.1", true),
            ("192.0.2.2", false),
            ("2001:db8::ffff:2", true),
            ("2001:db8:0:1::1", false),
        ] {
            assert_eq!(failures.is_cooling(ip(text), at(0)), cooling, "{text}");
        }
    }

    #[test]
    fn zero_switches_it_off() {
        let (failures, peer) = (failures(0), ip("192.0.2.1"));
        (0..1000).for_each(|_| failures.failed(peer, at(0)));
        assert!(!failures.is_cooling(peer, at(0)) && failures.lock().is_empty());
    }

    #[test]
    fn memory_is_bounded_and_a_crowd_ends_no_cool_down() {
        let (failures, bad, worse) = (failures(3), ip("192.0.2.1"), ip("192.0.2.2"));
        let attempt = |peer, times: u32, second| {
            (0..times).for_each(|_| failures.failed(peer, at(second)));
        };
        attempt(bad, 2, 0);
        attempt(worse, 3, 0);
        for crowd in 0..CLIENTS_AT_MOST + 500 {
            attempt(number(crowd), 1, 1);
        }
        assert_eq!(failures.lock().len(), CLIENTS_AT_MOST);
        assert!(failures.is_cooling(worse, at(4)));
        assert_eq!(failures.lock()[&ClientAddress::of(bad)].failed, 2);
        // A client whose time is over makes room before all others.
        attempt(number(CLIENTS_AT_MOST * 2), 1, 10);
        assert_eq!(failures.lock().len(), CLIENTS_AT_MOST - 1);
        assert!(!failures.lock().contains_key(&ClientAddress::of(worse)));
        for another in 1..=2 {
            attempt(number(CLIENTS_AT_MOST * 2 + another), 1, 11);
        }
        assert_eq!(failures.lock().len(), 3);
    }

    #[test]
    fn among_clients_that_cool_down_the_first_is_forgotten_first() {
        let failures = failures(1);
        for crowd in 0..CLIENTS_AT_MOST {
            failures.failed(number(crowd), at(u64::from(crowd > 0)));
        }
        failures.failed(ip("192.0.2.1"), at(2));
        assert!(!failures.is_cooling(number(0), at(2)) && failures.is_cooling(number(1), at(2)));
        assert!(failures.is_cooling(ip("192.0.2.1"), at(2)));
        assert_eq!(failures.lock().len(), CLIENTS_AT_MOST);
    }

    #[test]
    fn failures_side_by_side_are_counted_all() {
        let (failures, peer) = (failures(801), ip("192.0.2.1"));
        let fail = || (0..100).for_each(|_| failures.failed(peer, at(0)));
        thread::scope(|scope| (0..8).for_each(|_| drop(scope.spawn(fail))));
        assert!(!failures.is_cooling(peer, at(0)));
        failures.failed(peer, at(0));
        assert!(failures.is_cooling(peer, at(0)));
    }
}
