//! How sure a cause is, and what keeps it from being surer.
//!
//! `confirmed` needs a second, independent witness; lost events take one step away; a known rival explanation leaves `possible`.

use std::time::Duration;

use super::drops::{self, Stage};
use super::facts::{Absence, Facts};
use super::table::{no_way, no_way_stage};
use super::{Cause, Confidence, service, words};
use crate::attempt::{Origin, Outcome, Place, Reach};

/// From so many answered attempts on one edge, a denial that is not enforced is probable.
const ANSWERED_PROBABLE: u32 = 3;

/// So long after its change a policy is perhaps not enforced yet: plugins that are busy take tens of seconds.
const SETTLED: Duration = Duration::from_secs(60);

/// How sure, and why not surer.
pub(super) struct Grade {
    /// How sure.
    pub(super) confidence: Confidence,
    /// What speaks for it or against it, in order of weight.
    pub(super) why: Vec<String>,
}

/// Grades `cause`.
pub(super) fn grade(facts: Facts<'_>, cause: Cause) -> Grade {
    let mut grade = match cause {
        Cause::NotEnforced => not_enforced(facts),
        Cause::PolicyEgress | Cause::PolicyIngress | Cause::PolicyBoth | Cause::PolicyRejected => policy(facts),
        Cause::AppNotListening => app_not_listening(facts),
        Cause::NoEndpoints
        | Cause::BackendNotReady
        | Cause::NoLocalEndpoint
        | Cause::NoSuchServicePort
        | Cause::UnknownServiceAddress
        | Cause::StaleAddress => no_target(facts, cause),
        Cause::BlockedNotByPolicy => blocked(facts),
        Cause::AcceptQueueFull => accept_queue(facts),
        Cause::Unanswered => unanswered(facts),
        Cause::AnswerLost => answer_lost(facts),
        Cause::RefusedByUnknown if facts.origin() == Some(Origin::Node) => Grade::plain(Confidence::Probable),
        Cause::RefusedByUnknown => Grade::of(Confidence::Possible, "where the RST was made cannot be observed"),
        Cause::AbortedByClient => Grade::plain(Confidence::Probable),
        Cause::Undecidable => Grade::plain(Confidence::Undecidable),
    };
    if let Some(age) = facts.view_age().filter(|_| rests_on_objects(cause)) {
        grade.confidence = grade.confidence.min(Confidence::Possible);
        grade.why.push(format!(
            "changes in the cluster had not been heard of for {}",
            words::span(age)
        ));
    }
    if facts.all.attempt.lost && grade.confidence > Confidence::Possible {
        grade.confidence = one_less(grade.confidence);
        grade
            .why
            .push("less sure, since events were lost on this node meanwhile".into());
    }
    grade
}

/// Other policies, Services or pods would make it another cause.
fn rests_on_objects(cause: Cause) -> bool {
    match cause {
        Cause::NotEnforced
        | Cause::PolicyEgress
        | Cause::PolicyIngress
        | Cause::PolicyBoth
        | Cause::PolicyRejected
        | Cause::NoEndpoints
        | Cause::BackendNotReady
        | Cause::NoLocalEndpoint
        | Cause::NoSuchServicePort
        | Cause::UnknownServiceAddress
        | Cause::StaleAddress
        | Cause::BlockedNotByPolicy => true,
        Cause::AppNotListening
        | Cause::AcceptQueueFull
        | Cause::Unanswered
        | Cause::AnswerLost
        | Cause::RefusedByUnknown
        | Cause::AbortedByClient
        | Cause::Undecidable => false,
    }
}

impl Grade {
    fn plain(confidence: Confidence) -> Self {
        Self {
            confidence,
            why: Vec::new(),
        }
    }

    fn of(confidence: Confidence, why: impl Into<String>) -> Self {
        Self {
            confidence,
            why: vec![why.into()],
        }
    }
}

