//! The benchmarks behind `cargo xtask bench`: each prints numbers and the limits they are held to.
//!
//! ```text
//! kernel     nanoseconds per packet of the kernel programs, under test-run
//! ```
pub mod kernel;
