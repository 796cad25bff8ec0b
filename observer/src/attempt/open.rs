//! One attempt while it is followed: what each point saw of it, and when it can be decided.

use std::net::SocketAddr;
use std::time::Duration;

use super::bindings::Bindings;
use super::config::Config;
use super::leg::{Leg, News};
use super::types::{AttemptId, Direction, Drop, Listener, MAX_DROPS, MAX_POINTS, Outcome, Place, Segment, Sighting};
use crate::time::Time;

/// A client that still sends SYNs after so long has had no answer. Kernels send the third or fourth one by then (after 3 s).
const GOES_ON: Duration = Duration::from_secs(2);

/// The tuple of a SYN: client and server.
pub(super) type Tuple = (SocketAddr, SocketAddr);

/// An attempt that is followed or remembered.
pub(super) struct Open {
    pub(super) isn: u32,
    /// The first SYN anywhere, or the first drop.
    pub(super) first: Time,
    /// The last SYN anywhere.
    pub(super) last: Time,
    /// The last time that something was told of it.
    pub(super) touched: Time,
    /// Minted with the first record.
    pub(super) id: Option<AttemptId>,
    pub(super) legs: Vec<Leg>,
    pub(super) drops: Vec<Drop>,
    /// Drop events of SYNs, [`MAX_DROPS`] or not.
    pub(super) syn_drops: u32,
    /// It began with a SYN that died inside this pod: the tuple there.
    pub(super) unsent: Option<Tuple>,
    /// It began with SYNs from elsewhere that died on the node, on their way to this pod's interface: the tuple there.
    pub(super) stopped: Option<Tuple>,
    /// Its ISN alone names others as well: nothing is joined to it by that alone, and what is absent may be elsewhere.
    pub(super) solo: bool,
    pub(super) listener: Option<Option<Listener>>,
    pub(super) phase: Phase,
    /// Tuples under which it is indexed.
    pub(super) tuples: Vec<Tuple>,
    /// Its entries in the tracker's schedules: when to look at it again, which sweep it waits for, when to let go of it, and
    /// where it is remembered.
    pub(super) wakes: Option<Time>,
    pub(super) waits: Option<Time>,
    pub(super) forgets: Option<Time>,
    pub(super) remembered: Option<Time>,
}

/// How far the telling is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Phase {
    /// No final record yet.
    Running {
        /// The provisional record was given.
        told: bool,
    },
    /// The final record was given.
    Decided {
        outcome: Outcome,
        /// An answer that came after it and is not judged yet.
        late: Option<Time>,
        /// The one revision was given.
        revised: bool,
    },
}

/// When an attempt can be decided.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Ripe {
    /// From then on.
    pub(super) at: Time,
    /// If it rests on absence: absent until then.
    pub(super) witness: Time,
    /// An answer settled it, not the time that went by.
    pub(super) answered: bool,
}

impl Open {
    pub(super) fn new(isn: u32, first: Time) -> Self {
        Self {
            isn,
            first,
            last: first,
            touched: first,
            id: None,
            legs: Vec::new(),
            drops: Vec::new(),
            syn_drops: 0,
            unsent: None,
            stopped: None,
            solo: false,
            listener: None,
            phase: Phase::Running { told: false },
            tuples: Vec::new(),
            wakes: None,
            waits: None,
            forgets: None,
            remembered: None,
        }
    }

    /// The client's own point: of the SYNs from a pod the first.
    pub(super) fn source(&self) -> Option<&Leg> {
        self.legs
            .iter()
            .filter(|leg| leg.facts.direction == Direction::FromPod)
            .min_by_key(|leg| (leg.facts.first, leg.facts.ifindex))
    }

    /// The destination's point: bound before not bound, answered before not answered, then the first.
    pub(super) fn sink(&self) -> Option<&Leg> {
        self.legs
            .iter()
            .filter(|leg| leg.facts.direction == Direction::ToPod)
            .min_by_key(|leg| {
                let facts = &leg.facts;
                (!facts.bound, !leg.spoke(), facts.first, facts.ifindex)
            })
    }

    /// What the application dialled, and from where, if that was seen.
    pub(super) fn dialled(&self) -> Option<Tuple> {
        self.source()
            .map(|leg| (leg.facts.client, leg.facts.server))
            .or(self.unsent)
    }

    pub(super) fn leg(&self, ifindex: u32, direction: Direction) -> Option<&Leg> {
        self.legs
            .iter()
            .find(|leg| leg.facts.ifindex == ifindex && leg.facts.direction == direction)
    }

    /// Takes in a sighting that belongs to this attempt.
    pub(super) fn apply(&mut self, sighting: &Sighting, bindings: &Bindings) -> News {
        let position = self
            .legs
            .iter()
            .position(|leg| leg.facts.ifindex == sighting.ifindex && leg.facts.direction == sighting.direction);
        let bound = bindings.bound(sighting.ifindex, sighting.server.ip());
        let position = match position {
            Some(position) => position,
            // A bridge may flood a SYN to every pod; the destination itself is always kept.
            None if self.legs.len() >= MAX_POINTS && !bound => return News::NoRoom,
            None => {
                self.legs.push(Leg::new(sighting, bindings));
                self.legs.len() - 1
            }
        };
        let leg = &mut self.legs[position];
        leg.facts.bound |= bound && sighting.direction == Direction::ToPod;
        leg.facts.foreign |= bindings.foreign(sighting.ifindex);
        let news = leg.apply(sighting);
        leg.hidden = bindings.hides_answers(sighting.ifindex, leg.facts.first);
        self.first = self.first.min(leg.facts.first);
        self.last = self.last.max(leg.last);
        if news == News::Answer
            && let Phase::Decided {
                late, revised: false, ..
            } = &mut self.phase
        {
            *late = Some(late.unwrap_or(sighting.at).max(sighting.at));
        }
        news
    }

