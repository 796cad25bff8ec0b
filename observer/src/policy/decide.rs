//! The answer alone: what every possible world says, and whether they agree. Does not allocate.

use super::compiled::Face;
use super::faults::faulty;
use super::matching::{Scene, isolates};
use super::store::Touched;
use super::worlds::{Answers, Open, Role, Side, Truth, sides};
use super::{Decision, Direction, Party, Policies, Question, Undecidable, Who};
use crate::objects::{Pod, Scope, Str};
use crate::time::Time;

/// What the policies say, without why.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Decided {
    /// Egress of the source.
    pub egress: DirectionDecided,
    /// Ingress of the destination.
    pub ingress: DirectionDecided,
}

/// What the policies say of one direction.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct DirectionDecided {
    /// The answer.
    pub decision: Decision,
    /// Why it is open, for [`Decision::Undecidable`] only.
    pub undecidable: Option<Undecidable>,
}

impl Decided {
    /// Both directions together: denied if either is, else undecidable if either is, else allowed.
    #[must_use]
    pub fn decision(&self) -> Decision {
        both(self.egress.decision, self.ingress.decision)
    }
}

impl DirectionDecided {
    fn open(reason: Undecidable) -> Self {
        Self {
            decision: Decision::Undecidable,
            undecidable: Some(reason),
        }
    }
}

/// Denied if either is, else undecidable if either is, else allowed.
pub(super) fn both(egress: Decision, ingress: Decision) -> Decision {
    let either = |decision| egress == decision || ingress == decision;
    if either(Decision::Denied) {
        Decision::Denied
    } else if either(Decision::Undecidable) {
        Decision::Undecidable
    } else {
        Decision::Allowed
    }
}

impl Policies {
    /// The answer as of [`Question::at`], without explanation. Does not allocate.
    #[must_use]
    pub fn decide(&self, question: &Question) -> Decided {
        self.decide_until(question, question.at)
    }

    /// As [`Self::decide`], for an attempt that went on until `until`: what changed in between is treated as a change within
    /// the propagation window, since any of its SYNs may have been the one that was let through, or not.
    #[must_use]
    pub fn decide_until(&self, question: &Question, until: Time) -> Decided {
        let doubt = |direction| self.doubt(question, direction, until);
        if !self.knows_anything() {
            let open = |direction| {
                let why = doubt(direction).map_or(Undecidable::NoObjects, |(why, _)| why.clone());
                DirectionDecided::open(why)
            };
            return Decided {
                egress: open(Direction::Egress),
                ingress: open(Direction::Ingress),
            };
        }
        // Both directions are about the same pods.
        let known = [&question.source, &question.destination].map(|party| match &party.who {
            Who::Pod(pod) | Who::Rewritten { pod } => Some(self.face(pod, question.at)),
            Who::Node { .. } | Who::External | Who::Unknown => None,
        });
        let mut decided = Decided {
            egress: self.direction(question, Direction::Egress, until, &known),
            ingress: self.direction(question, Direction::Ingress, until, &known),
        };
        for (direction, decided) in [
            (Direction::Egress, &mut decided.egress),
            (Direction::Ingress, &mut decided.ingress),
        ] {
            if let Some((why, everything)) = doubt(direction)
                && (everything || decided.decision != Decision::NotApplicable)
            {
                *decided = DirectionDecided::open(why.clone());
            }
        }
        decided
    }

    fn direction<'a>(
        &'a self,
        question: &'a Question,
        direction: Direction,
        until: Time,
        known: &[Option<Face<'a>>; 2],
    ) -> DirectionDecided {
        let now = self.only_world(question, direction, known).unwrap_or_else(|| {
            self.worlds(question, direction, question.at, false, |pod| {
                let known = known.iter().flatten().find(|face| std::ptr::eq(face.pod, pod));
                known.copied().unwrap_or_else(|| self.face(pod, question.at))
            })
        });
        if let Some(reason) = now.undecidable {
            return DirectionDecided::open(reason);
        }
        let after = question.at - self.config.window;
        let mut changes = self
            .changed(after, until)
            .filter(|(_, what)| concerns(what, question))
            .map(|(at, _)| *at)
            .peekable();
        if changes.peek().is_some() && !faulty!(NoWindow) {
            let denied = now.decision == Decision::Denied;
            let turned = std::iter::once(after).chain(changes).any(|at| {
                let then = self.worlds(question, direction, at, true, |pod| self.face(pod, at));
                then.undecidable.is_some() || (then.decision == Decision::Denied) != denied
            });
            if turned {
                return DirectionDecided::open(Undecidable::Changing);
            }
        }
        now
    }

