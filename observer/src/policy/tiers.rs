//! The cluster-wide policies around the NetworkPolicies, in one direction of one possible world.
//!
//! ```text
//! Admin tier ── no match, Pass ──→ NetworkPolicies ── not isolated ──→ Baseline tier ── no match, Pass ──→ allowed
//!     └ Accept, Deny                   └ allowed, denied                    └ Accept, Deny
//! ```
//!
//! Within a tier, the first rule that matches decides: policies by ascending priority, rules top down. Of policies with one
//! priority any may come first, so every answer is kept that some order gives.

use super::cluster_policies::{CompiledCluster, PodChooser, effect};
use super::explain::{cluster_name, rule_id};
use super::faults::faulty;
use super::matching::{Scene, any};
use super::remedy::accepted;
use super::worlds::{Answers, Open, Role, Truth};
use super::{Decision, Direction, NearMiss, RuleId, Unmet};
use crate::objects::{Action, ClusterPeer, ClusterPolicy, ClusterPort, ClusterRule, Pod, Tier};

/// What a tier, or a policy of it, may do with the attempt.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
struct Outcomes {
    accept: bool,
    deny: bool,
    pass: bool,
    /// No rule matches.
    none: bool,
}

impl Outcomes {
    /// No rule matches.
    const NONE: Self = Self {
        accept: false,
        deny: false,
        pass: false,
        none: true,
    };

    fn add(&mut self, action: Action) {
        match action {
            Action::Accept => self.accept = true,
            Action::Deny => self.deny = true,
            Action::Pass => self.pass = true,
        }
    }

    fn or(self, other: Self) -> Self {
        Self {
            accept: self.accept || other.accept,
            deny: self.deny || other.deny,
            pass: self.pass || other.pass,
            none: self.none || other.none,
        }
    }

    /// What policies may do together where any of them may come first.
    fn in_any_order(self, other: Self, open: &mut u8) -> Self {
        let together = self.or(other);
        if self.actions() > 0 && other.actions() > 0 && together.actions() > 1 {
            *open |= Open::EqualPriority as u8;
        }
        let none = self.none && other.none;
        Self { none, ..together }
    }

    /// How many different actions are possible.
    fn actions(self) -> u8 {
        u8::from(self.accept) + u8::from(self.deny) + u8::from(self.pass)
    }

    fn decided(self) -> Answers {
        let when = |possible, decision| {
            if possible {
                Answers::one(decision)
            } else {
                Answers::default()
            }
        };
        when(self.accept, Decision::Allowed).or(when(self.deny, Decision::Denied))
    }

    /// Whether what comes behind the tier may be asked.
    fn goes_on(self) -> bool {
        self.pass || self.none
    }
}

/// The other way to be allowed what the Baseline tier denies.
pub(super) const OR_NETWORK_POLICY: &str =
    ", or allow it by a NetworkPolicy that selects the pod, which then denies what else no NetworkPolicy allows";

/// The rule of a cluster-wide policy that decides.
#[derive(Clone, Copy)]
pub(super) struct Deciding<'a> {
    pub(super) policy: &'a CompiledCluster,
    pub(super) rule: &'a ClusterRule,
    /// Position in its list, from 0.
    pub(super) index: usize,
}

impl Deciding<'_> {
    pub(super) fn id(&self, direction: Direction) -> RuleId {
        rule_id(&cluster_name(&self.policy.policy), direction, self.index)
    }
}

/// Whether any of two policies of a tier may come first, by their priorities.
fn have_no_order(a: u16, b: u16) -> bool {
    let equal = a == b && !faulty!(EqualsInOrder);
    equal || faulty!(IgnorePriority)
}