    /// Takes in what became known of interfaces since the SYN passed them: whose an address is may be learnt a moment later.
    pub(super) fn bind(&mut self, bindings: &Bindings) {
        for leg in &mut self.legs {
            let facts = &mut leg.facts;
            leg.hidden = bindings.hides_answers(facts.ifindex, facts.first);
            facts.bound |= facts.direction == Direction::ToPod && bindings.bound(facts.ifindex, facts.server.ip());
        }
    }

    /// Takes in a drop event that belongs to this attempt; false if there is no room for it.
    pub(super) fn add_drop(&mut self, drop: Drop) -> bool {
        if drop.segment == Segment::Syn {
            self.syn_drops = self.syn_drops.saturating_add(1);
            if self.legs.is_empty() {
                self.first = self.first.min(drop.at);
                self.last = self.last.max(drop.at);
            }
        }
        if self.drops.len() >= MAX_DROPS {
            return false;
        }
        let position = self.drops.partition_point(|other| other.at <= drop.at);
        self.drops.insert(position, drop);
        true
    }

    /// When it can be decided, as far as is known now.
    pub(super) fn ripe(&self, config: &Config) -> Ripe {
        let silence = |at: Time| Ripe {
            at,
            witness: at,
            answered: false,
        };
        // What comes with it or just after it is waited for. A SYN that it answers passed before it.
        let answer = |at: Time| Ripe {
            at: at + config.linger,
            witness: at,
            answered: true,
        };
        let deadline = match self.phase {
            Phase::Decided { late: Some(at), .. } => at + config.deadline,
            _ => self.first + config.deadline,
        };
        if let Some(source) = self.source().filter(|_| !self.answer_may_be_hidden()) {
            return match (source.facts.answered, source.refused()) {
                (Some(at), _) => Ripe {
                    at,
                    witness: at,
                    answered: true,
                },
                (None, Some(at)) => answer(at),
                (None, None) => silence(deadline),
            };
        }
        if let Some(sink) = self.sink() {
            return match (sink.facts.answered, sink.refused()) {
                (Some(at), _) if sink.facts.repeats == 0 => Ripe {
                    at: at + config.quiet,
                    ..silence(at)
                },
                (Some(at), _) => silence(deadline.max(at + config.quiet)),
                (None, Some(at)) => answer(at),
                (None, None) => silence(deadline),
            };
        }
        self.died_at_once().map_or(silence(deadline), answer)
    }

    /// Whether the decision would be another if more had passed than is known.
    pub(super) fn rests_on_absence(&self) -> bool {
        match self.source() {
            Some(source) => source.facts.answered.is_none() && !self.sink().is_some_and(|sink| sink.facts.bound),
            None => true,
        }
    }

    /// Nothing was seen to come back to the client, and it may have come unseen: only that the client goes on sending SYNs, or
    /// that one died, shows that it did not.
    pub(super) fn answer_may_be_hidden(&self) -> bool {
        let goes_on = |leg: &Leg| leg.last.since(leg.facts.first) >= GOES_ON;
        self.source()
            .is_some_and(|leg| leg.hidden && !leg.spoke() && !leg.gave_up() && !goes_on(leg))
            && self.syn_drops == 0
    }

    /// SYNs sent, as counted at the point that saw most.
    pub(super) fn syns(&self) -> u32 {
        let seen = self.legs.iter().map(|leg| leg.facts.syns).max();
        seen.unwrap_or(self.syn_drops)
    }

    /// Whether there is something to tell after the first second: nobody has answered.
    pub(super) fn silent(&self) -> bool {
        if self.answer_may_be_hidden() {
            return false;
        }
        match (self.source(), self.sink()) {
            (None, Some(sink)) => sink.facts.answered.is_none() || sink.facts.repeats > 0,
            _ => true,
        }
    }

    /// How long it must be remembered.
    pub(super) fn forget(&self, config: &Config) -> Time {
        // While the kernel still tells of it (a SYN that crossed the answer stays in its table), it would come up again.
        let told = self.touched + config.deadline + Duration::from_secs(1);
        match self.phase {
            Phase::Decided {
                outcome: Outcome::Connected,
                ..
            } => told,
            _ => told.max(self.first + config.memory),
        }
    }

    /// For an attempt of which only SYN drops inside the source pod are known: when it ended, where the reason ends it. The
    /// kernel gives such an error to the application at once; other reasons (a full neighbour queue, a rule) leave it to the
    /// next SYN.
    fn died_at_once(&self) -> Option<Time> {
        self.drops
            .iter()
            .rev()
            .find(|drop| {
                drop.segment == Segment::Syn
                    && matches!(drop.place, Place::Pod { .. })
                    && matches!(drop.reason.as_deref(), Some("NEIGH_FAILED" | "IP_OUTNOROUTES"))
            })
            .map(|drop| drop.at)
    }

    /// Gives back the room for what will hardly come: a decided attempt is remembered for long.
    pub(super) fn fit(&mut self) {
        self.legs.shrink_to_fit();
        self.drops.shrink_to_fit();
        self.tuples.shrink_to_fit();
    }

    /// Keeps of a connected attempt what tells later SYNs of it from new ones.
    pub(super) fn shrink(&mut self) {
        self.legs = Vec::new();
        self.drops = Vec::new();
    }
}
