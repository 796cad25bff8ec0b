//! An object's labels: a small sorted table.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Str;

/// Labels by key, sorted, without duplicate keys. A copy shares the table: a pod's labels are in every record that names it.
#[derive(Clone, Debug, Default, Eq, PartialEq, Hash)]
pub struct Labels(Arc<[(Str, Str)]>);

impl Labels {
    /// The value of `key`.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Str> {
        self.0
            .binary_search_by(|(candidate, _)| (**candidate).cmp(key))
            .ok()
            .map(|at| &self.0[at].1)
    }

    /// All labels by key.
    pub fn iter(&self) -> impl Iterator<Item = (&Str, &Str)> {
        self.0.iter().map(|(key, value)| (key, value))
    }
}

impl<K: Into<Str>, V: Into<Str>> FromIterator<(K, V)> for Labels {
    /// The last value of a key wins, as in a YAML map read leniently.
    fn from_iter<I: IntoIterator<Item = (K, V)>>(labels: I) -> Self {
        let map: BTreeMap<Str, Str> = labels
            .into_iter()
            .map(|(key, value)| (key.into(), value.into()))
            .collect();
        Self(map.into_iter().collect())
    }
}

impl Serialize for Labels {
    /// As a map.
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_map(self.iter())
    }
}

impl<'de> Deserialize<'de> for Labels {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let map = BTreeMap::<Str, Str>::deserialize(from)?;
        Ok(Self(map.into_iter().collect()))
    }
}