impl<'a> Scene<'a> {
    /// The possible answers for a pod with an address of its own.
    pub(super) fn answers_through_tiers(&self) -> Answers {
        if !self.has_tiers() {
            return self.answers_of_network_policies();
        }
        let mut open = 0;
        let admin = self.outcomes(Tier::Admin, &mut open);
        let mut answers = admin.decided();
        if admin.goes_on() {
            answers = answers.or(self.answers_behind_admin_tier(&mut open));
        }
        answers.depending_on(open)
    }

    fn answers_behind_admin_tier(&self, open: &mut u8) -> Answers {
        let answers = self.answers_of_network_policies();
        let is_final = answers != Answers::one(Decision::NotIsolated) && !faulty!(NetworkPoliciesAreNotFinal);
        if is_final || faulty!(NoBaseline) {
            return answers;
        }
        let baseline = self.outcomes(Tier::Baseline, open);
        if baseline.goes_on() {
            baseline.decided().or(answers)
        } else {
            baseline.decided()
        }
    }

    /// Whether cluster-wide policies are asked at all. "A Pod connecting to its own Pod IP is not subject to CNP", through a
    /// Service it is (network-policy-api, API overview).
    fn has_tiers(&self) -> bool {
        let any = match self.subject_face.and_then(|face| face.applying()) {
            Some(applying) => !applying.is_empty(),
            None => !self.policies.cluster.versions().is_empty(),
        };
        any && !self.is_localhost() && (!self.is_within_pod() || faulty!(TiersWithinPod))
    }

    fn is_within_pod(&self) -> bool {
        let own = |pod: &Pod| self.dialled.is_none_or(|dialled| pod.addresses.contains(&dialled.ip()));
        let same = matches!((&self.subject_face, &self.peer_face), (Some(a), Some(b)) if a.is_same_pod(b));
        same && self.subject.role.pod().is_some_and(own)
    }

