//! The attempts that are followed or remembered, and how one is found.

use std::collections::HashMap;
use std::time::Duration;

use super::join::{Fit, becomes, first, fit_drop, fit_sighting, near};
use super::open::{Open, Phase, Tuple};
use super::types::{AttemptId, Direction, Drop, Sighting, Surroundings};
use crate::time::Time;

/// Names an attempt inside the tracker.
pub(super) type Serial = u64;

/// More attempts with one ISN than this are not compared (a port scanner sends the same one everywhere): then only an equal
/// tuple joins.
const MAX_COMPARED: usize = 64;

/// The attempts and their indexes.
#[derive(Default)]
pub(super) struct Table {
    /// Every attempt that runs or is remembered. Bounded by the tracker.
    attempts: HashMap<Serial, Box<Open>>,
    /// ISN and tuple → attempts with a point or drop of that tuple, nearly always one.
    by_tuple: HashMap<(u32, Tuple), Vec<Serial>>,
    /// ISN → attempts.
    by_isn: HashMap<u32, Vec<Serial>>,
    /// Name → the attempt that was told of under it.
    by_name: HashMap<AttemptId, Serial>,
    next: Serial,
}

/// What a look-up found.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Found {
    /// This one.
    One(Serial),
    /// None fits.
    None,
    /// These fit equally well.
    Many(Vec<Serial>),
}

impl Table {
    pub(super) fn get(&self, serial: Serial) -> Option<&Open> {
        self.attempts.get(&serial).map(AsRef::as_ref)
    }

    pub(super) fn get_mut(&mut self, serial: Serial) -> Option<&mut Open> {
        self.attempts.get_mut(&serial).map(AsMut::as_mut)
    }

    /// Puts a new attempt in.
    pub(super) fn insert(&mut self, open: Open) -> Serial {
        let serial = self.next;
        self.next += 1;
        self.by_isn.entry(open.isn).or_default().push(serial);
        for &tuple in &open.tuples {
            self.by_tuple.entry((open.isn, tuple)).or_default().push(serial);
        }
        self.attempts.insert(serial, open.into());
        serial
    }

    /// Lets an attempt be found by this tuple.
    pub(super) fn index(&mut self, serial: Serial, tuple: Tuple) {
        if let Some(open) = self.attempts.get_mut(&serial)
            && !open.tuples.contains(&tuple)
        {
            open.tuples.push(tuple);
            self.by_tuple.entry((open.isn, tuple)).or_default().push(serial);
        }
    }

    /// Takes an attempt out.
    pub(super) fn remove(&mut self, serial: Serial) -> Option<Open> {
        let open = self.attempts.remove(&serial)?;
        unlist(&mut self.by_isn, &open.isn, serial);
        if let Some(id) = open.id {
            self.by_name.remove(&id);
        }
        for &tuple in &open.tuples {
            unlist(&mut self.by_tuple, &(open.isn, tuple), serial);
        }
        Some(*open)
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.attempts.len()
    }

    /// All of them, in the order in which they came.
    pub(super) fn serials(&self) -> Vec<Serial> {
        let mut serials: Vec<_> = self.attempts.keys().copied().collect();
        serials.sort_unstable();
        serials
    }

    /// The attempt with this name.
    pub(super) fn named(&self, id: AttemptId) -> Option<Serial> {
        self.by_name.get(&id).copied()
    }

    /// Names an attempt if it has no name yet: by its first SYN, or just after the last that was forgotten, so that no name is
    /// given twice.
    pub(super) fn name(&mut self, serial: Serial, forgotten: Option<Time>) {
        let Some(open) = self.attempts.get_mut(&serial) else {
            return;
        };
        if open.id.is_some() {
            return;
        }
        let after = forgotten.map_or(0, |at| at.0.saturating_add(1));
        let mut id = AttemptId {
            first: open.first.0.max(after),
            isn: open.isn,
            nth: 0,
        };
        while self.by_name.contains_key(&id) {
            id.nth += 1;
        }
        self.by_name.insert(id, serial);
        open.id = Some(id);
    }

    /// The attempt that has this very point already.
    pub(super) fn at_point(&self, sighting: &Sighting) -> Option<Serial> {
        let tuple = (sighting.client, sighting.server);
        self.with_tuple(sighting.isn, tuple)
            .iter()
            .copied()
            .find(|serial| self.has_point(*serial, sighting.ifindex, sighting.direction, tuple))
    }

    /// The attempt that a sighting at a new point belongs to.
    pub(super) fn of_sighting<S: Surroundings>(
        &self,
        sighting: &Sighting,
        window: Duration,
        surroundings: &S,
    ) -> Found {
        let tuple = (sighting.client, sighting.server);
        self.best(sighting.isn, tuple, |open| {
            fit_sighting(open, sighting, window, surroundings)
        })
    }

    /// Whether the pod behind this interface sent this very SYN.
    pub(super) fn sent_on(&self, ifindex: u32, isn: u32, tuple: Tuple) -> bool {
        self.with_tuple(isn, tuple)
            .iter()
            .any(|serial| self.has_point(*serial, ifindex, Direction::FromPod, tuple))
    }

