//! Of a folder without pods: workloads, the Services before them, and what is told of these.

use super::Cluster;

/// A folder as people write it: a workload, the Service before it, and no pod.
#[test]
fn a_service_before_a_workload_without_pods_is_answered_by_the_pods_that_it_would_make() {
    let cluster = Cluster::new(
        r#"
{apiVersion: apps/v1, kind: Deployment, metadata: {name: web, namespace: x}, spec: {selector: {matchLabels: {app: web}}, template: {metadata: {labels: {app: web}}, spec: {containers: [{name: c, image: i}]}}}}
---
{apiVersion: apps/v1, kind: Deployment, metadata: {name: cart, namespace: x}, spec: {selector: {matchLabels: {app: cart}}, template: {metadata: {labels: {app: cart}}, spec: {containers: [{name: c, image: i, ports: [{name: grpc, containerPort: 7070}]}]}}}}
---
{apiVersion: v1, kind: Service, metadata: {name: cart, namespace: x}, spec: {selector: {app: cart}, ports: [{port: 80, targetPort: grpc}]}}
---
{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: cart, namespace: x}, spec: {podSelector: {matchLabels: {app: cart}}, ingress: [{from: [{podSelector: {matchLabels: {app: web}}}], ports: [{port: 7070}]}]}}
"#,
    );
    for (from, to, status) in [
        ("x/deployment/web", "x/svc/cart:80", 0),
        ("x/deployment/web", "cart.x", 0),
        ("x/deployment/web", "x/svc/cart:7070", 3),
        ("x/deployment/cart", "x/svc/cart:80", 0),
        ("10.0.0.9", "x/svc/cart:80", 1),
        ("x/svc/cart", "x/deployment/web:80", 0),
    ] {
        let said = cluster.why(&[from, to], "");
        assert_eq!(said.status, Some(status), "{from} {to}: {}{}", said.out, said.err);
    }
}
