//! Services' numbers where the pods' belong: policies see a connection after the Service was translated.

use std::net::IpAddr;

use ipnetwork::IpNetwork;

use super::api_server;
use super::scope::{Scope, all_rules, finding, peers_field};
use super::{Code, Finding, Severity};
use crate::objects::{NetworkPolicy, Peer, Pod, PortMatch, PortRule, Rule, Service, ServicePort, TargetPort};
use crate::policy::Direction;
use crate::policy::matching::in_block;

pub(super) fn lint(scope: &Scope<'_>, policy: &NetworkPolicy, findings: &mut Vec<Finding>) {
    let selected = scope.selected(policy);
    for (direction, rule, field) in all_rules(policy) {
        let destinations = match direction {
            Direction::Ingress => selected.clone(),
            Direction::Egress => rule.peers.iter().flat_map(|peer| scope.peers(policy, peer)).collect(),
        };
        service_ports(scope, policy, &destinations, (rule, &field), findings);
        if direction == Direction::Egress {
            api_server::port(scope, policy, (rule, &field), findings);
        }
        for (index, peer) in rule.peers.iter().enumerate() {
            if let (Direction::Egress, Peer::Block { cidr, except }) = (direction, peer) {
                let field = format!("{field}.{}[{index}].ipBlock.cidr", peers_field(direction));
                cluster_ips(scope, policy, (cidr, except), field, findings);
            }
        }
    }
}

fn service_ports(
    scope: &Scope<'_>,
    policy: &NetworkPolicy,
    destinations: &[&Pod],
    (rule, field): (&Rule, &str),
    findings: &mut Vec<Finding>,
) {
    // A block may be meant by the number as well as the pods.
    if rule.peers.iter().any(|peer| matches!(peer, Peer::Block { .. })) {
        return;
    }
    for (index, port) in rule.ports.iter().enumerate() {
        let Some((service, via, target)) = meant(scope, destinations, port) else {
            continue;
        };
        // Who writes both is covered.
        let both = rule.ports.iter().any(|other| {
            let holds = matches!(other.port, PortMatch::Range(first, last) if first <= target && target <= last);
            other.protocol == port.protocol && holds
        });
        if both {
            continue;
        }
        findings.push(finding(
            policy,
            format!("{field}.ports[{index}].port"),
            (Code::ServicePort, Severity::Warning),
            format!(
                "{} {} is the port of Service {}, which leads to port {target} of its pods: policies see the pods' port, so no connection through the Service matches",
                port.protocol, via.port, service.name
            ),
            format!("write {target}"),
        ));
    }
}

/// The Service whose port was written instead of the pods', if that explains the rule and nothing else does.
fn meant<'a>(scope: &Scope<'a>, destinations: &[&Pod], port: &PortRule) -> Option<(&'a Service, &'a ServicePort, u16)> {
    let PortMatch::Range(number, last) = port.port else {
        return None;
    };
    let listens = destinations.iter().any(|pod| {
        let mut declared = pod.ports.iter();
        declared.any(|has| has.port == number && has.protocol == port.protocol)
    });
    if number != last || listens {
        return None;
    }
    let mut found = None;
    // Pods that neither say what they listen on nor are behind such a Service: the number may be theirs.
    let mut unexplained: Vec<_> = destinations.iter().filter(|pod| pod.ports.is_empty()).collect();
    for service in &scope.objects.services {
        let backends: Vec<_> = destinations.iter().filter(|pod| is_backend(service, pod)).collect();
        if backends.is_empty() {
            continue;
        }
        for via in service.ports.iter().filter(|via| via.protocol == port.protocol) {
            let target = match &via.target {
                TargetPort::Number(target) => Some(*target),
                TargetPort::Name(name) => backends.iter().find_map(|pod| pod.port_named(name, via.protocol)),
            };
            match target {
                // The number is the pods' own after all.
                Some(target) if target == number => return None,
                Some(target) if via.port == number => {
                    unexplained.retain(|pod| !is_backend(service, pod));
                    found = found.or(Some((&**service, via, target)));
                }
                _ => {}
            }
        }
    }
    found.filter(|_| unexplained.is_empty())
}

fn is_backend(service: &Service, pod: &Pod) -> bool {
    service.name.namespace == pod.name.namespace
        && service.selector.as_ref().is_some_and(|wanted| {
            let mut labels = wanted.iter();
            labels.all(|(key, value)| pod.labels.get(key) == Some(value))
        })
}

/// A block that holds Services' addresses and nobody else's.
fn cluster_ips(
    scope: &Scope<'_>,
    policy: &NetworkPolicy,
    (cidr, except): (&IpNetwork, &[IpNetwork]),
    field: String,
    findings: &mut Vec<Finding>,
) {
    let narrow = match cidr {
        IpNetwork::V4(block) => block.prefix() >= 12,
        IpNetwork::V6(block) => block.prefix() >= 64,
    };
    let holds = |address: &IpAddr| in_block(*address, cidr, except);
    let pods = scope.objects.pods.iter().flat_map(|pod| &pod.addresses);
    let nodes = scope.objects.nodes.iter().flat_map(|node| &node.addresses);
    let outside = scope.objects.services.iter().flat_map(|service| &service.external_ips);
    if !narrow || pods.chain(nodes).chain(outside).any(holds) {
        return;
    }
    let services = &scope.objects.services;
    let hit = services.iter().find_map(|service| {
        let address = service.cluster_ips.iter().find(|address| holds(address))?;
        Some((service, address))
    });
    let Some((service, address)) = hit else {
        api_server::perhaps(scope, policy, cidr, field, findings);
        return;
    };
    findings.push(finding(
        policy,
        field,
        (Code::ClusterIpBlock, Severity::Warning),
        format!(
            "{cidr} holds {address}, the cluster IP of Service {}, and the address of no pod and no node: policies see the address behind the Service, so this peer does not allow it",
            service.name
        ),
        if api_server::is_it(service) {
            api_server::INSTEAD
        } else {
            "select the Service's pods instead, and their port"
        },
    ));
}
