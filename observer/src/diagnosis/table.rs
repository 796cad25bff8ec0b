//! The table of causes: the first row that holds decides.
//!
//! A row has what the wire must show, what the policies must say, and the cause. Where the wire fits a row that needs the
//! policies' answer and that answer is undecidable, the cause is undecidable too.

use super::Cause;
use super::drops::Stage;
use super::facts::Facts;
use super::service;
use crate::attempt::{Origin, Outcome};
use crate::policy::Decision;

/// What a row needs the policies to say.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Needs {
    /// Nothing: the wire alone tells.
    Any,
    /// Denied.
    Denied,
    /// Allowed.
    Allowed,
}

/// One row.
pub(super) struct Row {
    /// Its number in the documentation.
    pub(super) number: u8,
    /// Whether the wire shows it.
    pub(super) wire: fn(Facts<'_>) -> bool,
    /// What the policies must say.
    pub(super) policies: Needs,
    /// The cause; `None` where all is well.
    pub(super) cause: fn(Facts<'_>) -> Option<Cause>,
}

/// The rows, in order.
pub(super) const TABLE: &[Row] = &[
    row(1, answered, Needs::Denied, |_| Some(Cause::NotEnforced)),
    row(2, connected, Needs::Allowed, |_| None),
    row(3, refused_by_destination, Needs::Allowed, |_| {
        Some(Cause::AppNotListening)
    }),
    row(4, no_target, Needs::Any, service::missing),
    row(5, no_way, Needs::Any, |_| Some(Cause::BlockedNotByPolicy)),
    row(6, rejected_on_the_way, Needs::Denied, |_| Some(Cause::PolicyRejected)),
    row(7, lost_on_the_way, Needs::Denied, which_policies),
    row(8, stopped_somewhere, Needs::Allowed, |_| {
        Some(Cause::BlockedNotByPolicy)
    }),
    row(9, filtered_behind_hook, Needs::Denied, |_| Some(Cause::PolicyIngress)),
    row(10, delivered_and_silent, Needs::Denied, |_| Some(Cause::Undecidable)),
    row(11, listener_too_slow, Needs::Allowed, |_| Some(Cause::AcceptQueueFull)),
    row(12, delivered_and_silent, Needs::Allowed, |_| Some(Cause::Unanswered)),
    row(13, answer_lost, Needs::Allowed, |_| Some(Cause::AnswerLost)),
    row(14, refused_from_elsewhere, Needs::Any, |_| {
        Some(Cause::RefusedByUnknown)
    }),
    row(15, aborted, Needs::Any, |_| Some(Cause::AbortedByClient)),
];

const fn row(number: u8, wire: fn(Facts<'_>) -> bool, policies: Needs, cause: fn(Facts<'_>) -> Option<Cause>) -> Row {
    Row {
        number,
        wire,
        policies,
        cause,
    }
}

/// What the table says.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Found {
    /// The row; `None` where none holds.
    pub(super) row: Option<u8>,
    /// The cause; `None` where all is well.
    pub(super) cause: Option<Cause>,
}

/// The first row that holds.
pub(super) fn find(facts: Facts<'_>) -> Found {
    let decision = facts.all.verdict.decision;
    for row in TABLE {
        if !(row.wire)(facts) {
            continue;
        }
        let cause = match (row.policies, decision) {
            (Needs::Any, _)
            | (Needs::Denied, Decision::Denied)
            | (Needs::Allowed, Decision::Allowed | Decision::NotIsolated | Decision::NotApplicable) => {
                (row.cause)(facts)
            }
            (_, Decision::Undecidable) => Some(Cause::Undecidable),
            _ => continue,
        };
        return Found {
            row: Some(row.number),
            cause,
        };
    }
    Found {
        row: None,
        cause: Some(Cause::Undecidable),
    }
}

/// Row 1: the client got its answer, or the destination gave one. An answer that a filter then dropped proves the contrary:
/// something does stop this connection.
fn answered(facts: Facts<'_>) -> bool {
    let stopped = facts
        .answer_drop()
        .is_some_and(|drop| super::drops::read(drop).stage == Stage::Filter);
    connected(facts) || (facts.all.attempt.answered_by_destination && !stopped) || refused_by_destination(facts)
}

/// Row 2.
fn connected(facts: Facts<'_>) -> bool {
    facts.outcome() == Outcome::Connected
}

/// Row 3: the RST came from where the SYN belonged: the pod, or this node where it was dialled itself.
fn refused_by_destination(facts: Facts<'_>) -> bool {
    facts.outcome() == Outcome::Refused
        && match facts.origin() {
            Some(Origin::DestinationPod) => true,
            Some(Origin::Node) => facts.node_dialled(),
            _ => false,
        }
}

/// Row 4: the objects know of nothing behind the dialled address, and the wire shows nothing behind it either.
fn no_target(facts: Facts<'_>) -> bool {
    !matches!(
        facts.outcome(),
        Outcome::Connected | Outcome::HalfOpen | Outcome::Aborted
    ) && !facts.translated()
        && !facts.all.attempt.answered_by_destination
        && service::missing(facts).is_some()
}

/// Row 5: no way leads there, whatever the policies say. "Unreachable" from a filter is no missing way: see row 6.
pub(super) fn no_way(facts: Facts<'_>) -> bool {
    (facts.outcome() == Outcome::Unreachable && !unreachable_by_filter(facts))
        || (facts.silent() && no_way_stage(facts))
}

/// A filter of this node dropped the SYN and answered in the words of a router (`reject with icmp host-unreachable`).
fn unreachable_by_filter(facts: Facts<'_>) -> bool {
    facts.outcome() == Outcome::Unreachable && facts.icmp().is_some() && facts.filtered_by_node()
}

/// The SYN died where no policy is enforced, and the stage itself explains it.
pub(super) fn no_way_stage(facts: Facts<'_>) -> bool {
    matches!(
        facts.stage(),
        Some(Stage::Neighbour | Stage::Route | Stage::ReversePath)
    )
}

/// Row 6: a filter on the way answered, or would have, but for the limit that the kernel sets to its answers.
fn rejected_on_the_way(facts: Facts<'_>) -> bool {
    rejected(facts) && facts.origin() != Some(Origin::DestinationPod)
        || (silent_on_the_way(facts) && facts.all.attempt.recent_reject.is_some())
}

fn rejected(facts: Facts<'_>) -> bool {
    facts.outcome() == Outcome::Rejected || unreachable_by_filter(facts)
}

/// Row 7.
fn lost_on_the_way(facts: Facts<'_>) -> bool {
    silent_on_the_way(facts)
}

/// Nothing came back, and nothing shows that the SYN arrived.
fn silent_on_the_way(facts: Facts<'_>) -> bool {
    facts.silent() && !facts.delivered()
}

/// Row 7's cause: the direction that denies it.
fn which_policies(facts: Facts<'_>) -> Option<Cause> {
    Some(match (facts.egress_denied(), facts.ingress_denied()) {
        (true, true) => Cause::PolicyBoth,
        (true, false) => Cause::PolicyEgress,
        (false, _) => Cause::PolicyIngress,
    })
}

/// Row 8: a filter answered, or the SYN did not arrive. One that died behind our hook did not arrive either.
fn stopped_somewhere(facts: Facts<'_>) -> bool {
    rejected(facts) || silent_on_the_way(facts) || (facts.silent() && facts.dropped_behind_hook())
}

/// Row 9: a CNI that enforces ingress behind the hook looks like this. Egress is never enforced there.
fn filtered_behind_hook(facts: Facts<'_>) -> bool {
    facts.silent()
        && facts.dropped_behind_hook()
        && facts.stage() == Some(Stage::Filter)
        && (facts.ingress_denied() || !facts.denied())
}

/// Rows 10 and 12. Where an answer died on its way, there was one.
fn delivered_and_silent(facts: Facts<'_>) -> bool {
    facts.silent() && facts.delivered() && facts.answer_drop().is_none()
}

/// Row 11: there is a listener, and it does not take the connection. A queue that was read and has room says otherwise.
fn listener_too_slow(facts: Facts<'_>) -> bool {
    let attempt = &facts.all.attempt;
    delivered_and_silent(facts)
        && (facts.queue_full()
            || facts.stage() == Some(Stage::Socket)
                && facts
                    .drop()
                    .is_some_and(|drop| drop.reason.as_deref() == Some("TCP_LISTEN_OVERFLOW"))
            || (attempt.listener.is_none() && attempt.recent_success.is_some()))
}

/// Row 13. An answer that died before it passed an observed interface is lost as well.
fn answer_lost(facts: Facts<'_>) -> bool {
    facts.outcome() == Outcome::HalfOpen || (facts.silent() && facts.delivered() && facts.answer_drop().is_some())
}

/// Row 14: a RST, and not from where the SYN belonged.
fn refused_from_elsewhere(facts: Facts<'_>) -> bool {
    facts.outcome() == Outcome::Refused && !refused_by_destination(facts)
}

/// Row 15.
fn aborted(facts: Facts<'_>) -> bool {
    facts.outcome() == Outcome::Aborted
}
