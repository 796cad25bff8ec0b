//! What the loop says about itself, as log lines.

use std::collections::{BTreeMap, HashSet};

use crate::agent::{NodeCoverage, Output};
use crate::report::clean;

/// Writes log lines.
#[derive(Debug, Default)]
pub(super) struct Log {
    /// The lines of the last coverage statement: only what is new is said again.
    covered: HashSet<String>,
}

impl Log {
    /// Takes in what the loop says.
    pub(super) fn take(&mut self, output: &Output) {
        match output {
            Output::Coverage(coverage) => self.coverage(coverage),
            Output::Warning(text) => tracing::warn!("{}", clean(text)),
            Output::Lost(count) => {
                tracing::warn!(
                    count,
                    "events were lost: what is said of attempts at this time is less sure"
                );
            }
            Output::Shortfall(counters) => tracing::warn!(counters = %not_zero(counters), "something was left out"),
            Output::Counters(counters) => {
                let in_flight = counters.get("attempts_unfinished").copied().unwrap_or_default();
                tracing::info!(
                    in_flight,
                    counters = %not_zero(counters),
                    "stopping: every decided attempt was told; those in flight are not"
                );
            }
            Output::Attempt(_) | Output::Figures(_) => {}
        }
    }

    fn coverage(&mut self, coverage: &NodeCoverage) {
        let lines = coverage.lines();
        let said = std::mem::replace(&mut self.covered, lines.iter().cloned().collect());
        for line in lines.iter().filter(|line| !said.contains(*line)) {
            tracing::info!("{}", clean(line));
        }
    }
}

/// `name=count`, those that are not zero.
fn not_zero(counters: &BTreeMap<&'static str, u64>) -> String {
    let counted = counters.iter().filter(|(_, count)| **count > 0);
    let named: Vec<_> = counted.map(|(name, count)| format!("{name}={count}")).collect();
    named.join(" ")
}
