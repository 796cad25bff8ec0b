//! What the lints look at: the objects, the pods by namespace, and whom a selector selects.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use super::{Code, Finding, Severity};
use crate::objects::{
    Change, Labels, Namespace, NetworkPolicy, Node, Object, Operator, Peer, Pod, PortMatch, PortRule, Protocol,
    Requirement, Rule, Selector, Service, Str,
};
use crate::policy::closeness::Seen;
use crate::policy::{CloseLabel, Closeness, Direction};

/// Namespaces that every cluster has: with one of them read, all namespaces were probably read.
const BUILT_IN: [&str; 3] = ["kube-system", "kube-public", "kube-node-lease"];

/// The namespaces that are there, whether they were read or not.
pub(super) fn always_there() -> Vec<Str> {
    BUILT_IN.into_iter().chain(["default"]).map(Str::from).collect()
}

/// The objects to be looked at.
#[derive(Clone, Debug, Default)]
pub struct Objects {
    /// Pods.
    pub pods: Vec<Arc<Pod>>,
    /// Namespaces.
    pub namespaces: Vec<Arc<Namespace>>,
    /// Services.
    pub services: Vec<Arc<Service>>,
    /// Nodes.
    pub nodes: Vec<Arc<Node>>,
    /// NetworkPolicies.
    pub policies: Vec<Arc<NetworkPolicy>>,
    /// Where policies of other kinds may select pods too.
    pub foreign: Vec<crate::objects::Scope>,
    /// Namespaces in which an operator may make pods that were not read.
    pub operated: BTreeSet<Str>,
}

impl Objects {
    /// What some manifests hold. Of `templates` (the pods that workloads would make) only those count whose workload has no
    /// pod among the objects: a Deployment beside its pods says nothing new.
    #[must_use]
    pub fn new(changes: &[Change], templates: &[Pod]) -> Self {
        let mut objects = Self::default();
        for change in changes {
            match change {
                Change::Set(Object::Pod(pod)) => objects.pods.push(pod.clone()),
                Change::Set(Object::Namespace(namespace)) => objects.namespaces.push(namespace.clone()),
                Change::Set(Object::Service(service)) => objects.services.push(service.clone()),
                Change::Set(Object::Node(node)) => objects.nodes.push(node.clone()),
                Change::Set(Object::NetworkPolicy(policy)) => objects.policies.push(policy.clone()),
                Change::Foreign { scope, .. } => objects.foreign.push(scope.clone()),
                // Judged elsewhere, but it answers what a lint would ask of the NetworkPolicies alone.
                Change::Set(Object::ClusterPolicy(_)) => objects.foreign.push(crate::objects::Scope::Everything),
                _ => {}
            }
        }
        let made: BTreeSet<_> = objects
            .pods
            .iter()
            .filter_map(|pod| Some((&pod.name.namespace, &pod.workload.as_ref()?.name)))
            .collect();
        let new: Vec<_> = templates
            .iter()
            .filter(|pod| {
                let workload = pod.workload.as_ref().map_or(&pod.name.name, |of| &of.name);
                !made.contains(&(&pod.name.namespace, workload))
            })
            .map(|pod| Arc::new(pod.clone()))
            .collect();
        objects.pods.extend(new);
        objects
    }
}

/// The objects, ready to be asked.
#[derive(Debug)]
pub(super) struct Scope<'a> {
    pub(super) objects: &'a Objects,
    /// Policies in order of their names.
    pub(super) policies: Vec<&'a NetworkPolicy>,
    /// Pods that a policy can concern, by namespace: one for each set of labels and ports.
    pods: BTreeMap<&'a Str, Vec<&'a Pod>>,
    /// Pods that have ended or use their node's network, by namespace: hardly a policy concerns them.
    aside: BTreeMap<&'a Str, Vec<&'a Pod>>,
    namespaces: BTreeMap<&'a Str, &'a Labels>,
    policies_in: BTreeMap<&'a Str, Vec<&'a NetworkPolicy>>,
    every_namespace: Vec<&'a Str>,
}