fn one_less(confidence: Confidence) -> Confidence {
    match confidence {
        Confidence::Confirmed => Confidence::Probable,
        Confidence::Probable | Confidence::Possible => Confidence::Possible,
        Confidence::Undecidable => Confidence::Undecidable,
    }
}

/// The policies deny it, and it did not pass.
fn policy(facts: Facts<'_>) -> Grade {
    let delivered = facts.delivered();
    let absence = facts.absence();
    if let Some(rival) = rival(facts) {
        return Grade::of(Confidence::Possible, rival);
    }
    if delivered {
        let why = "it was dropped behind the observed hook, where some CNIs enforce ingress and other programs run too";
        return Grade::of(Confidence::Probable, why);
    }
    let dropped = facts.filtered_by_node();
    if absence == Absence::Nothing && facts.drop().is_none() {
        let why = "nothing shows whether it reached the destination, and no drop was seen on this node";
        return Grade::of(Confidence::Possible, why);
    }
    if facts.denial_disputed() {
        let why = "not confirmed, since implementations differ in a case like this";
        return Grade::of(Confidence::Probable, why);
    }
    if facts.conntrack_full() {
        let why =
            "not confirmed, since the connection tracking table is nearly full, though this drop is not one of its own";
        return Grade::of(Confidence::Probable, why);
    }
    match (absence, dropped) {
        (Absence::Proven, true) => Grade::of(
            Confidence::Confirmed,
            "the SYN never reached the destination's interface, which is known to work, and a filter of the node dropped it",
        ),
        (_, false) => Grade::of(
            Confidence::Probable,
            "not confirmed, since no drop by a filter of this node was seen",
        ),
        (Absence::Assumed, true) => Grade::of(
            Confidence::Probable,
            "not confirmed, since the destination's interface is not known to see every packet",
        ),
        (Absence::Nothing, true) => Grade::of(
            Confidence::Probable,
            "not confirmed, since absence at the destination's interface could not be witnessed",
        ),
    }
}

/// Something else that would explain a SYN which a policy denies.
fn rival(facts: Facts<'_>) -> Option<String> {
    let drop = facts.drop();
    if facts.conntrack_full() && drop.is_none_or(drops::may_be_conntrack) {
        return Some("the connection tracking table is nearly full, and a full one looks the same".into());
    }
    let drop = drop?;
    let reading = drops::read(drop);
    match (reading.stage, drop.place) {
        (Stage::Filter, Place::Node) => None,
        (Stage::Filter, Place::Pod { .. }) => {
            Some("it was dropped inside a pod's network namespace, where few CNIs enforce policies".into())
        }
        _ => Some(format!("the drop alone would explain it: {}", reading.words)),
    }
}

/// The policies deny it, and it was answered.
fn not_enforced(facts: Facts<'_>) -> Grade {
    let times = facts.all.answered_although_denied;
    let first = facts.all.attempt.first;
    let mut changes = facts.all.verdict.changes.iter();
    if let Some(change) = changes.find(|change| first.since(change.at) < SETTLED) {
        let why = format!("{} changed shortly before", change.policy);
        return Grade::of(Confidence::Possible, why);
    }
    if facts.denial_disputed() {
        let why = "implementations differ in a case like this";
        return Grade::of(Confidence::Possible, why);
    }
    if times >= ANSWERED_PROBABLE {
        let why = format!("{times} attempts on this edge were answered although denied");
        return Grade::of(Confidence::Probable, why);
    }
    let why = "one attempt alone may have met a CNI that was just starting to enforce";
    Grade::of(Confidence::Possible, why)
}

/// The destination refused it itself.
fn app_not_listening(facts: Facts<'_>) -> Grade {
    let no_socket = facts
        .drop()
        .is_some_and(|drop| drop.reason.as_deref() == Some("NO_SOCKET"));
    if facts.all.attempt.listener == Some(None) {
        Grade::of(Confidence::Confirmed, "no socket listens on that port there")
    } else if no_socket {
        Grade::of(Confidence::Confirmed, "its kernel found no socket (NO_SOCKET)")
    } else {
        Grade::plain(Confidence::Probable)
    }
}

