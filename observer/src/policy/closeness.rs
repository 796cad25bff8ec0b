//! How a selector fails on an object's labels, and which of the labels looks meant.

use super::{CloseLabel, Closeness, LabelMiss};
use crate::objects::{Labels, Operator, Requirement, Selector, Str};

/// A namespace's name is a label that every namespace has.
pub(super) const NAMESPACE_NAME: &str = "kubernetes.io/metadata.name";

/// The labels of a pod, or of a namespace whose object may be missing.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen<'a> {
    labels: Option<&'a Labels>,
    /// The namespace's name, where it is one.
    namespace: Option<&'a Str>,
}

impl<'a> Seen<'a> {
    pub(super) fn of_pod(labels: &'a Labels) -> Self {
        Self {
            labels: Some(labels),
            namespace: None,
        }
    }

    /// `labels` is `None` where there is no such object: the namespace then has the built-in label only.
    pub(super) fn of_namespace(name: &'a Str, labels: Option<&'a Labels>) -> Self {
        Self {
            labels,
            namespace: Some(name),
        }
    }

    fn get(&self, key: &str) -> Option<&'a Str> {
        let own = self.labels.and_then(|labels| labels.get(key));
        own.or(self.namespace.filter(|_| key == NAMESPACE_NAME))
    }

    fn iter(self) -> impl Iterator<Item = (&'a str, &'a Str)> {
        let own = self.labels.into_iter().flat_map(Labels::iter);
        own.map(|(key, value)| (&**key, value))
            .chain(self.namespace.map(|name| (NAMESPACE_NAME, name)))
    }

    pub(super) fn meet(&self, wanted: &Requirement) -> bool {
        let value = self.get(&wanted.key);
        match &wanted.operator {
            Operator::In(values) => value.is_some_and(|value| values.contains(value)),
            Operator::NotIn(values) => value.is_none_or(|value| !values.contains(value)),
            Operator::Exists => value.is_some(),
            Operator::DoesNotExist => value.is_none(),
        }
    }

    pub(super) fn are_selected(&self, selector: &Selector) -> bool {
        selector.requirements.iter().all(|wanted| self.meet(wanted))
    }

    /// What the selector lacks; `None` where it matches.
    pub(super) fn miss(self, selector: &Selector) -> Option<LabelMiss> {
        let unmet = || selector.requirements.iter().filter(|wanted| !self.meet(wanted));
        let wanted = unmet().next()?;
        Some(LabelMiss {
            wanted: wanted.clone(),
            unmet: unmet().count(),
            actual: self.get(&wanted.key).cloned(),
            close: self.closest(wanted),
        })
    }

    fn closest(self, wanted: &Requirement) -> Option<CloseLabel> {
        let with_value = match &wanted.operator {
            Operator::In(values) => Some(values),
            Operator::Exists => None,
            // The object has what it should not have: nothing else is meant.
            Operator::NotIn(_) | Operator::DoesNotExist => return None,
        };
        self.iter()
            .filter_map(|(key, value)| {
                let how = match with_value {
                    Some(values) if *key == *wanted.key => other_value(values, value),
                    Some(values) => values.contains(value).then_some(Closeness::OtherKey)?,
                    None => (close(&wanted.key, key)).then_some(Closeness::OtherKey)?,
                };
                Some((how, kinship(&wanted.key, key), key, value))
            })
            // `min_by_key` keeps the first of equals: in key order.
            .min_by_key(|(how, kinship, ..)| (*how, std::cmp::Reverse(*kinship)))
            .map(|(how, _, key, value)| CloseLabel {
                key: key.into(),
                value: value.clone(),
                how,
            })
    }
}

fn other_value(values: &[Str], value: &str) -> Closeness {
    if values.iter().any(|wanted| wanted.eq_ignore_ascii_case(value)) {
        Closeness::OtherCase
    } else if values.iter().any(|wanted| close(wanted, value)) {
        Closeness::Typo
    } else {
        Closeness::OtherValue
    }
}

/// At most two slips, and few for the length.
fn close(wanted: &str, actual: &str) -> bool {
    let slips = strsim::osa_distance(wanted, actual);
    slips <= 2 && slips * 3 <= wanted.chars().count()
}

/// How many words two keys share: `app` is closer to `app.kubernetes.io/name` than `release` is.
fn kinship(a: &str, b: &str) -> usize {
    let words = |key| str::split(key, ['.', '/', '-', '_']);
    words(a).filter(|word| words(b).any(|other| other == *word)).count()
}