    /// Nearly all questions are about two pods that can have been nothing else: told without reading their objects.
    fn only_world<'a>(
        &'a self,
        question: &'a Question,
        direction: Direction,
        [source, destination]: &[Option<Face<'a>>; 2],
    ) -> Option<DirectionDecided> {
        let faces = match direction {
            Direction::Egress => [*source, *destination],
            Direction::Ingress => [*destination, *source],
        };
        let side = |party: &'a Party, face: &Option<Face<'a>>| match &party.who {
            Who::Pod(pod) if face.as_ref()?.has_own_address() => Some(Side {
                address: party.address,
                role: Role::Pod(pod),
            }),
            _ => None,
        };
        let (subject, peer) = parties(question, direction);
        let sides = [side(subject, &faces[0])?, side(peer, &faces[1])?];
        let scene = Scene::of(self, question, direction, question.at, sides, faces);
        let answers = scene.answers();
        Some(concluded(answers, answers, answers.decision()))
    }

    /// One direction with the policies, namespaces and (if `earlier_pods`) pods' labels of one time; `face` knows a pod then.
    fn worlds<'a>(
        &'a self,
        question: &'a Question,
        direction: Direction,
        at: Time,
        earlier_pods: bool,
        face: impl Fn(&'a Pod) -> Face<'a>,
    ) -> DirectionDecided {
        let (subject, peer) = parties(question, direction);
        let mut first = None;
        // Without and with the worlds where hostNetwork pods are told apart.
        let (mut plain, mut all) = (Answers::default(), Answers::default());
        for subject in sides(subject, direction) {
            for peer in sides(peer, direction) {
                let ends = [subject, peer].map(|side| self.as_of(side, at, earlier_pods));
                let scene = Scene::of_faces(self, question, direction, at, ends, &face);
                let answers = scene.answers();
                first.get_or_insert(answers);
                all = all.or(answers);
                if !scene.subject.role.is_host_pod() && !scene.peer.role.is_host_pod() {
                    plain = plain.or(answers);
                }
            }
        }
        concluded(plain, all, first.unwrap_or_default().decision())
    }

    fn as_of<'a>(&'a self, side: Side<'a>, at: Time, earlier_pods: bool) -> Side<'a> {
        if !earlier_pods {
            return side;
        }
        let role = match side.role {
            Role::Pod(pod) => Role::Pod(self.pod_at(pod, at)),
            Role::HostPod { pod, node } => Role::HostPod {
                pod: self.pod_at(pod, at),
                node,
            },
            other => other,
        };
        Side { role, ..side }
    }

    /// Objects in doubt that may concern the question, or a policy that is not evaluated that may select the pod of this
    /// direction; and whether it may concern anything at all: what cannot be read may be the pod that an address belongs to.
    fn doubt(&self, question: &Question, direction: Direction, until: Time) -> Option<(&Undecidable, bool)> {
        let parties = || [&question.source, &question.destination].into_iter();
        let touches = |namespaces: &[Str]| {
            parties().any(|party| {
                may_be_in(party, |namespace| {
                    namespaces.iter().any(|doubted| **doubted == *namespace)
                })
            })
        };
        self.doubts(question.at, until).find_map(|(why, scope)| match scope {
            Scope::Everything => Some((why, !matches!(why, Undecidable::ForeignPolicy { .. }))),
            Scope::Namespaces(namespaces) => touches(namespaces).then_some((why, false)),
            Scope::Addresses(namespaces) => {
                let translated = question.dialled.is_some();
                (translated || parties().any(is_no_pod) || touches(namespaces)).then_some((why, true))
            }
            Scope::Subjects(subjects) => {
                let decides = match direction {
                    Direction::Ingress => subjects.ingress,
                    Direction::Egress => subjects.egress,
                };
                let (subject, _) = self::parties(question, direction);
                let may_hold = matches!(subject.who, Who::Unknown) || pods(subject).any(|pod| subjects.hold(pod));
                (decides && may_hold).then_some((why, false))
            }
        })
    }
}

/// What the possible worlds say together: without and with those where hostNetwork pods are told apart; the likeliest's first.
fn concluded(plain: Answers, all: Answers, first: Decision) -> DirectionDecided {
    if plain.differ() {
        DirectionDecided::open(plain.reason().unwrap_or(Undecidable::SourceRewritten))
    } else if all.differ() {
        DirectionDecided::open(Undecidable::HostNetwork)
    } else {
        DirectionDecided {
            decision: first,
            undecidable: None,
        }
    }
}

/// Whose policies are asked in a direction, and who is matched against their rules.
pub(super) fn parties(question: &Question, direction: Direction) -> (&Party, &Party) {
    match direction {
        Direction::Egress => (&question.source, &question.destination),
        Direction::Ingress => (&question.destination, &question.source),
    }
}

