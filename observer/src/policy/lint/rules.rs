//! The same twice, and rules that another rule covers.

use ipnetwork::IpNetwork;

use super::scope::{Scope, all_rules, finding, peers_field};
use super::{Code, Finding, Severity};
use crate::objects::{NetworkPolicy, Peer, PortMatch, PortRule, Rule, Selector};
use crate::policy::Direction;

pub(super) fn lint(policy: &NetworkPolicy, findings: &mut Vec<Finding>) {
    for (direction, rule, field) in all_rules(policy) {
        let peers = format!("{field}.{}", peers_field(direction));
        twice(policy, &rule.peers, &peers, "peer", findings);
        twice(policy, &rule.ports, &format!("{field}.ports"), "port", findings);
    }
    for direction in [Direction::Ingress, Direction::Egress] {
        let rules: Vec<_> = all_rules(policy).filter(|(of, ..)| *of == direction).collect();
        for (at, (_, rule, field)) in rules.iter().enumerate() {
            let others = rules.iter().enumerate().filter(|(other, _)| *other != at);
            // Of equal rules the later one is told.
            let cover = others
                .filter(|(other, (_, by, _))| covers(by, rule) && (*other < at || !covers(rule, by)))
                .map(|(other, (_, by, _))| (other, *by == *rule))
                .min_by_key(|(other, equal)| (!equal, *other));
            let Some((other, equal)) = cover else { continue };
            findings.push(if equal {
                finding(
                    policy,
                    field.clone(),
                    (Code::Duplicate, Severity::Warning),
                    format!("{direction} rule {} is {direction} rule {} again", at + 1, other + 1),
                    "remove one, or correct the one that was to be different",
                )
            } else {
                finding(
                    policy,
                    field.clone(),
                    (Code::Shadowed, Severity::Warning),
                    format!(
                        "{direction} rule {} allows all that rule {} allows: rules only ever add, so rule {} changes nothing",
                        other + 1,
                        at + 1,
                        at + 1
                    ),
                    "remove the narrower rule, or narrow the wider one",
                )
            });
        }
    }
}

/// Policies that say the same of the same pods.
pub(super) fn lint_policies(scope: &Scope<'_>, findings: &mut Vec<Finding>) {
    for policy in &scope.policies {
        let mut earlier = scope.policies_in(&policy.name.namespace).iter();
        let Some(first) = earlier.find(|other| other.name < policy.name && says_the_same(other, policy)) else {
            continue;
        };
        findings.push(finding(
            policy,
            "metadata.name",
            (Code::Duplicate, Severity::Warning),
            format!("this policy says what {} says, of the same pods", first.name),
            "remove one, or correct the one that was to be different",
        ));
    }
}

pub(super) fn says_the_same(a: &NetworkPolicy, b: &NetworkPolicy) -> bool {
    a.pod_selector == b.pod_selector
        && (a.isolates_ingress, a.isolates_egress) == (b.isolates_ingress, b.isolates_egress)
        && (&a.ingress, &a.egress) == (&b.ingress, &b.egress)
}

fn twice<T: PartialEq>(policy: &NetworkPolicy, list: &[T], field: &str, what: &str, findings: &mut Vec<Finding>) {
    for (at, one) in list.iter().enumerate() {
        if let Some(first) = list[..at].iter().position(|other| other == one) {
            findings.push(finding(
                policy,
                format!("{field}[{at}]"),
                (Code::Duplicate, Severity::Warning),
                format!("{what} {} is {what} {} again", at + 1, first + 1),
                "remove one, or correct the one that was to be different",
            ));
        }
    }
}

/// Whether everything that `narrow` allows, `wide` allows too, whatever the pods are.
pub(super) fn covers(wide: &Rule, narrow: &Rule) -> bool {
    let peers = wide.peers.is_empty()
        || !narrow.peers.is_empty()
            && narrow
                .peers
                .iter()
                .all(|peer| wide.peers.iter().any(|by| covers_peer(by, peer)));
    let ports = wide.ports.is_empty()
        || !narrow.ports.is_empty()
            && narrow
                .ports
                .iter()
                .all(|port| wide.ports.iter().any(|by| covers_port(by, port)));
    peers && ports
}

fn covers_peer(wide: &Peer, narrow: &Peer) -> bool {
    match (wide, narrow) {
        (
            Peer::Pods {
                namespaces: wide_namespaces,
                pods: wide_pods,
            },
            Peer::Pods { namespaces, pods },
        ) => {
            let inside = match (wide_namespaces, namespaces) {
                (None, None) => true,
                (Some(wide), Some(narrow)) => demands_less(wide, narrow),
                // Every namespace holds the policy's own.
                (Some(wide), None) => wide.requirements.is_empty(),
                (None, Some(_)) => false,
            };
            let chosen = match (wide_pods, pods) {
                (None, _) => true,
                (Some(wide), Some(narrow)) => demands_less(wide, narrow),
                (Some(wide), None) => wide.requirements.is_empty(),
            };
            inside && chosen
        }
        (
            Peer::Block { cidr, except },
            Peer::Block {
                cidr: narrow,
                except: holes,
            },
        ) => {
            let kept = |hole: &IpNetwork| !meets(hole, narrow) || holes.iter().any(|other| holds(other, hole));
            holds(cidr, narrow) && except.iter().all(kept)
        }
        _ => false,
    }
}

/// Whether whatever meets `narrow` meets `wide`: each demand of the latter is one of the former.
pub(super) fn demands_less(wide: &Selector, narrow: &Selector) -> bool {
    wide.requirements
        .iter()
        .all(|demand| narrow.requirements.contains(demand))
}

fn holds(wide: &IpNetwork, narrow: &IpNetwork) -> bool {
    match (wide, narrow) {
        (IpNetwork::V4(wide), IpNetwork::V4(narrow)) => {
            wide.prefix() <= narrow.prefix() && wide.contains(narrow.network())
        }
        (IpNetwork::V6(wide), IpNetwork::V6(narrow)) => {
            wide.prefix() <= narrow.prefix() && wide.contains(narrow.network())
        }
        _ => false,
    }
}

fn meets(a: &IpNetwork, b: &IpNetwork) -> bool {
    holds(a, b) || holds(b, a)
}

fn covers_port(wide: &PortRule, narrow: &PortRule) -> bool {
    wide.protocol == narrow.protocol
        && match (&wide.port, &narrow.port) {
            (PortMatch::Any, _) => true,
            (PortMatch::Range(first, last), PortMatch::Range(from, to)) => first <= from && to <= last,
            (wide, narrow) => wide == narrow,
        }
}
