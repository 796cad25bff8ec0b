//! The reasons of a cause, in order of weight: what it rests on, then what the confidence rests on.

mod open;
mod policies;

use super::facts::Facts;
use super::{Cause, drops, words};
use crate::attempt::Origin;
pub(crate) use open::open_answer;
use open::undecidable;
use policies::{also_denied, denials, not_enforced, rejected};

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
            "the listener's accept queue is over its limit ({} waiting, limit {})",
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
    let drop = facts
        .answer_drop()
        .map(|drop| format!("of the SYN-ACK: {}", words::drop(drop)));
    let told = if facts.all.attempt.source_observed || drop.is_some() {
        "the SYN-ACK left the destination and never reached the client"
    } else {
        "the destination repeated its SYN-ACK, so the handshake did not end, and the client's interface is not observed"
    };
    std::iter::once(told.to_owned()).chain(drop).collect()
}
