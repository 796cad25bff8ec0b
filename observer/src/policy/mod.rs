//! What the policies say, as of a time, with the rule or the nearest misses: `networking.k8s.io/v1` as specified, between the
//! tiers of `policy.networking.k8s.io`.
//!
//! ```text
//! Change, time → Policies ── decide(question) → Decided     no allocation: one answer per direction
//!   (store)          │          (worlds, decide, tiers)
//!                    └────── judge(question)  → Verdict     decide, then policies, rule, nearest misses, caveats
//!                                (explain, nearest, advice)
//! ```
//!
//! Where something is not known (who an address was, whether a CNI tells hostNetwork pods apart, which version of the
//! policies was in force), every possible world is decided. One answer if they agree, else `undecidable` with the reason.
//!
//! It does not own who an address was (`endpoint/`), nor what an answer means for an attempt (`diagnosis/`).

mod backends;
mod closeness;
mod cluster_policies;
mod compiled;
mod counts;
mod decide;
mod explain;
mod faults;
pub mod lint;
mod matching;
mod nearest;
mod nodes;
mod remedy;
mod roster;
mod space;
mod store;
mod terms;
mod tiers;
mod verdict;
mod worlds;

#[cfg(test)]
mod reference;
#[cfg(test)]
pub(crate) mod tests;

pub use backends::{combine, combine_open};
pub use decide::{Decided, DirectionDecided};
pub use remedy::{Edit, Remedied, first_rule, new_policy};
pub use store::{Config, Policies};
pub use verdict::*;
