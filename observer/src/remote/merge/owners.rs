//! Whose an attempt is: joins what two nodes saw of it by ISN.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use super::halves;
use crate::attempt::{Origin, Outcome, Reach};
use crate::diagnosis::{Cause, Confidence};
use crate::objects::Str;
use crate::recent::Recent;
use crate::report::{PartyKind, Record, RecordType};
use crate::time::Time;

/// The two nodes' first SYNs are at the most so far apart: the destination may have missed the first ones until the deadline, and
/// their clocks differ.
const APART: Duration = Duration::from_secs(10);

/// For how long after its coming a sighting can be asked for: an agent's deadline, the waiting here, and room.
const REMEMBERED: Duration = Duration::from_secs(30);

/// What one node saw of an attempt, as far as joining needs it.
#[derive(Clone, Debug)]
pub struct Sighting {
    /// Who saw it.
    pub node: Str,
    /// The attempt's id there.
    pub id: String,
    /// Initial sequence number.
    pub isn: u32,
    /// The first SYN.
    pub first: Time,
    /// Client address and port, as they were there.
    pub client: SocketAddr,
    /// What was dialled; at the destination: what arrived.
    pub server: SocketAddr,
    /// What it became, if the owner knows.
    pub backend: Option<SocketAddr>,
    /// What was dialled stands for others.
    pub translated: bool,
    /// It was also seen where it arrived: no other node can add to it.
    pub saw_destination: bool,
}

/// What was seen lately.
pub(super) struct Owners {
    /// By ISN: attempts at their clients' interfaces, whose destination was not seen there.
    owned: Recent<u32, Vec<Sighting>>,
    /// By ISN: attempts at their destinations only that did not connect, as they are known now.
    seen: Recent<u32, Vec<(Sighting, Arc<Record>)>>,
    /// Owners' last words that were given before the destination's was known; `None` where nothing is left to correct.
    halves: Recent<Name, Option<Box<Half>>>,
    /// What was given without an owner.
    given_alone: Recent<Name, ()>,
    /// The latest time that was told.
    now: Time,
}

/// Names a node's attempt: the node, and the id there.
type Name = (Str, String);

/// What was given as half of what may be known.
struct Half {
    /// As its node told it.
    record: Record,
    /// What was said of it.
    said: Conclusion,
}

/// What a correction would have to change.
type Conclusion = (Option<Origin>, Reach, Option<Cause>, Option<Confidence>);

fn conclusion(record: &Record) -> Conclusion {
    (record.origin, record.reach, record.cause, record.confidence)
}

impl Sighting {
    fn name(&self) -> Name {
        (self.node.clone(), self.id.clone())
    }

    fn is_same(&self, other: &Self) -> bool {
        self.id == other.id && self.node == other.node
    }

    /// What the node's record says.
    #[must_use]
    pub fn of(record: &Record, node: Str) -> Self {
        let to = &record.destination;
        let backend = to.backend.as_ref();
        Self {
            node,
            id: record.id.clone(),
            isn: record.isn,
            first: record.time,
            client: SocketAddr::new(record.source.ip, record.source.port),
            server: SocketAddr::new(to.party.ip, to.party.port),
            backend: backend.map(|backend| SocketAddr::new(backend.ip, backend.port)),
            translated: to.service.is_some() || to.party.kind != PartyKind::Pod,
            saw_destination: halves::saw_destination(record),
        }
    }

    /// Whether this owner's attempt may be what was `seen` at a destination.
    fn may_be(&self, seen: &Self) -> bool {
        let apart = self.first.since(seen.first).max(seen.first.since(self.first));
        let arrives = match self.backend {
            Some(backend) => backend == seen.server,
            None => self.server == seen.server || self.translated,
        };
        self.isn == seen.isn && self.node != seen.node && apart <= APART && arrives
    }
}

impl Owners {
    pub(super) fn new(remembered: usize) -> Self {
        Self {
            owned: Recent::new(remembered),
            seen: Recent::new(remembered),
            halves: Recent::new(remembered / 8),
            given_alone: Recent::new(remembered),
            now: Time::BEGINNING,
        }
    }

