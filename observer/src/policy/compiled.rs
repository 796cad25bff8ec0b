//! A policy beside its selectors in numbers, and a pod as both forms of a selector see it.

use std::sync::Arc;

use ipnetwork::IpNetwork;

use super::Direction;
use super::closeness::Seen;
use super::faults::faulty;
use super::matching::isolates;
use super::roster::Surroundings;
use super::space::Selection;
use super::terms::{Chooser, Term, Terms};
use crate::objects::{NetworkPolicy, Peer, Pod, PortMatch, PortRule, Protocol, Rule, Selector};

/// A policy and its compiled selectors.
#[derive(Debug)]
pub(super) struct Compiled {
    pub(super) policy: Arc<NetworkPolicy>,
    pods: Chooser,
    /// Parallel to the policy's rules.
    ingress: Box<[CompiledRule]>,
    egress: Box<[CompiledRule]>,
}

/// What decides most questions about a rule, laid out so that few cache lines are read.
#[derive(Debug)]
pub(super) struct CompiledRule {
    ports: Option<Numbers>,
    /// Parallel to the rule's peers.
    pub(super) peers: Box<[CompiledPeer]>,
}

/// The ports of a rule, where they are few and none has a name.
#[derive(Debug)]
struct Numbers {
    ranges: [(Protocol, u16, u16); MOST_RANGES],
    count: usize,
}

/// Web servers listen on one or two ports, DNS on one in two protocols.
const MOST_RANGES: usize = 3;

/// A peer in numbers.
#[derive(Debug)]
pub(super) enum CompiledPeer {
    /// What is not in it is not in the peer.
    Block(IpNetwork),
    Pods {
        namespaces: Option<Chooser>,
        pods: Option<Chooser>,
    },
}

impl CompiledRule {
    fn new(rule: &Rule, terms: &mut Terms) -> Self {
        let mut compile = |selector: &Option<Selector>| selector.as_ref().map(|one| Chooser::new(one, terms));
        let mut peer = |peer: &Peer| match peer {
            Peer::Block { cidr, .. } => CompiledPeer::Block(*cidr),
            Peer::Pods { namespaces, pods } => CompiledPeer::Pods {
                namespaces: compile(namespaces),
                pods: compile(pods),
            },
        };
        Self {
            ports: Numbers::new(&rule.ports),
            peers: rule.peers.iter().map(&mut peer).collect(),
        }
    }

    /// Whether a port of the rule matches; `None` where the rule itself has to be read.
    pub(super) fn has_port(&self, protocol: Protocol, port: u16) -> Option<bool> {
        let ports = self.ports.as_ref()?;
        let mut ranges = ports.ranges[..ports.count].iter();
        if ports.count == 0 {
            return Some(!faulty!(NoPortsMatchNone));
        }
        Some(ranges.any(|(of, first, last)| {
            (*of == protocol || faulty!(IgnoreProtocol))
                && (*first..=*last).contains(&port)
                && !(faulty!(LeaveOutFirstPort) && port == *first)
                && !(faulty!(LeaveOutLastPort) && port == *last)
        }))
    }
}

impl Numbers {
    fn new(ports: &[PortRule]) -> Option<Self> {
        let mut numbers = Self {
            ranges: [(Protocol::Tcp, 0, 0); MOST_RANGES],
            count: ports.len(),
        };
        if ports.len() > MOST_RANGES {
            return None;
        }
        for (range, rule) in numbers.ranges.iter_mut().zip(ports) {
            *range = match rule.port {
                PortMatch::Any => (rule.protocol, 0, u16::MAX),
                PortMatch::Range(first, last) => (rule.protocol, first, last),
                PortMatch::Name(_) => return None,
            };
        }
        Some(numbers)
    }
}

/// The labels of a pod or a namespace: in numbers where they are the current ones, in strings otherwise.
#[derive(Clone, Copy, Debug)]
pub(super) enum Tags<'a> {
    Terms(&'a [Term]),
    Seen(Seen<'a>),
}

/// A pod at some time, with what is known of it without searching.
#[derive(Clone, Copy, Debug)]
pub(super) struct Face<'a> {
    pub(super) pod: &'a Pod,
    pub(super) labels: Tags<'a>,
    pub(super) namespace: Tags<'a>,
    /// The policies that select it, where these are known for that time.
    pub(super) selection: Option<&'a Selection>,
    /// What its namespace is, where that is known for that time: one object for all pods of a namespace.
    pub(super) home: Option<&'a Surroundings>,
}

impl Face<'_> {
    /// Both are one pod. Told without reading names where both are known.
    pub(super) fn is_same_pod(&self, other: &Self) -> bool {
        match (self.selection, other.selection) {
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
    /// Whether a selector matches; `chooser` is its compiled form, and mostly enough.
    pub(super) fn are_selected<'b>(&self, selector: impl FnOnce() -> Option<&'b Selector>, chooser: &Chooser) -> bool {
        match self {
            Self::Terms(terms) => chooser.selects(terms),
            Self::Seen(seen) => selector().is_some_and(|selector| seen.are_selected(selector)),
        }
    }
}

impl Compiled {
    pub(super) fn new(policy: &Arc<NetworkPolicy>, terms: &mut Terms) -> Self {
        let mut rules = |rules: &[Rule]| rules.iter().map(|rule| CompiledRule::new(rule, terms)).collect();
        let (ingress, egress) = (rules(&policy.ingress), rules(&policy.egress));
        Self {
            policy: policy.clone(),
            pods: Chooser::new(&policy.pod_selector, terms),
            ingress,
            egress,
        }
    }

    /// The rules of a direction, each with its compiled form.
    pub(super) fn rules(&self, direction: Direction) -> impl Iterator<Item = (&Rule, &CompiledRule)> {
        let ingress = (direction == Direction::Ingress) != faulty!(SwapDirections);
        let (rules, compiled) = if ingress {
            (&self.policy.ingress, &self.ingress)
        } else {
            (&self.policy.egress, &self.egress)
        };
        rules.iter().zip(compiled)
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
