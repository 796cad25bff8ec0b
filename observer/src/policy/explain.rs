//! From an answer to a verdict: the policies, the rule, caveats and recent changes. Built only when asked for.

use super::cluster_policies::HeldCluster;
use super::decide::{DirectionDecided, parties};
use super::matching::{Scene, isolates};
use super::worlds::{Answers, Truth, sides};
use super::{
    Caveat, Decided, Decision, Direction, DirectionVerdict, Policies, PolicyChange, PolicyChangeKind, Question, RuleId,
    Undecidable, Verdict,
};
use crate::objects::{ClusterPolicy, Name, NetworkPolicy, Pod};
use crate::time::Time;

impl Policies {
    /// The answer as of [`Question::at`], explained.
    #[must_use]
    pub fn judge(&self, question: &Question) -> Verdict {
        self.judge_until(question, question.at)
    }

    /// As [`Self::judge`], for an attempt that went on until `until`; see [`Self::decide_until`].
    #[must_use]
    pub fn judge_until(&self, question: &Question, until: Time) -> Verdict {
        self.explain(question, &self.decide_until(question, until))
    }

    /// The explanation of an answer that [`Self::decide`] gave to this question.
    #[must_use]
    pub fn explain(&self, question: &Question, decided: &Decided) -> Verdict {
        let mut caveats = Vec::new();
        let mut changes = Vec::new();
        self.changes(question, Direction::Egress, &mut changes);
        self.changes(question, Direction::Ingress, &mut changes);
        sort_changes(&mut changes);
        let mut explain = |direction, answer| self.explain_direction(question, direction, answer, &mut caveats);
        let egress = explain(Direction::Egress, &decided.egress);
        let ingress = explain(Direction::Ingress, &decided.ingress);
        if self.is_created_later(question, &egress) || self.is_created_later(question, &ingress) {
            caveats.push(Caveat::CreatedLater);
        }
        caveats.sort_unstable();
        caveats.dedup();
        Verdict {
            decision: decided.decision(),
            egress,
            ingress,
            caveats,
            changes,
        }
    }

    /// What was read at the start counts as old, even where it says itself that it is not.
    fn is_created_later(&self, question: &Question, said: &DirectionVerdict) -> bool {
        if !matches!(said.decision, Decision::Allowed | Decision::Denied) {
            return false;
        }
        let later = |from: Time, created: Option<Time>| {
            from == Time::BEGINNING && created.is_some_and(|created| created > question.at)
        };
        said.policies.iter().any(|name| {
            let own = self.versions_of(&name.namespace).iter();
            let mut own = own.filter(|held| later(held.from, held.compiled.policy.created));
            let cluster = self.cluster.versions().iter();
            let mut cluster = cluster.filter(|held| later(held.from, held.compiled.policy.created));
            own.any(|held| held.compiled.policy.name == *name)
                || cluster.any(|held| cluster_name(&held.compiled.policy) == *name)
        })
    }

    /// What another reading would turn of the answer to a question, without the rest of its explanation.
    #[must_use]
    pub fn caveats(&self, question: &Question) -> Vec<Caveat> {
        let decided = self.decide(question);
        let mut caveats = Vec::new();
        for (direction, answer) in [
            (Direction::Egress, decided.egress.decision),
            (Direction::Ingress, decided.ingress.decision),
        ] {
            if matches!(answer, Decision::Allowed | Decision::Denied)
                && let Some(scene) = self.telling_scene(question, direction)
                && scene.deciding(answer).is_none()
            {
                scene.caveats(question, &mut caveats);
            }
        }
        caveats.sort_unstable();
        caveats.dedup();
        caveats
    }

