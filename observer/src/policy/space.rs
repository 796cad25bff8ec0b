//! One namespace: its policies by time, its pods now, and which of the policies select which of the pods.

use std::collections::HashMap;
use std::sync::Arc;

use super::Direction;
use super::compiled::{Compiled, Tags};
use super::faults::faulty;
use super::roster::{Indexed, Place, Roster, Surroundings};
use super::terms::{Term, Terms};
use crate::objects::{NetworkPolicy, Pod, Str};
use crate::time::Time;

/// A namespace that has pods or policies.
#[derive(Debug, Default)]
pub(super) struct Space {
    /// Sorted by name, then time. Written when a policy changes, old versions deleted by [`super::Policies::prune`].
    pub(super) policies: Vec<Held>,
    /// Pod name → its place in the roster. Written when the pod comes, deleted with it.
    pods: HashMap<Str, Place>,
    /// Its labels, shared with its pods.
    pub(super) surroundings: Arc<Surroundings>,
}

/// One version of a policy.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) compiled: Arc<Compiled>,
    pub(super) from: Time,
    /// When it was replaced or deleted.
    pub(super) until: Option<Time>,
}

/// The policies that isolate a pod, by name.
#[derive(Debug, Default)]
pub(super) struct Selection {
    ingress: Box<[Arc<Compiled>]>,
    egress: Box<[Arc<Compiled>]>,
}

impl Held {
    pub(super) fn holds_at(&self, at: Time) -> bool {
        self.from <= at && self.until.is_none_or(|until| at < until)
    }
}

impl Selection {
    pub(super) fn isolating(&self, direction: Direction) -> &[Arc<Compiled>] {
        match direction {
            Direction::Ingress => &self.ingress,
            Direction::Egress => &self.egress,
        }
    }

    /// Of all policies that hold now.
    fn of(policies: &[Held], labels: &[Term]) -> Self {
        let isolating = |direction| {
            let current = policies.iter().filter(|held| held.until.is_none());
            let isolating = current.filter(|held| held.compiled.isolates(Tags::Terms(labels), direction));
            isolating.map(|held| held.compiled.clone()).collect()
        };
        Self {
            ingress: isolating(Direction::Ingress),
            egress: isolating(Direction::Egress),
        }
    }

    fn holds(&self, policy: &Arc<Compiled>) -> bool {
        let mut all = self.ingress.iter().chain(&self.egress);
        all.any(|one| Arc::ptr_eq(one, policy))
    }
}

impl Space {
    /// A namespace with these labels since then.
    pub(super) fn new(labels: Box<[Term]>, since: Time) -> Self {
        Self {
            surroundings: Arc::new(Surroundings { labels, since }),
            ..Self::default()
        }
    }

    /// The namespace has these labels since then.
    pub(super) fn relabel(&mut self, labels: Box<[Term]>, since: Time, roster: &mut Roster) {
        self.surroundings = Arc::new(Surroundings { labels, since });
        for place in self.pods.values() {
            if let Some(pod) = roster.get_mut(*place)
                && !faulty!(KeepNamespaceLabels)
            {
                pod.namespace = self.surroundings.clone();
            }
        }
    }

    /// Puts a policy in force; `false` if it says what is in force already.
    pub(super) fn set_policy(
        &mut self,
        policy: &Arc<NetworkPolicy>,
        terms: &mut Terms,
        roster: &mut Roster,
        at: Time,
    ) -> bool {
        // After all versions of the same name: the last of them is the newest.
        let next = self
            .policies
            .partition_point(|held| held.compiled.policy.name.name <= policy.name.name);
        if let Some(last) = next.checked_sub(1).map(|last| &self.policies[last])
            && last.until.is_none()
            && says_the_same(&last.compiled.policy, policy)
        {
            return false;
        }
        let replaced = self.end_policy(&policy.name.name, at);
        let compiled = Arc::new(Compiled::new(policy, terms));
        let held = Held {
            compiled: compiled.clone(),
            from: at,
            until: None,
        };
        self.policies.insert(next, held);
        self.index(&[replaced, Some(compiled)], roster, at);
        true
    }

