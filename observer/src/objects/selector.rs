//! Label selectors (`metav1.LabelSelector`), with `matchLabels` folded into requirements.

mod parse;

pub use parse::BadSelector;

use super::{Labels, Str};

/// A selector: every requirement must hold. No requirement selects everything.
#[derive(Clone, Debug, Default, Eq, PartialEq, Hash)]
pub struct Selector {
    /// `matchLabels` in key order, then `matchExpressions` as written.
    pub requirements: Vec<Requirement>,
}

/// One requirement of a selector.
#[derive(Clone, Debug, Eq, PartialEq, Hash)]
pub struct Requirement {
    /// The label's key.
    pub key: Str,
    /// What is demanded of its value.
    pub operator: Operator,
}

/// What a requirement demands. `matchLabels: {k: v}` is `In [v]`.
#[derive(Clone, Debug, Eq, PartialEq, Hash)]
pub enum Operator {
    /// The key is there with one of these values.
    In(Vec<Str>),
    /// The key is missing, or has none of these values.
    NotIn(Vec<Str>),
    /// The key is there.
    Exists,
    /// The key is missing.
    DoesNotExist,
}

impl Requirement {
    /// Whether `labels` meet it.
    #[must_use]
    pub fn matches(&self, labels: &Labels) -> bool {
        self.operator.accepts(labels.get(&self.key).map(|value| &**value))
    }
}

impl Operator {
    /// Whether a label with this value, or none, meets the demand.
    #[must_use]
    pub fn accepts(&self, value: Option<&str>) -> bool {
        let has = |values: &[Str]| value.is_some_and(|value| values.iter().any(|other| **other == *value));
        match self {
            Self::In(values) => has(values),
            Self::NotIn(values) => !has(values),
            Self::Exists => value.is_some(),
            Self::DoesNotExist => value.is_none(),
        }
    }
}

impl Selector {
    /// Whether `labels` meet every requirement.
    #[must_use]
    pub fn matches(&self, labels: &Labels) -> bool {
        self.requirements.iter().all(|requirement| requirement.matches(labels))
    }
}
