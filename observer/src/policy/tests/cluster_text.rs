//! Cluster-wide policies and nodes from short strings.

use std::sync::Arc;

use super::fixtures::{labels, peer, port, selector};
use crate::objects::{
    Action, ClusterPeer, ClusterPolicy, ClusterPolicyKind, ClusterPort, ClusterRule, Node, Object, Peer, PodSet,
    PortMatch, Tier,
};

/// As [`peer`] reads it; and `nodes S`, `domain NAME`.
fn cluster_peer(text: &str) -> ClusterPeer {
    if let Some(nodes) = text.strip_prefix("nodes") {
        return ClusterPeer::Nodes(selector(nodes.trim_start()));
    }
    if let Some(name) = text.strip_prefix("domain ") {
        return ClusterPeer::Domains(vec![name.into()]);
    }
    match peer(text) {
        Peer::Block { cidr, .. } => ClusterPeer::Networks(vec![cidr]),
        Peer::Pods { namespaces, pods } => ClusterPeer::Pods(PodSet {
            namespaces: namespaces.unwrap_or_default(),
            pods: pods.unwrap_or_default(),
        }),
    }
}

/// As [`port`] reads it; and `named NAME`.
fn cluster_port(text: &str) -> ClusterPort {
    if let Some(name) = text.strip_prefix("named ") {
        return ClusterPort::Named(name.into());
    }
    let rule = port(text);
    match rule.port {
        PortMatch::Any => ClusterPort::All(rule.protocol),
        PortMatch::Range(first, last) => ClusterPort::Range(rule.protocol, first, last),
        PortMatch::Name(name) => ClusterPort::Named(name),
    }
}

pub(crate) fn action(action: Action, peers: &[&str], ports: &[&str]) -> ClusterRule {
    ClusterRule {
        name: None,
        action,
        peers: peers.iter().copied().map(cluster_peer).collect(),
        ports: ports.iter().copied().map(cluster_port).collect(),
        fails_closed: false,
    }
}

pub(crate) fn accept(peers: &[&str], ports: &[&str]) -> ClusterRule {
    action(Action::Accept, peers, ports)
}

pub(crate) fn deny(peers: &[&str], ports: &[&str]) -> ClusterRule {
    action(Action::Deny, peers, ports)
}

pub(crate) fn pass(peers: &[&str], ports: &[&str]) -> ClusterRule {
    action(Action::Pass, peers, ports)
}

/// `Admin 10 name`, `Baseline 3 name`; `Baseline - default` is a BaselineAdminNetworkPolicy.
pub(crate) fn cluster_policy(
    head: &str,
    subject: &str,
    ingress: &[ClusterRule],
    egress: &[ClusterRule],
) -> ClusterPolicy {
    let words: Vec<&str> = head.split(' ').collect();
    let [tier, priority, name] = words[..] else {
        panic!("{head}")
    };
    let priority = (priority != "-").then(|| priority.parse().expect("a priority"));
    let ClusterPeer::Pods(subject) = cluster_peer(subject) else {
        panic!("{subject}")
    };
    ClusterPolicy {
        kind: match priority {
            Some(_) => ClusterPolicyKind::Cluster,
            None => ClusterPolicyKind::Baseline,
        },
        name: name.into(),
        created: None,
        tier: match tier {
            "Admin" => Tier::Admin,
            "Baseline" => Tier::Baseline,
            other => panic!("{other}"),
        },
        priority,
        subject,
        ingress: ingress.to_vec(),
        egress: egress.to_vec(),
        source: None,
    }
}

pub(crate) fn node(name: &str, text: &str, addresses: &[&str]) -> Object {
    Object::Node(Arc::new(Node {
        name: name.into(),
        labels: labels(text),
        addresses: addresses
            .iter()
            .map(|address| address.parse().expect("an address"))
            .collect(),
        pod_cidrs: Vec::new(),
    }))
}
