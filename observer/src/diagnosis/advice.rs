//! One line per cause: what to do next.

use std::net::SocketAddr;
use std::sync::Arc;

use super::facts::Facts;
use super::{Cause, drops, words};
use crate::attempt::{Origin, Outcome, Place};
use crate::objects::{Pod, Protocol};
use crate::policy::{self, Direction, DirectionVerdict, Party, Question, Who};

/// Where an answer was lost.
pub(crate) const WAY_BACK: &str =
    "Check the way back: asymmetric routes, reverse path filter, connection tracking, MTU.";

/// What to do; `None` where there is nothing to do.
pub(super) fn advice(facts: Facts<'_>, cause: Cause) -> Option<String> {
    let port = facts.target().port();
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
        Cause::AnswerLost => WAY_BACK.into(),
        Cause::RefusedByUnknown if facts.origin() == Some(Origin::Node) => {
            "Check that what translates Services (kube-proxy or its replacement) runs on this node and knows this address."
                .into()
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
        return miss.change.clone();
    }
    match verdict.policies.first() {
        Some(policy) => policy::first_rule(policy, direction, &question(facts)),
        None => format!("allow it in a policy that isolates {direction}"),
    }
}

/// The attempt as a question, of which a first rule needs the two sides and the port.
fn question(facts: Facts<'_>) -> Question {
    let attempt = &facts.all.attempt;
    let (address, pod) = target(facts);
    let party = |address: std::net::IpAddr, pod: Option<&Arc<Pod>>| Party {
        address,
        who: pod.map_or(Who::External, |pod| Who::Pod(pod.clone())),
    };
    Question {
        source: party(attempt.client.ip(), facts.all.source.pod()),
        destination: party(address.ip(), pod),
        port: address.port(),
        protocol: Protocol::Tcp,
        dialled: Some(attempt.server).filter(|dialled| *dialled != address),
        at: attempt.first,
    }
}

/// Where the attempt went, or would have gone: policies answer alike for every backend where they answer at all.
fn target<'a>(facts: Facts<'a>) -> (SocketAddr, Option<&'a Arc<Pod>>) {
    let all = facts.all;
    if let Some(backend) = &all.backend {
        return (backend.address, backend.pod());
    }
    let usable = all.destination.service().and_then(|hit| {
        let mut backends = hit.backends.iter();
        backends.find(|backend| backend.ready && !backend.excluded)
    });
    match usable {
        Some(backend) => (backend.address, backend.pod.as_ref()),
        None => (facts.target(), all.destination.pod()),
    }
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
        Some(drops::Stage::Filter) if facts.drop().is_some_and(|drop| drop.place != Place::Node) => {
            "List the rules inside the pod's network namespace: nsenter --net, then nft list ruleset, iptables-save."
                .into()
        }
        Some(drops::Stage::Filter) => {
            "List the rules that are no policy's: nft list ruleset, iptables-save, tc filter show.".into()
        }
        Some(drops::Stage::Neighbour) if facts.drop().is_some_and(|drop| drop.place != Place::Node) => {
            "Look from inside the pod which next hop does not answer (ip route get ADDRESS, ip neigh): the destination, if it is on the same bridge, else the pod's gateway."
                .into()
        }
        Some(drops::Stage::Neighbour) => {
            "Check that the destination's host or pod is up: nobody answers for its address (ip neigh).".into()
        }
        Some(drops::Stage::Route) => "Check the routes on this node and in the pod: ip route get ADDRESS.".into(),
        Some(drops::Stage::ReversePath) => {
            "Check the way back to the source (ip route get SOURCE) and net.ipv4.conf.*.rp_filter.".into()
        }
        Some(drops::Stage::Queue) => "Look at the queues of this node's interfaces: tc -s qdisc, ip -s link.".into(),
        _ if facts.outcome() == Outcome::Unreachable => {
            "Check that the destination is up and that this node has a route to it: ip route get ADDRESS, ip neigh."
                .into()
        }
        _ => {
            "Look beyond this node: the destination's node, its firewall, a security group, the network between.".into()
        }
    }
}
