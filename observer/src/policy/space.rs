//! One namespace: its policies by time, its pods now, and which of the policies select which of the pods.

use std::collections::HashMap;
use std::sync::Arc;

use super::Direction;
use super::compiled::{Compiled, Tags};
use super::terms::{Term, Terms};
use crate::objects::{NetworkPolicy, Pod, Str};
use crate::time::Time;

/// A namespace that has pods or policies.
#[derive(Debug, Default)]
pub(super) struct Space {
    /// Sorted by name, then time. Written when a policy changes, old versions deleted by [`super::Policies::prune`].
    pub(super) policies: Vec<Held>,
    /// Pod name → the pod as it is now and what selects it. Written when the pod, or a policy that selects it, changes;
    /// deleted with the pod.
    pods: HashMap<Str, Indexed>,
    /// The namespace's labels as they are now, the built-in one included.
    pub(super) labels: Box<[Term]>,
    /// Since when they are.
    pub(super) since: Time,
}

/// One version of a policy.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) compiled: Arc<Compiled>,
    pub(super) from: Time,
    /// When it was replaced or deleted.
    pub(super) until: Option<Time>,
}

/// A pod as it is now.
#[derive(Debug)]
pub(super) struct Indexed {
    pod: Arc<Pod>,
    pub(super) labels: Box<[Term]>,
    pub(super) selection: Selection,
    /// Since when labels and selection are so.
    since: Time,
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
            labels,
            since,
            ..Self::default()
        }
    }

    /// Puts a policy in force; `false` if it says what is in force already.
    pub(super) fn set_policy(&mut self, policy: &Arc<NetworkPolicy>, terms: &mut Terms, at: Time) -> bool {
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
        self.index(&[replaced, Some(compiled)], at);
        true
    }

    /// Ends a policy; `false` if there is none.
    pub(super) fn remove_policy(&mut self, name: &str, at: Time) -> bool {
        let ended = self.end_policy(name, at);
        let was_there = ended.is_some();
        self.index(&[ended], at);
        was_there
    }

    fn end_policy(&mut self, name: &str, at: Time) -> Option<Arc<Compiled>> {
        let mut all = self.policies.iter_mut();
        let held = all.find(|held| *held.compiled.policy.name.name == *name && held.until.is_none())?;
        held.until = Some(at);
        Some(held.compiled.clone())
    }

    /// Selects anew for the pods that these policies select, or did.
    fn index(&mut self, changed: &[Option<Arc<Compiled>>], at: Time) {
        for pod in self.pods.values_mut() {
            let concerned = changed
                .iter()
                .flatten()
                .any(|policy| pod.selection.holds(policy) || policy.selects(Tags::Terms(&pod.labels)));
            if concerned {
                pod.selection = Selection::of(&self.policies, &pod.labels);
                pod.since = at;
            }
        }
    }

    pub(super) fn set_pod(&mut self, pod: &Arc<Pod>, terms: &mut Terms, at: Time) {
        if let Some(indexed) = self.pods.get_mut(&pod.name.name)
            && indexed.is(pod)
        {
            // The newest copy, so that it is known again without comparing labels.
            indexed.pod = pod.clone();
            return;
        }
        let labels = terms.labels(&pod.labels);
        let indexed = Indexed {
            pod: pod.clone(),
            selection: Selection::of(&self.policies, &labels),
            labels,
            since: at,
        };
        self.pods.insert(pod.name.name.clone(), indexed);
    }

    pub(super) fn remove_pod(&mut self, name: &str) {
        self.pods.remove(name);
    }

    /// What is known of a pod that is so now, and was so at `at`.
    pub(super) fn indexed(&self, pod: &Pod, at: Time) -> Option<&Indexed> {
        let indexed = self.pods.get(&pod.name.name)?;
        (indexed.since <= at && indexed.is(pod)).then_some(indexed)
    }

    /// Deletes policies that ended before; `false` if nothing is left.
    pub(super) fn prune(&mut self, before: Time) -> bool {
        self.policies
            .retain(|held| held.until.is_none_or(|until| until > before));
        !self.policies.is_empty() || !self.pods.is_empty()
    }

    /// Numbers everything anew.
    pub(super) fn renumber(&mut self, terms: &mut Terms) {
        for held in &mut self.policies {
            held.compiled = Arc::new(Compiled::new(&held.compiled.policy, terms));
        }
        for pod in self.pods.values_mut() {
            pod.labels = terms.labels(&pod.pod.labels);
            pod.selection = Selection::of(&self.policies, &pod.labels);
        }
    }

    /// How many labels its pods have.
    pub(super) fn count_labels(&self) -> usize {
        self.pods.values().map(|pod| pod.labels.len()).sum()
    }
}

impl Indexed {
    fn is(&self, pod: &Pod) -> bool {
        std::ptr::eq(&*self.pod, pod) || (self.pod.uid == pod.uid && self.pod.labels == pod.labels)
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