    fn explain_direction(
        &self,
        question: &Question,
        direction: Direction,
        answer: &DirectionDecided,
        caveats: &mut Vec<Caveat>,
    ) -> DirectionVerdict {
        let mut verdict = DirectionVerdict {
            decision: answer.decision,
            undecidable: answer.undecidable.clone(),
            policies: Vec::new(),
            rule: None,
            nearest: Vec::new(),
            farther: 0,
        };
        let Some(scene) = self.telling_scene(question, direction) else {
            return verdict;
        };
        if answer.decision == Decision::Undecidable {
            verdict
                .policies
                .extend(scene.concerned().map(|policy| cluster_name(&policy.policy)));
        }
        if let Some(deciding) = scene.deciding(answer.decision) {
            verdict.policies = vec![cluster_name(&deciding.policy.policy)];
            verdict.rule = Some(deciding.id(direction));
            if answer.decision == Decision::Denied {
                verdict.nearest = vec![scene.denial(deciding)];
            }
            return verdict;
        }
        verdict
            .policies
            .extend(scene.isolating().map(|policy| policy.policy.name.clone()));
        match answer.decision {
            Decision::Allowed => verdict.rule = scene.first_allowing(),
            Decision::Denied => (verdict.nearest, verdict.farther) = scene.nearest(),
            Decision::NotApplicable | Decision::NotIsolated | Decision::Undecidable => {}
        }
        if matches!(answer.decision, Decision::Allowed | Decision::Denied) {
            scene.caveats(question, caveats);
        }
        verdict
    }

    /// The likeliest world, or the first in which a policy isolates the subject.
    pub(super) fn telling_scene<'a>(&'a self, question: &'a Question, direction: Direction) -> Option<Scene<'a>> {
        let (subject, peer) = parties(question, direction);
        let peer = sides(peer, direction).next()?;
        let mut scenes = sides(subject, direction)
            .map(|subject| Scene::new(self, question, direction, question.at, [subject, peer]));
        scenes
            .clone()
            .find(|scene| scene.isolating().next().is_some())
            .or_else(|| scenes.next())
    }

    /// Recent changes of policies that isolate the subject in this direction, and of cluster-wide ones that apply to it.
    fn changes(&self, question: &Question, direction: Direction, into: &mut Vec<PolicyChange>) {
        let (subject, _) = parties(question, direction);
        let after = question.at - self.config.recent;
        for pod in sides(subject, direction).filter_map(|side| side.role.pod()) {
            self.cluster_changes(question, direction, pod, into);
            let versions = self.versions_of(&pod.name.namespace);
            let concerns =
                |policy: &NetworkPolicy| isolates(policy, direction) && policy.pod_selector.matches(&pod.labels);
            let recent = |at: Time| at > after && at <= question.at;
            for (index, held) in versions.iter().enumerate() {
                if !is_recent(held.from, held.compiled.policy.created, held.until, recent) {
                    continue;
                }
                let near = |other: Option<usize>| {
                    other
                        .and_then(|index| versions.get(index))
                        .filter(|other| other.compiled.policy.name == held.compiled.policy.name)
                };
                let before = near(index.checked_sub(1)).filter(|old| old.until == Some(held.from));
                let replaced = near(Some(index + 1)).is_some_and(|new| held.until == Some(new.from));
                let mut tell = |what, at| {
                    if recent(at) {
                        into.push(PolicyChange {
                            policy: held.compiled.policy.name.clone(),
                            what,
                            at,
                        });
                    }
                };
                let concerned = concerns(&held.compiled.policy);
                match before {
                    Some(old) if concerned || concerns(&old.compiled.policy) => {
                        tell(PolicyChangeKind::Changed, held.from);
                    }
                    None if concerned && held.from > Time::BEGINNING => {
                        tell(PolicyChangeKind::Created, held.from);
                    }
                    // Loaded at the start: only the manifest knows since when.
                    None if concerned => {
                        if let Some(created) = held.compiled.policy.created {
                            tell(PolicyChangeKind::Created, created);
                        }
                    }
                    _ => {}
                }
                if let Some(until) = held.until.filter(|_| concerned && !replaced) {
                    tell(PolicyChangeKind::Deleted, until);
                }
            }
        }
    }
}

