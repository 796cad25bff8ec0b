//! Finds the agents of a cluster, and its nodes, and follows both.

use std::collections::{BTreeMap, BTreeSet};
use std::pin::Pin;

use futures_util::{Stream, StreamExt as _};
use k8s_openapi::api::core::v1::{Namespace, Node, Pod};
use kube::api::{ListParams, PartialObjectMeta};
use kube::runtime::watcher::{self, Event};
use kube::runtime::{WatchStreamExt as _, watcher as watch};
use kube::{Api, Client, ResourceExt as _};

use super::error::Error;
use super::roster::AgentPod;
use crate::cluster::reason;
use crate::objects::Str;

/// The labels of the agents' pods.
pub const AGENT_LABELS: &str = "app.kubernetes.io/name=observer,app.kubernetes.io/component=agent";

/// Where they are if nobody says otherwise.
pub const AGENT_NAMESPACE: &str = "observer";

/// The name of the container port, and the port of an agent that does not name it.
const PORT: (&str, u16) = ("grpc", 4245);

/// What was found; always all of it.
#[derive(Debug)]
pub(super) enum Found {
    Pods(Vec<AgentPod>),
    Nodes(BTreeSet<Str>),
    /// The API server is not asked with success now; what was found before holds.
    Trouble(String),
    /// It was, but is again.
    Well,
}

/// Follows pods and nodes.
pub(super) struct Finder {
    pods: Events<Pod>,
    nodes: Option<Events<PartialObjectMeta<Node>>>,
    agents: Table<AgentPod>,
    all: Table<Str>,
    trouble: Trouble,
}

type Events<K> = Pin<Box<dyn Stream<Item = watcher::Result<Event<K>>> + Send>>;

impl Finder {
    /// Looks once, so that what is wrong is said at once, then follows. The nodes are `None` where they may not be listed.
    ///
    /// # Errors
    ///
    /// Nobody answers, nobody may ask, or there are no agents.
    pub(super) async fn start(
        client: &Client,
        namespace: &str,
    ) -> Result<(Self, Vec<AgentPod>, Option<BTreeSet<Str>>), Error> {
        let pods: Api<Pod> = Api::namespaced(client.clone(), namespace);
        let listed = pods
            .list(&labelled())
            .await
            .map_err(|error| Error::api(error, namespace))?;
        let agents: Vec<AgentPod> = listed.iter().filter_map(agent).collect();
        if agents.is_empty() {
            return Err(Error::NoAgents {
                namespace: namespace.into(),
                elsewhere: elsewhere(client, namespace).await,
            });
        }
        let nodes: Api<PartialObjectMeta<Node>> = Api::all(client.clone());
        // Whoever may reach the agents may not be allowed to list nodes; then only nodes with agents are known.
        let names = nodes.list(&ListParams::default()).await.ok();
        let names = names.map(|list| list.iter().map(|node| node.name_any().into()).collect());
        let config = watcher::Config::default();
        let finder = Self {
            pods: watch(pods, config.clone().labels(AGENT_LABELS))
                .default_backoff()
                .boxed(),
            nodes: names.is_some().then(|| watch(nodes, config).default_backoff().boxed()),
            agents: Table::default(),
            all: Table::default(),
            trouble: Trouble::default(),
        };
        Ok((finder, agents, names))
    }

    /// What is there now, whenever that changes.
    pub(super) async fn next(&mut self) -> Found {
        loop {
            if self.trouble.is_over() {
                return Found::Well;
            }
            let nodes = async {
                match &mut self.nodes {
                    Some(nodes) => nodes.next().await,
                    None => std::future::pending().await,
                }
            };
            // The watches never end.
            let found = tokio::select! {
                Some(event) = self.pods.next() => match event {
                    Ok(event) => {
                        self.trouble.heard(Watched::Pods, &event);
                        self.agents.take(event, agent).then(|| Found::Pods(self.agents.values()))
                    }
                    Err(error) => self.trouble.failed(Watched::Pods, &error).map(Found::Trouble),
                },
                Some(event) = nodes => match event {
                    Ok(event) => {
                        self.trouble.heard(Watched::Nodes, &event);
                        let name = |node: &PartialObjectMeta<Node>| Some(Str::from(node.name_any()));
                        self.all.take(event, name).then(|| Found::Nodes(self.all.values().into_iter().collect()))
                    }
                    Err(error) => self.trouble.failed(Watched::Nodes, &error).map(Found::Trouble),
                },
            };
            if let Some(found) = found {
                return found;
            }
        }
    }
}

