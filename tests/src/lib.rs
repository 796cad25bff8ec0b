//! Pods as network namespaces: the lab, the scenarios and the demo that run on the real kernel.
//!
//! ```text
//! lab/       namespaces, veths, Services as DNAT, enforcement as nftables, sockets, the observer under test
//! ```
#![forbid(unsafe_code)]

pub mod lab;
