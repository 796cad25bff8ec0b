//! What a tail keeps in memory with an idle cluster of a thousand pods.
use std::fmt;
use std::fs;

use anyhow::{Context as _, Result};
use serde_json::json;

use crate::lab::{Lab, Manifests, Tail, Topology};

/// Pods in the manifests; none of them has an interface here.
const PODS: u32 = 1000;
/// Services and policies, one of each for so many pods.
const PODS_PER_SERVICE: u32 = 10;
/// The tail stays under this, in bytes.
pub const LIMIT: u64 = 30_000_000;

/// Bytes of resident memory.
#[derive(Clone, Copy, Debug)]
pub struct Figures {
    /// After the objects were read and the interfaces attached to.
    pub resident: u64,
    /// The most it ever was until then.
    pub peak: u64,
}

impl Figures {
    /// Measures.
    ///
    /// # Errors
    ///
    /// If no lab can be made, or the tail does not begin.
    pub fn measure() -> Result<Self> {
        let lab = Lab::new(Topology::Routed)?;
        write_cluster(lab.manifests())?;
        // The coverage statement comes after the objects were read.
        let tail = Tail::json()
            .arg("--manifests")
            .arg(lab.manifests().path())
            .start(lab.node(), &[])?;
        let status = fs::read_to_string(format!("/proc/{}/status", tail.id())).context("reading the tail's status")?;
        Ok(Self {
            resident: bytes(&status, "VmRSS:")?,
            peak: bytes(&status, "VmHWM:")?,
        })
    }

    /// Whether they keep the limits.
    #[must_use]
    pub fn within_limits(&self) -> bool {
        self.resident < LIMIT
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let megabytes = |bytes: u64| bytes as f64 / 1e6;
        write!(
            f,
            "resident memory of the tail with {PODS} idle pods: {:.1} MB (limit {:.0} MB), at most {:.1} MB while reading them",
            megabytes(self.resident),
            megabytes(LIMIT),
            megabytes(self.peak),
        )
    }
}

/// `VmRSS:     12345 kB`.
pub(super) fn bytes(status: &str, field: &str) -> Result<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(field));
    let kibibytes = line.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok());
    Ok(kibibytes.with_context(|| format!("no {field} in\n{status}"))? * 1024)
}

/// A cluster as the API server would show it, one file for each object.
fn write_cluster(manifests: &Manifests) -> Result<()> {
    manifests.namespace("bench", &[("team", "bench")])?;
    for number in 0..PODS {
        let service = number / PODS_PER_SERVICE;
        let address = format!("10.250.{}.{}", number / 250, number % 250 + 1);
        manifests.write_object(&json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {
                "namespace": "bench", "name": format!("app-{service}-7d9f5c-{number:05}"), "uid": format!("pod-{number}"),
                "labels": { "app": format!("app-{service}"), "pod-template-hash": "7d9f5c" },
                "ownerReferences": [{
                    "apiVersion": "apps/v1", "kind": "ReplicaSet", "name": format!("app-{service}-7d9f5c"),
                    "uid": format!("owner-{service}"), "controller": true,
                }],
            },
            "spec": {
                "nodeName": format!("worker-{}", number % 20 + 2),
                "containers": [{ "name": "app", "image": "registry.example/app:1", "ports": [{ "name": "http", "containerPort": 8080 }] }],
            },
            "status": { "phase": "Running", "podIP": address, "podIPs": [{ "ip": address }] },
        }))?;
    }
    for number in 0..PODS / PODS_PER_SERVICE {
        let name = format!("app-{number}");
        manifests.write_object(&json!({
            "apiVersion": "v1", "kind": "Service", "metadata": { "namespace": "bench", "name": name },
            "spec": {
                "clusterIP": format!("10.96.200.{}", number + 1), "selector": { "app": name },
                "ports": [{ "name": "http", "port": 80, "targetPort": "http" }],
            },
        }))?;
        manifests.write_object(&json!({
            "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": { "namespace": "bench", "name": name },
            "spec": {
                "podSelector": { "matchLabels": { "app": name } },
                "ingress": [{ "from": [{ "podSelector": { "matchLabels": { "app": format!("app-{}", number + 1) } } }] }],
            },
        }))?;
    }
    Ok(())
}
