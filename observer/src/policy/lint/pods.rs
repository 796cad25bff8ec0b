//! Pods that no policy isolates.

use std::collections::BTreeSet;

use super::scope::Scope;
use super::{Code, Finding, Severity};
use crate::objects::{Name, Pod, Str};
use crate::policy::Direction;

/// Namespaces of the cluster itself, which are rarely isolated.
const OF_THE_CLUSTER: [&str; 3] = ["kube-system", "kube-public", "kube-node-lease"];

pub(super) fn lint(scope: &Scope<'_>, findings: &mut Vec<Finding>) {
    for (namespace, pods) in scope.inhabited() {
        // Where nobody wrote a policy, nobody expects one; where one is of another kind, it may isolate.
        let has_policy = !scope.policies_in(namespace).is_empty();
        if OF_THE_CLUSTER.contains(&&**namespace) || scope.is_foreign(namespace) || !has_policy {
            continue;
        }
        let mut told = BTreeSet::new();
        for pod in pods {
            let isolated = |direction| scope.isolating(pod, direction).next().is_some();
            if isolated(Direction::Ingress) || isolated(Direction::Egress) {
                continue;
            }
            // One for all pods of a workload.
            if pod
                .workload
                .as_ref()
                .is_some_and(|of| !told.insert((&of.kind, &of.name)))
            {
                continue;
            }
            let (kind, name) = owner(pod);
            findings.push(Finding {
                kind: kind.clone(),
                name: name.clone(),
                field: "metadata.labels".to_owned(),
                code: Code::NotIsolated,
                severity: Severity::Note,
                message: format!(
                    "no NetworkPolicy selects {kind} {name}, though its namespace has policies: everybody may reach it, and it everybody"
                ),
                help: format!("add a policy with an empty podSelector to namespace {namespace} that denies by default"),
            });
        }
    }
}

/// What a pod is told by: a template by its workload, which is what was read.
fn owner(pod: &Pod) -> (Str, Name) {
    match &pod.workload {
        // The template of a workload has the workload's name.
        Some(workload) if workload.name == pod.name.name => (workload.kind.clone(), pod.name.clone()),
        _ => ("Pod".into(), pod.name.clone()),
    }
}
