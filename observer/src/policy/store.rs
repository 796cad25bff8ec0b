//! The policies, namespaces and pods by time, and which of them changed when.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use ipnetwork::IpNetwork;

use super::Undecidable;
use super::closeness::{NAMESPACE_NAME, Seen};
use super::cluster_policies::ClusterPolicies;
use super::compiled::{Face, Tags};
use super::nodes::Nodes;
use super::roster::Roster;
use super::space::{Held, Shared, Space};
use super::terms::{LabelSet, Terms};
use crate::objects::{
    Change, ClusterPolicy, ClusterPolicyKind, Kind, Labels, Name, Namespace, NetworkPolicy, Node, Object, Peer, Pod,
    Scope, Str, Versioned,
};
use crate::time::Time;

/// What is not in the objects.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Config {
    /// How long a change may take to reach the nodes. Within it, an answer that the change turns is undecidable. Zero: the
    /// newest objects are in force at once.
    pub window: Duration,
    /// How far back a policy's change is told with a verdict.
    pub recent: Duration,
    /// So many of the rules that do not match are told with a verdict, in each direction; the others are counted.
    pub misses: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            window: Duration::from_secs(3),
            recent: Duration::from_secs(600),
            misses: usize::MAX,
        }
    }
}

/// Everything that a verdict depends on, by time. It has one owner, which applies changes in the order of their times.
#[derive(Debug, Default)]
pub struct Policies {
    pub(super) config: Config,
    /// Namespace → its policies and pods. Written by [`Self::apply`]; deleted by [`Self::prune`] when it has neither.
    pub(super) spaces: HashMap<Str, Space>,
    /// The pods of `spaces` as they are now. Written by [`Self::apply`], deleted with the pod.
    roster: Roster,
    /// The policies of the tiers around the NetworkPolicies.
    pub(super) cluster: ClusterPolicies,
    /// The numbers of labels in `spaces` and `cluster`.
    terms: Terms,
    /// Namespace objects by name and time.
    pub(super) namespaces: Versioned<Str, Arc<Namespace>>,
    /// Nodes by name and time.
    pub(super) nodes: Nodes,
    /// Pods by name and time; a new version only where the labels changed.
    pub(super) pods: Versioned<Name, Arc<Pod>>,
    /// The cluster addresses of Service `default/kubernetes`, as they are now: for recognising a rule that names them.
    pub(super) api_server: Vec<IpAddr>,
    /// What changed while running, oldest first. Grows with changes, cut by [`Self::prune`].
    pub(super) log: VecDeque<(Time, Touched)>,
    /// What could not be read, and when.
    doubts: Vec<Doubt>,
    /// An object of any kind was ever known.
    any: bool,
}

/// So many numbers of labels may be unused before they are given anew.
const SPARE_TERMS: usize = 10_000;

/// What a change may have concerned.
#[derive(Clone, Debug)]
pub(super) enum Touched {
    /// A policy of this namespace.
    PoliciesOf(Str),
    /// This namespace's labels.
    Namespace(Str),
    /// This pod's labels.
    Pod(Name),
    /// A cluster-wide policy.
    ClusterPolicies,
    /// A node's labels or addresses.
    Nodes,
}

/// Whether a Service is the one that every cluster has for its API server.
fn is_api_server(service: &Name) -> bool {
    &*service.namespace == "default" && &*service.name == "kubernetes"
}

#[derive(Debug)]
struct Doubt {
    why: Undecidable,
    scope: Scope,
    from: Time,
    until: Option<Time>,
}

impl Policies {
    /// Nothing is known yet: every answer is `undecidable`.
    #[must_use]
    pub fn new(config: Config) -> Self {
        Self {
            config,
            ..Self::default()
        }
    }