/// What is followed.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Watched {
    Pods,
    Nodes,
}

/// What is not followed now, and why. The same trouble is told once, until it is over.
#[derive(Debug, Default)]
struct Trouble {
    of: BTreeMap<Watched, String>,
    told: bool,
}

impl Trouble {
    /// A watch failed; gives what is to be told.
    fn failed(&mut self, watched: Watched, error: &watcher::Error) -> Option<String> {
        // That it was away for too long to go on: it lists anew by itself.
        if matches!(error, watcher::Error::WatchError(status) if status.code == 410) {
            return None;
        }
        let text = reason(error);
        let new = self.of.values().all(|known| *known != text);
        self.of.insert(watched, text.clone());
        self.told = true;
        new.then_some(text)
    }

    /// A watch told something: it works, unless it only said that it would ask.
    fn heard<K>(&mut self, watched: Watched, event: &Event<K>) {
        if !matches!(event, Event::Init) {
            self.of.remove(&watched);
        }
    }

    /// Whether what was told is over; said once.
    fn is_over(&mut self) -> bool {
        self.of.is_empty() && std::mem::take(&mut self.told)
    }
}

/// What a watch has told of all objects of a kind.
#[derive(Debug)]
struct Table<T> {
    /// By name.
    known: BTreeMap<String, T>,
    /// A new list that is not complete.
    coming: Option<BTreeMap<String, T>>,
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self {
            known: BTreeMap::new(),
            coming: None,
        }
    }
}

impl<T: Clone> Table<T> {
    /// Whether what is known is complete and may have changed.
    fn take<K: kube::Resource>(&mut self, event: Event<K>, read: impl Fn(&K) -> Option<T>) -> bool {
        match event {
            Event::Init => self.coming = Some(BTreeMap::new()),
            Event::InitApply(object) => {
                let value = read(&object);
                self.coming
                    .get_or_insert_default()
                    .extend(value.map(|value| (object.name_any(), value)));
            }
            Event::InitDone => self.known = self.coming.take().unwrap_or_default(),
            Event::Apply(object) => match read(&object) {
                Some(value) => drop(self.known.insert(object.name_any(), value)),
                None => drop(self.known.remove(&object.name_any())),
            },
            Event::Delete(object) => drop(self.known.remove(&object.name_any())),
        }
        self.coming.is_none()
    }

    fn values(&self) -> Vec<T> {
        self.known.values().cloned().collect()
    }
}

fn labelled() -> ListParams {
    ListParams::default().labels(AGENT_LABELS)
}

/// Those of the namespaces that do not exist, as far as that may be asked.
pub(super) async fn absent(client: &Client, names: impl Iterator<Item = &str>) -> Vec<String> {
    let all: Api<Namespace> = Api::all(client.clone());
    let mut absent = Vec::new();
    for name in names {
        if let Ok(None) = all.get_metadata_opt(name).await {
            absent.push(name.to_owned());
        }
    }
    absent
}

/// The namespaces that have agents where `namespace` has none; empty also where nobody may ask.
async fn elsewhere(client: &Client, namespace: &str) -> Vec<String> {
    let all: Api<Pod> = Api::all(client.clone());
    let Ok(pods) = all.list_metadata(&labelled()).await else {
        return Vec::new();
    };
    let namespaces: BTreeSet<String> = pods.iter().filter_map(kube::ResourceExt::namespace).collect();
    namespaces.into_iter().filter(|other| other != namespace).collect()
}

