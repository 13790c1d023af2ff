use std::collections::HashSet;
use std::net::IpAddr;
use std::sync::mpsc::{Receiver, Sender, channel};

use super::*;

const LIMIT: Duration = Duration::from_secs(20);

fn workers(storage: usize, logins: usize, stuck: usize) -> Workers {
    let transfers = LaneQueue::storage(storage);
    let (logins, digests) = (LaneQueue::logins(logins), LaneQueue::digests(1));
    let lanes = [LaneQueue::storage(storage), logins, transfers, digests];
    Workers::with(lanes, stuck).unwrap()
}

fn owner(number: u8) -> Arc<JobOwner> {
    Arc::new(JobOwner::new(IpAddr::from([192, 0, 2, number])))
}

/// A call that hangs until the sender is dropped; the receiver hears whether it was refused.
fn hanging(owner: &Arc<JobOwner>) -> (Task, Sender<()>, Receiver<bool>) {
    let (sender, hang) = channel::<()>();
    let (outcome, receiver) = channel();
    let need = Need::Request { changes: true };
    let task = Task::new(Lane::Storage, need, Some(owner.clone()), move |verdict| {
        if verdict == Verdict::Run {
            let _ = hang.recv_timeout(LIMIT * 3);
        }
        let _ = outcome.send(verdict == Verdict::Refuse);
    });
    (task, sender, receiver)
}

/// Lets one hang; what comes of it can be received.
fn hang(workers: &Workers, owner: &Arc<JobOwner>) -> (Receiver<bool>, Sender<()>) {
    let (task, hang, outcome) = hanging(owner);
    workers.run(task);
    (outcome, hang)
}

fn quick(workers: &Workers, owner: &Arc<JobOwner>) -> Receiver<bool> {
    hang(workers, owner).0
}

/// Work that has to be done: it drops something.
fn needed<T: Send + 'static>(owner: Option<&Arc<JobOwner>>, held: T) -> Task {
    Task::new(Lane::Storage, Need::Always, owner.cloned(), move |_| drop(held))
}

#[track_caller]
fn is_refused(outcome: &Receiver<bool>) -> bool {
    outcome.recv_timeout(LIMIT).expect("it comes to something")
}

fn wait_until(workers: &Workers, so: impl Fn(&State) -> bool) {
    let start = Instant::now();
    loop {
        let mut state = workers.shared.lock();
        state.sweep(Instant::now());
        if so(&state) {
            return;
        }
        drop(state);
        assert!(start.elapsed() < LIMIT, "it did not come about");
        thread::sleep(Duration::from_millis(2));
    }
}

fn stuck(state: &State) -> usize {
    state.shares.stuck()
}

#[test]
fn several_times_more_stuck_calls_than_threads_hold_up_no_other_client() {
    let workers = workers(4, 1, 1000);
    let mut hung = Vec::new();
    for number in 0..20 {
        for _ in 0..2 {
            hung.push(hang(&workers, &owner(number)));
        }
    }
    wait_until(&workers, |state| stuck(state) == 40);
    let honest = owner(100);
    for _ in 0..10 {
        assert!(!is_refused(&quick(&workers, &honest)));
    }
    for (outcome, hang) in hung {
        drop(hang);
        assert!(!is_refused(&outcome));
    }
    wait_until(&workers, |state| stuck(state) == 0);
}

#[test]
fn a_client_address_has_its_share_and_no_more() {
    let workers = workers(4, 1, 8);
    let (one, another) = (owner(1), owner(2));
    let mut hung = Vec::new();
    for _ in 0..2 {
        hung.push(hang(&workers, &one));
    }
    wait_until(&workers, |state| stuck(state) == 2);
    // Whatever session of that address it is.
    assert!(is_refused(&quick(&workers, &one)));
    assert!(is_refused(&quick(&workers, &owner(1))));
    assert!(!is_refused(&quick(&workers, &another)));
    // What has to be done is done.
    let (sender, done) = channel::<()>();
    workers.run(needed(Some(&one), sender));
    assert!(done.recv_timeout(LIMIT).is_err());
    for (outcome, hang) in hung {
        drop(hang);
        assert!(!is_refused(&outcome));
    }
    wait_until(&workers, |state| stuck(state) == 0);
    assert!(!is_refused(&quick(&workers, &one)));
}