impl<'a> Scope<'a> {
    pub(super) fn new(objects: &'a Objects) -> Self {
        let mut policies: Vec<&NetworkPolicy> = objects.policies.iter().map(|policy| &**policy).collect();
        policies.sort_by(|a, b| a.name.cmp(&b.name));
        let mut pods: BTreeMap<&Str, Vec<&Pod>> = BTreeMap::new();
        let mut aside: BTreeMap<&Str, Vec<&Pod>> = BTreeMap::new();
        let mut known = HashSet::new();
        for pod in &objects.pods {
            let namespace = &pod.name.namespace;
            if pod.host_network || pod.phase.is_over() {
                aside.entry(namespace).or_default().push(pod);
            } else if known.insert((namespace, &pod.labels, &pod.ports)) {
                pods.entry(namespace).or_default().push(pod);
            }
        }
        let read = objects.namespaces.iter();
        let namespaces: BTreeMap<_, _> = read.map(|namespace| (&namespace.name, &namespace.labels)).collect();
        let mut policies_in: BTreeMap<&Str, Vec<&NetworkPolicy>> = BTreeMap::new();
        for policy in &policies {
            policies_in.entry(&policy.name.namespace).or_default().push(policy);
        }
        let every: BTreeSet<&Str> = namespaces
            .keys()
            .chain(pods.keys())
            .chain(policies_in.keys())
            .copied()
            .collect();
        Self {
            objects,
            policies,
            pods,
            aside,
            namespaces,
            policies_in,
            every_namespace: every.into_iter().collect(),
        }
    }

    /// Whether a namespace was read that says that all were.
    pub(super) fn is_whole(&self) -> bool {
        BUILT_IN
            .iter()
            .any(|name| self.namespaces.contains_key(&Str::from(*name)))
    }

    /// Kinds of pods in a namespace.
    pub(super) fn pods_in(&self, namespace: &Str) -> &[&'a Pod] {
        self.pods.get(namespace).map_or(&[], Vec::as_slice)
    }

    /// Pods of some namespaces that have ended, or use their node's network, and that a selector selects; ended ones first.
    pub(super) fn aside(&self, namespaces: &[&Str], selector: &Selector) -> Option<&'a Pod> {
        let there = namespaces.iter().filter_map(|name| self.aside.get(*name)).flatten();
        let selected = there.copied().filter(|pod| selector.matches(&pod.labels));
        selected.min_by_key(|pod| !pod.phase.is_over())
    }

    /// Whether there may be pods in these namespaces that were not read, though others were.
    pub(super) fn may_lack_pods(&self, namespaces: &[&Str]) -> bool {
        namespaces.iter().any(|name| self.objects.operated.contains(*name))
    }

    /// Namespaces of which a pod was read.
    pub(super) fn inhabited(&self) -> impl Iterator<Item = (&'a Str, &[&'a Pod])> {
        self.pods.iter().map(|(name, pods)| (*name, pods.as_slice()))
    }

    /// A namespace as selectors see it.
    pub(super) fn seen(&self, namespace: &'a Str) -> Seen<'a> {
        Seen::of_namespace(namespace, self.namespaces.get(namespace).copied())
    }

    /// Every namespace that was read or that something that was read is in.
    pub(super) fn every_namespace(&self) -> &[&'a Str] {
        &self.every_namespace
    }

    /// The policies of a namespace, in order of their names.
    pub(super) fn policies_in(&self, namespace: &Str) -> &[&'a NetworkPolicy] {
        self.policies_in.get(namespace).map_or(&[], Vec::as_slice)
    }

    /// Whether Namespace objects were read.
    pub(super) fn knows_namespaces(&self) -> bool {
        !self.namespaces.is_empty()
    }

    /// The pods that a policy selects.
    pub(super) fn selected(&self, policy: &NetworkPolicy) -> Vec<&'a Pod> {
        let pods = self.pods_in(&policy.name.namespace).iter();
        pods.filter(|pod| policy.pod_selector.matches(&pod.labels))
            .copied()
            .collect()
    }

    /// The namespaces in which a peer looks for pods.
    pub(super) fn namespaces_of(&self, policy: &'a NetworkPolicy, selector: Option<&Selector>) -> Vec<&'a Str> {
        match selector {
            None => vec![&policy.name.namespace],
            Some(selector) => {
                let every = self.every_namespace().iter().copied();
                every.filter(|name| self.seen(name).are_selected(selector)).collect()
            }
        }
    }

    /// The pods that a peer of a rule selects; none for a block.
    pub(super) fn peers(&self, policy: &'a NetworkPolicy, peer: &Peer) -> Vec<&'a Pod> {
        let Peer::Pods { namespaces, pods } = peer else {
            return Vec::new();
        };
        let within = self.namespaces_of(policy, namespaces.as_ref());
        let there = within.into_iter().flat_map(|name| self.pods_in(name));
        there
            .filter(|pod| pods.as_ref().is_none_or(|selector| selector.matches(&pod.labels)))
            .copied()
            .collect()
    }

    /// Whether a peer selects a pod.
    pub(super) fn is_peer(&self, policy: &NetworkPolicy, peer: &Peer, pod: &'a Pod) -> bool {
        match peer {
            Peer::Pods { namespaces, pods } => {
                let namespace = &pod.name.namespace;
                let inside = match namespaces {
                    None => *namespace == policy.name.namespace,
                    Some(selector) => self.seen(namespace).are_selected(selector),
                };
                inside && pods.as_ref().is_none_or(|selector| selector.matches(&pod.labels))
            }
            Peer::Block { cidr, except } => {
                let mut addresses = pod.addresses.iter();
                // A pod that has no address yet could get any.
                pod.addresses.is_empty()
                    || addresses.any(|address| crate::policy::matching::in_block(*address, cidr, except))
            }
        }
    }

    /// The policies that isolate a pod in a direction.
    pub(super) fn isolating(&self, pod: &Pod, direction: Direction) -> impl Iterator<Item = &'a NetworkPolicy> {
        self.policies_in(&pod.name.namespace)
            .iter()
            .copied()
            .filter(move |policy| isolates(policy, direction))
            .filter(move |policy| policy.pod_selector.matches(&pod.labels))
    }

    /// Whether a policy of another kind may select the pods of a namespace.
    pub(super) fn is_foreign(&self, namespace: &Str) -> bool {
        let mut scopes = self.objects.foreign.iter();
        scopes.any(|scope| scope.namespaces().is_none_or(|names| names.contains(namespace)))
    }
}

