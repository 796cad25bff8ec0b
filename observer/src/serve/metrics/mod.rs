//! The metrics of an agent.
//!
//! It owns what is counted and how it is named. It does not own how it is asked for: that is `serve/http.rs`.

mod table;

pub use table::{ALL, Metric, names};
