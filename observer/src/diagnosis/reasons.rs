//! The reasons of a cause, in order of weight: what it rests on, then what the confidence rests on.

use super::facts::Facts;
use super::{Cause, drops, misses, wire, words};
use crate::attempt::{Origin, Outcome};
use crate::policy::{Direction, DirectionVerdict, Undecidable};

/// At most so many policies are named in a clause.
const POLICIES_NAMED: usize = 3;

/// The reasons that the cause itself rests on.
pub(super) fn reasons(facts: Facts<'_>, cause: Cause, row: Option<u8>) -> Vec<String> {
    let mut reasons = match cause {
        Cause::NotEnforced => not_enforced(facts),
        Cause::PolicyEgress | Cause::PolicyIngress | Cause::PolicyBoth => denials(facts),
        Cause::PolicyRejected => rejected(facts),
        Cause::AppNotListening => {
            let who = words::who(facts.all.backend.as_ref().unwrap_or(&facts.all.destination));
            let port = facts.target().port();
            vec![format!("{who} itself refused it: nothing listens on port {port}")]
        }
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
        Cause::RefusedByUnknown if facts.origin() == Some(Origin::Node) => vec![
            "this node's own network stack refused it: the packet was taken for the node's own and led to no pod"
                .into(),
        ],
        Cause::RefusedByUnknown => vec![
            "a RST answered, and it was not seen leaving the destination: the application, a filter on the way or a \
             policy of another node look the same from here"
                .into(),
        ],
        Cause::AbortedByClient => {
            vec!["the client reset the connection before an answer reached it".into()]
        }
        Cause::Undecidable => undecidable(facts, row),
    };
    let about_policies = matches!(
        cause,
        Cause::NotEnforced
            | Cause::PolicyEgress
            | Cause::PolicyIngress
            | Cause::PolicyBoth
            | Cause::PolicyRejected
            | Cause::Undecidable
    );
    if !about_policies && facts.denied() {
        reasons.push(format!("apart from that {}", also_denied(facts)));
    }
    reasons
}

