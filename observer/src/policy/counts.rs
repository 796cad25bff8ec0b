//! How many objects are known, and which policies changed: for metrics.

use std::collections::BTreeMap;

use super::Policies;
use super::store::Touched;
use crate::objects::{Kind, Str};
use crate::time::Time;

impl Policies {
    /// Namespaces and how many NetworkPolicies are in force there; those without any are left out. In no order.
    pub fn in_force(&self) -> impl Iterator<Item = (Str, usize)> {
        self.spaces.iter().filter_map(|(namespace, space)| {
            let count = space.policies.iter().filter(|held| held.until.is_none()).count();
            (count > 0).then(|| (namespace.clone(), count))
        })
    }

    /// How many objects of the kinds that no endpoint has are known at `at`: namespaces and cluster-wide policies.
    #[must_use]
    pub fn objects(&self, at: Time) -> BTreeMap<Kind, usize> {
        let mut objects = BTreeMap::from([(Kind::Namespace, self.namespaces.iter_at(at).count())]);
        for held in self.cluster.all.iter().filter(|held| held.until.is_none()) {
            *objects.entry(held.compiled.policy.kind.kind()).or_default() += 1;
        }
        objects
    }

    /// The changes of policies after `after`, latest first: the namespace, or `None` for a cluster-wide one. What is older than the
    /// history that is kept is not told.
    pub fn changed_after(&self, after: Time) -> impl Iterator<Item = Option<Str>> {
        let recent = self.log.iter().rev().take_while(move |(at, _)| *at > after);
        recent.filter_map(|(_, touched)| match touched {
            Touched::PoliciesOf(namespace) => Some(Some(namespace.clone())),
            Touched::ClusterPolicies => Some(None),
            Touched::Namespace(_) | Touched::Pod(_) | Touched::Nodes => None,
        })
    }
}
