use std::io::Read;
use std::thread;

use socket2::{Domain, Type};

use super::counts::{EVICTED_AT_MOST, REFUSED_AT_MOST};
use super::*;

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

#[test]
fn both_limits_hold_and_places_come_back() {
    let sessions = AdmissionControl::new(3, 2);
    let enter = |text| sessions.enter(ip(text)).unwrap();
    let (first, permit) = enter("192.0.2.1");
    let (second, _permit2) = enter("192.0.2.1");
    assert_eq!((first, second), (Admission::Welcome, Admission::Welcome));
    assert_eq!(enter("192.0.2.1").0, Admission::AddressFull);
    let (third, _permit3) = enter("192.0.2.2");
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
    assert_eq!(sessions.enter(ip("192.0.2.1")).unwrap_err(), Admission::ServerFull);
    assert_eq!(sessions.count(), 0);
    drop(refused);
    assert!(sessions.enter(ip("192.0.2.1")).is_ok());
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
    // Where all is full, any client's.
    let (_, _another) = enter("192.0.2.3");
    let (admission, _yet_another) = enter("192.0.2.3");
    assert_eq!(admission, Admission::Welcome);
    assert_eq!((other.eviction(), logged_in.eviction()), (Eviction::ToBeTold, Eviction::No));
    assert_eq!(enter("192.0.2.4").0, Admission::ServerFull);
    drop(other);
    assert_eq!(sessions.count(), 4);
    // A session that logs out is a stranger again.
    logged_in.await_login(&second);
    assert_eq!(enter("192.0.2.4").0, Admission::Welcome);
    assert_eq!(logged_in.eviction(), Eviction::ToBeTold);
    drop((logged_in, theirs, also_theirs, others));
    let counts = sessions.lock();
    assert!(counts.strangers.is_empty() && counts.evicted == 0);
}

#[test]
fn a_single_client_does_not_make_room_for_a_crowd() {
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
fn of_many_that_make_room_some_hear_nothing() {
    let sessions = AdmissionControl::new(1, 1);
    let mut permits = Vec::new();
    for number in 0..EVICTED_AT_MOST + 3 {
        let (_, mut permit) = sessions.enter(ip("192.0.2.1")).unwrap();
        let (ours, _) = connection();
        permit.await_login(&ours);
        permits.push(permit);
        assert_eq!(sessions.count(), 1, "{number}");
    }
    let silent = permits.iter().filter(|permit| permit.eviction() == Eviction::Silent).count();
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
fn nothing_is_left_of_sessions_that_ended() {
    let sessions = AdmissionControl::new(1_000, 3);
    let permits: Vec<_> =
        (0..200_u8).map(|n| sessions.enter(IpAddr::from([198, 51, 100, n]))).collect();
    assert_eq!(sessions.lock().clients.len(), 200);
    drop(permits);
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
                    let permits: Vec<_> = (0..4)
                        .filter_map(|_| sessions.enter(IpAddr::from([192, 0, 2, n % 3])).ok())
                        .collect();
                    assert!(sessions.count() <= 20);
                    assert!(sessions.lock().clients.values().all(|&count| count <= 5));
                    drop(permits);
                }
            });
        }
    });
    assert_eq!(sessions.count(), 0);
    assert!(sessions.lock().clients.is_empty());
}
