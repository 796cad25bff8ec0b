//! Where a command's objects come from, behind one face: a folder of manifests, the Kubernetes API, or nowhere.
//!
//! ```text
//! Origin (what the flags say) → Source::open → Loaded, then next() → Update, Update, …
//! ```

use std::future::pending;
use std::path::PathBuf;

use thiserror::Error;

use super::kube::{Access, AccessError, Cluster, Health, Timing};
use super::problem::Errors;
use super::watch::{Loaded, Manifests, Update};

/// Where objects are read, as the user said.
#[derive(Clone, Debug, Default)]
pub enum Origin {
    /// Nowhere: attempts are shown by address, and no policy is judged.
    #[default]
    Nowhere,
    /// These files or folders.
    Manifests(Vec<PathBuf>),
    /// This cluster.
    Cluster(Access),
}

/// Where objects come from, followed until this is dropped.
#[derive(Debug)]
pub enum Source {
    /// Nowhere.
    Nowhere,
    /// A folder of manifests.
    Manifests(Manifests),
    /// The Kubernetes API.
    Cluster(Cluster),
}

/// Why objects cannot be read.
#[derive(Debug, Error)]
pub enum OpenError {
    /// The manifests are not valid.
    #[error(transparent)]
    Manifests(#[from] Errors),
    /// No cluster is named, or there is no way to it.
    #[error(transparent)]
    Cluster(#[from] AccessError),
}

impl Source {
    /// Begins to follow, and gives what is known at once: of manifests everything, of a cluster nothing, which comes with the
    /// first update.
    ///
    /// # Errors
    /// What is wrong with the manifests or the kubeconfig. That a cluster does not answer is told by updates.
    pub async fn open(origin: &Origin) -> Result<(Self, Loaded), OpenError> {
        match origin {
            Origin::Nowhere => Ok((Self::Nowhere, Loaded::default())),
            Origin::Manifests(paths) => {
                let (manifests, loaded) = Manifests::load(paths)?;
                Ok((Self::Manifests(manifests), loaded))
            }
            Origin::Cluster(access) => {
                let (cluster, loaded) = Cluster::open(access, Timing::default()).await?;
                Ok((Self::Cluster(cluster), loaded))
            }
        }
    }

    /// The next update; never returns if there will be none. Cancel-safe: an update that was not returned is returned by the
    /// next call.
    pub async fn next(&mut self) -> Update {
        match self {
            Self::Nowhere => pending().await,
            Self::Manifests(manifests) => manifests.next().await,
            Self::Cluster(cluster) => cluster.next().await,
        }
    }

    /// How well the cluster is known now; `None` where the objects do not come from one.
    #[must_use]
    pub fn health(&self) -> Option<Health> {
        match self {
            Self::Nowhere | Self::Manifests(_) => None,
            Self::Cluster(cluster) => Some(cluster.health()),
        }
    }
}
