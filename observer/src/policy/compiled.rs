//! A policy beside its selectors in numbers, and a pod as both forms of a selector see it.

use std::sync::Arc;

use ipnetwork::IpNetwork;

use super::Direction;
use super::closeness::Seen;
use super::cluster_policies::Applying;
use super::faults::faulty;
use super::matching::isolates;
use super::roster::{Indexed, Profile, Surroundings};
use super::terms::{Chooser, LabelSet, Terms};
use crate::objects::{NetworkPolicy, Peer, Pod, PortMatch, PortRule, Protocol, Rule, Selector};

/// A policy and its compiled selectors.
#[derive(Debug)]
pub(super) struct Compiled {
    pub(super) policy: Arc<NetworkPolicy>,
    pods: Chooser,
    ingress: CompiledRules,
    egress: CompiledRules,
}

/// The rules of one direction, laid out so that few cache lines are read: the policy itself is only looked up for what is
/// not in here.
#[derive(Debug)]
struct CompiledRules {
    /// Parallel to the policy's rules: its ports, and where its peers end.
    rules: Box<[(Ports, u32)]>,
    /// The peers of all rules, one after the other.
    peers: Box<[CompiledPeer]>,
}

/// A rule in numbers.
#[derive(Clone, Copy, Debug)]
pub(super) struct CompiledRule<'a> {
    /// Position in the policy's list, from 0.
    pub(super) index: usize,
    ports: &'a Ports,
    /// Parallel to the rule's peers.
    pub(super) peers: &'a [CompiledPeer],
}

/// The ports of a rule.
#[derive(Debug)]
enum Ports {
    /// Few, and none has a name: protocol, first and last of each.
    Numbers(u8, [(Protocol, u16, u16); MOST_RANGES]),
    /// The rule has to be read.
    Others,
}

/// Web servers listen on one or two ports, DNS on one in two protocols.
const MOST_RANGES: usize = 3;

/// A peer in numbers.
#[derive(Debug)]
pub(super) enum CompiledPeer {
    /// What is not in it is not in the peer.
    Block(IpNetwork),
    Pods {
        /// `None`: pods of the policy's namespace.
        namespaces: Option<Chooser>,
        pods: Chooser,
    },
}

impl CompiledPeer {
    fn new(peer: &Peer, terms: &mut Terms) -> Self {
        let mut compile = |selector: &Option<Selector>| selector.as_ref().map(|one| Chooser::new(one, terms));
        match peer {
            Peer::Block { cidr, .. } => Self::Block(*cidr),
            Peer::Pods { namespaces, pods } => Self::Pods {
                namespaces: compile(namespaces),
                pods: match compile(pods) {
                    Some(_) if faulty!(IgnorePodSelectorBeside) && namespaces.is_some() => Chooser::All,
                    Some(chooser) => chooser,
                    None => Chooser::All,
                },
            },
        }
    }
}

impl CompiledRules {
    fn new(rules: &[Rule], terms: &mut Terms) -> Self {
        let mut peers = Vec::new();
        let mut compile = |rule: &Rule| {
            peers.extend(rule.peers.iter().map(|peer| CompiledPeer::new(peer, terms)));
            let end = u32::try_from(peers.len()).expect("fewer than four billion peers fit in memory");
            (Ports::new(&rule.ports), end)
        };
        Self {
            rules: rules.iter().map(&mut compile).collect(),
            peers: peers.into(),
        }
    }

    fn iter(&self) -> impl Iterator<Item = CompiledRule<'_>> {
        let mut start = 0;
        (0..).zip(&self.rules).map(move |(index, (ports, end))| {
            let peers = &self.peers[start..*end as usize];
            start += peers.len();
            CompiledRule { index, ports, peers }
        })
    }
}

impl CompiledRule<'_> {
    /// Whether a port of the rule matches; `None` where the rule itself has to be read.
    pub(super) fn has_port(&self, protocol: Protocol, port: u16) -> Option<bool> {
        let Ports::Numbers(count, ranges) = self.ports else {
            return None;
        };
        if *count == 0 {
            return Some(!faulty!(NoPortsMatchNone));
        }
        let mut ranges = ranges[..usize::from(*count)].iter();
        Some(ranges.any(|(of, first, last)| {
            (*of == protocol || faulty!(IgnoreProtocol))
                && (*first..=*last).contains(&port)
                && !(faulty!(LeaveOutFirstPort) && port == *first)
                && !(faulty!(LeaveOutLastPort) && port == *last)
        }))
    }
}

