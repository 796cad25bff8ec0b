//! The metrics of an agent.
//!
//! ```text
//! Output ─→ Counts (one lock, taken for each output and each scrape) ─→ exposition ─→ OpenMetrics text
//!                                      /proc/self ─→ process ──────────┘  (table: every name and help)
//! ```
//!
//! It owns what is counted and how it is named. It does not own how it is asked for: that is `serve/http.rs`.

mod counts;
mod exposition;
mod process;
mod table;

#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use prometheus_client::encoding::text;
use prometheus_client::registry::Registry;

use self::counts::Counts;
use self::process::Process;
use super::hub::{Fill, Hub};
use crate::agent::Output;
use crate::events;
pub use table::{ALL, Metric, names};

/// The type of what [`Metrics::text`] gives.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Counts what the loop says, and tells it to scrapers. Clones share the counts.
#[derive(Clone, Debug)]
pub struct Metrics {
    state: Arc<State>,
    registry: Arc<Registry>,
}

#[derive(Debug)]
struct State {
    counts: Mutex<Counts>,
    hub: Hub,
    events: Option<Arc<events::Counts>>,
    process: Process,
}

impl Metrics {
    /// Of the agent of the hub's node; nothing is counted yet. What the hub holds and what `events` counts is read at each scrape.
    #[must_use]
    pub fn new(hub: Hub, events: Option<Arc<events::Counts>>) -> Self {
        let state = Arc::new(State {
            counts: Mutex::new(Counts::new(hub.node().clone())),
            hub,
            events,
            process: Process::new(),
        });
        let mut registry = Registry::default();
        registry.register_collector(Box::new(state.clone()));
        Self {
            state,
            registry: Arc::new(registry),
        }
    }

    /// Takes in what the loop says.
    pub fn take(&self, output: &Output) {
        self.state.counts().take(output);
    }

    /// Everything, as OpenMetrics text.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::with_capacity(16 * 1024);
        // Writing to a string cannot fail.
        let _ = text::encode(&mut text, &self.registry);
        text
    }
}

impl State {
    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Collector for State {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        exposition::write(self, &self.counts(), encoder)
    }
}
