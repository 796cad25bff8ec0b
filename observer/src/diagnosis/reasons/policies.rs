//! What the policies deny, in words: who isolates, the nearest miss, and what the wire did all the same.

use crate::attempt::Outcome;
use crate::diagnosis::facts::Facts;
use crate::diagnosis::{misses, words};
use crate::policy::{Direction, DirectionVerdict};

/// At most so many policies are named in a clause.
const POLICIES_NAMED: usize = 3;

/// Each denied direction: who isolates, and the nearest miss.
pub(super) fn denials(facts: Facts<'_>) -> Vec<String> {
    let both = facts.egress_denied() && facts.ingress_denied();
    denied_directions(facts)
        .into_iter()
        .flat_map(|(direction, verdict)| {
            let isolates = isolates(direction, verdict);
            let nearest = nearest(direction, verdict);
            if both {
                vec![format!("{isolates}; {nearest}")]
            } else {
                vec![isolates, nearest]
            }
        })
        .collect()
}

fn denied_directions(facts: Facts<'_>) -> Vec<(Direction, &DirectionVerdict)> {
    let verdict = &facts.all.verdict;
    let mut directions = Vec::new();
    if facts.egress_denied() {
        directions.push((Direction::Egress, &verdict.egress));
    }
    if facts.ingress_denied() {
        directions.push((Direction::Ingress, &verdict.ingress));
    }
    directions
}

/// `a/b isolates egress`, `cluster-deny denies egress`.
fn isolates(direction: Direction, verdict: &DirectionVerdict) -> String {
    let plural = if verdict.policies.len() == 1 { "s" } else { "" };
    let policies = words::list(&verdict.policies, POLICIES_NAMED);
    // A cluster-wide policy denies by a rule; NetworkPolicies by having none that allows.
    if verdict.rule.is_some() {
        return format!("{policies} denies {direction}");
    }
    format!("{policies} isolate{plural} {direction}")
}

fn nearest(direction: Direction, verdict: &DirectionVerdict) -> String {
    match verdict.nearest.first() {
        Some(miss) if verdict.rule.is_some() => misses::near_miss(miss, true),
        Some(miss) => format!("nearest: {}", misses::near_miss(miss, verdict.policies.len() == 1)),
        None => format!("there is no {direction} rule at all"),
    }
}

/// `the policies deny it too: a/b isolates egress`.
pub(super) fn also_denied(facts: Facts<'_>) -> String {
    let clauses: Vec<String> = denied_directions(facts)
        .into_iter()
        .map(|(direction, verdict)| isolates(direction, verdict))
        .collect();
    format!("the policies deny it: {}", clauses.join(", "))
}

pub(super) fn not_enforced(facts: Facts<'_>) -> Vec<String> {
    let answered = match facts.outcome() {
        Outcome::Connected => "it connected",
        Outcome::Refused => "the destination itself answered with a RST",
        _ => "the destination itself answered",
    };
    vec![
        format!("{}, and {answered} all the same", also_denied(facts)),
        "the network plugin does not enforce this policy here, or not yet".into(),
    ]
}

pub(super) fn rejected(facts: Facts<'_>) -> Vec<String> {
    let mut reasons = denials(facts);
    reasons.push(if facts.silent() {
        "a filter answered another attempt on this edge within the last minute; the kernel limits how often it answers"
            .into()
    } else {
        match facts.icmp() {
            Some(error) => format!("a filter on the way answered: {}", words::icmp(error)),
            None => "a RST came that the destination never sent".into(),
        }
    });
    reasons
}
