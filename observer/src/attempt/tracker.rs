//! The state of all attempts, and what an observation does to it.
//!
//! ```text
//! observe ─┬ Point, PointGone → Bindings
//!          ├ Sighting → find or begin the attempt → apply ┐
//!          ├ Drop     → find the attempt, or hold         ├→ step: is there something to tell? when to look again?
//!          └ Swept    → the attempts that waited for it   ┘         (telling.rs)
//! tick ────── those whose time has come ──────────────────┘
//! ```

use std::collections::BTreeSet;
use std::time::Duration;

use super::bindings::Bindings;
use super::config::{Config, Counters};
use super::edges::Edges;
use super::held::Held;
use super::join;
use super::leg::News;
use super::open::{Open, Phase};
use super::table::{Found, Serial, Table};
use super::types::{
    Attempt, AttemptId, Direction, Drop, Listener, Observation, Outcome, Place, Seen, Segment, Sighting, Surroundings,
};
use crate::time::Time;

/// A SYN so long after the first is the client's own repeat; kernels wait for a second.
const SENT_AGAIN: Duration = Duration::from_millis(500);

/// Turns observations into attempts. It owns all state and reads no clock.
///
/// The shell drains the ring before it calls [`Tracker::tick`] or tells of a sweep, so that everything that happened until
/// then is known: [`Observation::Swept`] comes after the ring was drained *after* the table was read.
pub struct Tracker {
    pub(super) config: Config,
    pub(super) bindings: Bindings,
    pub(super) table: Table,
    /// When there is something to tell of an attempt: at most one entry for each.
    pub(super) wakes: BTreeSet<(Time, Serial)>,
    /// When to let go of a decided attempt, at the earliest: at most one entry for each. Nobody is woken for these.
    pub(super) forgets: BTreeSet<(Time, Serial)>,
    /// Attempts that wait for a sweep at that time or later: at most one entry for each.
    pub(super) waiting: BTreeSet<(Time, Serial)>,
    /// Decided attempts by first SYN. Bounded by [`Config::max_remembered`].
    pub(super) remembered: BTreeSet<(Time, Serial)>,
    pub(super) held: Held,
    pub(super) edges: Edges,
    /// Absence is certain until then.
    pub(super) swept: Time,
    /// When events were last lost.
    pub(super) lost: Option<Time>,
    /// What began then or earlier may have been decided and forgotten.
    pub(super) horizon: Option<Time>,
    /// The latest time that was told.
    pub(super) now: Time,
    pub(super) counters: Counters,
}

impl Tracker {
    /// A tracker that knows nothing yet.
    #[must_use]
    pub fn new(config: Config) -> Self {
        Self {
            config,
            bindings: Bindings::default(),
            table: Table::default(),
            wakes: BTreeSet::new(),
            forgets: BTreeSet::new(),
            waiting: BTreeSet::new(),
            remembered: BTreeSet::new(),
            held: Held::new(config.max_held_drops),
            edges: Edges::new(config.max_edges),
            swept: Time::BEGINNING,
            lost: None,
            horizon: None,
            now: Time::BEGINNING,
            counters: Counters::default(),
        }
    }

    /// Takes in one observation and pushes to `out` what it decides.
    pub fn observe<S: Surroundings>(&mut self, observation: Observation, surroundings: &S, out: &mut Vec<Attempt>) {
        match observation {
            Observation::Point(point) => self.bindings.set(point),
            Observation::PointGone { ifindex } => self.bindings.gone(ifindex),
            Observation::Sighting(sighting) => {
                self.now = self.now.max(sighting.at);
                self.sighting(&sighting, surroundings, out);
            }
            Observation::Drop(drop) => {
                self.now = self.now.max(drop.at);
                self.drop(drop, surroundings, out);
            }
            Observation::Swept { at } => self.swept(at, surroundings, out),
            Observation::Listener { id, listener } => self.listener(id, listener),
            Observation::Lost { at, .. } => {
                self.now = self.now.max(at);
                self.lost = self.lost.max(Some(at));
            }
        }
    }

    /// Decides what is due at `now`.
    pub fn tick<S: Surroundings>(&mut self, now: Time, surroundings: &S, out: &mut Vec<Attempt>) {
        self.now = self.now.max(now);
        while let Some(&(at, serial)) = self.wakes.first()
            && at <= self.now
        {
            self.step(serial, surroundings, out);
        }
        while let Some(&(at, serial)) = self.forgets.first()
            && at <= self.now
        {
            self.step(serial, surroundings, out);
        }
        self.held
            .expire(self.now, self.config.deadline + self.config.provisional);
        self.edges.expire(self.now);
    }

