//! One namespace: its policies by time, its pods now, and which of the policies select which of the pods.

use std::collections::HashMap;
use std::sync::Arc;

use super::Direction;
use super::cluster_policies::ClusterPolicies;
use super::compiled::{Compiled, Tags};
use super::faults::faulty;
use super::roster::{Handle, Place, Profile, Roster, Surroundings};
use super::terms::{LabelSet, Term, Terms};
use crate::objects::{NetworkPolicy, Pod, Str};
use crate::time::Time;

/// A namespace that has pods or policies.
#[derive(Debug, Default)]
pub(super) struct Space {
    /// Sorted by name, then time. Written when a policy changes, old versions deleted by [`super::Policies::prune`].
    pub(super) policies: Vec<Held>,
    /// Pod name → its entry in the roster. Written when the pod comes, deleted with it.
    pods: HashMap<Str, Handle>,
    /// Labels → what its pods with these labels share. Written with the first such pod, deleted with the last.
    profiles: HashMap<Box<[Term]>, Place>,
    /// Its labels, shared with its pods.
    pub(super) surroundings: Arc<Surroundings>,
}

/// What the namespaces share.
pub(super) struct Shared<'a> {
    pub(super) terms: &'a mut Terms,
    pub(super) roster: &'a mut Roster,
    pub(super) cluster: &'a ClusterPolicies,
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
    fn of(policies: &[Held], labels: &LabelSet) -> Self {
        let isolating = |direction| {
            let current = policies.iter().filter(|held| held.until.is_none());
            let isolating = current.filter(|held| held.compiled.isolates(Tags::Numbers(labels), direction));
            isolating.map(|held| held.compiled.clone()).collect()
        };
        Self {
            ingress: isolating(Direction::Ingress),
            egress: isolating(Direction::Egress),
        }
    }

    /// Without a policy that ended, and with one that begins, if it selects these labels; `false` if neither concerns them. Each
    /// policy is asked once in its life: with hundreds of them that is what loading a namespace takes.
    fn change(&mut self, ended: Option<&Arc<Compiled>>, begun: Option<&Arc<Compiled>>, labels: &LabelSet) -> bool {
        let mut changed = false;
        for (direction, list) in [
            (Direction::Ingress, &mut self.ingress),
            (Direction::Egress, &mut self.egress),
        ] {
            let leaves = ended.and_then(|ended| list.iter().position(|one| Arc::ptr_eq(one, ended)));
            let comes = begun.filter(|begun| begun.isolates(Tags::Numbers(labels), direction));
            if leaves.is_none() && comes.is_none() {
                continue;
            }
            changed = true;
            let mut all = std::mem::take(list).into_vec();
            leaves.map(|at| all.remove(at));
            if let Some(comes) = comes {
                let name = &comes.policy.name.name;
                let at = all.partition_point(|one| one.policy.name.name < *name);
                all.insert(at, comes.clone());
            }
            *list = all.into();
        }
        changed
    }
}

impl Space {
    /// A namespace with these labels since then.
    pub(super) fn new(labels: LabelSet, since: Time) -> Self {
        Self {
            surroundings: Arc::new(Surroundings { labels, since }),
            ..Self::default()
        }
    }

    /// The namespace has these labels since then.
    pub(super) fn relabel(&mut self, labels: LabelSet, since: Time, shared: &mut Shared<'_>) {
        self.surroundings = Arc::new(Surroundings { labels, since });
        for place in self.profiles.values() {
            if let Some(profile) = shared.roster.profile_mut(*place)
                && !faulty!(KeepNamespaceLabels)
            {
                profile.namespace = self.surroundings.clone();
                if !faulty!(KeepApplyingWithNamespace) {
                    profile.applying = shared.cluster.applying(&self.surroundings.labels, &profile.labels);
                }
            }
        }
    }

    /// Puts a policy in force; `false` if it says what is in force already.
    pub(super) fn set_policy(&mut self, policy: &Arc<NetworkPolicy>, shared: &mut Shared<'_>, at: Time) -> bool {
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
        let compiled = Arc::new(Compiled::new(policy, shared.terms));
        let held = Held {
            compiled: compiled.clone(),
            from: at,
            until: None,
        };
        self.policies.insert(next, held);
        self.index(replaced.as_ref(), Some(&compiled), shared.roster, at);
        true
    }

    /// Ends a policy; `false` if there is none.
    pub(super) fn remove_policy(&mut self, name: &str, roster: &mut Roster, at: Time) -> bool {
        let ended = self.end_policy(name, at);
        let was_there = ended.is_some();
        self.index(ended.as_ref(), None, roster, at);
        was_there
    }

