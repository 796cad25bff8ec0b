//! The cluster-wide policies by time, in the order in which they are asked, with their selectors in numbers.

use std::sync::Arc;

use ipnetwork::IpNetwork;

use super::Direction;
use super::compiled::Face;
use super::faults::faulty;
use super::roster::Roster;
use super::terms::{Chooser, LabelSet, Terms};
use crate::objects::{Action, ClusterPeer, ClusterPolicy, ClusterPolicyKind, ClusterRule, PodSet, Tier};
use crate::time::Time;

/// The cluster-wide policies.
#[derive(Debug, Default)]
pub(super) struct ClusterPolicies {
    /// Sorted by tier, priority, kind, name, then time. Written when a policy changes, old versions deleted by
    /// [`Self::prune`].
    pub(super) all: Vec<HeldCluster>,
}

/// One version of a policy.
#[derive(Debug)]
pub(super) struct HeldCluster {
    pub(super) compiled: Arc<CompiledCluster>,
    pub(super) from: Time,
    /// When it was replaced or deleted.
    pub(super) until: Option<Time>,
}

/// A policy and its compiled selectors.
#[derive(Debug)]
pub(super) struct CompiledCluster {
    pub(super) policy: Arc<ClusterPolicy>,
    subject: PodChooser,
    /// Parallel to the policy's rules.
    ingress: Box<[Peers]>,
    egress: Box<[Peers]>,
}

/// The policies that apply to pods of some labels now, in the order of evaluation.
#[derive(Debug, Default)]
pub(super) struct Applying(Box<[Arc<CompiledCluster>]>);

/// The selectors of a rule's peers, parallel to these; `None` for peers that are not pods.
type Peers = Box<[Option<PodChooser>]>;

/// A [`PodSet`] in numbers.
#[derive(Debug)]
pub(super) struct PodChooser {
    namespaces: Chooser,
    pods: Chooser,
}

impl PodChooser {
    fn new(set: &PodSet, terms: &mut Terms) -> Self {
        Self {
            namespaces: Chooser::new(&set.namespaces, terms),
            pods: Chooser::new(&set.pods, terms),
        }
    }

    /// Whether a pod with these labels, in a namespace with those, is in the set that this was made of.
    fn chooses(&self, namespace: &LabelSet, pod: &LabelSet) -> bool {
        self.namespaces.selects(namespace) && (self.pods.selects(pod) || faulty!(IgnoreSubjectPods))
    }

    /// Whether the pod is in the set that this was made of.
    pub(super) fn holds(&self, set: &PodSet, face: &Face<'_>) -> bool {
        face.namespace.are_selected(|| Some(&set.namespaces), &self.namespaces)
            && face.labels.are_selected(|| Some(&set.pods), &self.pods)
    }
}

impl HeldCluster {
    pub(super) fn holds_at(&self, at: Time) -> bool {
        self.from <= at && self.until.is_none_or(|until| at < until)
    }

    fn order(&self) -> impl Ord + '_ {
        (self.compiled.order(), self.from)
    }
}

impl Applying {
    /// Those of a tier.
    pub(super) fn of_tier(&self, tier: Tier) -> &[Arc<CompiledCluster>] {
        let baseline = self.0.partition_point(|one| one.policy.tier < Tier::Baseline);
        let (admin, baseline) = self.0.split_at(baseline);
        match tier {
            Tier::Admin => admin,
            Tier::Baseline => baseline,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Without a policy that ended, and with one that applies from now on; `false` if neither is there.
    fn change(&mut self, ended: Option<&Arc<CompiledCluster>>, begun: Option<&Arc<CompiledCluster>>) -> bool {
        let leaves = ended.and_then(|ended| self.0.iter().position(|one| Arc::ptr_eq(one, ended)));
        if leaves.is_none() && begun.is_none() {
            return false;
        }
        let mut all = std::mem::take(&mut self.0).into_vec();
        leaves.map(|at| all.remove(at));
        if let Some(begun) = begun {
            let at = all.partition_point(|one| one.order() < begun.order());
            all.insert(at, begun.clone());
        }
        self.0 = all.into();
        true
    }
}

impl CompiledCluster {
    fn new(policy: &Arc<ClusterPolicy>, terms: &mut Terms) -> Self {
        let mut peers = |rules: &[ClusterRule]| -> Box<[Peers]> {
            let mut chooser = |peer: &ClusterPeer| match peer {
                ClusterPeer::Pods(set) => Some(PodChooser::new(set, terms)),
                ClusterPeer::Nodes(_) | ClusterPeer::Networks(_) | ClusterPeer::Domains(_) => None,
            };
            rules
                .iter()
                .map(|rule| rule.peers.iter().map(&mut chooser).collect())
                .collect()
        };
        let (ingress, egress) = (peers(&policy.ingress), peers(&policy.egress));
        Self {
            policy: policy.clone(),
            subject: PodChooser::new(&policy.subject, terms),
            ingress,
            egress,
        }
    }

    /// The rules of a direction, each with the selectors of its peers.
    pub(super) fn rules(&self, direction: Direction) -> impl Iterator<Item = (&ClusterRule, &[Option<PodChooser>])> {
        let (rules, peers) = match direction {
            Direction::Ingress => (&self.policy.ingress, &self.ingress),
            Direction::Egress => (&self.policy.egress, &self.egress),
        };
        rules.iter().zip(peers.iter().map(|peers| &**peers))
    }

    fn order(&self) -> impl Ord + '_ {
        let policy = &self.policy;
        (policy.tier, policy.priority, policy.kind, &*policy.name)
    }

    /// Whether it applies to a pod.
    pub(super) fn selects(&self, face: &Face<'_>) -> bool {
        self.subject.holds(&self.policy.subject, face)
    }
}

impl ClusterPolicies {
    /// Puts a policy in force; `false` if it says what is in force already.
    pub(super) fn set(
        &mut self,
        policy: &Arc<ClusterPolicy>,
        terms: &mut Terms,
        roster: &mut Roster,
        at: Time,
    ) -> bool {
        let current = self.current(policy.kind, &policy.name);
        if current.is_some_and(|held| says_the_same(&held.compiled.policy, policy)) {
            return false;
        }
        let replaced = self.end(policy.kind, &policy.name, at);
        let compiled = Arc::new(CompiledCluster::new(policy, terms));
        let held = HeldCluster {
            compiled: compiled.clone(),
            from: at,
            until: None,
        };
        let next = self.all.partition_point(|other| other.order() <= held.order());
        self.all.insert(next, held);
        index(replaced.as_ref(), Some(&compiled), roster, at);
        true
    }

