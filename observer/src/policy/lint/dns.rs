//! Pods that may go out, but may not ask DNS where to.

use super::scope::{Scope, finding, rules};
use super::{Code, Finding, Severity};
use crate::objects::{Labels, NetworkPolicy, Peer, Pod, PortMatch, PortRule, Protocol, Rule, Str};
use crate::policy::Direction;
use crate::policy::closeness::Seen;

/// The port of DNS, and the one that the DNS pods of OpenShift listen on.
const PORTS: [u16; 2] = [53, 5353];

/// Where DNS pods are, and how they are labelled, by kubeadm and most distributions.
const NAMESPACE: &str = "kube-system";
const LABEL: (&str, &str) = ("k8s-app", "kube-dns");

pub(super) fn lint(scope: &Scope<'_>, findings: &mut Vec<Finding>) {
    for policy in &scope.policies {
        let mine = rules(policy, Direction::Egress);
        let Some(at) = mine.iter().position(needs_names) else {
            continue;
        };
        // Policies add up: what any other one gives the same pods counts.
        let helpers: Vec<&NetworkPolicy> = others(scope, policy);
        let asks = |protocol| {
            let all = || helpers.iter().copied().chain([*policy]);
            all().any(|of| {
                rules(of, Direction::Egress)
                    .iter()
                    .any(|rule| reaches_dns(scope, of, rule, protocol))
            })
        };
        let field = format!("spec.egress[{at}]");
        match (asks(Protocol::Udp), asks(Protocol::Tcp)) {
            (true, true) => {}
            (true, false) => findings.push(finding(
                policy,
                "spec.egress",
                (Code::DnsWithoutTcp, Severity::Note),
                "DNS is allowed over UDP and not over TCP: answers that do not fit into a packet are asked for again over TCP, and time out",
                "allow TCP 53 beside UDP 53",
            )),
            (false, tcp) => findings.push(finding(
                policy,
                astray(policy).unwrap_or(field),
                (Code::NoDns, Severity::Warning),
                if astray(policy).is_some() && !tcp {
                    "port 53 is allowed here, but not to the cluster's DNS, which is in another namespace or has other labels: connections by name time out before they begin"
                } else if tcp {
                    "the selected pods may ask DNS over TCP only, and resolvers ask over UDP first: names are not resolved"
                } else {
                    "the selected pods may connect to other pods but not ask the cluster's DNS for their names: connections by name time out before they begin"
                },
                "allow UDP 53 and TCP 53 to pods k8s-app=kube-dns of namespace kube-system",
            )),
        }
    }
}

/// The peers of a rule that is for DNS over UDP, and leads elsewhere.
fn astray(policy: &NetworkPolicy) -> Option<String> {
    let of_dns = |port: &PortRule| port.protocol == Protocol::Udp && is_dns(port) && port.port != PortMatch::Any;
    let at = rules(policy, Direction::Egress)
        .iter()
        .position(|rule| !rule.peers.is_empty() && rule.ports.iter().any(of_dns))?;
    Some(format!("spec.egress[{at}].to"))
}

/// Whether a rule is for pods, which are found by the names of their Services, or for DNS itself.
fn needs_names(rule: &Rule) -> bool {
    let for_pods = rule.peers.iter().any(|peer| matches!(peer, Peer::Pods { .. }));
    for_pods
        || rule
            .ports
            .iter()
            .any(|port| port.port == PortMatch::Range(PORTS[0], PORTS[0]))
}

/// The other policies that isolate all pods that `policy` selects, or, as far as pods are known, any of them.
fn others<'a>(scope: &Scope<'a>, policy: &NetworkPolicy) -> Vec<&'a NetworkPolicy> {
    let selected = scope.selected(policy);
    let may_select = |other: &NetworkPolicy| {
        if selected.is_empty() {
            // Without pods: whatever is not plainly for others.
            let given: Labels = policy
                .pod_selector
                .requirements
                .iter()
                .filter_map(|wanted| match &wanted.operator {
                    crate::objects::Operator::In(values) => Some((wanted.key.clone(), values.first()?.clone())),
                    _ => None,
                })
                .collect();
            let mut demands = other.pod_selector.requirements.iter();
            return demands.all(|demand| given.get(&demand.key).is_none() || demand.matches(&given));
        }
        selected.iter().any(|pod| other.pod_selector.matches(&pod.labels))
    };
    scope
        .policies_in(&policy.name.namespace)
        .iter()
        .copied()
        .filter(|other| other.name != policy.name)
        .filter(|other| may_select(other))
        .collect()
}

fn reaches_dns(scope: &Scope<'_>, policy: &NetworkPolicy, rule: &Rule, protocol: Protocol) -> bool {
    let mut named = false;
    let port = rule.ports.is_empty()
        || rule.ports.iter().filter(|port| port.protocol == protocol).any(|port| {
            named |= is_dns(port) && port.port != PortMatch::Any;
            is_dns(port)
        });
    if !port {
        return false;
    }
    rule.peers.is_empty()
        || rule.peers.iter().any(|peer| match peer {
            // A resolver outside, on the node, or a cache: whoever names the port knows where it is.
            Peer::Block { cidr, .. } => named || cidr.prefix() == 0,
            Peer::Pods { namespaces, pods } => {
                let known: Vec<&Pod> = dns_pods(scope).collect();
                if !known.is_empty() {
                    return known.iter().any(|pod| scope.is_peer(policy, peer, pod))
                        || named && is_other_dns(scope, policy, peer);
                }
                let namespace = Str::from(NAMESPACE);
                let labels: Labels = [LABEL].into_iter().collect();
                let there = match namespaces {
                    None => *policy.name.namespace == *NAMESPACE,
                    // Labels that nobody read may be there: who names the port means it.
                    Some(selector) => named || Seen::of_namespace(&namespace, None).are_selected(selector),
                };
                there && pods.as_ref().is_none_or(|selector| named || selector.matches(&labels))
            }
        })
}

fn dns_pods<'a>(scope: &'a Scope<'_>) -> impl Iterator<Item = &'a Pod> {
    let there = scope.pods_in(&Str::from(NAMESPACE)).iter().copied();
    there.filter(|pod| pod.labels.get(LABEL.0).is_some_and(|value| **value == *LABEL.1))
}

/// Whether a peer is a resolver beside the cluster's own: some pod that it selects serves DNS.
fn is_other_dns(scope: &Scope<'_>, policy: &NetworkPolicy, peer: &Peer) -> bool {
    scope
        .objects
        .pods
        .iter()
        .filter(|pod| scope.is_peer(policy, peer, pod))
        .any(|pod| pod.ports.iter().any(|port| PORTS.contains(&port.port)))
}

fn is_dns(port: &PortRule) -> bool {
    match &port.port {
        PortMatch::Any => true,
        PortMatch::Range(first, last) => PORTS.iter().any(|port| first <= port && port <= last),
        PortMatch::Name(name) => name.starts_with("dns"),
    }
}