#[test]
fn a_tree_has_its_share_and_other_clients_are_served() {
    let workers = workers(4, 1, 8);
    let on_tree = |number| {
        let owner = owner(number);
        owner.set_tree(7);
        owner
    };
    let owners: Vec<_> = (0..4).map(on_tree).collect();
    let mut hung = Vec::new();
    for owner in &owners {
        hung.push(hang(&workers, owner));
    }
    wait_until(&workers, |state| stuck(state) == 4);
    assert!(is_refused(&quick(&workers, &owners[0])));
    assert!(!is_refused(&quick(&workers, &on_tree(9))));
    drop(hung);
}

#[test]
fn where_all_that_may_be_is_stuck_what_waits_is_refused() {
    let workers = workers(2, 1, 0);
    let mut hung = Vec::new();
    for number in 0..2 {
        hung.push(hang(&workers, &owner(number)));
    }
    wait_until(&workers, |state| state.lanes[0].queue.is_empty());
    assert!(is_refused(&quick(&workers, &owner(9))));
    let (sender, done) = channel::<()>();
    workers.run(needed(None, sender));
    drop(hung);
    assert!(done.recv_timeout(LIMIT).is_err());
    assert!(!is_refused(&quick(&workers, &owner(9))));
}

fn login(owner: &Arc<JobOwner>, work: impl FnOnce() + Send + 'static) -> Task {
    Task::new(Lane::Login, Need::Answer, Some(owner.clone()), move |_| work())
}

#[test]
fn logins_take_turns_by_address() {
    let workers = workers(1, 1, 8);
    let (order, ran) = channel();
    let (begun, has_begun) = channel();
    let (hang, hung) = channel::<()>();
    workers.run(login(&owner(1), move || {
        begun.send(()).unwrap();
        let _ = hung.recv_timeout(LIMIT * 3);
    }));
    has_begun.recv_timeout(LIMIT).unwrap();
    let (crowd, ended, honest) = (owner(1), owner(3), owner(2));
    for (owner, name) in [
        (&ended, "ended"),
        (&crowd, "crowd"),
        (&crowd, "crowd"),
        (&honest, "honest"),
        (&crowd, "crowd"),
    ] {
        let order = order.clone();
        workers.run(login(owner, move || order.send(name).unwrap()));
    }
    ended.set_presence(Presence::Ended);
    drop((hang, order));
    let ran: Vec<_> = std::iter::from_fn(|| ran.recv_timeout(LIMIT).ok()).collect();
    assert_eq!(ran.iter().filter(|name| **name == "crowd").count(), 3);
    assert!(ran.iter().position(|name| *name == "honest").unwrap() <= 1, "{ran:?}");
    assert_eq!(ran.last(), Some(&"ended"));
}

#[test]
fn no_more_logins_run_at_once_than_may() {
    let workers = workers(1, 3, 8);
    let (inside, outside) = channel();
    let owner = owner(1);
    let mut hung = Vec::new();
    for number in 0..20 {
        let (hang, hanging) = channel::<()>();
        let inside = inside.clone();
        hung.push(Some(hang));
        workers.run(login(&owner, move || {
            let _ = inside.send(number);
            let _ = hanging.recv_timeout(LIMIT * 3);
        }));
    }
    let mut seen: HashSet<_> = (0..3).map(|_| outside.recv_timeout(LIMIT).unwrap()).collect();
    assert!(outside.try_recv().is_err());
    for (number, hang) in hung.iter_mut().enumerate() {
        *hang = None;
        seen.extend(outside.recv_timeout(if number < 17 { LIMIT } else { Duration::ZERO }));
    }
    assert_eq!(seen.len(), 20);
}

#[test]
fn dropped_it_tidies_up_and_leaves_nothing() {
    let workers = workers(1, 1, 8);
    let (first, hang_first) = hang(&workers, &owner(1));
    let (held, done) = channel::<()>();
    workers.run(needed(None, held));
    let (_second, hang_second) = hang(&workers, &owner(1));
    let shared = Arc::downgrade(&workers.shared);
    drop((workers, hang_second));
    drop(hang_first);
    assert!(!is_refused(&first));
    assert!(done.recv_timeout(LIMIT).is_err());
    let start = Instant::now();
    while shared.strong_count() > 0 {
        assert!(start.elapsed() < LIMIT);
        thread::sleep(Duration::from_millis(2));
    }
}
