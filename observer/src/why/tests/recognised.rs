//! Mistakes that are made again and again, each recognised and said in words.

use super::{answer, read};
use crate::why::text;

/// A shop that may ask DNS over UDP, the API server by its Service, and a database by its Service's port; a database that lets
/// in namespaces by a label that nobody gave.
const CLUSTER: &str = r#"---
{apiVersion: v1, kind: Namespace, metadata: {name: shop, labels: {team: front}}}
---
{apiVersion: v1, kind: Namespace, metadata: {name: data}}
---
{apiVersion: v1, kind: Namespace, metadata: {name: kube-system}}
---
{apiVersion: v1, kind: Node, metadata: {name: n1}, status: {addresses: [{type: InternalIP, address: 192.168.1.10}]}}
---
{apiVersion: v1, kind: Node, metadata: {name: n2}, status: {addresses: [{type: InternalIP, address: 192.168.1.11}]}}
---
{apiVersion: v1, kind: Service, metadata: {name: kubernetes, namespace: default}, spec: {clusterIP: 10.96.0.1, ports: [{name: https, port: 443, targetPort: 6443}]}}
---
{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {name: kubernetes, namespace: default, labels: {kubernetes.io/service-name: kubernetes}}, addressType: IPv4, endpoints: [{addresses: [192.168.1.10], conditions: {ready: true}}], ports: [{name: https, port: 6443, protocol: TCP}]}
---
{apiVersion: v1, kind: Service, metadata: {name: kube-dns, namespace: kube-system}, spec: {clusterIP: 10.96.0.10, selector: {k8s-app: kube-dns}, ports: [{name: dns, port: 53, protocol: UDP}, {name: dns-tcp, port: 53, protocol: TCP}]}}
---
{apiVersion: v1, kind: Pod, metadata: {name: coredns, namespace: kube-system, labels: {k8s-app: kube-dns}}, spec: {nodeName: n1, containers: []}, status: {phase: Running, podIP: 10.244.0.5}}
---
{apiVersion: v1, kind: Pod, metadata: {name: web, namespace: shop, labels: {app: web}}, spec: {nodeName: n2, containers: []}, status: {phase: Running, podIP: 10.244.0.6}}
---
{apiVersion: v1, kind: Pod, metadata: {name: lost, namespace: shop, labels: {app: lost}}, spec: {nodeName: n2, containers: []}, status: {phase: Running, podIP: 10.244.0.8}}
---
{apiVersion: v1, kind: Pod, metadata: {name: new, namespace: shop, labels: {app: web}}, spec: {containers: []}, status: {phase: Running, podIP: 10.244.0.9}}
---
{apiVersion: v1, kind: Pod, metadata: {name: db, namespace: data, labels: {app: db}}, spec: {nodeName: n1, containers: [{name: c, ports: [{name: pg, containerPort: 5432}]}]}, status: {phase: Running, podIP: 10.244.0.7}}
---
{apiVersion: v1, kind: Service, metadata: {name: db, namespace: data}, spec: {clusterIP: 10.96.7.7, selector: {app: db}, ports: [{port: 80, targetPort: 5432}]}}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: web, namespace: shop}
spec:
  podSelector: {matchLabels: {app: web}}
  policyTypes: [Egress]
  egress:
  - to: [{namespaceSelector: {}, podSelector: {matchLabels: {k8s-app: kube-dns}}}]
    ports: [{port: 53, protocol: UDP}]
  - to: [{ipBlock: {cidr: 10.96.0.1/32}}]
    ports: [{port: 443}]
  - to: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: data}}}]
    ports: [{port: 80}, {port: 9999}]
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: lost, namespace: shop}
spec:
  podSelector: {matchLabels: {app: lost}}
  policyTypes: [Egress]
  egress:
  - to: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: default}}}]
    ports: [{port: 53, protocol: UDP}, {port: 53, protocol: TCP}]
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: db, namespace: data}
spec:
  podSelector: {matchLabels: {app: db}}
  ingress:
  - from: [{namespaceSelector: {matchLabels: {purpose: shop}}}]
    ports: [{port: pg}]
"#;

#[track_caller]
fn says(from: &str, to: &str, expected: &[&str]) {
    let text = text(&answer(&read(CLUSTER), from, to));
    for part in expected {
        assert!(text.contains(part), "{part}\nis missing in\n{text}");
    }
}

#[track_caller]
fn does_not_say(from: &str, to: &str, part: &str) {
    let text = text(&answer(&read(CLUSTER), from, to));
    assert!(!text.contains(part), "{text}");
}

