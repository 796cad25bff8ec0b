//! Labels as numbers, so that a selector is compared with a pod without touching a string.

use std::collections::HashMap;

use super::faults::faulty;
use crate::objects::{Labels, Operator, Requirement, Selector, Str};

/// One label: its key's number in the high half, the number of its value among that key's values in the low half.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Term(u64);

impl Term {
    fn new(key: u32, value: u32) -> Self {
        Self(u64::from(key) << 32 | u64::from(value))
    }

    fn key(self) -> u32 {
        (self.0 >> 32) as u32
    }

    fn value(self) -> u32 {
        (self.0 & u64::from(u32::MAX)) as u32
    }
}

/// The numbers that are given. They grow with every label that was ever seen (hashes of pod templates among them), until
/// all that lives is numbered anew.
#[derive(Debug, Default)]
pub(super) struct Terms {
    /// Key → its number, which is its place in `values`.
    keys: HashMap<Str, u32>,
    /// Per key: value → its number.
    values: Vec<HashMap<Str, u32>>,
    given: usize,
}

impl Terms {
    /// How many labels have a number.
    pub(super) fn given(&self) -> usize {
        self.given
    }

    pub(super) fn labels(&mut self, labels: &Labels) -> Box<[Term]> {
        labels.iter().map(|(key, value)| self.label(key, value)).collect()
    }

    pub(super) fn label(&mut self, key: &Str, value: &Str) -> Term {
        let key = self.key(key);
        Term::new(key, self.value(key, value))
    }

    fn key(&mut self, key: &Str) -> u32 {
        if let Some(number) = self.keys.get(key) {
            return *number;
        }
        let number = number(self.values.len());
        self.keys.insert(key.clone(), number);
        self.values.push(HashMap::new());
        number
    }

    fn value(&mut self, key: u32, value: &Str) -> u32 {
        let values = &mut self.values[key as usize];
        if let Some(number) = values.get(value) {
            return *number;
        }
        let number = number(values.len());
        values.insert(value.clone(), number);
        self.given += 1;
        number
    }

    fn wanted(&mut self, requirement: &Requirement) -> Wanted {
        let key = self.key(&requirement.key);
        let mut all = |values: &[Str]| values.iter().map(|value| self.value(key, value)).collect();
        match &requirement.operator {
            Operator::In(values) => match values.as_slice() {
                [one] => Wanted::Is(Term::new(key, self.value(key, one))),
                values => Wanted::In(key, all(values)),
            },
            Operator::NotIn(values) => Wanted::NotIn(key, all(values)),
            Operator::Exists => Wanted::Exists(key),
            Operator::DoesNotExist => Wanted::DoesNotExist(key),
        }
    }
}

fn number(count: usize) -> u32 {
    u32::try_from(count).expect("fewer than four billion labels fit in memory")
}

/// A selector in numbers. Most have one requirement, which is then read without going elsewhere.
#[derive(Debug)]
pub(super) struct Chooser {
    first: Option<Wanted>,
    others: Box<[Wanted]>,
}

/// A requirement in numbers.
#[derive(Debug)]
enum Wanted {
    Is(Term),
    In(u32, Box<[u32]>),
    NotIn(u32, Box<[u32]>),
    Exists(u32),
    DoesNotExist(u32),
}

impl Chooser {
    pub(super) fn new(selector: &Selector, terms: &mut Terms) -> Self {
        let mut wanted = selector.requirements.iter().map(|one| terms.wanted(one));
        Self {
            first: wanted.next(),
            others: wanted.collect(),
        }
    }

    /// As [`Selector::matches`].
    pub(super) fn selects(&self, labels: &[Term]) -> bool {
        let value = |key| labels.iter().find(|term| term.key() == key).map(|term| term.value());
        let meet = |wanted: &Wanted| match wanted {
            Wanted::Is(term) => labels.contains(term) || (faulty!(IgnoreValue) && value(term.key()).is_some()),
            Wanted::In(key, values) => value(*key).is_some_and(|value| {
                let values = if faulty!(FirstValueOnly) { &values[..1] } else { values };
                values.contains(&value)
            }),
            Wanted::NotIn(key, values) => value(*key).map_or(!faulty!(NotInWantsKey), |value| !values.contains(&value)),
            Wanted::Exists(key) => value(*key).is_some() || faulty!(ExistsAlways),
            Wanted::DoesNotExist(key) => value(*key).is_none() || faulty!(DoesNotExistAlways),
        };
        self.first.as_ref().is_none_or(meet) && (faulty!(FirstRequirementOnly) || self.others.iter().all(meet))
    }
}
