//! One test per sentence of the specifications that is a rule of evaluation, named after it in our own words; at the end of
//! each file the sentences that are none, with the reason.
//!
//! A case is the objects that it adds, as one would write them, and what must then be said:
//!
//! ```text
//! policy NAMESPACE/NAME: SPEC    a NetworkPolicy            SPEC is YAML in one line
//! cluster NAME: SPEC             a ClusterNetworkPolicy
//! ```
//!
//! The objects are read as manifests are, so that defaults and refusals are tested with the rest.

mod cluster_network_policy;
mod network_policy;
mod network_policy_concepts;
mod network_policy_peers;

use std::fmt::Write as _;

use super::cluster_text::node;
use super::fixtures::{Cluster, container_port};
use crate::cluster::read_manifest;
use crate::objects::Protocol;
use crate::time::Time;

/// Two namespaces, `x` (team=red) and `z` (team=blue); a pod `a` in both, `b` in `x` and a hostNetwork pod in `y`; two nodes,
/// with the pods of `x` and the hostNetwork pod on the first. The port 8080 of `x/b` is called `web` for TCP, 5353 `web` for
/// UDP; `z/a` calls 9090 so.
fn cluster() -> Cluster {
    let mut cluster = Cluster::new()
        .namespace("x", "team=red")
        .namespace("z", "team=blue")
        .pod("x/a", "app=a")
        .pod_with("x/b", "app=b", |pod| {
            pod.ports = vec![
                container_port("web", 8080, Protocol::Tcp),
                container_port("web", 5353, Protocol::Udp),
            ];
        })
        .pod_with("z/a", "app=a", |pod| {
            pod.node = Some("n2".into());
            pod.ports = vec![container_port("web", 9090, Protocol::Tcp)];
        })
        .pod_with("z/host", "app=a", |pod| pod.host_network = true);
    for (name, labels, addresses) in [
        ("n1", "role=worker", ["192.168.0.1", "fd99::1"]),
        ("n2", "role=infra", ["192.168.0.2", "fd99::2"]),
    ] {
        cluster.set(node(name, labels, &addresses), Time::BEGINNING);
    }
    cluster
}

fn manifest(objects: &str) -> String {
    let mut all = String::new();
    for line in objects.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (head, spec) = line.split_once(": ").expect("an object and its spec");
        let (kind, name) = head.split_once(' ').expect("a kind and a name");
        let head = match (kind, name.split_once('/')) {
            ("policy", Some((namespace, name))) => format!(
                "apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {{namespace: {namespace}, name: {name}}}"
            ),
            ("cluster", None) => format!(
                "apiVersion: policy.networking.k8s.io/v1alpha2, kind: ClusterNetworkPolicy, metadata: {{name: {name}}}"
            ),
            other => panic!("{other:?}"),
        };
        let _ = writeln!(all, "---\n{{{head}, spec: {spec}}}");
    }
    all
}

/// [`cluster`] with these objects.
#[track_caller]
fn with(objects: &str) -> Cluster {
    let read = read_manifest(manifest(objects).as_bytes()).unwrap_or_else(|errors| panic!("{errors}\n{objects}"));
    let mut cluster = cluster();
    for object in read {
        cluster.set(object, Time::BEGINNING);
    }
    cluster
}

/// With these objects, the answers are as [`Cluster::check`] reads them; or `refused: WHY`.
#[track_caller]
fn check(objects: &str, expected: &str) {
    match expected.strip_prefix("refused: ") {
        None => with(objects).check(expected),
        Some(why) => {
            let errors = read_manifest(manifest(objects).as_bytes()).expect_err("the API server refuses it");
            assert!(errors.to_string().contains(why), "{errors}");
        }
    }
}

/// `the_sentence: objects => answers;`
macro_rules! sentences {
    ($($sentence:ident: $objects:literal => $answers:literal;)*) => {$(
        #[test]
        fn $sentence() {
            super::check($objects, $answers);
        }
    )*};
}
use sentences;
