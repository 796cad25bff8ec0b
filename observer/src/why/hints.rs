//! What an answer means beyond its two directions, for who has to act on it.

use std::net::IpAddr;

use super::ask::Judged;
use crate::objects::Protocol;
use crate::policy::{Decision, Undecidable, Who};

/// The port of DNS.
const DNS: u16 = 53;

/// The clauses that an answer for one source and one destination wants.
pub(super) fn hints(one: &Judged) -> impl Iterator<Item = String> {
    [half(one), dns(one), localhost(one), own_node(one)]
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

fn is_link_local(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_link_local() && address.octets() != [169, 254, 169, 254],
        IpAddr::V6(address) => address.is_unicast_link_local(),
    }
}
