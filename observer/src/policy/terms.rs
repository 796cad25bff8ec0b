//! Labels as numbers, so that a selector is compared with a pod without touching a string.

use std::collections::HashMap;

use super::faults::faulty;
use crate::objects::{Labels, Operator, Requirement, Selector, Str};

/// One label.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(super) struct Term {
    /// The number of its key.
    key: u32,
    /// The number of key and value: no other label has it.
    label: u32,
}

/// The labels of an object in numbers.
#[derive(Debug, Default)]
pub(super) struct LabelSet {
    /// A bit for each label, by its number: most labels that are not there are told by it alone, and as one branch that is
    /// nearly always foreseen.
    signature: u64,
    /// In order of the keys as text.
    terms: Box<[Term]>,
}

impl LabelSet {
    fn new(terms: Box<[Term]>) -> Self {
        Self {
            signature: terms.iter().fold(0, |all, term| all | bit(term.label)),
            terms,
        }
    }

    /// The labels themselves, for comparing and counting.
    pub(super) fn terms(&self) -> &[Term] {
        &self.terms
    }

    fn has(&self, label: u32) -> bool {
        self.signature & bit(label) != 0 && self.terms.iter().any(|term| term.label == label)
    }

    /// The label of a key.
    fn of_key(&self, key: u32) -> Option<u32> {
        let term = self.terms.iter().find(|term| term.key == key);
        term.map(|term| term.label)
    }
}

fn bit(label: u32) -> u64 {
    1 << (label % u64::BITS)
}

/// The numbers that are given. They grow with every label that was ever seen (hashes of pod templates among them), until
/// all that lives is numbered anew.
#[derive(Debug, Default)]
pub(super) struct Terms {
    /// Key → its number, which is its place in `labels`.
    keys: HashMap<Str, u32>,
    /// Per key: value → the label's number.
    labels: Vec<HashMap<Str, u32>>,
    given: usize,
}

impl Terms {
    /// How many labels have a number.
    pub(super) fn given(&self) -> usize {
        self.given
    }

    pub(super) fn labels(&mut self, labels: &Labels) -> LabelSet {
        self.labels_and(labels, None)
    }

    /// With one that is not among them.
    pub(super) fn labels_and(&mut self, labels: &Labels, built_in: Option<(&Str, &Str)>) -> LabelSet {
        let terms = labels.iter().chain(built_in).map(|(key, value)| {
            let key = self.key(key);
            let label = self.label(key, value);
            Term { key, label }
        });
        LabelSet::new(terms.collect())
    }

    fn key(&mut self, key: &Str) -> u32 {
        if let Some(number) = self.keys.get(key) {
            return *number;
        }
        let number = number(self.labels.len());
        self.keys.insert(key.clone(), number);
        self.labels.push(HashMap::new());
        number
    }

    fn label(&mut self, key: u32, value: &Str) -> u32 {
        let values = &mut self.labels[key as usize];
        if let Some(number) = values.get(value) {
            return *number;
        }
        let number = number(self.given);
        values.insert(value.clone(), number);
        self.given += 1;
        number
    }

    fn wanted(&mut self, requirement: &Requirement) -> Wanted {
        let key = self.key(&requirement.key);
        let mut all = |values: &[Str]| values.iter().map(|value| self.label(key, value)).collect();
        match &requirement.operator {
            Operator::In(_) if faulty!(IgnoreValue) => Wanted::Exists(key),
            Operator::In(values) if faulty!(FirstValueOnly) => Wanted::In(key, all(&values[..1])),
            Operator::In(values) => Wanted::In(key, all(values)),
            Operator::NotIn(values) => Wanted::NotIn(key, all(values)),
            Operator::Exists => Wanted::Exists(key),
            Operator::DoesNotExist => Wanted::DoesNotExist(key),
        }
    }
}

fn number(count: usize) -> u32 {
    u32::try_from(count).expect("fewer than four billion labels fit in memory")
}

/// A selector in numbers. Most want one label, which is then compared without going elsewhere.
#[derive(Debug)]
pub(super) enum Chooser {
    /// It has no requirement.
    All,
    /// It wants this label.
    Is(u32),
    /// It wants more, or something else.
    Many(Box<Requirements>),
}

/// All of these must hold.
#[derive(Debug)]
pub(super) struct Requirements(Box<[Wanted]>);

/// A requirement in numbers: keys, and labels of that key.
#[derive(Debug)]
enum Wanted {
    In(u32, Box<[u32]>),
    NotIn(u32, Box<[u32]>),
    Exists(u32),
    DoesNotExist(u32),
}

impl Chooser {
    pub(super) fn new(selector: &Selector, terms: &mut Terms) -> Self {
        let most = if faulty!(FirstRequirementOnly) { 1 } else { usize::MAX };
        let wanted = selector.requirements.iter().take(most);
        let wanted: Box<[_]> = wanted.map(|one| terms.wanted(one)).collect();
        match &*wanted {
            [] => Self::All,
            [Wanted::In(_, labels)] if labels.len() == 1 => Self::Is(labels[0]),
            _ => Self::Many(Box::new(Requirements(wanted))),
        }
    }

    /// As [`Selector::matches`].
    pub(super) fn selects(&self, labels: &LabelSet) -> bool {
        match self {
            Self::All => true,
            Self::Is(label) => labels.has(*label),
            Self::Many(all) => all.0.iter().all(|wanted| wanted.is_met(labels)),
        }
    }
}

impl Wanted {
    fn is_met(&self, labels: &LabelSet) -> bool {
        let value = |key: &u32| labels.of_key(*key);
        match self {
            Self::In(key, wanted) => value(key).is_some_and(|label| wanted.contains(&label)),
            Self::NotIn(key, unwanted) => {
                value(key).map_or(!faulty!(NotInWantsKey), |label| !unwanted.contains(&label))
            }
            Self::Exists(key) => value(key).is_some() || faulty!(ExistsAlways),
            Self::DoesNotExist(key) => value(key).is_none() || faulty!(DoesNotExistAlways),
        }
    }
}
