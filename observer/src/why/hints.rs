//! What an answer means beyond its two directions, for who has to act on it.

use std::net::IpAddr;

use super::ask::Judged;
use crate::objects::Protocol;
use crate::policy::{Decision, Undecidable, Who};
use crate::world::World;

/// The port of DNS.
const DNS: u16 = 53;

/// The clauses that an answer for one source and one destination wants.
pub(super) fn hints(world: &World, one: &Judged) -> impl Iterator<Item = String> {
    [
        half(one),
        dns(one),
        localhost(one),
        own_node(one),
        no_nodes(world, one),
        entry(one),
    ]
    .into_iter()
    .flatten()
}

/// One direction is allowed by a rule, which is of no use without the other.
fn half(one: &Judged) -> Option<String> {
    let (egress, ingress) = (&one.verdict.egress, &one.verdict.ingress);
    let by_rule = |decision: Decision, other: &crate::policy::DirectionVerdict| {
        decision == Decision::Denied && other.decision == Decision::Allowed && other.rule.is_some()
    };
    if by_rule(ingress.decision, egress) {
        Some(format!(
            "a connection needs both directions: the egress of {} is allowed, the ingress of {} is not",
            one.source, one.destination
        ))
    } else if by_rule(egress.decision, ingress) {
        Some(format!(
            "a connection needs both directions: the ingress of {} is allowed, the egress of {} is not",
            one.destination, one.source
        ))
    } else {
        None
    }
}

fn dns(one: &Judged) -> Option<String> {
    let question = one.question.as_ref()?;
    if question.port != DNS || one.verdict.decision != Decision::Denied {
        return None;
    }
    match question.protocol {
        Protocol::Udp => {
            Some("this is DNS: until it is allowed, connections by name time out before they begin".to_owned())
        }
        Protocol::Tcp => Some(
            "this is DNS over TCP: answers that do not fit into a UDP packet are asked for again over it".to_owned(),
        ),
        Protocol::Sctp => None,
    }
}

/// What a pod dials there never leaves it.
fn localhost(one: &Judged) -> Option<String> {
    let question = one.question.as_ref()?;
    let to = question.destination.address;
    let is_pod = matches!(question.source.who, Who::Pod(_));
    (is_pod && to.is_loopback()).then(|| {
        format!(
            "at {to} pod {} reaches itself: no policy keeps it from there",
            one.source
        )
    })
}

/// Policies do not apply between a pod and its own node, and which node that is may not be known.
fn own_node(one: &Judged) -> Option<String> {
    let question = one.question.as_ref()?;
    let to = question.destination.address;
    let verdict = &one.verdict;
    if verdict.decision == Decision::Denied && is_link_local(to) {
        return Some(format!(
            "{to} is link-local, on the pod's own node: some CNIs let pods reach their node whatever policies say"
        ));
    }
    let (Who::Pod(pod), Who::Node { .. }) = (&question.source.who, &question.destination.who) else {
        return None;
    };
    let open = verdict.egress.undecidable == Some(Undecidable::PeerUnknown);
    (open && pod.node.is_none()).then(|| {
        format!(
            "pod {} has no nodeName in the objects: if this is its own node, no policy keeps it from there",
            pod.name
        )
    })
}

/// By the address that was dialled a node may stand in for the source.
fn entry(one: &Judged) -> Option<String> {
    (one.verdict.ingress.undecidable == Some(Undecidable::SourceRewritten)).then(|| {
        "only externalTrafficPolicy: Local keeps the source's address on its way in, and what a pod sends to another node is often \
         masqueraded too"
            .to_owned()
    })
}

/// Without Node objects a node is an address like any other, and what is denied may be a pod's own node.
fn no_nodes(world: &World, one: &Judged) -> Option<String> {
    let question = one.question.as_ref()?;
    let ends = [
        (&question.source, &question.destination),
        (&question.destination, &question.source),
    ];
    let (pod, address) = ends.into_iter().find_map(|(pod, other)| match (&pod.who, &other.who) {
        (Who::Pod(pod), Who::External) if is_private(other.address) => Some((pod, other.address)),
        _ => None,
    })?;
    let denied = one.verdict.decision == Decision::Denied;
    (denied && world.endpoints().nodes(question.at).next().is_none()).then(|| {
        format!(
            "no Node is among the objects: if {address} is the node of pod {}, no NetworkPolicy keeps them apart",
            pod.name
        )
    })
}

/// Where nodes' addresses mostly are (RFC 1918, RFC 6598, RFC 4193).
fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => {
            let [first, second, ..] = address.octets();
            address.is_private() || (first == 100 && second & 0xc0 == 64)
        }
        IpAddr::V6(address) => address.is_unique_local(),
    }
}

fn is_link_local(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_link_local() && address.octets() != [169, 254, 169, 254],
        IpAddr::V6(address) => address.is_unicast_link_local(),
    }
}
