//! The smallest change of a policy that would allow an attempt: as a change, and as a sentence.

use std::fmt;
use std::net::IpAddr;

use super::closeness::NAMESPACE_NAME;
use super::decide::parties;
use super::matching::Scene;
use super::nearest::Miss;
use super::worlds::Role;
use super::{Closeness, Direction, LabelMiss, Party, Policies, Question, Unmet, Who};
use crate::objects::{Name, NetworkPolicy, Operator, Peer, Pod, PortMatch, PortRule, Requirement, Rule, Selector, Str};

/// Labels by which people tell workloads apart, the most telling first.
const TELLING: [&str; 4] = ["app.kubernetes.io/name", "app", "k8s-app", "name"];

/// Labels that controllers set: they name one pod or one revision.
const VOLATILE: [&str; 8] = [
    "pod-template-hash",
    "controller-revision-hash",
    "pod-template-generation",
    "controller-uid",
    "batch.kubernetes.io/controller-uid",
    "batch.kubernetes.io/job-completion-index",
    "statefulset.kubernetes.io/pod-name",
    "apps.kubernetes.io/pod-index",
];

/// A change of one policy. Shown as an imperative sentence without a full stop.
#[derive(Clone, Debug)]
pub(super) struct Remedy<'a> {
    policy: &'a Name,
    direction: Direction,
    edit: Edit,
    /// Another way to the same end: to correct what looks like a slip on the peer's side.
    instead: Option<String>,
    /// What the rule that is added to is for besides, where it opens more than was asked for.
    opens: Option<&'static str>,
}

/// What is added to a policy's rules of one direction.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Edit {
    /// A port, to a rule that has the peer.
    Port {
        /// The rule's number, from 1.
        to: u32,
        /// What is added.
        port: PortRule,
    },
    /// A peer, to a rule that has the port.
    Peer {
        /// The rule's number, from 1.
        to: u32,
        /// What is added.
        peer: Peer,
    },
    /// A rule of its own, as the last.
    Rule {
        /// Its only peer.
        peer: Peer,
        /// Its only port.
        port: PortRule,
    },
}

/// `add an egress rule to homepage/default-deny that allows TCP 2283 to pods app=immich in namespace immich`: what to do where
/// the policies that isolate a pod have no rule that comes near.
#[must_use]
pub fn first_rule(policy: &Name, direction: Direction, question: &Question) -> String {
    let (_, peer) = parties(question, direction);
    Remedy::first(policy, direction, pod_of(peer), peer.address, port_of(question)).to_string()
}

/// `a NetworkPolicy for pods app=b in namespace w that allows TCP 80 from pods app=a in namespace x`: what would select the pod
/// of a direction and allow it. `None` where no pod is to be selected.
#[must_use]
pub fn new_policy(direction: Direction, question: &Question) -> Option<String> {
    let (subject, peer) = parties(question, direction);
    let pod = pod_of(subject)?;
    let namespace = &pod.name.namespace;
    let pods = peer_for(namespace, Some(pod), subject.address);
    let peer = peer_for(namespace, pod_of(peer), peer.address);
    Some(format!(
        "a NetworkPolicy for {} that allows {} {} {}",
        peer_text(&pods, namespace),
        port_text(&port_of(question)),
        way(direction),
        peer_text(&peer, namespace)
    ))
}

/// The pod that selectors see.
fn pod_of(party: &Party) -> Option<&Pod> {
    match &party.who {
        Who::Pod(pod) if !pod.host_network => Some(pod),
        Who::Rewritten { pod } => Some(pod),
        Who::Pod(_) | Who::Node { .. } | Who::External | Who::Unknown => None,
    }
}

fn port_of(question: &Question) -> PortRule {
    PortRule {
        protocol: question.protocol,
        port: PortMatch::Range(question.port, question.port),
    }
}

fn way(direction: Direction) -> &'static str {
    match direction {
        Direction::Ingress => "from",
        Direction::Egress => "to",
    }
}

/// A policy with the smallest change that lets one direction of a question through.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Remedied {
    /// The whole policy, changed.
    pub policy: NetworkPolicy,
    /// Whose rules the change is in.
    pub direction: Direction,
    /// The change.
    pub edit: Edit,
    /// What was changed, as an imperative sentence without a full stop.
    pub change: String,
}

impl Policies {
    /// The nearest rule's policy with the change that lets `direction` of the question through; where no policy that isolates
    /// the pod has a rule, the first of them with a rule. `None` where no policy denies it.
    #[must_use]
    pub fn remedy(&self, question: &Question, direction: Direction) -> Option<Remedied> {
        let scene = self.telling_scene(question, direction)?;
        let (policy, remedy) = match scene.nearest_miss() {
            Some(miss) => (miss.policy, Remedy::of(&scene, &miss)),
            None => {
                let policy = &*scene.isolating().next()?.policy;
                let port = PortRule {
                    protocol: scene.protocol,
                    port: PortMatch::Range(scene.port, scene.port),
                };
                let pod = addressed_pod(scene.peer.role);
                (
                    policy,
                    Remedy::first(&policy.name, direction, pod, scene.peer.address, port),
                )
            }
        };
        let remedy = Remedy {
            instead: None,
            ..remedy
        };
        Some(Remedied {
            policy: remedy.applied_to(policy),
            direction,
            change: remedy.to_string(),
            edit: remedy.edit,
        })
    }
}