    fn has_point(&self, serial: Serial, ifindex: u32, direction: Direction, tuple: Tuple) -> bool {
        self.get(serial)
            .and_then(|open| open.leg(ifindex, direction))
            .is_some_and(|leg| (leg.facts.client, leg.facts.server) == tuple)
    }

    /// The attempt that a drop event belongs to.
    pub(super) fn of_drop<S: Surroundings>(&self, drop: &Drop, window: Duration, surroundings: &S) -> Found {
        self.best(drop.isn, (drop.client, drop.server), |open| {
            fit_drop(open, drop, window, surroundings)
        })
    }

    /// Whether a drop event belongs to this attempt and no other.
    pub(super) fn claims<S: Surroundings>(
        &self,
        serial: Serial,
        drop: &Drop,
        window: Duration,
        surroundings: &S,
    ) -> bool {
        self.of_drop(drop, window, surroundings) == Found::One(serial)
    }

    /// Parts what was joined to another client's SYN by nothing but its ISN, and may as well belong to this one: the points
    /// that two attempts claim stand alone from then on.
    pub(super) fn contest<S: Surroundings>(
        &mut self,
        sighting: &Sighting,
        window: Duration,
        surroundings: &S,
    ) -> Vec<(Serial, Serial)> {
        if sighting.direction != Direction::FromPod {
            return Vec::new();
        }
        let contested: Vec<_> = self
            .comparable(sighting.isn)
            .iter()
            .filter_map(|&serial| {
                let open = self.get(serial)?;
                let source = open.source()?.facts.client;
                let near = near(open, first(sighting), sighting.at, window);
                let position = open.legs.iter().position(|leg| {
                    leg.facts.direction == Direction::ToPod
                        && leg.facts.client != source
                        && becomes(sighting.server, leg.facts.server, open.first, surroundings)
                })?;
                (source != sighting.client && near).then_some((serial, position))
            })
            .collect();
        contested
            .into_iter()
            .filter_map(|(serial, position)| Some((serial, self.part(serial, position)?)))
            .collect()
    }

    fn part(&mut self, serial: Serial, position: usize) -> Option<Serial> {
        let open = self.get_mut(serial)?;
        if !matches!(open.phase, Phase::Running { .. }) {
            return None;
        }
        let leg = open.legs.remove(position);
        let tuple = (leg.facts.client, leg.facts.server);
        let shared = open
            .legs
            .iter()
            .any(|leg| (leg.facts.client, leg.facts.server) == tuple);
        if !shared {
            open.tuples.retain(|&other| other != tuple);
        }
        open.first = open.legs.iter().map(|leg| leg.facts.first).min()?;
        open.last = open.legs.iter().map(|leg| leg.last).max()?;
        let mut alone = Open::new(open.isn, leg.facts.first);
        alone.last = leg.last;
        alone.touched = open.touched;
        alone.solo = true;
        open.solo = true;
        alone.tuples.push(tuple);
        alone.legs.push(leg);
        if !shared {
            unlist(&mut self.by_tuple, &(alone.isn, tuple), serial);
        }
        Some(self.insert(alone))
    }

    fn best(&self, isn: u32, tuple: Tuple, fit: impl Fn(&Open) -> Option<Fit>) -> Found {
        let all = self.comparable(isn);
        let candidates = if all.is_empty() {
            self.with_tuple(isn, tuple)
        } else {
            all
        };
        let mut best: Option<Fit> = None;
        let mut found = Vec::new();
        for &serial in candidates {
            let Some(fit) = self.get(serial).and_then(&fit) else {
                continue;
            };
            if best.is_none_or(|best| fit > best) {
                best = Some(fit);
                found.clear();
            }
            if best == Some(fit) {
                found.push(serial);
            }
        }
        match found.as_slice() {
            [] => Found::None,
            &[one] => Found::One(one),
            _ => Found::Many(found),
        }
    }

    fn with_isn(&self, isn: u32) -> &[Serial] {
        self.by_isn.get(&isn).map_or(&[], Vec::as_slice)
    }

    /// Whether so many attempts share this ISN that they are not compared: what was seen of them may be anyone's.
    pub(super) fn crowded(&self, isn: u32) -> bool {
        self.with_isn(isn).len() > MAX_COMPARED
    }

    fn comparable(&self, isn: u32) -> &[Serial] {
        if self.crowded(isn) { &[] } else { self.with_isn(isn) }
    }

    fn with_tuple(&self, isn: u32, tuple: Tuple) -> &[Serial] {
        self.by_tuple.get(&(isn, tuple)).map_or(&[], Vec::as_slice)
    }
}

fn unlist<K: Eq + std::hash::Hash>(map: &mut HashMap<K, Vec<Serial>>, key: &K, serial: Serial) {
    if let Some(list) = map.get_mut(key) {
        if let Some(position) = list.iter().position(|&other| other == serial) {
            list.swap_remove(position);
        }
        if list.is_empty() {
            map.remove(key);
        }
    }
}
