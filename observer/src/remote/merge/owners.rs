//! Whose an attempt is: joins what two nodes saw of it by ISN.

use std::net::SocketAddr;
use std::time::Duration;

use crate::attempt::Direction;
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
    /// By ISN: attempts at their destinations only, and what is told of them to the owner.
    seen: Recent<u32, Vec<(Sighting, String)>>,
    /// Ids of what was given without an owner.
    given_alone: Recent<(Str, String), ()>,
}

impl Sighting {
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
            saw_destination: record
                .points
                .iter()
                .any(|point| point.direction == Direction::ToPod.code()),
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
            given_alone: Recent::new(remembered),
        }
    }

    /// Remembers an attempt at its client's interface.
    pub(super) fn own(&mut self, sighting: Sighting, now: Time) {
        let owned = self.owned.touch(sighting.isn, now, REMEMBERED);
        owned.retain(|known| known.id != sighting.id || known.node != sighting.node);
        owned.push(sighting);
    }

    /// Remembers what only the destination's node saw, as it is known now.
    pub(super) fn see(&mut self, sighting: Sighting, record: &Record, now: Time) {
        let told = format!(
            "node {} saw it arrive: {}, {}",
            sighting.node,
            record.outcome.code(),
            record.wire
        );
        let seen = self.seen.touch(sighting.isn, now, REMEMBERED);
        seen.retain(|(known, _)| known.id != sighting.id || known.node != sighting.node);
        seen.push((sighting, told));
    }

    /// Whether what only the destination's node saw is given: nobody owns it, or its owner cannot be told.
    pub(super) fn alone(&mut self, seen: &Sighting, kind: RecordType) -> bool {
        let key = (seen.node.clone(), seen.id.clone());
        if kind == RecordType::Revision {
            return self.given_alone.get(&key).is_some();
        }
        let owned = self.owned.get(&seen.isn).map_or(&[][..], Vec::as_slice);
        let alone = only(owned.iter().filter(|owner| owner.may_be(seen)), |owner| {
            owner.client == seen.client
        })
        .is_none();
        if alone {
            self.given_alone.touch(key, seen.first, Duration::MAX);
        }
        alone
    }

    /// What the destination's node said of an owner's attempt, if it is known by now.
    pub(super) fn seen_elsewhere(&self, owner: &Sighting) -> Option<String> {
        let seen = self.seen.get(&owner.isn)?;
        let mine = seen.iter().filter(|(seen, _)| owner.may_be(seen));
        only(mine, |(seen, _)| seen.client == owner.client).map(|(_, told)| told.clone())
    }

    pub(super) fn forgotten(&self) -> u64 {
        self.owned.given_up()
    }
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
