//! The policies, namespaces and pods by time, and which of them changed when.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use super::Undecidable;
use crate::objects::{Change, Kind, Labels, Name, Namespace, NetworkPolicy, Object, Pod, Scope, Str, Versioned};
use crate::time::Time;

/// What is not in the objects.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Config {
    /// How long a change may take to reach the nodes. Within it, an answer that the change turns is undecidable. Zero: the
    /// newest objects are in force at once.
    pub window: Duration,
    /// How far back a policy's change is told with a verdict.
    pub recent: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            window: Duration::from_secs(3),
            recent: Duration::from_secs(600),
        }
    }
}

/// Everything that a verdict depends on, by time. It has one owner, which applies changes in the order of their times.
#[derive(Debug, Default)]
pub struct Policies {
    pub(super) config: Config,
    /// Namespace → its policies' versions, sorted by name, then time. Written by [`Self::apply`], old versions deleted by
    /// [`Self::prune`].
    pub(super) policies: HashMap<Str, Vec<Held>>,
    /// Namespace objects by name and time.
    pub(super) namespaces: Versioned<Str, Arc<Namespace>>,
    /// Pods by name and time; a new version only where the labels changed.
    pub(super) pods: Versioned<Name, Arc<Pod>>,
    /// What changed while running, oldest first. Grows with changes, cut by [`Self::prune`].
    log: VecDeque<(Time, Touched)>,
    /// Files that could not be read, and when.
    doubts: Vec<Doubt>,
    /// An object of any kind was ever known.
    any: bool,
}

/// One version of a policy.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) policy: Arc<NetworkPolicy>,
    pub(super) from: Time,
    /// When it was replaced or deleted.
    pub(super) until: Option<Time>,
}

impl Held {
    pub(super) fn holds_at(&self, at: Time) -> bool {
        self.from <= at && self.until.is_none_or(|until| at < until)
    }
}

/// What a change may have concerned.
#[derive(Clone, Debug)]
pub(super) enum Touched {
    /// A policy of this namespace.
    PoliciesOf(Str),
    /// This namespace's labels.
    Namespace(Str),
    /// This pod's labels.
    Pod(Name),
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
                    Object::Service(_) | Object::EndpointSlice(_) | Object::Node(_) => {}
                }
            }
            Change::Remove(Kind::NetworkPolicy, name) => self.remove_policy(name, at),
            Change::Remove(Kind::Namespace, name) => {
                self.namespaces.remove(name.name.clone(), at);
                self.touched(at, Touched::Namespace(name.name.clone()));
            }
            // A pod that is gone has no labels to differ from: attempts of its last moments carry it.
            Change::Remove(Kind::Pod, name) => self.pods.remove(name.clone(), at),
            Change::Remove(Kind::Service | Kind::EndpointSlice | Kind::Node, _) => {}
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
        self.policies.retain(|_, versions| {
            versions.retain(|held| held.until.is_none_or(|until| until > told));
            !versions.is_empty()
        });
        let before = before - self.config.window;
        self.namespaces.prune(before);
        self.pods.prune(before);
        while self.log.front().is_some_and(|(at, _)| *at < before) {
            self.log.pop_front();
        }
        self.doubts
            .retain(|doubt| doubt.until.is_none_or(|until| until > before));
    }

    fn set_policy(&mut self, policy: &Arc<NetworkPolicy>, at: Time) {
        let versions = self.policies.entry(policy.name.namespace.clone()).or_default();
        // After all versions of the same name: the last of them is the newest.
        let next = versions.partition_point(|held| held.policy.name.name <= policy.name.name);
        if let Some(last) = next.checked_sub(1).map(|last| &mut versions[last])
            && last.policy.name == policy.name
            && last.until.is_none()
        {
            if says_the_same(&last.policy, policy) {
                return;
            }
            last.until = Some(at);
        }
        versions.insert(
            next,
            Held {
                policy: policy.clone(),
                from: at,
                until: None,
            },
        );
        self.touched(at, Touched::PoliciesOf(policy.name.namespace.clone()));
    }

    fn remove_policy(&mut self, name: &Name, at: Time) {
        let Some(versions) = self.policies.get_mut(&name.namespace) else {
            return;
        };
        if let Some(held) = versions
            .iter_mut()
            .find(|held| held.policy.name == *name && held.until.is_none())
        {
            held.until = Some(at);
            self.touched(at, Touched::PoliciesOf(name.namespace.clone()));
        }
    }

    fn set_namespace(&mut self, namespace: &Arc<Namespace>, at: Time) {
        let last = self.namespaces.latest(&namespace.name);
        if last.is_some_and(|last| last.labels == namespace.labels) {
            return;
        }
        self.namespaces.set(namespace.name.clone(), namespace.clone(), at);
        self.touched(at, Touched::Namespace(namespace.name.clone()));
    }

    fn set_pod(&mut self, pod: &Arc<Pod>, at: Time) {
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

    /// The policies of a namespace at a time, by name.
    pub(super) fn policies_of(&self, namespace: &str, at: Time) -> impl Iterator<Item = &NetworkPolicy> {
        self.versions_of(namespace)
            .iter()
            .filter(move |held| held.holds_at(at))
            .map(|held| &*held.policy)
    }

    /// All versions of a namespace's policies that are remembered.
    pub(super) fn versions_of(&self, namespace: &str) -> &[Held] {
        self.policies.get(namespace).map_or(&[], Vec::as_slice)
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

/// Where it was read and when it was made changes nothing of what a policy allows.
fn says_the_same(a: &NetworkPolicy, b: &NetworkPolicy) -> bool {
    let NetworkPolicy {
        name,
        created: _,
        pod_selector,
        isolates_ingress,
        isolates_egress,
        ingress,
        egress,
        source: _,
    } = a;
    *name == b.name
        && *pod_selector == b.pod_selector
        && *isolates_ingress == b.isolates_ingress
        && *isolates_egress == b.isolates_egress
        && *ingress == b.ingress
        && *egress == b.egress
}
