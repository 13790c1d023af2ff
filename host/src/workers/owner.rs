//! The session that a task belongs to.

use std::net::IpAddr;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};

use crate::server::client_address::ClientAddress;

/// A session, as the workers know it.
#[derive(Debug)]
pub(crate) struct JobOwner {
    client: ClientAddress,
    presence: AtomicU8,
    /// Its tree, by address; 0 before it has one.
    tree: AtomicUsize,
    /// How many of its calls are stuck.
    stuck: AtomicUsize,
}

/// Whether a client still waits for what its session does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Presence {
    /// It does.
    Here,
    /// It has closed its side of the control connection: it may still read, or be gone. Clients that
    /// are certainly there come before it.
    Ended,
    /// It does not.
    Gone,
}

impl JobOwner {
    pub(crate) fn new(peer: IpAddr) -> Self {
        Self {
            client: ClientAddress::of(peer),
            presence: AtomicU8::new(Presence::Here as u8),
            tree: AtomicUsize::new(0),
            stuck: AtomicUsize::new(0),
        }
    }

    pub(crate) fn client(&self) -> ClientAddress {
        self.client
    }

    pub(crate) fn presence(&self) -> Presence {
        match self.presence.load(Ordering::Acquire) {
            0 => Presence::Here,
            1 => Presence::Ended,
            _ => Presence::Gone,
        }
    }

    /// Sets it; no client comes back.
    pub(crate) fn set_presence(&self, presence: Presence) {
        self.presence.fetch_max(presence as u8, Ordering::AcqRel);
    }

    /// Names the tree that its calls go to from now on.
    pub(crate) fn set_tree(&self, tree: usize) {
        self.tree.store(tree, Ordering::Relaxed);
    }

    pub(super) fn tree(&self) -> usize {
        self.tree.load(Ordering::Relaxed)
    }

    pub(super) fn stuck(&self) -> usize {
        self.stuck.load(Ordering::Relaxed)
    }

    /// Only the workers call these, under their lock.
    pub(super) fn gets_stuck(&self) {
        self.stuck.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn comes_back(&self) {
        self.stuck.fetch_sub(1, Ordering::Relaxed);
    }
}