    /// When [`Tracker::tick`] has something to tell at the earliest. It also forgets, for which any later tick will do.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Time> {
        self.wakes.first().map(|&(at, _)| at)
    }

    /// Whether a decision waits for a sweep: the table should be read at once, not at the next interval.
    #[must_use]
    pub fn wants_sweep(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Ends the telling. What was answered, or past its deadline, is decided with what is known, and absence that no sweep
    /// witnessed counts as unknown; the rest is no timeout yet, so it is not told but counted as
    /// [`Counters::unfinished`].
    pub fn finish<S: Surroundings>(&mut self, now: Time, surroundings: &S, out: &mut Vec<Attempt>) {
        self.tick(now, surroundings, out);
        for serial in self.table.serials() {
            self.close(serial, surroundings, out);
        }
        self.wakes.clear();
        self.forgets.clear();
        self.waiting.clear();
        self.remembered.clear();
        self.table = Table::default();
    }

    /// What was given up, left out or not understood until now.
    #[must_use]
    pub fn counters(&self) -> Counters {
        Counters {
            drops_unmatched: self.held.unmatched,
            drops_given_up: self.held.given_up,
            edges_given_up: self.edges.given_up(),
            ..self.counters
        }
    }

    /// Attempts that run now, without the remembered ones.
    #[must_use]
    pub fn running(&self) -> usize {
        self.table.len() - self.remembered.len()
    }

    /// How full each table is: name, entries, and the most that there may be.
    #[must_use]
    pub fn tables(&self) -> [(&'static str, usize, usize); 4] {
        let config = &self.config;
        [
            ("attempts_running", self.running(), config.max_running),
            ("attempts_remembered", self.remembered.len(), config.max_remembered),
            ("drops_held", self.held.len(), config.max_held_drops),
            ("edges", self.edges.len(), config.max_edges),
        ]
    }

    /// Attempts, of these remembered, held drops, edges: what the tests bound.
    #[cfg(test)]
    pub(super) fn sizes(&self) -> (usize, usize, usize, usize) {
        (
            self.table.len(),
            self.remembered.len(),
            self.held.len(),
            self.edges.len(),
        )
    }

    fn sighting<S: Surroundings>(&mut self, sighting: &Sighting, surroundings: &S, out: &mut Vec<Attempt>) {
        self.learn(sighting, surroundings);
        let Some(serial) = self.attempt_of(sighting, surroundings, out) else {
            return;
        };
        self.table.index(serial, (sighting.client, sighting.server));
        let Some(open) = self.table.get_mut(serial) else {
            return;
        };
        open.touched = open.touched.max(self.now);
        if let Phase::Decided {
            outcome: Outcome::Connected,
            ..
        } = open.phase
        {
            // Final for good: a SYN that crossed the answer, a flooded copy.
            return;
        }
        let known = open.legs.len();
        if open.apply(sighting, &self.bindings) == News::NoRoom {
            self.counters.facts_left_out += 1;
        }
        if open.legs.len() > known {
            self.claim(serial, surroundings);
        }
        self.step(serial, surroundings, out);
    }

    /// Learns from what a pod sends whose address it is.
    fn learn<S: Surroundings>(&mut self, sighting: &Sighting, surroundings: &S) {
        let Sighting {
            ifindex,
            client,
            server,
            isn,
            ..
        } = *sighting;
        if sighting.direction == Direction::FromPod {
            self.bindings.learn(ifindex, client.ip());
            if sighting.what == Seen::Answered && !surroundings.is_own_node(server.ip()) {
                self.bindings.saw_answer(ifindex);
            }
            return;
        }
        self.bindings.saw_to_pod(ifindex);
        let answer = matches!(sighting.what, Seen::Answered | Seen::AnsweredAgain | Seen::Reset { .. });
        // A gateway pod that sent the same SYN on answers for somebody behind it.
        if answer && !self.table.sent_on(ifindex, isn, (client, server)) {
            self.bindings.learn(ifindex, server.ip());
        }
    }

    /// The attempt that a sighting belongs to, an old or a new one.
    fn attempt_of<S: Surroundings>(
        &mut self,
        sighting: &Sighting,
        surroundings: &S,
        out: &mut Vec<Attempt>,
    ) -> Option<Serial> {
        if let Some(serial) = self.table.at_point(sighting) {
            return Some(serial);
        }
        let window = self.config.deadline;
        let mut solo = false;
        if self.running() < self.config.max_running {
            for (left, parted) in self.table.contest(sighting, window, surroundings) {
                self.counters.ambiguous += 1;
                solo = true;
                self.step(left, surroundings, out);
                self.step(parted, surroundings, out);
            }
        }
        match self.table.of_sighting(sighting, window, surroundings) {
            Found::One(serial) => return Some(serial),
            Found::None => {}
            Found::Many(candidates) => {
                self.counters.ambiguous += 1;
                solo = true;
                for serial in candidates {
                    if let Some(open) = self.table.get_mut(serial) {
                        open.solo = true;
                    }
                }
            }
        }
        if sighting.pending.is_none() {
            self.counters.answers_unmatched += 1;
            return None;
        }
        let mut open = Open::new(sighting.isn, join::first(sighting));
        open.solo = solo;
        open.tuples.push((sighting.client, sighting.server));
        self.begin(open)
    }

    fn begin(&mut self, mut open: Open) -> Option<Serial> {
        if self.horizon.is_some_and(|horizon| open.first <= horizon) {
            self.counters.stale += 1;
            return None;
        }
        if self.running() >= self.config.max_running {
            self.counters.refused += 1;
            return None;
        }
        open.touched = self.now;
        Some(self.table.insert(open))
    }

    fn drop<S: Surroundings>(&mut self, drop: Drop, surroundings: &S, out: &mut Vec<Attempt>) {
        // A copy for somebody else, or for a packet socket: neither is the packet's death.
        if matches!(drop.reason.as_deref(), Some("OTHERHOST" | "PACKET_SOCK_ERROR")) {
            return;
        }
        let found = self.table.of_drop(&drop, self.config.deadline, surroundings);
        match found {
            Found::One(serial) => {
                self.give(serial, drop);
                self.step(serial, surroundings, out);
            }
            Found::Many(_) => self.counters.ambiguous += 1,
            Found::None if self.died_in_source(&drop) => {
                let mut open = Open::new(drop.isn, drop.at);
                open.unsent = Some((drop.client, drop.server));
                self.begin_with(open, drop, surroundings, out);
            }
            // A RST that dies ends nothing, and a storm of them must not crowd out what a SYN left behind.
            Found::None if drop.segment == Segment::Rst => self.held.unmatched += 1,
            Found::None => match self.stopped_since(&drop, surroundings) {
                Some(first) => {
                    let mut open = Open::new(drop.isn, first);
                    open.stopped = Some((drop.client, drop.server));
                    self.begin_with(open, drop, surroundings, out);
                }
                None => self.held.put(drop, self.now),
            },
        }
    }

    /// Begins an attempt of which nothing but drops is known.
    fn begin_with<S: Surroundings>(&mut self, mut open: Open, drop: Drop, surroundings: &S, out: &mut Vec<Attempt>) {
        open.tuples.push((drop.client, drop.server));
        if let Some(serial) = self.begin(open) {
            self.give(serial, drop);
            self.claim(serial, surroundings);
            self.step(serial, surroundings, out);
        }
    }

    /// Since when SYNs from elsewhere to a pod die on this node before they reach its interface. Only one that is sent again is an attempt
    /// of its own: whether the first was answered by who dropped it is not seen from here, and a flood sends none twice.
    fn stopped_since<S: Surroundings>(&self, drop: &Drop, surroundings: &S) -> Option<Time> {
        let first = self.held.first_syn(drop)?;
        let again = drop.at.since(first) >= SENT_AGAIN && drop.reason.as_deref() != Some("NO_SOCKET");
        let (client, server) = (drop.client.ip(), drop.server);
        let bound = |address| self.bindings.hook(address, drop.at).is_some();
        let own = |address| surroundings.is_own_node(address);
        let from_elsewhere = || !own(client) && !bound(client);
        // On a bridge nothing tells which interface is a pod's before it was talked to: the objects tell that it is one.
        let to_pod =
            || !own(server.ip()) && (bound(server.ip()) || !surroundings.destinations(server, drop.at).is_empty());
        (again && from_elsewhere() && to_pod()).then_some(first)
    }

    /// Whether a SYN died on its way out of a pod: in the namespace of a pod that may own the client's address, where it would have
    /// been seen to leave before, and not as one that had arrived there.
    fn died_in_source(&self, drop: &Drop) -> bool {
        let Place::Pod { ifindex } = drop.place else {
            return false;
        };
        drop.segment == Segment::Syn
            && drop.reason.as_deref() != Some("NO_SOCKET")
            && !drop.client.ip().is_loopback()
            && !drop.server.ip().is_loopback()
            && drop.client.ip() != drop.server.ip()
            && self.bindings.attached(ifindex, drop.at)
            && self.bindings.may_own(ifindex, drop.client.ip())
            && !self.bindings.bound(ifindex, drop.server.ip())
    }

    /// Gives an attempt the drops that were held for it.
    fn claim<S: Surroundings>(&mut self, serial: Serial, surroundings: &S) {
        let Some(isn) = self.table.get(serial).map(|open| open.isn) else {
            return;
        };
        let (table, window) = (&self.table, self.config.deadline);
        let drops = self
            .held
            .take(isn, |drop| table.claims(serial, drop, window, surroundings));
        for drop in drops {
            self.give(serial, drop);
        }
    }

    fn give(&mut self, serial: Serial, drop: Drop) {
        let Some(open) = self.table.get_mut(serial) else {
            return;
        };
        open.touched = open.touched.max(self.now);
        // A drop is no answer: what is decided stays so, and each later SYN of a blocked attempt dies as the first did.
        if matches!(open.phase, Phase::Running { .. }) && !open.add_drop(drop) {
            self.counters.facts_left_out += 1;
        }
    }

    fn swept<S: Surroundings>(&mut self, at: Time, surroundings: &S, out: &mut Vec<Attempt>) {
        self.now = self.now.max(at);
        self.swept = self.swept.max(at);
        while let Some(&(witness, serial)) = self.waiting.first()
            && witness <= self.swept
        {
            self.waiting.pop_first();
            self.step(serial, surroundings, out);
        }
    }

    fn listener(&mut self, id: AttemptId, listener: Option<Listener>) {
        if let Some(serial) = self.table.named(id)
            && let Some(open) = self.table.get_mut(serial)
        {
            open.listener = Some(listener);
        }
    }
}
