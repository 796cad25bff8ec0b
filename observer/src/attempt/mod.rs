//! From what the kernel side saw to attempts with an outcome.
//!
//! ```text
//! Observation (state change at a point, drop, swept table, …) → Tracker → Attempt (provisional, final, revision)
//!                                                                  ↑ Surroundings: points, plausible destinations
//! ```
//!
//! It owns joining the points of one attempt, deadlines, outcome, origin and reach. It does not own whose an address is, nor
//! policies, nor why: those come after. It reads no clock: time comes with the observations.

mod bindings;
mod codes;
mod config;
mod decide;
mod edges;
mod held;
mod icmp;
mod join;
mod leg;
mod netfilter;
mod open;
mod table;
mod telling;
mod tracker;
mod types;

#[cfg(test)]
mod tests;

pub use config::{Config, Counters};
pub use netfilter::Netfilter;
pub use tracker::Tracker;
pub use types::*;