    /// Applies a change as of `at`; [`Time::BEGINNING`] for what the first load brought. Times must not go back.
    pub fn apply(&mut self, change: &Change, at: Time) {
        let at = self.log.back().map_or(at, |(last, _)| at.max(*last));
        match change {
            Change::Set(object) => {
                self.any = true;
                match object {
                    Object::NetworkPolicy(policy) => self.set_policy(policy, at),
                    Object::Namespace(namespace) => self.set_namespace(namespace, at),
                    Object::Pod(pod) => self.set_pod(pod, at),
                    Object::ClusterPolicy(policy) => self.set_cluster_policy(policy, at),
                    Object::Node(node) => self.set_node(node, at),
                    Object::Service(service) if is_api_server(&service.name) => {
                        self.api_server.clone_from(&service.cluster_ips);
                    }
                    Object::Service(_) | Object::EndpointSlice(_) => {}
                }
            }
            Change::Remove(Kind::NetworkPolicy, name) => self.remove_policy(name, at),
            Change::Remove(Kind::Namespace, name) => {
                self.namespaces.remove(name.name.clone(), at);
                self.namespace_changed(&name.name, at);
            }
            Change::Remove(Kind::Pod, name) => self.remove_pod(name, at),
            Change::Remove(Kind::ClusterNetworkPolicy, name) => {
                self.remove_cluster_policy(ClusterPolicyKind::Cluster, &name.name, at);
            }
            Change::Remove(Kind::AdminNetworkPolicy, name) => {
                self.remove_cluster_policy(ClusterPolicyKind::Admin, &name.name, at);
            }
            Change::Remove(Kind::BaselineAdminNetworkPolicy, name) => {
                self.remove_cluster_policy(ClusterPolicyKind::Baseline, &name.name, at);
            }
            Change::Remove(Kind::Node, name) => {
                self.nodes.remove(&name.name, at);
                self.touched(at, Touched::Nodes);
            }
            Change::Remove(Kind::Service, name) if is_api_server(name) => self.api_server.clear(),
            Change::Remove(Kind::Service | Kind::EndpointSlice, _) => {}
            Change::Unsynced => self.begin_doubt(Undecidable::NotSynced, &Scope::Everything, at),
            Change::Synced => self.end_doubt(&Undecidable::NotSynced, at),
            // How old the view is goes beyond the policies: `world` knows.
            Change::Unheard { .. } | Change::Heard => {}
            Change::Doubt { source, scope } => {
                self.begin_doubt(Undecidable::ObjectsInDoubt { source: source.clone() }, scope, at);
            }
            Change::Clear { source } => self.end_doubt(&Undecidable::ObjectsInDoubt { source: source.clone() }, at),
            Change::Foreign { policy, scope } => {
                self.begin_doubt(Undecidable::ForeignPolicy { policy: policy.clone() }, scope, at);
            }
            Change::ForeignGone { policy } => {
                self.end_doubt(&Undecidable::ForeignPolicy { policy: policy.clone() }, at);
            }
        }
    }

    /// Forgets what no question of `before` or later can need.
    pub fn prune(&mut self, before: Time) {
        let told = before - self.config.recent.max(self.config.window);
        self.spaces.retain(|_, space| space.prune(told));
        self.cluster.prune(told);
        let before = before - self.config.window;
        self.namespaces.prune(before);
        self.nodes.prune(before);
        self.pods.prune(before);
        while self.log.front().is_some_and(|(at, _)| *at < before) {
            self.log.pop_front();
        }
        self.doubts
            .retain(|doubt| doubt.until.is_none_or(|until| until > before));
        if self.has_many_spare_terms() {
            self.renumber();
        }
    }

    fn set_policy(&mut self, policy: &Arc<NetworkPolicy>, at: Time) {
        let (space, mut shared) = self.space(&policy.name.namespace);
        if space.set_policy(policy, &mut shared, at) {
            self.touched(at, Touched::PoliciesOf(policy.name.namespace.clone()));
        }
    }

    fn remove_policy(&mut self, name: &Name, at: Time) {
        let space = self.spaces.get_mut(&name.namespace);
        if space.is_some_and(|space| space.remove_policy(&name.name, &mut self.roster, at)) {
            self.touched(at, Touched::PoliciesOf(name.namespace.clone()));
        }
    }

    fn set_cluster_policy(&mut self, policy: &Arc<ClusterPolicy>, at: Time) {
        if self.cluster.set(policy, &mut self.terms, &mut self.roster, at) {
            self.touched(at, Touched::ClusterPolicies);
        }
    }

    fn remove_cluster_policy(&mut self, kind: ClusterPolicyKind, name: &str, at: Time) {
        if self.cluster.remove(kind, name, &mut self.roster, at) {
            self.touched(at, Touched::ClusterPolicies);
        }
    }

    fn set_node(&mut self, node: &Arc<Node>, at: Time) {
        if self.nodes.set(node, at) {
            self.touched(at, Touched::Nodes);
        }
    }

    fn set_namespace(&mut self, namespace: &Arc<Namespace>, at: Time) {
        let last = self.namespaces.latest(&namespace.name);
        if last.is_some_and(|last| last.labels == namespace.labels) {
            return;
        }
        self.namespaces.set(namespace.name.clone(), namespace.clone(), at);
        self.namespace_changed(&namespace.name, at);
    }

