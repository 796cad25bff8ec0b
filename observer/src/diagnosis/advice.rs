//! One line per cause: what to do next.

use super::facts::Facts;
use super::{Cause, drops, words};
use crate::endpoint::Identity;
use crate::policy::{Direction, DirectionVerdict};

/// What to do; `None` where there is nothing to do.
pub(super) fn advice(facts: Facts<'_>, cause: Cause) -> Option<String> {
    let attempt = &facts.all.attempt;
    let port = attempt.backend.unwrap_or(attempt.server).port();
    let dialled = words::who(&facts.all.destination);
    let target = words::who(facts.all.backend.as_ref().unwrap_or(&facts.all.destination));
    Some(match cause {
        Cause::PolicyEgress | Cause::PolicyIngress | Cause::PolicyBoth | Cause::PolicyRejected => {
            format!("To allow it: {}.", changes(facts))
        }
        Cause::NotEnforced => format!(
            "Check that the network plugin enforces NetworkPolicies on this node; if it must be allowed: {}.",
            changes(facts)
        ),
        Cause::AppNotListening => format!(
            "Start the application of {target} on port {port}, or dial the port that it listens on; one that listens on \
             127.0.0.1 only looks the same."
        ),
        Cause::NoEndpoints => {
            format!("Compare the selector of {dialled} with the labels of its pods, and check that there are any.")
        }
        Cause::BackendNotReady => {
            format!("See why the readiness probes of the pods behind {dialled} fail: kubectl describe pod.")
        }
        Cause::NoLocalEndpoint => {
            format!("Run a ready pod of {dialled} on this node, or set its traffic policy to Cluster.")
        }
        Cause::NoSuchServicePort => no_such_port(facts),
        Cause::UnknownServiceAddress => {
            "Dial the Service by its name: its address changes when it is created anew.".into()
        }
        Cause::StaleAddress => {
            "Dial the Service's name instead of a pod's address, and see why the client still holds this one.".into()
        }
        Cause::BlockedNotByPolicy => blocked(facts),
        Cause::AcceptQueueFull => format!(
            "See why {target} accepts so slowly (CPU limit, blocked threads); a larger backlog only helps with bursts."
        ),
        Cause::Unanswered => format!(
            "Look inside {target}: a firewall in the pod, a stopped process, or an answer that takes another way."
        ),
        Cause::AnswerLost => {
            "Check the way back: asymmetric routes, reverse path filter, connection tracking, MTU.".into()
        }
        Cause::RefusedByUnknown => {
            "Run the observer on the destination's node too: only its interface shows who refused.".into()
        }
        Cause::AbortedByClient => {
            "Compare the client's connect timeout with how long this destination takes to answer.".into()
        }
        Cause::Undecidable => return None,
    })
}

/// The smallest change of each denied direction.
fn changes(facts: Facts<'_>) -> String {
    let verdict = &facts.all.verdict;
    let mut changes = Vec::new();
    if facts.egress_denied() {
        changes.push(change(facts, Direction::Egress, &verdict.egress));
    }
    if facts.ingress_denied() {
        changes.push(change(facts, Direction::Ingress, &verdict.ingress));
    }
    changes.join("; and ")
}

fn change(facts: Facts<'_>, direction: Direction, verdict: &DirectionVerdict) -> String {
    if let Some(miss) = verdict.nearest.first() {
        return lower_first(&miss.change);
    }
    let attempt = &facts.all.attempt;
    let port = attempt.backend.unwrap_or(attempt.server).port();
    let peer = match direction {
        Direction::Egress => facts.all.backend.as_ref().unwrap_or(&facts.all.destination),
        Direction::Ingress => &facts.all.source,
    };
    let way = match direction {
        Direction::Egress => "to",
        Direction::Ingress => "from",
    };
    let policy = words::list(&verdict.policies[..verdict.policies.len().min(1)], 1);
    let who = match &peer.identity {
        Identity::Pod(pod) => format!("pod {}", pod.name),
        _ => peer.address.ip().to_string(),
    };
    format!("add an {direction} rule to {policy} for TCP {port} {way} {who}")
}

fn no_such_port(facts: Facts<'_>) -> String {
    let ports: Vec<u16> = facts
        .all
        .destination
        .service()
        .and_then(|hit| hit.service.as_ref())
        .map(|service| service.ports.iter().map(|port| port.port).collect())
        .unwrap_or_default();
    let dialled = words::who(&facts.all.destination);
    if ports.is_empty() {
        format!("Add the port to {dialled}.")
    } else {
        format!(
            "Dial a port that {dialled} has ({}), or add this one to it.",
            words::list(&ports, 6)
        )
    }
}

fn blocked(facts: Facts<'_>) -> String {
    if facts.conntrack_full() && facts.drop().is_none_or(drops::may_be_conntrack) {
        return "Look for `nf_conntrack: table full` in the kernel log, and raise net.netfilter.nf_conntrack_max."
            .into();
    }
    let stage = facts.stage();
    match stage {
        Some(drops::Stage::Filter) => {
            "List the rules that are no policy's: nft list ruleset, iptables-save, tc filter show.".into()
        }
        Some(drops::Stage::Neighbour) => {
            "Check that the destination's host or pod is up: nobody answers for its address (ip neigh).".into()
        }
        Some(drops::Stage::Route) => "Check the routes on this node and in the pod: ip route get ADDRESS.".into(),
        Some(drops::Stage::ReversePath) => {
            "Check the way back to the source (ip route get SOURCE) and net.ipv4.conf.*.rp_filter.".into()
        }
        Some(drops::Stage::Queue) => "Look at the queues of this node's interfaces: tc -s qdisc, ip -s link.".into(),
        _ if facts.outcome() == crate::attempt::Outcome::Unreachable => {
            "Check that the destination is up and that this node has a route to it: ip route get ADDRESS, ip neigh."
                .into()
        }
        _ => {
            "Look beyond this node: the destination's node, its firewall, a security group, the network between.".into()
        }
    }
}

fn lower_first(text: &str) -> String {
    let mut chars = text.chars();
    match chars.next() {
        Some(first) => first.to_lowercase().chain(chars).collect(),
        None => String::new(),
    }
}
