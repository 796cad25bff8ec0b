//! A policy beside its selectors in numbers, and a pod as both forms of a selector see it.

use std::sync::Arc;

use super::Direction;
use super::closeness::Seen;
use super::matching::isolates;
use super::space::Selection;
use super::terms::{Chooser, Term, Terms};
use crate::objects::{NetworkPolicy, Peer, Pod, Rule, Selector};

/// A policy and its compiled selectors.
#[derive(Debug)]
pub(super) struct Compiled {
    pub(super) policy: Arc<NetworkPolicy>,
    pods: Chooser,
    /// Parallel to the policy's rules.
    ingress: Box<[Peers]>,
    egress: Box<[Peers]>,
}

/// The selectors of a rule's peers, parallel to these.
type Peers = Box<[Choosers]>;

/// The selectors of one peer, where it has them.
#[derive(Debug, Default)]
pub(super) struct Choosers {
    pub(super) namespaces: Option<Chooser>,
    pub(super) pods: Option<Chooser>,
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
}

impl Tags<'_> {
    /// Whether a selector matches; `chooser` is its compiled form.
    pub(super) fn are_selected(&self, selector: &Selector, chooser: &Chooser) -> bool {
        match self {
            Self::Terms(terms) => chooser.selects(terms),
            Self::Seen(seen) => seen.are_selected(selector),
        }
    }
}

impl Compiled {
    pub(super) fn new(policy: &Arc<NetworkPolicy>, terms: &mut Terms) -> Self {
        let mut compile = |selector: &Option<Selector>| selector.as_ref().map(|one| Chooser::new(one, terms));
        let mut peers = |rules: &[Rule]| -> Box<[Peers]> {
            let rules = rules.iter();
            let mut choosers = |peer: &Peer| match peer {
                Peer::Pods { namespaces, pods } => Choosers {
                    namespaces: compile(namespaces),
                    pods: compile(pods),
                },
                Peer::Block { .. } => Choosers::default(),
            };
            rules
                .map(|rule| rule.peers.iter().map(&mut choosers).collect())
                .collect()
        };
        let (ingress, egress) = (peers(&policy.ingress), peers(&policy.egress));
        Self {
            policy: policy.clone(),
            pods: Chooser::new(&policy.pod_selector, terms),
            ingress,
            egress,
        }
    }

    /// The rules of a direction, each with the selectors of its peers.
    pub(super) fn rules(&self, direction: Direction) -> impl Iterator<Item = (&Rule, &[Choosers])> {
        let (rules, peers) = match direction {
            Direction::Ingress => (&self.policy.ingress, &self.ingress),
            Direction::Egress => (&self.policy.egress, &self.egress),
        };
        rules.iter().zip(peers.iter().map(|peers| &**peers))
    }

    /// Whether it selects a pod of its namespace.
    pub(super) fn selects(&self, labels: Tags<'_>) -> bool {
        labels.are_selected(&self.policy.pod_selector, &self.pods)
    }

    /// Whether it isolates a pod of its namespace in a direction.
    pub(super) fn isolates(&self, labels: Tags<'_>, direction: Direction) -> bool {
        isolates(&self.policy, direction) && self.selects(labels)
    }
}