    /// Ends a policy; `false` if there is none.
    pub(super) fn remove(&mut self, kind: ClusterPolicyKind, name: &str, roster: &mut Roster, at: Time) -> bool {
        let ended = self.end(kind, name, at);
        let was_there = ended.is_some();
        index(ended.as_ref(), None, roster, at);
        was_there
    }

    fn end(&mut self, kind: ClusterPolicyKind, name: &str, at: Time) -> Option<Arc<CompiledCluster>> {
        let held = self.current(kind, name)?;
        held.until = Some(at);
        Some(held.compiled.clone())
    }

    fn current(&mut self, kind: ClusterPolicyKind, name: &str) -> Option<&mut HeldCluster> {
        self.all.iter_mut().find(|held| {
            held.until.is_none() && held.compiled.policy.kind == kind && *held.compiled.policy.name == *name
        })
    }

    /// Every network that a policy names at `at`.
    pub(super) fn networks(&self, at: Time) -> impl Iterator<Item = IpNetwork> {
        let policies = self
            .all
            .iter()
            .filter(move |held| held.holds_at(at))
            .map(|held| &held.compiled.policy);
        let rules = policies.flat_map(|policy| policy.ingress.iter().chain(&policy.egress));
        rules.flat_map(|rule| &rule.peers).flat_map(|peer| match peer {
            ClusterPeer::Networks(networks) => networks.clone(),
            _ => Vec::new(),
        })
    }

    /// All versions that are remembered, in the order of evaluation.
    pub(super) fn versions(&self) -> &[HeldCluster] {
        &self.all
    }

    /// The policies of a tier at a time, in the order of evaluation.
    pub(super) fn of_tier(&self, tier: Tier, at: Time) -> impl Iterator<Item = &CompiledCluster> {
        let end = self.all.partition_point(|held| held.compiled.policy.tier <= tier);
        let start = self.all[..end].partition_point(|held| held.compiled.policy.tier < tier);
        let held = self.all[start..end].iter().filter(move |held| held.holds_at(at));
        held.map(|held| &*held.compiled)
    }

    /// Those that hold now and apply to pods with these labels, in a namespace with those.
    pub(super) fn applying(&self, namespace: &LabelSet, pod: &LabelSet) -> Applying {
        let current = self.all.iter().filter(|held| held.until.is_none());
        let applying = current.filter(|held| held.compiled.subject.chooses(namespace, pod));
        Applying(applying.map(|held| held.compiled.clone()).collect())
    }

    /// Deletes policies that ended before.
    pub(super) fn prune(&mut self, before: Time) {
        self.all.retain(|held| held.until.is_none_or(|until| until > before));
    }

    /// Numbers everything anew.
    pub(super) fn renumber(&mut self, terms: &mut Terms) {
        for held in &mut self.all {
            held.compiled = Arc::new(CompiledCluster::new(&held.compiled.policy, terms));
        }
    }
}

/// Tells the pods to which these policies apply, or did.
fn index(ended: Option<&Arc<CompiledCluster>>, begun: Option<&Arc<CompiledCluster>>, roster: &mut Roster, at: Time) {
    if faulty!(KeepApplying) {
        return;
    }
    for profile in roster.profiles_mut() {
        let begun = begun.filter(|begun| begun.subject.chooses(&profile.namespace.labels, &profile.labels));
        if profile.applying.change(ended, begun) {
            profile.since = at;
        }
    }
}

/// What is done with what a rule matches, if it fails closed or not.
pub(super) fn effect(rule: &ClusterRule) -> Action {
    match rule.action {
        Action::Pass if rule.fails_closed => Action::Deny,
        action => action,
    }
}

/// Where it was read and when it was made changes nothing of what a policy does.
fn says_the_same(a: &ClusterPolicy, b: &ClusterPolicy) -> bool {
    let ClusterPolicy {
        kind,
        name,
        created: _,
        tier,
        priority,
        subject,
        ingress,
        egress,
        source: _,
    } = a;
    *kind == b.kind
        && *name == b.name
        && *tier == b.tier
        && *priority == b.priority
        && *subject == b.subject
        && *ingress == b.ingress
        && *egress == b.egress
}