    fn namespace_changed(&mut self, name: &Str, at: Time) {
        if let Some(space) = self.spaces.get_mut(name) {
            let labels = namespace_labels(&self.namespaces, &mut self.terms, name);
            let mut shared = Shared {
                terms: &mut self.terms,
                roster: &mut self.roster,
                cluster: &self.cluster,
            };
            space.relabel(labels, at, &mut shared);
        }
        self.touched(at, Touched::Namespace(name.clone()));
    }

    fn set_pod(&mut self, pod: &Arc<Pod>, at: Time) {
        let (space, mut shared) = self.space(&pod.name.namespace);
        space.set_pod(pod, &mut shared, at);
        match self.pods.latest(&pod.name) {
            Some(last) if last.uid == pod.uid && last.labels == pod.labels => {}
            Some(last) if last.uid == pod.uid => {
                self.pods.set(pod.name.clone(), pod.clone(), at);
                self.touched(at, Touched::Pod(pod.name.clone()));
            }
            // A new pod has no earlier labels that could still be in force.
            _ => self.pods.set(pod.name.clone(), pod.clone(), at),
        }
    }

    fn remove_pod(&mut self, name: &Name, at: Time) {
        // A pod that is gone has no labels to differ from: attempts of its last moments carry it.
        self.pods.remove(name.clone(), at);
        if let Some(space) = self.spaces.get_mut(&name.namespace) {
            space.remove_pod(&name.name, &mut self.roster);
        }
    }

    fn space(&mut self, name: &Str) -> (&mut Space, Shared<'_>) {
        let space = self.spaces.entry(name.clone()).or_insert_with(|| {
            let history = self.namespaces.history(name);
            let since = history.last().map_or(Time::BEGINNING, |(from, _)| *from);
            Space::new(namespace_labels(&self.namespaces, &mut self.terms, name), since)
        });
        let shared = Shared {
            terms: &mut self.terms,
            roster: &mut self.roster,
            cluster: &self.cluster,
        };
        (space, shared)
    }

    /// Labels of pods that are gone keep their numbers: whether these are most.
    fn has_many_spare_terms(&self) -> bool {
        let living: usize = self.spaces.values().map(Space::count_labels).sum();
        self.terms.given() >= 2 * living + SPARE_TERMS
    }

    /// Numbers all that lives anew.
    pub(super) fn renumber(&mut self) {
        self.terms = Terms::default();
        self.cluster.renumber(&mut self.terms);
        let mut shared = Shared {
            terms: &mut self.terms,
            roster: &mut self.roster,
            cluster: &self.cluster,
        };
        for (name, space) in &mut self.spaces {
            let labels = namespace_labels(&self.namespaces, shared.terms, name);
            space.renumber(labels, &mut shared);
        }
    }

    fn touched(&mut self, at: Time, what: Touched) {
        if at > Time::BEGINNING {
            self.log.push_back((at, what));
        }
    }

    fn begin_doubt(&mut self, why: Undecidable, scope: &Scope, at: Time) {
        self.end_doubt(&why, at);
        self.doubts.push(Doubt {
            why,
            scope: scope.clone(),
            from: at,
            until: None,
        });
    }

    fn end_doubt(&mut self, why: &Undecidable, at: Time) {
        for doubt in &mut self.doubts {
            if doubt.why == *why && doubt.until.is_none() {
                doubt.until = Some(at);
            }
        }
    }

    /// Whether an object of any kind was ever known.
    pub(super) fn knows_anything(&self) -> bool {
        self.any
    }

    /// What changed after `after`, up to and with `until`, oldest first.
    pub(super) fn changed(&self, after: Time, until: Time) -> impl Iterator<Item = &(Time, Touched)> + Clone {
        let start = self.log.partition_point(|(at, _)| *at <= after);
        self.log.range(start..).take_while(move |(at, _)| *at <= until)
    }

    /// Files in doubt, and policies that are not evaluated, at some time from `from` to `until`.
    pub(super) fn doubts(&self, from: Time, until: Time) -> impl Iterator<Item = (&Undecidable, &Scope)> {
        self.doubts
            .iter()
            .filter(move |doubt| doubt.from <= until && doubt.until.is_none_or(|end| end > from))
            .map(|doubt| (&doubt.why, &doubt.scope))
    }

