//! Brings everything into the cluster, waits until it works, and removes it.

use std::time::Duration;

use anyhow::{Context as _, Result, anyhow};
use k8s_openapi::api::apps::v1::DaemonSet;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{ListParams, LogParams};
use kube::runtime::conditions::is_pod_running;
use kube::{Api, ResourceExt as _};
use serde_json::{Value as Json, json};

use super::cluster::Cluster;
use super::objects::{CALLERS, Stage, namespace};
use super::{Options, PATIENCE};

/// Installs the agents and waits until each is ready.
pub(super) async fn agents(cluster: &Cluster, stage: &Stage, options: &Options) -> Result<()> {
    for object in stage.chart(&options.image, &json!({}))? {
        cluster.create(&object).await?;
    }
    if let Err(error) = rolled_out(cluster, stage, PATIENCE).await {
        return Err(error.context(why_not_ready(cluster, &stage.agents).await));
    }
    println!("agents are ready");
    Ok(())
}

/// Waits until an agent of the latest template is ready on every node.
pub(super) async fn rolled_out(cluster: &Cluster, stage: &Stage, patience: Duration) -> Result<()> {
    let sets: Api<DaemonSet> = Api::namespaced(cluster.client.clone(), &stage.agents);
    let ready = |set: Option<&DaemonSet>| {
        set.and_then(|set| set.status.as_ref().zip(set.metadata.generation))
            .is_some_and(|(status, generation)| {
                let wanted = status.desired_number_scheduled;
                status.observed_generation == Some(generation)
                    && wanted > 0
                    && status.updated_number_scheduled == Some(wanted)
                    && status.number_ready == wanted
            })
    };
    cluster
        .until(sets, &stage.agents, "ready on every node", ready, patience)
        .await
}

/// Makes the pods and waits until they run.
pub(super) async fn pods(cluster: &Cluster, stage: &Stage, options: &Options) -> Result<()> {
    for object in stage.pods(&options.peer_image) {
        if object["kind"] == "Pod" {
            has_default_account(cluster, &object).await?;
        }
        cluster.create(&object).await?;
    }
    let all = stage.listeners().map(|listener| (&stage.backend, listener.name));
    for (namespace, name) in all.chain(CALLERS.iter().map(|&caller| (&stage.shop, caller))) {
        let running = cluster
            .until(cluster.pods(namespace), name, "running", is_pod_running(), PATIENCE)
            .await;
        if let Err(error) = running {
            return Err(error.context(why_not_ready(cluster, namespace).await));
        }
    }
    println!("pods are running");
    Ok(())
}

/// Waits until a new namespace takes pods: until its default service account is there.
async fn has_default_account(cluster: &Cluster, object: &Json) -> Result<()> {
    let namespace = object["metadata"]["namespace"]
        .as_str()
        .context("a pod has a namespace")?;
    let accounts: Api<k8s_openapi::api::core::v1::ServiceAccount> = Api::namespaced(cluster.client.clone(), namespace);
    cluster
        .until(
            accounts,
            "default",
            "there",
            kube::runtime::conditions::is_created(),
            PATIENCE,
        )
        .await
}

/// What the pods of a namespace wait for, and what those that failed have logged.
async fn why_not_ready(cluster: &Cluster, namespace: &str) -> String {
    let pods = cluster.pods(namespace);
    let Ok(list) = pods.list(&ListParams::default()).await else {
        return "its pods cannot be listed".to_owned();
    };
    let mut lines = Vec::new();
    for pod in list {
        let Some(what) = trouble(&pod) else { continue };
        let parameters = LogParams {
            tail_lines: Some(5),
            ..LogParams::default()
        };
        let log = pods.logs(&pod.name_any(), &parameters).await.unwrap_or_default();
        lines.push(format!("{}: {what}\n{log}", pod.name_any()));
    }
    if lines.is_empty() {
        "no pod says why".to_owned()
    } else {
        lines.join("\n")
    }
}

fn trouble(pod: &Pod) -> Option<String> {
    let status = pod.status.as_ref()?;
    let container = status.container_statuses.as_ref().and_then(|all| all.first());
    let Some(container) = container.filter(|container| !container.ready) else {
        return container.is_none().then(|| format!("{:?}", status.conditions));
    };
    let state = container.state.as_ref()?;
    let said = match (&state.waiting, &state.terminated) {
        (Some(waiting), _) => (waiting.reason.clone(), waiting.message.clone()),
        (_, Some(ended)) => (ended.reason.clone(), ended.message.clone()),
        _ => return Some("running, not ready".to_owned()),
    };
    let hint = if said.0.as_deref().is_some_and(|reason| reason.contains("Image")) {
        " (import the archives of `cargo xtask image --test` on every node, or name images that can be pulled)"
    } else {
        ""
    };
    Some(format!(
        "{} {}{hint}",
        said.0.unwrap_or_default(),
        said.1.unwrap_or_default()
    ))
}

/// Removes everything that was made, as far as it can be.
pub(super) async fn remove(cluster: &Cluster, stage: &Stage) -> Result<()> {
    println!("removing everything");
    let mut failed = Vec::new();
    let chart = stage.chart("none:none", &json!({}))?;
    let wide = chart
        .iter()
        .filter(|object| object["metadata"]["namespace"].is_null())
        .cloned();
    for object in stage.namespaces().map(namespace).into_iter().chain(wide) {
        if let Err(error) = cluster.delete(&object, PATIENCE).await {
            failed.push(format!("{error:#}"));
        }
    }
    if failed.is_empty() {
        Ok(())
    } else {
        Err(anyhow!(failed.join("; ")))
    }
}
