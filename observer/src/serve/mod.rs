//! What an agent serves: its metrics and its health by HTTP.

pub mod metrics;
