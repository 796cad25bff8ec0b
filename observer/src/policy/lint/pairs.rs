//! A connection needs both: the egress of its source and the ingress of its destination. Here one allows what the other
//! never does.

use super::scope::{Scope, all_rules, finding, peers_field, range, rules};
use super::{Code, Finding, Severity};
use crate::objects::{NetworkPolicy, Peer, Pod, PortRule, Protocol, Rule};
use crate::policy::Direction;

/// A peer of more kinds of pods than this means nobody in particular, and need not be answered by any of them. It also bounds
/// how many pairs are asked about.
const MANY: usize = 100;

/// Protocol, first and last port.
type Ports = Vec<(Protocol, u16, u16)>;

pub(super) fn lint(scope: &Scope<'_>, policy: &NetworkPolicy, findings: &mut Vec<Finding>) {
    let own = scope.selected(policy);
    for (direction, rule, field) in all_rules(policy) {
        for (index, peer) in rule.peers.iter().enumerate() {
            // A rule for a block says nothing of pods in particular.
            if !matches!(peer, Peer::Pods { .. }) {
                continue;
            }
            let peers = scope.peers(policy, peer);
            if peers.len() > MANY {
                continue;
            }
            let field = format!("{field}.{}[{index}]", peers_field(direction));
            if let Some(found) = unanswered(scope, policy, (direction, rule), (&own, &peers), field) {
                findings.push(found);
            }
        }
    }
}

/// A finding where no pair of the pods gets through on any of the rule's ports, for want of the other direction.
fn unanswered(
    scope: &Scope<'_>,
    policy: &NetworkPolicy,
    (direction, rule): (Direction, &Rule),
    (own, peers): (&[&Pod], &[&Pod]),
    field: String,
) -> Option<Finding> {
    let other = match direction {
        Direction::Ingress => Direction::Egress,
        Direction::Egress => Direction::Ingress,
    };
    let mut refused: Option<(&Pod, &Pod)> = None;
    for own in own {
        for peer in peers {
            let destination = if direction == Direction::Egress { peer } else { own };
            let ports = resolved(&rule.ports, destination);
            let same = own.name == peer.name;
            // A named port that the pod does not have is no pair at all.
            if ports.is_empty() || same {
                continue;
            }
            let doubtful = scope.is_foreign(&peer.name.namespace) || scope.is_foreign(&own.name.namespace);
            if doubtful || lets_through(scope, (other, peer, own), destination, &ports) {
                return None;
            }
            refused.get_or_insert((own, peer));
        }
    }
    let (own, peer) = refused?;
    let by = scope.isolating(peer, other).next()?;
    Some(match direction {
        Direction::Egress => finding(
            policy,
            field,
            (Code::EgressWithoutIngress, Severity::Warning),
            format!(
                "pod {} may go out to pod {}, which does not let it in: {} isolates its ingress and no rule allows this",
                own.name, peer.name, by.name
            ),
            format!("add an ingress rule to {}, or remove this peer", by.name),
        ),
        Direction::Ingress => finding(
            policy,
            field,
            (Code::IngressWithoutEgress, Severity::Warning),
            format!(
                "pod {} lets in pod {}, which may not go out to it: {} isolates its egress and no rule allows this",
                own.name, peer.name, by.name
            ),
            format!("add an egress rule to {}, or remove this peer", by.name),
        ),
    })
}

/// Whether the policies of `pod` allow `with` in a direction, on any of the ports.
fn lets_through<'a>(
    scope: &Scope<'a>,
    (direction, pod, with): (Direction, &'a Pod, &'a Pod),
    destination: &Pod,
    ports: &Ports,
) -> bool {
    let mut isolated = false;
    for policy in scope.isolating(pod, direction) {
        isolated = true;
        for rule in rules(policy, direction) {
            let peers = rule.peers.is_empty() || rule.peers.iter().any(|peer| scope.is_peer(policy, peer, with));
            let meets = |(protocol, first, last): &(Protocol, u16, u16)| {
                let mut wanted = ports.iter();
                wanted.any(|(of, from, to)| of == protocol && first <= to && from <= last)
            };
            if peers && resolved(&rule.ports, destination).iter().any(meets) {
                return true;
            }
        }
    }
    !isolated
}

fn resolved(ports: &[PortRule], destination: &Pod) -> Ports {
    if ports.is_empty() {
        return [Protocol::Tcp, Protocol::Udp, Protocol::Sctp]
            .map(|protocol| (protocol, 0, u16::MAX))
            .to_vec();
    }
    ports.iter().filter_map(|port| range(port, destination)).collect()
}
