//! The ring of recent attempts: bounded by count and age, what it gives up is counted.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use super::is_provisional;
use crate::report::Record;
use crate::time::Time;

/// How much is kept.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Limits {
    /// Final records and revisions; provisional records of as many attempts again.
    pub attempts: usize,
    /// Since they were decided.
    pub age: Duration,
}

/// What went in and what was given up.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Counters {
    /// Final records and revisions that came in.
    pub seen: u64,
    /// Of these, left since there were too many.
    pub crowded_out: u64,
    /// Of these, left since they were too old.
    pub aged_out: u64,
    /// Provisional records that were not taken in, or left before their attempt was decided.
    pub unfinished_given_up: u64,
}

/// Recent attempts. `seen == held + crowded_out + aged_out`.
#[derive(Debug)]
pub struct Ring {
    limits: Limits,
    /// Final records and revisions in the order in which they were decided. At the limit the oldest leaves.
    decided: VecDeque<Arc<Record>>,
    /// The latest provisional record of each attempt that is not decided, by id. Written and deleted by `push`, by age deleted by
    /// `expire`. At the limit a new attempt's is not taken in: its final record will be.
    unfinished: HashMap<String, Arc<Record>>,
    /// When the ages of `unfinished` were looked at last.
    looked: Time,
    counters: Counters,
}

/// How often all unfinished attempts are looked at: their final records come by themselves, so this matters for few.
const LOOK_EVERY: Duration = Duration::from_secs(10);

impl Ring {
    /// An empty ring.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            decided: VecDeque::new(),
            unfinished: HashMap::new(),
            looked: Time::BEGINNING,
            counters: Counters::default(),
        }
    }

    /// Takes in a record. A final record takes the place of its attempt's provisional one; a revision stands beside what it corrects.
    pub fn push(&mut self, record: Arc<Record>) {
        if is_provisional(&record) {
            let known = self.unfinished.contains_key(&record.id);
            if known || self.unfinished.len() < self.limits.attempts {
                self.unfinished.insert(record.id.clone(), record);
            } else {
                self.counters.unfinished_given_up += 1;
            }
            return;
        }
        self.unfinished.remove(&record.id);
        self.counters.seen += 1;
        self.decided.push_back(record);
        while self.decided.len() > self.limits.attempts {
            self.decided.pop_front();
            self.counters.crowded_out += 1;
        }
    }

    /// Gives up what is too old at `now`.
    pub fn expire(&mut self, now: Time) {
        let before = now - self.limits.age;
        while self.decided.front().is_some_and(|record| record.decided < before) {
            self.decided.pop_front();
            self.counters.aged_out += 1;
        }
        if now.since(self.looked) >= LOOK_EVERY {
            self.looked = now;
            let held = self.unfinished.len();
            self.unfinished.retain(|_, record| record.decided >= before);
            self.counters.unfinished_given_up += (held - self.unfinished.len()) as u64;
        }
    }

    /// What is held: decided attempts in the order of their decision, then those that are not decided.
    #[must_use]
    pub fn records(&self) -> Vec<Arc<Record>> {
        self.decided.iter().chain(self.unfinished.values()).cloned().collect()
    }

    /// Final records and revisions that are held.
    #[must_use]
    pub fn len(&self) -> usize {
        self.decided.len()
    }

    /// Whether no attempt was decided.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.decided.is_empty()
    }

    /// How many of those held were decided since.
    #[must_use]
    pub fn decided_since(&self, since: Time) -> usize {
        let later = self.decided.iter().rev().take_while(|record| record.decided >= since);
        later.count()
    }

    /// How much is kept.
    #[must_use]
    pub fn limits(&self) -> Limits {
        self.limits
    }

    /// What went in and what was given up.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.counters
    }
}
