use std::collections::HashSet;
use std::net::IpAddr;
use std::sync::mpsc::{Receiver, Sender, channel};

use wharf_core::{Event, RequestId, StorageError};

use super::*;
use crate::connection::job::Outcome;

const LIMIT: Duration = Duration::from_secs(20);

fn workers(storage: usize, logins: usize, stuck: usize) -> Workers {
    let lanes = [LaneQueue::storage(storage), LaneQueue::logins(logins), LaneQueue::digests(1)];
    Workers::with(lanes, stuck).unwrap()
}

fn owner(number: u8) -> Arc<JobOwner> {
    Arc::new(JobOwner::new(IpAddr::from([192, 0, 2, number])))
}

/// A call that hangs until the sender is dropped.
fn hanging(owner: &Arc<JobOwner>) -> (Job, Sender<()>) {
    let (sender, hang) = channel::<()>();
    let refusal = Event::Storage { id: RequestId(1), outcome: Err(StorageError::Busy) };
    let job = Job::request(refusal, false, move || {
        let _ = hang.recv_timeout(LIMIT * 3);
        Outcome::Nothing
    });
    (job.of(owner), sender)
}

fn quick(owner: &Arc<JobOwner>) -> Job {
    hanging(owner).0
}

/// Gives the job away; what comes of it can be received.
fn submit(workers: &Workers, job: Job) -> Receiver<bool> {
    let (sender, receiver) = channel();
    workers.submit(job, move |done| {
        let refused = matches!(
            done.0,
            Outcome::Event(Event::Storage { outcome: Err(StorageError::Busy), .. })
        );
        let _ = sender.send(refused);
    });
    receiver
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
fn several_times_more_stuck_calls_than_threads_hold_up_nobody() {
    let workers = workers(4, 1, 1000);
    let mut hung = Vec::new();
    for number in 0..20 {
        for _ in 0..2 {
            let (job, hang) = hanging(&owner(number));
            hung.push((submit(&workers, job), hang));
        }
    }
    wait_until(&workers, |state| stuck(state) == 40);
    let honest = owner(100);
    for _ in 0..10 {
        assert!(!is_refused(&submit(&workers, quick(&honest))));
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
        let (job, hang) = hanging(&one);
        hung.push((submit(&workers, job), hang));
    }
    wait_until(&workers, |state| stuck(state) == 2);
    // Whatever session of that address it is.
    assert!(is_refused(&submit(&workers, quick(&one))));
    assert!(is_refused(&submit(&workers, quick(&owner(1)))));
    assert!(!is_refused(&submit(&workers, quick(&another))));
    // What has to be done is done.
    let (sender, done) = channel::<()>();
    workers.submit(Job::drop(sender).of(&one), drop);
    assert!(done.recv_timeout(LIMIT).is_err());
    for (outcome, hang) in hung {
        drop(hang);
        assert!(!is_refused(&outcome));
    }
    wait_until(&workers, |state| stuck(state) == 0);
    assert!(!is_refused(&submit(&workers, quick(&one))));
}

#[test]
fn a_tree_has_its_share_and_those_who_only_pass_by_are_served() {
    let workers = workers(4, 1, 8);
    let on_tree = |number| {
        let owner = owner(number);
        owner.set_tree(7);
        owner
    };
    let patrons: Vec<_> = (0..4).map(on_tree).collect();
    let mut hung = Vec::new();
    for owner in &patrons {
        let (job, hang) = hanging(owner);
        hung.push((submit(&workers, job), hang));
    }
    wait_until(&workers, |state| stuck(state) == 4);
    assert!(is_refused(&submit(&workers, quick(&patrons[0]))));
    assert!(!is_refused(&submit(&workers, quick(&on_tree(9)))));
    drop(hung);
}

#[test]
fn where_all_that_may_be_is_stuck_those_who_wait_are_told() {
    let workers = workers(2, 1, 0);
    let mut hung = Vec::new();
    for number in 0..2 {
        let (job, hang) = hanging(&owner(number));
        hung.push((submit(&workers, job), hang));
    }
    wait_until(&workers, |state| state.lanes[0].queue.is_empty());
    assert!(is_refused(&submit(&workers, quick(&owner(9)))));
    let (sender, needed) = channel::<()>();
    workers.submit(Job::drop(sender), drop);
    drop(hung);
    assert!(needed.recv_timeout(LIMIT).is_err());
    assert!(!is_refused(&submit(&workers, quick(&owner(9)))));
}

fn login(owner: &Arc<JobOwner>, name: &'static str, order: &Sender<&'static str>) -> Job {
    let order = order.clone();
    let job = Job::login(move || {
        let _ = order.send(name);
        Outcome::Nothing
    });
    job.of(owner)
}

#[test]
fn logins_take_turns_by_address_and_those_who_have_gone_cost_nothing() {
    let workers = workers(1, 1, 8);
    let (order, ran) = channel();
    let (begun, has_begun) = channel();
    let (hang, hung) = channel::<()>();
    let first = Job::login(move || {
        begun.send(()).unwrap();
        let _ = hung.recv_timeout(LIMIT * 3);
        Outcome::Nothing
    });
    workers.submit(first.of(&owner(1)), drop);
    has_begun.recv_timeout(LIMIT).unwrap();
    let (crowd, gone, ended, honest) = (owner(1), owner(1), owner(3), owner(2));
    for (owner, name) in [
        (&gone, "gone"),
        (&ended, "ended"),
        (&crowd, "crowd"),
        (&crowd, "crowd"),
        (&gone, "gone"),
        (&honest, "honest"),
        (&crowd, "crowd"),
    ] {
        workers.submit(login(owner, name, &order), drop);
    }
    gone.set_presence(Presence::Gone);
    ended.set_presence(Presence::Ended);
    drop((hang, order));
    let ran: Vec<_> = std::iter::from_fn(|| ran.recv_timeout(LIMIT).ok()).collect();
    assert_eq!(ran.iter().filter(|name| **name == "crowd").count(), 3);
    assert!(ran.iter().position(|name| *name == "honest").unwrap() <= 1, "{ran:?}");
    assert_eq!(ran.last(), Some(&"ended"));
    assert!(!ran.contains(&"gone"));
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
        let job = Job::login(move || {
            let _ = inside.send(number);
            let _ = hanging.recv_timeout(LIMIT * 3);
            Outcome::Nothing
        });
        hung.push(Some(hang));
        workers.submit(job.of(&owner), drop);
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
fn an_outcome_that_comes_too_late_is_dropped_where_it_came() {
    let workers = workers(1, 1, 8);
    let owner = owner(1);
    let (job, hang) = hanging(&owner);
    let outcome = submit(&workers, job);
    owner.set_presence(Presence::Gone);
    drop(hang);
    assert!(outcome.recv_timeout(LIMIT).is_err());
}

#[test]
fn dropped_it_tidies_up_and_leaves_nothing() {
    let workers = workers(1, 1, 8);
    let (job, hang) = hanging(&owner(1));
    let first = submit(&workers, job);
    let (held, needed) = channel::<()>();
    workers.submit(Job::drop(held), drop);
    let (job, hang_too) = hanging(&owner(1));
    let _second = submit(&workers, job);
    let shared = Arc::downgrade(&workers.shared);
    drop((workers, hang_too));
    drop(hang);
    assert!(!is_refused(&first));
    assert!(needed.recv_timeout(LIMIT).is_err());
    let start = Instant::now();
    while shared.strong_count() > 0 {
        assert!(start.elapsed() < LIMIT);
        thread::sleep(Duration::from_millis(2));
    }
}
