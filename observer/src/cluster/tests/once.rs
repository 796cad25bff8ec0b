//! Reading once: places of fields, and the pods of workloads.

use std::path::PathBuf;

use super::*;
use crate::cluster::{Place, Snapshot};
use crate::objects::Protocol;

const SHOP: &str = "\
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: p
  namespace: shop
spec:
  podSelector: {}
  ingress:
  - from:
    - podSelector: {}
    - podSelector:
        matchLabels: {a: b}
---
apiVersion: v1
kind: List
items:
- apiVersion: v1
  kind: Namespace
  metadata: {name: shop}
- apiVersion: apps/v1
  kind: Deployment
  metadata: {name: web, namespace: shop}
  spec:
    replicas: 2
    template:
      metadata: {labels: {app: web}}
      spec:
        containers:
        - {name: c, ports: [{containerPort: 8080, name: http}]}
- apiVersion: apps/v1
  kind: Deployment
  metadata: {name: broken}
  spec: {template: {spec: {containers: 5}}}
";

fn read_once(text: &str) -> (tempfile::TempDir, Snapshot) {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("shop.yaml"), text).expect("a file");
    let snapshot = Snapshot::read(&[folder.path().to_owned()]).expect("valid");
    (folder, snapshot)
}

#[test]
fn fields_have_lines_in_lists_too() {
    let (_folder, snapshot) = read_once(SHOP);
    let at = |kind: &str, namespace: &str, name: &str, field: &str| {
        let place: Option<Place> = snapshot.place(kind, &Name::new(namespace, name), field);
        place.map(|place| (place.document, place.line))
    };
    let policy = |field| at("NetworkPolicy", "shop", "p", field);
    assert_eq!(policy("metadata.name"), Some((1, Some(4))));
    assert_eq!(policy("spec.ingress[0].from[1].podSelector"), Some((1, Some(12))));
    // What is not there is told by what is around it.
    assert_eq!(policy("spec.ingress[0].ports[3].port"), Some((1, Some(9))));
    assert_eq!(at("Namespace", "", "shop", "metadata.name"), Some((2, Some(19))));
    assert_eq!(at("Deployment", "shop", "web", "metadata.name"), Some((2, Some(22))));
    assert_eq!(at("Pod", "shop", "web", "metadata.name"), None);
}

#[test]
fn a_workload_makes_a_pod_and_a_broken_one_is_skipped() {
    let (_folder, snapshot) = read_once(SHOP);
    let [pod] = snapshot.templates.as_slice() else {
        panic!("{:?}", snapshot.templates)
    };
    assert_eq!(pod.name, Name::new("shop", "web"));
    assert_eq!(pod.labels.get("app").map(|value| &**value), Some("web"));
    assert_eq!(pod.port_named("http", Protocol::Tcp), Some(8080));
    assert!(
        snapshot
            .warnings
            .iter()
            .any(|line| line.contains("Deployment (apps/v1)")),
        "{:?}",
        snapshot.warnings
    );
}

#[test]
fn nothing_is_taken_of_what_is_wrong() {
    let errors = Snapshot::read(&[PathBuf::from("/nonexistent/manifests")]).expect_err("no such path");
    assert!(errors.to_string().contains("check the path"), "{errors}");
}