    /// Remembers an attempt at its client's interface.
    pub(super) fn own(&mut self, sighting: Sighting, now: Time) {
        self.now = now;
        let owned = self.owned.touch(sighting.isn, now, REMEMBERED);
        let before = owned.len();
        owned.retain(|known| !known.is_same(&sighting));
        // Its node tells more of it: that is to be completed now.
        if owned.len() < before
            && let Some(half) = self.halves.get_mut(&sighting.name())
        {
            *half = None;
        }
        owned.push(sighting);
    }

    /// Remembers what only the destination's node saw, as it is known now. Gives whose record was given without it and is to be corrected,
    /// and the correction.
    pub(super) fn see(&mut self, sighting: Sighting, record: Arc<Record>, now: Time) -> Option<(Str, Record)> {
        self.now = now;
        if let Some(seen) = self.seen.get_mut(&sighting.isn) {
            seen.retain(|(known, _)| !known.is_same(&sighting));
        }
        // It explains no failure, and there are many.
        if record.outcome == Outcome::Connected {
            return None;
        }
        let (last_word, decided) = (is_last_word(&record), record.decided);
        let seen = self.seen.touch(sighting.isn, now, REMEMBERED);
        seen.push((sighting.clone(), record));
        let owner = self.owner_of(&sighting).filter(|_| last_word)?.clone();
        let Half { record, said } = *self.halves.get_mut(&owner.name())?.take()?;
        let mut corrected = record.clone();
        halves::join(&mut corrected, self.seen_elsewhere(&owner)?);
        let correction = (conclusion(&corrected) != said).then(|| Record {
            kind: RecordType::Revision,
            is_final: false,
            decided: decided.max(record.decided),
            ..record
        });
        correction.map(|record| (owner.node, record))
    }

    /// Makes an owner's half of an attempt what is known by now of both nodes.
    pub(super) fn complete(&mut self, owner: &Sighting, record: &mut Record) {
        let other = self.seen_elsewhere(owner).cloned();
        let more_may_come = record.is_final && !other.as_deref().is_some_and(is_last_word);
        let told = more_may_come.then(|| record.clone());
        if let Some(other) = other {
            halves::join(record, &other);
        }
        if let Some(told) = told {
            let said = conclusion(record);
            let half = Half { record: told, said };
            *self.halves.touch(owner.name(), self.now, REMEMBERED) = Some(Box::new(half));
        }
    }

    /// Whether the destination's node said its last word of an owner's attempt.
    pub(super) fn is_whole(&self, owner: &Sighting) -> bool {
        self.seen_elsewhere(owner).is_some_and(|record| is_last_word(record))
    }

    /// Whether what only the destination's node saw is given: nobody owns it, or its owner cannot be told.
    pub(super) fn alone(&mut self, seen: &Sighting, kind: RecordType) -> bool {
        let key = seen.name();
        if kind == RecordType::Revision {
            return self.given_alone.get(&key).is_some();
        }
        let alone = self.owner_of(seen).is_none();
        if alone {
            self.given_alone.touch(key, seen.first, Duration::MAX);
        }
        alone
    }

    fn owner_of(&self, seen: &Sighting) -> Option<&Sighting> {
        let owned = self.owned.get(&seen.isn)?;
        let mine = owned.iter().filter(|owner| owner.may_be(seen));
        only(mine, |owner| owner.client == seen.client)
    }

    /// What the destination's node said of an owner's attempt, if it is known by now.
    fn seen_elsewhere(&self, owner: &Sighting) -> Option<&Arc<Record>> {
        let seen = self.seen.get(&owner.isn)?;
        let mine = seen.iter().filter(|(seen, _)| owner.may_be(seen));
        only(mine, |(seen, _)| seen.client == owner.client).map(|(_, record)| record)
    }

    /// What was forgotten while it could still be asked for.
    pub(super) fn forgotten(&self) -> u64 {
        self.owned.given_up() + self.halves.given_up()
    }
}

/// Nothing but a correction may follow.
fn is_last_word(record: &Record) -> bool {
    record.is_final || record.kind == RecordType::Revision
}

/// The only one; of several the only one that is `surely` meant.
fn only<T>(candidates: impl Iterator<Item = T>, surely: impl Fn(&T) -> bool) -> Option<T> {
    let mut candidates: Vec<T> = candidates.collect();
    if candidates.len() > 1 {
        candidates.retain(surely);
    }
    match candidates.len() {
        1 => candidates.pop(),
        _ => None,
    }
}

impl std::fmt::Debug for Owners {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Owners").finish_non_exhaustive()
    }
}
