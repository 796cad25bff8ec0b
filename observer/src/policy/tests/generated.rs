//! Generated pods and policies, in words, and as objects.

use std::sync::Arc;

use proptest::prelude::*;
use proptest::sample::{select, subsequence};

use super::fixtures::{Cluster, container_port, egress, ingress, namespace, rule};
use crate::objects::{NetworkPolicy, Object, Protocol, Rule};

pub(super) const LABELS: [&str; 6] = ["", "a=x", "a=y", "a=x,b=x", "a=,b=y", "b=x"];
pub(super) const SELECTORS: [&str; 14] = [
    "",
    "",
    "a=x",
    "a=x",
    "a=y",
    "b=x",
    "a=",
    "a=x, b=x",
    "a in (x y)",
    "a notin (x)",
    "b notin (x y), a",
    "a",
    "!b",
    "!a, b notin (y)",
];
pub(super) const NAMESPACES: [&str; 3] = ["n", "m", "gone"];
const BLOCKS: [&str; 8] = [
    "0.0.0.0/0",
    "::/0",
    "10.0.0.2/31",
    "10.0.0.9/8 except 10.0.0.2/32",
    "192.168.0.0/16",
    "1.2.0.0/15 except 1.2.3.0/24 except 1.3.0.0/16",
    "fd00::2/127",
    "2001:db8::/32 except 2001:db8:1::/48",
];
const PORTS: [&str; 10] = [
    "TCP",
    "TCP 80",
    "TCP 79-81",
    "TCP 81-90",
    "UDP 80",
    "UDP",
    "SCTP",
    "TCP http",
    "UDP http",
    "TCP other",
];

/// A policy in words.
#[derive(Clone, Debug)]
pub(super) struct PolicyText {
    pub(super) of: String,
    pods: &'static str,
    ingress: Option<Vec<RuleText>>,
    egress: Option<Vec<RuleText>>,
}

/// A rule in words: peers, ports.
type RuleText = (Vec<String>, Vec<&'static str>);

/// Labels, which container ports, and on which node a pod is, if any.
pub(super) type PodText = (&'static str, usize, Option<&'static str>);

fn peers() -> impl Strategy<Value = String> {
    let namespaces = select(&[
        "ns",
        "ns a=x",
        "ns a",
        "ns !a",
        "ns a notin (x), b notin (y)",
        "ns kubernetes.io/metadata.name=gone",
        "ns kubernetes.io/metadata.name in (n m)",
    ]);
    prop_oneof![
        select(&SELECTORS).prop_map(|pods| format!("pods {pods}")),
        namespaces.clone().prop_map(String::from),
        (namespaces, select(&SELECTORS)).prop_map(|(namespace, pods)| format!("{namespace} / pods {pods}")),
        select(&BLOCKS).prop_map(|block| format!("block {block}")),
    ]
}

fn rules() -> impl Strategy<Value = Option<Vec<RuleText>>> {
    let ports = subsequence(PORTS.to_vec(), 0..3);
    let rule = (prop::collection::vec(peers(), 0..3), ports);
    prop_oneof![
        1 => Just(None),
        3 => prop::collection::vec(rule, 0..3).prop_map(Some),
    ]
}

pub(super) fn policies(most: usize) -> impl Strategy<Value = Vec<PolicyText>> {
    let policy = (select(&NAMESPACES), select(&SELECTORS), rules(), rules(), 0..4_u8);
    let policy = policy.prop_map(|(namespace, pods, ingress, egress, number)| PolicyText {
        of: format!("{namespace}/p{number}"),
        pods,
        ingress,
        egress,
    });
    prop::collection::vec(policy, 0..=most)
}

pub(super) fn pods() -> impl Strategy<Value = Vec<PodText>> {
    let node = select(&[Some("n1"), Some("n1"), Some("n2"), None]);
    prop::collection::vec((select(&LABELS), 0..4_usize, node), 6)
}

impl PolicyText {
    pub(super) fn policy(&self) -> NetworkPolicy {
        let read = |rules: &Option<Vec<RuleText>>| -> Vec<Rule> {
            let rules = rules.iter().flatten();
            rules
                .map(|(peers, ports)| rule(&peers.iter().map(String::as_str).collect::<Vec<_>>(), ports))
                .collect()
        };
        let (into, out) = (read(&self.ingress), read(&self.egress));
        NetworkPolicy {
            isolates_egress: self.egress.is_some(),
            isolates_ingress: self.ingress.is_some(),
            egress: out.clone(),
            ..match self.ingress {
                Some(_) => ingress(&self.of, self.pods, &into),
                None => egress(&self.of, self.pods, &out),
            }
        }
    }
}

/// Pods `n/0` to `gone/2`; the last is a hostNetwork pod, a candidate on its node.
pub(super) fn cluster(pods: &[PodText], namespace_labels: &[&str]) -> Cluster {
    let mut cluster = Cluster::new();
    for (name, labels) in NAMESPACES.iter().zip(namespace_labels) {
        cluster = cluster.namespace(name, labels);
    }
    for (index, (labels, ports, node)) in pods.iter().enumerate() {
        let of = format!("{}/{index}", NAMESPACES[index % 3]);
        cluster = cluster.pod_with(&of, labels, |pod| {
            pod.node = node.map(Into::into);
            pod.host_network = index == 5;
            pod.ports = [
                container_port("http", 80, Protocol::Tcp),
                container_port("http", 80, Protocol::Udp),
                container_port("other", 8080, Protocol::Tcp),
            ]
            .into_iter()
            .take(*ports)
            .collect();
        });
    }
    cluster
}

prop_compose! {
    /// Everything of a generated cluster: six pods, two namespaces and a few policies.
    pub(crate) fn objects()(policies in policies(3), pods in pods(), n in select(&LABELS)) -> Vec<Object> {
        let pods = cluster(&pods, &[]).pods.into_iter().map(Object::Pod);
        let namespaces = [namespace("n", n), namespace("m", "b=x")];
        let policies = newest(&policies).into_iter();
        // One that isolates nothing cannot be written: the API server would let it isolate ingress.
        let policies = policies
            .filter(|policy| policy.isolates_ingress || policy.isolates_egress)
            .map(Object::NetworkPolicy);
        namespaces.into_iter().chain(pods).chain(policies).collect()
    }
}

/// Later policies of the same name replace earlier ones.
pub(super) fn newest(policies: &[PolicyText]) -> Vec<Arc<NetworkPolicy>> {
    let mut all: Vec<Arc<NetworkPolicy>> = Vec::new();
    for policy in policies {
        let policy = policy.policy();
        all.retain(|other| other.name != policy.name);
        all.push(Arc::new(policy));
    }
    all
}
