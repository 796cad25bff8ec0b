//! The attempts of other nodes, from wherever this runs.
//!
//! ```text
//! agents ─→ streams ─→ merge ─→ one record for each attempt, in order of time
//!                      └─ pure ┘
//! ```

pub mod merge;
