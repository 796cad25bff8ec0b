//! The last words: attempts by outcome and by cause, and what was lost.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::{Map, Value};

use super::record::{Record, RecordType};
use crate::attempt::Outcome;
use crate::diagnosis::Cause;

/// Counts the records that were final.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Summary {
    outcomes: BTreeMap<Outcome, u64>,
    causes: BTreeMap<Cause, u64>,
    revisions: u64,
    lost: u64,
    /// More was lost, and nobody knows how much.
    lost_more: bool,
    counters: BTreeMap<&'static str, u64>,
}

impl Summary {
    /// Counts a record. Provisional ones do not count; corrections are counted apart.
    pub fn add(&mut self, record: &Record) {
        if record.kind == RecordType::Revision {
            self.revisions += 1;
        } else if record.is_final {
            *self.outcomes.entry(record.outcome).or_default() += 1;
            if let Some(cause) = record.cause {
                *self.causes.entry(cause).or_default() += 1;
            }
        }
    }

    /// Counts events or messages that were lost; `None`: it is not known how many.
    pub fn add_lost(&mut self, count: Option<u64>) {
        self.lost += count.unwrap_or_default();
        self.lost_more |= count.is_none();
    }

    /// What the kernel side and the tracker have counted by now.
    pub fn set_counters(&mut self, counters: BTreeMap<&'static str, u64>) {
        self.counters = counters;
    }

    /// What was counted and is not simply how it is meant to be, as people read it; `None` if there is nothing.
    #[must_use]
    pub fn left_out(&self) -> Option<String> {
        const WELL: [&str; 4] = [
            "handshakes_inserted",
            "handshakes_finished",
            "records_told_twice",
            "records_joined",
        ];
        let told = |name: &str| !WELL.contains(&name);
        let parts: Vec<String> = self
            .counters
            .iter()
            .filter(|(name, count)| **count > 0 && told(name))
            .map(|(name, count)| format!("{count} {}", name.replace('_', " ")))
            .collect();
        (!parts.is_empty()).then(|| parts.join(", "))
    }

    /// How many attempts were final.
    #[must_use]
    pub fn attempts(&self) -> u64 {
        self.outcomes.values().sum()
    }

    /// The same for a status record.
    #[must_use]
    pub fn fields(&self) -> Map<String, Value> {
        let outcomes: Map<String, Value> = self
            .outcomes
            .iter()
            .map(|(outcome, count)| (outcome.code().into(), (*count).into()))
            .collect();
        let causes: Map<String, Value> = self
            .causes
            .iter()
            .map(|(cause, count)| (cause.code().into(), (*count).into()))
            .collect();
        let counters: Map<String, Value> = self
            .counters
            .iter()
            .map(|(name, count)| ((*name).into(), (*count).into()))
            .collect();
        let lost_more = self.lost_more.then(|| ("lost_more".to_owned(), true.into()));
        [
            ("attempts".to_owned(), self.attempts().into()),
            ("outcomes".to_owned(), outcomes.into()),
            ("causes".to_owned(), causes.into()),
            ("revisions".to_owned(), self.revisions.into()),
            ("lost".to_owned(), self.lost.into()),
            ("counters".to_owned(), counters.into()),
        ]
        .into_iter()
        .chain(lost_more)
        .collect()
    }
}

impl fmt::Display for Summary {
    /// A few lines, without a final line end.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let attempts = self.attempts();
        let plural = if attempts == 1 { "" } else { "s" };
        write!(f, "{attempts} attempt{plural}")?;
        if !self.outcomes.is_empty() {
            write!(f, ": {}", counts(&self.outcomes, Outcome::code))?;
        }
        if !self.causes.is_empty() {
            write!(f, "\ncauses: {}", counts(&self.causes, Cause::code))?;
        }
        if self.revisions > 0 {
            write!(f, "\n{} corrected later", self.revisions)?;
        }
        if let Some(left_out) = self.left_out() {
            write!(f, "\nalso counted: {left_out}")?;
        }
        match (self.lost, self.lost_more) {
            (0, false) => f.write_str("\nno events lost"),
            (0, true) => f.write_str("\nsome events lost: what is said above is not all"),
            (lost, false) => write!(f, "\n{lost} events lost: what is said above is not all"),
            (lost, true) => write!(f, "\nmore than {lost} events lost: what is said above is not all"),
        }
    }
}

/// Most first; equal ones in the order of the documentation.
fn counts<K: Copy + Ord>(counts: &BTreeMap<K, u64>, code: impl Fn(K) -> &'static str) -> String {
    let mut sorted: Vec<(K, u64)> = counts.iter().map(|(key, count)| (*key, *count)).collect();
    sorted.sort_by_key(|&(key, count)| (std::cmp::Reverse(count), key));
    let parts: Vec<String> = sorted
        .into_iter()
        .map(|(key, count)| format!("{count} {}", code(key)))
        .collect();
    parts.join(", ")
}
