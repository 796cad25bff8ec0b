//! Many nodes' streams as one: in order of time, one record for each attempt. Pure: it is told what arrives and when.
//!
//! ```text
//! Input, now ─→ seen before? ─→ heap, by time ─→ may something earlier still come? ─→ whose attempt is it? ─→ Record
//!               (seen)          (held)            (nodes)                              (owners)
//! ```
//!
//! **Order**: the past by first SYN, as agents tell it, and what happens now by `decided`. A record waits until every node has told
//! something later or [`Config::hold`] has passed since it came; so what comes out is in order if clocks and ways of the nodes
//! differ by less than that. A node that still tells its past is waited for as long as it is heard. What comes later than that is
//! given at once, and counted.
//!
//! **Whose**: an attempt belongs to the node at the client's interface. What only the destination's node saw waits
//! [`Config::owner_hold`] longer, takes its place in the order so much later, and is given only if nobody owned it. The two are the
//! same attempt if their ISN is, if the one may have become what the other saw, and if no second one could be meant; equal client
//! addresses decide between several.
//!
//! **Halves**: what failed is given as both nodes know it (`halves`, `conclude`). An owner's last word on a failure waits for the destination's
//! node as long as for the order; what that one says later and changes the conclusion gives a revision of the owner's record. A
//! connection that came about is given as its owner saw it.

mod conclude;
mod halves;
mod heap;
mod nodes;
mod owners;
mod seen;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

pub use halves::is_half;
use heap::{Heap, Held};
use nodes::Nodes;
use owners::Owners;
pub use owners::Sighting;
use seen::Seen;

use crate::objects::Str;
use crate::report::{Record, RecordType};
use crate::time::Time;

/// What arrives.
#[derive(Clone, Debug)]
pub enum Input {
    /// A node is asked; its past comes first.
    Opened(Str),
    /// The node told its past until this time, by its own clock: from now on it tells what happens.
    CaughtUp(Str, Time),
    /// The node tells nothing more, for now or for ever.
    Closed(Str),
    /// The node's record of an attempt.
    Record(Str, Box<Record>),
    /// An attempt that the node owns and whose records the filter leaves out.
    Owner(Sighting),
}

/// How long what may wait.
#[derive(Clone, Copy, Debug)]
pub struct Config {
    /// By how much clocks and ways of the nodes may differ without harm to the order.
    pub hold: Duration,
    /// How much longer what only the destination's node saw waits for its owner: at least until an agent says something provisional.
    pub owner_hold: Duration,
    /// How long a node that still tells its past may be silent before the others go on without it.
    pub patience: Duration,
    /// Records that may wait; past that the earliest is given.
    pub capacity: usize,
    /// Attempts that are remembered for joining, of owners and of destinations each.
    pub remembered: usize,
}

impl Config {
    /// For many nodes.
    pub const CLUSTER: Self = Self {
        hold: Duration::from_secs(1),
        owner_hold: Duration::from_secs(2),
        patience: Duration::from_secs(5),
        capacity: 16_384,
        remembered: 65_536,
    };

    /// For one node alone, which nobody else can contradict: nothing waits.
    pub const ONE: Self = Self {
        hold: Duration::ZERO,
        owner_hold: Duration::ZERO,
        ..Self::CLUSTER
    };
}

/// What did not simply pass.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Counts {
    /// Told twice by one node, as after a stream broke.
    pub duplicates: u64,
    /// Records of the destination's node for attempts that another node owns.
    pub joined: u64,
    /// Given after something later was given.
    pub late: u64,
    /// Given early because too many waited.
    pub hurried: u64,
    /// Attempts that were forgotten before they could no longer be asked for: one may have been shown twice, or not corrected.
    pub forgotten: u64,
}

/// The merger.
#[derive(Debug)]
pub struct Merger {
    config: Config,
    nodes: Nodes,
    seen: Seen,
    held: Heap,
    owners: Owners,
    counts: Counts,
    /// The key of the latest record that was given.
    given: Time,
}

impl Merger {
    /// Without nodes.
    #[must_use]
    pub fn new(config: Config) -> Self {
        Self {
            config,
            nodes: Nodes::default(),
            seen: Seen::default(),
            held: Heap::default(),
            owners: Owners::new(config.remembered),
            counts: Counts::default(),
            given: Time::BEGINNING,
        }
    }

    /// Takes what arrived at `now`, by a clock that never goes back.
    pub fn input(&mut self, input: Input, now: Time) {
        match input {
            Input::Opened(node) => self.nodes.open(node, now),
            Input::CaughtUp(node, until) => self.nodes.caught_up(&node, until),
            Input::Closed(node) => self.nodes.close(&node),
            Input::Owner(sighting) => {
                self.nodes.heard(&sighting.node, None, now);
                self.owners.own(sighting, now);
            }
            Input::Record(node, record) => self.record(node, record, now),
        }
    }