#[test]
fn dns_over_tcp_where_only_udp_is_allowed() {
    says(
        "shop/web",
        "kube-dns.kube-system:53/TCP",
        &[
            "rule 1 of shop/web allows this peer, but only UDP; this is TCP (DNS asks again over TCP where an answer does not fit into a packet)",
            "to allow it: add TCP 53 to rule 1 of shop/web",
            "this is DNS over TCP: answers that do not fit",
        ],
    );
    does_not_say("shop/web", "kube-dns.kube-system:53/UDP", "this is DNS");
    does_not_say("shop/web", "data/svc/db:80", "DNS asks again");
}

#[test]
fn dns_in_another_namespace_than_the_rule_says() {
    says(
        "shop/lost",
        "kube-dns.kube-system:53/UDP",
        &[
            "only to namespaces with kubernetes.io/metadata.name=default; namespace kube-system has kubernetes.io/metadata.name=kube-system",
            "to allow it: add pods k8s-app=kube-dns in namespace kube-system to the peers of rule 1 of shop/lost",
            "this is DNS: until it is allowed, connections by name time out",
        ],
    );
}

#[test]
fn the_address_of_a_dns_cache_on_the_node() {
    says(
        "shop/web",
        "169.254.20.10:53/UDP",
        &[
            "only to pods; 169.254.20.10 (link-local, as a node's DNS cache is) is not a pod",
            "to allow it: add ipBlock 169.254.20.10/32 to the peers of rule 1 of shop/web",
            "169.254.20.10 is link-local, on the pod's own node: some CNIs let pods reach their node",
        ],
    );
    says(
        "shop/web",
        "169.254.169.254:80",
        &["(link-local: the cloud's metadata)"],
    );
    does_not_say("shop/web", "169.254.169.254:80", "DNS");
}

#[test]
fn the_cluster_address_of_the_api_server() {
    for to in ["kubernetes.default:443", "10.96.0.1:443", "192.168.1.10:6443"] {
        says(
            "shop/web",
            to,
            &[
                "only to 10.96.0.1/32; it holds the API server's cluster IP, but policies see the address and port of its node, 192.168.1.10",
                "to allow it: add an egress rule to shop/web that allows TCP 6443 to ipBlock 192.168.1.10/32",
            ],
        );
    }
    says(
        "shop/web",
        "kubernetes.default:443",
        &["only TCP 443; the target port is 6443 (443 is the Service's port, which policies never see)"],
    );
}

#[test]
fn the_port_of_the_service() {
    says(
        "shop/web",
        "data/svc/db:80",
        &[
            "rule 3 of shop/web allows this peer, but only TCP 80 and 9999; the target port is 5432 (80 is the Service's port, which policies never see)",
            "to allow it: add TCP 5432 to rule 3 of shop/web",
            "and only UDP 53; this is TCP 5432\n",
        ],
    );
    does_not_say("shop/web", "data/db:5432", "is the Service's port");
}

#[test]
fn a_namespace_that_lacks_the_label() {
    says(
        "shop/web",
        "data/db:5432",
        &[
            "only from namespaces with purpose=shop; namespace shop has no label purpose, but kubernetes.io/metadata.name=shop",
            "to allow it: label namespace shop with purpose=shop, or add pods app=web in namespace shop to the peers of rule 1 of data/db, whichever is meant",
        ],
    );
}

#[test]
fn one_direction_of_two() {
    says(
        "shop/web",
        "data/db:9999",
        &[
            "a connection needs both directions: the egress of shop/web is allowed, the ingress of data/db:9999/TCP is not",
        ],
    );
    does_not_say("shop/web", "data/db:5432", "needs both directions");
}

/// NetworkPolicy: "traffic to and from the node where a Pod is running is always allowed".
#[test]
fn an_address_that_may_be_the_pods_own_node_where_no_node_is_known() {
    let nodeless: Vec<_> = CLUSTER
        .split("---\n")
        .filter(|object| !object.contains("kind: Node,"))
        .collect();
    let world = read(&nodeless.join("---\n"));
    let said = |from: &str, to: &str| text(&answer(&world, from, to)).contains("no Node is among the objects");
    assert!(said("shop/web", "192.168.1.10:10250") && said("192.168.1.10", "data/db:5432"));
    assert!(!said("shop/web", "8.8.8.8:443") && !said("shop/web", "data/db:5432"));
    does_not_say("shop/web", "192.168.7.7:10250", "no Node is among");
}

#[test]
fn a_pod_whose_node_is_not_known() {
    says(
        "shop/new",
        "192.168.1.10:6443",
        &["pod shop/new has no nodeName in the objects"],
    );
    does_not_say("shop/web", "192.168.1.10:6443", "nodeName");
}