    /// Ends a policy; `false` if there is none.
    pub(super) fn remove_policy(&mut self, name: &str, roster: &mut Roster, at: Time) -> bool {
        let ended = self.end_policy(name, at);
        let was_there = ended.is_some();
        self.index(&[ended], roster, at);
        was_there
    }

    fn end_policy(&mut self, name: &str, at: Time) -> Option<Arc<Compiled>> {
        let mut all = self.policies.iter_mut();
        let held = all.find(|held| *held.compiled.policy.name.name == *name && held.until.is_none())?;
        held.until = Some(at);
        Some(held.compiled.clone())
    }

    /// Selects anew for the pods that these policies select, or did.
    fn index(&self, changed: &[Option<Arc<Compiled>>], roster: &mut Roster, at: Time) {
        for place in self.pods.values() {
            let Some(pod) = roster.get_mut(*place) else { continue };
            let concerned = changed
                .iter()
                .flatten()
                .any(|policy| pod.selection.holds(policy) || policy.selects(Tags::Terms(&pod.labels)));
            if concerned && !faulty!(KeepIndex) {
                pod.selection = Selection::of(&self.policies, &pod.labels);
                pod.since = at;
            }
        }
    }

    pub(super) fn set_pod(&mut self, pod: &Arc<Pod>, terms: &mut Terms, roster: &mut Roster, at: Time) {
        let place = self.pods.get(&pod.name.name).copied();
        if let Some(place) = place
            && (faulty!(KeepSelection) || roster.get(place).is_some_and(|indexed| indexed.is(pod)))
        {
            roster.replace(place, pod);
            return;
        }
        if let Some(place) = place {
            roster.remove(place);
        }
        let labels = terms.labels(&pod.labels);
        let place = roster.insert(Indexed {
            pod: pod.clone(),
            selection: Selection::of(&self.policies, &labels),
            labels,
            since: at,
            namespace: self.surroundings.clone(),
        });
        self.pods.insert(pod.name.name.clone(), place);
    }

    pub(super) fn remove_pod(&mut self, name: &str, roster: &mut Roster) {
        if let Some(place) = self.pods.remove(name) {
            roster.remove(place);
        }
    }

    /// The pod of this name as it is now.
    pub(super) fn pod(&self, name: &str) -> Option<Place> {
        self.pods.get(name).copied()
    }

    /// Deletes policies that ended before; `false` if nothing is left.
    pub(super) fn prune(&mut self, before: Time) -> bool {
        self.policies
            .retain(|held| held.until.is_none_or(|until| until > before));
        !self.policies.is_empty() || !self.pods.is_empty()
    }

    /// Numbers everything anew.
    pub(super) fn renumber(&mut self, terms: &mut Terms, roster: &mut Roster) {
        for held in &mut self.policies {
            held.compiled = Arc::new(Compiled::new(&held.compiled.policy, terms));
        }
        for place in self.pods.values() {
            if let Some(pod) = roster.get_mut(*place) {
                pod.labels = terms.labels(&pod.pod.labels);
                pod.selection = Selection::of(&self.policies, &pod.labels);
            }
        }
    }

    /// How many labels its pods have.
    pub(super) fn count_labels(&self, roster: &Roster) -> usize {
        let pods = self.pods.values().filter_map(|place| roster.get(*place));
        pods.map(|pod| pod.labels.len()).sum()
    }
}

/// Where it was read, how it was written and when it was made changes nothing of what a policy allows.
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
        written: _,
    } = a;
    *name == b.name
        && *pod_selector == b.pod_selector
        && *isolates_ingress == b.isolates_ingress
        && *isolates_egress == b.isolates_egress
        && *ingress == b.ingress
        && *egress == b.egress
}