impl Ports {
    fn new(ports: &[PortRule]) -> Self {
        let mut ranges = [(Protocol::Tcp, 0, 0); MOST_RANGES];
        let Some(used) = ranges.get_mut(..ports.len()) else {
            return Self::Others;
        };
        for (range, rule) in used.iter_mut().zip(ports) {
            *range = match rule.port {
                PortMatch::Any => (rule.protocol, 0, u16::MAX),
                PortMatch::Range(first, last) => (rule.protocol, first, last),
                PortMatch::Name(_) => return Self::Others,
            };
        }
        Self::Numbers(ports.len() as u8, ranges)
    }
}

/// The labels of a pod or a namespace: in numbers where they are the current ones, in strings otherwise.
#[derive(Clone, Copy, Debug)]
pub(super) enum Tags<'a> {
    Numbers(&'a LabelSet),
    Seen(Seen<'a>),
}

/// A pod at some time, with what is known of it without searching.
#[derive(Clone, Copy, Debug)]
pub(super) struct Face<'a> {
    pub(super) pod: &'a Pod,
    pub(super) labels: Tags<'a>,
    pub(super) namespace: Tags<'a>,
    /// Its entry among the pods of now, if it is one of them.
    pub(super) known: Option<&'a Indexed>,
    /// What it shares with its likes, where this is known for that time.
    pub(super) profile: Option<&'a Profile>,
    /// What its namespace is, where that is known for that time: one object for all pods of a namespace.
    pub(super) home: Option<&'a Surroundings>,
}

impl<'a> Face<'a> {
    /// The cluster-wide policies that apply to it, where these are known for that time.
    pub(super) fn applying(&self) -> Option<&'a Applying> {
        match self.namespace {
            Tags::Numbers(_) => self.profile.map(|profile| &profile.applying),
            Tags::Seen(_) => None,
        }
    }

    /// It is known, and not one that shares its node's address.
    pub(super) fn has_own_address(&self) -> bool {
        self.known.is_some_and(|known| !known.host_network)
    }

    /// Both are one pod. Told without reading names where both are known.
    pub(super) fn is_same_pod(&self, other: &Self) -> bool {
        match (self.known, other.known) {
            (Some(a), Some(b)) => std::ptr::eq(a, b),
            _ => {
                std::ptr::eq(self.pod, other.pod) || (self.pod.uid == other.pod.uid && self.pod.name == other.pod.name)
            }
        }
    }

    /// Both are of one namespace. Told without reading names where both are known.
    pub(super) fn is_of_same_namespace(&self, other: &Self) -> bool {
        match (self.home, other.home) {
            (Some(a), Some(b)) => std::ptr::eq(a, b),
            _ => self.pod.name.namespace == other.pod.name.namespace,
        }
    }
}

impl Tags<'_> {
    /// Whether a selector matches, where there is one; `chooser` is its compiled form, and mostly enough.
    pub(super) fn are_selected<'b>(&self, selector: impl FnOnce() -> Option<&'b Selector>, chooser: &Chooser) -> bool {
        match self {
            Self::Numbers(labels) => chooser.selects(labels),
            Self::Seen(seen) => selector().is_none_or(|selector| seen.are_selected(selector)),
        }
    }
}

impl Compiled {
    pub(super) fn new(policy: &Arc<NetworkPolicy>, terms: &mut Terms) -> Self {
        Self {
            policy: policy.clone(),
            pods: Chooser::new(&policy.pod_selector, terms),
            ingress: CompiledRules::new(&policy.ingress, terms),
            egress: CompiledRules::new(&policy.egress, terms),
        }
    }

    /// The rules of a direction as written.
    pub(super) fn written(&self, direction: Direction) -> &[Rule] {
        if is_ingress(direction) {
            &self.policy.ingress
        } else {
            &self.policy.egress
        }
    }

    /// The rules of a direction in numbers.
    pub(super) fn compiled(&self, direction: Direction) -> impl Iterator<Item = CompiledRule<'_>> {
        let rules = if is_ingress(direction) {
            &self.ingress
        } else {
            &self.egress
        };
        rules.iter()
    }

    /// The rules of a direction, each with its compiled form.
    pub(super) fn rules(&self, direction: Direction) -> impl Iterator<Item = (&Rule, CompiledRule<'_>)> {
        self.written(direction).iter().zip(self.compiled(direction))
    }

    /// Whether it selects a pod of its namespace.
    pub(super) fn selects(&self, labels: Tags<'_>) -> bool {
        labels.are_selected(|| Some(&self.policy.pod_selector), &self.pods)
    }

    /// Whether it isolates a pod of its namespace in a direction.
    pub(super) fn isolates(&self, labels: Tags<'_>, direction: Direction) -> bool {
        (isolates(&self.policy, direction) || faulty!(IgnorePolicyTypes)) && self.selects(labels)
    }
}

fn is_ingress(direction: Direction) -> bool {
    (direction == Direction::Ingress) != faulty!(SwapDirections)
}
