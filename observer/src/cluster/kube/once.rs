//! A cluster as it is now: followed until everything was listed, and no further.

use std::time::Duration;

use k8s_openapi::api::networking::v1::NetworkPolicy;
use kube::Api;
use serde_json::Value;
use thiserror::Error;
use tokio::time::{Instant, timeout};

use super::{Access, AccessError, Cluster, Timing};
use crate::objects::{Change, Name};

/// So long everything may take to be listed.
const LISTS: Duration = Duration::from_secs(60);

/// So long a server that does not answer is asked again.
const PATIENCE: Duration = Duration::from_secs(5);

/// How often is looked at why nothing comes.
const TICK: Duration = Duration::from_millis(100);

/// Why a cluster could not be read.
#[derive(Debug, Error)]
pub enum ReadError {
    /// There is no way to it.
    #[error(transparent)]
    Access(#[from] AccessError),
    /// It does not answer, or not to us.
    #[error(
        "the cluster's objects cannot be read ({0}): check the server and the credentials that the kubeconfig names"
    )]
    Trouble(String),
    /// It does not come to an end with its lists.
    #[error("the cluster's objects were not listed within {} s: try again when the API server is less busy", .0.as_secs())]
    Slow(Duration),
}

/// What a cluster holds, and what the user should know of it, a line each.
#[derive(Debug)]
pub(in crate::cluster) struct Everything {
    pub(in crate::cluster) changes: Vec<Change>,
    pub(in crate::cluster) messages: Vec<String>,
}

/// Reads everything. What may not be listed, or cannot be read, is among the changes as a doubt.
///
/// # Errors
/// The server does not answer.
pub(in crate::cluster) async fn everything(access: &Access) -> Result<Everything, ReadError> {
    let timing = Timing {
        tick: TICK,
        ..Timing::default()
    };
    let (mut cluster, loaded) = Cluster::open(access, timing).await?;
    let mut everything = Everything {
        changes: loaded.changes,
        messages: loaded.warnings,
    };
    let until = Instant::now() + LISTS;
    let mut well = Instant::now();
    while Instant::now() < until {
        if let Ok(update) = timeout(TICK, cluster.next()).await {
            everything.messages.extend(update.messages);
            let synced = update.changes.iter().any(|change| matches!(change, Change::Synced));
            everything.changes.extend(update.loaded);
            everything.changes.extend(update.changes);
            if synced {
                return Ok(everything);
            }
        }
        match cluster.health().trouble {
            Some(trouble) if well.elapsed() >= PATIENCE => return Err(ReadError::Trouble(trouble)),
            Some(_) => {}
            None => well = Instant::now(),
        }
    }
    Err(ReadError::Slow(LISTS))
}

/// A NetworkPolicy as it was written: without what the server added. `None` if it is gone or cannot be read.
pub(in crate::cluster) async fn written(access: &Access, name: &Name) -> Option<Value> {
    let client = access.client().await.ok()?;
    let api: Api<NetworkPolicy> = Api::namespaced(client, &name.namespace);
    let policy = timeout(PATIENCE, api.get(&name.name)).await.ok()?.ok()?;
    let mut written = serde_json::to_value(policy).ok()?;
    let metadata = written.get_mut("metadata")?.as_object_mut()?;
    for added in [
        "creationTimestamp",
        "generation",
        "managedFields",
        "resourceVersion",
        "selfLink",
        "uid",
    ] {
        metadata.remove(added);
    }
    if let Some(Value::Object(annotations)) = metadata.get_mut("annotations") {
        annotations.remove("kubectl.kubernetes.io/last-applied-configuration");
        if annotations.is_empty() {
            metadata.remove("annotations");
        }
    }
    Some(written)
}