pub(super) fn isolates(policy: &NetworkPolicy, direction: Direction) -> bool {
    match direction {
        Direction::Ingress => policy.isolates_ingress,
        Direction::Egress => policy.isolates_egress,
    }
}

/// The rules of a direction that have an effect.
pub(super) fn rules(policy: &NetworkPolicy, direction: Direction) -> &[Rule] {
    match direction {
        _ if !isolates(policy, direction) => &[],
        Direction::Ingress => &policy.ingress,
        Direction::Egress => &policy.egress,
    }
}

/// Every rule that has an effect, with its direction and its field.
pub(super) fn all_rules(policy: &NetworkPolicy) -> impl Iterator<Item = (Direction, &Rule, String)> {
    [Direction::Ingress, Direction::Egress]
        .into_iter()
        .flat_map(move |direction| {
            let rules = rules(policy, direction).iter().enumerate();
            rules.map(move |(index, rule)| (direction, rule, format!("spec.{direction}[{index}]")))
        })
}

/// `from` or `to`.
pub(super) fn peers_field(direction: Direction) -> &'static str {
    match direction {
        Direction::Ingress => "from",
        Direction::Egress => "to",
    }
}

/// The numbers that a port rule means on a pod, both inclusive. `None`: the pod does not have the named port.
pub(super) fn range(port: &PortRule, pod: &Pod) -> Option<(Protocol, u16, u16)> {
    let (first, last) = match &port.port {
        PortMatch::Any => (0, u16::MAX),
        PortMatch::Range(first, last) => (*first, *last),
        PortMatch::Name(name) => pod.port_named(name, port.protocol).map(|port| (port, port))?,
    };
    Some((port.protocol, first, last))
}

/// A selector as kubectl writes it.
pub(super) fn text(selector: &Selector) -> String {
    if selector.requirements.is_empty() {
        return "{}".to_owned();
    }
    let parts: Vec<String> = selector.requirements.iter().map(wanted).collect();
    parts.join(", ")
}

fn wanted(requirement: &Requirement) -> String {
    let key = &requirement.key;
    match &requirement.operator {
        Operator::In(values) if values.len() == 1 => format!("{key}={}", values[0]),
        Operator::In(values) => format!("{key} in ({})", values.join(", ")),
        Operator::NotIn(values) => format!("{key} notin ({})", values.join(", ")),
        Operator::Exists => key.to_string(),
        Operator::DoesNotExist => format!("!{key}"),
    }
}

/// The label that exists and looks most like what the selector lacks, among some objects that it does not select.
pub(super) fn closest<'a>(
    seen: impl Iterator<Item = (Seen<'a>, String)>,
    selector: &Selector,
) -> Option<(CloseLabel, String)> {
    seen.filter_map(|(labels, whose)| {
        let miss = labels.miss(selector)?;
        Some((miss.unmet, miss.close?, whose))
    })
    // `min_by_key` keeps the first of equals.
    .min_by_key(|(unmet, close, _)| (*unmet, close.how))
    .map(|(_, close, whose)| (close, whose))
}

/// Whether a label is so near that a slip is likely.
pub(super) fn is_slip(close: &CloseLabel) -> bool {
    close.how != Closeness::OtherValue
}

/// A finding about a policy.
pub(super) fn finding(
    policy: &NetworkPolicy,
    field: impl Into<String>,
    (code, severity): (Code, Severity),
    message: impl Into<String>,
    help: impl Into<String>,
) -> Finding {
    Finding {
        kind: "NetworkPolicy".into(),
        name: policy.name.clone(),
        field: field.into(),
        code,
        severity,
        message: message.into(),
        help: help.into(),
    }
}
