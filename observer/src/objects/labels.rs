//! An object's labels: a small sorted table.

use super::Str;

/// Labels by key, sorted, without duplicate keys.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Labels(Box<[(Str, Str)]>);

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
        let map: std::collections::BTreeMap<Str, Str> = labels
            .into_iter()
            .map(|(key, value)| (key.into(), value.into()))
            .collect();
        Self(map.into_iter().collect())
    }
}
