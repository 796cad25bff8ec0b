//! Outcome × verdict × evidence → cause, with confidence, reasons and advice.
//!
//! ```text
//! Attempt + Assessment (endpoints, verdict, node) → diagnose → Diagnosis
//! ```

mod types;

pub use types::*;
