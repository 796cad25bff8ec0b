//! The API server, which pods reach by a Service, and policies see as its nodes.

use ipnetwork::IpNetwork;

use super::scope::{Scope, finding};
use super::{Code, Finding, Severity};
use crate::objects::{NetworkPolicy, Peer, PortMatch, Protocol, Rule, Service, TargetPort};

/// The cluster IPs of the API server's Service where nobody chose another range: kubeadm and kind, k3s, EKS, OpenShift, MicroK8s.
/// Manifests that people write never hold that Service.
const USUAL: [[u8; 4]; 6] = [
    [10, 96, 0, 1],
    [10, 43, 0, 1],
    [10, 100, 0, 1],
    [172, 20, 0, 1],
    [172, 30, 0, 1],
    [10, 152, 183, 1],
];

/// Labels of the nodes on which the API server runs.
const CONTROL_PLANE: [&str; 2] = [
    "node-role.kubernetes.io/control-plane",
    "node-role.kubernetes.io/master",
];

/// What to write for the API server's cluster IP.
pub(super) const INSTEAD: &str =
    "write the addresses of the API server's nodes, and the port that it listens on there (6443 as a rule)";

/// A block for one address alone that is the API server's cluster IP in most clusters, where it is not known what it is here.
pub(super) fn perhaps(
    scope: &Scope<'_>,
    policy: &NetworkPolicy,
    cidr: &IpNetwork,
    field: String,
    findings: &mut Vec<Finding>,
) {
    let is_known = scope.objects.services.iter().any(|service| is_it(service));
    let IpNetwork::V4(block) = cidr else { return };
    if is_known || block.prefix() != 32 || !USUAL.contains(&block.ip().octets()) {
        return;
    }
    findings.push(finding(
        policy,
        field,
        (Code::ClusterIpBlock, Severity::Note),
        format!(
            "{} is the API server's cluster IP in many clusters: policies see the address behind that Service, so this peer would not allow it",
            block.ip()
        ),
        INSTEAD,
    ));
}

/// Whether a Service is the one that every cluster has for its API server.
pub(super) fn is_it(service: &Service) -> bool {
    &*service.name.namespace == "default" && &*service.name.name == "kubernetes"
}

/// The port of the API server's Service beside the addresses of its nodes, where it listens on another.
pub(super) fn port(
    scope: &Scope<'_>,
    policy: &NetworkPolicy,
    (rule, field): (&Rule, &str),
    findings: &mut Vec<Finding>,
) {
    let mut services = scope.objects.services.iter();
    let Some(service) = services.find(|service| is_it(service)) else {
        return;
    };
    let mut ports = service.ports.iter();
    let Some((number, target)) = ports.find_map(|port| match port.target {
        TargetPort::Number(target) if target != port.port => Some((port.port, target)),
        _ => None,
    }) else {
        return;
    };
    let is_its_node = |peer: &Peer| {
        matches!(peer, Peer::Block { cidr, .. } if scope.objects.nodes.iter().any(|node| {
            let of_the_api = CONTROL_PLANE.iter().any(|label| node.labels.get(label).is_some());
            of_the_api && node.addresses.iter().any(|address| IpNetwork::from(*address) == *cidr)
        }))
    };
    let tcp = |wanted: u16| {
        rule.ports.iter().position(|port| {
            port.protocol == Protocol::Tcp
                && match port.port {
                    PortMatch::Any => true,
                    PortMatch::Range(first, last) => (first..=last).contains(&wanted),
                    PortMatch::Name(_) => false,
                }
        })
    };
    let (Some(at), None) = (tcp(number), tcp(target)) else {
        return;
    };
    if rule.peers.is_empty() || !rule.peers.iter().all(is_its_node) {
        return;
    }
    findings.push(finding(
        policy,
        format!("{field}.ports[{at}].port"),
        (Code::ServicePort, Severity::Warning),
        format!(
            "TCP {number} is the port of Service {}, which leads to port {target} of these nodes: policies see the latter, so no connection to the API server matches",
            service.name
        ),
        format!("write {target}"),
    ));
}
