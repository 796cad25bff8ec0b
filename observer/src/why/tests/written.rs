//! What a patch keeps of a manifest, and what it leaves out.

use serde_json::{Value, json};

use super::{query, read};
use crate::why::{edited, manager, patch};

const CLUSTER: &str = r#"---
{apiVersion: v1, kind: Pod, metadata: {name: a, namespace: x, labels: {app: a}}, spec: {containers: []}, status: {podIP: 10.0.0.1}}
---
{apiVersion: v1, kind: Pod, metadata: {name: b, namespace: x, labels: {app: b}}, spec: {containers: []}, status: {podIP: 10.0.0.2}}
---
{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: p, namespace: x}, spec: {podSelector: {matchLabels: {app: b}}, ingress: [{from: [{podSelector: {matchExpressions: [{key: app, operator: In, values: [c]}]}}]}]}}
"#;

/// The changed policy, of one that is written with this spec and metadata.
fn changed(mut written: Value) -> Option<Value> {
    let made = patch(&mut read(CLUSTER), &query("x/a", "x/b:80")).expect("a patch");
    let [patched] = made.policies.as_slice() else {
        panic!("one policy")
    };
    written["metadata"]["name"] = "p".into();
    edited(written, patched)
}

#[test]
fn only_the_change_and_what_the_server_sets_differ() {
    let spec = |from: Value| {
        json!({
            "podSelector": { "matchLabels": { "app": "b" } },
            "ingress": [{ "from": from, "ports": null }],
        })
    };
    let other = json!({ "podSelector": { "matchExpressions": [{ "key": "app", "operator": "In", "values": ["c"] }] } });
    let found = changed(json!({
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {
            "labels": { "team": "x" },
            "annotations": { "why": "because", "kubectl.kubernetes.io/last-applied-configuration": "{}" },
            "ownerReferences": [{ "kind": "App", "name": "x" }],
            "creationTimestamp": "2026-01-01T00:00:00Z",
            "generation": 3,
            "managedFields": [],
            "resourceVersion": "17",
            "uid": "u",
        },
        "spec": spec(json!([other])),
        "status": {},
    }));
    let expected = json!({
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {
            "name": "p",
            "namespace": "x",
            "labels": { "team": "x" },
            "annotations": { "why": "because" },
            "ownerReferences": [{ "kind": "App", "name": "x" }],
        },
        // Without policyTypes, as it was: kubectl apply must not add a field that its author left out.
        "spec": spec(json!([other, { "podSelector": { "matchLabels": { "app": "a" } } }])),
    });
    assert_eq!(found, Some(expected));
}

#[test]
fn an_item_of_a_typed_list_is_told_what_it_is() {
    let found = changed(json!({
        "metadata": { "annotations": { "kubectl.kubernetes.io/last-applied-configuration": "{}" } },
        "spec": { "podSelector": {}, "ingress": [{}] },
    }));
    let found = found.expect("a policy");
    assert_eq!(
        (found["apiVersion"].as_str(), found["kind"].as_str()),
        (Some("networking.k8s.io/v1"), Some("NetworkPolicy"))
    );
    assert_eq!(found["metadata"], json!({ "name": "p", "namespace": "x" }));
}

#[test]
fn what_is_not_written_as_it_was_read_is_not_changed() {
    for spec in [
        json!({}),
        json!({ "ingress": [] }),
        json!({ "ingress": [[]] }),
        json!({ "ingress": [{ "from": 1 }] }),
    ] {
        assert_eq!(changed(json!({ "metadata": {}, "spec": spec })), None, "{spec}");
    }
}

#[test]
fn who_would_undo_it_is_named() {
    for (metadata, expected) in [
        (json!({}), None),
        (
            json!({ "labels": { "app.kubernetes.io/managed-by": "Helm" } }),
            Some("Helm"),
        ),
        (
            json!({ "labels": { "app.kubernetes.io/managed-by": "Helm" }, "annotations": { "meta.helm.sh/release-name": "shop" } }),
            Some("Helm release shop"),
        ),
        (
            json!({ "annotations": { "argocd.argoproj.io/tracking-id": "shop:networking.k8s.io/NetworkPolicy:x/p" } }),
            Some("Argo CD application shop"),
        ),
        (
            json!({ "ownerReferences": [{ "kind": "Tenant", "name": "x" }] }),
            Some("Tenant x"),
        ),
    ] {
        assert_eq!(manager(&json!({ "metadata": metadata })).as_deref(), expected);
    }
}