/// The pod that selectors see and every implementation reaches by them; a hostNetwork pod is reached as its node's address.
fn addressed_pod(role: Role<'_>) -> Option<&Pod> {
    match role {
        Role::Pod(pod) => Some(pod),
        Role::HostPod { .. } | Role::Node(_) | Role::External | Role::Unknown => None,
    }
}

/// `TCP 80 to pods app=web in namespace x`, `TCP 80 to network 1.2.3.4/32`: what a rule of a cluster-wide policy would accept.
pub(super) fn accepted(scene: &Scene<'_>) -> String {
    let pod = match scene.peer.role {
        Role::Pod(pod) => Some(pod),
        Role::HostPod { .. } | Role::Node(_) | Role::External | Role::Unknown => None,
    };
    let peer = match peer_for("", pod, scene.peer.address) {
        Peer::Block { cidr, .. } => format!("network {cidr}"),
        pods @ Peer::Pods { .. } => peer_text(&pods, ""),
    };
    format!("{} {} {} {peer}", scene.protocol, scene.port, way(scene.direction))
}

impl<'a> Remedy<'a> {
    /// A rule of its own, where no rule comes near.
    fn first(policy: &'a Name, direction: Direction, pod: Option<&Pod>, address: IpAddr, port: PortRule) -> Self {
        Self {
            policy,
            direction,
            edit: Edit::Rule {
                peer: peer_for(&policy.namespace, pod, address),
                port,
            },
            instead: None,
            opens: None,
        }
    }

    /// What would make this rule allow the attempt; where both its peers and its ports miss, a rule of its own, since adding
    /// to both would allow more than is asked for.
    pub(super) fn of(scene: &Scene<'_>, miss: &Miss<'a>) -> Self {
        let policy = &miss.policy.name;
        let to = miss.number;
        let port = PortRule {
            protocol: scene.protocol,
            port: PortMatch::Range(scene.port, scene.port),
        };
        let pod = addressed_pod(scene.peer.role);
        let peer = || peer_for(&policy.namespace, pod, scene.peer.address);
        let (edit, instead) = match (miss.peer.unmet.as_slice(), miss.port.unmet.is_empty()) {
            ([], _) => (Edit::Port { to, port }, None),
            ([one], true) => (Edit::Peer { to, peer: peer() }, pod.and_then(|pod| correct(one, pod))),
            (_, true) => (Edit::Peer { to, peer: peer() }, None),
            (_, false) => (Edit::Rule { peer: peer(), port }, None),
        };
        let rules = match scene.direction {
            Direction::Ingress => &miss.policy.ingress,
            Direction::Egress => &miss.policy.egress,
        };
        Self {
            policy,
            direction: scene.direction,
            opens: opens(&edit, &rules[to as usize - 1]),
            edit,
            instead,
        }
    }

    /// The policy with the change made.
    pub(super) fn applied_to(&self, policy: &NetworkPolicy) -> NetworkPolicy {
        let mut policy = policy.clone();
        let rules = match self.direction {
            Direction::Ingress => &mut policy.ingress,
            Direction::Egress => &mut policy.egress,
        };
        match self.edit.clone() {
            Edit::Port { to, port } => rules[to as usize - 1].ports.push(port),
            Edit::Peer { to, peer } => rules[to as usize - 1].peers.push(peer),
            Edit::Rule { peer, port } => rules.push(Rule {
                peers: vec![peer],
                ports: vec![port],
            }),
        }
        policy
    }
}

impl fmt::Display for Remedy<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let policy = self.policy;
        if let Some(instead) = &self.instead {
            write!(f, "{instead}, or ")?;
        }
        match &self.edit {
            Edit::Port { to, port } => write!(f, "add {} to rule {to} of {policy}", port_text(port)),
            Edit::Peer { to, peer } => write!(
                f,
                "add {} to the peers of rule {to} of {policy}",
                peer_text(peer, &policy.namespace)
            ),
            Edit::Rule { peer, port } => {
                let (direction, way) = (self.direction, way(self.direction));
                let (port, peer) = (port_text(port), &peer_text(peer, &policy.namespace));
                write!(f, "add an {direction} rule to {policy} that allows {port} {way} {peer}")
            }
        }?;
        if let Some(opens) = self.opens {
            write!(f, ", which is for {opens}")?;
        }
        if self.instead.is_some() {
            f.write_str(", whichever is meant")?;
        }
        Ok(())
    }
}

/// What a rule is for that something is added to, where that is everything.
fn opens(edit: &Edit, rule: &Rule) -> Option<&'static str> {
    let all = |selector: &Selector| selector.requirements.is_empty();
    match edit {
        Edit::Peer { .. } if rule.ports.is_empty() => Some("every port"),
        Edit::Port { .. } if rule.peers.is_empty() => Some("everybody"),
        Edit::Port { .. } => {
            let is_every_pod = |peer: &Peer| {
                matches!(peer, Peer::Pods { namespaces: Some(namespaces), pods }
                    if all(namespaces) && pods.as_ref().is_none_or(all))
            };
            rule.peers.iter().any(is_every_pod).then_some("every pod")
        }
        Edit::Peer { .. } | Edit::Rule { .. } => None,
    }
}