    /// What may be given at `now`, in order.
    pub fn take(&mut self, now: Time) -> Vec<Record> {
        self.held.expire(now);
        let mut taken = Vec::new();
        while let Some(first) = self.held.first() {
            let hurried = self.held.len() > self.config.capacity;
            if !hurried && !self.may_go(first, now) {
                break;
            }
            self.counts.hurried += u64::from(hurried);
            self.give_first(&mut taken);
        }
        taken
    }

    /// Everything that waits, in order: nothing more will come.
    pub fn finish(&mut self) -> Vec<Record> {
        let mut taken = Vec::new();
        while self.held.first().is_some() {
            self.give_first(&mut taken);
        }
        taken
    }

    /// When [`Merger::take`] may give something even if nothing arrives; `None` if never.
    #[must_use]
    pub fn due(&self, now: Time) -> Option<Time> {
        let first = self.held.first()?.key;
        let patience = self
            .nodes
            .patience_ends(first + self.config.owner_hold, now, self.config.patience);
        patience.or_else(|| self.held.expires())
    }

    /// Whether more of this node is wanted: one that tells its past faster than the others is not let run ahead.
    #[must_use]
    pub fn wants(&self, node: &str) -> bool {
        const AHEAD: usize = 256;
        self.held.of(node) < AHEAD || !self.nodes.is_ahead(node)
    }

    /// Whether a node still tells its past.
    #[must_use]
    pub fn in_the_past(&self) -> bool {
        self.nodes.any_in_the_past()
    }

    /// What did not simply pass, until now.
    #[must_use]
    pub fn counts(&self) -> Counts {
        Counts {
            forgotten: self.owners.forgotten(),
            ..self.counts
        }
    }

    fn record(&mut self, node: Str, record: Box<Record>, now: Time) {
        let in_the_past = self.nodes.in_the_past(&node);
        let key = if in_the_past { record.time } else { record.decided };
        self.nodes.heard(&node, Some(key), now);
        if !self.seen.is_new(&node, &record) {
            self.counts.duplicates += 1;
            return;
        }
        let sighting = Sighting::of(&record, node.clone());
        let record = Arc::<Record>::from(record);
        if record.source_observed {
            if !sighting.saw_destination {
                self.owners.own(sighting, now);
            }
            return self.hold(Held { key, node, record }, Duration::ZERO, now);
        }
        if let Some((node, correction)) = self.owners.see(sighting, record.clone(), now) {
            let (time, decided) = (correction.time, correction.decided);
            let key = if in_the_past { time } else { decided };
            let record = correction.into();
            self.hold(Held { key, node, record }, Duration::ZERO, now);
        }
        // Only the last word is given without an owner, and corrected only where it was given.
        if record.kind == RecordType::Attempt && !record.is_final {
            return;
        }
        // Of the past its owner is known by then.
        let later = if in_the_past {
            Duration::ZERO
        } else {
            self.config.owner_hold
        };
        let key = key + later;
        self.hold(Held { key, node, record }, self.config.owner_hold, now);
    }

    fn hold(&mut self, held: Held, longer: Duration, now: Time) {
        self.held.push(held, now + self.config.hold + longer);
    }

    fn may_go(&self, first: &Held, now: Time) -> bool {
        let key = first.key;
        let past = self.nodes.past_told_until(now, self.config.patience);
        if past.is_some_and(|until| key + self.config.owner_hold > until) {
            return false;
        }
        let Some(present) = self.nodes.present_told_until() else {
            return true;
        };
        // In the past the other half is known by then.
        let waits = || past.is_none() && is_last_half(&first.record) && !self.owners.is_whole(&first.sighting());
        key <= self.held.frontier() || key <= present && !waits()
    }

    /// Gives the first that waits, unless it is another's.
    fn give_first(&mut self, taken: &mut Vec<Record>) {
        let Some(held) = self.held.pop() else {
            return;
        };
        let key = held.key;
        let owned = held.record.source_observed;
        if !owned && !self.owners.alone(&held.sighting(), held.record.kind) {
            self.counts.joined += 1;
            return;
        }
        let sighting = (owned && is_half(&held.record)).then(|| held.sighting());
        let mut record = Arc::unwrap_or_clone(held.record);
        if let Some(sighting) = sighting {
            self.owners.complete(&sighting, &mut record);
        }
        self.counts.late += u64::from(key < self.given);
        self.given = self.given.max(key);
        taken.push(record);
    }
}

/// An owner's last word on a failure of which another node may know more.
fn is_last_half(record: &Record) -> bool {
    record.source_observed && record.is_final && is_half(record)
}
