//! Which cluster, and the client to it: the one place that opens one. As `kubectl` chooses: `--kubeconfig`, else the files of
//! `KUBECONFIG`, else `~/.kube/config`, else the service account of the pod that we run in.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use kube::config::{InClusterError, KubeConfigOptions, Kubeconfig, KubeconfigError};
use kube::{Client, Config};
use thiserror::Error;

/// Which cluster is meant, as the user said.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Access {
    /// `--kubeconfig`: this file and no other.
    pub kubeconfig: Option<PathBuf>,
    /// `--context`: not the current one.
    pub context: Option<String>,
}

/// Why there is no client.
#[derive(Debug, Error)]
pub enum AccessError {
    /// No kubeconfig, and not in a pod.
    #[error(
        "no cluster is known: give --kubeconfig PATH, set KUBECONFIG, or write {}; or give --manifests PATH for objects from files",
        .home.display()
    )]
    Nowhere {
        /// Where a kubeconfig would have been found.
        home: PathBuf,
    },
    /// A kubeconfig that cannot be read.
    #[error("the kubeconfig {} cannot be used: {source}", .file.display())]
    File {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        source: KubeconfigError,
    },
    /// The context does not exist.
    #[error("there is no context {name:?} in {from}: choose one of {known}")]
    NoContext {
        /// The context that was asked for, or is the current one.
        name: String,
        /// The files.
        from: String,
        /// The contexts that exist.
        known: String,
    },
    /// No context was asked for, and none is current.
    #[error("no context is current in {from}: give --context, one of {known}")]
    NoCurrentContext {
        /// The files.
        from: String,
        /// The contexts that exist.
        known: String,
    },
    /// A context was asked for and there is no kubeconfig.
    #[error("--context needs a kubeconfig: give --kubeconfig PATH or set KUBECONFIG")]
    ContextInPod,
    /// What the context names is missing or wrong.
    #[error("the context of {from} cannot be used: {source}")]
    Context {
        /// The files.
        from: String,
        /// What is wrong.
        source: KubeconfigError,
    },
    /// The pod's service account cannot be read.
    #[error(
        "the service account of this pod cannot be used: {0}; set automountServiceAccountToken, or give --kubeconfig PATH"
    )]
    InPod(#[source] InClusterError),
    /// There is no thread or runtime for it.
    #[error("the cluster cannot be followed ({0}): allow more threads and files")]
    NoThread(#[source] std::io::Error),
    /// The certificates, the proxy or the credentials' plugin are of no use.
    #[error("no client for the cluster can be made: {0}")]
    Client(#[source] Box<kube::Error>),
}

impl Access {
    /// Where the API is and who we are there.
    ///
    /// # Errors
    /// What is missing or wrong, and where.
    pub async fn config(&self) -> Result<Config, AccessError> {
        let home = std::env::home_dir().unwrap_or_default().join(".kube").join("config");
        match self.kubeconfig(std::env::var_os("KUBECONFIG"), &home)? {
            Some((kubeconfig, from)) => self.of(kubeconfig, from).await,
            None if std::env::var_os("KUBERNETES_SERVICE_HOST").is_none() => Err(AccessError::Nowhere { home }),
            None if self.context.is_some() => Err(AccessError::ContextInPod),
            None => Config::incluster().map_err(AccessError::InPod),
        }
    }

    /// A client. It belongs to the runtime that this is called in.
    ///
    /// # Errors
    /// What is missing or wrong. That nobody answers is none: it is told by the first request.
    pub async fn client(&self) -> Result<Client, AccessError> {
        let mut config = self.config().await?;
        // Who asks again decides when.
        config.default_retry = false;
        Client::try_from(config).map_err(|error| AccessError::Client(Box::new(error)))
    }

    /// The kubeconfig, and the names of its files; `None` where there is none.
    fn kubeconfig(&self, variable: Option<OsString>, home: &Path) -> Result<Option<(Kubeconfig, String)>, AccessError> {
        let files: Vec<PathBuf> = match (&self.kubeconfig, variable) {
            (Some(file), _) => vec![file.clone()],
            // As kubectl: a file that is not there has nothing to say.
            (None, Some(list)) if !list.is_empty() => {
                std::env::split_paths(&list).filter(|file| file.exists()).collect()
            }
            (None, _) => vec![home.to_owned()].into_iter().filter(|file| file.exists()).collect(),
        };
        let mut merged: Option<Kubeconfig> = None;
        for file in &files {
            let failed = |source| AccessError::File {
                file: file.clone(),
                source,
            };
            let next = Kubeconfig::read_from(file).map_err(failed)?;
            merged = Some(merged.unwrap_or_default().merge(next).map_err(failed)?);
        }
        let names: Vec<_> = files.iter().map(|file| file.display().to_string()).collect();
        Ok(merged.map(|kubeconfig| (kubeconfig, names.join(", "))))
    }

    async fn of(&self, kubeconfig: Kubeconfig, from: String) -> Result<Config, AccessError> {
        let names: Vec<_> = kubeconfig.contexts.iter().map(|context| &*context.name).collect();
        let known = if names.is_empty() {
            "none, since it has no contexts".to_owned()
        } else {
            names.join(", ")
        };
        let options = KubeConfigOptions {
            context: self.context.clone(),
            ..KubeConfigOptions::default()
        };
        let failed = |source| match source {
            KubeconfigError::CurrentContextNotSet => AccessError::NoCurrentContext { from, known },
            KubeconfigError::LoadContext(name) => AccessError::NoContext { name, from, known },
            source => AccessError::Context { from, source },
        };
        Config::from_custom_kubeconfig(kubeconfig, &options)
            .await
            .map_err(failed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLUSTERS: &str = "
apiVersion: v1
kind: Config
clusters: [{name: home, cluster: {server: 'http://127.0.0.1:1'}}, {name: away, cluster: {server: 'http://127.0.0.1:2'}}]
contexts: [{name: home, context: {cluster: home}}]
";
    const CONTEXTS: &str = "
apiVersion: v1
kind: Config
current-context: away
contexts: [{name: home, context: {cluster: away}}, {name: away, context: {cluster: away, namespace: shop}}]
";

    fn write(folder: &Path, name: &str, text: &str) -> PathBuf {
        let path = folder.join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    /// The server and namespace, or the error's text without the folder.
    async fn check(access: Access, variable: Option<OsString>, folder: &Path) -> String {
        let home = folder.join("home");
        let config = match access.kubeconfig(variable, &home) {
            Ok(Some((kubeconfig, from))) => access.of(kubeconfig, from).await,
            Ok(None) => return "none".into(),
            Err(error) => Err(error),
        };
        match config {
            Ok(config) => format!("{} {}", config.cluster_url, config.default_namespace),
            Err(error) => error.to_string().replace(&format!("{}/", folder.display()), ""),
        }
    }

    #[tokio::test]
    async fn the_kubeconfig_is_found_as_kubectl_finds_it() {
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path();
        let none = || None::<OsString>;
        assert_eq!(check(Access::default(), none(), at).await, "none");
        let clusters = write(at, "clusters", CLUSTERS);
        let contexts = write(at, "contexts", CONTEXTS);
        let gone = at.join("gone");
        let list = |files: &[&PathBuf]| Some(std::env::join_paths(files).unwrap());
        // The first file that says something wins; one that is not there says nothing.
        assert_eq!(
            check(Access::default(), list(&[&gone, &clusters, &contexts]), at).await,
            "http://127.0.0.1:2/ shop"
        );
        let context = |name: &str| Access {
            context: Some(name.to_owned()),
            ..Access::default()
        };
        assert_eq!(
            check(context("home"), list(&[&clusters, &contexts]), at).await,
            "http://127.0.0.1:1/ default"
        );
        assert_eq!(
            check(context("home"), list(&[&contexts, &clusters]), at).await,
            "http://127.0.0.1:2/ default"
        );
        // The flag leaves out the variable and the file at home.
        write(at, "home", CONTEXTS);
        let file = |file: &PathBuf| Access {
            kubeconfig: Some(file.clone()),
            ..Access::default()
        };
        assert_eq!(
            check(file(&clusters), list(&[&contexts]), at).await,
            "no context is current in clusters: give --context, one of home"
        );
        assert_eq!(
            check(context("lost"), list(&[&clusters, &contexts]), at).await,
            "there is no context \"lost\" in clusters, contexts: choose one of home, away"
        );
        assert_eq!(
            check(Access::default(), none(), at).await,
            "the context of home cannot be used: failed to load the cluster of context: away"
        );
        let missing = check(file(&gone), none(), at).await;
        assert!(missing.starts_with("the kubeconfig gone cannot be used: "), "{missing}");
        let bad = write(at, "bad", "clusters: [");
        let refused = check(file(&bad), none(), at).await;
        assert!(
            refused.starts_with("the kubeconfig bad cannot be used: failed to parse"),
            "{refused}"
        );
    }
}