/// The objects know of nothing behind the address.
fn no_target(facts: Facts<'_>, cause: Cause) -> Grade {
    let outcome = facts.outcome();
    let agrees = match cause {
        // Nobody owns the address: a dead neighbour or a missing route agrees; a filter stops what it
        // stops whoever has the address; a RST means that somebody answers.
        Cause::StaleAddress => outcome == Outcome::Unreachable || (facts.drop().is_some() && !facts.filtered_by_node()),
        // The node answers for, or drops, what leads nowhere.
        _ => outcome == Outcome::Rejected || facts.filtered_by_node(),
    };
    if cause == Cause::NoEndpoints
        && let Some(why) = service::unknown_endpoints(facts, agrees)
    {
        return Grade::of(Confidence::Possible, why);
    }
    match (cause, agrees) {
        (Cause::UnknownServiceAddress, true) => Grade::of(
            Confidence::Probable,
            "the address lies among those of the known Services, which only suggests that it is one",
        ),
        (Cause::StaleAddress, true) => Grade::of(
            Confidence::Confirmed,
            "the wire agrees: nobody was reached at that address",
        ),
        (_, true) => Grade::of(
            Confidence::Confirmed,
            "the wire agrees: it was stopped, and no translation to a backend was seen",
        ),
        (_, false) if outcome == Outcome::Refused => Grade::of(
            Confidence::Possible,
            "somebody answered with a RST, and who cannot be told",
        ),
        (Cause::UnknownServiceAddress, false) => Grade::plain(Confidence::Possible),
        (_, false) if facts.denied() => Grade::of(
            Confidence::Possible,
            "that the policies deny it would explain the silence as well",
        ),
        (_, false) => Grade::of(
            Confidence::Probable,
            "not confirmed, since the drop itself was not seen",
        ),
    }
}

/// Not a policy: row 5, where the wire says what it is, and row 8, where the policies allow it.
fn blocked(facts: Facts<'_>) -> Grade {
    let way = no_way(facts);
    let not_sent = facts.all.attempt.reach == Reach::NotSent;
    if !way && facts.answer_disputed() {
        let why = "implementations differ in a case like this: with some CNIs the policies deny it";
        return Grade::of(Confidence::Possible, why);
    }
    let stage_tells = if way && !not_sent {
        no_way_stage(facts)
    } else {
        facts.drop().is_some()
    };
    let answered = facts.icmp().is_some();
    let witnesses = [stage_tells, answered, facts.absence() == Absence::Proven];
    match witnesses.iter().filter(|seen| **seen).count() {
        0 => Grade::of(
            Confidence::Possible,
            "no drop was seen on this node, so it may have been stopped elsewhere",
        ),
        1 => Grade::plain(Confidence::Probable),
        _ => Grade::plain(Confidence::Confirmed),
    }
}

/// Delivered, and the listener does not take it.
fn accept_queue(facts: Facts<'_>) -> Grade {
    if facts.queue_full() {
        Grade::plain(Confidence::Confirmed)
    } else {
        Grade::of(
            Confidence::Probable,
            "not confirmed, since the listener's queue could not be read",
        )
    }
}

/// Delivered, and nothing came back.
fn unanswered(facts: Facts<'_>) -> Grade {
    if facts.foreign_behind() {
        let why = "other programs run behind the observed hook and may have dropped it";
        Grade::of(Confidence::Possible, why)
    } else {
        Grade::plain(Confidence::Probable)
    }
}

/// The answer did not arrive.
fn answer_lost(facts: Facts<'_>) -> Grade {
    match facts.answer_drop() {
        Some(_) => Grade::plain(Confidence::Confirmed),
        None if !facts.all.attempt.source_observed => Grade::of(
            Confidence::Possible,
            "a destination repeats its SYN-ACK also where the client's ACK was lost, or found the accept queue full",
        ),
        None => Grade::of(
            Confidence::Probable,
            "not confirmed, since the drop of the SYN-ACK was not seen",
        ),
    }
}
