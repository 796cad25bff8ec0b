//! Tests of the verdicts: one per sentence of the specification, the corners it leaves open, and time.

mod cluster_generated;
mod cluster_policies;
pub(crate) mod cluster_text;
mod equal;
pub(crate) mod fixtures;
pub(crate) mod generated;
mod mutations;
mod nearest;
mod open_corners;
mod semantics;
mod sentences;
mod tier_remedies;
mod time;
