//! Watches TCP connection attempts with eBPF and says why they fail: the policy, the rule and the nearest miss, or
//! that it was none of them.
//!
//! ```text
//! packet → kernel programs → ring → attempt → endpoint at that time → verdict at that time → diagnosis → report
//!          probe/                   └─────────── pure: no I/O, time is an argument ───────────────────────────┘
//! ```
#![deny(unsafe_code)]

pub mod agent;
pub mod attempt;
pub mod cli;
pub mod cluster;
pub mod coverage;
pub mod diagnosis;
pub mod endpoint;
pub mod engine;
pub mod events;
pub mod filter;
pub mod flows;
pub mod objects;
pub mod policy;
pub mod privileges;
#[expect(
    unsafe_code,
    reason = "BPF system calls that aya does not make, and entering a pod's network namespace"
)]
pub mod probe;
mod recent;
pub mod remote;
pub mod report;
pub mod serve;
pub mod time;
pub mod why;
pub mod world;