/// The agent that a pod is; `None` until it has a node, and when it is over.
fn agent(pod: &Pod) -> Option<AgentPod> {
    let spec = pod.spec.as_ref()?;
    let status = pod.status.as_ref();
    let phase = status.and_then(|status| status.phase.as_deref()).unwrap_or("Pending");
    if matches!(phase, "Succeeded" | "Failed") {
        return None;
    }
    let ports = spec
        .containers
        .iter()
        .flat_map(|container| container.ports.iter().flatten());
    let port = ports.into_iter().find(|port| port.name.as_deref() == Some(PORT.0));
    let port = port
        .and_then(|port| u16::try_from(port.container_port).ok())
        .unwrap_or(PORT.1);
    let conditions = status
        .and_then(|status| status.conditions.as_ref())
        .into_iter()
        .flatten();
    let ready = conditions
        .into_iter()
        .any(|condition| condition.type_ == "Ready" && condition.status == "True");
    let waiting = || {
        let mut containers = status?.container_statuses.iter().flatten();
        containers.find_map(|container| container.state.as_ref()?.waiting.as_ref()?.reason.clone())
    };
    // What every pod goes through is one state here.
    let waiting = || waiting().filter(|reason| !matches!(reason.as_str(), "ContainerCreating" | "PodInitializing"));
    Some(AgentPod {
        name: pod.name_any().into(),
        node: spec.node_name.as_deref()?.into(),
        port,
        unready: (!ready).then(|| waiting().unwrap_or_else(|| "it starts".into())),
        ending: pod.metadata.deletion_timestamp.is_some(),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn pod(spec: &Value, status: &Value) -> Pod {
        let pod = json!({"metadata": {"name": "observer-x"}, "spec": spec, "status": status});
        serde_json::from_value(pod).expect("a pod")
    }

    #[test]
    fn a_pod_is_an_agent_from_its_node_on_until_it_is_over() {
        let ready = json!({"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]});
        let spec = json!({"nodeName": "a", "containers": [{"name": "agent", "ports": [
            {"name": "metrics", "containerPort": 9645}, {"name": "grpc", "containerPort": 4300},
        ]}]});
        let expect = AgentPod {
            name: "observer-x".into(),
            node: "a".into(),
            port: 4300,
            unready: None,
            ending: false,
        };
        assert_eq!(agent(&pod(&spec, &ready)), Some(expect));
        let bare = json!({"nodeName": "a", "containers": [{"name": "agent"}]});
        let waiting = json!({"phase": "Pending", "containerStatuses": [{
            "name": "agent", "ready": false, "restartCount": 3, "image": "", "imageID": "",
            "state": {"waiting": {"reason": "CrashLoopBackOff"}},
        }]});
        let unready = agent(&pod(&bare, &waiting)).expect("an agent");
        assert_eq!(
            (unready.port, unready.unready.as_deref()),
            (4245, Some("CrashLoopBackOff"))
        );
        let unready = agent(&pod(&bare, &json!({"phase": "Running"}))).expect("an agent");
        assert_eq!(unready.unready.as_deref(), Some("it starts"));
        assert_eq!(agent(&pod(&json!({"containers": []}), &ready)), None);
        assert_eq!(agent(&pod(&bare, &json!({"phase": "Failed"}))), None);
    }

    #[test]
    fn trouble_is_told_once_until_it_is_over() {
        let status = |code| kube::core::Status::failure("no", "").with_code(code).boxed();
        let broken = || watcher::Error::WatchFailed(kube::Error::Api(status(500)));
        let mut trouble = Trouble::default();
        assert!(!trouble.is_over(), "there was none");
        assert!(trouble.failed(Watched::Pods, &broken()).is_some());
        assert_eq!(trouble.failed(Watched::Nodes, &broken()), None, "the same");
        trouble.heard(Watched::Pods, &Event::<Pod>::Init);
        trouble.heard(Watched::Nodes, &Event::<Pod>::InitDone);
        assert!(!trouble.is_over(), "pods are only asked for");
        trouble.heard(Watched::Pods, &Event::<Pod>::InitDone);
        assert!(trouble.is_over());
        assert!(!trouble.is_over(), "it is said once");
        assert!(trouble.failed(Watched::Pods, &broken()).is_some(), "new again");
    }

    #[test]
    fn that_a_watch_begins_anew_is_no_trouble() {
        let gone = kube::core::Status::failure("too old resource version", "Expired").with_code(410);
        let mut trouble = Trouble::default();
        assert_eq!(
            trouble.failed(Watched::Pods, &watcher::Error::WatchError(gone.boxed())),
            None
        );
        assert!(!trouble.is_over());
    }

    #[test]
    fn a_new_list_leaves_out_what_is_gone() {
        let named = |name: &str| -> Pod { serde_json::from_value(json!({"metadata": {"name": name}})).expect("a pod") };
        let name = |pod: &Pod| Some(pod.name_any());
        let mut table = Table::default();
        assert!(table.take(Event::Apply(named("a")), name));
        assert!(!table.take(Event::Init, name));
        assert!(!table.take(Event::InitApply(named("b")), name));
        assert_eq!(table.values(), ["a"]);
        assert!(table.take(Event::<Pod>::InitDone, name));
        assert_eq!(table.values(), ["b"]);
        assert!(table.take(Event::Delete(named("b")), name));
        assert!(table.values().is_empty());
    }
}
