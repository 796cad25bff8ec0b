//! Tests of the verdicts: one per sentence of the specification, the corners it leaves open, and time.

mod cluster_generated;
mod cluster_policies;
pub(crate) mod cluster_text;
pub(crate) mod equal;
pub(crate) mod fixtures;
mod mutations;
mod nearest;
mod open_corners;
mod semantics;
mod time;
