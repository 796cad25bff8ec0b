//! The folder of Kubernetes objects that the observer under test reads, and that tests change while it runs.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::pod::Pod;
use super::service::Service;
use super::topology::{Family, addresses};

/// A folder of manifests, of one node or of several; removed when all are dropped.
#[derive(Debug)]
pub struct Manifests {
    root: Arc<TempDir>,
    node: String,
}

impl Manifests {
    /// A folder that holds the Node `node` and the namespace `default`.
    pub fn new(node: &str) -> Result<Self> {
        let root = TempDir::with_prefix("observer-lab-").context("making a folder for manifests")?;
        fs::create_dir(root.path().join("objects"))?;
        let manifests = Self::of(Arc::new(root), node)?;
        manifests.namespace("default", &[])?;
        Ok(manifests)
    }

    /// The same folder, to which another node's pods are written.
    pub(super) fn another(&self, node: &str) -> Result<Self> {
        Self::of(Arc::clone(&self.root), node)
    }

    fn of(root: Arc<TempDir>, node: &str) -> Result<Self> {
        let manifests = Self {
            root,
            node: node.to_owned(),
        };
        manifests.write_object(&json!({
            "apiVersion": "v1", "kind": "Node",
            "metadata": { "name": node, "uid": format!("node-{node}") },
            "spec": { "podCIDRs": ["10.244.0.0/16", "fd00:10:244::/64"] },
            "status": { "addresses": [
                { "type": "Hostname", "address": node },
                { "type": "InternalIP", "address": addresses::node(Family::V4) },
                { "type": "InternalIP", "address": addresses::node(Family::V6) },
            ] },
        }))?;
        Ok(manifests)
    }

    /// The folder to hand to `--manifests`.
    pub fn path(&self) -> PathBuf {
        self.root.path().join("objects")
    }

    /// Writes (or replaces) a file of the folder in one step, so that nobody reads half of it.
    pub fn write(&self, file: &str, text: &str) -> Result<()> {
        let staged = self.root.path().join("staged");
        fs::write(&staged, text).with_context(|| format!("writing {file}"))?;
        fs::rename(&staged, self.path().join(file)).with_context(|| format!("placing {file}"))
    }

    /// Writes a Namespace with labels.
    pub fn namespace(&self, name: &str, labels: &[(&str, &str)]) -> Result<()> {
        let mut labels: BTreeMap<&str, &str> = labels.iter().copied().collect();
        labels.insert("kubernetes.io/metadata.name", name);
        self.write_object(&json!({
            "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": name, "uid": format!("namespace-{name}"), "labels": labels },
        }))
    }

    /// Removes the file of an object, named as it was written: `("Pod", "shop/cart")`.
    pub fn remove(&self, kind: &str, name: &str) -> Result<()> {
        let file = self.path().join(file_name(kind, name));
        fs::remove_file(&file).with_context(|| format!("removing {}", file.display()))
    }

    /// Writes an object to a file of its own.
    pub fn write_object(&self, object: &Value) -> Result<()> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let (kind, name) = (text(&object["kind"]), text(&object["metadata"]["name"]));
        let name = match &object["metadata"]["namespace"] {
            Value::String(namespace) => format!("{namespace}/{name}"),
            _ => name,
        };
        self.write(&file_name(&kind, &name), &serde_json::to_string_pretty(object)?)
    }

    fn ensure_namespace(&self, name: &str) -> Result<()> {
        if Path::new(&self.path().join(file_name("Namespace", name))).exists() {
            Ok(())
        } else {
            self.namespace(name, &[])
        }
    }

    pub(super) fn write_pod(&self, pod: &Pod) -> Result<()> {
        let (namespace, name) = pod.spec().namespace_and_name();
        self.ensure_namespace(namespace)?;
        let labels: BTreeMap<&str, &str> = pod
            .spec()
            .labels
            .iter()
            .map(|(key, value)| (&**key, &**value))
            .collect();
        let owners: Vec<Value> = pod.spec().owner.iter().map(|(kind, owner)| {
            json!({ "apiVersion": "apps/v1", "kind": kind, "name": owner, "uid": format!("owner-{owner}"), "controller": true })
        }).collect();
        let ports: Vec<Value> = pod
            .spec()
            .ports
            .iter()
            .map(|(name, number)| json!({ "name": name, "containerPort": number, "protocol": "TCP" }))
            .collect();
        let [v4, v6] = Family::ALL.map(|family| pod.ip(family));
        self.write_object(&json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {
                "namespace": namespace, "name": name, "uid": format!("pod-{}", pod.netns().name()),
                "labels": labels, "ownerReferences": owners,
            },
            "spec": { "nodeName": self.node, "containers": [{ "name": "app", "image": "registry.example/app:1", "ports": ports }] },
            "status": {
                "phase": "Running", "podIP": v4, "podIPs": [{ "ip": v4 }, { "ip": v6 }],
                "hostIP": addresses::node(Family::V4),
                "conditions": [{ "type": "Ready", "status": "True" }],
            },
        }))
    }

    pub(super) fn write_service(&self, service: &Service) -> Result<()> {
        let spec = service.spec();
        let (namespace, name) = spec.name.split_once('/').unwrap_or(("default", &spec.name));
        self.ensure_namespace(namespace)?;
        let [v4, v6] = Family::ALL.map(|family| service.ip(family));
        self.write_object(&json!({
            "apiVersion": "v1", "kind": "Service",
            "metadata": { "namespace": namespace, "name": name, "uid": format!("service-{name}") },
            "spec": {
                "type": "ClusterIP", "clusterIP": v4, "clusterIPs": [v4, v6], "ipFamilies": ["IPv4", "IPv6"],
                "ipFamilyPolicy": "RequireDualStack",
                "internalTrafficPolicy": if spec.local { "Local" } else { "Cluster" },
                "selector": { "lab/backend-of": name },
                "ports": [{ "name": "main", "port": spec.port, "targetPort": spec.target_port, "protocol": "TCP" }],
            },
        }))?;
        Family::ALL.into_iter().enumerate().try_for_each(|(which, family)| {
            let (suffix, kind) = match family {
                Family::V4 => ("4", "IPv4"),
                Family::V6 => ("6", "IPv6"),
            };
            let endpoints: Vec<Value> = service
                .endpoints()
                .iter()
                .map(|endpoint| {
                    let mut object = json!({
                        "addresses": [endpoint.addresses[which]],
                        "conditions": { "ready": endpoint.ready, "serving": endpoint.ready, "terminating": false },
                        "nodeName": if endpoint.pod.is_some() { &self.node } else { "worker-2" },
                    });
                    if let Some((namespace, pod)) = endpoint.pod.as_deref().and_then(|pod| pod.split_once('/')) {
                        object["targetRef"] = json!({ "kind": "Pod", "namespace": namespace, "name": pod });
                    }
                    object
                })
                .collect();
            self.write_object(&json!({
                "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": kind,
                "metadata": {
                    "namespace": namespace, "name": format!("{name}-{suffix}"), "uid": format!("slice-{name}-{suffix}"),
                    "labels": { "kubernetes.io/service-name": name },
                },
                "endpoints": endpoints,
                "ports": [{ "name": "main", "port": spec.target_port, "protocol": "TCP" }],
            }))
        })
    }
}

/// The file that an object is written to.
fn file_name(kind: &str, name: &str) -> String {
    format!("{}-{}.json", kind.to_lowercase(), name.replace('/', "_"))
}
