//! Observers that are slow, that panic and that die.

use std::panic::panic_any;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use wharf_core::{Admission, Endpoint, Notice};

use super::{Observer, Observers, SessionEvent, Wanted};

/// Longer than any of these tests takes.
const LIMIT: Duration = Duration::from_secs(20);

fn observers(most: usize, patience: Duration, all: Vec<(Wanted, Arc<dyn Observer>)>) -> Observers {
    let observers = Observers::new(all, most, patience);
    observers.start().unwrap();
    observers
}

fn all(observer: impl Observer + 'static) -> Vec<(Wanted, Arc<dyn Observer>)> {
    vec![(|_| true, Arc::new(observer))]
}

/// Tells of a SITE command whose reply has this code.
fn tell(observers: &Observers, code: u16) {
    let address = "192.0.2.1:21".parse().unwrap();
    let endpoint = Endpoint::new(address, address, Admission::Welcome);
    let notice = Notice::SiteCalled { command: "X".into(), code };
    observers.teller(endpoint).unwrap().tell(observers, notice, None);
}

fn code(event: &SessionEvent) -> u16 {
    match event.notice {
        Notice::SiteCalled { code, .. } => code,
        _ => panic!("{event:?}"),
    }
}

/// Lets the observers hear what waits, and go.
fn finish(observers: Observers) {
    observers.finish();
}

/// An observer that says what it hears, and goes on when it is let.
fn slow() -> (impl Observer, Receiver<(u16, u64)>, Sender<()>) {
    let ((told, heard), (go, wait)) = (channel(), channel());
    let wait = Mutex::new(wait);
    let observer = move |event: &SessionEvent| {
        told.send((code(event), event.lost)).unwrap();
        let _ = wait.lock().unwrap().recv();
    };
    (observer, heard, go)
}

#[test]
fn without_observers_nothing_is_told() {
    let observers = observers(8, LIMIT, Vec::new());
    let address = "192.0.2.1:21".parse().unwrap();
    assert!(observers.teller(Endpoint::new(address, address, Admission::Welcome)).is_none());
    observers.finish();
}

#[test]
fn what_has_no_room_is_counted_with_the_next() {
    let (observer, heard, go) = slow();
    let observers = observers(2, LIMIT, all(observer));
    tell(&observers, 1);
    assert_eq!(heard.recv_timeout(LIMIT), Ok((1, 0)));
    // Two wait while the first is heard, three do not fit.
    (2..=6).for_each(|code| tell(&observers, code));
    go.send(()).unwrap();
    assert_eq!(heard.recv_timeout(LIMIT), Ok((2, 0)));
    tell(&observers, 7);
    drop(go);
    finish(observers);
    assert_eq!(heard.iter().collect::<Vec<_>>(), [(3, 0), (7, 3)]);
}

#[test]
fn a_slow_observer_takes_nothing_from_another() {
    let ((slow, slow_heard, go), (told, heard)) = (slow(), channel());
    let quick = move |event: &SessionEvent| told.send(code(event)).unwrap();
    let mut both = all(slow);
    both.push((|notice| !matches!(notice, Notice::SiteCalled { code: 2, .. }), Arc::new(quick)));
    let observers = observers(8, LIMIT, both);
    (1..=4).for_each(|code| tell(&observers, code));
    let quickly: Vec<_> = (0..3).map(|_| heard.recv_timeout(LIMIT).unwrap()).collect();
    assert_eq!(quickly, [1, 3, 4]);
    drop(go);
    finish(observers);
    assert_eq!(slow_heard.iter().map(|(code, _)| code).collect::<Vec<_>>(), [1, 2, 3, 4]);
}

#[test]
fn a_panic_costs_one_event() {
    let (told, heard) = channel();
    let observer = move |event: &SessionEvent| {
        assert_ne!(code(event), 2, "as the test wants it to");
        told.send(code(event)).unwrap();
    };
    let observers = observers(8, LIMIT, all(observer));
    (1..=3).for_each(|code| tell(&observers, code));
    finish(observers);
    assert_eq!(heard.iter().collect::<Vec<_>>(), [1, 3]);
}

/// Panics again where the panic is dropped: that ends the thread.
struct Worse;

impl Drop for Worse {
    fn drop(&mut self) {
        panic!("as the test wants it to");
    }
}

#[test]
fn a_dead_observer_is_not_waited_for() {
    let observers = observers(8, LIMIT * 10, all(|_: &SessionEvent| panic_any(Worse)));
    (1..=3).for_each(|code| tell(&observers, code));
    let begun = Instant::now();
    observers.finish();
    assert!(begun.elapsed() < LIMIT);
    tell(&observers, 4);
}

#[test]
fn one_that_sleeps_is_waited_for_no_longer_than_was_said() {
    let (observer, heard, go) = slow();
    let observers = observers(8, Duration::from_millis(1), all(observer));
    (1..=3).for_each(|code| tell(&observers, code));
    assert_eq!(heard.recv_timeout(LIMIT), Ok((1, 0)));
    let begun = Instant::now();
    observers.finish();
    assert!(begun.elapsed() < LIMIT);
    // It hears no more.
    drop((go, observers));
    assert_eq!(heard.iter().count(), 0);
}

#[test]
fn all_is_heard_where_the_threads_have_not_been_started() {
    let (told, heard) = channel();
    let observer = move |event: &SessionEvent| told.send(code(event)).unwrap();
    let observers = Observers::new(all(observer), 8, LIMIT);
    tell(&observers, 1);
    observers.start().unwrap();
    observers.start().unwrap();
    finish(observers);
    assert_eq!(heard.iter().collect::<Vec<_>>(), [1]);
}
