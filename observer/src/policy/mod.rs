//! What the policies say: the compiled policies, verdicts, explanations, nearest misses.
//!
//! ```text
//! Change, time → Policies (by namespace and time) → judge(question) → Verdict
//! ```

mod verdict;

pub use verdict::*;
