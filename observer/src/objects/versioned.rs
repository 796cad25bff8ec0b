//! What an object was at a time: a short history per key, pruned by age.

use std::collections::HashMap;
use std::hash::Hash;

use crate::time::Time;

/// Values by key and time. A value holds from the time it was set until the next one, or its removal.
///
/// History older than the last [`Self::prune`] is forgotten; the newest version of a key is kept for as long as it exists.
#[derive(Clone, Debug)]
pub struct Versioned<K, V> {
    /// Per key the versions in time order; `None` marks a removal. Never empty.
    versions: HashMap<K, Vec<(Time, Option<V>)>>,
}

impl<K, V> Default for Versioned<K, V> {
    fn default() -> Self {
        Self {
            versions: HashMap::new(),
        }
    }
}

impl<K: Eq + Hash, V> Versioned<K, V> {
    /// `value` holds from `from` on. Times must not go back for a key; an earlier time counts as the last one's.
    pub fn set(&mut self, key: K, value: V, from: Time) {
        self.push(key, Some(value), from);
    }

    /// The key has no value from `from` on.
    pub fn remove(&mut self, key: K, from: Time) {
        if self.versions.contains_key(&key) {
            self.push(key, None, from);
        }
    }

    fn push(&mut self, key: K, value: Option<V>, from: Time) {
        // Nearly every key has one version for good.
        let versions = self.versions.entry(key).or_insert_with(|| Vec::with_capacity(1));
        let from = versions.last().map_or(from, |(last, _)| from.max(*last));
        if versions.last().is_some_and(|(last, _)| *last == from) {
            versions.pop();
        }
        versions.push((from, value));
    }

    /// The value at `at`.
    pub fn at<Q>(&self, key: &Q, at: Time) -> Option<&V>
    where
        K: std::borrow::Borrow<Q>,
        Q: Eq + Hash + ?Sized,
    {
        self.versions
            .get(key)?
            .iter()
            .rev()
            .find(|(from, _)| *from <= at)?
            .1
            .as_ref()
    }

    /// The newest value.
    pub fn latest<Q>(&self, key: &Q) -> Option<&V>
    where
        K: std::borrow::Borrow<Q>,
        Q: Eq + Hash + ?Sized,
    {
        self.versions.get(key)?.last()?.1.as_ref()
    }

    /// Every key that has a value at `at`, with it, in no order.
    pub fn iter_at(&self, at: Time) -> impl Iterator<Item = (&K, &V)> {
        self.versions.iter().filter_map(move |(key, versions)| {
            let value = versions.iter().rev().find(|(from, _)| *from <= at)?.1.as_ref()?;
            Some((key, value))
        })
    }

    /// The versions of a key in time order, `None` for a removal.
    pub fn history<Q>(&self, key: &Q) -> &[(Time, Option<V>)]
    where
        K: std::borrow::Borrow<Q>,
        Q: Eq + Hash + ?Sized,
    {
        self.versions.get(key).map_or(&[], Vec::as_slice)
    }

    /// Forgets what nobody can ask for any more: versions that were replaced, or removed, before `before`.
    pub fn prune(&mut self, before: Time) {
        self.versions.retain(|_, versions| {
            let current = versions.iter().rposition(|(from, _)| *from <= before).unwrap_or(0);
            versions.drain(..current);
            !matches!(versions.as_slice(), [(from, None)] if *from <= before)
        });
    }
}