    /// Why the backends of a Service in `namespace` are not known, at some time from `from` to `until`: what cannot be read, or was
    /// not loaded yet, may be one of its slices, of its pods, or another version of itself.
    #[must_use]
    pub fn backends_in_doubt(&self, namespace: &str, from: Time, until: Time) -> Option<&Undecidable> {
        let here = |of: &[Str]| of.iter().any(|doubted| **doubted == *namespace);
        let mut doubts = self.doubts(from, until);
        let doubt = doubts.find(|(why, scope)| {
            !matches!(why, Undecidable::ForeignPolicy { .. })
                && match scope {
                    Scope::Everything => true,
                    Scope::Namespaces(of) => here(of),
                    Scope::Addresses(of) => of.is_empty() || here(of),
                    Scope::Subjects(_) => false,
                }
        });
        doubt.map(|(why, _)| why)
    }

    /// All versions of a namespace's policies that are remembered.
    pub(super) fn versions_of(&self, namespace: &str) -> &[Held] {
        self.spaces.get(namespace).map_or(&[], |space| &space.policies)
    }

    /// Every block that a policy of `namespace`, or a cluster-wide one, names at `at`, exceptions included: only there an address decides.
    #[must_use]
    pub fn blocks_of(&self, namespace: &str, at: Time) -> Vec<IpNetwork> {
        self.versions_of(namespace)
            .iter()
            .filter(|held| held.holds_at(at))
            .flat_map(|held| held.compiled.policy.ingress.iter().chain(&held.compiled.policy.egress))
            .flat_map(|rule| &rule.peers)
            .flat_map(|peer| match peer {
                Peer::Block { cidr, except } => std::iter::once(*cidr).chain(except.iter().copied()).collect(),
                Peer::Pods { .. } => Vec::new(),
            })
            .chain(self.cluster.networks(at))
            .collect()
    }

    /// A pod with what is known of it at a time.
    pub(super) fn face<'a>(&'a self, pod: &'a Pod, at: Time) -> Face<'a> {
        let space = || self.spaces.get(&pod.name.namespace);
        // Another copy of it is known by its name.
        let by_name = || self.roster.get(space()?.pod(&pod.name.name)?);
        let known = self.roster.of(pod).or_else(by_name).filter(|known| known.is(pod));
        let shared = known.and_then(|known| self.roster.profile(known.profile));
        let surroundings = match shared {
            Some(profile) => Some(&profile.namespace),
            None => space().map(|space| &space.surroundings),
        };
        let indexed = known.zip(shared).filter(|(known, _)| known.since <= at);
        Face {
            pod,
            known,
            labels: match indexed {
                Some((_, profile)) => Tags::Numbers(&profile.labels),
                None => Tags::Seen(Seen::of_pod(&pod.labels)),
            },
            namespace: match surroundings.filter(|surroundings| surroundings.since <= at) {
                Some(surroundings) => Tags::Numbers(&surroundings.labels),
                None => {
                    let labels = self.namespace_labels(&pod.name.namespace, at);
                    Tags::Seen(Seen::of_namespace(&pod.name.namespace, labels))
                }
            },
            profile: indexed
                .map(|(_, profile)| profile)
                .filter(|profile| profile.since <= at),
            home: surroundings.map(|surroundings| &**surroundings),
        }
    }

    /// A namespace's labels at a time; `None` where there is no such object.
    pub(super) fn namespace_labels(&self, namespace: &str, at: Time) -> Option<&Labels> {
        self.namespaces.at(namespace, at).map(|namespace| &namespace.labels)
    }

    /// The pod as it was at `at`, if that is remembered of the same incarnation.
    pub(super) fn pod_at<'a>(&'a self, pod: &'a Pod, at: Time) -> &'a Pod {
        self.pods
            .at(&pod.name, at)
            .filter(|known| known.uid == pod.uid)
            .map_or(pod, |known| known)
    }
}

/// A namespace's labels as they are now. One whose object is not known has the built-in label only.
fn namespace_labels(namespaces: &Versioned<Str, Arc<Namespace>>, terms: &mut Terms, name: &Str) -> LabelSet {
    let key = Str::from(NAMESPACE_NAME);
    let none = Labels::default();
    let labels = namespaces.latest(name).map_or(&none, |namespace| &namespace.labels);
    let built_in = labels.get(NAMESPACE_NAME).is_none().then_some((&key, name));
    terms.labels_and(labels, built_in)
}