/// Whether a change can turn the answer to a question.
fn concerns(what: &Touched, question: &Question) -> bool {
    let parties = [&question.source, &question.destination];
    match what {
        Touched::PoliciesOf(namespace) | Touched::Namespace(namespace) => parties
            .into_iter()
            .any(|party| may_be_in(party, |other| *other == **namespace)),
        Touched::Pod(name) => parties
            .into_iter()
            .any(|party| pods(party).any(|pod| pod.name == *name)),
        Touched::ClusterPolicies => true,
        // Pods' addresses are never nodes'.
        Touched::Nodes => !matches!(&question.destination.who, Who::Pod(pod) if !pod.host_network),
    }
}

/// Not known as a pod with addresses of its own.
fn is_no_pod(party: &Party) -> bool {
    match &party.who {
        Who::Pod(pod) | Who::Rewritten { pod } => pod.host_network,
        Who::Node { .. } | Who::External | Who::Unknown => true,
    }
}

fn may_be_in(party: &Party, mut wanted: impl FnMut(&str) -> bool) -> bool {
    matches!(party.who, Who::Unknown) || pods(party).any(|pod| wanted(&pod.name.namespace))
}

/// The pods that a party may have been.
fn pods(party: &Party) -> impl Iterator<Item = &Pod> {
    match &party.who {
        Who::Pod(pod) | Who::Rewritten { pod } => std::slice::from_ref(pod),
        Who::Node { candidates, .. } => candidates,
        Who::External | Who::Unknown => &[],
    }
    .iter()
    .map(|pod| &**pod)
}

impl Scene<'_> {
    /// The possible answers in this world.
    pub(super) fn answers(&self) -> Answers {
        match self.subject.role {
            Role::Node(_) | Role::External => Answers::one(Decision::NotApplicable),
            Role::Unknown => self.answers_for_anybody(),
            Role::Pod(_) => self.answers_through_tiers(),
            Role::HostPod { .. } if faulty!(HostPodsAreSubjects) => self.answers_through_tiers(),
            // Cluster-wide policies do not apply to hostNetwork pods.
            Role::HostPod { .. } => self.answers_of_network_policies(),
        }
    }

    /// What the NetworkPolicies alone say.
    pub(super) fn answers_of_network_policies(&self) -> Answers {
        let mut isolated = false;
        let mut allowed = Truth::No;
        let mut open = 0;
        for policy in self.isolating() {
            if isolated && faulty!(FirstPolicyOnly) {
                break;
            }
            if !isolated {
                isolated = true;
                allowed = self.always_allowed(&mut open);
            }
            if allowed == Truth::Yes {
                break;
            }
            allowed = allowed.max(self.allows(policy, &mut open));
        }
        match (isolated, allowed) {
            (false, _) => Answers::one(Decision::NotIsolated),
            (true, Truth::Yes) => Answers::one(Decision::Allowed),
            (true, Truth::No) => Answers::one(Decision::Denied),
            (true, Truth::Maybe) => Answers::several(Decision::Allowed, Decision::Denied, open),
        }
    }

    /// A pod and itself, a pod and its own node: no policy of this kind stands between them.
    pub(super) fn always_allowed(&self, open: &mut u8) -> Truth {
        if self.is_localhost() {
            return Truth::Yes;
        }
        if let (Some(subject), Some(peer)) = (&self.subject_face, &self.peer_face)
            && subject.is_same_pod(peer)
            && !faulty!(NotItself)
        {
            return Truth::Yes;
        }
        let own = self.subject.role.is_own_node(self.peer.role);
        if faulty!(NotOwnNode) {
            return Truth::No;
        }
        if own == Truth::Maybe {
            *open |= Open::Node as u8;
        }
        own
    }

    /// The subject may be any pod: denied is possible where the policies of a namespace let some pod be isolated from this peer.
    fn answers_for_anybody(&self) -> Answers {
        let deniable = self.policies.spaces.values().any(|space| {
            let mut some_denies = false;
            let mut all_are_allowed = false;
            for held in space.policies.iter().filter(|held| held.holds_at(self.at)) {
                if isolates(&held.compiled.policy, self.direction) {
                    let allows = self.allows(&held.compiled, &mut 0) == Truth::Yes;
                    some_denies |= !allows;
                    all_are_allowed |= allows && held.compiled.policy.pod_selector.requirements.is_empty();
                }
            }
            some_denies && !all_are_allowed
        });
        if deniable || self.may_be_denied_by_tiers() {
            Answers::several(Decision::NotApplicable, Decision::Denied, Open::Peer as u8)
        } else {
            Answers::one(Decision::NotApplicable)
        }
    }
}
