//! Outcome × verdict × evidence → cause, with confidence, reasons and advice.
//!
//! ```text
//! Assessment ── facts ──┬─ table       → Cause          first row that holds
//! (attempt, endpoints,  ├─ confidence  → Confidence     and why not surer
//!  verdict, node)       ├─ reasons, advice              in words
//!                       └─ evidence                     every fact
//! ```
//!
//! Honest before clever: a wrong "it is the policy" costs more trust than "undecidable". It owns what a drop reason means
//! ([`drops`]) and the pages that explain each code ([`pages`]); it does not own what the policies say or who an address was.

mod advice;
mod confidence;
pub mod drops;
mod evidence;
mod facts;
pub(crate) mod misses;
pub mod pages;
mod reasons;
mod service;
mod table;
mod types;
pub(crate) mod wire;
pub(crate) mod words;

#[cfg(test)]
pub(crate) mod tests;

pub(crate) use advice::WAY_BACK;
pub(crate) use reasons::open_answer;
pub use types::*;

use facts::Facts;

/// The conclusion of everything that is known of an attempt.
#[must_use]
pub fn diagnose(assessment: &Assessment) -> Diagnosis {
    let facts = Facts { all: assessment };
    let found = table::find(facts);
    let evidence = evidence::evidence(facts);
    let Some(cause) = found.cause else {
        return Diagnosis {
            cause: None,
            confidence: None,
            reasons: Vec::new(),
            advice: None,
            evidence,
        };
    };
    let grade = confidence::grade(facts, cause);
    let mut reasons = reasons::reasons(facts, cause, found.row);
    reasons.extend(grade.why);
    Diagnosis {
        cause: Some(cause),
        confidence: Some(grade.confidence),
        reasons,
        advice: advice::advice(facts, cause),
        evidence,
    }
}

/// The SYN's drop that weighs most in a diagnosis; `None` where the attempt was answered, since a drop is evidence only for
/// one that was not.
#[must_use]
pub fn telling_drop(assessment: &Assessment) -> Option<&crate::attempt::Drop> {
    let facts = Facts { all: assessment };
    match facts.outcome() {
        crate::attempt::Outcome::Connected => None,
        crate::attempt::Outcome::HalfOpen => facts.answer_drop(),
        _ => facts.drop(),
    }
}
