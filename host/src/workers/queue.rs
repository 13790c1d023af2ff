//! Which task is next: client addresses take turns.

use std::collections::{HashMap, VecDeque};

use super::owner::Presence;
use super::task::Task;
use crate::server::client_address::ClientAddress;

/// The jobs that wait. Each client address has its turn, and its own come in their order; those of
/// clients that have closed their side of the connection come last.
#[derive(Default)]
pub(super) struct Queue {
    here: Turns,
    ended: Turns,
}

#[derive(Default)]
struct Turns {
    count: usize,
    /// Only clients that have something waiting.
    waiting: HashMap<Option<ClientAddress>, VecDeque<Task>>,
    /// The same clients, the next one first.
    order: VecDeque<Option<ClientAddress>>,
}

impl Queue {
    pub(super) fn len(&self) -> usize {
        self.here.count + self.ended.count
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(super) fn push(&mut self, task: Task) {
        self.here.push(task);
    }

    /// Takes the next one of a client that may have a turn.
    pub(super) fn pop(&mut self, may: impl Fn(Option<ClientAddress>) -> bool) -> Option<Task> {
        while let Some(task) = self.here.pop(&may) {
            match task.presence() {
                Presence::Ended => self.ended.push(task),
                Presence::Here | Presence::Gone => return Some(task),
            }
        }
        self.ended.pop(&may)
    }

    /// Takes out what only serves to tell a client something.
    pub(super) fn take_idle_questions(&mut self) -> Vec<Task> {
        self.take_if(Task::is_idle_question)
    }

    /// Takes out what can be refused.
    pub(super) fn take_refusable(&mut self) -> Vec<Task> {
        self.take_if(Task::can_be_refused)
    }

    fn take_if(&mut self, wanted: impl Fn(&Task) -> bool) -> Vec<Task> {
        let mut taken = Vec::new();
        for turns in [&mut self.here, &mut self.ended] {
            let tasks: Vec<Task> = std::iter::from_fn(|| turns.pop(&|_| true)).collect();
            for task in tasks {
                if wanted(&task) { taken.push(task) } else { turns.push(task) }
            }
        }
        taken
    }
}

impl Turns {
    fn push(&mut self, task: Task) {
        let client = task.client();
        self.count += 1;
        let own = self.waiting.entry(client).or_default();
        if own.is_empty() {
            self.order.push_back(client);
        }
        own.push_back(task);
    }

    fn pop(&mut self, may: &impl Fn(Option<ClientAddress>) -> bool) -> Option<Task> {
        let at = self.order.iter().position(|client| may(*client))?;
        let client = self.order.remove(at)?;
        let own = self.waiting.get_mut(&client)?;
        let task = own.pop_front()?;
        self.count -= 1;
        if own.is_empty() {
            self.waiting.remove(&client);
        } else {
            self.order.push_back(client);
        }
        Some(task)
    }
}
