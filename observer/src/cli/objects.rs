//! Where the verbs that need no traffic read the cluster's objects: manifests, or a cluster as it is now.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;

use crate::cluster::{Access, Snapshot};

/// Without any of these: the current kubeconfig's cluster.
#[derive(Args, Debug)]
pub(super) struct ObjectFlags {
    /// Read the cluster's objects from this folder or file (repeatable), instead of from a cluster
    #[arg(long, value_name = "PATH", conflicts_with_all = ["kubeconfig", "context"])]
    manifests: Vec<PathBuf>,

    /// As kubectl's: this file instead of KUBECONFIG, ~/.kube/config or the pod's service account
    #[arg(long, value_name = "PATH")]
    kubeconfig: Option<PathBuf>,

    /// As kubectl's: this context instead of the current one
    #[arg(long, value_name = "NAME")]
    context: Option<String>,
}

impl ObjectFlags {
    /// Reads them; `paths` are more manifests.
    ///
    /// # Errors
    /// Everything that is wrong with the manifests; a cluster that is not named or does not answer.
    pub(super) fn read(&self, paths: &[PathBuf]) -> Result<Snapshot> {
        let manifests: Vec<PathBuf> = paths.iter().chain(&self.manifests).cloned().collect();
        if !manifests.is_empty() {
            return Ok(Snapshot::read(&manifests)?);
        }
        let access = Access {
            kubeconfig: self.kubeconfig.clone(),
            context: self.context.clone(),
        };
        Ok(Snapshot::of_cluster(access)?)
    }
}
