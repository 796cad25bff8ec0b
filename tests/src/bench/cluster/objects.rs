//! A large cluster, object by object, as an API server gives them.
use anyhow::Result;
use serde_json::{Value, json};

use super::{NAMESPACES, NODES, PODS, POLICIES, SERVICES};
use crate::fake_api::FakeApi;

/// Puts the cluster into the server.
pub(super) fn fill(fake: &FakeApi) -> Result<()> {
    for number in 0..NAMESPACES {
        fake.apply_object(namespace(&format!("team-{number}")))?;
    }
    for number in 0..NODES {
        fake.apply_object(json!({
            "apiVersion": "v1", "kind": "Node",
            "metadata": { "name": format!("node-{number}"), "labels": { "kubernetes.io/hostname": format!("node-{number}") } },
            "spec": { "podCIDRs": [format!("10.{}.{}.0/24", 128 + number / 256, number % 256)] },
            "status": {
                "addresses": [{ "type": "InternalIP", "address": format!("192.168.{}.{}", number / 250, number % 250 + 1) }],
                "images": (0..50).map(|image| json!({
                    "names": [format!("registry.example/team/image-{image}@sha256:{:064}", image * 7)], "sizeBytes": 123_456_789,
                })).collect::<Vec<_>>(),
            },
        }))?;
    }
    for index in 0..PODS {
        fake.apply_object(pod(index, index, 3))?;
    }
    for number in 0..SERVICES {
        let (space, name) = (format!("team-{}", number % NAMESPACES), format!("app-{number}"));
        fake.apply_object(json!({
            "apiVersion": "v1", "kind": "Service", "metadata": { "namespace": space, "name": name, "labels": { "app": name } },
            "spec": {
                "clusterIP": address(97, number), "clusterIPs": [address(97, number)], "type": "ClusterIP",
                "selector": { "app": name }, "ports": [{ "name": "http", "port": 80, "targetPort": "http", "protocol": "TCP" }],
            },
            "status": { "loadBalancer": {} },
        }))?;
        let backends: Vec<usize> = (0..PODS).skip(number).step_by(SERVICES).collect();
        fake.apply_object(json!({
            "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
            "metadata": {
                "namespace": space, "name": format!("{name}-abcde"),
                "labels": { "kubernetes.io/service-name": name, "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io" },
            },
            "ports": [{ "name": "http", "port": 8080, "protocol": "TCP" }],
            "endpoints": backends.iter().map(|backend| json!({
                "addresses": [address(100, *backend)], "conditions": { "ready": true, "serving": true, "terminating": false },
                "nodeName": format!("node-{}", backend % NODES),
                "targetRef": { "kind": "Pod", "namespace": space, "name": pod_name(*backend) },
            })).collect::<Vec<_>>(),
        }))?;
    }
    for number in 0..POLICIES {
        fake.apply_object(json!({
            "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
            "metadata": { "namespace": format!("team-{}", number % NAMESPACES), "name": format!("allow-{number}") },
            "spec": {
                "podSelector": { "matchLabels": { "app": format!("app-{}", number % SERVICES) } },
                "policyTypes": ["Ingress", "Egress"],
                "ingress": [{
                    "from": [
                        { "podSelector": { "matchLabels": { "app": format!("app-{}", (number + 1) % SERVICES) } } },
                        { "namespaceSelector": { "matchLabels": { "kubernetes.io/metadata.name": format!("team-{}", (number + 7) % NAMESPACES) } } },
                    ],
                    "ports": [{ "port": 8080, "protocol": "TCP" }],
                }],
                "egress": [
                    { "to": [{ "ipBlock": { "cidr": "10.0.0.0/8", "except": ["10.97.0.0/16"] } }] },
                    { "ports": [{ "port": 53, "protocol": "UDP" }, { "port": 53, "protocol": "TCP" }] },
                ],
            },
        }))?;
    }
    Ok(())
}