    fn end_policy(&mut self, name: &str, at: Time) -> Option<Arc<Compiled>> {
        let mut all = self.policies.iter_mut();
        let held = all.find(|held| *held.compiled.policy.name.name == *name && held.until.is_none())?;
        held.until = Some(at);
        Some(held.compiled.clone())
    }

    /// Tells the pods that these policies select, or did.
    fn index(&self, ended: Option<&Arc<Compiled>>, begun: Option<&Arc<Compiled>>, roster: &mut Roster, at: Time) {
        if faulty!(KeepIndex) {
            return;
        }
        for place in self.profiles.values() {
            if let Some(profile) = roster.profile_mut(*place)
                && profile.selection.change(ended, begun, &profile.labels)
            {
                profile.since = at;
            }
        }
    }

    pub(super) fn set_pod(&mut self, pod: &Arc<Pod>, shared: &mut Shared<'_>, at: Time) {
        let known = self.pods.get(&pod.name.name).copied();
        if let Some(known) = known
            && (faulty!(KeepSelection) || shared.roster.get(known).is_some_and(|indexed| indexed.is(pod)))
        {
            let replaced = shared.roster.replace(known, pod);
            self.pods.insert(pod.name.name.clone(), replaced);
            return;
        }
        // Before the one of that name leaves: it may be the last of the same labels.
        let labels = shared.terms.labels(&pod.labels);
        let profile = self.profile(labels, shared, at);
        let new = shared.roster.insert(pod, profile, at);
        self.pods.insert(pod.name.name.clone(), new);
        if let Some(known) = known {
            self.forget(known, shared.roster);
        }
    }

    /// What pods with these labels share.
    fn profile(&mut self, labels: LabelSet, shared: &mut Shared<'_>, at: Time) -> Place {
        if let Some(place) = self.profiles.get(labels.terms()) {
            return *place;
        }
        let key = labels.terms().into();
        let place = shared.roster.insert_profile(Profile {
            selection: Selection::of(&self.policies, &labels),
            applying: shared.cluster.applying(&self.surroundings.labels, &labels),
            labels,
            since: at,
            namespace: self.surroundings.clone(),
            pods: 0,
        });
        self.profiles.insert(key, place);
        place
    }

    pub(super) fn remove_pod(&mut self, name: &str, roster: &mut Roster) {
        if let Some(known) = self.pods.remove(name) {
            self.forget(known, roster);
        }
    }

    fn forget(&mut self, pod: Handle, roster: &mut Roster) {
        if let Some(unused) = roster.remove(pod) {
            self.profiles.remove(unused.labels.terms());
        }
    }

    /// The pod of this name as it is now.
    pub(super) fn pod(&self, name: &str) -> Option<Handle> {
        self.pods.get(name).copied()
    }

    /// Deletes policies that ended before; `false` if nothing is left.
    pub(super) fn prune(&mut self, before: Time) -> bool {
        self.policies
            .retain(|held| held.until.is_none_or(|until| until > before));
        !self.policies.is_empty() || !self.pods.is_empty()
    }

    /// Numbers everything anew; the namespace has these labels, as before.
    pub(super) fn renumber(&mut self, labels: LabelSet, shared: &mut Shared<'_>) {
        for held in &mut self.policies {
            held.compiled = Arc::new(Compiled::new(&held.compiled.policy, shared.terms));
        }
        let since = self.surroundings.since;
        self.surroundings = Arc::new(Surroundings { labels, since });
        self.profiles.clear();
        for handle in self.pods.values() {
            let Some(indexed) = shared.roster.get(*handle) else {
                continue;
            };
            let (place, pod) = (indexed.profile, indexed.pod.clone());
            let labels = shared.terms.labels(&pod.labels);
            if self.profiles.contains_key(labels.terms()) {
                continue;
            }
            if let Some(profile) = shared.roster.profile_mut(place) {
                if !faulty!(KeepNumbers) {
                    profile.selection = Selection::of(&self.policies, &labels);
                    profile.applying = shared.cluster.applying(&self.surroundings.labels, &labels);
                }
                profile.namespace = self.surroundings.clone();
                self.profiles.insert(labels.terms().into(), place);
                profile.labels = labels;
            }
        }
    }

    /// How many labels its pods have.
    pub(super) fn count_labels(&self) -> usize {
        self.profiles.keys().map(|labels| labels.len()).sum()
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