    /// The policies of a tier that apply to the subject, in the order of evaluation.
    fn applying(&self, tier: Tier) -> impl Iterator<Item = &'a CompiledCluster> {
        let face = match self.subject.role {
            Role::Pod(_) => self.subject_face,
            Role::HostPod { .. } if faulty!(HostPodsAreSubjects) => self.subject_face,
            // hostNetwork pods are not subjects.
            Role::HostPod { .. } | Role::Node(_) | Role::External | Role::Unknown => None,
        };
        let known = face.and_then(|face| face.applying());
        let found = face.filter(|_| known.is_none()).into_iter().flat_map(move |face| {
            let policies = self.policies.cluster.of_tier(tier, self.at);
            policies.filter(move |policy| policy.selects(&face))
        });
        let known = known.map_or(&[][..], |applying| applying.of_tier(tier));
        known.iter().map(|policy| &**policy).chain(found)
    }

    fn outcomes(&self, tier: Tier, open: &mut u8) -> Outcomes {
        // The older baseline has no priority: it may stand anywhere among the others, which keep their order.
        let mut anywhere = Outcomes::NONE;
        let mut before = Outcomes::default();
        // Policies that no priority orders among themselves.
        let mut group: Option<(u16, Outcomes)> = None;
        for policy in self.applying(tier) {
            let outcomes = self.first_match(policy, open);
            let Some(priority) = policy.policy.priority else {
                anywhere = anywhere.in_any_order(outcomes, open);
                continue;
            };
            group = match group {
                Some((of, others)) if have_no_order(of, priority) => Some((of, others.in_any_order(outcomes, open))),
                Some((_, done)) if !done.none => break,
                Some((_, done)) => {
                    before = before.or(done);
                    Some((priority, outcomes))
                }
                None => Some((priority, outcomes)),
            };
        }
        let last = group.map_or(Outcomes::NONE, |(_, last)| last);
        let ordered = Outcomes {
            none: last.none,
            ..before.or(last)
        };
        anywhere.in_any_order(ordered, open)
    }

    fn first_match(&self, policy: &CompiledCluster, open: &mut u8) -> Outcomes {
        let mut outcomes = Outcomes::default();
        for (rule, choosers) in policy.rules(self.direction) {
            let matches = self.cluster_rule_matches(rule, choosers, open);
            if faulty!(PassIsNoMatch) && rule.action == Action::Pass {
                continue;
            }
            if matches != Truth::No {
                outcomes.add(effect(rule));
            }
            if matches == Truth::Yes && !faulty!(LaterRulesToo) {
                return outcomes;
            }
        }
        outcomes.none = true;
        outcomes
    }

    fn cluster_rule_matches(&self, rule: &ClusterRule, choosers: &[Option<PodChooser>], open: &mut u8) -> Truth {
        if rule.fails_closed {
            return Truth::from(rule.action != Action::Accept && !faulty!(FailOpen));
        }
        let port = if rule.ports.is_empty() || faulty!(IgnoreTierPorts) {
            Truth::Yes
        } else {
            any(&rule.ports, |port| self.cluster_port_matches(port, open))
        };
        if port == Truth::No {
            return port;
        }
        let peers = rule.peers.iter().zip(choosers);
        port.min(any(peers, |(peer, chooser)| {
            self.cluster_peer_matches(peer, chooser.as_ref(), open)
        }))
    }

    fn cluster_port_matches(&self, port: &ClusterPort, open: &mut u8) -> Truth {
        match port {
            ClusterPort::All(protocol) => Truth::from(*protocol == self.protocol),
            ClusterPort::Range(protocol, first, last) => {
                Truth::from(*protocol == self.protocol && (*first..=*last).contains(&self.port))
            }
            ClusterPort::Named(name) => self.port_is_named(name),
        }
        .noting(Open::NamedPort, open)
    }

    fn cluster_peer_matches(&self, peer: &ClusterPeer, chooser: Option<&PodChooser>, open: &mut u8) -> Truth {
        let address = self.peer.address;
        match (peer, self.peer.role) {
            (ClusterPeer::Pods(set), Role::Pod(_)) => {
                let pod = self.peer_face.as_ref().zip(chooser);
                Truth::from(pod.is_some_and(|(face, chooser)| chooser.holds(set, face)))
            }
            (ClusterPeer::Pods(_), Role::Unknown) => Truth::Maybe.noting(Open::Peer, open),
            (ClusterPeer::Pods(_), Role::HostPod { .. }) if faulty!(HostPodsArePeers) => Truth::Yes,
            // hostNetwork pods are not matched as pods.
            (ClusterPeer::Pods(_), Role::HostPod { .. } | Role::Node(_) | Role::External) => Truth::No,
            (ClusterPeer::Nodes(_), Role::Pod(_)) => Truth::No,
            (ClusterPeer::Nodes(selector), _) => {
                let mut nodes = self.policies.nodes.with_address(address, self.at);
                Truth::from(nodes.any(|node| selector.matches(&node.labels) || faulty!(AnyNode)))
            }
            (ClusterPeer::Networks(_), Role::Pod(_)) if faulty!(NetworksMissPods) => Truth::No,
            (ClusterPeer::Networks(networks), _) => {
                Truth::from(networks.iter().any(|network| network.contains(address)))
            }
            (ClusterPeer::Domains(_), _) if faulty!(NamesResolveToNothing) => Truth::No,
            (ClusterPeer::Domains(_), _) => Truth::Maybe.noting(Open::DomainName, open),
        }
    }

    /// Whether some policy may deny this to a subject that may be any pod.
    pub(super) fn may_be_denied_by_tiers(&self) -> bool {
        [Tier::Admin, Tier::Baseline].into_iter().any(|tier| {
            self.policies.cluster.of_tier(tier, self.at).any(|policy| {
                policy.rules(self.direction).any(|(rule, choosers)| {
                    effect(rule) == Action::Deny && self.cluster_rule_matches(rule, choosers, &mut 0) != Truth::No
                })
            })
        })
    }

    /// The first rule of a cluster-wide policy that gives this answer, where it is given by one.
    pub(super) fn deciding(&self, decision: Decision) -> Option<Deciding<'a>> {
        let wanted = match decision {
            Decision::Allowed => Action::Accept,
            Decision::Denied => Action::Deny,
            Decision::NotApplicable | Decision::NotIsolated | Decision::Undecidable => return None,
        };
        if !self.has_tiers() {
            return None;
        }
        for tier in [Tier::Admin, Tier::Baseline] {
            match self.first_in(tier).map(|deciding| (effect(deciding.rule), deciding)) {
                Some((action, deciding)) if action == wanted => return Some(deciding),
                Some((Action::Accept | Action::Deny, _)) => return None,
                Some((Action::Pass, _)) | None => {}
            }
            if self.isolating().next().is_some() {
                return None;
            }
        }
        None
    }

    fn first_in(&self, tier: Tier) -> Option<Deciding<'a>> {
        self.applying(tier).find_map(|policy| {
            (0..)
                .zip(policy.rules(self.direction))
                .find(|(_, (rule, choosers))| self.cluster_rule_matches(rule, choosers, &mut 0) == Truth::Yes)
                .map(|(index, (rule, _))| Deciding { policy, rule, index })
        })
    }

    /// The rule that denies, and what would be asked before it.
    pub(super) fn denial(&self, deciding: Deciding<'_>) -> NearMiss {
        let policy = &deciding.policy.policy;
        let number = deciding.index + 1;
        let change = if deciding.rule.fails_closed {
            format!(
                "replace the newer fields in rule {number} of {}: as long as they are not understood, it denies everything",
                policy.name
            )
        } else {
            let places: Vec<_> = self
                .places_before(policy.tier)
                .into_iter()
                .map(|(number, policy)| format!("rule {number} of {}", policy.name))
                .collect();
            let before = self.outcomes(Tier::Admin, &mut 0);
            // "The baseline tier … can be overridden by the v1.NetworkPolicy" (network-policy-api, ClusterNetworkPolicy).
            let or = if policy.tier == Tier::Baseline && !before.deny {
                OR_NETWORK_POLICY
            } else {
                ""
            };
            format!(
                "put a rule before {} that accepts {}{or}",
                places.join(" and "),
                accepted(self)
            )
        };
        NearMiss {
            rule: deciding.id(self.direction),
            unmet: vec![Unmet::Denies {
                tier: policy.tier,
                priority: policy.priority,
                rule: deciding.rule.name.clone(),
            }],
            change,
        }
    }

    /// Where a rule comes before all that may deny in a tier, or in the one before it: in every policy that may be asked first.
    fn places_before(&self, tier: Tier) -> Vec<(usize, &'a ClusterPolicy)> {
        let may_deny = |tier: &Tier| self.outcomes(*tier, &mut 0).deny;
        let tier = Some(Tier::Admin).filter(may_deny).unwrap_or(tier);
        let mut places: Vec<(usize, &ClusterPolicy)> = Vec::new();
        let mut first = None;
        for policy in self.applying(tier) {
            let priority = policy.policy.priority;
            if first.is_some() && priority != first {
                break;
            }
            let mut rules = policy.rules(self.direction);
            let may_match = rules.position(|(rule, peers)| self.cluster_rule_matches(rule, peers, &mut 0) != Truth::No);
            if let Some(index) = may_match {
                places.push((index + 1, &policy.policy));
                first = priority;
            }
        }
        places
    }

    /// The cluster-wide policies with a rule that may match.
    pub(super) fn concerned(&self) -> impl Iterator<Item = &'a CompiledCluster> {
        let asked = self.has_tiers();
        [Tier::Admin, Tier::Baseline]
            .into_iter()
            .filter(move |_| asked)
            .flat_map(|tier| self.applying(tier))
            .filter(|policy| self.first_match(policy, &mut 0).actions() > 0)
    }
}
