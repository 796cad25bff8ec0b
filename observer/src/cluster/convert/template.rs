//! Workload → the pod that it would make, when it runs. Leniently: what is wrong with a workload is not the observer's to say.

use k8s_openapi::api::core::v1 as core;
use serde_json::{Value, json};

use super::metadata;
use super::pod;
use crate::cluster::findings::Findings;
use crate::cluster::strings::intern;
use crate::objects::{Phase, Pod, Workload};

/// The kinds that make pods, and where their template is.
const WORKLOADS: [(&str, &str, &str); 7] = [
    ("apps/v1", "Deployment", "/spec/template"),
    ("apps/v1", "StatefulSet", "/spec/template"),
    ("apps/v1", "DaemonSet", "/spec/template"),
    ("apps/v1", "ReplicaSet", "/spec/template"),
    ("v1", "ReplicationController", "/spec/template"),
    ("batch/v1", "Job", "/spec/template"),
    ("batch/v1", "CronJob", "/spec/jobTemplate/spec/template"),
];

/// A pod of the workload in `value`, named like it. `None` for other kinds, for a template that cannot be read, and for what
/// another workload manages: that one is the workload.
pub(super) fn pod(version: &str, kind: &str, value: &Value) -> Option<Pod> {
    let (_, _, pointer) = WORKLOADS
        .iter()
        .find(|(right, name, _)| *name == kind && *right == version)?;
    if value.pointer("/metadata/ownerReferences/0").is_some() {
        return None;
    }
    let template = value.pointer(pointer)?;
    let name = metadata::peek(value);
    let pod = json!({
        "metadata": {
            "namespace": &*name.namespace,
            "name": &*name.name,
            "labels": template.pointer("/metadata/labels"),
        },
        "spec": template.get("spec"),
    });
    let given: core::Pod = serde_json::from_value(pod).ok()?;
    let mut findings = Findings::default();
    let pod = pod::convert(&given, &mut findings).filter(|_| findings.errors.is_empty())?;
    Some(Pod {
        phase: Phase::Running,
        ready: true,
        workload: Some(Workload {
            kind: intern(kind),
            name: name.name,
        }),
        ..pod
    })
}