/// The narrowest peer that people would write for a pod (`None`: for the address).
fn peer_for(policy_namespace: &str, pod: Option<&Pod>, address: IpAddr) -> Peer {
    let Some(pod) = pod else {
        return Peer::Block {
            cidr: address.into(),
            except: Vec::new(),
        };
    };
    let is = |key, value| Selector {
        requirements: vec![Requirement {
            key,
            operator: Operator::In(vec![value]),
        }],
    };
    let namespace = &pod.name.namespace;
    let namespaces = (**namespace != *policy_namespace).then(|| is(NAMESPACE_NAME.into(), namespace.clone()));
    let telling = telling_label(pod).map(|(key, value)| is(key, value));
    // One of the two must be there.
    let pods = telling.or_else(|| namespaces.is_none().then(Selector::default));
    Peer::Pods { namespaces, pods }
}

/// `pods app=web in namespace x`, `ipBlock 1.2.3.4/32`.
fn peer_text(peer: &Peer, policy_namespace: &str) -> String {
    match peer {
        Peer::Block { cidr, .. } => format!("ipBlock {cidr}"),
        Peer::Pods { namespaces, pods } => {
            let first = |selector: &Option<Selector>| selector.as_ref().and_then(|s| s.requirements.first().cloned());
            let pods = match first(pods) {
                Some(label) => format!("pods {}", wanted_text(&label, None)),
                None => "all pods".into(),
            };
            let namespace = match first(namespaces).map(|label| label.operator) {
                Some(Operator::In(names)) => names.first().cloned(),
                _ => None,
            };
            format!(
                "{pods} in namespace {}",
                namespace.as_deref().unwrap_or(policy_namespace)
            )
        }
    }
}

fn telling_label(pod: &Pod) -> Option<(Str, Str)> {
    let usual = TELLING
        .iter()
        .find_map(|key| pod.labels.get(key).map(|value| (Str::from(*key), value.clone())));
    usual.or_else(|| {
        pod.labels
            .iter()
            .find(|(key, _)| !VOLATILE.contains(&&***key))
            .map(|(key, value)| (key.clone(), value.clone()))
    })
}

/// The correction on the peer's side, where one label looks like a slip. Which side is wrong is not ours to say.
fn correct(unmet: &Unmet, pod: &Pod) -> Option<String> {
    match unmet {
        Unmet::PeerLabels(miss) => slip(
            miss,
            &match &pod.workload {
                Some(workload) => format!("the pods of {} {}/{}", workload.kind, pod.name.namespace, workload.name),
                None => format!("pod {}", pod.name),
            },
        ),
        Unmet::PeerNamespace { namespace, miss } => namespace_label(miss, namespace),
        _ => None,
    }
}

/// The label that a namespace lacks, or has nearly. Its name is a label that nobody can change.
fn namespace_label(miss: &LabelMiss, namespace: &str) -> Option<String> {
    let corrected = slip(miss, &format!("namespace {namespace}"));
    let can_be_given = miss.unmet == 1 && miss.actual.is_none() && &*miss.wanted.key != NAMESPACE_NAME;
    corrected.or_else(|| match &miss.wanted.operator {
        Operator::In(_) | Operator::Exists if can_be_given => Some(format!(
            "label namespace {namespace} with {}",
            wanted_text(&miss.wanted, None)
        )),
        _ => None,
    })
}

fn slip(miss: &LabelMiss, on: &str) -> Option<String> {
    let close = miss.close.as_ref().filter(|_| miss.unmet == 1)?;
    if close.how == Closeness::OtherValue || &*close.key == NAMESPACE_NAME {
        return None;
    }
    let has = format!("{}={}", close.key, close.value);
    Some(format!(
        "change the label {has} of {on} to {}",
        wanted_text(&miss.wanted, Some(&close.value))
    ))
}

/// The label that meets a requirement; of several values the one that is closest to `near`.
fn wanted_text(wanted: &Requirement, near: Option<&str>) -> String {
    let key = &wanted.key;
    let value = match &wanted.operator {
        Operator::In(values) => values.iter().min_by_key(|value| {
            near.map_or(0, |near| {
                strsim::osa_distance(&value.to_lowercase(), &near.to_lowercase())
            })
        }),
        Operator::NotIn(_) | Operator::Exists | Operator::DoesNotExist => None,
    };
    match value.map(|value| &**value).or(near) {
        Some(value) => format!("{key}={value}"),
        None => key.to_string(),
    }
}

fn port_text(port: &PortRule) -> String {
    let protocol = port.protocol;
    match &port.port {
        PortMatch::Any => protocol.to_string(),
        PortMatch::Range(first, last) if first == last => format!("{protocol} {first}"),
        PortMatch::Range(first, last) => format!("{protocol} {first}-{last}"),
        PortMatch::Name(name) => format!("{protocol} {name}"),
    }
}
