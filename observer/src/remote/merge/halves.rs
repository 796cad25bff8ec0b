//! Two halves of an attempt that failed as one record. The client's node knows how it ended, the destination's node what became of the
//! SYN there; neither knows the other.
//!
//! Outcome, times, name and whatever else the client's side has stay the owner's. How far the SYN got, and what the dialled address
//! became, is the destination's. Why it failed is another file's (`conclude`).

use super::conclude::{Ends, conclude};
use crate::attempt::{Direction, Outcome};
use crate::diagnosis::wire;
use crate::report::{BackendRecord, Destination, Fact, Party, PartyKind, Record};

/// Facts of the destination's node that are no news, or are its own view of what the owner judged, too.
const NOT_TOLD_ON: [&str; 5] = ["caveat", "destination-only", "perhaps-via", "policy-change", "verdict"];

/// The fact that the destination is on no interface that shows what arrives.
const NOT_OBSERVED: &str = "not-observed";

/// Whether another node may know more of why the attempt failed: this record has one of its sides only.
#[must_use]
pub fn is_half(record: &Record) -> bool {
    let unobserved = || record.evidence.iter().any(|fact| fact.kind == NOT_OBSERVED);
    let elsewhere = || record.destination.party.kind != PartyKind::External && unobserved();
    record.outcome != Outcome::Connected && (!record.source_observed || elsewhere())
}

/// Whether the SYN was seen where it arrived.
pub(super) fn saw_destination(record: &Record) -> bool {
    let to_pod = Direction::ToPod.code();
    record.points.iter().any(|point| point.direction == to_pod)
}

/// Makes the owner's record what both nodes know.
pub(super) fn join(owner: &mut Record, seen: &Record) {
    let ends = Ends::of(owner.outcome, seen.outcome);
    place(owner, seen, ends);
    arrived(&mut owner.destination, &seen.destination);
    conclude(owner, seen, ends);
    evidence(owner, seen);
}

/// Tells what was seen there, and no longer that nobody looked.
fn evidence(owner: &mut Record, seen: &Record) {
    let concluded = match (seen.cause, seen.confidence) {
        (Some(cause), Some(confidence)) => format!("; as seen there: {}, {}", cause.code(), confidence.code()),
        _ => String::new(),
    };
    owner.evidence.retain(|fact| fact.kind != NOT_OBSERVED);
    owner.evidence.push(Fact {
        kind: "other-node".into(),
        text: format!(
            "node {} saw of it: {}, {}{concluded}",
            seen.node,
            seen.outcome.code(),
            seen.wire
        ),
    });
    let told = seen.evidence.iter().filter(|fact| !NOT_TOLD_ON.contains(&&*fact.kind));
    owner.evidence.extend(told.map(|fact| Fact {
        kind: fact.kind.clone(),
        text: format!("at node {}: {}", seen.node, fact.text),
    }));
}

/// How far it got, who ended it, and the clause that says so.
fn place(owner: &mut Record, seen: &Record, ends: Ends) {
    let before = wire::place(owner.outcome, owner.origin, owner.reach);
    owner.reach = seen.reach;
    if ends == Ends::Same && owner.drop.is_none() {
        owner.origin = seen.origin;
    }
    let after = match ends {
        Ends::Lost => "its answer left and never arrived",
        Ends::Same | Ends::Other => wire::place(owner.outcome, owner.origin, owner.reach),
    };
    owner.wire = owner.wire.replacen(before, after, 1);
}

/// Names what the dialled address became.
fn arrived(owner: &mut Destination, seen: &Destination) {
    let (ip, port) = (seen.party.ip, seen.party.port);
    let dialled = (owner.party.ip, owner.party.port);
    if owner.backend.is_some() || dialled == (ip, port) || seen.party.kind != PartyKind::Pod {
        return;
    }
    owner.backend = Some(BackendRecord {
        ip,
        port,
        namespace: seen.party.namespace.clone(),
        name: seen.party.name.clone(),
    });
    owner.party = Party {
        ip: dialled.0,
        port: dialled.1,
        ..seen.party.clone()
    };
}
