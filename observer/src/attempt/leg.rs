//! What one point saw of an attempt.

use super::bindings::Bindings;
use super::icmp;
use super::types::{Icmp, PointFacts, Seen, Sighting};
use crate::time::Time;

/// What one point saw.
pub(super) struct Leg {
    pub(super) facts: PointFacts,
    /// The last SYN here.
    pub(super) last: Time,
    /// First SYN of the kernel's present entry, its count, and the count of the entries before: an answer ends an entry, and
    /// a SYN after it begins another.
    entry: Time,
    entry_syns: u32,
    earlier_syns: u32,
    /// What comes back may pass here unseen.
    pub(super) hidden: bool,
    /// When the ICMP error passed.
    icmp_at: Option<Time>,
}

/// What a sighting added.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum News {
    /// Nothing, or SYNs.
    Little,
    /// The first answer of its kind at a point.
    Answer,
    /// There was no room for it.
    NoRoom,
}

impl Leg {
    /// A point that has just shown this.
    pub(super) fn new(sighting: &Sighting, bindings: &Bindings) -> Self {
        let (first, last, syns) = match sighting.pending {
            Some(pending) => (
                pending.first.min(sighting.at),
                pending.last.min(sighting.at),
                pending.syns,
            ),
            None => (sighting.at, sighting.at, 0),
        };
        Self {
            facts: PointFacts {
                ifindex: sighting.ifindex,
                interface: bindings.name(sighting.ifindex),
                direction: sighting.direction,
                client: sighting.client,
                server: sighting.server,
                first,
                syns,
                answered: None,
                repeats: 0,
                reset: None,
                aborted: None,
                icmp: None,
                bound: false,
                foreign: false,
            },
            last: last.max(first),
            entry: first,
            entry_syns: syns,
            earlier_syns: 0,
            hidden: false,
            icmp_at: None,
        }
    }

    /// Takes in what passed here.
    pub(super) fn apply(&mut self, sighting: &Sighting) -> News {
        if let Some(pending) = sighting.pending {
            self.count(pending.first.min(sighting.at), pending.syns);
            self.last = self.last.max(pending.last.min(sighting.at));
        }
        let at = sighting.at;
        let facts = &mut self.facts;
        match sighting.what {
            Seen::Pending | Seen::Superseded => News::Little,
            Seen::Answered | Seen::AnsweredAgain if facts.answered.is_some() => {
                facts.repeats = facts.repeats.saturating_add(1);
                News::Little
            }
            // One that belongs to no pending handshake is the first all the same if none was seen before.
            Seen::Answered | Seen::AnsweredAgain => {
                facts.answered = Some(at);
                News::Answer
            }
            Seen::Reset { .. } => first(&mut facts.reset, at),
            Seen::Icmp(icmp) if icmp::outcome(&icmp).is_none() => News::Little,
            Seen::Icmp(icmp) => {
                facts.icmp.get_or_insert(icmp);
                first(&mut self.icmp_at, at)
            }
            Seen::Aborted => {
                // The last one counts: after an earlier one the client went on (TIME_WAIT reuse).
                facts.aborted = facts.aborted.max(Some(at));
                News::Little
            }
        }
    }

    fn count(&mut self, entry: Time, syns: u32) {
        if entry > self.entry {
            self.earlier_syns = self.earlier_syns.saturating_add(self.entry_syns);
            self.entry = entry;
            self.entry_syns = syns;
        } else if entry == self.entry {
            self.entry_syns = self.entry_syns.max(syns);
        }
        self.facts.first = self.facts.first.min(entry);
        self.facts.syns = self.earlier_syns.saturating_add(self.entry_syns);
    }

    /// When the first RST or ICMP error that ends an attempt passed.
    pub(super) fn refused(&self) -> Option<Time> {
        match (self.facts.reset, self.icmp_at) {
            (Some(reset), Some(icmp)) => Some(reset.min(icmp)),
            (reset, icmp) => reset.or(icmp),
        }
    }

    /// The ICMP error, unless a RST came before it.
    pub(super) fn icmp(&self) -> Option<Icmp> {
        let first = self.icmp_at? <= self.facts.reset.unwrap_or(Time(u64::MAX));
        self.facts.icmp.filter(|_| first)
    }

    /// Whether anything came back from here.
    pub(super) fn spoke(&self) -> bool {
        self.facts.answered.is_some() || self.refused().is_some()
    }

    /// Whether the client gave up here: its RST passed and no SYN after it.
    pub(super) fn gave_up(&self) -> bool {
        self.facts.aborted.is_some_and(|at| self.last <= at)
    }
}

fn first<T>(slot: &mut Option<T>, value: T) -> News {
    if slot.is_some() {
        News::Little
    } else {
        *slot = Some(value);
        News::Answer
    }
}
