//! Records that wait, by time, and until when each waits at the most.

use std::cmp::{Ordering, Reverse};
use std::collections::{BinaryHeap, HashMap};
use std::sync::Arc;

use super::Sighting;
use crate::objects::Str;
use crate::report::Record;
use crate::time::Time;

/// A record that waits.
#[derive(Debug)]
pub(super) struct Held {
    /// Its place in the order.
    pub(super) key: Time,
    /// Who told it.
    pub(super) node: Str,
    /// Itself.
    pub(super) record: Arc<Record>,
}

impl Held {
    pub(super) fn sighting(&self) -> Sighting {
        Sighting::of(&self.record, self.node.clone())
    }
}

/// What waits.
#[derive(Debug, Default)]
pub(super) struct Heap {
    held: BinaryHeap<Reverse<Entry>>,
    /// When each has waited long enough, and its key; it stays when the record has gone before that.
    patience: BinaryHeap<Reverse<(Time, Time)>>,
    /// Everything until this time has waited long enough.
    frontier: Time,
    /// How many of each node.
    of: HashMap<Str, usize>,
    /// Counts records, so that equal times keep the order of their coming.
    pushed: u64,
}

#[derive(Debug)]
struct Entry {
    held: Held,
    number: u64,
}

impl Heap {
    /// Waits, until `until` at the most.
    pub(super) fn push(&mut self, held: Held, until: Time) {
        self.patience.push(Reverse((until, held.key)));
        *self.of.entry(held.node.clone()).or_default() += 1;
        self.pushed += 1;
        let number = self.pushed;
        self.held.push(Reverse(Entry { held, number }));
    }

    /// The first one.
    pub(super) fn first(&self) -> Option<&Held> {
        self.held.peek().map(|Reverse(entry)| &entry.held)
    }

    pub(super) fn pop(&mut self) -> Option<Held> {
        let Reverse(Entry { held, .. }) = self.held.pop()?;
        if let Some(count) = self.of.get_mut(&held.node) {
            *count -= 1;
        }
        if self.held.is_empty() {
            self.patience.clear();
        }
        Some(held)
    }

    pub(super) fn len(&self) -> usize {
        self.held.len()
    }

    /// How many of this node wait.
    pub(super) fn of(&self, node: &str) -> usize {
        self.of.get(node).copied().unwrap_or_default()
    }

    /// Notes what has waited long enough.
    pub(super) fn expire(&mut self, now: Time) {
        while let Some(Reverse((until, key))) = self.patience.peek()
            && *until <= now
        {
            self.frontier = self.frontier.max(*key);
            self.patience.pop();
        }
    }

    /// What is not later than this has waited long enough, or came too late to wait.
    pub(super) fn frontier(&self) -> Time {
        self.frontier
    }

    /// When something will have waited long enough.
    pub(super) fn expires(&self) -> Option<Time> {
        self.patience.peek().map(|Reverse((until, _))| *until)
    }
}

impl Ord for Entry {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.held.key, self.number).cmp(&(other.held.key, other.number))
    }
}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Entry {}
