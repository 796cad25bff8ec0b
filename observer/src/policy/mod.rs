//! What the policies say: `networking.k8s.io/v1` as specified, as of a time, with the rule or the nearest misses.
//!
//! ```text
//! Change, time → Policies ── decide(question) → Decided     no allocation: one answer per direction
//!   (store)          │          (worlds, decide)
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
mod compiled;
mod decide;
mod explain;
mod faults;
pub mod lint;
mod matching;
mod nearest;
mod remedy;
mod roster;
mod space;
mod store;
mod terms;
mod verdict;
mod worlds;

#[cfg(test)]
mod reference;
#[cfg(test)]
pub(crate) mod tests;

pub use backends::{combine, combine_open};
pub use decide::{Decided, DirectionDecided};
pub use remedy::{Remedied, first_rule};
pub use store::{Config, Policies};
pub use verdict::*;