impl Policies {
    fn cluster_changes(&self, question: &Question, direction: Direction, pod: &Pod, into: &mut Vec<PolicyChange>) {
        let face = self.face(pod, question.at);
        let after = question.at - self.config.recent;
        let recent = |at: Time| at > after && at <= question.at;
        let versions = self.cluster.versions();
        for held in versions {
            let policy = &held.compiled.policy;
            if !is_recent(held.from, policy.created, held.until, recent) {
                continue;
            }
            if pod.host_network || held.compiled.rules(direction).next().is_none() || !held.compiled.selects(&face) {
                continue;
            }
            let same = |other: &&HeldCluster| {
                other.compiled.policy.kind == policy.kind && other.compiled.policy.name == policy.name
            };
            let mut others = versions.iter().filter(same);
            let replaces = others.clone().any(|old| old.until == Some(held.from));
            let replaced = others.any(|new| held.until == Some(new.from));
            let (what, begun) = match held.from {
                _ if replaces => (PolicyChangeKind::Changed, Some(held.from)),
                Time::BEGINNING => (PolicyChangeKind::Created, policy.created),
                from => (PolicyChangeKind::Created, Some(from)),
            };
            let ended = held.until.filter(|_| !replaced);
            for (what, at) in [(what, begun), (PolicyChangeKind::Deleted, ended)] {
                let Some(at) = at.filter(|at| recent(*at)) else {
                    continue;
                };
                into.push(PolicyChange {
                    policy: cluster_name(policy),
                    what,
                    at,
                });
            }
        }
    }
}

/// Whether a version began or ended at a recent time. Asked first: of thousands of policies hardly one changed just now. Of
/// what was loaded at the start only the manifest knows since when it is.
fn is_recent(from: Time, created: Option<Time>, until: Option<Time>, recent: impl Fn(Time) -> bool) -> bool {
    let begun = if from > Time::BEGINNING { Some(from) } else { created };
    begun.into_iter().chain(until).any(recent)
}

/// Newest first, each once.
pub(super) fn sort_changes(changes: &mut Vec<PolicyChange>) {
    changes.sort_by(|a, b| b.at.cmp(&a.at).then_with(|| a.policy.cmp(&b.policy)));
    changes.dedup();
}

impl Verdict {
    /// An answer that is open for a reason which lies outside the policies.
    #[must_use]
    pub fn undecidable(reason: Undecidable) -> Self {
        let direction = DirectionVerdict {
            decision: Decision::Undecidable,
            undecidable: Some(reason),
            policies: Vec::new(),
            rule: None,
            nearest: Vec::new(),
            farther: 0,
        };
        Self {
            decision: Decision::Undecidable,
            egress: direction.clone(),
            ingress: direction,
            caveats: Vec::new(),
            changes: Vec::new(),
        }
    }
}

impl Scene<'_> {
    /// The first rule that allows, in order of policy name and rule; `None` where no rule is needed.
    fn first_allowing(&self) -> Option<RuleId> {
        if self.always_allowed(&mut 0) == Truth::Yes {
            return None;
        }
        self.isolating().find_map(|policy| {
            let index = policy
                .compiled(self.direction)
                .position(|rule| self.rule_matches(policy, rule, &mut 0) == Truth::Yes)?;
            Some(rule_id(&policy.policy.name, self.direction, index))
        })
    }

    /// What another reading would turn.
    fn caveats(&self, question: &Question, caveats: &mut Vec<Caveat>) {
        let answer = self.answers();
        let turned = |other: Self| other.answers().or(answer).differ();
        if turned(Self {
            blocks_match_pods: false,
            ..*self
        }) {
            caveats.push(Caveat::BlockOnPod);
        }
        let Some(dialled) = question.dialled else {
            return;
        };
        if self.direction == Direction::Egress && dialled.ip() != self.peer.address {
            let mut as_dialled = *self;
            as_dialled.peer.address = dialled.ip();
            if turned(as_dialled) {
                caveats.push(Caveat::BlockOnService);
            }
        }
        if let Some(pod) = self.subject.role.pod()
            && self.subject.role.is_same_pod(self.peer.role)
            && !pod.addresses.contains(&dialled.ip())
            && self.deciding(Decision::Allowed).is_none()
            && answer == Answers::one(Decision::Allowed)
            && !self.isolating().any(|policy| self.allows(policy, &mut 0) == Truth::Yes)
        {
            caveats.push(Caveat::Hairpin);
        }
    }
}

/// A cluster-wide policy has no namespace.
pub(super) fn cluster_name(policy: &ClusterPolicy) -> Name {
    Name::new("", policy.name.clone())
}

pub(super) fn rule_id(policy: &Name, direction: Direction, index: usize) -> RuleId {
    RuleId {
        policy: policy.clone(),
        direction,
        number: u32::try_from(index + 1).unwrap_or(u32::MAX),
    }
}
