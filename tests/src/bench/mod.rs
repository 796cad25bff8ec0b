//! The benchmarks behind `cargo xtask bench`: each prints numbers and the limits they are held to.
//!
//! ```text
//! kernel     nanoseconds per packet of the kernel programs, under test-run
//! latency    from an application's connect to the tail's record
//! memory     resident memory of the tail with an idle cluster
//! cluster    the agent of a large cluster: start, memory, processor time
//! fleet      processor time of the tail of 50 agents, and whether it keeps their order
//! ```
pub mod cluster;
pub mod fleet;
pub mod kernel;
pub mod latency;
pub mod memory;