/// A Namespace.
pub(super) fn namespace(name: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Namespace",
        "metadata": { "name": name, "labels": { "kubernetes.io/metadata.name": name, "team": name } },
        "spec": { "finalizers": ["kubernetes"] }, "status": { "phase": "Active" },
    })
}

fn address(first: usize, number: usize) -> String {
    format!(
        "10.{}.{}.{}",
        first + number / 62_500,
        number / 250 % 250,
        number % 250 + 1
    )
}

/// As a Deployment's pods are called.
pub(super) fn pod_name(index: usize) -> String {
    format!("app-{}-7d9f5c6b8-{index:05}", index % SERVICES)
}

/// A pod as an API server gives it: of some five kilobytes, most of which nobody reads here. `step`: made (1), with an
/// address (2), ready (3).
pub(super) fn pod(index: usize, incarnation: usize, step: usize) -> Value {
    let app = format!("app-{}", index % SERVICES);
    let ip = address(100, incarnation);
    let variables: Vec<_> = (0..20)
        .map(|number| json!({ "name": format!("SETTING_{number}"), "value": format!("https://service-{number}.example.org/path") }))
        .collect();
    let managed = |manager: &str, fields: usize| {
        let fields: serde_json::Map<_, _> = (0..fields)
            .map(|field| (format!("f:field-{field}"), json!({ "f:value": {} })))
            .collect();
        json!({ "manager": manager, "operation": "Update", "apiVersion": "v1", "fieldsType": "FieldsV1", "fieldsV1": { "f:spec": fields } })
    };
    let ready = if step == 3 { "True" } else { "False" };
    let conditions = ["PodScheduled", "Initialized", "ContainersReady", "Ready"]
        .map(|kind| json!({ "type": kind, "status": ready, "lastTransitionTime": "2026-01-02T03:04:05Z" }));
    let mut status = json!({
        "phase": if step == 3 { "Running" } else { "Pending" }, "qosClass": "Burstable", "hostIP": "192.168.0.9",
        "conditions": conditions,
    });
    if step >= 2 {
        status["podIP"] = json!(ip);
        status["podIPs"] = json!([{ "ip": ip }]);
    }
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {
            "namespace": format!("team-{}", index % NAMESPACES), "name": pod_name(index), "uid": format!("00000000-0000-4000-8000-{incarnation:012}"),
            "creationTimestamp": "2026-01-02T03:04:05Z",
            "labels": { "app": app, "app.kubernetes.io/name": app, "app.kubernetes.io/part-of": "shop", "pod-template-hash": "7d9f5c6b8" },
            "annotations": { "prometheus.io/scrape": "true", "prometheus.io/port": "8080", "checksum/config": "0123456789abcdef0123456789abcdef" },
            "ownerReferences": [{
                "apiVersion": "apps/v1", "kind": "ReplicaSet", "name": format!("{app}-7d9f5c6b8"), "uid": format!("owner-{app}"),
                "controller": true, "blockOwnerDeletion": true,
            }],
            "managedFields": [managed("kube-controller-manager", 25), managed("kubelet", 15)],
        },
        "spec": {
            "nodeName": format!("node-{}", index % NODES), "serviceAccountName": "default", "restartPolicy": "Always",
            "containers": [{
                "name": "app", "image": "registry.example/team/app:1.2.3", "env": variables,
                "ports": [{ "name": "http", "containerPort": 8080, "protocol": "TCP" }],
                "resources": { "requests": { "cpu": "100m", "memory": "128Mi" }, "limits": { "memory": "256Mi" } },
                "readinessProbe": { "httpGet": { "path": "/ready", "port": "http" }, "periodSeconds": 10 },
                "volumeMounts": [{ "name": "token", "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount", "readOnly": true }],
            }],
            "volumes": [{ "name": "token", "projected": { "sources": [{ "serviceAccountToken": { "expirationSeconds": 3607, "path": "token" } }] } }],
            "tolerations": [{ "key": "node.kubernetes.io/not-ready", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300 }],
        },
        "status": status,
    })
}