/// Each denied direction: who isolates, and the nearest miss.
fn denials(facts: Facts<'_>) -> Vec<String> {
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

/// `a/b isolates egress`.
fn isolates(direction: Direction, verdict: &DirectionVerdict) -> String {
    let plural = if verdict.policies.len() == 1 { "s" } else { "" };
    let policies = words::list(&verdict.policies, POLICIES_NAMED);
    format!("{policies} isolate{plural} {direction}")
}

fn nearest(direction: Direction, verdict: &DirectionVerdict) -> String {
    match verdict.nearest.first() {
        Some(miss) => format!("nearest: {}", misses::near_miss(miss, verdict.policies.len() == 1)),
        None => format!("there is no {direction} rule at all"),
    }
}

/// `the policies deny it too: a/b isolates egress`.
fn also_denied(facts: Facts<'_>) -> String {
    let clauses: Vec<String> = denied_directions(facts)
        .into_iter()
        .map(|(direction, verdict)| isolates(direction, verdict))
        .collect();
    format!("the policies deny it: {}", clauses.join(", "))
}

fn not_enforced(facts: Facts<'_>) -> Vec<String> {
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

fn rejected(facts: Facts<'_>) -> Vec<String> {
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

fn no_target(facts: Facts<'_>, cause: Cause) -> Vec<String> {
    let destination = &facts.all.destination;
    let who = words::who(destination);
    let port = destination.address.port();
    vec![match cause {
        Cause::NoEndpoints => format!("{who} has no endpoints for port {port}"),
        Cause::BackendNotReady => format!("none of the endpoints of {who} for port {port} is ready"),
        Cause::NoLocalEndpoint => {
            format!(
                "{who} keeps to local endpoints (traffic policy Local), and this node has no ready one for port {port}"
            )
        }
        Cause::NoSuchServicePort => format!("{who} has no port {port}"),
        Cause::StaleAddress => stale(facts),
        _ => format!(
            "no Service has the address {}, which lies among theirs",
            destination.address.ip()
        ),
    }]
}

fn stale(facts: Facts<'_>) -> String {
    let address = facts.all.destination.address.ip();
    match words::former_owner(&facts.all.destination) {
        Some((pod, Some(ended))) => format!(
            "{address} belonged to pod {pod}, which ended {} before",
            words::span(facts.all.attempt.first.since(ended))
        ),
        Some((pod, None)) => format!("{address} belonged to pod {pod}, which is gone"),
        None => format!("nobody has the address {address} any more"),
    }
}

/// Row 5 and row 8: names what stopped it.
fn blocked(facts: Facts<'_>) -> Vec<String> {
    let mut reasons = Vec::new();
    match (facts.drop(), facts.icmp()) {
        (Some(drop), _) => reasons.push(words::drop(drop)),
        (None, Some(error)) => reasons.push(format!("the answer was {}", words::icmp(error))),
        (None, None) if facts.all.attempt.recent_reject.is_some() => reasons.push(
            "a filter answered another attempt on this edge within the last minute; the kernel limits how often it answers"
                .into(),
        ),
        (None, None) => reasons.push("what stopped it was not seen on this node".into()),
    }
    if !facts.denied() && facts.all.verdict.decision != crate::policy::Decision::Undecidable {
        reasons.push("the policies allow it".into());
    }
    if facts.drop().is_some_and(drops::may_be_conntrack) && facts.conntrack_full() {
        reasons
            .push("the connection tracking table is nearly full, and a full one drops new connections just so".into());
    } else if facts.stage() == Some(drops::Stage::Filter) && !facts.denied() {
        reasons.push(
            "so it is another rule: a host firewall, a rule left behind, or a policy kind that is not read here".into(),
        );
    }
    reasons
}

fn accept_queue(facts: Facts<'_>) -> Vec<String> {
    let attempt = &facts.all.attempt;
    let mut reasons = Vec::new();
    if let Some(Some(listener)) = attempt.listener.filter(|_| facts.queue_full()) {
        reasons.push(format!(
            "the listener's accept queue holds {} connections and its limit is {}",
            listener.queue, listener.limit
        ));
    }
    if let Some(success) = attempt.recent_success {
        reasons.push(format!(
            "a connection to the same address and port was accepted {} before",
            words::span(attempt.first.since(success))
        ));
    }
    if let Some(drop) = facts.drop() {
        reasons.push(words::drop(drop));
    }
    reasons.push("the SYN was delivered, the policies allow it, and nothing came back".into());
    reasons
}

fn unanswered(facts: Facts<'_>) -> Vec<String> {
    let mut reasons = vec!["the SYN was delivered, the policies allow it, and nothing came back".to_owned()];
    match facts.all.attempt.listener {
        Some(Some(_)) => reasons.push("a socket listens there, and its accept queue had room".into()),
        Some(None) => reasons.push("no socket listens there, and no RST was sent".into()),
        None => {}
    }
    if let Some(drop) = facts.drop() {
        reasons.push(words::drop(drop));
    }
    reasons
}

fn answer_lost(facts: Facts<'_>) -> Vec<String> {
    let mut reasons = vec!["the SYN-ACK left the destination and never reached the client".to_owned()];
    match facts.answer_drop() {
        Some(drop) => reasons.push(format!("of the SYN-ACK: {}", words::drop(drop))),
        None if facts.all.attempt.source_observed => {}
        None => reasons.push("the client's interface is not observed: the destination repeated its SYN-ACK".into()),
    }
    reasons
}

/// Why it cannot be told, and what the wire shows.
fn undecidable(facts: Facts<'_>, row: Option<u8>) -> Vec<String> {
    let verdict = &facts.all.verdict;
    let mut reasons = Vec::new();
    let open = [&verdict.egress, &verdict.ingress]
        .into_iter()
        .filter_map(|direction| direction.undecidable.as_ref());
    if !facts.denied() {
        for reason in open {
            let words = open_answer(reason);
            if !reasons.contains(&words) {
                reasons.push(words);
            }
        }
    }
    if facts.denied() {
        reasons.push(also_denied(facts));
        reasons.push(match row {
            Some(_) => {
                "but the SYN was delivered and nothing came back, which a policy behind the observed hook and a \
                        silent application do alike"
                    .into()
            }
            None => "but the wire shows something that a policy alone does not explain".into(),
        });
    }
    if reasons.is_empty() {
        reasons.push("the wire shows something that no known cause explains".into());
    }
    reasons.push(format!("on the wire: {}", wire::clause(&facts.all.attempt)));
    if let Some(drop) = facts.drop().or_else(|| facts.answer_drop()) {
        reasons.push(words::drop(drop));
    }
    reasons
}

/// An open answer of the policies, as a clause.
fn open_answer(reason: &Undecidable) -> String {
    let words: &str = match reason {
        Undecidable::NotSynced => "the cluster's objects were not loaded yet",
        Undecidable::HostNetwork => {
            "a hostNetwork pod may be meant, and whether policies hold for those is up to the CNI"
        }
        Undecidable::SourceRewritten => {
            "the source address was rewritten on the way, and the policies answer differently for the pod and for the node"
        }
        Undecidable::NamedPort => "a rule names its port, and what that name means at this destination is not known",
        Undecidable::PeerUnknown => "nobody can be named for an address, and the policies depend on who it is",
        Undecidable::BackendUnknown => "which backend was chosen is not known, and the policies treat them differently",
        Undecidable::NoTarget => "the Service has no backend to judge",
        Undecidable::Changing => "policies, pods or namespaces changed just then, and the answer changed with them",
        Undecidable::ObjectsInDoubt { source } => {
            return format!("{source} can no longer be read, and it may concern this");
        }
        Undecidable::ForeignPolicy { policy } => {
            return format!("{policy} also selects the pod, and the CNI's own policies are not judged");
        }
        Undecidable::NoObjects => "nothing is known of the cluster's objects",
    };
    words.into()
}
