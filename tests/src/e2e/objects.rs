//! What the test puts into the cluster: three namespaces of its own, pods that dial and listen, Services and policies.

use anyhow::{Context as _, Result, bail};
use k8s_openapi::api::core::v1::{Node, Pod};
use kube::api::ListParams;
use kube::{Api, ResourceExt as _};
use serde_json::{Value as Json, json};

use super::Options;
use super::cluster::Cluster;
use crate::chart::{self, Chart, Release};

/// Ports that the pods listen on.
pub(super) const PORT: u16 = 8080;
/// The Service's.
pub(super) const SERVICE_PORT: u16 = 80;

/// Where everything is.
#[derive(Clone, Debug)]
pub(super) struct Stage {
    /// The release's name, and the namespace of the agents.
    pub(super) agents: String,
    /// Namespace of the pods that dial.
    pub(super) shop: String,
    /// Namespace of the pods that are dialled.
    pub(super) backend: String,
    /// The node of the pods that dial.
    near: String,
    /// Another node, if there is one.
    far: Option<String>,
}

/// A pod that listens.
#[derive(Clone, Copy, Debug)]
pub(super) struct Listener {
    pub(super) name: &'static str,
    pub(super) app: &'static str,
    verb: &'static str,
    /// On the other node.
    far: bool,
}

const LISTENERS: &[Listener] = &[
    Listener {
        name: "web",
        app: "web",
        verb: "listen",
        far: false,
    },
    Listener {
        name: "web-far",
        app: "web",
        verb: "listen",
        far: true,
    },
    Listener {
        name: "guarded",
        app: "guarded",
        verb: "listen",
        far: false,
    },
    Listener {
        name: "guarded-far",
        app: "guarded",
        verb: "listen",
        far: true,
    },
    Listener {
        name: "busy",
        app: "busy",
        verb: "fill",
        far: false,
    },
];

/// Pods that dial: their app labels are their names.
pub(super) const CALLERS: &[&str] = &["caller", "locked"];

impl Stage {
    /// Chooses names that nobody has, and nodes.
    pub(super) async fn new(cluster: &Cluster, options: &Options) -> Result<Self> {
        let agents = ListParams::default().labels(observer::remote::AGENT_LABELS);
        let installed: Api<Pod> = Api::all(cluster.client.clone());
        if let Some(pod) = installed.list(&agents).await?.items.first() {
            let namespace = pod.namespace().unwrap_or_default();
            bail!(
                "agents are already installed in namespace {namespace}, and two on a node would want the same ports: uninstall them first"
            );
        }
        let nodes: Api<Node> = Api::all(cluster.client.clone());
        let mut nodes: Vec<String> = nodes
            .list(&ListParams::default())
            .await?
            .into_iter()
            .filter(takes_pods)
            .map(|node| node.name_any())
            .collect();
        nodes.sort();
        let mut nodes = nodes.into_iter();
        let run = format!("observer-e2e-{}", std::process::id());
        println!("images: {}, {}", options.image, options.peer_image);
        Ok(Self {
            shop: format!("{run}-shop"),
            backend: format!("{run}-backend"),
            agents: run,
            near: nodes.next().context("no node is ready for pods")?,
            far: nodes.next(),
        })
    }

    pub(super) fn nodes(&self) -> impl Iterator<Item = &str> {
        [Some(&self.near), self.far.as_ref()]
            .into_iter()
            .flatten()
            .map(String::as_str)
    }

    pub(super) fn near(&self) -> &str {
        &self.near
    }

    pub(super) fn has_far(&self) -> bool {
        self.far.is_some()
    }

    pub(super) fn namespaces(&self) -> [&str; 3] {
        [&self.shop, &self.backend, &self.agents]
    }

