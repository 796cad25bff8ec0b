//! From what the kernel side saw to attempts with an outcome.
//!
//! ```text
//! Observation (state change at a point, drop, swept table, …) → Tracker → Attempt (provisional, final, revision)
//!                                                                  ↑ Surroundings: points, plausible destinations
//! ```
//!
//! It owns joining the points of one attempt, deadlines, outcome, origin and reach. It does not own whose an address is, nor
//! policies, nor why: those come after. It reads no clock: time comes with the observations.

mod codes;
mod types;

pub use types::*;
