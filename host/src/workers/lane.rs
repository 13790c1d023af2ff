//! What runs and waits of one kind of work.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::owner::JobOwner;
use super::queue::Queue;
use super::shares::Shares;
use super::task::Task;
use crate::server::client_address::ClientAddress;

/// How long a call may take before another thread takes its place.
const SLOW: Duration = Duration::from_millis(100);

/// How long it may take before it counts as stuck, and for whose it is.
const STUCK: Duration = Duration::from_secs(1);

/// How long a login may take before either: a hash takes what it takes, and memory, so that others
/// had better wait.
const STUCK_LOGIN: Duration = Duration::from_secs(10);

/// What a running call is known by.
type Number = u64;

/// One kind of work: what waits, what runs, and the threads.
pub(super) struct LaneQueue {
    /// How many threads there may be, those of slow and stuck calls aside.
    most: usize,
    /// How many of them may work for one client address.
    most_for_client: usize,
    slow_after: Duration,
    stuck_after: Duration,
    pub(super) queue: Queue,
    /// Calls that have just begun, the oldest first.
    running: BTreeMap<Number, Running>,
    /// Those that take longer.
    slow: BTreeMap<Number, Running>,
    stuck: HashMap<Number, Running>,
    last: Number,
    /// How many of those that run are whose; only clients that have any.
    clients: HashMap<ClientAddress, usize>,
    /// All threads.
    pub(super) threads: usize,
    /// Those that have been started and have not come to look for work.
    pub(super) coming: usize,
    /// Those that wait for work.
    pub(super) idle: usize,
    /// No thread could be had, and it has been said.
    complained: bool,
}

struct Running {
    since: Instant,
    owner: Option<Arc<JobOwner>>,
    /// Whose tree it was counted for when it got stuck.
    tree: Option<usize>,
}

/// What a running call is known by until it ends.
pub(super) struct Ticket(Number);

impl LaneQueue {
    /// Storage calls. No client address has all threads.
    pub(super) fn storage(most: usize) -> Self {
        let most = most.max(1);
        Self::new(most, most.div_ceil(2), SLOW, STUCK)
    }

    pub(super) fn logins(most: usize) -> Self {
        Self::new(most.max(1), most.max(1), STUCK_LOGIN, STUCK_LOGIN)
    }

    pub(super) fn digests(most: usize) -> Self {
        Self::new(most, most, SLOW, STUCK)
    }

    fn new(
        most: usize,
        most_for_client: usize,
        slow_after: Duration,
        stuck_after: Duration,
    ) -> Self {
        Self {
            most,
            most_for_client,
            slow_after,
            stuck_after,
            queue: Queue::default(),
            running: BTreeMap::new(),
            slow: BTreeMap::new(),
            stuck: HashMap::new(),
            last: 0,
            clients: HashMap::new(),
            threads: 0,
            coming: 0,
            idle: 0,
            complained: false,
        }
    }

    /// Returns `true` if another thread may come, and would have something to do.
    pub(super) fn may_grow(&self, shares: &Shares) -> bool {
        let replaced = shares.replaced(self.slow.len() + self.stuck.len());
        self.idle + self.coming < self.queue.len()
            && self.threads - replaced.min(self.threads) < self.most
    }

    /// Takes the next job that may run.
    pub(super) fn begin(&mut self, shares: &Shares, now: Instant) -> Option<(Task, Ticket)> {
        let late = self.slow.len() + self.stuck.len();
        let over = late - shares.replaced(late);
        if self.running.len() + over >= self.most {
            return None;
        }
        let (clients, most) = (&self.clients, self.most_for_client);
        let task = self.queue.pop(|client| {
            client.and_then(|client| clients.get(&client)).is_none_or(|&count| count < most)
        })?;
        if let Some(client) = task.client() {
            *self.clients.entry(client).or_default() += 1;
        }
        self.last += 1;
        let owner = task.owner().cloned();
        self.running.insert(self.last, Running { since: now, owner, tree: None });
        self.complained = false;
        Some((task, Ticket(self.last)))
    }

    pub(super) fn end(&mut self, ticket: Ticket, shares: &mut Shares) {
        if let Some(running) = self.running.remove(&ticket.0) {
            self.runs_no_more(&running);
        } else if self.slow.remove(&ticket.0).is_none()
            && let Some(stuck) = self.stuck.remove(&ticket.0)
        {
            shares.comes_back(stuck.owner.as_ref(), stuck.tree);
        }
    }

    /// Finds the calls that have been out for too long.
    pub(super) fn sweep(&mut self, shares: &mut Shares, now: Instant) {
        while let Some(oldest) = self.running.first_entry()
            && now.saturating_duration_since(oldest.get().since) >= self.slow_after
        {
            let (number, running) = oldest.remove_entry();
            self.runs_no_more(&running);
            self.slow.insert(number, running);
        }
        while let Some(oldest) = self.slow.first_entry()
            && now.saturating_duration_since(oldest.get().since) >= self.stuck_after
        {
            let (number, mut stuck) = oldest.remove_entry();
            stuck.tree = shares.gets_stuck(stuck.owner.as_ref());
            self.stuck.insert(number, stuck);
        }
    }

    fn runs_no_more(&mut self, running: &Running) {
        let Some(client) = running.owner.as_ref().map(|owner| owner.client()) else { return };
        if let Some(count) = self.clients.get_mut(&client) {
            *count -= 1;
            if *count == 0 {
                self.clients.remove(&client);
            }
        }
    }

    /// A thread could not be had.
    pub(super) fn starved(&mut self, error: &io::Error) {
        if !std::mem::replace(&mut self.complained, true) {
            wharf_storage::log_limited!(Warn, "no further thread for blocking work: {error}");
        }
    }

    /// Takes out what waits in vain, and can be refused: nothing moves, as every thread is stuck or
    /// none can be had.
    pub(super) fn refuse_in_vain(&mut self, shares: &Shares) -> Vec<Task> {
        let moves =
            !self.running.is_empty() || !self.slow.is_empty() || self.idle > 0 || self.coming > 0;
        if self.queue.is_empty() || moves || self.may_grow(shares) && !self.complained {
            return Vec::new();
        }
        self.queue.take_refusable()
    }
}