    /// The chart's objects; `more` are further values.
    pub(super) fn chart(&self, image: &str, more: &Json) -> Result<Vec<Json>> {
        let (repository, tag) = image
            .rsplit_once(':')
            .filter(|(_, tag)| !tag.contains('/'))
            .with_context(|| format!("the image {image} has no tag"))?;
        let release = Release {
            name: &self.agents,
            namespace: &self.agents,
            service: "cargo-xtask-e2e",
        };
        let mut values = json!({
            "createNamespace": true,
            "image": {"repository": repository, "tag": tag, "pullPolicy": "IfNotPresent"},
            // What failed has to be found in the log.
            "log": {"format": "text"},
        });
        for (name, value) in more.as_object().into_iter().flatten() {
            values[name] = value.clone();
        }
        let objects = Chart::read(&chart::folder())?.render(release, &values)?;
        Ok(objects.into_iter().map(|object| object.json).collect())
    }

    pub(super) fn listeners(&self) -> impl Iterator<Item = &'static Listener> {
        let far = self.has_far();
        LISTENERS.iter().filter(move |listener| far || !listener.far)
    }

    /// Namespaces, policies and Services; then pods, which find all of that there.
    pub(super) fn pods(&self, image: &str) -> Vec<Json> {
        let mut objects: Vec<Json> = [&self.shop, &self.backend]
            .into_iter()
            .map(|name| namespace(name))
            .collect();
        objects.extend([
            // Only friends may come, and only the egress of `locked` is closed. The third selects nothing.
            self.policy(&self.backend, "guard", "guarded", &json!({
                "policyTypes": ["Ingress"],
                "ingress": [{"from": [{"podSelector": {"matchLabels": {"role": "friend"}}, "namespaceSelector": {}}], "ports": [{"port": PORT}]}],
            })),
            self.policy(&self.shop, "lock", "locked", &json!({"policyTypes": ["Egress"]})),
            self.policy(&self.backend, "typo", "gaurded", &json!({"policyTypes": ["Ingress"]})),
            self.service("web", "web"),
            self.service("nobody", "nobody"),
        ]);
        for listener in self.listeners() {
            let node = if listener.far { self.far.as_ref() } else { None }.unwrap_or(&self.near);
            objects.push(pod(
                &self.backend,
                listener.name,
                listener.app,
                node,
                image,
                &[listener.verb, &PORT.to_string()],
            ));
        }
        for &caller in CALLERS {
            // It has to be there to dial from it; that it listens as well harms nobody.
            objects.push(pod(
                &self.shop,
                caller,
                caller,
                &self.near,
                image,
                &["listen", &PORT.to_string()],
            ));
        }
        objects
    }

    fn policy(&self, namespace: &str, name: &str, app: &str, rest: &Json) -> Json {
        let mut spec = rest.clone();
        spec["podSelector"] = json!({"matchLabels": {"app": app}});
        json!({
            "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
            "metadata": {"name": name, "namespace": namespace}, "spec": spec,
        })
    }

    fn service(&self, name: &str, app: &str) -> Json {
        json!({
            "apiVersion": "v1", "kind": "Service",
            "metadata": {"name": name, "namespace": self.backend},
            "spec": {"selector": {"app": app}, "ports": [{"port": SERVICE_PORT, "targetPort": PORT}]},
        })
    }
}

fn takes_pods(node: &Node) -> bool {
    let schedulable = node.spec.as_ref().and_then(|spec| spec.unschedulable) != Some(true);
    let conditions = node.status.as_ref().and_then(|status| status.conditions.as_ref());
    schedulable && conditions.is_some_and(|all| all.iter().any(|it| it.type_ == "Ready" && it.status == "True"))
}

pub(super) fn namespace(name: &str) -> Json {
    json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
}

fn pod(namespace: &str, name: &str, app: &str, node: &str, image: &str, arguments: &[&str]) -> Json {
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace, "labels": {"app": app}},
        "spec": {
            "nodeSelector": {"kubernetes.io/hostname": node},
            "tolerations": [{"operator": "Exists"}],
            "terminationGracePeriodSeconds": 0,
            "automountServiceAccountToken": false,
            "containers": [{
                "name": "peer", "image": image, "imagePullPolicy": "IfNotPresent", "args": arguments,
                "securityContext": {
                    "runAsUser": 65532, "runAsNonRoot": true, "allowPrivilegeEscalation": false,
                    "readOnlyRootFilesystem": true, "capabilities": {"drop": ["ALL"]},
                    "seccompProfile": {"type": "RuntimeDefault"},
                },
            }],
        },
    })
}
