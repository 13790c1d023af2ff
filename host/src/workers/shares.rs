//! How many calls are stuck, of which client and tree.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;

use super::owner::JobOwner;
use super::task::Task;
use crate::server::client_address::ClientAddress;

/// How many stuck calls a session may leave: one at a time, and what it has broken off.
const OF_A_SESSION: usize = 4;

/// The stuck calls of all lanes.
pub(super) struct Shares {
    most: usize,
    stuck: usize,
    /// Only clients that have any.
    clients: HashMap<ClientAddress, usize>,
    trees: HashMap<usize, usize>,
}

impl Shares {
    pub(super) fn new(most: usize) -> Self {
        Self { most, stuck: 0, clients: HashMap::new(), trees: HashMap::new() }
    }

    /// Returns how many more threads there may be for them.
    pub(super) fn replaced(&self, stuck: usize) -> usize {
        stuck.min(self.most)
    }

    /// Returns `true` if the task's owner has as many stuck calls already as it may have: a client
    /// address may leave a quarter of all, and a tree half of them.
    pub(super) fn refuses(&self, task: &Task) -> bool {
        let Some(owner) = task.owner() else { return false };
        let of_client = self.clients.get(&owner.client()).copied().unwrap_or(0);
        let of_tree = self.trees.get(&owner.tree()).copied().unwrap_or(0);
        owner.stuck() >= OF_A_SESSION
            || of_client >= (self.most / 4).max(1)
            // On a tree where much hangs, a client without a stuck call is still served.
            || of_client > 0 && (of_tree >= (self.most / 2).max(1) || self.stuck >= self.most)
    }

    #[cfg(test)]
    pub(super) fn stuck(&self) -> usize {
        self.stuck
    }

    pub(super) fn gets_stuck(&mut self, owner: Option<&Arc<JobOwner>>) -> Option<usize> {
        self.stuck += 1;
        let owner = owner?;
        owner.gets_stuck();
        *self.clients.entry(owner.client()).or_default() += 1;
        let tree = owner.tree();
        *self.trees.entry(tree).or_default() += 1;
        Some(tree)
    }

    /// Takes back what [`gets_stuck`](Self::gets_stuck) has counted; it was for this tree.
    pub(super) fn comes_back(&mut self, owner: Option<&Arc<JobOwner>>, tree: Option<usize>) {
        self.stuck -= 1;
        let (Some(owner), Some(tree)) = (owner, tree) else { return };
        owner.comes_back();
        less(&mut self.clients, owner.client());
        less(&mut self.trees, tree);
    }
}

/// Counts one less; what comes to nothing is forgotten.
fn less<K: Eq + Hash>(counts: &mut HashMap<K, usize>, key: K) {
    if let Some(count) = counts.get_mut(&key) {
        *count -= 1;
        if *count == 0 {
            counts.remove(&key);
        }
    }
}
